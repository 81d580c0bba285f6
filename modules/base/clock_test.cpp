#include <gtest/gtest.h>

#include <chrono>
#include <ctime>

import millrace.base;

namespace millrace {
namespace {

using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::milliseconds;

TEST(SystemClock, wall_time_is_in_milliseconds_since_1970) {
  const std::int64_t before = std::int64_t{std::time(nullptr)} * 1000;
  const Timestamp now = SystemClock{}.wall_now();
  // time() may lag by a tick of the kernel: a second of slack on both sides.
  EXPECT_GE(now.value(), before - 1000);
  EXPECT_LE(now.value(), std::int64_t{std::time(nullptr)} * 1000 + 2000);
}

TEST(SystemClock, monotonic_time_never_goes_back) {
  const SystemClock clock;
  MonotonicTime last = clock.now();
  for (int i = 0; i < 1000; ++i) {
    const MonotonicTime now = clock.now();
    ASSERT_GE(now, last);
    last = now;
  }
}

TEST(ManualClock, stands_still_until_told) {
  const ManualClock clock{Timestamp{1'700'000'000'000}};
  EXPECT_EQ(clock.wall_now(), Timestamp{1'700'000'000'000});
  EXPECT_EQ(clock.wall_now(), clock.wall_now());
  EXPECT_EQ(clock.now(), clock.now());
}

TEST(ManualClock, advances_both_times) {
  ManualClock clock{Timestamp{5000}};
  const MonotonicTime start = clock.now();
  clock.advance(hours{1});
  EXPECT_EQ(clock.now() - start, hours{1});
  EXPECT_EQ(clock.wall_now(), Timestamp{5000 + 3'600'000});
}

TEST(ManualClock, parts_of_a_millisecond_add_up) {
  ManualClock clock{Timestamp{0}};
  for (int i = 0; i < 4; ++i) clock.advance(microseconds{250});
  EXPECT_EQ(clock.wall_now(), Timestamp{1});
}

TEST(ManualClock, a_set_wall_clock_leaves_monotonic_time_alone) {
  ManualClock clock{Timestamp{9000}};
  clock.advance(milliseconds{10});
  const MonotonicTime before = clock.now();
  clock.set_wall(Timestamp{100});
  EXPECT_EQ(clock.wall_now(), Timestamp{100});
  EXPECT_EQ(clock.now(), before);
  clock.advance(milliseconds{3});
  EXPECT_EQ(clock.wall_now(), Timestamp{103});
}

TEST(ManualClockDeathTest, refuses_to_go_back) {
  ManualClock clock;
  EXPECT_DEATH(clock.advance(milliseconds{-1}), "monotonic time never goes back");
}

TEST(Clock, serves_whoever_takes_the_interface) {
  ManualClock manual{Timestamp{7}};
  const Clock& clock = manual;
  manual.advance(milliseconds{2});
  EXPECT_EQ(clock.wall_now(), Timestamp{9});
}

}  // namespace
}  // namespace millrace
