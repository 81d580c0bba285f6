// The logs of one shard.
module;
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

export module millrace.storage.manager:log_manager;

import millrace.base;
import millrace.protocol.batch;
import millrace.runtime;
import millrace.storage.cleaner;
import millrace.storage.files;
import millrace.storage.log;
import millrace.storage.producers;
import millrace.storage.segment;
import millrace.telemetry;
import :checkpoints;
import :crossing;
import :log_directories;
import :log_directory;
import :metrics;
import :options;
import :scrubber;
import :ticker;
import :turns;

export namespace millrace::storage {

// Logs that a manager opens at a time in a directory that was left in order: what this takes is
// mostly waiting for small files.
inline constexpr std::size_t clean_openings_max = 32;
// Files that each shard may hold open, however many shards there are.
inline constexpr std::size_t open_files_min = 64;
// Logs that are closed at a time.
inline constexpr std::size_t closings_max = 16;
// Logs that are looked at before others may run.
inline constexpr std::size_t logs_per_slice = 64;
// Logs whose lines of checkpoint files are compared at a time.
inline constexpr std::size_t lines_per_slice = 4096;
// Retention begins so long after the start, as in Kafka, or at its interval if that is shorter.
inline constexpr Milliseconds first_retention_delay = std::chrono::seconds(30);
// Logs that retention looks at at a time.
inline constexpr std::size_t retentions_max = 8;
// How often free space is asked for besides what is written; and while clients are refused.
inline constexpr Milliseconds space_interval = std::chrono::seconds(10);
inline constexpr Milliseconds full_space_interval = std::chrono::seconds(1);
inline constexpr Milliseconds figures_interval = std::chrono::seconds(10);
inline constexpr Duration opening_progress_interval = std::chrono::seconds(10);

// What a manager stands on; outlives it.
struct ManagerContext {
  Executor& executor;
  FileSystem& files;
  BufferPool& buffers;
  protocol::Decompressor& decompressor;
  Crossing& crossing;
  ShardIndex shard;
  ShardIndex home;  // where the directories are
  std::uint32_t shard_count = 1;
  telemetry::Registry& registry;
  Logger log;
  // For the cleaner's hashes of keys and the places where the scrubber begins; another one in each
  // process.
  std::uint64_t seed = 0;
  // Told of damage that was found, on the manager's shard.
  Scrubber::Found found_corruption;
  // While logs are opened, after each opening_progress_interval in which that came further; on the
  // manager's shard.
  std::function<void()> opening_goes_on = {};
};

// What a manager does every so often. A member of it.
struct Housekeeping {
  Housekeeping(Executor& executor, const ManagerOptions& options);
  void stop();

  Ticker retention;
  Ticker flush;
  Ticker producers;
  Ticker recovery_points;
  Ticker log_starts;
  Ticker high_watermarks;
  Ticker space;
  Ticker figures;
  Ticker cleaner;
};

// What opening took, or a shard's part of it.
struct OpeningReport {
  std::size_t opened = 0;
  std::size_t failed = 0;  // see failure_of()
  std::size_t recovered = 0;
  std::uint64_t scanned_bytes = 0;
  std::uint64_t cut_bytes = 0;
  std::size_t dropped_segments = 0;
};

// What DescribeLogDirs tells of a partition.
struct LogDescription {
  TopicPartition partition;
  Uuid topic_id;
  DirectoryIndex directory;
  std::uint64_t bytes = 0;
};

// Belongs to one shard and lives on its thread; the directories outlive it. open() comes first and
// stop() last. Logs are given out as shared pointers: whoever has one, or a slice of it, keeps it
// until it is done, and all have given theirs back before stop().
//
// Failures: those of one partition leave the others alone. When the device of a directory fails,
// all logs there refuse everything, those of other shards too.
class LogManager final : public DirectoryUser, public CleanerKeeper {
 public:
  using Belongs = std::function<bool(const TopicPartition&)>;
  using ConfigOf = std::function<LogConfig(const std::string& topic)>;

  LogManager(const ManagerContext& context, LogDirectories& directories, ManagerOptions options);
  ~LogManager() override;

