// Also proves partition.cpp, partition.cppm, topics.cpp, topics.cppm, delivery.cppm.
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "../../../modules/protocol/compression/heap_calls.h"

import millrace.base;
import millrace.client.core;
import millrace.client.producer;
import millrace.protocol.batch;

namespace millrace::client {
namespace {

using namespace std::chrono_literals;

class CountingWaker final : public Waker {
 public:
  void wake() override { ++wakes; }
  std::atomic<int> wakes = 0;
};

class NoSink final : public DeliverySink {
 public:
  void delivered(std::uint64_t, const DeliveryReport&) noexcept override {}
};

// The tokens that were told, in order.
class RoomTokens final : public RoomSink {
 public:
  void room(std::uint64_t token, const ClientError* error) noexcept override {
    (error == nullptr ? told : refused).push_back(token);
  }
  std::vector<std::uint64_t> told;
  std::vector<std::uint64_t> refused;
};

class AccumulatorTest : public testing::Test {
 protected:
  void start(std::int32_t partitions = 1) { start(partitions, clock); }
  void start(std::int32_t partitions, const Clock& by) {
    accumulator = std::make_unique<Accumulator>(settings, by, waker, 1);
    accumulator->topics.find_or_add("orders")->set_partition_count(partitions);
  }
  void TearDown() override {
    if (!accumulator) return;
    for (Topic* topic : accumulator->topics.all()) {
      for (std::int32_t i = 0; i < topic->partition_count(); ++i) {
        static_cast<void>(drain(topic->partition(PartitionIndex(i))));
      }
    }
    EXPECT_EQ(accumulator->pool.used_bytes(), 0u);
  }

  ClientResult<void> add(std::string_view value, FullBuffer when_full = FullBuffer::fail,
                         std::uint64_t token = 0) {
    return accumulator->add({.topic = "orders", .value = as_bytes(value)}, &sink, token, when_full);
  }
  ClientResult<void> when_room(std::size_t bytes, std::uint64_t token = 0) {
    const std::string value(bytes, 'x');
    return accumulator->when_room({.topic = "orders", .value = as_bytes(value)}, rooms, token);
  }
  Partition& partition(std::int32_t index = 0) {
    return accumulator->topics.find("orders")->partition(PartitionIndex(index));
  }
  // The tokens of all that waits, in order; the memory goes back.
  std::vector<std::uint64_t> drain(Partition& from) {
    std::vector<std::uint64_t> tokens;
    BatchList batches;
    from.take(batches, true);
    while (Batch* batch = batches.pop()) {
      batch->for_each_receipt([&](const Receipt& receipt) { tokens.push_back(receipt.token); });
      ChunkList chunks;
      Batch::end(batch, chunks);
      accumulator->pool.give_back(chunks);
    }
    return tokens;
  }

