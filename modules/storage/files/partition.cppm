// The text files of a partition: partition.metadata and leader-epoch-checkpoint. Layouts:
// docs/formats/partition-files.md.
module;
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

export module millrace.storage.files:partition;

import millrace.base;
import millrace.runtime;
import :error;

export namespace millrace::storage {

inline constexpr std::string_view partition_metadata_name = "partition.metadata";
inline constexpr std::string_view leader_epoch_checkpoint_name = "leader-epoch-checkpoint";
inline constexpr std::size_t partition_metadata_bytes_max = 4 * kibibyte;
// Room for 500,000 epochs.
inline constexpr std::size_t leader_epoch_checkpoint_bytes_max = 16 * mebibyte;

// Which topic a partition belongs to: a topic made anew under an old name has another id.
struct PartitionMetadata {
  Uuid topic_id;

  friend bool operator==(const PartitionMetadata&, const PartitionMetadata&) = default;
};

[[nodiscard]] StorageResult<PartitionMetadata> parse_partition_metadata(std::string_view text,
                                                                        std::string_view path);
[[nodiscard]] std::string format_partition_metadata(const PartitionMetadata& metadata);
[[nodiscard]] Task<StorageResult<PartitionMetadata>> load_partition_metadata(FileSystem& files,
                                                                             std::string directory);
[[nodiscard]] Task<StorageResult<void>> save_partition_metadata(FileSystem& files,
                                                                std::string directory,
                                                                PartitionMetadata metadata);

// The first offset that was appended by the leader of an epoch.
struct EpochEntry {
  LeaderEpoch epoch{};
  Offset start_offset{};

  friend bool operator==(const EpochEntry&, const EpochEntry&) = default;
};

// Epochs and offsets ascend; else the file is corrupt. An empty text has no entries.
[[nodiscard]] StorageResult<std::vector<EpochEntry>> parse_leader_epoch_checkpoint(
    std::string_view text, std::string_view path);
[[nodiscard]] std::string format_leader_epoch_checkpoint(std::span<const EpochEntry> entries);
[[nodiscard]] Task<StorageResult<std::vector<EpochEntry>>> load_leader_epoch_checkpoint(
    FileSystem& files, std::string directory);
// Durable when it succeeds. `entries` stay in place until the end.
[[nodiscard]] Task<StorageResult<void>> save_leader_epoch_checkpoint(
    FileSystem& files, std::string directory, std::span<const EpochEntry> entries);

}  // namespace millrace::storage
