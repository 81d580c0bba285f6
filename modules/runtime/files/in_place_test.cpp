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
                       .slow_period = 250ms};
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

TEST_F(InPlace, a_slow_write_keeps_writes_away_for_a_while) {
  rule.write_waited(4999us, now);
  EXPECT_TRUE(rule.admits_write(1, now));
  rule.write_waited(5ms, now);
  EXPECT_EQ(rule.slow_writes(), 1);
  EXPECT_FALSE(rule.admits_write(1, now));
  EXPECT_FALSE(rule.admits_write(1, now + 249ms));
  EXPECT_TRUE(rule.admits_write(1, now + 250ms));
  EXPECT_TRUE(rule.admits_read(1));
}

TEST_F(InPlace, writes_stay_away_while_others_are_slow_elsewhere) {
  for (int i = 0; i < 10; ++i) {
    rule.write_waited(20ms, now);
    now += 200ms;
    EXPECT_FALSE(rule.admits_write(1, now));
  }
  EXPECT_TRUE(rule.admits_write(1, now + 50ms));
}

}  // namespace
}  // namespace millrace::files
