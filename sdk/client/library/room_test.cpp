// A producer whose buffer is full and who tells when there is room, against a cluster of the
// process.
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "millrace/event_queue.hpp"
#include "millrace/producer.hpp"
#include "mock_cluster.hpp"

namespace {

using namespace millrace;
using namespace std::chrono_literals;

bool is_full(const Error& error) {
  return error.origin() == Origin::client && error.is_retriable();
}

class RoomTest : public testing::Test {
 protected:
  RoomTest() { cluster_.create_topic("orders"); }

  // Room for some sixty records.
  Config config() const {
    return {{"bootstrap.servers", cluster_.bootstrap()}, {"buffer.memory", "65536"}};
  }
  // The topic is known then: a record is refused for want of room only.
  static void load(Producer& producer) { ASSERT_TRUE(producer.partition_count("orders", 30s)); }
  // Gives how many records were taken.
  std::size_t fill(Producer& producer) const {
    for (std::size_t taken = 0;; ++taken) {
      const auto posted = producer.post(record_, 0, WhenFull::fail);
      if (posted) continue;
      EXPECT_TRUE(is_full(posted.error())) << posted.error().message();
      return taken;
    }
  }

  MockCluster cluster_;
  const ClientOptions quiet_{.log = [](LogLevel, std::string_view, std::string_view) {}};
  const std::string value_ = std::string(1'000, 'x');
  const Record record_{.topic = "orders", .value = value_};
};

// Posts as a program does that never waits: what is refused goes when there is room for it.
class Pump {
 public:
  Pump(Producer& producer, const Record& record, int count)
      : producer_(producer), record_(record), count_(count) {}

  void run() {
    while (next_ < count_) {
      const auto posted =
          producer_.post(record_, static_cast<std::uint64_t>(next_), WhenFull::fail);
      if (posted) {
        ++next_;
        continue;
      }
      ASSERT_TRUE(is_full(posted.error())) << posted.error().message();
      ++refused_;
      producer_.when_room(record_).then([this](const Result<void>& room) {
        ASSERT_TRUE(room) << room.error().message();
        run();
      });
      return;
    }
    is_over_ = true;
    is_over_.notify_all();
  }
  void wait() const { is_over_.wait(false); }
  bool is_over() const { return is_over_; }
  int refused() const { return refused_; }

