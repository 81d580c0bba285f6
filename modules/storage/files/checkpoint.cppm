// The checkpoint files of a log directory: one offset for each partition, as text. The layout is
// described in docs/formats/checkpoints.md.
module;
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

export module millrace.storage.files:checkpoint;

import millrace.base;
import millrace.runtime;
import :error;
import :names;

export namespace millrace::storage {

// Up to where a partition need not be checked after an unclean stop.
inline constexpr std::string_view recovery_point_checkpoint_name =
    "recovery-point-offset-checkpoint";
// High watermarks.
inline constexpr std::string_view replication_checkpoint_name = "replication-offset-checkpoint";
// Where records were deleted by request, the first offset that is left.
inline constexpr std::string_view log_start_checkpoint_name = "log-start-offset-checkpoint";
// Up to where a compacted partition has been cleaned.
inline constexpr std::string_view cleaner_checkpoint_name = "cleaner-offset-checkpoint";

// Room for 200,000 partitions with names of the greatest length.
inline constexpr std::size_t checkpoint_bytes_max = 64 * mebibyte;

struct PartitionOffset {
  TopicPartition partition;
  Offset offset{};

  friend bool operator==(const PartitionOffset&, const PartitionOffset&) = default;
};

// `path` is for the sentence of a failure. An empty text has no entries: Kafka makes such files. A
// partition that stands there twice is corrupt.
[[nodiscard]] StorageResult<std::vector<PartitionOffset>> parse_offset_checkpoint(
    std::string_view text, std::string_view path);
// In the order given.
[[nodiscard]] std::string format_offset_checkpoint(std::span<const PartitionOffset> entries);

[[nodiscard]] Task<StorageResult<std::vector<PartitionOffset>>> load_offset_checkpoint(
    FileSystem& files, std::string directory, std::string_view name);
// Durable when it succeeds. `entries` stay in place until the end.
[[nodiscard]] Task<StorageResult<void>> save_offset_checkpoint(
    FileSystem& files, std::string directory, std::string_view name,
    std::span<const PartitionOffset> entries);

}  // namespace millrace::storage
