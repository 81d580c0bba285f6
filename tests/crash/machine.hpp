// A simulated machine with one partition's log, for as many lives of its process as a test needs.
#pragma once

#include "support.hpp"

namespace millrace::storage::crash {

inline constexpr std::string_view log_root = "/data";
inline constexpr std::string_view log_directory = "/data/orders-0";

// Keeps the checkpoint files of the log directory. One writes them at a time.
class Keeper final : public DirectoryKeeper {
 public:
  explicit Keeper(FileSystem& files) : files_(files) {}

  [[nodiscard]] Task<StorageResult<void>> save_recovery_point(const Log& log) override;
  [[nodiscard]] Task<StorageResult<void>> save_log_start(const Log& log) override;
  void went_offline(const Log& log, const StorageError& error) override;

  // What the log said when it went offline.
  std::vector<std::string> offline;

 private:
  FileSystem& files_;
  AsyncMutex saving_;
};

// What the log has to say is not looked at.
class SilentLog final : public LogSink {
 public:
  SilentLog() { set_threshold(LogLevel::error); }
  void write(LogLevel, std::string_view, std::string_view) override {}
};

// What a process holds for its logs; a new one for each life.
struct Process {
  Process(SimulatedDisk& disk, SimulatedExecutor& simulated, const SimulatedFileOptions& options,
          bool keeps_tails, Logger log);

  SimulatedExecutor& executor;
  SimulatedFileSystem files;
  OpenFiles open_files{files, 6};
  IndexCache index_cache{files, open_files, 2 * kibibyte};
  BufferPool buffers;
  protocol::Decompressor decompressor;
  ProducerBudget producers;
  Keeper keeper;
  // Of the newest records, so few that some of them are only in the file.
  TailMemory tails{2 * tail_chunk_bytes};
  SegmentContext segments;
  LogContext context;
  protocol::Compressor compressor;
  CleanerCheckpoint cleaned;
  Cleaner cleaner;
};

class Machine {
 public:
  Machine(std::uint64_t seed, const SimulatedFileOptions& options);
  ~Machine();

  SimulatedExecutor executor;
  SimulatedDisk disk;
  LogConfig config;
  std::unique_ptr<Process> process;
  std::unique_ptr<Log> log;

  // Runs a coroutine to its end. A deadlock is a Difference.
  void run(Task<void> task);
  template <class T>
  T wait(Task<T> task) {
    std::optional<T> value;
    run(store(std::move(task), value));
    return std::move(*value);
  }
  // Waits for all that was started in the group.
  void wait_for(TaskGroup& group);

  // Until no operation on the disk is under way.
  void drain();

  [[nodiscard]] bool alive() const { return process->files.alive(); }
  // `clean`: the directory was left in order.
  [[nodiscard]] StorageResult<void> open(bool clean);
  // Closes the log and saves its recovery point, as a stop in order does.
  [[nodiscard]] StorageResult<void> close();
  // What the file says of where the log begins: it may be older than the log.
  [[nodiscard]] Offset start_in_file() const;
  // The next life, whatever this one's end was.
  void next_life();

 private:
  template <class T>
  static Task<void> store(Task<T> task, std::optional<T>& value) {
    value.emplace(co_await std::move(task));
  }
  [[nodiscard]] Task<StorageResult<Offset>> checkpoint(std::string_view name);
  [[nodiscard]] Task<StorageResult<std::unique_ptr<Log>>> open_log(bool clean);
  [[nodiscard]] Task<void> end_life();
  [[nodiscard]] Task<StorageResult<void>> close_log();
  [[nodiscard]] Task<void> make_directories();
  void start_process();

  SimulatedFileOptions options_;
  bool keeps_tails_;
  Logger logger_;
};

}  // namespace millrace::storage::crash
