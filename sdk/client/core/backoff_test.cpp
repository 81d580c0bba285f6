// Pauses that grow.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <limits>

import millrace.client.core;

namespace millrace::client {
namespace {

using namespace std::chrono_literals;

TEST(Backoff, doubles_until_the_longest_with_a_fifth_of_jitter) {
  Random random(1);
  const BackoffRange range{100ms, 1s};
  for (int round = 0; round < 200; ++round) {
    Duration plain = 100ms;
    for (std::uint32_t failures = 1; failures < 10; ++failures) {
      const Duration pause = backoff_after(failures, range, random);
      EXPECT_GE(pause, plain * 8 / 10);
      EXPECT_LE(pause, plain * 12 / 10);
      plain = std::min<Duration>(plain * 2, 1s);
    }
  }
}

TEST(Backoff, many_failures_and_long_ranges_do_not_overflow) {
  Random random(1);
  for (const std::uint32_t failures :
       {0U, 1U, 64U, 5000U, std::numeric_limits<std::uint32_t>::max()}) {
    EXPECT_GE(backoff_after(failures, {1ms, Duration::max()}, random), Duration::zero());
    EXPECT_EQ(backoff_after(failures, {0ms, 0ms}, random), Duration::zero());
    EXPECT_LE(backoff_after(failures, {10s, 1s}, random), 1200ms)
        << "no pause is above the longest";
  }
}

TEST(Backoff, begins_anew_after_success) {
  Backoff backoff({100ms, 10s}, Random(3));
  for (int i = 0; i < 6; ++i) static_cast<void>(backoff.next());
  EXPECT_GE(backoff.next(), 5s);
  EXPECT_EQ(backoff.failures(), 7U);
  backoff.reset();
  EXPECT_LE(backoff.next(), 120ms);
}

}  // namespace
}  // namespace millrace::client
