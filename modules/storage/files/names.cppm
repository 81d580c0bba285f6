// Names of the files of a partition and of the directories of a log directory, as Kafka gives them.
// Parsing takes exactly what making gives: a name has one meaning and one spelling.
module;
#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

export module millrace.storage.files:names;

import millrace.base;
import :error;

export namespace millrace::storage {

// What a file of a segment holds.
enum class SegmentFileKind : std::uint8_t {
  log,                // .log
  offset_index,       // .index
  time_index,         // .timeindex
  transaction_index,  // .txnindex
  producer_snapshot,  // .snapshot
};

// What is to become of a file: written in the place of others, taking their place, going away.
enum class FileStage : std::uint8_t {
  current,  // no suffix
  cleaned,  // .cleaned: being written, worth nothing after a crash
  swap,     // .swap: complete; after a crash it takes the place of what it replaces
  deleted,  // .deleted: to be removed
};

inline constexpr std::size_t segment_offset_digits = 20;
inline constexpr std::size_t topic_name_bytes_max = 249;
inline constexpr std::size_t file_name_bytes_max = 255;
// Of a file being written by replace_file(); worth nothing after a crash.
inline constexpr std::string_view temporary_suffix = ".tmp";

struct SegmentFileName {
  Offset base_offset{};
  SegmentFileKind kind = SegmentFileKind::log;
  FileStage stage = FileStage::current;

  friend bool operator==(const SegmentFileName&, const SegmentFileName&) = default;
};

[[nodiscard]] std::string_view suffix_of(SegmentFileKind kind);
[[nodiscard]] std::string_view suffix_of(FileStage stage);

// "00000000000000001234.timeindex.swap". The offset is not negative.
[[nodiscard]] std::string segment_file_name(const SegmentFileName& name);
[[nodiscard]] std::string segment_file_name(Offset base_offset, SegmentFileKind kind,
                                            FileStage stage = FileStage::current);
// Nothing for files that are no part of a segment.
[[nodiscard]] std::optional<SegmentFileName> parse_segment_file_name(std::string_view name);

// A partition of a topic, by name.
struct TopicPartition {
  std::string topic;
  PartitionIndex partition{};

  friend bool operator==(const TopicPartition&, const TopicPartition&) = default;
  friend auto operator<=>(const TopicPartition&, const TopicPartition&) = default;
};

// "orders-3"
[[nodiscard]] std::string to_string(const TopicPartition& partition);

// Letters, digits, '.', '_' and '-', at most 249, neither "." nor "..".
[[nodiscard]] bool is_topic_name(std::string_view name);

// What a directory of a partition is for.
enum class PartitionDirectoryKind : std::uint8_t {
  current,  // orders-3
  future,   // orders-3.<id>-future: the copy that is to replace the current one on another disk
  stray,    // orders-3.<id>-stray: a replica that does not belong here
  deleted,  // orders-3.<id>-delete
};

struct PartitionDirectoryName {
  TopicPartition partition;
  PartitionDirectoryKind kind = PartitionDirectoryKind::current;
  // 32 hexadecimal digits as we and Kafka make them; any text without blanks is read. Empty where
  // the kind is current. A topic of more than 210 characters is cut in names with `-stray` and
  // `-delete`.
  std::string id;

  friend bool operator==(const PartitionDirectoryName&, const PartitionDirectoryName&) = default;
};

// The name of the directory of a partition of a legal topic name. `id` makes it unique; it is not
// looked at where the kind is current. Longer than a file system allows: StorageFault::limit.
[[nodiscard]] StorageResult<std::string> partition_directory_name(
    const TopicPartition& partition, PartitionDirectoryKind kind = PartitionDirectoryKind::current,
    const Uuid& id = {});
[[nodiscard]] StorageResult<PartitionDirectoryName> parse_partition_directory_name(
    std::string_view name);

}  // namespace millrace::storage