  // Opens the logs that were found in the directories and belong to this shard: `belongs` is asked
  // on the home shard, `config_of` on this one. Those that were not left in order are recovered, a
  // few at a time in each directory.
  [[nodiscard]] Task<OpeningReport> open(Belongs belongs, ConfigOf config_of);
  // Closes all logs, durably. Says of each directory whether it is left in order. Nothing else may
  // be asked for afterwards.
  [[nodiscard]] Task<std::vector<bool>> stop();

  // The log; nothing if there is none here, or if it could not be opened.
  [[nodiscard]] std::shared_ptr<Log> find(const TopicPartition& partition) const;
  // Why a partition that is here could not be opened.
  [[nodiscard]] std::optional<StorageError> failure_of(const TopicPartition& partition) const;
  [[nodiscard]] std::optional<Uuid> topic_id_of(const TopicPartition& partition) const;
  [[nodiscard]] std::size_t count() const { return hosted_.size(); }
  [[nodiscard]] std::vector<LogDescription> describe() const;
  [[nodiscard]] std::vector<std::shared_ptr<Log>> logs() const;

  // The log of the partition, made if it is not there. One of a topic with another id, which had
  // the name before, is kept as stray. One that could not be opened is tried again.
  [[nodiscard]] Task<StorageResult<std::shared_ptr<Log>>> create(TopicPartition partition,
                                                                 Uuid topic_id, LogConfig config,
                                                                 Novelty novelty);
  // The partition is gone at once; its files after file.delete.delay.ms. If that fails the
  // partition stays, and its log is opened again when it is asked for.
  [[nodiscard]] Task<StorageResult<void>> remove(TopicPartition partition);
  // The partition does not belong here: its directory is kept as stray and not used.
  [[nodiscard]] Task<StorageResult<void>> set_aside(TopicPartition partition);
  // Log::truncate() and Log::restart_at() for logs that may be compacted: what takes the place of
  // cut records is not clean.
  [[nodiscard]] Task<StorageResult<void>> truncate(std::shared_ptr<Log> log, Offset offset);
  [[nodiscard]] Task<StorageResult<void>> restart_at(std::shared_ptr<Log> log, Offset offset);
  // Takes over what may change while a server runs: how fast and how often logs are cleaned, and
  // in how much memory.
  void set_options(const ManagerOptions& options);
  // There may be something to clean: log.cleaner.backoff.ms is not waited for.
  void clean_soon() { housekeeping_.cleaner.wake_now(); }
  // False if there is no such log.
  bool set_config(const TopicPartition& partition, const LogConfig& config);

  // Puts what has changed into the checkpoint files, durably.
  [[nodiscard]] Task<StorageResult<void>> save(std::span<const CheckpointKind> kinds);

  // What the tickers do, for those who do not want to wait.
  [[nodiscard]] Task<void> apply_retention();
  [[nodiscard]] Task<void> look_at_space();
  [[nodiscard]] Task<void> publish();
  [[nodiscard]] Task<void> clean();
  [[nodiscard]] Scrubber& scrubber() { return scrubber_; }
  [[nodiscard]] const Cleaner& cleaner() const { return cleaner_; }

  void directory_failed(DirectoryIndex directory, const StorageError& error) override;
  [[nodiscard]] Task<StorageResult<void>> save_cleaned_end(const Log& log, Offset end) override;

 private:
  // A directory, as the logs of this shard see it.
  class Keeper;
  struct Hosted {
    DirectoryIndex directory;
    Uuid topic_id;
    std::shared_ptr<Log> log;  // null: it could not be opened
    std::unique_ptr<StorageError> failure;
    // As far as the checkpoint files have been told.
    PartitionOffsets told;
    MonotonicTime flushed;
    std::optional<MonotonicTime> flush_due;  // its place in flushes_
    bool cleaned = false;                    // known to the cleaner
  };
  using HostedLogs = std::map<TopicPartition, Hosted>;
  struct Opening;

