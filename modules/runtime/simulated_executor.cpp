module;
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

module millrace.runtime;

namespace millrace {

SimulatedExecutor::SimulatedExecutor(std::optional<std::uint64_t> seed, Timestamp wall)
    : clock_(wall) {
  if (seed) random_.emplace(*seed);
}

void SimulatedExecutor::post(Callback& callback) {
  callback.next = nullptr;
  (last_ == nullptr ? first_ : last_->next) = &callback;
  last_ = &callback;
}

bool SimulatedExecutor::step() {
  const bool due = !timers_.empty() && timers_.earliest() <= clock_.now();
  if (first_ == nullptr && !due) return false;
  const bool timer_first = first_ == nullptr || (due && random_ && random_->chance(0.5));
  if (timer_first) {
    timers_.pop().call();
    return true;
  }
  Callback& callback = *first_;
  first_ = callback.next;
  if (first_ == nullptr) last_ = nullptr;
  callback.next = nullptr;
  callback.call();
  return true;
}

std::size_t SimulatedExecutor::run_until_idle() {
  std::size_t steps = 0;
  while (step()) {
    ++steps;
    check(steps < steps_max, "a simulated executor becomes idle");
  }
  return steps;
}

void SimulatedExecutor::advance_to(MonotonicTime when) {
  if (when > clock_.now()) clock_.advance(when - clock_.now());
}

bool SimulatedExecutor::advance_to_next_timer() {
  if (timers_.empty()) return false;
  advance_to(timers_.earliest());
  run_until_idle();
  return true;
}

void SimulatedExecutor::advance(Duration passed) {
  const MonotonicTime until = clock_.now() + passed;
  run_until_idle();
  while (!timers_.empty() && timers_.earliest() <= until) advance_to_next_timer();
  advance_to(until);
}

Result<void> SimulatedExecutor::drive(const bool& ended) {
  for (std::uint64_t steps = 0; !ended; ++steps) {
    if (steps == steps_max) {
      return failure(ErrorKind::limit_exceeded,
                     formatted("the task did not end within {} steps", steps_max));
    }
    if (step()) continue;
    if (timers_.empty()) {
      return failure(ErrorKind::cancelled,
                     "deadlock: the task waits, nothing is posted and no timer is armed");
    }
    advance_to(timers_.earliest());
  }
  return {};
}

task_detail::Detached SimulatedExecutor::store(std::shared_ptr<Outcome<bool>> outcome,
                                               Task<void> task) {
  co_await std::move(task);
  outcome->ended = true;
}

}  // namespace millrace