  ProducerSettings settings;
  SystemClock clock;
  CountingWaker waker;
  NoSink sink;
  RoomTokens rooms;
  std::unique_ptr<Accumulator> accumulator;
};

TEST_F(AccumulatorTest, takes_nothing_from_the_heap_for_a_record) {
  start(3);
  const std::string value(100, 'x');
  const std::vector<HeaderView> headers = {{"trace", as_bytes("1234")}};
  const auto add_many = [&](std::uint64_t count) {
    for (std::uint64_t i = 0; i < count; ++i) {
      const RecordToSend record{.topic = "orders",
                                .key = i % 2 == 0 ? std::optional(as_bytes("alice")) : std::nullopt,
                                .value = as_bytes(value),
                                .headers = headers};
      ASSERT_TRUE(accumulator->add(record, &sink, i, FullBuffer::fail));
    }
  };
  const auto clear = [&] {
    std::vector<Partition*> news;
    std::vector<Topic*> wanted;
    accumulator->take_news(news, wanted);
    for (std::int32_t i = 0; i < 3; ++i) {
      static_cast<void>(partition(i).look());
      static_cast<void>(drain(partition(i)));
    }
  };
  // Takes what the batches of the second half need.
  add_many(30'000);
  clear();
  const std::uint64_t before = compression_test::heap_calls();
  add_many(20'000);
  // The list of partitions with news is the one thing that may grow: it has three.
  EXPECT_LE(compression_test::heap_calls() - before, 3u);
}

TEST_F(AccumulatorTest, threads_share_partitions_and_no_record_is_lost_or_moved) {
  settings.batch_size = 1000;
  start(2);
  constexpr std::uint64_t per_thread = 20'000;
  std::vector<std::thread> threads;
  for (std::uint64_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (std::uint64_t i = 0; i < per_thread; ++i) {
        const std::string value(i % 50, 'x');
        ASSERT_TRUE(accumulator->add({.topic = "orders",
                                      .partition = PartitionIndex(static_cast<int>(t % 2)),
                                      .value = as_bytes(value)},
                                     &sink, t << 32 | i, FullBuffer::wait));
      }
    });
  }
  std::map<std::uint64_t, std::uint64_t> next;
  std::uint64_t seen = 0;
  while (seen < 4 * per_thread) {
    for (std::int32_t i = 0; i < 2; ++i) {
      for (const std::uint64_t token : drain(partition(i))) {
        ASSERT_EQ(token & 0xffff'ffff, next[token >> 32]++);
        ++seen;
      }
    }
  }
  for (std::thread& thread : threads) thread.join();
}

TEST_F(AccumulatorTest, never_passes_its_memory_and_says_so) {
  settings.buffer_memory = 10 * chunk_bytes;
  start();
  const std::string value(5'000, 'x');
  std::optional<ClientError> refused;
  for (int i = 0; i < 100 && !refused; ++i) {
    if (auto added = add(value); !added) refused = added.error();
  }
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->failure, Failure::buffer_full);
  EXPECT_EQ(refused->persistence, Persistence::not_persisted);
  EXPECT_LE(accumulator->pool.used_bytes_peak(), settings.buffer_memory);
  EXPECT_EQ(accumulator->pool.used_bytes(), 10 * chunk_bytes);
}

TEST_F(AccumulatorTest, waits_for_memory_as_long_as_it_may) {
  settings.buffer_memory = chunk_bytes;
  settings.max_block = 1ms;
  start();
  const std::string value(5'000, 'x');
  ASSERT_TRUE(add(value, FullBuffer::wait));
  const auto late = add(value, FullBuffer::wait);
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().failure, Failure::buffer_full);
  EXPECT_EQ(late.error().message,
            formatted("no room for a record of topic orders: buffer.memory ({} bytes) is full and "
                      "stayed so for max.block.ms",
                      chunk_bytes));
  // Who waited is not waiting any more.
  EXPECT_EQ(accumulator->pool.waiting(), 0u);
}

TEST_F(AccumulatorTest, who_waits_goes_on_when_memory_comes_back) {
  settings.buffer_memory = chunk_bytes;
  settings.max_block = 1h;
  start();
  const std::string value(5'000, 'x');
  ASSERT_TRUE(add(value, FullBuffer::wait, 1));
  std::thread waiter([&] { EXPECT_TRUE(add(value, FullBuffer::wait, 2)); });
  while (accumulator->pool.waiting() == 0) std::this_thread::yield();
  EXPECT_EQ(drain(partition()), std::vector<std::uint64_t>{1});
  waiter.join();
  EXPECT_EQ(drain(partition()), std::vector<std::uint64_t>{2});
}

TEST_F(AccumulatorTest, tells_of_room_once_when_memory_comes_back) {
  settings.buffer_memory = chunk_bytes;
  start();
  ASSERT_TRUE(add(std::string(5'000, 'x')));
  ASSERT_FALSE(add(std::string(5'000, 'x')));
  ASSERT_TRUE(when_room(5'000, 7));
  accumulator->tell_room();
  EXPECT_TRUE(rooms.told.empty());
  const int before = waker.wakes;
  static_cast<void>(drain(partition()));
  EXPECT_GT(waker.wakes, before) << "the client's thread is not told of the room";
  for (int i = 0; i < 2; ++i) accumulator->tell_room();
  EXPECT_EQ(rooms.told, std::vector<std::uint64_t>{7});
  EXPECT_FALSE(accumulator->pool.is_watched());
  EXPECT_TRUE(add(std::string(5'000, 'x')));
}

TEST_F(AccumulatorTest, tells_of_room_that_came_before_it_was_asked_for) {
  settings.buffer_memory = chunk_bytes;
  start();
  ASSERT_TRUE(add(std::string(5'000, 'x')));
  ASSERT_FALSE(add(std::string(5'000, 'x')));
  static_cast<void>(drain(partition()));
  const int before = waker.wakes;
  ASSERT_TRUE(when_room(5'000, 7));
  EXPECT_GT(waker.wakes, before) << "nothing else wakes the client's thread";
  accumulator->tell_room();
  EXPECT_EQ(rooms.told, std::vector<std::uint64_t>{7});
}

TEST_F(AccumulatorTest, tells_of_room_in_the_order_of_asking_as_far_as_there_is_some) {
  settings.buffer_memory = 4 * chunk_bytes;
  settings.batch_size = 1;
  start();
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(add(std::string(5'000, 'x')));
  ASSERT_TRUE(when_room(20'000, 1));
  ASSERT_TRUE(when_room(5'000, 2));
  BatchList batches;
  partition().take(batches, true);
  const auto end_one = [&] {
    ChunkList chunks;
    Batch::end(batches.pop(), chunks);
    accumulator->pool.give_back(chunks);
    accumulator->tell_room();
  };
  end_one();
  end_one();
  EXPECT_TRUE(rooms.told.empty()) << "the first one wants more";
  end_one();
  EXPECT_EQ(rooms.told, (std::vector<std::uint64_t>{1, 2}));
  end_one();
}

TEST_F(AccumulatorTest, bounds_who_waits_for_room_and_how_many_are_told_in_a_row) {
  settings.buffer_memory = chunk_bytes;
  start();
  ASSERT_TRUE(add(std::string(5'000, 'x')));
  for (std::uint64_t token = 0; token < room_waiting_max; ++token)
    ASSERT_TRUE(when_room(5'000, token));
  const auto refused = when_room(5'000);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().failure, Failure::buffer_full);
  static_cast<void>(drain(partition()));
  const int before = waker.wakes;
  accumulator->tell_room();
  EXPECT_EQ(rooms.told.size(), room_told_max);
  EXPECT_GT(waker.wakes, before) << "nobody goes on with the others";
  while (accumulator->pool.is_watched()) accumulator->tell_room();
  EXPECT_EQ(rooms.told.size(), room_waiting_max);
  EXPECT_TRUE(when_room(5'000));
}

TEST_F(AccumulatorTest, says_of_room_that_will_never_be) {
  settings.buffer_memory = 2 * chunk_bytes;
  start();
  const auto too_large = when_room(50'000);
  ASSERT_FALSE(too_large);
  EXPECT_EQ(too_large.error().failure, Failure::record_too_large);
  settings.max_request_size = 10'000;
  EXPECT_EQ(when_room(10'001).error().failure, Failure::record_too_large);
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(add(std::string(7'000, 'x')));
  ASSERT_TRUE(when_room(5'000, 1));
  accumulator->close();
  EXPECT_EQ(rooms.refused, std::vector<std::uint64_t>{1});
  const auto closed = when_room(5'000, 2);
  ASSERT_FALSE(closed);
  EXPECT_EQ(closed.error().failure, Failure::closed);
  accumulator->tell_room();
  EXPECT_TRUE(rooms.told.empty());
}

TEST_F(AccumulatorTest, threads_that_ask_for_room_all_get_their_turn) {
  settings.buffer_memory = 2 * chunk_bytes;
  settings.batch_size = 1;
  start();
  constexpr int per_thread = 500;
  // By thread: how often it was told, by this one, which plays the client's.
  class Flags final : public RoomSink {
   public:
    void room(std::uint64_t thread, const ClientError*) noexcept override {
      ++told[thread];
      told[thread].notify_one();
    }
    std::array<std::atomic<int>, 3> told = {};
  };
  Flags flags;
  std::atomic<int> taken = 0;
  std::vector<std::thread> threads;
  for (std::uint64_t t = 0; t < 3; ++t) {
    threads.emplace_back([&, t] {
      const std::string value(5'000, 'x');
      const RecordToSend record{.topic = "orders", .value = as_bytes(value)};
      int asked = 0;
      for (int i = 0; i < per_thread;) {
        if (add(value)) {
          ++i;
          ++taken;
          continue;
        }
        // Another one may be faster: then it asks again.
        ASSERT_TRUE(accumulator->when_room(record, flags, t));
        flags.told[t].wait(asked++);
      }
    });
  }
  int drained = 0;
  while (drained < 3 * per_thread) {
    drained += static_cast<int>(drain(partition()).size());
    accumulator->tell_room();
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(taken, 3 * per_thread);
}

TEST_F(AccumulatorTest, a_record_larger_than_a_limit_is_refused_at_once) {
  settings.buffer_memory = 4 * chunk_bytes;
  settings.max_request_size = 100'000;
  start();
  EXPECT_EQ(add(std::string(100'001, 'x')).error().failure, Failure::record_too_large);
  EXPECT_EQ(add(std::string(50'000, 'x'), FullBuffer::wait).error().failure,
            Failure::record_too_large);
  EXPECT_EQ(add(std::string(50'000, 'x')).error().failure, Failure::record_too_large);
  EXPECT_TRUE(add(std::string(20'000, 'x')));
}

TEST_F(AccumulatorTest, a_partition_that_is_not_there_is_named) {
  start(3);
  for (const int wrong : {-1, 3}) {
    const auto added = accumulator->add({.topic = "orders", .partition = PartitionIndex(wrong)},
                                        &sink, 0, FullBuffer::fail);
    ASSERT_FALSE(added);
    EXPECT_EQ(added.error().failure, Failure::bad_argument);
    EXPECT_NE(added.error().message.find("it has 3"), std::string::npos);
  }
}

TEST_F(AccumulatorTest, an_unknown_topic_is_asked_for_and_waited_for) {
  start();
  const RecordToSend record{.topic = "payments"};
  const auto added = accumulator->add(record, &sink, 0, FullBuffer::fail);
  ASSERT_FALSE(added);
  EXPECT_EQ(added.error().failure, Failure::unknown_topic);
  EXPECT_TRUE(added.error().retriable);
  std::vector<Partition*> news;
  std::vector<Topic*> wanted;
  accumulator->take_news(news, wanted);
  ASSERT_EQ(wanted.size(), 1u);
  EXPECT_EQ(wanted[0]->name(), "payments");

  settings.max_block = 1h;
  std::thread waiter([&] { EXPECT_TRUE(accumulator->add(record, &sink, 0, FullBuffer::wait)); });
  do accumulator->take_news(news, wanted);
  while (wanted.empty());
  wanted[0]->set_partition_count(2);
  waiter.join();
}

TEST_F(AccumulatorTest, what_the_cluster_says_of_a_topic_reaches_who_waits_for_it) {
  settings.max_block = 1h;
  start();
  std::thread waiter([&] {
    const auto added = accumulator->add({.topic = "secret"}, &sink, 0, FullBuffer::wait);
    EXPECT_EQ(added.error().code, ErrorCode::topic_authorization_failed);
  });
  std::vector<Partition*> news;
  std::vector<Topic*> wanted;
  do accumulator->take_news(news, wanted);
  while (wanted.empty());
  wanted[0]->fail(broker_error(ErrorCode::topic_authorization_failed, BrokerId(1), "secret"));
  waiter.join();
}

// What waits for the sender.
struct Waiting {
  std::size_t batches = 0;
  std::size_t largest_bytes = 0;
};
Waiting waiting_in(Accumulator& accumulator, Partition& partition) {
  Waiting waiting;
  BatchList batches;
  partition.take(batches, true);
  while (Batch* batch = batches.pop()) {
    ++waiting.batches;
    waiting.largest_bytes = std::max(waiting.largest_bytes, batch->bytes());
    ChunkList chunks;
    Batch::end(batch, chunks);
    accumulator.pool.give_back(chunks);
  }
  return waiting;
}

TEST_F(AccumulatorTest, what_is_not_taken_grows_and_the_sender_is_asked_when_it_has_its_size) {
  settings.batch_size = 1000;
  start();
  for (int i = 0; i < 8; ++i) ASSERT_TRUE(add(std::string(90, 'x')));
  EXPECT_EQ(waker.wakes, 1);
  EXPECT_FALSE(partition().look().open_has_size);
  for (int i = 0; i < 8; ++i) ASSERT_TRUE(add(std::string(90, 'x')));
  EXPECT_EQ(waker.wakes, 2);
  EXPECT_TRUE(partition().look().open_has_size);
  EXPECT_FALSE(partition().look().has_complete);
  EXPECT_GT(partition().waiting_bytes(), 16u * 90);
  // Nothing new to the sender, which knows of it.
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(add(std::string(90, 'x')));
  EXPECT_EQ(waker.wakes, 2);
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(add(std::string(90, 'x')));
  EXPECT_EQ(waker.wakes, 3);
  EXPECT_TRUE(partition().look().has_complete);
  const Waiting waiting = waiting_in(*accumulator, partition());
  EXPECT_EQ(waiting.batches, 2u);
  EXPECT_LE(waiting.largest_bytes, 16'000u);
  EXPECT_GT(waiting.largest_bytes, 15'800u);
}

TEST_F(AccumulatorTest, a_batch_grows_for_a_second_by_the_clock) {
  ManualClock manual;
  settings.batch_size = 1000;
  start(1, manual);
  // The same for all: what the program says of its records does not count.
  const std::string value(90, 'x');
  const auto add_one = [&] {
    return accumulator->add(
        {.topic = "orders", .value = as_bytes(value), .timestamp = Timestamp(5'000)}, &sink, 0,
        FullBuffer::fail);
  };
  for (int i = 0; i < 30; ++i) ASSERT_TRUE(add_one());
  manual.advance(2s);
  // To the end of the chunk.
  for (int i = 0; i < 60; ++i) ASSERT_TRUE(add_one());
  EXPECT_TRUE(partition().look().has_complete);
  const Waiting waiting = waiting_in(*accumulator, partition());
  EXPECT_EQ(waiting.batches, 2u);
  EXPECT_LE(waiting.largest_bytes, chunk_bytes);
}

TEST_F(AccumulatorTest, what_does_not_fit_begins_a_batch_while_nothing_has_to_wait) {
  settings.batch_size = 1000;
  start();
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(add(std::string(90, 'x')));
  ASSERT_TRUE(add(std::string(800, 'x')));
  const Waiting waiting = waiting_in(*accumulator, partition());
  EXPECT_EQ(waiting.batches, 2u);
  EXPECT_LE(waiting.largest_bytes, 1000u);
}

TEST_F(AccumulatorTest, what_a_batch_may_grow_to_has_bounds) {
  EXPECT_EQ(settings.batch_bytes_most(), 256 * kibibyte);
  settings.batch_growth = 1;
  EXPECT_EQ(settings.batch_bytes_most(), 16 * kibibyte);
  settings.batch_growth = 2'147'483'647;
  EXPECT_EQ(settings.batch_bytes_most(), 256 * kibibyte);
  settings.batch_size = 0;
  EXPECT_EQ(settings.batch_bytes_most(), 0u);
  settings.batch_size = 500'000;
  EXPECT_EQ(settings.batch_bytes_most(), 500'000u);
  settings.max_request_size = 100'000;
  EXPECT_EQ(settings.batch_bytes_most(), 100'000u);
}

TEST_F(AccumulatorTest, the_sender_is_asked_once_until_it_has_looked) {
  settings.batch_size = 1000;
  settings.batch_growth = 1;
  start();
  ASSERT_TRUE(add("first"));
  EXPECT_EQ(waker.wakes, 1);
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(add(std::string(100, 'x')));
  EXPECT_EQ(waker.wakes, 1);
  const Partition::Seen seen = partition().look();
  EXPECT_TRUE(seen.has_complete);
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(add(std::string(100, 'x')));
  EXPECT_EQ(waker.wakes, 2);
}

TEST_F(AccumulatorTest, after_the_close_nothing_is_taken_and_nobody_waits) {
  settings.buffer_memory = chunk_bytes;
  settings.max_block = 1h;
  start();
  const std::string value(5'000, 'x');
  ASSERT_TRUE(add(value));
  std::thread waiter(
      [&] { EXPECT_EQ(add(value, FullBuffer::wait).error().failure, Failure::closed); });
  while (accumulator->pool.waiting() == 0) std::this_thread::yield();
  accumulator->close();
  waiter.join();
  EXPECT_EQ(add("x").error().failure, Failure::closed);
}

TEST_F(AccumulatorTest, round_robin_takes_the_partitions_in_turn) {
  settings.partitioner = PartitionerKind::round_robin;
  start(3);
  for (std::uint64_t i = 0; i < 6; ++i) ASSERT_TRUE(add("x", FullBuffer::fail, i));
  EXPECT_EQ(drain(partition(0)), (std::vector<std::uint64_t>{0, 3}));
  EXPECT_EQ(drain(partition(1)), (std::vector<std::uint64_t>{1, 4}));
}

TEST_F(AccumulatorTest, partitions_that_are_added_keep_what_the_others_hold) {
  start(1);
  ASSERT_TRUE(add("x", FullBuffer::fail, 7));
  accumulator->topics.find("orders")->set_partition_count(4);
  EXPECT_EQ(accumulator->partition_count("orders"), 4);
  EXPECT_EQ(drain(partition(0)), std::vector<std::uint64_t>{7});
  // Fewer are not believed.
  accumulator->topics.find("orders")->set_partition_count(2);
  EXPECT_EQ(accumulator->partition_count("orders"), 4);
}

}  // namespace
}  // namespace millrace::client
