// How fast connections are taken.
#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <vector>

import millrace.base;
import millrace.broker.connections;
import millrace.runtime;
import millrace.runtime.streams;

namespace millrace::broker {
namespace {

using std::chrono::milliseconds;

ListenersPlan plan_of(std::uint32_t broker, std::uint32_t first, std::uint32_t second) {
  ListenersPlan plan;
  plan.connections_per_second_max = broker;
  plan.listeners.resize(2);
  plan.listeners[0].connections_per_second_max = first;
  plan.listeners[1].connections_per_second_max = second;
  return plan;
}

// Of those who come as fast as they can for so long, how many are taken.
int taken_in(AcceptPace& pace, std::size_t listener, MonotonicTime& now, milliseconds time) {
  int count = 0;
  for (const MonotonicTime end = now + time; now < end; now += milliseconds{1}) {
    while (count < 100'000 && pace.next(listener) <= now) {
      pace.took(listener, now);
      ++count;
    }
  }
  return count;
}

TEST(AcceptPace, takes_so_many_at_once_and_then_one_after_the_other) {
  AcceptPace pace(plan_of(10, unlimited_rate, unlimited_rate));
  MonotonicTime now = MonotonicTime{} + std::chrono::hours{1};
  EXPECT_EQ(taken_in(pace, 0, now, milliseconds{1}), 10);
  EXPECT_EQ(taken_in(pace, 0, now, milliseconds{3'000}), 30);
  now += std::chrono::hours{1};
  EXPECT_EQ(taken_in(pace, 0, now, milliseconds{1}), 10) << "what nobody used is not saved up";
}

TEST(AcceptPace, has_a_limit_for_all_listeners_and_one_for_each) {
  AcceptPace pace(plan_of(10, 4, unlimited_rate));
  MonotonicTime now = MonotonicTime{} + std::chrono::hours{1};
  EXPECT_EQ(taken_in(pace, 0, now, milliseconds{1}), 4);
  EXPECT_EQ(taken_in(pace, 1, now, milliseconds{1}), 6);
}

TEST(AcceptPace, holds_nobody_up_without_a_limit) {
  AcceptPace pace(plan_of(unlimited_rate, unlimited_rate, unlimited_rate));
  MonotonicTime now = MonotonicTime{} + std::chrono::hours{1};
  EXPECT_EQ(taken_in(pace, 0, now, milliseconds{1}), 100'000);
}

TEST(AcceptPace, takes_none_at_zero_until_there_is_another_limit) {
  AcceptPace pace(plan_of(unlimited_rate, 0, unlimited_rate));
  EXPECT_EQ(pace.next(0), no_deadline);
  const MonotonicTime now = MonotonicTime{} + std::chrono::hours{1};
  EXPECT_LE(pace.next(1), now);
  pace.set(plan_of(unlimited_rate, 1, unlimited_rate));
  EXPECT_LE(pace.next(0), now);
}

}  // namespace
}  // namespace millrace::broker
