#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <coroutine>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

import millrace.runtime;

namespace millrace {
namespace {

using namespace std::chrono_literals;

class ThreadExecutorTest : public testing::Test {
 protected:
  SystemClock clock;
  std::unique_ptr<ThreadExecutor> executor = ThreadExecutor::make(clock).value();
};

Task<int> answer() {
  co_return 42;
}

TEST_F(ThreadExecutorTest, run_gives_what_the_task_gives) {
  EXPECT_EQ(executor->run(answer()), 42);
}

Task<void> yielding(Executor& executor, std::string& order, char name) {
  for (int i = 0; i < 3; ++i) {
    order += name;
    co_await yield(executor);
  }
}

TEST_F(ThreadExecutorTest, callbacks_run_in_the_order_of_posting) {
  std::string order;
  const auto both = [&]() -> Task<void> {
    TaskGroup group;
    group.start(yielding(*executor, order, 'a'));
    group.start(yielding(*executor, order, 'b'));
    co_await group.wait();
  };
  executor->run(both());
  EXPECT_EQ(order, "ababab");
}

Task<void> sleeping(Executor& executor, Duration duration, std::string& order, char name) {
  co_await sleep_until(executor, executor.clock().now() + duration);
  order += name;
}

TEST_F(ThreadExecutorTest, timers_come_in_the_order_of_their_times_and_not_early) {
  std::string order;
  const auto all = [&]() -> Task<void> {
    TaskGroup group;
    group.start(sleeping(*executor, 60ms, order, 'c'));
    group.start(sleeping(*executor, 20ms, order, 'a'));
    group.start(sleeping(*executor, 40ms, order, 'b'));
    co_await group.wait();
  };
  const MonotonicTime begin = clock.now();
  executor->run(all());
  EXPECT_EQ(order, "abc");
  EXPECT_GE(clock.now() - begin, Duration(60ms));
}

TEST_F(ThreadExecutorTest, it_sleeps_while_there_is_nothing_to_do) {
  std::string order;
  executor->run(sleeping(*executor, 50ms, order, 'a'));
  EXPECT_LT(executor->turns(), 10);
}

// Waits until it was sent `expected` times from other threads.
class Counter {
 public:
  struct Sent : Callback {
    explicit Sent(Counter& c)
        : Callback([](Callback& self) { static_cast<Sent&>(self).counter.arrive(); }), counter(c) {}
    Counter& counter;
  };

  explicit Counter(std::uint64_t expected) : expected_(expected) {}

  auto wait() {
    struct Awaiter {
      Counter& counter;
      [[nodiscard]] bool await_ready() const { return counter.expected_ == 0; }
      void await_suspend(std::coroutine_handle<> handle) const { counter.awaiting_ = handle; }
      void await_resume() const {}
    };
    return Awaiter{*this};
  }

 private:
  void arrive() {
    if (--expected_ == 0 && awaiting_) awaiting_.resume();
  }

  std::uint64_t expected_;
  std::coroutine_handle<> awaiting_;
};

TEST_F(ThreadExecutorTest, everything_that_other_threads_send_arrives) {
  constexpr std::size_t senders = 4;
  constexpr std::size_t each = 5000;
  Counter counter(senders * each);
  std::array<std::vector<std::unique_ptr<Counter::Sent>>, senders> sent;
  for (auto& row : sent) {
    for (std::size_t i = 0; i < each; ++i) row.push_back(std::make_unique<Counter::Sent>(counter));
  }
  std::vector<std::thread> threads;
  for (auto& row : sent) {
    threads.emplace_back([&row, this] {
      for (const auto& callback : row) executor->mailbox().send(*callback);
    });
  }
  const auto wait = [&]() -> Task<void> { co_await counter.wait(); };
  executor->run(wait());
  for (std::thread& thread : threads) thread.join();
}

TEST_F(ThreadExecutorTest, what_one_thread_sends_arrives_in_its_order) {
  struct Numbered : Callback {
    Numbered(std::vector<int>& o, int n)
        : Callback([](Callback& self) {
            auto& numbered = static_cast<Numbered&>(self);
            numbered.order.push_back(numbered.number);
          }),
          order(o),
          number(n) {}
    std::vector<int>& order;
    int number;
  };
  std::vector<int> order;
  std::vector<int> expected;
  std::vector<std::unique_ptr<Numbered>> callbacks;
  for (int i = 0; i < 1000; ++i) {
    callbacks.push_back(std::make_unique<Numbered>(order, i));
    expected.push_back(i);
  }
  Counter counter(1);
  Counter::Sent last(counter);
  std::thread sender([&] {
    for (const auto& callback : callbacks) executor->mailbox().send(*callback);
    executor->mailbox().send(last);
  });
  const auto wait = [&]() -> Task<void> { co_await counter.wait(); };
  executor->run(wait());
  sender.join();
  EXPECT_EQ(order, expected);
}

TEST_F(ThreadExecutorTest, what_was_posted_and_sent_is_called_before_it_ends) {
  Counter counter(3);  // one more than arrives: nobody waits
  Counter::Sent posted(counter);
  Counter::Sent sent(counter);
  executor->post(posted);
  executor->mailbox().send(sent);
  executor.reset();
  EXPECT_FALSE(counter.wait().await_ready());
  posted.call();
  EXPECT_TRUE(counter.wait().await_ready());
}

struct Reading : Watch {
  Reading(EventLoop& l, int d, Counter& c)
      : Watch([](Watch& self) { static_cast<Reading&>(self).read(); }),
        loop(l),
        descriptor(d),
        counter(c) {}

