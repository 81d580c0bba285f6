#include <gtest/gtest.h>

#include <chrono>
#include <thread>
#include <utility>

#include "exposition_parser.hpp"

import millrace.base;
import millrace.telemetry;

namespace millrace::telemetry {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr ShardIndex shard{3};

struct Loop {
  Registry registry{4};
  StallMeter meter{*StallMetrics::create(registry, shard)};
  ManualClock clock;

  void turn(Duration length) {
    meter.turn_began(clock.now());
    clock.advance(length);
    meter.turn_ended(clock.now());
  }
};

TEST(StallMeter, tells_nothing_before_the_first_turn) {
  const Loop loop;
  EXPECT_EQ(loop.meter.longest(), Duration::zero());
  EXPECT_EQ(loop.meter.longest_of_late(), Duration::zero());
  EXPECT_EQ(loop.meter.stalls(), 0u);
  EXPECT_EQ(loop.meter.turn_running_for(loop.clock.now()), Duration::zero());
}

TEST(StallMeter, only_turns_over_the_threshold_are_stalls) {
  Loop loop;
  loop.turn(stall_threshold_default);
  EXPECT_EQ(loop.meter.stalls(), 0u);
  loop.turn(stall_threshold_default + Duration{1});
  EXPECT_EQ(loop.meter.stalls(), 1u);
}

TEST(StallMeter, time_between_turns_is_not_counted) {
  Loop loop;
  loop.turn(milliseconds{1});
  loop.clock.advance(seconds{30});
  loop.turn(milliseconds{2});
  EXPECT_EQ(loop.meter.longest(), milliseconds{2});
}

TEST(StallMeter, the_longest_turn_is_kept_and_that_of_late_is_forgotten) {
  Loop loop;
  loop.turn(milliseconds{50});
  loop.turn(milliseconds{1});
  EXPECT_EQ(loop.meter.longest_of_late(), milliseconds{50});
  loop.clock.advance(stall_period);
  loop.turn(milliseconds{2});
  EXPECT_EQ(loop.meter.longest_of_late(), milliseconds{50}) << "it was in the last period";
  loop.clock.advance(stall_period);
  loop.turn(milliseconds{1});
  EXPECT_EQ(loop.meter.longest_of_late(), milliseconds{2});
  loop.clock.advance(10 * stall_period);
  loop.turn(Duration{7});
  EXPECT_EQ(loop.meter.longest_of_late(), Duration{7}) << "nothing happened for long";
  EXPECT_EQ(loop.meter.longest(), milliseconds{50});
}

TEST(StallMeter, a_peak_is_shown_for_at_least_a_period) {
  Loop loop;
  // The peak comes just before a period ends.
  loop.turn(milliseconds{1});
  loop.clock.advance(stall_period - milliseconds{3});
  loop.turn(milliseconds{1});
  const MonotonicTime peak = loop.clock.now();
  loop.turn(milliseconds{900});
  while (loop.clock.now() < peak + stall_period) {
    loop.turn(milliseconds{1});
    ASSERT_EQ(loop.meter.longest_of_late(), milliseconds{900});
    loop.clock.advance(seconds{1});
  }
}

TEST(StallMeter, a_peak_is_forgotten_after_two_periods_however_rare_turns_are) {
  Loop loop;
  loop.turn(milliseconds{900});
  const MonotonicTime began = loop.clock.now();
  loop.clock.advance(stall_period * 19 / 10);
  loop.turn(milliseconds{1});
  EXPECT_EQ(loop.meter.longest_of_late(), milliseconds{900});
  loop.clock.advance(began + 2 * stall_period - loop.clock.now());
  loop.turn(milliseconds{1});
  EXPECT_EQ(loop.meter.longest_of_late(), milliseconds{1});
}

TEST(StallMeter, a_time_that_goes_back_is_a_turn_of_no_length) {
  Loop loop;
  const MonotonicTime before = loop.clock.now();
  loop.clock.advance(seconds{100});
  loop.turn(milliseconds{1});
  loop.meter.turn_began(loop.clock.now());
  loop.meter.turn_ended(before);
  EXPECT_EQ(loop.meter.longest(), milliseconds{1});
  EXPECT_EQ(loop.meter.stalls(), 0u);
}

TEST(StallMeter, another_thread_sees_a_turn_that_does_not_end) {
  Loop loop;
  loop.meter.turn_began(loop.clock.now());
  loop.clock.advance(seconds{5});
  Duration seen{};
  std::thread([&] { seen = loop.meter.turn_running_for(loop.clock.now()); }).join();
  EXPECT_EQ(seen, seconds{5});
  loop.meter.turn_ended(loop.clock.now());
  EXPECT_EQ(loop.meter.turn_running_for(loop.clock.now()), Duration::zero());
}

TEST(StallMeter, is_shown_with_its_shard) {
  Loop loop;
  loop.turn(milliseconds{30});
  loop.turn(milliseconds{1});
  const test::ExpositionParser parsed(exposition_text(loop.registry));
  const test::Labels labels = {{"shard", "3"}};
  EXPECT_EQ(parsed.value("millrace_shard_stalls_total", labels), "1");
  EXPECT_EQ(parsed.value("millrace_shard_turn_longest_seconds", labels), "0.03");
  EXPECT_EQ(parsed.value("millrace_shard_turn_longest_recent_seconds", labels), "0.03");
  EXPECT_EQ(parsed.value("millrace_shard_turn_seconds_count", labels), "2");
  EXPECT_EQ(parsed.value("millrace_shard_turn_seconds_bucket", {{"shard", "3"}, {"le", "0.02"}}),
            "1");
}

TEST(StallMeter, creation_fails_when_a_name_is_taken) {
  Registry registry(1);
  ASSERT_TRUE(registry.add<Counter>({.name = "millrace_shard_stalls_total", .help = "Other."}));
  EXPECT_EQ(StallMetrics::create(registry, ShardIndex{0}).error().kind, ErrorKind::already_exists);
}

TEST(StallMeterDeathTest, a_turn_that_ends_has_begun) {
  Loop loop;
  EXPECT_DEATH(loop.meter.turn_ended(loop.clock.now()), "has begun");
  loop.turn(milliseconds{1});
  EXPECT_DEATH(loop.meter.turn_ended(loop.clock.now()), "has begun");
}

}  // namespace
}  // namespace millrace::telemetry
