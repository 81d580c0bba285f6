// What the file systems of running processes have in common: handles, what a shard does itself,
// early write-back. How the rest is carried out is for those who derive from it.
module;
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

export module millrace.runtime.files:posix_file_system;

import millrace.base;
import millrace.runtime;
import :file_pool;
import :in_place;
import :open_files;
import :operation_queue;
import :system_calls;
import :write_back;

export namespace millrace {

struct FileSystemOptions {
  // Files that one shard may have open; the process may have fewer descriptors.
  std::size_t open_files_max = files::open_files_max;
  std::size_t pool_operations_max = file_pool_operations_per_shard_max;
  InPlaceLimits in_place;
  // For io_uring: operations that the kernel holds for one shard at a time; more of them wait.
  unsigned ring_operations_max = 512;
};

// What happened since the start, for metrics.
struct FileSystemCounters {
  std::uint64_t reads_in_place = 0;
  std::uint64_t writes_in_place = 0;
  std::uint64_t to_pool = 0;
  std::uint64_t to_ring = 0;
  std::uint64_t slow_writes = 0;  // longer than InPlaceLimits::slow_write
  std::uint64_t write_backs = 0;
  std::uint64_t write_backs_failed = 0;
};

// Its own errors, besides those of the system: IoFault::invalid for handles that are not open,
// IoFault::too_many_open when the table of handles is full, and IoFault::failed for whatever is
// done with a file after bytes of it were lost.
class PosixFileSystem : public FileSystem {
 public:
  ~PosixFileSystem() override;

  [[nodiscard]] bool start(IoOperation& operation) final;
  [[nodiscard]] int descriptor(FileHandle file) const final;

  [[nodiscard]] FileSystemCounters counters() const;
  [[nodiscard]] std::size_t open_files() const { return files_.size(); }

 protected:
  // Loop and pool outlive it.
  PosixFileSystem(EventLoop& loop, FilePool& pool, const FileSystemOptions& options);

  // Why an operation was not done in place.
  enum class Reason : std::uint8_t { blocks, costs_too_much };
  // Carries out an operation that was not done in place and calls ended() when it has its result.
  virtual void carry_out(IoOperation& operation, Reason reason) = 0;
  void carry_out_in_pool(IoOperation& operation);
  void ended(IoOperation& operation);
  void count_to_ring() { ++counters_.to_ring; }

  [[nodiscard]] EventLoop& loop() { return loop_; }

 private:
  // Whether an operation is new or had to wait for its turn.
  enum class Try : std::uint8_t { first, again };
  // Each says whether the operation has ended.
  [[nodiscard]] bool start_open(IoOperation& operation);
  [[nodiscard]] bool start_on_file(IoOperation& operation, files::OpenFile& file);
  [[nodiscard]] bool start_read(IoOperation& operation, files::OpenFile& file, Try time);
  [[nodiscard]] bool start_read_in(IoOperation& operation, files::OpenFile& file);
  [[nodiscard]] bool start_write(IoOperation& operation, files::OpenFile& file, Try time);
  [[nodiscard]] bool start_sync(IoOperation& operation, files::OpenFile& file);
  [[nodiscard]] bool start_close(IoOperation& operation, files::OpenFile& file);

  // In place, but not in this turn.
  [[nodiscard]] bool must_wait(Try time) const;
  void wait_in(files::OperationQueue& queue, IoOperation& operation, files::OpenFile& file);
  void begin_turn();
  [[nodiscard]] bool try_again(IoOperation& operation);
  void ask_for_turn();

  void hand_over(IoOperation& operation, files::OpenFile& file, Reason reason);
  void let_go(files::OpenFile& file, bool changing);
  void ended_on_file(IoOperation& operation);
  void ended_sync(IoOperation& operation);
  // Of the syncs that wait, begins one if it may begin; adds those that have a result.
  void go_on_syncing(files::OpenFile& file, files::OperationQueue& have_result);
  void finish_all(files::OperationQueue& have_result);
  void write_in_place(IoOperation& operation, files::OpenFile& file, MonotonicTime begin);
  void ended_write(const IoOperation& operation, files::OpenFile& file, MonotonicTime now);
  void ended_write_back(files::WriteBackOperation& operation);
  void begin_write_back(files::OpenFile& file);
  // Something was done in place in this turn of the loop.
  void spent(Duration taken);
  void close_if_unused(files::OpenFile& file);

  EventLoop& loop_;
  InPlaceLimits limits_;
  files::InPlaceRule in_place_;
  files::OpenFileTable files_;
  // These may be in the pool at the end, so they go after its queue.
  std::vector<std::unique_ptr<files::WriteBackOperation>> write_backs_;
  std::vector<files::WriteBackOperation*> free_write_backs_;
  files::PoolQueue pool_;
  files::OperationQueue deferred_;  // to the next turn
  RecurringCallback next_turn_;
  // As it was when the first write was done in place in this turn: a loop does not sleep in a turn.
  std::optional<std::uint64_t> times_asleep_;
  std::size_t in_flight_ = 0;
  FileSystemCounters counters_;
};

}  // namespace millrace
