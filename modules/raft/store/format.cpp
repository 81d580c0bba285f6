module;
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

module millrace.raft.store;

import millrace.base;
import millrace.raft;

namespace millrace::raft {
namespace {

constexpr std::string_view segment_magic = "MILLRLOG";
constexpr std::string_view snapshot_magic = "MILLRSNP";
constexpr std::uint32_t format_version = 1;

template <class Integer>
void put(std::vector<std::byte>& bytes, Integer value) {
  bytes.resize(bytes.size() + sizeof value);
  store_big_endian(bytes.data() + bytes.size() - sizeof value, value);
}

void put_bytes(std::vector<std::byte>& bytes, ByteView more) {
  bytes.insert(bytes.end(), more.begin(), more.end());
}

// Magic and version of a file, then its own fields, the last of which is the checksum of all.
Result<ByteReader> open_header(ByteView bytes, std::size_t size, std::string_view magic) {
  if (bytes.size() < size) return failure(ErrorKind::corrupt, "the header is cut off");
  ByteReader reader(bytes.first(size));
  if (as_text(reader.bytes(magic.size())) != magic) {
    return failure(ErrorKind::corrupt, "it does not begin as such a file does");
  }
  const auto version = reader.integer<std::uint32_t>();
  const std::size_t covered = size - sizeof(std::uint32_t);
  const auto crc = load_big_endian<std::uint32_t>(bytes.data() + covered);
  if (crc != crc32c(bytes.first(covered))) {
    return failure(ErrorKind::corrupt, "the checksum of the header is wrong");
  }
  if (version != format_version) {
    return failure(ErrorKind::unsupported,
                   formatted("it has version {}, only {} is known", version, format_version));
  }
  return reader;
}

std::optional<std::int64_t> parse_digits(std::string_view digits) {
  if (digits.size() != name_digits) return std::nullopt;
  std::int64_t value = 0;
  const char* const end = digits.data() + digits.size();
  const auto [stopped, error] = std::from_chars(digits.data(), end, value);
  if (error != std::errc{} || stopped != end || value < 0) return std::nullopt;
  return value;
}

// The checksum of a record header: of what is written, and of where.
std::uint32_t header_crc(ByteView header, SegmentNumber segment, std::uint64_t at) {
  std::vector<std::byte> place;
  place.reserve(2 * sizeof at);
  put(place, segment.value());
  put(place, at);
  return crc32c_extend(crc32c(place), header);
}

}  // namespace

std::vector<std::byte> encode(const SegmentHeader& header) {
  std::vector<std::byte> bytes;
  put_bytes(bytes, as_bytes(segment_magic));
  put(bytes, format_version);
  put(bytes, header.number.value());
  put(bytes, header.hard_state.term.value());
  put(bytes, header.hard_state.vote.value());
  put(bytes, std::uint32_t{0});
  put(bytes, crc32c(bytes));
  check(bytes.size() == segment_header_bytes, "the header of a segment has its size");
  return bytes;
}

Result<SegmentHeader> decode_segment_header(ByteView bytes) {
  auto reader = open_header(bytes, segment_header_bytes, segment_magic);
  if (!reader) return failure(std::move(reader.error()));
  SegmentHeader header;
  header.number = SegmentNumber(reader->integer<std::int64_t>());
  header.hard_state.term = Term(reader->integer<std::int64_t>());
  header.hard_state.vote = NodeId(reader->integer<std::int32_t>());
  if (reader->integer<std::uint32_t>() != 0 || header.number.value() < 1 ||
      header.hard_state.term.value() < 0) {
    return failure(ErrorKind::corrupt, "the header has impossible values");
  }
  return header;
}

void append_record(std::vector<std::byte>& to, SegmentNumber segment, std::uint64_t at,
                   RecordHeader header, ByteView data) {
  check(data.size() <= record_data_bytes_max, "the data of a record have a limit");
  const std::size_t begin = to.size();
  put(to, static_cast<std::uint32_t>(data.size()));
  put(to, static_cast<std::uint8_t>(header.kind));
  put(to, static_cast<std::uint8_t>(header.entry_kind));
  // A record begins after the write that it belongs to did, and no further than a write is large.
  put(to, std::uint16_t{0});
  put(to, static_cast<std::uint32_t>(at - header.write_from));
  put(to, header.term.value());
  put(to, header.index.value());
  put(to, header.vote.value());
  put(to, crc32c(data));
  put(to, header_crc(ByteView(to).subspan(begin), segment, at));
  check(to.size() - begin == record_header_bytes, "the header of a record has its size");
  put_bytes(to, data);
}

std::optional<RecordHeader> decode_record_header(ByteView bytes, SegmentNumber segment,
                                                 std::uint64_t at) {
  if (bytes.size() < record_header_bytes) return std::nullopt;
  constexpr std::size_t covered = record_header_bytes - sizeof(std::uint32_t);
  ByteReader reader(bytes.first(record_header_bytes));
  RecordHeader header;
  header.length = reader.integer<std::uint32_t>();
  const auto kind = reader.integer<std::uint8_t>();
  const auto entry_kind = reader.integer<std::uint8_t>();
  const auto reserved = reader.integer<std::uint16_t>();
  const auto back = reader.integer<std::uint32_t>();
  // Cheap tests first: a damaged tail is searched for records byte by byte.
  if (kind < 1 || kind > 3 || entry_kind > 2 || reserved != 0 || back > at ||
      header.length > record_data_bytes_max) {
    return std::nullopt;
  }
  const auto crc = load_big_endian<std::uint32_t>(bytes.data() + covered);
  if (crc != header_crc(bytes.first(covered), segment, at)) return std::nullopt;
  header.kind = static_cast<RecordKind>(kind);
  header.entry_kind = static_cast<EntryKind>(entry_kind);
  header.write_from = at - back;
  header.term = Term(reader.integer<std::int64_t>());
  header.index = LogIndex(reader.integer<std::int64_t>());
  header.vote = NodeId(reader.integer<std::int32_t>());
  header.data_crc = reader.integer<std::uint32_t>();
  return header;
}

std::vector<std::byte> encode_snapshot_front(const SnapshotMeta& meta) {
  // A node that is to join knows no members: then there are no bytes.
  const Payload members = meta.membership.voters().empty() ? Payload() : meta.membership.encode();
  check(members.size() <= snapshot_membership_bytes_max, "a membership has a limit");
  std::vector<std::byte> bytes;
  put_bytes(bytes, as_bytes(snapshot_magic));
  put(bytes, format_version);
  put(bytes, meta.last.index.value());
  put(bytes, meta.last.term.value());
  put(bytes, meta.bytes);
  put(bytes, static_cast<std::uint32_t>(members.size()));
  put_bytes(bytes, members.bytes());
  return bytes;
}

Result<SnapshotHeader> decode_snapshot_header(ByteView bytes) {
  if (bytes.size() < snapshot_header_bytes) {
    return failure(ErrorKind::corrupt, "the header is cut off");
  }
  ByteReader reader(bytes.first(snapshot_header_bytes));
  if (as_text(reader.bytes(snapshot_magic.size())) != snapshot_magic) {
    return failure(ErrorKind::corrupt, "it does not begin as a snapshot does");
  }
  const auto version = reader.integer<std::uint32_t>();
  if (version != format_version) {
    return failure(ErrorKind::unsupported,
                   formatted("it has version {}, only {} is known", version, format_version));
  }
  SnapshotHeader header;
  header.last.index = LogIndex(reader.integer<std::int64_t>());
  header.last.term = Term(reader.integer<std::int64_t>());
  header.state_bytes = reader.integer<std::uint64_t>();
  header.membership_bytes = reader.integer<std::uint32_t>();
  if (header.last.index.value() < 0 || header.last.term.value() < 0 ||
      header.state_bytes > snapshot_state_bytes_max ||
      header.membership_bytes > snapshot_membership_bytes_max) {
    return failure(ErrorKind::corrupt, "the header has impossible values");
  }
  return header;
}

Result<SnapshotMeta> decode_snapshot_meta(const SnapshotHeader& header, ByteView membership) {
  SnapshotMeta meta{header.last, {}, header.state_bytes};
  if (membership.empty()) return meta;
  auto members = Membership::decode(membership);
  if (!members) return failure(std::move(members.error()));
  meta.membership = std::move(*members);
  return meta;
}

std::vector<std::byte> encode_snapshot_end(ByteView front,
                                           const std::vector<std::uint32_t>& blocks) {
  std::vector<std::byte> bytes;
  bytes.reserve((blocks.size() + 1) * sizeof(std::uint32_t));
  for (const std::uint32_t crc : blocks) put(bytes, crc);
  put(bytes, crc32c_extend(crc32c(front), bytes));
  return bytes;
}

std::string segment_name(SegmentNumber number) {
  return formatted("{:019}{}", number.value(), segment_suffix);
}

std::optional<SegmentNumber> parse_segment_name(std::string_view name) {
  if (!name.ends_with(segment_suffix)) return std::nullopt;
  const auto number = parse_digits(name.substr(0, name.size() - segment_suffix.size()));
  if (!number || *number < 1) return std::nullopt;
  return SegmentNumber(*number);
}

std::string snapshot_name(LogPosition last) {
  return formatted("{:019}-{:019}{}", last.index.value(), last.term.value(), snapshot_suffix);
}

std::optional<LogPosition> parse_snapshot_name(std::string_view name) {
  if (!name.ends_with(snapshot_suffix)) return std::nullopt;
  name.remove_suffix(snapshot_suffix.size());
  if (name.size() != 2 * name_digits + 1 || name[name_digits] != '-') return std::nullopt;
  const auto index = parse_digits(name.substr(0, name_digits));
  const auto term = parse_digits(name.substr(name_digits + 1));
  if (!index || !term) return std::nullopt;
  return LogPosition{LogIndex(*index), Term(*term)};
}

}  // namespace millrace::raft
