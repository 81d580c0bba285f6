#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>

import millrace.storage.cleaner;

namespace millrace::storage {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(IoThrottle, waits_as_long_as_the_bytes_take) {
  IoThrottle throttle(1000);
  const MonotonicTime start{hours(1)};
  EXPECT_EQ(throttle.after(500, start), start + milliseconds(500));
  EXPECT_EQ(throttle.after(250, start), start + milliseconds(750)) << "one after the other";
  EXPECT_EQ(throttle.after(250, start + seconds(2)), start + milliseconds(2250))
      << "what was not used is not saved up";
}

TEST(IoThrottle, without_a_limit_there_is_no_wait) {
  IoThrottle throttle;
  EXPECT_EQ(throttle.after(std::uint64_t{1} << 62, MonotonicTime(seconds(5))),
            MonotonicTime(seconds(5)));
}

TEST(IoThrottle, even_the_slowest_rate_gives_a_time) {
  IoThrottle throttle(0.000001);
  EXPECT_EQ(throttle.after(std::uint64_t{1} << 62, MonotonicTime{}), MonotonicTime(hours(24)));
  throttle.set_rate(1000);
  EXPECT_EQ(throttle.after(1000, MonotonicTime(hours(30))), MonotonicTime(hours(30) + seconds(1)));
}

}  // namespace
}  // namespace millrace::storage