  // opening.cpp
  [[nodiscard]] Task<void> open_directory(Opening& opening, DirectoryIndex directory);
  [[nodiscard]] Task<void> open_next(Opening& opening, DirectoryIndex directory);
  [[nodiscard]] Task<void> open_one(Opening& opening, DirectoryIndex directory,
                                    const FoundPartition& found);
  [[nodiscard]] Task<void> tell_progress(Opening& opening);
  [[nodiscard]] Task<StorageResult<Uuid>> read_topic_id(std::string directory);
  // Into the entry, which is there: the log, or why there is none.
  [[nodiscard]] Task<StorageResult<std::shared_ptr<Log>>> open_log(TopicPartition partition,
                                                                   DirectoryIndex directory,
                                                                   PartitionOffsets offsets,
                                                                   LogConfig config, bool clean,
                                                                   RecoveryProgress* progress);

  // log_manager.cpp
  [[nodiscard]] Keeper& keeper(DirectoryIndex directory) { return *keepers_[directory.value()]; }
  [[nodiscard]] std::size_t share_of(std::size_t all, std::size_t least) const;
  [[nodiscard]] Task<StorageResult<std::shared_ptr<Log>>> make(TopicPartition partition,
                                                               Uuid topic_id, LogConfig config,
                                                               Novelty novelty);
  [[nodiscard]] Task<StorageResult<std::shared_ptr<Log>>> adopt(TopicPartition partition,
                                                                Uuid topic_id, LogConfig config);
  [[nodiscard]] Task<StorageResult<void>> put_away(TopicPartition partition,
                                                   PartitionDirectoryKind kind);
  [[nodiscard]] Task<void> close_next(std::vector<TopicPartition>& waiting);
  void fail_directory(DirectoryIndex directory, const StorageError& error);
  [[nodiscard]] Task<void> tell_home(DirectoryIndex directory, StorageError error);
  [[nodiscard]] std::optional<TopicPartition> collect(std::span<const CheckpointKind> kinds,
                                                      const std::optional<TopicPartition>& from,
                                                      std::vector<CheckpointChange>& changes);

  // housekeeping.cpp
  // Where those are who go through all logs together.
  struct Walk {
    std::optional<TopicPartition> last;
    std::size_t count = 0;
  };
  void start_housekeeping();
  [[nodiscard]] Task<void> every(Ticker& ticker, Task<void> (LogManager::*work)());
  [[nodiscard]] std::shared_ptr<Log> next_log(const TopicPartition* after) const;
  [[nodiscard]] Task<std::shared_ptr<Log>> next_log(Walk& walk);
  [[nodiscard]] Task<void> apply_retention_to_next(Walk& walk);
  [[nodiscard]] Task<void> flush_due();
  [[nodiscard]] Task<void> expire_producers();
  [[nodiscard]] Task<void> note_recovery_points();
  [[nodiscard]] Task<void> note_log_starts();
  [[nodiscard]] Task<void> note_high_watermarks();
  [[nodiscard]] Task<void> note(CheckpointKind kind);
  [[nodiscard]] Task<void> try_failed_again();
  // The log has this configuration now.
  void note_config(Hosted& hosted, const LogConfig& config);
  void plan_flush(Hosted& hosted);
  void ask_for_space();
  void warn(const Log& log, const StorageError& error) const;

  ManagerContext context_;
  LogDirectories& directories_;
  ManagerOptions options_;
  ManagerMetrics metrics_;
  ConfigOf config_of_;
  OpenFiles open_files_;
  IndexCache index_cache_;
  SegmentContext segments_;
  ProducerBudget producers_;
  TailMemory tails_;
  protocol::Compressor compressor_;
  Cleaner cleaner_;
  std::vector<std::unique_ptr<Keeper>> keepers_;
  HostedLogs hosted_;
  PartitionTurns turns_;
  // Logs whose topic has flush.ms, by the time when they are due. One that is gone, or due at
  // another time by now, is left out when its turn comes.
  std::set<std::pair<MonotonicTime, TopicPartition>> flushes_;
  Housekeeping housekeeping_;
  Scrubber scrubber_;
  bool looking_at_space_ = false;
  bool open_ = false;
  bool stopping_ = false;
  TaskGroup tasks_;
};

}  // namespace millrace::storage
