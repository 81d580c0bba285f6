#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <coroutine>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

import millrace.runtime.shard;

namespace millrace {
namespace {

using namespace std::chrono_literals;

class ShardLoopTest : public testing::Test {
 protected:
  SystemClock clock;
  std::unique_ptr<ShardLoop> loop = ShardLoop::make(clock).value();
};

// Resumes who waits for it once it has arrived `expected` times on the thread of the loop.
class Arrival {
 public:
  struct Sent : Callback {
    explicit Sent(Arrival& a)
        : Callback([](Callback& self) { static_cast<Sent&>(self).arrival.count(); }), arrival(a) {}
    Arrival& arrival;
  };

  explicit Arrival(std::uint64_t expected) : expected_(expected) {}
  void count() {
    ++counted;
    counted.notify_all();
    if (--expected_ == 0 && awaiting_) awaiting_.resume();
  }
  auto wait() {
    struct Awaiter {
      Arrival& arrival;
      [[nodiscard]] bool await_ready() const { return arrival.expected_ == 0; }
      void await_suspend(std::coroutine_handle<> handle) const { arrival.awaiting_ = handle; }
      void await_resume() const {}
    };
    return Awaiter{*this};
  }
  Task<void> come() { co_await wait(); }

  std::atomic<std::uint64_t> counted = 0;  // for other threads

 private:
  std::uint64_t expected_;
  std::coroutine_handle<> awaiting_;
};

Task<void> yielding(Executor& executor, std::string& order, char name) {
  for (int i = 0; i < 3; ++i) {
    order += name;
    co_await yield(executor);
  }
}

TEST_F(ShardLoopTest, callbacks_run_in_the_order_of_posting) {
  std::string order;
  const auto both = [&]() -> Task<void> {
    TaskGroup group;
    group.start(yielding(*loop, order, 'a'));
    group.start(yielding(*loop, order, 'b'));
    co_await group.wait();
  };
  loop->run(both());
  EXPECT_EQ(order, "ababab");
}

Task<void> sleeping(Executor& executor, Duration duration, std::string& order, char name) {
  co_await sleep_until(executor, executor.clock().now() + duration);
  order += name;
}

TEST_F(ShardLoopTest, timers_come_in_the_order_of_their_times_and_not_early) {
  std::string order;
  const auto all = [&]() -> Task<void> {
    TaskGroup group;
    group.start(sleeping(*loop, 30ms, order, 'c'));
    group.start(sleeping(*loop, 10ms, order, 'a'));
    group.start(sleeping(*loop, 20ms, order, 'b'));
    co_await group.wait();
  };
  const MonotonicTime begin = clock.now();
  loop->run(all());
  EXPECT_EQ(order, "abc");
  EXPECT_GE(clock.now() - begin, Duration(30ms));
}

TEST_F(ShardLoopTest, it_sleeps_while_there_is_nothing_to_do) {
  std::string order;
  loop->run(sleeping(*loop, 50ms, order, 'a'));
  EXPECT_LT(loop->turns(), 10);
}

TEST_F(ShardLoopTest, a_timer_comes_while_callbacks_never_end) {
  bool ended = false;
  const auto busy = [&]() -> Task<void> {
    while (!ended) co_await yield(*loop);
  };
  const auto timed = [&]() -> Task<void> {
    co_await sleep_until(*loop, clock.now() + 5ms);
    ended = true;
  };
  const auto both = [&]() -> Task<void> {
    TaskGroup group;
    group.start(busy());
    group.start(timed());
    co_await group.wait();
  };
  loop->run(both());
}

TEST_F(ShardLoopTest, everything_that_other_threads_send_arrives) {
  constexpr std::size_t senders = 4;
  constexpr std::size_t each = 5000;
  Arrival arrival(senders * each);
  std::array<std::vector<std::unique_ptr<Arrival::Sent>>, senders> sent;
  for (auto& row : sent) {
    for (std::size_t i = 0; i < each; ++i) row.push_back(std::make_unique<Arrival::Sent>(arrival));
  }
  std::vector<std::thread> threads;
  for (auto& row : sent) {
    threads.emplace_back([&row, this] {
      for (const auto& callback : row) loop->mailbox().send(*callback);
    });
  }
  loop->run(arrival.come());
  for (std::thread& thread : threads) thread.join();
}

TEST_F(ShardLoopTest, what_one_thread_sends_arrives_in_its_order) {
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
  Arrival arrival(1);
  Arrival::Sent last(arrival);
  std::thread sender([&] {
    for (const auto& callback : callbacks) loop->mailbox().send(*callback);
    loop->mailbox().send(last);
  });
  loop->run(arrival.come());
  sender.join();
  EXPECT_EQ(order, expected);
}

TEST_F(ShardLoopTest, a_flood_of_messages_is_spread_over_turns) {
  constexpr std::size_t count = 10 * callbacks_per_turn_max;
  Arrival arrival(count);
  std::vector<std::unique_ptr<Arrival::Sent>> sent;
  for (std::size_t i = 0; i < count; ++i) {
    sent.push_back(std::make_unique<Arrival::Sent>(arrival));
    loop->mailbox().send(*sent.back());
  }
  loop->run(arrival.come());
  EXPECT_GE(loop->turns(), 10);
}

TEST_F(ShardLoopTest, what_was_posted_and_sent_is_called_before_it_ends) {
  Arrival arrival(2);
  Arrival::Sent posted(arrival);
  Arrival::Sent sent(arrival);
  loop->post(posted);
  loop->mailbox().send(sent);
  loop.reset();
  EXPECT_TRUE(arrival.wait().await_ready());
}

TEST_F(ShardLoopTest, tells_its_meter_of_each_turn) {
  telemetry::Registry registry(1);
  telemetry::StallMeter meter(
      telemetry::StallMetrics::create(registry, telemetry::ShardIndex{0}).value(), 10ms);
  const auto metered = ShardLoop::make(clock, &meter).value();
  const auto stalling = [&]() -> Task<void> {
    co_await yield(*metered);
    std::this_thread::sleep_for(30ms);
    co_await yield(*metered);
  };
  metered->run(stalling());
  EXPECT_GE(meter.longest(), Duration(30ms));
  EXPECT_GE(meter.stalls(), 1);
  EXPECT_EQ(meter.turn_running_for(clock.now()), Duration::zero());
}

// Stands still but for set().
class SteppedClock final : public Clock {
 public:
  [[nodiscard]] Timestamp wall_now() const override { return Timestamp{0}; }
  [[nodiscard]] MonotonicTime now() const override { return now_.load(); }
  void set(MonotonicTime now) { now_ = now; }

