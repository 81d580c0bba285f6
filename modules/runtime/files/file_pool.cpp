module;
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

module millrace.runtime.files;

namespace millrace::files {

// Raising it never waits, as telling a condition may.
class Semaphore {
 public:
  Semaphore() { check(::sem_init(&count_, 0, 0) == 0, "a semaphore begins at 0"); }
  Semaphore(const Semaphore&) = delete;
  Semaphore& operator=(const Semaphore&) = delete;
  ~Semaphore() { ::sem_destroy(&count_); }

  void raise() { check(::sem_post(&count_) == 0, "a semaphore counts on"); }
  void wait() {
    while (::sem_wait(&count_) != 0) check(errno == EINTR, "a semaphore can be waited for");
  }

 private:
  sem_t count_{};
};

}  // namespace millrace::files

namespace millrace {

FilePool::FilePool(const Clock& clock, std::size_t threads)
    : clock_(clock), threads_wanted_(threads), work_(std::make_unique<files::Semaphore>()) {}

Result<std::unique_ptr<FilePool>> FilePool::start(const Clock& clock, FilePoolOptions options) {
  if (options.threads == 0 || options.threads > file_pool_threads_max) {
    return failure(ErrorKind::invalid_argument, formatted("a file pool has 1 to {} threads, not {}",
                                                          file_pool_threads_max, options.threads));
  }
  std::unique_ptr<FilePool> pool(new FilePool(clock, options.threads));
  // Signals are for the threads that expect them.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  int error = 0;
  try {
    for (std::size_t i = 0; i < options.threads; ++i) {
      pool->threads_.emplace_back([raw = pool.get()] { raw->work(); });
      pthread_setname_np(pool->threads_.back().native_handle(), "file-pool");
    }
  } catch (const std::system_error& refused) {
    error = refused.code().value();
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (error != 0) {
    return failure(ErrorKind::io, formatted("thread {} of {} of the file pool: errno {}",
                                            pool->threads_.size() + 1, options.threads, error));
  }
  return pool;
}

FilePool::~FilePool() {
  check(users_ == 0, "a file pool outlives the file systems that use it");
  stop();
}

void FilePool::stop() {
  stopping_ = true;
  work_->raise();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
  // What arrived after the last thread had looked.
  files::OperationQueue left;
  arrivals_.close_into(left);
  while (IoOperation* operation = left.take()) carry_out(*operation);
}

FilePool::LaneName FilePool::lane_of(const IoOperation& operation) {
  switch (operation.kind_) {
    case IoKind::open:
    case IoKind::read:
    case IoKind::read_in:
    case IoKind::status:
    case IoKind::file_size:
    case IoKind::list:
    case IoKind::lock:
    case IoKind::free_bytes:
      return reading;
    default:
      return operation.kind_ == files::write_back_kind ? write_back : changing;
  }
}

bool FilePool::add(IoOperation& operation) {
  if (!arrivals_.push(operation)) return false;
  work_->raise();
  return true;
}

void FilePool::sort_arrivals() {
  files::OperationQueue arrived;
  arrivals_.take_into(arrived);
  while (IoOperation* operation = arrived.take()) {
    lanes_[lane_of(*operation)].queue.add(*operation);
  }
}

bool FilePool::may_start(LaneName name) const {
  if (lanes_[name].queue.empty()) return false;
  const std::size_t quarter = threads_wanted_ / 4;
  const std::size_t most = threads_wanted_ - quarter;
  const std::size_t writing = lanes_[changing].running + lanes_[write_back].running;
  switch (name) {
    case reading:
      return lanes_[reading].running < most;
    case changing:
      return writing < most;
    case write_back:
      return writing < most && lanes_[write_back].running < std::max<std::size_t>(1, quarter);
  }
  return false;
}

FilePool::Lane* FilePool::next_lane() {
  for (std::size_t i = 1; i <= lane_count; ++i) {
    const std::size_t candidate = (last_lane_ + i) % lane_count;
    if (!may_start(static_cast<LaneName>(candidate))) continue;
    last_lane_ = candidate;
    return &lanes_[candidate];
  }
  return nullptr;
}

bool FilePool::empty() const {
  return std::all_of(lanes_.begin(), lanes_.end(),
                     [](const Lane& lane) { return lane.queue.empty(); });
}

void FilePool::perform(IoOperation& operation) const {
  if (operation.kind_ != IoKind::write) return files::perform(operation);
  const std::uint64_t asleep = files::times_asleep();
  const MonotonicTime begin = clock_.now();
  files::perform(operation);
  const Duration taken = clock_.now() - begin;
  if (files::times_asleep() != asleep) operation.hold_.waited = taken;
}

void FilePool::carry_out(IoOperation& operation) const {
  perform(operation);
  static_cast<files::PoolQueue*>(operation.hold_.holder)->give_back(operation);
}

void FilePool::work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    sort_arrivals();
    Lane* lane = next_lane();
    if (lane == nullptr) {
      // What may not start now is started by the thread whose operation ends.
      if (stopping_ && empty()) break;
      lock.unlock();
      work_->wait();
      lock.lock();
      continue;
    }
    ++lane->running;
    IoOperation& operation = *lane->queue.take();
    lock.unlock();
    carry_out(operation);
    lock.lock();
    --lane->running;
  }
  // The next one may end too.
  work_->raise();
}

}  // namespace millrace

namespace millrace::files {
namespace {

// A shard has few write-backs at a time, and they may take long: others do not wait for them here.
[[nodiscard]] bool is_counted(const IoOperation& operation) {
  return operation.kind_ != write_back_kind;
}

}  // namespace

PoolQueue::PoolQueue(FilePool& pool, Mailbox& mailbox, void* owner, Ended ended,
                     std::size_t operations_max)
    : pool_(pool),
      mailbox_(mailbox),
      owner_(owner),
      ended_(ended),
      operations_max_(operations_max),
      take_back_(this, [](void* self) { static_cast<PoolQueue*>(self)->take_back(); }) {
  ++pool_.users_;
}

PoolQueue::~PoolQueue() {
  check(waiting_.empty(), "a file system outlives its operations");
  {
    std::unique_lock lock(mutex_);
    all_back_.wait(lock, [this] { return out_ == 0; });
  }
  --pool_.users_;
}

void PoolQueue::submit(IoOperation& operation) {
  if (is_counted(operation) && counted_ == operations_max_) {
    waiting_.add(operation);
  } else {
    hand_over(operation);
  }
}

void PoolQueue::hand_over(IoOperation& operation) {
  ++in_pool_;
  if (is_counted(operation)) ++counted_;
  operation.hold_.holder = this;
  ++out_;
  if (pool_.add(operation)) return;
  perform(operation);
  give_back(operation);
}

void PoolQueue::give_back(IoOperation& operation) {
  check(back_.push(operation), "what comes back is taken");
  if (Callback* callback = take_back_.ask()) mailbox_.send(*callback);
  // Under the lock: when the end of the queue has seen the last operation, nothing of this follows.
  const std::lock_guard lock(mutex_);
  if (--out_ == 0) all_back_.notify_one();
}

void PoolQueue::take_back() {
  OperationQueue back;
  back_.take_into(back);
  in_pool_ -= back.size();
  OperationQueue have_result;
  while (IoOperation* operation = back.take()) {
    if (is_counted(*operation)) --counted_;
    have_result.add(*operation);
  }
  while (counted_ < operations_max_ && !waiting_.empty()) hand_over(*waiting_.take());
  while (IoOperation* operation = have_result.take()) ended_(owner_, *operation);
}

}  // namespace millrace::files
