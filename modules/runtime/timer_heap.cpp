module;
#include <chrono>
#include <cstddef>
#include <vector>

module millrace.runtime;

namespace millrace {

TimerHeap::~TimerHeap() {
  for (Timer* timer : timers_) timer->executor_ = nullptr;
}

void TimerHeap::arm(Timer& timer, MonotonicTime when, Executor& executor) {
  check(timer.executor_ == nullptr || timer.executor_ == &executor,
        "a timer is armed by one executor");
  timer.when_ = when;
  timer.order_ = ++armed_;
  if (timer.executor_ == nullptr) {
    timer.executor_ = &executor;
    timers_.push_back(&timer);
    timer.place_ = timers_.size() - 1;
  }
  move_up(timer);
  move_down(timer);
}

void TimerHeap::cancel(Timer& timer) {
  if (timer.executor_ == nullptr) return;
  check(timer.place_ < timers_.size() && timers_[timer.place_] == &timer,
        "a timer is cancelled by the executor that armed it");
  timer.executor_ = nullptr;
  Timer& last = *timers_.back();
  timers_.pop_back();
  if (&last == &timer) return;
  put(timer.place_, last);
  move_up(last);
  move_down(last);
}

Timer& TimerHeap::pop() {
  Timer& first = *timers_.front();
  cancel(first);
  return first;
}

void TimerHeap::put(std::size_t place, Timer& timer) {
  timers_[place] = &timer;
  timer.place_ = place;
}

void TimerHeap::move_up(Timer& timer) {
  std::size_t place = timer.place_;
  while (place > 0) {
    const std::size_t parent = (place - 1) / 2;
    if (!before(timer, *timers_[parent])) break;
    put(place, *timers_[parent]);
    place = parent;
  }
  put(place, timer);
}

void TimerHeap::move_down(Timer& timer) {
  std::size_t place = timer.place_;
  for (;;) {
    std::size_t child = 2 * place + 1;
    if (child >= timers_.size()) break;
    if (child + 1 < timers_.size() && before(*timers_[child + 1], *timers_[child])) ++child;
    if (!before(*timers_[child], timer)) break;
    put(place, *timers_[child]);
    place = child;
  }
  put(place, timer);
}

}  // namespace millrace
