// How one coroutine is told that there is something to do.
module;
#include <coroutine>
#include <utility>

export module millrace.controller:wakeup;

import millrace.base;
import millrace.runtime;

export namespace millrace::controller {

// `co_await wakeup.wait_until(when)` goes on when notify() was called since the last wait, or at
// that time. One coroutine waits at a time; it goes on in a later turn, never within notify().
class Wakeup : private Timer, private Callback {
 public:
  explicit Wakeup(Executor& executor)
      : Timer([](Timer& self) { static_cast<Wakeup&>(self).on_time(); }),
        Callback([](Callback& self) { static_cast<Wakeup&>(self).on_callback(); }),
        executor_(executor) {}

  void notify() {
    is_notified_ = true;
    if (!waiting_ || is_posted_) return;
    is_posted_ = true;
    executor_.post(*this);
  }

  [[nodiscard]] auto wait_until(MonotonicTime when) {
    struct Awaiter {
      Wakeup& wakeup;
      MonotonicTime when;
      [[nodiscard]] bool await_ready() const {
        return wakeup.is_notified_ || wakeup.executor_.clock().now() >= when;
      }
      void await_suspend(std::coroutine_handle<> handle) const {
        wakeup.waiting_ = handle;
        wakeup.executor_.arm(wakeup, when);
      }
      void await_resume() const { wakeup.is_notified_ = false; }
    };
    return Awaiter{*this, when};
  }

 private:
  void on_time() {
    // A callback that is on its way does it.
    if (!is_posted_) go_on();
  }
  void on_callback() {
    is_posted_ = false;
    if (armed()) executor_.cancel(*this);
    go_on();
  }
  void go_on() {
    if (waiting_) std::exchange(waiting_, nullptr).resume();
  }

  Executor& executor_;
  std::coroutine_handle<> waiting_;
  bool is_notified_ = false;
  bool is_posted_ = false;
};

}  // namespace millrace::controller