 private:
  Producer& producer_;
  const Record record_;
  const int count_;
  int next_ = 0;
  int refused_ = 0;
  std::atomic<bool> is_over_ = false;
};

TEST_F(RoomTest, lets_a_program_send_more_than_the_buffer_holds_and_never_wait) {
  constexpr int count = 20'000;
  std::vector<int> told(count);
  {
    Producer producer(config());
    producer.on_delivery([&](std::uint64_t tag, const Result<Delivery>& outcome) {
      told[tag] += outcome ? 1 : 1000;
    });
    load(producer);
    Pump pump(producer, record_, count);
    pump.run();
    pump.wait();
    EXPECT_GT(pump.refused(), 0) << "the buffer was never full";
    ASSERT_TRUE(producer.flush(1min));
  }
  EXPECT_EQ(told, std::vector<int>(count, 1));
  EXPECT_EQ(cluster_.records("orders").size(), static_cast<std::size_t>(count));
}

TEST_F(RoomTest, is_for_threads_too) {
  constexpr int per_thread = 2'000;
  Producer producer(config());
  load(producer);
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 3; ++thread)
    threads.emplace_back([&] {
      for (int sent = 0; sent < per_thread;) {
        const auto posted = producer.post(record_, 0, WhenFull::fail);
        if (posted)
          ++sent;
        else
          ASSERT_TRUE(producer.when_room(record_).get());
      }
    });
  for (std::thread& thread : threads) thread.join();
  ASSERT_TRUE(producer.flush(1min));
  EXPECT_EQ(cluster_.records("orders").size(), std::size_t{3} * per_thread);
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

Background send_all(Producer& producer, Record record, int count, std::atomic<int>& sent) {
  while (sent < count) {
    const auto room = co_await producer.when_room(record);
    EXPECT_TRUE(room);
    if (!room) break;
    if (producer.post(record, 0, WhenFull::fail)) ++sent;
  }
  sent.notify_all();
}

TEST_F(RoomTest, is_awaited_by_coroutines) {
  constexpr int count = 2'000;
  Producer producer(config());
  load(producer);
  std::atomic<int> sent = 0;
  send_all(producer, record_, count, sent);
  for (int seen = sent; seen < count; seen = sent) sent.wait(seen);
  ASSERT_TRUE(producer.flush(1min));
  EXPECT_EQ(cluster_.records("orders").size(), static_cast<std::size_t>(count));
}

TEST_F(RoomTest, is_told_where_events_are_dispatched) {
  const auto queue = std::make_shared<EventQueue>();
  const std::thread::id self = std::this_thread::get_id();
  Producer producer(config(), {.events = queue});
  int delivered = 0;
  producer.on_delivery([&](std::uint64_t, const Result<Delivery>& outcome) {
    EXPECT_EQ(std::this_thread::get_id(), self);
    delivered += outcome ? 1 : 1'000'000;
  });
  load(producer);
  constexpr int count = 5'000;
  Pump pump(producer, record_, count);
  pump.run();
  pollfd watched{queue->event_fd(), POLLIN, 0};
  while (!pump.is_over() || delivered < count) {
    ASSERT_EQ(::poll(&watched, 1, 30'000), 1) << delivered;
    queue->dispatch();
  }
  EXPECT_GT(pump.refused(), 0);
  EXPECT_EQ(delivered, count);
}

TEST_F(RoomTest, does_not_come_before_the_broker_answers_and_ends_with_the_producer) {
  Producer producer(config(), quiet_);
  load(producer);
  cluster_.silence_produce();
  ASSERT_GT(fill(producer), 0U);
  std::atomic<int> told = 0;
  producer.when_room(record_).then([&](const Result<void>& room) {
    EXPECT_FALSE(room);
    // Who is told may ask again, and hears so at once.
    auto again = producer.when_room(record_);
    EXPECT_TRUE(again.is_ready());
    ++told;
  });
  auto waiting = producer.when_room(record_);
  EXPECT_FALSE(waiting.wait_for(50ms));
  EXPECT_EQ(told, 0);
  EXPECT_FALSE(producer.close(10ms)) << "the records could not be sent";
  EXPECT_EQ(told, 1);
  const auto ended = waiting.get();
  ASSERT_FALSE(ended);
  EXPECT_TRUE(ended.error().is_fatal());
  const auto later = producer.when_room(record_).get();
  ASSERT_FALSE(later);
  EXPECT_TRUE(later.error().is_fatal());
}

TEST_F(RoomTest, bounds_who_waits_and_refuses_what_never_has_room) {
  Producer producer(config(), quiet_);
  load(producer);
  cluster_.silence_produce();
  const std::string large(100'000, 'x');
  const auto never = producer.when_room({.topic = "orders", .value = large}).get();
  ASSERT_FALSE(never);
  EXPECT_EQ(never.error().code(), ErrorCode::message_too_large);
  EXPECT_FALSE(never.error().is_retriable());
  fill(producer);
  std::atomic<std::size_t> told = 0;
  for (std::size_t i = 0; i < Producer::room_waiting_max; ++i)
    producer.when_room(record_).then([&](const Result<void>& room) { told += room ? 0 : 1; });
  const auto refused = producer.when_room(record_).get();
  ASSERT_FALSE(refused);
  EXPECT_TRUE(is_full(refused.error())) << refused.error().message();
  EXPECT_FALSE(producer.close(10ms));
  EXPECT_EQ(told, Producer::room_waiting_max);
}

TEST_F(RoomTest, is_not_waited_for_in_a_forked_process) {
  Producer producer(config(), quiet_);
  load(producer);
  const pid_t child = ::fork();
  if (child == 0) ::_exit(producer.when_room(record_).get() ? 1 : 0);
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  EXPECT_TRUE(producer.when_room(record_).get());
}

}  // namespace
