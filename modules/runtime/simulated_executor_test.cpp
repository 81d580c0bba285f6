// Also proves random.cppm, timer_heap.cpp.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <vector>

import millrace.runtime;

namespace millrace {
namespace {

using std::chrono::milliseconds;

struct Noting : Callback {
  Noting(std::vector<int>& o, int n)
      : Callback([](Callback& self) {
          auto& noting = static_cast<Noting&>(self);
          noting.order.push_back(noting.number);
        }),
        order(o),
        number(n) {}
  std::vector<int>& order;
  int number;
};

struct NotingTimer : Timer {
  NotingTimer(std::vector<int>& o, int n)
      : Timer([](Timer& self) {
          auto& noting = static_cast<NotingTimer&>(self);
          noting.order.push_back(noting.number);
        }),
        order(o),
        number(n) {}
  std::vector<int>& order;
  int number;
};

MonotonicTime at(const Executor& executor, milliseconds later) {
  return executor.clock().now() + later;
}

TEST(SimulatedExecutor, calls_back_in_the_order_of_posting) {
  SimulatedExecutor executor(7);
  std::vector<int> order;
  Noting one(order, 1);
  Noting two(order, 2);
  Noting three(order, 3);
  executor.post(two);
  executor.post(one);
  executor.post(three);
  EXPECT_TRUE(order.empty());
  EXPECT_EQ(executor.run_until_idle(), 3);
  EXPECT_EQ(order, (std::vector<int>{2, 1, 3}));
  executor.post(one);
  executor.run_until_idle();
  EXPECT_EQ(order.back(), 1);
}

TEST(SimulatedExecutor, lets_no_time_pass_by_itself) {
  SimulatedExecutor executor;
  std::vector<int> order;
  NotingTimer timer(order, 1);
  executor.arm(timer, at(executor, milliseconds(1)));
  EXPECT_EQ(executor.run_until_idle(), 0);
  EXPECT_TRUE(timer.armed());
  EXPECT_TRUE(executor.advance_to_next_timer());
  EXPECT_EQ(order, std::vector<int>{1});
  EXPECT_FALSE(timer.armed());
  EXPECT_FALSE(executor.advance_to_next_timer());
}

TEST(SimulatedExecutor, runs_timers_at_their_time_and_equal_ones_in_the_order_of_arming) {
  SimulatedExecutor executor;
  std::vector<int> order;
  NotingTimer late(order, 3);
  NotingTimer first(order, 1);
  NotingTimer second(order, 2);
  NotingTimer too_late(order, 4);
  executor.arm(late, at(executor, milliseconds(20)));
  executor.arm(first, at(executor, milliseconds(10)));
  executor.arm(second, at(executor, milliseconds(10)));
  executor.arm(too_late, at(executor, milliseconds(21)));
  executor.advance(milliseconds(20));
  EXPECT_EQ(order, (std::vector<int>{1, 2, 3}));
  EXPECT_EQ(executor.clock().now(), MonotonicTime{} + milliseconds(20));
  EXPECT_TRUE(too_late.armed());
}

TEST(SimulatedExecutor, a_timer_can_be_moved_cancelled_and_destroyed) {
  SimulatedExecutor executor;
  std::vector<int> order;
  NotingTimer moved(order, 1);
  NotingTimer cancelled(order, 2);
  auto destroyed = std::make_unique<NotingTimer>(order, 3);
  executor.arm(moved, at(executor, milliseconds(1)));
  executor.arm(cancelled, at(executor, milliseconds(2)));
  executor.arm(*destroyed, at(executor, milliseconds(3)));
  executor.arm(moved, at(executor, milliseconds(50)));
  executor.cancel(cancelled);
  executor.cancel(cancelled);
  destroyed.reset();
  executor.advance(milliseconds(49));
  EXPECT_TRUE(order.empty());
  executor.advance(milliseconds(1));
  EXPECT_EQ(order, std::vector<int>{1});
}

TEST(SimulatedExecutor, timers_may_outlive_it) {
  std::vector<int> order;
  NotingTimer timer(order, 1);
  {
    SimulatedExecutor executor;
    executor.arm(timer, at(executor, milliseconds(1)));
  }
  EXPECT_FALSE(timer.armed());
}

TEST(TimerHeap, gives_what_a_sorted_list_gives) {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    Random random(seed);
    SimulatedExecutor executor;
    std::vector<int> order;
    std::vector<std::unique_ptr<NotingTimer>> timers;
    for (int i = 0; i < 100; ++i) timers.push_back(std::make_unique<NotingTimer>(order, i));
    struct Armed {
      MonotonicTime when;
      int arming;
      int number;
    };
    std::vector<Armed> model;
    for (int i = 0; i < 400; ++i) {
      const auto number = static_cast<int>(random.below(timers.size()));
      NotingTimer& timer = *timers[static_cast<std::size_t>(number)];
      std::erase_if(model, [&](const Armed& armed) { return armed.number == number; });
      if (random.chance(0.3)) {
        executor.cancel(timer);
        continue;
      }
      const auto when = at(executor, milliseconds(random.below(30)));
      executor.arm(timer, when);
      model.push_back({when, i, number});
    }
    std::sort(model.begin(), model.end(), [](const Armed& a, const Armed& b) {
      return a.when != b.when ? a.when < b.when : a.arming < b.arming;
    });
    executor.advance(milliseconds(100));
    std::vector<int> expected;
    for (const Armed& armed : model) expected.push_back(armed.number);
    EXPECT_EQ(order, expected) << "seed " << seed;
  }
}

TEST(SimulatedExecutor, a_seed_chooses_between_callbacks_and_due_timers) {
  std::set<std::vector<int>> seen;
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    SimulatedExecutor executor(seed);
    std::vector<int> order;
    Noting one(order, 1);
    Noting two(order, 2);
    NotingTimer timer(order, 3);
    executor.post(one);
    executor.post(two);
    executor.arm(timer, at(executor, milliseconds(0)));
    executor.run_until_idle();
    seen.insert(order);
  }
  EXPECT_EQ(seen, (std::set<std::vector<int>>{{1, 2, 3}, {1, 3, 2}, {3, 1, 2}}));
}

