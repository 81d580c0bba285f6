// One log directory: whose it is, what it holds, how it was left and how it is left.
module;
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

export module millrace.storage.manager:log_directory;

import millrace.base;
import millrace.runtime;
import millrace.storage.files;
import :checkpoints;
import :coalesced;
import :removals;

export namespace millrace::storage {

// Whose log directories these are.
struct DirectoryOwner {
  std::string cluster_id;
  BrokerId node_id = no_broker;
};

// A partition whose directory was found, and what the checkpoint files say of it.
struct FoundPartition {
  TopicPartition partition;
  PartitionOffsets offsets;
};

// A directory that is kept and not used: a copy for another disk, or a replica that does not belong
// here.
struct KeptDirectory {
  std::string name;
  PartitionDirectoryKind kind = PartitionDirectoryKind::stray;
};

// A random id as Kafka makes them: version 4, and its text does not begin with a dash.
[[nodiscard]] Uuid random_uuid(Random& random);

// Belongs to LogDirectories and to its shard. After a failure of the device it is offline for good:
// its functions refuse with that failure.
class LogDirectory {
 public:
  // Calls `went_offline` once, when the device fails.
  LogDirectory(Executor& executor, FileSystem& files, Random& random, std::string path, Logger log,
               std::function<void()> went_offline);
  LogDirectory(const LogDirectory&) = delete;
  LogDirectory& operator=(const LogDirectory&) = delete;
  ~LogDirectory();

  // Locks it, makes or checks meta.properties and looks at what is there. StorageFault::offline:
  // the device failed, other directories may be used. Other faults say what is wrong with the
  // directory: the server must not start, and how the directory was left is not forgotten. Either
  // way close() comes at the end.
  [[nodiscard]] Task<StorageResult<void>> open(const DirectoryOwner& owner);
  // From now on it is changed: removes the mark of an orderly stop and reads the checkpoint files.
  // Fails as open() does.
  [[nodiscard]] Task<StorageResult<void>> take_over();

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] const Uuid& id() const { return id_; }
  // The last stop was orderly: every file can be trusted.
  [[nodiscard]] bool clean() const { return clean_; }
  // The epoch in which the broker stopped in order.
  [[nodiscard]] std::optional<BrokerEpoch> stopped_epoch() const { return stopped_epoch_; }
  [[nodiscard]] const std::vector<FoundPartition>& found() const { return found_; }
  // Which partitions are here is known.
  [[nodiscard]] bool taken_over() const { return taken_over_; }
  // Those that belong to a manager, which opens them.
  [[nodiscard]] std::vector<FoundPartition> take_found(
      const std::function<bool(const TopicPartition&)>& belongs);
  [[nodiscard]] const std::vector<KeptDirectory>& kept() const { return kept_; }
  [[nodiscard]] Checkpoints& checkpoints() { return checkpoints_; }

  [[nodiscard]] const std::optional<StorageError>& failed() const { return failed_; }
  [[nodiscard]] bool online() const { return !failed_; }
  void fail(const StorageError& error);
  [[nodiscard]] StorageResult<void> usable() const;

  // Partitions whose directory is here, or is being made.
  [[nodiscard]] std::size_t partitions() const { return partitions_; }
  void count_partition(bool added) { partitions_ += added ? std::size_t{1} : std::size_t(-1); }
  [[nodiscard]] std::string path_of(const TopicPartition& partition) const;

  // Makes the directory of a partition, with its topic id, durably. What an attempt that failed has
  // left is no obstacle; records that lie there and that nobody knows of are kept as stray.
  [[nodiscard]] Task<StorageResult<void>> make_partition(TopicPartition partition, Uuid topic_id);
  // Renames the directory of a partition that nobody uses any more and takes its lines out of the
  // checkpoint files; durable when it succeeds, so that a partition that is made anew under that
  // name inherits nothing. A deleted one is removed after the delay. After a shortage it is as
  // before, but settle_names() comes before it is used again.
  [[nodiscard]] Task<StorageResult<void>> put_away(TopicPartition partition,
                                                   PartitionDirectoryKind kind, Duration delay);

  // What an attempt to put a partition away has left of its names is durable when it succeeds: to
  // be asked for before such a partition is used again.
  [[nodiscard]] Task<StorageResult<void>> settle_names();

  // Of a partition that another directory has too: whether anything was ever appended here.
  [[nodiscard]] Task<StorageResult<bool>> has_records(TopicPartition partition);
  // Removes it if not: a disk failed or was full while the partition was made.
  [[nodiscard]] Task<StorageResult<void>> remove_double(TopicPartition partition);

  // Ends what it does in the background. Then says that all was left in order, if `clean`, and
  // unlocks. What no manager has opened is as it was found.
  [[nodiscard]] Task<StorageResult<void>> close(bool clean, BrokerEpoch epoch);

 private:
  [[nodiscard]] Task<StorageResult<void>> make_directories(std::string path);
  [[nodiscard]] Task<StorageResult<void>> lock();
  [[nodiscard]] Task<StorageResult<void>> identify(const DirectoryOwner& owner,
                                                   bool has_partitions);
  [[nodiscard]] Task<StorageResult<void>> write_identity(const DirectoryOwner& owner);
  [[nodiscard]] Task<StorageResult<void>> take_mark();
  [[nodiscard]] Task<StorageResult<void>> look_around();
  [[nodiscard]] Task<StorageResult<void>> put_back(std::string from, std::string to,
                                                   StorageError reason);
  [[nodiscard]] Task<StorageResult<bool>> find_records(std::string path);
  [[nodiscard]] Task<void> remove_empty(std::string path);
  void note_directory(const std::string& name);
  [[nodiscard]] StorageResult<void> noted(StorageResult<void> done);

  Executor& executor_;
  FileSystem& files_;
  Random& random_;
  std::string path_;
  Logger log_;
  Uuid id_;
  FileHandle lock_ = no_file;
  bool clean_ = false;
  bool taken_over_ = false;
  bool given_out_ = false;  // to managers
  std::optional<BrokerEpoch> stopped_epoch_;
  std::vector<FoundPartition> found_;
  std::vector<KeptDirectory> kept_;
  std::vector<std::string> leftovers_;    // paths of directories that are to be removed
  std::vector<std::string> temporaries_;  // paths of files that were being written
  std::optional<StorageError> failed_;
  std::function<void()> went_offline_;
  std::size_t partitions_ = 0;
  bool names_unsettled_ = false;
  Checkpoints checkpoints_;
  Coalesced sync_names_;
  Removals removals_;
};

}  // namespace millrace::storage
