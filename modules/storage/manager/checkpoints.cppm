// The offsets of the partitions of a log directory, as its checkpoint files have them.
module;
#include <array>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

export module millrace.storage.manager:checkpoints;

import millrace.base;
import millrace.runtime;
import millrace.storage.files;
import :coalesced;

export namespace millrace::storage {

enum class CheckpointKind : std::uint8_t { recovery_point, high_watermark, log_start, cleaner };
inline constexpr std::array checkpoint_kinds = {CheckpointKind::recovery_point,
                                                CheckpointKind::high_watermark,
                                                CheckpointKind::log_start, CheckpointKind::cleaner};
// Those that follow from what a log is.
inline constexpr std::array checkpoint_kinds_of_logs = {
    CheckpointKind::recovery_point, CheckpointKind::high_watermark, CheckpointKind::log_start};
[[nodiscard]] std::string_view file_name_of(CheckpointKind kind);

// What the files say of one partition; no_offset where a file has no line for it.
struct PartitionOffsets {
  std::array<Offset, checkpoint_kinds.size()> offsets{no_offset, no_offset, no_offset, no_offset};

  [[nodiscard]] Offset& operator[](CheckpointKind kind) {
    return offsets[static_cast<std::size_t>(kind)];
  }
  [[nodiscard]] Offset operator[](CheckpointKind kind) const {
    return offsets[static_cast<std::size_t>(kind)];
  }
  friend bool operator==(const PartitionOffsets&, const PartitionOffsets&) = default;
};

// A member of its log directory, on that one's shard. What is set is in the file when a save() that
// begins later has succeeded; saves that are asked for at the same time share one write.
class Checkpoints {
 public:
  Checkpoints(FileSystem& files, std::string directory, Logger log);
  Checkpoints(const Checkpoints&) = delete;
  Checkpoints& operator=(const Checkpoints&) = delete;

  // Reads the files. One that is not there has no lines; one that is damaged neither, with a
  // warning: that costs time, no records.
  [[nodiscard]] Task<StorageResult<void>> load();

  [[nodiscard]] PartitionOffsets of(const TopicPartition& partition) const;
  [[nodiscard]] std::size_t partitions() const { return table_.size(); }

  // True if the file must be saved before whoever sets it goes on: the offset is lower than one
  // that may be in the file.
  bool set(CheckpointKind kind, const TopicPartition& partition, Offset offset);
  // The partition has no lines any more.
  void forget(const TopicPartition& partition);
  // Forgets the partitions for which `keep` is false. Returns how many.
  std::size_t keep_only(const std::function<bool(const TopicPartition&)>& keep);

  // Writes the file if its lines have changed. Durable when it succeeds.
  [[nodiscard]] Task<StorageResult<void>> save(CheckpointKind kind);
  // The files that have changed.
  [[nodiscard]] Task<StorageResult<void>> save_changed();

  // How often a file was written.
  [[nodiscard]] std::uint64_t writes() const { return writes_; }

 private:
  struct File {
    File(Checkpoints& owner, CheckpointKind kind);
    bool changed = false;
    // The file may have an offset that is higher than the table's.
    bool lowered = false;
    Coalesced saving;
  };
  [[nodiscard]] File& file_of(CheckpointKind kind) {
    return *saved_[static_cast<std::size_t>(kind)];
  }
  [[nodiscard]] Task<StorageResult<void>> write(CheckpointKind kind);

  FileSystem& files_;
  std::string directory_;
  Logger log_;
  std::map<TopicPartition, PartitionOffsets> table_;
  std::array<std::unique_ptr<File>, checkpoint_kinds.size()> saved_;
  std::uint64_t writes_ = 0;
};

}  // namespace millrace::storage