 private:
  std::atomic<MonotonicTime> now_{MonotonicTime{}};
};

TEST_F(ShardLoopTest, time_without_work_is_no_turn) {
  SteppedClock stepped;
  telemetry::Registry registry(1);
  telemetry::StallMeter meter(
      telemetry::StallMetrics::create(registry, telemetry::ShardIndex{0}).value());
  const auto metered = ShardLoop::make(stepped, &meter).value();
  Arrival arrival(2);
  Arrival::Sent first(arrival);
  Arrival::Sent second(arrival);
  std::thread other([&] {
    metered->mailbox().send(first);
    const MonotonicTime later = MonotonicTime{} + 1h;
    arrival.counted.wait(0);
    while (meter.turn_running_for(later) > Duration::zero()) std::this_thread::yield();
    stepped.set(later);
    metered->mailbox().send(second);
  });
  metered->run(arrival.come());
  other.join();
  EXPECT_EQ(meter.longest(), Duration::zero());
}

struct Reading : Watch {
  Reading(EventLoop& l, int d, Arrival& a)
      : Watch([](Watch& self) { static_cast<Reading&>(self).read(); }),
        loop(l),
        descriptor(d),
        arrival(a) {}

  void read() {
    std::uint64_t value = 0;
    ASSERT_EQ(::read(descriptor, &value, sizeof value), static_cast<ssize_t>(sizeof value));
    total += value;
    if (other != nullptr && other->active()) loop.unwatch(*other);
    arrival.count();
  }

