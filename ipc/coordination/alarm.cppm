// Waiting for a time, or to be woken before it.
module;
#include <coroutine>
#include <optional>
#include <utility>

export module millrace.ipc.coordination:alarm;

import millrace.base;
import millrace.runtime;

export namespace millrace::coordination {

// One waits at a time. A ring that comes while nobody waits counts for the next who does. Belongs
// to one shard; ends when nobody waits.
class Alarm {
 public:
  explicit Alarm(Executor& executor) : executor_(executor), timer_(*this), woken_(*this) {}
  Alarm(const Alarm&) = delete;
  Alarm& operator=(const Alarm&) = delete;
  ~Alarm() { check(!awaiting_, "an alarm outlives who waits for it"); }

  // `co_await alarm.wait_until(when)`; without a time only ring() ends it.
  [[nodiscard]] auto wait_until(std::optional<MonotonicTime> when) {
    struct Awaiter {
      Alarm& alarm;
      std::optional<MonotonicTime> when;
      [[nodiscard]] bool await_ready() const { return std::exchange(alarm.rung_, false); }
      void await_suspend(std::coroutine_handle<> handle) const {
        check(!alarm.awaiting_, "one waits for an alarm at a time");
        alarm.awaiting_ = handle;
        if (when) alarm.executor_.arm(alarm.timer_, *when);
      }
      void await_resume() const noexcept {}
    };
    return Awaiter{*this, when};
  }
  // Whoever waits is resumed soon, not before this returns.
  void ring() {
    if (!awaiting_) {
      rung_ = true;
    } else if (!std::exchange(is_posted_, true)) {
      if (timer_.armed()) executor_.cancel(timer_);
      executor_.post(woken_);
    }
  }

 private:
  struct AtTime : Timer {
    explicit AtTime(Alarm& a)
        : Timer([](Timer& self) { static_cast<AtTime&>(self).alarm.resume(); }), alarm(a) {}
    Alarm& alarm;
  };
  struct Woken : Callback {
    explicit Woken(Alarm& a)
        : Callback([](Callback& self) { static_cast<Woken&>(self).alarm.resume(); }), alarm(a) {}
    Alarm& alarm;
  };

  void resume() {
    is_posted_ = false;
    std::exchange(awaiting_, nullptr).resume();
  }

  Executor& executor_;
  AtTime timer_;
  Woken woken_;
  std::coroutine_handle<> awaiting_;
  bool rung_ = false;
  bool is_posted_ = false;
};

}  // namespace millrace::coordination
