// Also proves executor.cppm.
#include <gtest/gtest.h>

#include <coroutine>
#include <utility>
#include <vector>

import millrace.runtime;

namespace millrace {
namespace {

Task<int> answer() {
  co_return 42;
}

Task<int> sum_of(int count) {
  int sum = 0;
  for (int i = 0; i < count; ++i) sum += co_await answer();
  co_return sum;
}

Task<void> store(int& out, Task<int> task) {
  out = co_await std::move(task);
}

TEST(Task, gives_its_value_to_the_one_that_awaits_it) {
  TaskGroup group;
  int result = 0;
  group.start(store(result, answer()));
  EXPECT_EQ(result, 42);
}

TEST(Task, a_hundred_thousand_awaits_do_not_use_up_the_stack) {
  TaskGroup group;
  int result = 0;
  group.start(store(result, sum_of(100'000)));
  EXPECT_EQ(result, 4'200'000);
}

TEST(Task, does_not_start_before_it_is_awaited) {
  bool started = false;
  const auto body = [](bool& flag) -> Task<void> {
    flag = true;
    co_return;
  };
  {
    const auto task = body(started);
    EXPECT_FALSE(started);
  }
  EXPECT_FALSE(started);
}

Task<void> locked_step(AsyncMutex& mutex, std::vector<int>& order, int number,
                       std::coroutine_handle<>& paused) {
  struct Pause {
    std::coroutine_handle<>& handle;
    [[nodiscard]] bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> h) const noexcept { handle = h; }
    void await_resume() const noexcept {}
  };
  const auto guard = co_await mutex.lock();
  order.push_back(number);
  co_await Pause{paused};
  order.push_back(number);
}

TEST(AsyncMutex, lets_one_in_at_a_time_in_the_order_of_asking) {
  AsyncMutex mutex;
  TaskGroup group;
  std::vector<int> order;
  std::coroutine_handle<> paused;
  for (int number = 1; number <= 3; ++number) {
    group.start(locked_step(mutex, order, number, paused));
  }
  while (group.running() > 0) {
    std::coroutine_handle<> next = paused;
    paused = nullptr;
    next.resume();
  }
  EXPECT_EQ(order, (std::vector<int>{1, 1, 2, 2, 3, 3}));
  EXPECT_FALSE(mutex.locked());
}

}  // namespace
}  // namespace millrace
