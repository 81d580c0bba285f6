// An event loop for one thread, on epoll: for tests, tools and benchmarks that need real files
// without the network of a whole shard.
module;
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

export module millrace.runtime:thread_executor;

import millrace.base;
import :event_loop;
import :executor;
import :task;
import :timer_heap;

export namespace millrace {

// Callbacks that wait, first in first out. Owns none of them.
class CallbackQueue {
 public:
  void add(Callback& callback) {
    callback.next = nullptr;
    (last_ == nullptr ? first_ : last_->next) = &callback;
    last_ = &callback;
  }
  [[nodiscard]] Callback* take() {
    Callback* callback = first_;
    if (callback == nullptr) return nullptr;
    first_ = callback->next;
    if (first_ == nullptr) last_ = nullptr;
    callback->next = nullptr;
    return callback;
  }
  // All of `other` comes after what is here.
  void append(CallbackQueue& other) {
    if (other.empty()) return;
    (last_ == nullptr ? first_ : last_->next) = other.first_;
    last_ = std::exchange(other.last_, nullptr);
    other.first_ = nullptr;
  }
  [[nodiscard]] bool empty() const { return first_ == nullptr; }

 private:
  Callback* first_ = nullptr;
  Callback* last_ = nullptr;
};

// The thread that calls run() is the thread of the loop; nothing happens between two calls of
// run(). Only its mailbox is for other threads.
class ThreadExecutor final : public EventLoop {
 public:
  // Fails when the process has no descriptors left. The clock outlives the executor.
  [[nodiscard]] static Result<std::unique_ptr<ThreadExecutor>> make(const Clock& clock);
  ~ThreadExecutor() override;

  [[nodiscard]] const Clock& clock() const override { return clock_; }
  void post(Callback& callback) override { ready_.add(callback); }
  void arm(Timer& timer, MonotonicTime when) override { timers_.arm(timer, when, *this); }
  void cancel(Timer& timer) override { timers_.cancel(timer); }
  [[nodiscard]] Mailbox& mailbox() override { return inbox_; }
  [[nodiscard]] Result<void> watch(Watch& watch, int descriptor) override;
  void unwatch(Watch& watch) override;

  // Starts the task and turns the loop until the task has ended.
  template <class T>
  T run(Task<T> task) {
    std::optional<T> value;
    bool ended = false;
    store(std::move(task), value, ended);
    drive(ended);
    return std::move(*value);
  }
  void run(Task<void> task) {
    bool ended = false;
    note_end(std::move(task), ended);
    drive(ended);
  }

  [[nodiscard]] std::uint64_t turns() const { return turns_; }

 private:
  class Inbox final : public Mailbox {
   public:
    explicit Inbox(int descriptor) : descriptor_(descriptor) {}
    void send(Callback& callback) override;
    // Moves what has arrived.
    void empty_into(CallbackQueue& ready);

   private:
    int descriptor_;  // an eventfd, which wakes the loop
    std::mutex mutex_;
    CallbackQueue callbacks_;
  };
  static constexpr std::size_t events_max = 64;

  ThreadExecutor(const Clock& clock, int epoll, int eventfd);

  template <class T>
  static task_detail::Detached store(Task<T> task, std::optional<T>& value, bool& ended) {
    value.emplace(co_await std::move(task));
    ended = true;
  }
  static task_detail::Detached note_end(Task<void> task, bool& ended);

  void drive(const bool& ended);
  // Calls what is ready and due, then waits for more if nothing is left to do.
  void turn(const bool& ended);
  void call_ready();
  void call_due_timers();
  void wait_for_events();

  const Clock& clock_;
  int epoll_;
  int eventfd_;
  Inbox inbox_;
  CallbackQueue ready_;
  TimerHeap timers_;
  // Of the events that are being handled, the watches that are still watched.
  std::array<Watch*, events_max> called_{};
  std::uint64_t turns_ = 0;
};

}  // namespace millrace
