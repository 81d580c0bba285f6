// How fast cleaning may read and write.
module;
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <limits>

export module millrace.storage.cleaner:throttle;

import millrace.base;

export namespace millrace::storage {

// log.cleaner.io.max.bytes.per.second of one shard: says how long to wait after so many bytes. What
// was not used is not saved up. Belongs to the shard's cleaner.
class IoThrottle {
 public:
  static constexpr double unlimited = std::numeric_limits<double>::max();

  explicit IoThrottle(double bytes_per_second_max = unlimited) : rate_(bytes_per_second_max) {}

  void set_rate(double bytes_per_second_max) { rate_ = bytes_per_second_max; }
  // The time before which nothing more is to be read or written.
  [[nodiscard]] MonotonicTime after(std::uint64_t bytes, MonotonicTime now) {
    using Nanoseconds = std::chrono::duration<double, std::nano>;
    // A rate near zero must not make a time that cannot be counted.
    const Nanoseconds longest = std::chrono::hours(24);
    const Nanoseconds wait = std::chrono::duration<double>(static_cast<double>(bytes) / rate_);
    free_ = std::max(free_, now) + std::chrono::duration_cast<Duration>(std::min(wait, longest));
    return free_;
  }

 private:
  double rate_;
  MonotonicTime free_{};
};

}  // namespace millrace::storage
