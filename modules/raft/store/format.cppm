// The bytes of segments and snapshots: docs/formats/raft-log.md.
module;
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

export module millrace.raft.store:format;

import millrace.base;
import millrace.raft;

export namespace millrace::raft {

// Segments are numbered from 1 on in the order of their making.
using SegmentNumber = Strong<struct SegmentNumberTag, std::int64_t>;

inline constexpr std::size_t segment_header_bytes = 40;
inline constexpr std::size_t record_header_bytes = 40;
inline constexpr std::size_t snapshot_header_bytes = 40;
// The data of one record. An entry is smaller: Options::entry_bytes_max.
inline constexpr std::size_t record_data_bytes_max = 64 * mebibyte;
// One write, encoded.
inline constexpr std::size_t write_bytes_max = 128 * mebibyte;
static_assert(record_data_bytes_max + 2 * record_header_bytes <= write_bytes_max);
// Each block of a snapshot's state has a checksum of its own, so that a piece can be read and
// checked alone.
inline constexpr std::size_t snapshot_block_bytes = 64 * kibibyte;
inline constexpr std::uint64_t snapshot_state_bytes_max = 4096 * std::uint64_t{mebibyte};
inline constexpr std::size_t snapshot_membership_bytes_max = 4 * kibibyte;

// What a segment says of itself.
struct SegmentHeader {
  SegmentNumber number;
  HardState hard_state;  // as it was when the segment was made

  friend bool operator==(const SegmentHeader&, const SegmentHeader&) = default;
};

enum class RecordKind : std::uint8_t {
  entry = 1,       // takes the place of all from its index on
  hard_state = 2,  // takes the place of the one before
  reset = 3,       // a snapshot was installed: the log is empty and goes on directly above `index`
};

// What stands before the data of a record.
struct RecordHeader {
  RecordKind kind = RecordKind::entry;
  EntryKind entry_kind = EntryKind::command;
  std::uint32_t length = 0;      // of the data
  std::uint64_t write_from = 0;  // where the write began that it belongs to: all before is durable
  Term term{};
  LogIndex index{};
  NodeId vote = no_node;
  std::uint32_t data_crc = 0;
};

struct SnapshotHeader {
  LogPosition last;
  std::uint64_t state_bytes = 0;
  std::uint32_t membership_bytes = 0;
};

[[nodiscard]] std::vector<std::byte> encode(const SegmentHeader& header);
[[nodiscard]] Result<SegmentHeader> decode_segment_header(ByteView bytes);

// `at` is where the record begins in its segment: the checksum covers it, so that a copy of a
// record, in the data of another one or in another segment, is none.
void append_record(std::vector<std::byte>& to, SegmentNumber segment, std::uint64_t at,
                   RecordHeader header, ByteView data);
// Nothing where there is no whole header, or a damaged one. The data are not looked at.
[[nodiscard]] std::optional<RecordHeader> decode_record_header(ByteView bytes,
                                                               SegmentNumber segment,
                                                               std::uint64_t at);

// Header and members.
[[nodiscard]] std::vector<std::byte> encode_snapshot_front(const SnapshotMeta& meta);
[[nodiscard]] Result<SnapshotHeader> decode_snapshot_header(ByteView bytes);
// `membership` are the bytes behind the header.
[[nodiscard]] Result<SnapshotMeta> decode_snapshot_meta(const SnapshotHeader& header,
                                                        ByteView membership);
[[nodiscard]] constexpr std::uint64_t snapshot_blocks(std::uint64_t state_bytes) {
  return (state_bytes + snapshot_block_bytes - 1) / snapshot_block_bytes;
}
// The checksums of the blocks, then one over `front` and them.
[[nodiscard]] std::vector<std::byte> encode_snapshot_end(ByteView front,
                                                         const std::vector<std::uint32_t>& blocks);

inline constexpr std::string_view segment_suffix = ".raftlog";
inline constexpr std::string_view snapshot_suffix = ".raftsnapshot";
inline constexpr std::size_t name_digits = 19;

// "0000000000000000001.raftlog"
[[nodiscard]] std::string segment_name(SegmentNumber number);
[[nodiscard]] std::optional<SegmentNumber> parse_segment_name(std::string_view name);
// "0000000000000001234-0000000000000000007.raftsnapshot": index and term.
[[nodiscard]] std::string snapshot_name(LogPosition last);
[[nodiscard]] std::optional<LogPosition> parse_snapshot_name(std::string_view name);

}  // namespace millrace::raft
