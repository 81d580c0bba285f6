// Where the work of one shard runs: a queue of things to do soon, and timers. A shard of a running
// process and the simulator are both executors, so the same coroutine runs in either.
module;
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <utility>

export module millrace.runtime:executor;

import millrace.base;
import :task;

export namespace millrace {

// Something that an executor calls back, once, on its thread. The caller owns it and keeps it in
// place until then: posting allocates nothing. Most are members of an object that awaits something.
class Callback {
 public:
  using Function = void (*)(Callback&);
  explicit Callback(Function function) : function_(function) {}
  Callback(const Callback&) = delete;
  Callback& operator=(const Callback&) = delete;

  void call() { function_(*this); }

  // For the executor that holds it.
  Callback* next = nullptr;

 private:
  Function function_;
};

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

// A callback at a time. Cancelled when it is destroyed before its time.
class Executor;
class Timer {
 public:
  using Function = void (*)(Timer&);
  explicit Timer(Function function) : function_(function) {}
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  ~Timer();

  [[nodiscard]] bool armed() const { return executor_ != nullptr; }
  [[nodiscard]] MonotonicTime when() const { return when_; }
  void call() { function_(*this); }

  // For the executor that holds it: its place in the executor's heap, and the order among equal
  // times.
  Executor* executor_ = nullptr;
  MonotonicTime when_{};
  std::uint64_t order_ = 0;
  std::size_t place_ = 0;

 private:
  Function function_;
};

// Belongs to one thread; every function is called on it. What others give to a shard comes through
// its mailbox.
class Executor {
 public:
  virtual ~Executor() = default;

  [[nodiscard]] virtual const Clock& clock() const = 0;

  // Calls back in this turn of the loop or the next, in the order of posting.
  virtual void post(Callback& callback) = 0;

  // Arms or moves a timer.
  virtual void arm(Timer& timer, MonotonicTime when) = 0;
  virtual void cancel(Timer& timer) = 0;

 protected:
  Executor() = default;
  Executor(const Executor&) = delete;
  Executor& operator=(const Executor&) = delete;
};

inline Timer::~Timer() {
  if (executor_ != nullptr) executor_->cancel(*this);
}

// `co_await yield(executor)`: lets others run first. Long work is cut into slices with it.
[[nodiscard]] inline auto yield(Executor& executor) {
  struct Awaiter : Callback {
    explicit Awaiter(Executor& e)
        : Callback([](Callback& self) { static_cast<Awaiter&>(self).awaiting.resume(); }),
          executor(e) {}
    [[nodiscard]] bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> handle) {
      awaiting = handle;
      executor.post(*this);
    }
    void await_resume() const noexcept {}

    Executor& executor;
    std::coroutine_handle<> awaiting;
  };
  return Awaiter(executor);
}

// `co_await sleep_until(executor, when)`.
[[nodiscard]] inline auto sleep_until(Executor& executor, MonotonicTime when) {
  struct Awaiter : Timer {
    Awaiter(Executor& e, MonotonicTime w)
        : Timer([](Timer& self) { static_cast<Awaiter&>(self).awaiting.resume(); }),
          executor(e),
          until(w) {}
    [[nodiscard]] bool await_ready() const { return executor.clock().now() >= until; }
    void await_suspend(std::coroutine_handle<> handle) {
      awaiting = handle;
      executor.arm(*this, until);
    }
    void await_resume() const noexcept {}

    Executor& executor;
    MonotonicTime until;
    std::coroutine_handle<> awaiting;
  };
  return Awaiter(executor, when);
}

// One at a time, in the order of asking. For work on one shard that must not interleave, such as
// two truncations.
class AsyncMutex {
 private:
  struct Waiter {
    std::coroutine_handle<> awaiting;
    Waiter* next = nullptr;
  };

 public:
  AsyncMutex() = default;
  AsyncMutex(const AsyncMutex&) = delete;
  AsyncMutex& operator=(const AsyncMutex&) = delete;
  ~AsyncMutex() { check(!locked_, "a mutex outlives its guards"); }

  // Unlocks when it ends; the next in line then runs at once, before the destructor returns.
  class [[nodiscard]] Guard {
   public:
    explicit Guard(AsyncMutex& mutex) : mutex_(&mutex) {}
    Guard(Guard&& other) noexcept : mutex_(other.mutex_) { other.mutex_ = nullptr; }
    Guard& operator=(Guard&&) = delete;
    ~Guard() {
      if (mutex_ != nullptr) mutex_->unlock();
    }

   private:
    AsyncMutex* mutex_;
  };

  // `auto guard = co_await mutex.lock();`
  [[nodiscard]] auto lock() {
    struct Awaiter : Waiter {
      explicit Awaiter(AsyncMutex& m) : mutex(m) {}
      [[nodiscard]] bool await_ready() const noexcept {
        if (mutex.locked_) return false;
        mutex.locked_ = true;
        return true;
      }
      void await_suspend(std::coroutine_handle<> handle) noexcept {
        this->awaiting = handle;
        mutex.enqueue(*this);
      }
      Guard await_resume() const noexcept { return Guard(mutex); }

      AsyncMutex& mutex;
    };
    return Awaiter(*this);
  }
  [[nodiscard]] bool locked() const { return locked_; }

 private:
  void enqueue(Waiter& waiter) {
    (last_ == nullptr ? first_ : last_->next) = &waiter;
    last_ = &waiter;
  }
  void unlock() {
    if (first_ == nullptr) {
      locked_ = false;
      return;
    }
    Waiter* waiter = first_;
    first_ = waiter->next;
    if (first_ == nullptr) last_ = nullptr;
    waiter->awaiting.resume();
  }

  bool locked_ = false;
  Waiter* first_ = nullptr;
  Waiter* last_ = nullptr;
};

}  // namespace millrace