  void read() {
    std::uint64_t value = 0;
    ASSERT_EQ(::read(descriptor, &value, sizeof value), static_cast<ssize_t>(sizeof value));
    total += value;
    if (other != nullptr && other->active()) loop.unwatch(*other);
    arrived.call();
  }

  EventLoop& loop;
  int descriptor;
  Counter& counter;
  Counter::Sent arrived{counter};
  Reading* other = nullptr;
  std::uint64_t total = 0;
};

TEST_F(ThreadExecutorTest, a_watched_descriptor_is_called_when_it_has_something_to_read) {
  const int event = eventfd(0, EFD_CLOEXEC);
  Counter counter(1);
  Reading reading(*executor, event, counter);
  ASSERT_TRUE(executor->watch(reading, event));
  std::thread writer([event] {
    const std::uint64_t value = 7;
    EXPECT_EQ(::write(event, &value, sizeof value), static_cast<ssize_t>(sizeof value));
  });
  const auto wait = [&]() -> Task<void> { co_await counter.wait(); };
  executor->run(wait());
  writer.join();
  EXPECT_EQ(reading.total, 7);
  executor->unwatch(reading);
  EXPECT_FALSE(reading.active());
  ::close(event);
}

TEST_F(ThreadExecutorTest, a_watch_that_ends_in_the_same_turn_is_not_called) {
  const int one = eventfd(1, EFD_CLOEXEC);
  const int two = eventfd(1, EFD_CLOEXEC);
  Counter counter(1);
  Reading first(*executor, one, counter);
  Reading second(*executor, two, counter);
  first.other = &second;
  second.other = &first;
  ASSERT_TRUE(executor->watch(first, one));
  ASSERT_TRUE(executor->watch(second, two));
  const auto wait = [&]() -> Task<void> { co_await counter.wait(); };
  executor->run(wait());
  EXPECT_EQ(first.total + second.total, 1);
  EXPECT_NE(first.active(), second.active());
  if (first.active()) executor->unwatch(first);
  if (second.active()) executor->unwatch(second);
  ::close(one);
  ::close(two);
}

TEST_F(ThreadExecutorTest, a_descriptor_that_cannot_be_watched_is_an_error) {
  Counter counter(1);
  Reading reading(*executor, -1, counter);
  EXPECT_FALSE(executor->watch(reading, -1));
  EXPECT_FALSE(reading.active());
}

// In a process of its own, whose limit it is.
int make_without_descriptors() {
  const rlimit none{0, 0};
  if (::setrlimit(RLIMIT_NOFILE, &none) != 0) return 2;
  const SystemClock clock;
  const auto made = ThreadExecutor::make(clock);
  return !made && made.error().kind == ErrorKind::io ? 0 : 1;
}

#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || \
    __has_feature(undefined_behavior_sanitizer)
constexpr bool descriptors_can_be_taken_away = false;
#else
constexpr bool descriptors_can_be_taken_away = true;
#endif

TEST(ThreadExecutorDeathTest, it_does_not_start_without_descriptors) {
  if (!descriptors_can_be_taken_away)
    GTEST_SKIP() << "a sanitizer needs descriptors for its checks";
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(std::_Exit(make_without_descriptors()), testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace millrace
