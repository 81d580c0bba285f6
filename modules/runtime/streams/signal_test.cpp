#include <gtest/gtest.h>

#include <chrono>
#include <coroutine>
#include <string>

import millrace.runtime.streams;

namespace millrace {
namespace {

using namespace std::chrono_literals;

TEST(AsyncSignal, resumes_who_waits_in_a_later_turn) {
  SimulatedExecutor executor;
  AsyncSignal signal(executor);
  std::string order;
  TaskGroup group;
  const auto wait = [&]() -> Task<void> {
    EXPECT_TRUE(co_await signal.wait());
    order += "resumed ";
  };
  group.start(wait());
  signal.set();
  order += "set ";
  executor.run_until_idle();
  EXPECT_EQ(order, "set resumed ");
}

TEST(AsyncSignal, that_was_set_lets_the_next_one_pass_once) {
  SimulatedExecutor executor;
  AsyncSignal signal(executor);
  signal.set();
  signal.set();
  int passed = 0;
  TaskGroup group;
  const auto wait = [&]() -> Task<void> {
    EXPECT_TRUE(co_await signal.wait());
    ++passed;
    EXPECT_FALSE(co_await signal.wait(executor.clock().now() + 1ms));
    ++passed;
  };
  group.start(wait());
  EXPECT_EQ(passed, 1);
  executor.advance(1ms);
  EXPECT_EQ(passed, 2);
}

TEST(AsyncSignal, tells_a_signal_from_a_deadline) {
  SimulatedExecutor executor;
  AsyncSignal signal(executor);
  bool was_set = false;
  TaskGroup group;
  const auto wait = [&]() -> Task<void> {
    was_set = co_await signal.wait(executor.clock().now() + 1ms);
  };
  group.start(wait());
  signal.set();
  executor.advance(5ms);
  EXPECT_TRUE(was_set);
}

}  // namespace
}  // namespace millrace
