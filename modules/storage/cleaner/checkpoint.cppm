// Up to where each log has been cleaned: what must outlive the process.
module;
#include <coroutine>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

export module millrace.storage.cleaner:checkpoint;

import millrace.base;
import millrace.runtime;
import millrace.storage.files;
import millrace.storage.log;

export namespace millrace::storage {

// Where a cleaner notes how far it has come. Outlives the cleaner; called on its shard.
class CleanerKeeper {
 public:
  virtual ~CleanerKeeper() = default;

  // Durable when it succeeds.
  [[nodiscard]] virtual Task<StorageResult<void>> save_cleaned_end(const Log& log, Offset end) = 0;

 protected:
  CleanerKeeper() = default;
  CleanerKeeper(const CleanerKeeper&) = delete;
  CleanerKeeper& operator=(const CleanerKeeper&) = delete;
};

// The file `cleaner-offset-checkpoint` of a log directory whose logs are on one shard.
class CleanerCheckpoint final : public CleanerKeeper {
 public:
  CleanerCheckpoint(FileSystem& files, std::string log_directory)
      : files_(files), directory_(std::move(log_directory)) {}

  // Takes over what the file says; nothing where there is none. One that is damaged is no reason to
  // stop: everything is looked at again then. The caller says so in the log.
  [[nodiscard]] Task<StorageResult<void>> load();
  // no_offset for a partition that was never cleaned.
  [[nodiscard]] Offset cleaned_end(const TopicPartition& partition) const;
  [[nodiscard]] Task<StorageResult<void>> save_cleaned_end(const Log& log, Offset end) override;
  // For partitions that are not there any more.
  [[nodiscard]] Task<StorageResult<void>> forget(TopicPartition partition);

 private:
  [[nodiscard]] Task<StorageResult<void>> save();

  FileSystem& files_;
  std::string directory_;
  std::map<TopicPartition, Offset> ends_;
  AsyncMutex saving_;
};

}  // namespace millrace::storage
