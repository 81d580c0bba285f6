// How long to wait before something is tried again.
module;
#include <chrono>
#include <cstdint>

export module millrace.client.core:backoff;

import millrace.base;
import millrace.runtime;

export namespace millrace::client {

// Each wait is this much longer than the one before it, until the longest.
inline constexpr double backoff_factor = 2;
// And is moved by up to this part of itself in either direction, so that many clients do not come
// back at one moment.
inline constexpr double backoff_jitter = 0.2;

// The first and the longest wait, as retry.backoff.ms and retry.backoff.max.ms. A first one above
// the longest is the longest.
struct BackoffRange {
  Duration first{};
  Duration longest{};
};

// The wait after `failures` failures in a row, from 1.
[[nodiscard]] Duration backoff_after(std::uint32_t failures, BackoffRange range, Random& random);

// Counts the failures of one thing and says how long to wait after each. A value of one thread.
class Backoff {
 public:
  Backoff(BackoffRange range, Random random) : range_(range), random_(random) {}

  // Tells a failure; gives how long to wait.
  [[nodiscard]] Duration next();
  // It worked: the next failure waits shortly again.
  void reset() { failures_ = 0; }
  [[nodiscard]] std::uint32_t failures() const { return failures_; }

 private:
  BackoffRange range_;
  Random random_;
  std::uint32_t failures_ = 0;
};

}  // namespace millrace::client
