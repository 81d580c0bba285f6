// Threads that wait for the disk so that shards need not.
module;
#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

export module millrace.runtime.files:file_pool;

import millrace.base;
import millrace.runtime;
import :operation_queue;

export namespace millrace::files {
class PoolQueue;
class Semaphore;
}  // namespace millrace::files

export namespace millrace {

// Enough that some wait for a flush of the disk while others read; an idle one costs a stack.
inline constexpr std::size_t file_pool_threads_default = 16;
inline constexpr std::size_t file_pool_threads_max = 512;

// How many operations of one shard are in the pool, besides its early write-back. More of them wait
// in the shard, so that a shard cannot keep the pool from others. This also bounds the queue of the
// pool: so many for each shard.
inline constexpr std::size_t file_pool_operations_per_shard_max = 256;

struct FilePoolOptions {
  std::size_t threads = file_pool_threads_default;
};

// One for a process; shards share it. Outlives the file systems that use it. Operations that change
// files wait long when a disk is busy, and reads would wait behind them; early write-back waits
// longest of all. So each of these kinds leaves a part of the threads to the others.
class FilePool {
 public:
  // Fails when the system refuses threads.
  // The clock outlives it and may be read from any thread.
  [[nodiscard]] static Result<std::unique_ptr<FilePool>> start(const Clock& clock,
                                                               FilePoolOptions options = {});
  ~FilePool();
  FilePool(const FilePool&) = delete;
  FilePool& operator=(const FilePool&) = delete;

  // Carries out what it was given, then ends the threads. Operations that come later are carried
  // out on the threads of their shards. From any thread that is not one of the pool.
  void stop();

  [[nodiscard]] std::size_t threads() const { return threads_wanted_; }

 private:
  friend class files::PoolQueue;
  // A kind of operations, and the threads that are busy with it.
  enum LaneName : std::uint8_t { reading, changing, write_back };
  static constexpr std::size_t lane_count = write_back + 1;
  struct Lane {
    files::OperationQueue queue;
    std::size_t running = 0;
  };

  FilePool(const Clock& clock, std::size_t threads);

  // From any thread, which waits for no other. False when the pool has stopped.
  [[nodiscard]] bool add(IoOperation& operation);
  void work();
  void carry_out(IoOperation& operation) const;
  void sort_arrivals();
  void perform(IoOperation& operation) const;
  [[nodiscard]] static LaneName lane_of(const IoOperation& operation);
  [[nodiscard]] bool may_start(LaneName name) const;
  // The lanes take turns; null when nothing may start now.
  [[nodiscard]] Lane* next_lane();
  [[nodiscard]] bool empty() const;

  const Clock& clock_;
  const std::size_t threads_wanted_;
  files::OperationArrivals arrivals_;
  // Raised for each arrival: a thread that waits here looks again at all there is.
  std::unique_ptr<files::Semaphore> work_;
  std::atomic<std::size_t> users_ = 0;
  std::atomic<bool> stopping_ = false;
  std::vector<std::thread> threads_;

  std::mutex mutex_;  // of the threads of the pool among themselves
  std::array<Lane, lane_count> lanes_;
  std::size_t last_lane_ = 0;
};

}  // namespace millrace

export namespace millrace::files {

// The side of a shard: gives operations to the pool and takes them back. Owned by a file system, on
// the thread of its shard. Its end waits for what the pool still has of it.
class PoolQueue {
 public:
  // Called on the thread of the shard, with an operation that has its result.
  using Ended = void (*)(void* owner, IoOperation& operation);

  PoolQueue(FilePool& pool, Mailbox& mailbox, void* owner, Ended ended,
            std::size_t operations_max = file_pool_operations_per_shard_max);
  PoolQueue(const PoolQueue&) = delete;
  PoolQueue& operator=(const PoolQueue&) = delete;
  ~PoolQueue();

  void submit(IoOperation& operation);

  [[nodiscard]] std::size_t in_pool() const { return in_pool_; }
  [[nodiscard]] std::size_t waiting() const { return waiting_.size(); }

 private:
  friend class millrace::FilePool;
  // On a thread of the pool.
  void give_back(IoOperation& operation);
  void hand_over(IoOperation& operation);
  void take_back();

  FilePool& pool_;
  Mailbox& mailbox_;
  void* owner_;
  Ended ended_;
  std::size_t operations_max_;
  std::size_t in_pool_ = 0;
  std::size_t counted_ = 0;  // those of them that count against operations_max
  OperationQueue waiting_;
  RecurringCallback take_back_;

  OperationArrivals back_;
  // Only the end of this waits here.
  std::mutex mutex_;
  std::condition_variable all_back_;
  std::atomic<std::size_t> out_ = 0;  // operations that a thread of the pool has or may take
};

}  // namespace millrace::files
