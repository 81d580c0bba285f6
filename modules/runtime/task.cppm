// Coroutines of one shard: Task<T> is a computation that starts when it is awaited and resumes
// whoever awaits it.
module;
#include <coroutine>
#include <cstddef>
#include <exception>
#include <optional>
#include <utility>

export module millrace.runtime:task;

import millrace.base;

export namespace millrace {

template <class T>
class Task;

namespace task_detail {

// What is common to tasks of every type: whom to resume at the end. Failures are values, so an
// exception that reaches a task is a bug and stops the process.
class PromiseBase {
 public:
  struct FinalAwaiter {
    [[nodiscard]] bool await_ready() const noexcept { return false; }
    template <class Promise>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> finished) const noexcept {
      return finished.promise().continuation_;
    }
    void await_resume() const noexcept {}
  };

  [[nodiscard]] std::suspend_always initial_suspend() const noexcept { return {}; }
  [[nodiscard]] FinalAwaiter final_suspend() const noexcept { return {}; }
  [[noreturn]] void unhandled_exception() const noexcept {
    check(false, "no exception leaves a task");
    std::terminate();
  }
  void set_continuation(std::coroutine_handle<> continuation) { continuation_ = continuation; }

 private:
  std::coroutine_handle<> continuation_ = std::noop_coroutine();
};

template <class T>
class Promise : public PromiseBase {
 public:
  Task<T> get_return_object() noexcept;
  template <class Value>
  void return_value(Value&& value) {
    value_.emplace(std::forward<Value>(value));
  }
  [[nodiscard]] T take() { return std::move(*value_); }

 private:
  std::optional<T> value_;
};

template <>
class Promise<void> : public PromiseBase {
 public:
  Task<void> get_return_object() noexcept;
  void return_void() const noexcept {}
  void take() const noexcept {}
};

}  // namespace task_detail

// Owns its coroutine; moves, does not copy. Runs on the shard that awaits it and never elsewhere.
// Await it once. Destroying a task that is suspended in an operation is a broken rule of the
// caller: whoever starts work waits for its end.
template <class T = void>
class [[nodiscard]] Task {
 public:
  using promise_type = task_detail::Promise<T>;

  Task(Task&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Task& operator=(Task&& other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  ~Task() {
    if (handle_) handle_.destroy();
  }

  auto operator co_await() && noexcept {
    struct Awaiter {
      std::coroutine_handle<promise_type> handle;
      [[nodiscard]] bool await_ready() const noexcept { return false; }
      std::coroutine_handle<> await_suspend(std::coroutine_handle<> awaiting) const noexcept {
        handle.promise().set_continuation(awaiting);
        return handle;
      }
      T await_resume() const { return handle.promise().take(); }
    };
    return Awaiter{handle_};
  }

 private:
  friend promise_type;
  explicit Task(std::coroutine_handle<promise_type> handle) : handle_(handle) {}

  std::coroutine_handle<promise_type> handle_;
};

namespace task_detail {

template <class T>
Task<T> Promise<T>::get_return_object() noexcept {
  return Task<T>(std::coroutine_handle<Promise<T>>::from_promise(*this));
}
inline Task<void> Promise<void>::get_return_object() noexcept {
  return Task<void>(std::coroutine_handle<Promise<void>>::from_promise(*this));
}

// A coroutine that nobody awaits: it frees itself at its end.
struct Detached {
  struct promise_type {
    Detached get_return_object() const noexcept { return {}; }
    [[nodiscard]] std::suspend_never initial_suspend() const noexcept { return {}; }
    [[nodiscard]] std::suspend_never final_suspend() const noexcept { return {}; }
    void return_void() const noexcept {}
    [[noreturn]] void unhandled_exception() const noexcept {
      check(false, "no exception leaves a task");
      std::terminate();
    }
  };
};

}  // namespace task_detail

// Counts work that was started and not awaited, so that its owner can wait for the end of all of it
// before it goes. Lives on one shard; must outlive what was started in it.
class TaskGroup {
 public:
  TaskGroup() = default;
  TaskGroup(const TaskGroup&) = delete;
  TaskGroup& operator=(const TaskGroup&) = delete;
  ~TaskGroup() { check(running_ == 0, "a task group outlives its tasks"); }

  // Starts the task now; it runs until its first suspension before this returns.
  void start(Task<void> task) {
    ++running_;
    run(std::move(task));
  }

  [[nodiscard]] std::size_t running() const { return running_; }

  // Resumes when nothing runs. At most one awaits at a time.
  [[nodiscard]] auto wait() {
    struct Awaiter {
      TaskGroup& group;
      [[nodiscard]] bool await_ready() const noexcept { return group.running_ == 0; }
      void await_suspend(std::coroutine_handle<> awaiting) const noexcept {
        check(!group.waiting_, "one waits for a task group at a time");
        group.waiting_ = awaiting;
      }
      void await_resume() const noexcept {}
    };
    return Awaiter{*this};
  }

 private:
  task_detail::Detached run(Task<void> task) {
    co_await std::move(task);
    --running_;
    if (running_ == 0 && waiting_) std::exchange(waiting_, nullptr).resume();
  }

  std::size_t running_ = 0;
  std::coroutine_handle<> waiting_;
};

}  // namespace millrace
