#include <gtest/gtest.h>

#include <chrono>
#include <optional>
#include <string>
#include <utility>

import millrace.base;
import millrace.groups;

namespace millrace::groups {
namespace {

MonotonicTime at(int seconds) {
  return MonotonicTime{} + std::chrono::seconds(seconds);
}
TimerKey session(std::string group, std::string member) {
  return {std::move(group), TimerKind::member, std::move(member)};
}

TEST(GroupTimers, are_due_in_the_order_of_their_times_and_once) {
  Timers timers;
  timers.set(session("g", "b"), at(2));
  timers.set(session("g", "a"), at(1));
  EXPECT_EQ(timers.next(), at(1));
  EXPECT_EQ(timers.take_due(at(0)), std::nullopt);
  EXPECT_EQ(timers.take_due(at(2)), session("g", "a"));
  EXPECT_EQ(timers.take_due(at(2)), session("g", "b"));
  EXPECT_EQ(timers.take_due(at(9)), std::nullopt);
  EXPECT_EQ(timers.next(), std::nullopt);
}

TEST(GroupTimers, of_the_same_time_are_due_in_the_order_in_which_they_were_set) {
  Timers timers;
  timers.set(session("g", "b"), at(1));
  timers.set(session("g", "a"), at(1));
  EXPECT_EQ(timers.take_due(at(1)), session("g", "b"));
}

TEST(GroupTimers, set_again_move) {
  Timers timers;
  timers.set(session("g", "a"), at(1));
  timers.set(session("g", "a"), at(5));
  EXPECT_EQ(timers.size(), 1u);
  EXPECT_EQ(timers.next(), at(5));
  EXPECT_EQ(timers.take_due(at(4)), std::nullopt);
}

TEST(GroupTimers, cancelled_are_never_due) {
  Timers timers;
  timers.set(session("g", "a"), at(1));
  timers.set({.group = "g", .kind = TimerKind::join, .member = ""}, at(1));
  timers.set(session("h", "a"), at(1));
  timers.set(session("g", "b"), at(1));
  timers.cancel(session("g", "b"));
  timers.cancel(session("g", "nobody"));
  timers.cancel_all_of("g");
  EXPECT_EQ(timers.size(), 1u);
  EXPECT_EQ(timers.take_due(at(1)), session("h", "a"));
}

TEST(GroupTimers, of_a_group_without_a_name_are_not_those_of_the_coordinator) {
  Timers timers;
  timers.set({}, at(1));
  timers.set(session("", "a"), at(1));
  timers.cancel_all_of("");
  EXPECT_EQ(timers.take_due(at(1)), TimerKey{});
  EXPECT_EQ(timers.size(), 0u);
}

}  // namespace
}  // namespace millrace::groups
