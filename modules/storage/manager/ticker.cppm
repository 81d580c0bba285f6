// What wakes a coroutine every so often, until it is told to end.
module;
#include <algorithm>
#include <chrono>
#include <coroutine>
#include <utility>

export module millrace.storage.manager:ticker;

import millrace.base;
import millrace.runtime;

export namespace millrace::storage {

// `while (co_await ticker.next()) do_something();` One coroutine waits at a time. Lives on one
// shard; stopped, and the coroutine ended, before it goes.
class Ticker : private Timer {
 public:
  // Longer intervals mean: never.
  static constexpr std::chrono::hours interval_max{24 * 365};

  Ticker(Executor& executor, std::chrono::milliseconds interval)
      : Timer([](Timer& self) { static_cast<Ticker&>(self).wake(); }), executor_(executor) {
    set_interval(interval);
  }

  // From the next wait on.
  void set_interval(std::chrono::milliseconds interval) {
    interval_ =
        std::clamp<std::chrono::milliseconds>(interval, std::chrono::milliseconds(1), interval_max);
  }

  [[nodiscard]] std::chrono::milliseconds interval() const {
    return std::chrono::duration_cast<std::chrono::milliseconds>(interval_);
  }

  // True when the interval has passed, at once if wake_now() was called meanwhile; false when
  // stopped.
  [[nodiscard]] auto next() {
    struct Awaiter {
      Ticker& ticker;
      [[nodiscard]] bool await_ready() const {
        return ticker.stopped_ || std::exchange(ticker.early_, false);
      }
      void await_suspend(std::coroutine_handle<> awaiting) const {
        ticker.awaiting_ = awaiting;
        if (ticker.interval_ < interval_max) {
          ticker.executor_.arm(ticker, ticker.executor_.clock().now() + ticker.interval_);
        }
      }
      [[nodiscard]] bool await_resume() const { return !ticker.stopped_; }
    };
    return Awaiter{*this};
  }

  // Whoever waits need not wait any longer; if nobody does, the next one will not.
  void wake_now() {
    early_ = !awaiting_;
    wake();
  }

  // Resumes the coroutine that waits, and lets nobody wait any more.
  void stop() {
    stopped_ = true;
    wake();
  }
  [[nodiscard]] bool stopped() const { return stopped_; }

 private:
  void wake() {
    if (armed()) executor_.cancel(*this);
    if (awaiting_) std::exchange(awaiting_, nullptr).resume();
  }

  Executor& executor_;
  Duration interval_{};
  std::coroutine_handle<> awaiting_;
  bool early_ = false;
  bool stopped_ = false;
};

}  // namespace millrace::storage
