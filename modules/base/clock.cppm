// Time is handed in. Code that needs it takes a Clock, so that tests and the simulator can say what
// time it is. There is no other way to get a MonotonicTime.
module;
#include <chrono>
#include <cstdint>

export module millrace.base:clock;

import :types;

export namespace millrace {

using Duration = std::chrono::nanoseconds;

// A time base without now(): only a Clock gives its times.
struct Monotonic {
  using duration = Duration;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<Monotonic>;
  static constexpr bool is_steady = true;
};

// Never goes back and knows nothing of dates: for timeouts and for measuring.
using MonotonicTime = Monotonic::time_point;

// Where time comes from. Whoever starts the process owns the clock, and it outlives all who were
// given it. Reading it never fails.
class Clock {
 public:
  virtual ~Clock() = default;

  // Time as people know it, for records and for the log. May jump in both directions.
  [[nodiscard]] virtual Timestamp wall_now() const = 0;
  [[nodiscard]] virtual MonotonicTime now() const = 0;

 protected:
  Clock() = default;
  Clock(const Clock&) = default;
  Clock& operator=(const Clock&) = default;
};

// The system's clocks. Safe from any thread.
class SystemClock final : public Clock {
 public:
  [[nodiscard]] Timestamp wall_now() const override;
  [[nodiscard]] MonotonicTime now() const override;
};

// A clock that stands still until it is told to move. For tests; one thread.
class ManualClock final : public Clock {
 public:
  explicit ManualClock(Timestamp wall = Timestamp{0}) : wall_(wall) {}

  [[nodiscard]] Timestamp wall_now() const override;
  [[nodiscard]] MonotonicTime now() const override { return now_; }

  // Time passes: both clocks move on. `passed` is not negative.
  void advance(Duration passed);
  // Somebody sets the wall clock; monotonic time does not notice.
  void set_wall(Timestamp wall);

 private:
  Timestamp wall_;            // when it was last set
  MonotonicTime wall_set_{};  // and at which monotonic time
  MonotonicTime now_{};
};

}  // namespace millrace
