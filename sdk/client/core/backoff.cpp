module;
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <limits>

module millrace.client.core;

import millrace.base;
import millrace.runtime;

namespace millrace::client {

Duration backoff_after(std::uint32_t failures, BackoffRange range, Random& random) {
  const double longest = static_cast<double>(range.longest.count());
  const double first = std::min(static_cast<double>(range.first.count()), longest);
  // Far above every pause there is, and small enough for pow() to stay finite: 0 stays 0.
  constexpr double exponent_max = 64;
  const double exponent = std::min(failures == 0 ? 0.0 : failures - 1.0, exponent_max);
  const double plain = std::min(first * std::pow(backoff_factor, exponent), longest);
  const double moved = plain * (1 + backoff_jitter * (2 * random.fraction() - 1));
  constexpr double most = 0x1.0p62;
  return Duration(static_cast<Duration::rep>(std::min(moved, most)));
}

Duration Backoff::next() {
  if (failures_ < std::numeric_limits<std::uint32_t>::max()) ++failures_;
  return backoff_after(failures_, range_, random_);
}

}  // namespace millrace::client
