// Clients in loops of the application, against a cluster of the process. Also proves
// event_descriptor.hpp.
#include "millrace/event_queue.hpp"

#include <gtest/gtest.h>
#include <poll.h>

#include <atomic>
#include <chrono>
#include <coroutine>
#include <cstdint>
#include <exception>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "millrace/consumer.hpp"
#include "millrace/future.hpp"
#include "millrace/producer.hpp"
#include "mock_cluster.hpp"

namespace {

using namespace millrace;
using namespace std::chrono_literals;

bool is_readable(int descriptor, std::chrono::milliseconds time = 0ms) {
  pollfd watched{descriptor, POLLIN, 0};
  return ::poll(&watched, 1, static_cast<int>(time.count())) == 1;
}

// Dispatches until so much has happened.
template <class Count>
void dispatch_until(EventQueue& queue, const Count& count, int wanted) {
  while (count < wanted) {
    ASSERT_TRUE(is_readable(queue.event_fd(), 30s)) << count << " of " << wanted;
    EXPECT_GT(queue.dispatch(), 0U);
  }
}

using Promise = millrace::v1::detail::Promise<int>;

TEST(EventQueue, calls_what_was_attached_in_order_when_it_is_dispatched) {
  const auto queue = std::make_shared<EventQueue>();
  EXPECT_EQ(queue->dispatch(), 0U);
  std::vector<int> called;
  std::vector<Promise> promises(3);
  for (Promise& promise : promises) {
    promise.complete_on(queue);
    promise.future().then([&](int value) { called.push_back(value); });
  }
  for (int i = 0; i < 3; ++i) promises[static_cast<std::size_t>(i)].set(i);
  EXPECT_TRUE(called.empty());
  EXPECT_EQ(queue->waiting(), 3U);
  EXPECT_TRUE(is_readable(queue->event_fd()));
  EXPECT_EQ(queue->dispatch(), 3U);
  EXPECT_EQ(called, (std::vector{0, 1, 2}));
  EXPECT_FALSE(is_readable(queue->event_fd()));
}

TEST(EventQueue, leaves_what_comes_meanwhile_for_the_next_time) {
  const auto queue = std::make_shared<EventQueue>();
  Promise second;
  second.complete_on(queue);
  int called = 0;
  second.future().then([&](int) { ++called; });
  Promise first;
  first.complete_on(queue);
  first.future().then([&](int) {
    ++called;
    second.set(2);
  });
  first.set(1);
  EXPECT_EQ(queue->dispatch(), 1U);
  EXPECT_EQ(called, 1);
  EXPECT_TRUE(is_readable(queue->event_fd()));
  EXPECT_EQ(queue->dispatch(), 1U);
  EXPECT_EQ(called, 2);
}

TEST(EventQueue, that_ends_calls_and_keeps_nothing) {
  const auto token = std::make_shared<int>(1);
  {
    const auto queue = std::make_shared<EventQueue>();
    Promise promise;
    promise.complete_on(queue);
    promise.future().then([token](int) { FAIL() << "called after its end"; });
    promise.set(1);
  }
  EXPECT_EQ(token.use_count(), 1);
}

TEST(EventQueue, does_not_hold_up_who_waits_for_a_future) {
  const auto queue = std::make_shared<EventQueue>();
  Promise promise;
  promise.complete_on(queue);
  Future<int> future = promise.future();
  promise.set(4);
  EXPECT_EQ(future.get(), 4);
  EXPECT_EQ(queue->waiting(), 0U);
}

class LoopTest : public testing::Test {
 protected:
  LoopTest() { cluster_.create_topic("orders"); }

  Config config() const { return {{"bootstrap.servers", cluster_.bootstrap()}}; }
  Config consumer_config() const {
    return config() + Config{{"group.id", "billing"}, {"auto.offset.reset", "earliest"}};
  }
  ClientOptions options() const { return {.events = queue_}; }