  EventLoop& loop;
  int descriptor;
  Arrival& arrival;
  Reading* other = nullptr;
  std::uint64_t total = 0;
};

TEST_F(ShardLoopTest, a_watched_descriptor_is_called_when_it_has_something_to_read) {
  const int event = eventfd(0, EFD_CLOEXEC);
  Arrival arrival(1);
  Reading reading(*loop, event, arrival);
  ASSERT_TRUE(loop->watch(reading, event));
  std::thread writer([event] {
    const std::uint64_t value = 7;
    EXPECT_EQ(::write(event, &value, sizeof value), static_cast<ssize_t>(sizeof value));
  });
  loop->run(arrival.come());
  writer.join();
  EXPECT_EQ(reading.total, 7);
  loop->unwatch(reading);
  EXPECT_FALSE(reading.active());
  ::close(event);
}

TEST_F(ShardLoopTest, a_watch_that_ends_in_the_same_turn_is_not_called) {
  const int one = eventfd(1, EFD_CLOEXEC);
  const int two = eventfd(1, EFD_CLOEXEC);
  Arrival arrival(1);
  Reading first(*loop, one, arrival);
  Reading second(*loop, two, arrival);
  first.other = &second;
  second.other = &first;
  ASSERT_TRUE(loop->watch(first, one));
  ASSERT_TRUE(loop->watch(second, two));
  loop->run(arrival.come());
  EXPECT_EQ(first.total + second.total, 1);
  EXPECT_NE(first.active(), second.active());
  if (first.active()) loop->unwatch(first);
  if (second.active()) loop->unwatch(second);
  ::close(one);
  ::close(two);
}

TEST_F(ShardLoopTest, a_descriptor_that_cannot_be_watched_is_an_error) {
  Arrival arrival(1);
  Reading reading(*loop, -1, arrival);
  EXPECT_FALSE(loop->watch(reading, -1));
  EXPECT_FALSE(reading.active());
  SocketWatch socket([](SocketWatch&, SocketWatch::Ready) {});
  EXPECT_FALSE(loop->watch(socket, -1));
  EXPECT_FALSE(socket.active());
}

struct Noting : SocketWatch {
  explicit Noting(Arrival& a)
      : SocketWatch([](SocketWatch& self, Ready ready) {
          auto& noting = static_cast<Noting&>(self);
          noting.to_read += ready.to_read ? 1 : 0;
          noting.to_write += ready.to_write ? 1 : 0;
          noting.is_ended = ready.is_ended;
          noting.arrival->count();
        }),
        arrival(&a) {}
  Arrival* arrival;
  int to_read = 0;
  int to_write = 0;
  bool is_ended = false;
};

TEST_F(ShardLoopTest, a_socket_is_told_once_for_each_change) {
  std::array<int, 2> pair{};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair.data()), 0);
  Arrival writable(1);
  Noting noting(writable);
  ASSERT_TRUE(loop->watch(noting, pair[0]));
  loop->run(writable.come());
  EXPECT_EQ(noting.to_read, 0);
  EXPECT_EQ(noting.to_write, 1);

  Arrival readable(1);
  noting.arrival = &readable;
  ASSERT_EQ(::write(pair[1], "x", 1), 1);
  loop->run(readable.come());
  EXPECT_EQ(noting.to_read, 1);
  // The byte is still there; nothing changes, nothing is told.
  const auto two_turns = [&]() -> Task<void> {
    co_await yield(*loop);
    co_await yield(*loop);
  };
  loop->run(two_turns());
  EXPECT_EQ(noting.to_read, 1);

  Arrival ended(1);
  noting.arrival = &ended;
  ::close(pair[1]);
  loop->run(ended.come());
  EXPECT_EQ(noting.to_read, 2);
  EXPECT_TRUE(noting.is_ended);
  loop->unwatch(noting);
  ::close(pair[0]);
}

}  // namespace
}  // namespace millrace
