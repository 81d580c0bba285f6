// Coroutines that wait for a change.
#include <gtest/gtest.h>

#include <chrono>
#include <coroutine>
#include <cstddef>
#include <vector>

import millrace.client.core;

namespace millrace::client {
namespace {

using namespace std::chrono_literals;

Task<void> wait_into(WaitList& list, std::vector<int>& order, int number, MonotonicTime deadline) {
  const bool woken = co_await list.wait(deadline);
  order.push_back(woken ? number : -number);
}

TEST(WaitList, wakes_all_who_wait_in_their_order) {
  SimulatedExecutor executor;
  WaitList list(executor);
  std::vector<int> order;
  TaskGroup group;
  for (int i = 1; i <= 3; ++i) group.start(wait_into(list, order, i, no_deadline));
  EXPECT_EQ(list.size(), 3U);
  list.wake_all();
  EXPECT_EQ(list.size(), 0U);
  EXPECT_TRUE(order.empty()) << "in a later turn";
  executor.run_until_idle();
  EXPECT_EQ(order, (std::vector<int>{1, 2, 3}));
}

TEST(WaitList, who_waits_no_longer_than_a_deadline_leaves_the_others) {
  SimulatedExecutor executor;
  WaitList list(executor);
  std::vector<int> order;
  TaskGroup group;
  const MonotonicTime now = executor.clock().now();
  group.start(wait_into(list, order, 1, no_deadline));
  group.start(wait_into(list, order, 2, now + 1s));
  group.start(wait_into(list, order, 3, now + 3s));
  group.start(wait_into(list, order, 4, now));
  executor.advance(2s);
  EXPECT_EQ(order, (std::vector<int>{-4, -2}));
  list.wake_all();
  executor.run_until_idle();
  EXPECT_EQ(order, (std::vector<int>{-4, -2, 1, 3}));
  executor.advance(5s);
  EXPECT_EQ(order.size(), 4U);
}

}  // namespace
}  // namespace millrace::client
