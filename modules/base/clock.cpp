module;
#include <chrono>

module millrace.base;

namespace millrace {

Timestamp SystemClock::wall_now() const {
  const auto since_1970 = std::chrono::system_clock::now().time_since_epoch();
  return Timestamp{std::chrono::floor<std::chrono::milliseconds>(since_1970).count()};
}

MonotonicTime SystemClock::now() const {
  return MonotonicTime{Duration{std::chrono::steady_clock::now().time_since_epoch()}};
}

Timestamp ManualClock::wall_now() const {
  return wall_.plus(std::chrono::floor<std::chrono::milliseconds>(now_ - wall_set_).count());
}

void ManualClock::advance(Duration passed) {
  check(passed >= Duration::zero(), "monotonic time never goes back");
  now_ += passed;
}

void ManualClock::set_wall(Timestamp wall) {
  wall_ = wall;
  wall_set_ = now_;
}

}  // namespace millrace
