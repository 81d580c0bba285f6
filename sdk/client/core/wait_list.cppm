// Coroutines that wait until something changes.
module;
#include <chrono>
#include <coroutine>
#include <cstddef>

export module millrace.client.core:wait_list;

import millrace.base;
import millrace.runtime;
import millrace.runtime.streams;

export namespace millrace::client {

// Any number wait; wake_all() resumes them in a later turn, in the order in which they came.
// Belongs to one shard; ends after who waits.
class WaitList {
 public:
  explicit WaitList(Executor& executor) : executor_(executor) {}
  WaitList(const WaitList&) = delete;
  WaitList& operator=(const WaitList&) = delete;
  ~WaitList() { check(first_ == nullptr, "a wait list outlives who waits in it"); }

  // `co_await list.wait(deadline)`: false if the deadline came first.
  [[nodiscard]] auto wait(MonotonicTime deadline = no_deadline) { return Waiter(*this, deadline); }
  void wake_all();
  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  struct Waiter : Callback {
    struct Late : Timer {
      explicit Late(Waiter& w)
          : Timer([](Timer& self) { static_cast<Late&>(self).waiter.end(false); }), waiter(w) {}
      Waiter& waiter;
    };

    Waiter(WaitList& l, MonotonicTime d)
        : Callback([](Callback& self) { static_cast<Waiter&>(self).awaiting.resume(); }),
          list(l),
          deadline(d) {}
    [[nodiscard]] bool await_ready() const {
      return deadline != no_deadline && list.executor_.clock().now() >= deadline;
    }
    void await_suspend(std::coroutine_handle<> handle);
    [[nodiscard]] bool await_resume() const { return was_woken; }
    void end(bool woken);

    WaitList& list;
    MonotonicTime deadline;
    Late late{*this};
    Waiter* before = nullptr;
    Waiter* after = nullptr;
    bool was_woken = false;
    std::coroutine_handle<> awaiting;
  };

  Executor& executor_;
  Waiter* first_ = nullptr;
  Waiter* last_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace millrace::client
