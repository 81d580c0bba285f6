#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

import millrace.runtime.shard;

namespace millrace {
namespace {

using namespace std::chrono_literals;

constexpr ShardIndex zero{0};
constexpr ShardIndex one{1};

class ShardCallTest : public testing::Test {
 protected:
  static ShardsOptions four_shards() {
    ShardsOptions options;
    options.count = 4;
    return options;
  }

  SystemClock clock;
  telemetry::Registry registry{4};
  std::unique_ptr<Shards> shards = Shards::start(clock, registry, four_shards()).value();
};

TEST_F(ShardCallTest, runs_there_and_resumes_here) {
  struct Seen {
    std::thread::id before, there, after;
  };
  const Seen seen = shards->run_on(zero, [](Shard& here) -> Task<Seen> {
    const auto before = std::this_thread::get_id();
    const auto there = co_await here.call(one, [](Shard&) { return std::this_thread::get_id(); });
    co_return Seen{before, there, std::this_thread::get_id()};
  });
  EXPECT_EQ(seen.before, seen.after);
  EXPECT_NE(seen.before, seen.there);
}

TEST_F(ShardCallTest, gives_values_of_functions_and_of_tasks) {
  const auto text = shards->run_on(zero, [](Shard& here) -> Task<std::string> {
    std::string all;
    int side_effects = 0;
    co_await here.call(one, [&](Shard&) { ++side_effects; });
    co_await here.call(one, [&](Shard& there) -> Task<void> {
      co_await yield(there.loop());
      ++side_effects;
    });
    all += co_await here.call(one, [](Shard& there) { return formatted("{};", there.index()); });
    // What only moves is handed over too.
    const auto moved = co_await here.call(one, [](Shard& there) -> Task<std::unique_ptr<int>> {
      co_await yield(there.loop());
      co_return std::make_unique<int>(7);
    });
    co_return all + formatted("{};{}", *moved, side_effects);
  });
  EXPECT_EQ(text, "1;7;2");
}

TEST_F(ShardCallTest, to_its_own_shard_runs_at_once) {
  const auto counted = shards->run_on(zero, [](Shard& here) -> Task<std::uint64_t> {
    const std::uint64_t turns = here.socket_loop().turns();
    for (int i = 0; i < 100'000; ++i) {  // deep recursion would show here
      co_await here.call(zero, [](Shard&) { return 1; });
      co_await here.call(zero, [](Shard&) -> Task<int> { co_return 1; });
    }
    co_return here.socket_loop().turns() - turns;
  });
  EXPECT_EQ(counted, 0);
}

TEST_F(ShardCallTest, to_its_own_shard_waits_for_a_task) {
  const int value = shards->run_on(zero, [](Shard& here) -> Task<int> {
    co_return co_await here.call(zero, [](Shard& there) -> Task<int> {
      co_await sleep_until(there.loop(), there.clock().now() + 1ms);
      co_return 5;
    });
  });
  EXPECT_EQ(value, 5);
}

Task<void> append_there(Shard& here, std::vector<int>& there_only, int number) {
  co_await here.call(one, [&](Shard&) { there_only.push_back(number); });
}

// Many more than may be in flight.
TEST_F(ShardCallTest, between_two_shards_come_in_the_order_of_calling) {
  constexpr int count = 5 * static_cast<int>(calls_in_flight_max);
  std::vector<int> order;
  shards->run_on(zero, [&](Shard& here) -> Task<void> {
    TaskGroup group;
    for (int i = 0; i < count; ++i) group.start(append_there(here, order, i));
    co_await group.wait();
  });
  ASSERT_EQ(order.size(), static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) ASSERT_EQ(order[static_cast<std::size_t>(i)], i);
}

// Holds up the thread of a shard until it is opened.
struct Barrier {
  std::atomic<bool> is_open = false;

  void open() {
    is_open = true;
    is_open.notify_all();
  }
};

Task<void> count_there(Shard& here, std::size_t& there_only) {
  co_await here.call(one, [&](Shard&) { ++there_only; });
}

TEST_F(ShardCallTest, to_a_shard_that_does_not_keep_up_wait_at_home) {
  constexpr std::size_t count = 3 * calls_in_flight_max;
  Barrier barrier;
  std::size_t counted = 0;
  shards->run_on(zero, [&](Shard& here) -> Task<void> {
    TaskGroup group;
    const auto hold = [&]() -> Task<void> {
      co_await here.call(one, [&](Shard&) { barrier.is_open.wait(false); });
    };
    group.start(hold());
    for (std::size_t i = 1; i < count; ++i) group.start(count_there(here, counted));
    EXPECT_EQ(here.unanswered(), count);
    barrier.open();
    co_await group.wait();
    EXPECT_EQ(here.unanswered(), 0);
  });
  EXPECT_EQ(counted, count - 1);
  const auto waits = registry.add<telemetry::Counter>(
      {.name = "millrace_shard_call_waits_total",
       .help = "Calls to other shards that waited because too many had not begun there.",
       .labels = {"shard"},
       .series_max = telemetry::shards_max});
  ASSERT_TRUE(waits);
  EXPECT_EQ(waits->read({"0"}).value(), count - calls_in_flight_max);
}

Task<std::uint64_t> bounce(Shard& here, std::uint64_t hops) {
  if (hops == 0) co_return 0;
  const ShardIndex next((here.index().value() + 1) % here.shard_count());
  const std::uint64_t rest =
      co_await here.call(next, [hops](Shard& there) { return bounce(there, hops - 1); });
  co_return rest + 1;
}

Task<void> bounce_into(Shard& here, std::uint64_t hops, std::uint64_t& total) {
  total += co_await bounce(here, hops);
}

// More calls are unanswered at a time than may be in flight, and each waits for one in the same
// lane.
TEST_F(ShardCallTest, that_call_on_in_circles_all_end) {
  std::vector<std::thread> threads;
  std::vector<std::uint64_t> totals(4);
  for (std::uint32_t i = 0; i < 4; ++i) {
    threads.emplace_back([this, i, &totals] {
      shards->run_on(ShardIndex(i), [&](Shard& here) -> Task<void> {
        TaskGroup group;
        for (int round = 0; round < 500; ++round) group.start(bounce_into(here, 20, totals[i]));
        co_await group.wait();
      });
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const std::uint64_t total : totals) EXPECT_EQ(total, 500 * 20);
}

}  // namespace
}  // namespace millrace
