#include <gtest/gtest.h>

#include <chrono>
#include <coroutine>

import millrace.runtime.files;

namespace millrace::files {
namespace {

using namespace std::chrono_literals;

class InPlace : public testing::Test {
 protected:
  InPlaceLimits limits{.read_bytes_max = 2000,
                       .write_bytes_max = 1000,
                       .turn_max = 1ms,
                       .slow_write = 5ms,
                       .slow_period_min = 10ms,
                       .slow_period_max = 200ms};
  InPlaceRule rule{limits};
  MonotonicTime now{1s};
};

TEST_F(InPlace, small_operations_are_admitted_and_large_ones_are_not) {
  EXPECT_TRUE(rule.admits_read(2000));
  EXPECT_TRUE(rule.admits_write(1000, now));
  EXPECT_FALSE(rule.admits_read(2001));
  EXPECT_FALSE(rule.admits_write(1001, now));
}

TEST_F(InPlace, nothing_is_admitted_that_is_switched_off) {
  limits.writes = false;
  EXPECT_FALSE(InPlaceRule(limits).admits_write(1, now));
  EXPECT_TRUE(InPlaceRule(limits).admits_read(1));
  limits.reads = false;
  EXPECT_FALSE(InPlaceRule(limits).admits_read(1));
}

TEST_F(InPlace, a_turn_is_over_when_its_time_is_spent) {
  EXPECT_FALSE(rule.turn_is_over());
  rule.spent(600us);
  EXPECT_FALSE(rule.turn_is_over());
  rule.spent(400us);
  EXPECT_TRUE(rule.turn_is_over());
  rule.begin_turn();
  EXPECT_FALSE(rule.turn_is_over());
}

TEST_F(InPlace, a_slow_write_keeps_writes_away_for_a_short_while) {
  rule.write_waited(4999us, now);
  EXPECT_TRUE(rule.admits_write(1, now));
  rule.write_waited(5ms, now);
  EXPECT_EQ(rule.slow_writes(), 1);
  EXPECT_FALSE(rule.admits_write(1, now));
  EXPECT_FALSE(rule.admits_write(1, now + 9ms));
  EXPECT_TRUE(rule.admits_write(1, now + 10ms));
  EXPECT_TRUE(rule.admits_read(1));
}

TEST_F(InPlace, slow_writes_one_after_the_other_keep_writes_away_longer_each_time) {
  for (const auto period : {10ms, 20ms, 40ms, 80ms, 160ms, 200ms, 200ms}) {
    rule.write_waited(5ms, now);
    EXPECT_FALSE(rule.admits_write(1, now + period - 1ms));
    now += period;
    EXPECT_TRUE(rule.admits_write(1, now));
    now += 199ms;
  }
  // After a longer time without one, the next is a single one again.
  now += 1ms;
  rule.write_waited(5ms, now);
  EXPECT_TRUE(rule.admits_write(1, now + 10ms));
}

TEST_F(InPlace, writes_stay_away_while_others_are_slow_elsewhere) {
  for (int i = 0; i < 10; ++i) {
    rule.write_waited(20ms, now);
    now += 9ms;
    EXPECT_FALSE(rule.admits_write(1, now));
  }
  EXPECT_TRUE(rule.admits_write(1, now + 1ms));
}

}  // namespace
}  // namespace millrace::files
