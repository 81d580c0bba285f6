module;
#include <algorithm>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

module millrace.storage.producers;

import :snapshot;
import :state;

namespace millrace::storage {

namespace {

constexpr std::int16_t snapshot_version = 1;

// Where each field of the file starts.
constexpr std::size_t crc_position = 2;
constexpr std::size_t count_position = 6;
constexpr std::size_t entries_position = 10;
constexpr std::size_t entry_bytes = 46;

// The checksum is that of everything behind it.
constexpr std::size_t checked_position = count_position;
static_assert(checked_position == crc_position + sizeof(std::uint32_t));
static_assert(entries_position == count_position + sizeof(std::int32_t));

class Writer {
 public:
  explicit Writer(std::byte* to) : to_(to) {}

  template <class Integer>
  void integer(Integer value) {
    store_big_endian(to_, value);
    to_ += sizeof value;
  }

 private:
  std::byte* to_;
};

void write_entry(Writer& writer, const ProducerSnapshotEntry& entry) {
  writer.integer(entry.producer.value());
  writer.integer(entry.epoch.value());
  writer.integer(entry.last_sequence.value());
  writer.integer(entry.last_offset.value());
  writer.integer(entry.offset_delta);
  writer.integer(entry.timestamp.value());
  writer.integer(entry.coordinator_epoch.value());
  writer.integer(entry.transaction_start.value());
}

ProducerSnapshotEntry read_entry(ByteReader& reader) {
  ProducerSnapshotEntry entry;
  entry.producer = ProducerId(reader.integer<std::int64_t>());
  entry.epoch = ProducerEpoch(reader.integer<std::int16_t>());
  entry.last_sequence = Sequence(reader.integer<std::int32_t>());
  entry.last_offset = Offset(reader.integer<std::int64_t>());
  entry.offset_delta = reader.integer<std::int32_t>();
  entry.timestamp = Timestamp(reader.integer<std::int64_t>());
  entry.coordinator_epoch = CoordinatorEpoch(reader.integer<std::int32_t>());
  entry.transaction_start = Offset(reader.integer<std::int64_t>());
  return entry;
}

// -1 is "none" in each of them.
bool is_possible(const ProducerSnapshotEntry& entry) {
  return entry.producer >= ProducerId(0) && entry.epoch >= no_producer_epoch &&
         entry.last_sequence >= no_sequence && entry.last_offset >= no_offset &&
         entry.offset_delta >= 0 &&
         (entry.last_offset == no_offset || entry.offset_delta <= entry.last_offset.value()) &&
         entry.coordinator_epoch >= no_coordinator_epoch && entry.transaction_start >= no_offset;
}

template <class Values>
bool has_equal(Values& values) {
  std::sort(values.begin(), values.end());
  return std::adjacent_find(values.begin(), values.end()) != values.end();
}

// A producer stands there once, and no two transactions begin with the same record.
bool contradicts_itself(std::span<const ProducerSnapshotEntry> entries) {
  std::vector<ProducerId> producers;
  std::vector<Offset> transactions;
  producers.reserve(entries.size());
  for (const ProducerSnapshotEntry& entry : entries) {
    producers.push_back(entry.producer);
    if (entry.transaction_start != no_offset) transactions.push_back(entry.transaction_start);
  }
  return has_equal(producers) || has_equal(transactions);
}

bool lies_below(const ProducerSnapshotEntry& entry, Offset offset) {
  return entry.last_offset < offset && entry.transaction_start < offset;
}

}  // namespace

std::vector<std::byte> format_producer_snapshot(std::span<const ProducerSnapshotEntry> entries) {
  check(entries.size() <= static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max()),
        "the number of producers fits into the snapshot");
  std::vector<std::byte> bytes(entries_position + entries.size() * entry_bytes);
  Writer writer(bytes.data());
  writer.integer(snapshot_version);
  writer.integer(std::uint32_t{0});
  writer.integer(static_cast<std::int32_t>(entries.size()));
  for (const ProducerSnapshotEntry& entry : entries) write_entry(writer, entry);
  store_big_endian(bytes.data() + crc_position, crc32c(ByteView(bytes).subspan(checked_position)));
  return bytes;
}

StorageResult<std::vector<ProducerSnapshotEntry>> parse_producer_snapshot(ByteView bytes,
                                                                          std::string_view path) {
  const auto corrupt = [path](std::string_view problem) {
    return storage_failure(StorageFault::corrupt, formatted("{}: {}", path, problem));
  };
  ByteReader reader(bytes);
  const auto version = reader.integer<std::int16_t>();
  const auto crc = reader.integer<std::uint32_t>();
  const auto count = reader.integer<std::int32_t>();
  if (reader.failed()) return corrupt("the file is cut off");
  if (version != snapshot_version) return corrupt(formatted("version {} is not known", version));
  if (crc != crc32c(bytes.subspan(checked_position))) return corrupt("the checksum is wrong");
  if (count < 0 || reader.remaining() != static_cast<std::size_t>(count) * entry_bytes) {
    return corrupt("the number of producers is not that of the entries");
  }
  std::vector<ProducerSnapshotEntry> entries;
  entries.reserve(static_cast<std::size_t>(count));
  while (reader.remaining() > 0) {
    entries.push_back(read_entry(reader));
    if (!is_possible(entries.back())) return corrupt("an entry holds what no producer can have");
  }
  if (contradicts_itself(entries)) return corrupt("entries contradict each other");
  return entries;
}

Task<StorageResult<std::vector<ProducerSnapshotEntry>>> load_producer_snapshot(
    FileSystem& files, std::string directory, Offset offset) {
  const std::string path =
      path_in(directory, segment_file_name(offset, SegmentFileKind::producer_snapshot));
  const auto bytes = co_await read_file(files, path, producer_snapshot_bytes_max);
  if (!bytes) co_return failure(bytes.error());
  auto entries = parse_producer_snapshot(*bytes, path);
  if (!entries) co_return entries;
  const bool is_whole = std::all_of(
      entries->begin(), entries->end(),
      [offset](const ProducerSnapshotEntry& entry) { return lies_below(entry, offset); });
  if (!is_whole) {
    co_return storage_failure(
        StorageFault::corrupt,
        formatted("{}: it knows of records that its name says are not in it", path));
  }
  co_return entries;
}

Task<StorageResult<void>> save_producer_snapshot(FileSystem& files, std::string directory,
                                                 Offset offset,
                                                 std::vector<ProducerSnapshotEntry> entries) {
  const std::vector<std::byte> bytes = format_producer_snapshot(entries);
  co_return co_await replace_file(files, std::move(directory),
                                  segment_file_name(offset, SegmentFileKind::producer_snapshot),
                                  bytes);
}

}  // namespace millrace::storage
