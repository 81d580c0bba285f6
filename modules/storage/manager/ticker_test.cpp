// What wakes a coroutine every so often.
#include <gtest/gtest.h>

#include <chrono>
#include <coroutine>

import millrace.storage.manager;

namespace millrace::storage {
namespace {

using namespace std::chrono_literals;

struct Count {
  Count(Executor& executor, std::chrono::milliseconds interval) : ticker(executor, interval) {
    tasks.start(run());
  }
  ~Count() { ticker.stop(); }

  Task<void> run() {
    while (co_await ticker.next()) ++times;
    ended = true;
  }

  Ticker ticker;
  int times = 0;
  bool ended = false;
  TaskGroup tasks;
};

TEST(Ticker, wakes_after_each_interval) {
  SimulatedExecutor executor;
  Count count(executor, 10ms);
  executor.advance(35ms);
  EXPECT_EQ(count.times, 3);
}

TEST(Ticker, wakes_early_when_told_and_only_once) {
  SimulatedExecutor executor;
  Count count(executor, 10ms);
  executor.advance(5ms);
  count.ticker.wake_now();
  EXPECT_EQ(count.times, 1);
  executor.advance(9ms);
  EXPECT_EQ(count.times, 1);
  executor.advance(1ms);
  EXPECT_EQ(count.times, 2);
}

TEST(Ticker, an_interval_beyond_all_times_never_passes) {
  SimulatedExecutor executor;
  Count count(executor, std::chrono::milliseconds::max());
  EXPECT_FALSE(executor.advance_to_next_timer());
  count.ticker.wake_now();
  EXPECT_EQ(count.times, 1);
}

TEST(Ticker, stopping_ends_the_wait) {
  SimulatedExecutor executor;
  Count count(executor, 10ms);
  count.ticker.stop();
  EXPECT_TRUE(count.ended);
  EXPECT_EQ(count.times, 0);
}

}  // namespace
}  // namespace millrace::storage