  MockCluster cluster_;
  const std::shared_ptr<EventQueue> queue_ = std::make_shared<EventQueue>();
  const std::thread::id self_ = std::this_thread::get_id();
};

TEST_F(LoopTest, outcomes_come_to_the_thread_that_dispatches) {
  Producer producer(config(), options());
  int functions = 0;
  int handled = 0;
  producer.on_delivery([&](std::uint64_t tag, const Result<Delivery>& outcome) {
    EXPECT_EQ(std::this_thread::get_id(), self_);
    EXPECT_TRUE(outcome);
    EXPECT_EQ(tag, static_cast<std::uint64_t>(handled));
    ++handled;
  });
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(producer.post({.topic = "orders", .value = "x"}, static_cast<std::uint64_t>(i)));
    producer.send({.topic = "orders", .value = "x"}, [&](const Result<Delivery>& outcome) {
      EXPECT_EQ(std::this_thread::get_id(), self_);
      EXPECT_TRUE(outcome);
      // Waiting is allowed: this is no thread of the client.
      EXPECT_TRUE(producer.partition_count("orders", 10s));
      ++functions;
    });
  }
  dispatch_until(*queue_, functions, 100);
  dispatch_until(*queue_, handled, 100);
  EXPECT_EQ(queue_->waiting(), 0U);
}

TEST_F(LoopTest, outcomes_of_a_producer_that_has_ended_are_still_told) {
  int told = 0;
  {
    Producer producer(config(), options());
    producer.on_delivery([&](std::uint64_t, const Result<Delivery>&) { ++told; });
    for (int i = 0; i < 10; ++i) ASSERT_TRUE(producer.post({.topic = "orders", .value = "x"}));
  }
  EXPECT_EQ(told, 0);
  EXPECT_EQ(queue_->dispatch(), 10U);
  EXPECT_EQ(told, 10);
}

// The smallest coroutine.
struct Background {
  struct promise_type {
    Background get_return_object() { return {}; }
    std::suspend_never initial_suspend() noexcept { return {}; }
    std::suspend_never final_suspend() noexcept { return {}; }
    void return_void() {}
    void unhandled_exception() { std::terminate(); }
  };
};

Background copy(Consumer& consumer, Producer& producer, int& copied, std::thread::id on) {
  while (copied < 10) {
    auto batch = co_await consumer.next();
    EXPECT_EQ(std::this_thread::get_id(), on);
    if (!batch) break;
    for (const auto& record : *batch) {
      const auto sent = co_await producer.send({.topic = "copies", .value = record.value()});
      EXPECT_EQ(std::this_thread::get_id(), on);
      EXPECT_TRUE(sent);
      ++copied;
    }
  }
}

TEST_F(LoopTest, coroutines_go_on_where_it_is_dispatched) {
  cluster_.create_topic("copies");
  Producer producer(config(), options());
  Consumer consumer(consumer_config(), options());
  ASSERT_TRUE(consumer.subscribe({"orders"}));
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(producer.send({.topic = "orders", .value = "x"}).get());
  int copied = 0;
  copy(consumer, producer, copied, self_);
  dispatch_until(*queue_, copied, 10);
  EXPECT_EQ(cluster_.records("copies").size(), 10U);
}

TEST_F(LoopTest, a_consumer_is_readable_while_a_poll_would_not_wait) {
  Consumer consumer(consumer_config());
  ASSERT_TRUE(consumer.assign({{"orders", 0}}));
  const auto descriptor = consumer.event_fd();
  ASSERT_TRUE(descriptor) << descriptor.error().message();
  EXPECT_EQ(consumer.event_fd().value(), *descriptor);
  // The first poll may be due at once.
  ASSERT_TRUE(consumer.poll(0ms));
  EXPECT_FALSE(is_readable(*descriptor));
  {
    Producer producer(config());
    for (int i = 0; i < 10; ++i) ASSERT_TRUE(producer.post({.topic = "orders", .value = "x"}));
  }
  std::size_t count = 0;
  while (count < 10) {
    ASSERT_TRUE(is_readable(*descriptor, 30s));
    const auto batch = consumer.poll(0ms);
    ASSERT_TRUE(batch) << batch.error().message();
    count += batch->size();
  }
  EXPECT_FALSE(is_readable(*descriptor));
  ASSERT_TRUE(consumer.wake());
  EXPECT_TRUE(is_readable(*descriptor, 30s));
  EXPECT_FALSE(consumer.poll(0ms));
  EXPECT_FALSE(is_readable(*descriptor));
  ASSERT_TRUE(consumer.close());
  EXPECT_TRUE(is_readable(*descriptor, 30s));
}

}  // namespace
