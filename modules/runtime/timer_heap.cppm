// The armed timers of one executor, earliest first; timers of one time in the order of arming.
module;
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <vector>

export module millrace.runtime:timer_heap;

import millrace.base;
import :executor;

export namespace millrace {

// A binary heap in which every timer knows its place, so that one can be moved and cancelled. Owned
// by an executor and used on its thread; owns no timer.
class TimerHeap {
 public:
  TimerHeap() = default;
  TimerHeap(const TimerHeap&) = delete;
  TimerHeap& operator=(const TimerHeap&) = delete;
  // Timers that outlive their executor are no longer armed.
  ~TimerHeap();

  // Arms the timer for `executor`, or moves it.
  void arm(Timer& timer, MonotonicTime when, Executor& executor);
  void cancel(Timer& timer);

  [[nodiscard]] bool empty() const { return timers_.empty(); }
  [[nodiscard]] std::size_t size() const { return timers_.size(); }
  // Not when empty.
  [[nodiscard]] MonotonicTime earliest() const { return timers_.front()->when_; }
  // Takes the earliest out; it is then no longer armed. Not when empty.
  [[nodiscard]] Timer& pop();

 private:
  [[nodiscard]] static bool before(const Timer& a, const Timer& b) {
    return a.when_ != b.when_ ? a.when_ < b.when_ : a.order_ < b.order_;
  }
  void put(std::size_t place, Timer& timer);
  void move_up(Timer& timer);
  void move_down(Timer& timer);

  std::vector<Timer*> timers_;
  std::uint64_t armed_ = 0;
};

}  // namespace millrace