Task<int> slept(Executor& executor, milliseconds time) {
  co_await sleep_until(executor, executor.clock().now() + time);
  co_await yield(executor);
  co_return 42;
}

TEST(SimulatedExecutor, runs_a_task_to_its_end_and_gives_its_value) {
  SimulatedExecutor executor;
  const auto result = executor.run(slept(executor, milliseconds(1500)));
  ASSERT_TRUE(result);
  EXPECT_EQ(*result, 42);
  EXPECT_EQ(executor.clock().now(), MonotonicTime{} + milliseconds(1500));
}

TEST(SimulatedExecutor, the_wall_clock_passes_with_the_time) {
  SimulatedExecutor executor(std::nullopt, Timestamp{1'000});
  executor.advance(milliseconds(5));
  EXPECT_EQ(executor.clock().wall_now(), Timestamp{1'005});
}

Task<void> under_lock(AsyncMutex& mutex) {
  const auto guard = co_await mutex.lock();
}

TEST(SimulatedExecutor, tells_a_deadlock_and_lets_the_task_end_later) {
  SimulatedExecutor executor;
  AsyncMutex mutex;
  {
    auto holder = [&]() -> Task<void> {
      auto guard = co_await mutex.lock();
      const auto stuck = executor.run(under_lock(mutex));
      EXPECT_FALSE(stuck);
      if (stuck) co_return;
      EXPECT_EQ(stuck.error().kind, ErrorKind::cancelled);
      EXPECT_EQ(stuck.error().message,
                "deadlock: the task waits, nothing is posted and no timer is armed");
    };
    EXPECT_TRUE(executor.run(holder()));
  }
  EXPECT_FALSE(mutex.locked());
}

Task<void> spin(Executor& executor, const bool& stop) {
  while (!stop) co_await yield(executor);
}

TEST(SimulatedExecutor, gives_up_on_a_task_that_never_ends) {
  SimulatedExecutor executor;
  executor.steps_max = 1000;
  bool stop = false;
  const auto result = executor.run(spin(executor, stop));
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, ErrorKind::limit_exceeded);
  EXPECT_EQ(result.error().message, "the task did not end within 1000 steps");
  stop = true;
  executor.run_until_idle();
}

TEST(Random, is_the_same_everywhere) {
  Random random(42);
  EXPECT_EQ(random.next(), 13679457532755275413ULL);
  EXPECT_EQ(random.next(), 2949826092126892291ULL);
  EXPECT_EQ(random.below(0), 0);
  for (int i = 0; i < 1000; ++i) {
    EXPECT_LT(random.below(10), 10);
    const double fraction = random.fraction();
    EXPECT_TRUE(fraction >= 0 && fraction < 1);
  }
  EXPECT_FALSE(random.chance(0));
  EXPECT_TRUE(random.chance(1));
}

}  // namespace
}  // namespace millrace
