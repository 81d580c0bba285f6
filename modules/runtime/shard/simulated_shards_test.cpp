#include <gtest/gtest.h>

#include <chrono>
#include <coroutine>
#include <cstdint>
#include <string>

import millrace.runtime.shard;

namespace millrace {
namespace {

using namespace std::chrono_literals;

// Two walkers over three shards, with pauses; the order in which they come by.
std::string walks(std::uint64_t seed) {
  SimulatedExecutor executor(seed);
  telemetry::Registry registry(3);
  SimulatedShards shards(executor, registry, 3);
  std::string order;
  const auto walk = [&](char name) -> Task<void> {
    Shard& home = shards.at(ShardIndex{0});
    for (std::uint32_t i = 0; i < 10; ++i) {
      co_await home.call(ShardIndex(i % 3), [&](Shard& there) -> Task<void> {
        co_await sleep_until(there.loop(), there.clock().now() + 1ms);
        order += formatted("{}{} ", std::string(1, name), there.index());
        co_await yield(there.loop());
        order += formatted("{}' ", std::string(1, name));
      });
    }
  };
  const auto both = [&]() -> Task<void> {
    TaskGroup group;
    group.start(walk('a'));
    group.start(walk('b'));
    co_await group.wait();
    EXPECT_GT(co_await shards.at(ShardIndex{0}).quiet(), 0u);
  };
  const auto ended = executor.run(both());
  EXPECT_TRUE(ended.has_value());
  return order;
}

TEST(SimulatedShards, call_one_another_in_an_order_that_a_seed_replays) {
  const std::string order = walks(1);
  EXPECT_EQ(order, walks(1));
  bool is_another_order_possible = false;
  for (std::uint64_t seed = 2; seed < 20; ++seed) {
    is_another_order_possible = is_another_order_possible || walks(seed) != order;
  }
  EXPECT_TRUE(is_another_order_possible);
}

TEST(SimulatedShards, have_no_descriptors) {
  SimulatedExecutor executor;
  SimulatedLoop loop(executor);
  Watch watch([](Watch&) {});
  EXPECT_EQ(loop.watch(watch, 0).error().kind, ErrorKind::unsupported);
  EXPECT_FALSE(watch.active());
}

}  // namespace
}  // namespace millrace
