// Also proves alarm.cppm.
#include <gtest/gtest.h>

#include <chrono>
#include <coroutine>
#include <cstddef>
#include <optional>
#include <utility>

import millrace.base;
import millrace.ipc.channel;
import millrace.ipc.coordination;
import millrace.runtime;

namespace millrace::coordination {
namespace {

Task<void> wait_for(Alarm& alarm, std::optional<MonotonicTime> when, int& ended) {
  co_await alarm.wait_until(when);
  ++ended;
}

TEST(Alarm, ends_a_wait_at_its_time_or_when_it_rings) {
  SimulatedExecutor executor;
  Alarm alarm(executor);
  TaskGroup tasks;
  int ended = 0;
  tasks.start(wait_for(alarm, executor.clock().now() + std::chrono::seconds{1}, ended));
  executor.advance(std::chrono::milliseconds{999});
  EXPECT_EQ(ended, 0);
  executor.advance(std::chrono::milliseconds{1});
  EXPECT_EQ(ended, 1);
  tasks.start(wait_for(alarm, std::nullopt, ended));
  alarm.ring();
  alarm.ring();
  EXPECT_EQ(ended, 1) << "not before ring() returns";
  executor.run_until_idle();
  EXPECT_EQ(ended, 2);
}

TEST(Alarm, a_ring_before_the_wait_counts_once) {
  SimulatedExecutor executor;
  Alarm alarm(executor);
  TaskGroup tasks;
  int ended = 0;
  alarm.ring();
  tasks.start(wait_for(alarm, std::nullopt, ended));
  EXPECT_EQ(ended, 1);
  tasks.start(wait_for(alarm, executor.clock().now() + std::chrono::seconds{1}, ended));
  executor.run_until_idle();
  EXPECT_EQ(ended, 1);
  executor.advance(std::chrono::seconds{1});
  EXPECT_EQ(ended, 2);
}

TEST(Outbound, sends_in_order_and_refuses_what_is_too_much) {
  SimulatedExecutor executor;
  auto ends = ipc::make_channel_pair(executor);
  Outbound outbound(executor, 100);
  EXPECT_TRUE(outbound.add(OwnedBytes(200, std::byte{1}))) << "one message always fits";
  EXPECT_FALSE(outbound.add(OwnedBytes(1, std::byte{2})));
  TaskGroup tasks;
  tasks.start(outbound.run(*ends.first));
  executor.run_until_idle();
  EXPECT_TRUE(outbound.add(OwnedBytes(1, std::byte{3})));
  EXPECT_TRUE(outbound.add(OwnedBytes(1, std::byte{4})));
  for (const std::size_t size : {200u, 1u, 1u}) {
    const auto received = executor.run(ends.second->receive());
    ASSERT_TRUE(received.has_value() && received->has_value());
    EXPECT_EQ((*received)->size(), size);
  }
  outbound.close();
  executor.run_until_idle();
  EXPECT_EQ(tasks.running(), 0u);
  EXPECT_TRUE(ends.first->is_closed());
}

TEST(Outbound, ends_when_the_peer_is_gone) {
  SimulatedExecutor executor;
  auto ends = ipc::make_channel_pair(executor);
  Outbound outbound(executor, 100);
  TaskGroup tasks;
  tasks.start(outbound.run(*ends.first));
  ends.second->close();
  executor.advance(std::chrono::milliseconds{1});
  EXPECT_TRUE(outbound.add(OwnedBytes(1, std::byte{1})));
  executor.advance(std::chrono::milliseconds{1});
  EXPECT_EQ(tasks.running(), 0u);
}

}  // namespace
}  // namespace millrace::coordination
