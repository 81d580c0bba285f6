// How often the heap is asked for memory while records are sent and received: never for a record.
// Counted on each thread for itself.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <coroutine>
#include <cstdint>
#include <exception>
#include <string>
#include <utility>

#include "../../../modules/protocol/compression/heap_calls.h"
#include "millrace/consumer.hpp"
#include "millrace/producer.hpp"
#include "mock_cluster.hpp"

namespace {

using namespace millrace;
using namespace std::chrono_literals;
using compression_test::heap_calls;

constexpr std::uint64_t record_count = 50'000;
const std::string value(100, 'x');

class AllocationTest : public testing::Test {
 protected:
  AllocationTest() { cluster_.create_topic("orders"); }

  MockCluster cluster_;
};

TEST_F(AllocationTest, sending_a_record_takes_nothing_from_the_heap) {
  // So small that soon all of it is in use: 32 chunks.
  Producer producer({{"bootstrap.servers", cluster_.bootstrap()},
                     {"buffer.memory", "262144"},
                     {"linger.ms", "1"}});
  std::uint64_t outcomes = 0;
  std::uint64_t calls_first = 0;
  std::uint64_t calls_last = 0;
  // On the producer's thread.
  producer.on_delivery([&](std::uint64_t tag, const Result<Delivery>& outcome) {
    EXPECT_TRUE(outcome);
    if (tag == record_count) calls_first = heap_calls();
    calls_last = heap_calls();
    ++outcomes;
  });
  const auto calls_of_round = [&](std::uint64_t round) {
    const std::uint64_t before = heap_calls();
    for (std::uint64_t i = 0; i < record_count; ++i) {
      const auto taken = producer.post({.topic = "orders", .key = "key", .value = value},
                                       round * record_count + i);
      if (!taken) ADD_FAILURE() << taken.error().message();
    }
    return heap_calls() - before;
  };
  // How many are in use at once depends on how the threads take turns: a round that takes memory
  // leaves one more of them for the next, or a list that is long enough.
  constexpr std::uint64_t rounds_max = 40;
  calls_of_round(0);
  std::uint64_t rounds = 1;
  while (calls_of_round(rounds++) != 0)
    ASSERT_LT(rounds, rounds_max) << "each round takes memory on the thread that sends";
  ASSERT_TRUE(producer.close(60s));
  EXPECT_EQ(outcomes, rounds * record_count);
  // There it is a few for each request, of more than a hundred records each.
  EXPECT_GT(calls_first, 0U);
  EXPECT_LT((calls_last - calls_first) * 3, (rounds - 1) * record_count)
      << "on the thread of the producer";
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

struct Counted {
  std::uint64_t records = 0;
  std::uint64_t in_records = 0;  // calls while records were looked at
  std::uint64_t on_thread = 0;   // all calls of the consumer's thread
  std::atomic<bool> is_done = false;
};

Background count(Consumer& consumer, Counted& counted) {
  // Warm: connected, and on the thread of the consumer.
  auto batch = co_await consumer.next();
  const std::uint64_t first = heap_calls();
  while (counted.records < record_count - 5'000) {
    batch = co_await consumer.next();
    if (!batch) break;
    const std::uint64_t before = heap_calls();
    for (const auto& record : *batch)
      counted.records += record.value().size() == value.size() ? 1 : 0;
    counted.in_records += heap_calls() - before;
  }
  counted.on_thread = heap_calls() - first;
  counted.is_done = true;
  counted.is_done.notify_all();
}

TEST_F(AllocationTest, receiving_a_record_takes_nothing_from_the_heap) {
  {
    Producer producer({{"bootstrap.servers", cluster_.bootstrap()}});
    for (std::uint64_t i = 0; i < record_count; ++i)
      ASSERT_TRUE(producer.post({.topic = "orders", .value = value}));
  }
  Consumer consumer({{"bootstrap.servers", cluster_.bootstrap()},
                     {"auto.offset.reset", "earliest"},
                     {"max.poll.records", "500"}});
  ASSERT_TRUE(consumer.assign({{"orders", 0}}));
  Counted counted;
  count(consumer, counted);
  counted.is_done.wait(false);
  EXPECT_GE(counted.records, record_count - 5'000);
  EXPECT_EQ(counted.in_records, 0U);
  // There it is a few for each poll, of up to 500 records each.
  EXPECT_LT(counted.on_thread * 3, counted.records);
}

}  // namespace
