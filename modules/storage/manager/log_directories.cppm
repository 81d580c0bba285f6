// All log directories of a server.
module;
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

export module millrace.storage.manager:log_directories;

import millrace.base;
import millrace.runtime;
import millrace.storage.files;
import :checkpoints;
import :crossing;
import :log_directory;

export namespace millrace::storage {

// Position in log.dirs.
using DirectoryIndex = Strong<struct DirectoryIndexTag, std::uint32_t>;

// A manager, told on its own shard.
class DirectoryUser {
 public:
  virtual ~DirectoryUser() = default;
  virtual void directory_failed(DirectoryIndex directory, const StorageError& error) = 0;

 protected:
  DirectoryUser() = default;
  DirectoryUser(const DirectoryUser&) = delete;
  DirectoryUser& operator=(const DirectoryUser&) = delete;
};

// For whoever runs the server, told on the shard of the directories.
class DirectoryObserver {
 public:
  virtual ~DirectoryObserver() = default;
  // To be reported to the controller by its id.
  virtual void directory_failed(const LogDirectory& directory) = 0;
  // Nothing can be stored any more: the server stops.
  virtual void all_directories_failed() = 0;

 protected:
  DirectoryObserver() = default;
  DirectoryObserver(const DirectoryObserver&) = delete;
  DirectoryObserver& operator=(const DirectoryObserver&) = delete;
};

// What is known of a partition that is not found here.
enum class Novelty : std::uint8_t {
  is_new,       // this server never had it
  may_be_here,  // it may have, on a disk that has failed since
};

// Where a new partition lies.
struct Placement {
  DirectoryIndex directory;
  std::string path;
};

// What DescribeLogDirs tells of a directory, besides its partitions.
struct DirectoryDescription {
  std::string path;
  Uuid id;
  std::optional<StorageError> failed;
  std::uint64_t free_bytes = 0;
  std::vector<KeptDirectory> kept;
};

// What one shard knows of one line of a checkpoint file.
struct CheckpointChange {
  DirectoryIndex directory;
  CheckpointKind kind = CheckpointKind::recovery_point;
  PartitionOffset line;
};

// Belongs to one shard, the home of all directories; the managers of all shards reach it through
// their crossings. The logs of all shards have lines in the same checkpoint files, which are kept
// and written here. Outlives the managers.
class LogDirectories {
 public:
  // The crossing leads from the home shard. The observer outlives this.
  LogDirectories(Executor& executor, FileSystem& files, Crossing& crossing, Random& random,
                 const std::vector<std::string>& paths, Logger log, DirectoryObserver& observer);
  LogDirectories(const LogDirectories&) = delete;
  LogDirectories& operator=(const LogDirectories&) = delete;
  ~LogDirectories();

  // Opens them all. Directories whose device fails are offline, and an error only if all are.
  // Anything else that is wrong with one is an error: the server must not start. Either way
  // close() comes at the end.
  [[nodiscard]] Task<StorageResult<void>> open(DirectoryOwner owner);

  [[nodiscard]] std::size_t count() const { return directories_.size(); }
  [[nodiscard]] LogDirectory& at(DirectoryIndex index) { return *directories_[index.value()]; }
  [[nodiscard]] std::size_t online() const;
  // The epoch in which the broker stopped in order, if all directories say the same.
  [[nodiscard]] std::optional<BrokerEpoch> stopped_epoch() const;
  [[nodiscard]] Task<std::vector<DirectoryDescription>> describe();

  // --- For managers ---

  // Tells the user on its shard when a directory fails, until it is removed.
  void add_user(ShardIndex shard, DirectoryUser& user);
  [[nodiscard]] Task<void> remove_user(DirectoryUser& user);

  // Makes a directory for the partition, on the disk with the fewest partitions. One that may be on
  // a disk that could not be looked at is refused with StorageFault::offline.
  [[nodiscard]] Task<StorageResult<Placement>> place(TopicPartition partition, Uuid topic_id,
                                                     Novelty novelty);
  // See LogDirectory::put_away().
  [[nodiscard]] Task<StorageResult<void>> put_away(DirectoryIndex directory,
                                                   TopicPartition partition,
                                                   PartitionDirectoryKind kind, Duration delay);
  // See LogDirectory::settle_names().
  [[nodiscard]] Task<StorageResult<void>> settle_names(DirectoryIndex directory);
  // Puts one line into a checkpoint file. Durable when it succeeds, if `must_last`, or if the file
  // may have a higher offset; else at the next save().
  [[nodiscard]] Task<StorageResult<void>> set(CheckpointChange change, bool must_last);
  // Puts lines into checkpoint files, for the next save().
  void note(const std::vector<CheckpointChange>& changes);
  // Saves the files that have changed. Of several failures one that is not a directory that went
  // offline, which everybody is told.
  [[nodiscard]] Task<StorageResult<void>> save();
  // The device of a log failed.
  void fail(DirectoryIndex directory, const StorageError& error);

  // --- Ending ---

  // When all managers have ended. `clean` says of each directory whether all its logs were closed.
  [[nodiscard]] Task<StorageResult<void>> close(std::vector<bool> clean, BrokerEpoch epoch);

 private:
  struct User {
    ShardIndex shard;
    DirectoryUser* user;
  };
  [[nodiscard]] Task<StorageResult<void>> check_doubles();
  [[nodiscard]] Task<StorageResult<LogDirectory*>> resolve_double(TopicPartition partition,
                                                                  LogDirectory& first,
                                                                  LogDirectory& second);
  void went_offline(DirectoryIndex directory);
  [[nodiscard]] Task<void> tell(DirectoryIndex directory, StorageError error);

  FileSystem& files_;
  Crossing& crossing_;
  Logger log_;
  DirectoryObserver& observer_;
  std::vector<std::unique_ptr<LogDirectory>> directories_;
  std::vector<User> users_;
  AsyncMutex telling_;
  TaskGroup tasks_;
};

}  // namespace millrace::storage
