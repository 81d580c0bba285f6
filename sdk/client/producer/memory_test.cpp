#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <thread>
#include <utility>
#include <vector>

import millrace.base;
import millrace.client.producer;

namespace millrace::client {
namespace {

using namespace std::chrono_literals;

void give_back(ChunkPool& pool, ChunkList list) {
  pool.give_back(list);
}

TEST(ChunkPool, lends_what_the_budget_has_and_no_more) {
  ChunkPool pool(4 * chunk_bytes + 100);
  EXPECT_EQ(pool.chunks_max(), 4u);
  ChunkList some;
  EXPECT_TRUE(pool.try_take(3, some));
  ChunkList more;
  EXPECT_FALSE(pool.try_take(2, more));
  EXPECT_TRUE(more.empty());
  EXPECT_TRUE(pool.try_take(1, more));
  EXPECT_EQ(pool.used_bytes(), 4 * chunk_bytes);
  give_back(pool, some);
  give_back(pool, more);
  EXPECT_EQ(pool.used_bytes(), 0u);
  EXPECT_EQ(pool.used_bytes_peak(), 4 * chunk_bytes);
}

TEST(ChunkPool, a_budget_below_one_chunk_is_one_chunk) {
  ChunkPool pool(1);
  EXPECT_EQ(pool.chunks_max(), 1u);
}

TEST(ChunkPool, a_chunk_comes_empty_however_it_was_left) {
  ChunkPool pool(chunk_bytes);
  ChunkList list;
  ASSERT_TRUE(pool.try_take(1, list));
  Chunk* chunk = list.pop();
  chunk->begin = chunk->filled = chunk->receipts = 7;
  list.push(chunk);
  give_back(pool, list);
  ChunkList again;
  ASSERT_TRUE(pool.try_take(1, again));
  chunk = again.pop();
  EXPECT_EQ(chunk->begin + chunk->filled + chunk->receipts, 0u);
  EXPECT_EQ(chunk->room(), Chunk::data_bytes);
  again.push(chunk);
  give_back(pool, again);
}

TEST(ChunkPool, who_waits_is_served_when_enough_came_back) {
  ChunkPool pool(2 * chunk_bytes);
  ChunkList all;
  ASSERT_TRUE(pool.try_take(2, all));
  std::thread waiter([&] {
    ChunkList got;
    EXPECT_EQ(pool.wait_and_take(2, 1h, got), MemoryWait::taken);
    EXPECT_EQ(got.size(), 2u);
    pool.give_back(got);
  });
  ChunkList one;
  one.push(all.pop());
  pool.give_back(one);
  pool.give_back(all);
  waiter.join();
  EXPECT_EQ(pool.used_bytes(), 0u);
}

TEST(ChunkPool, waiting_ends_with_the_timeout_and_with_the_close) {
  ChunkPool pool(chunk_bytes);
  ChunkList all;
  ASSERT_TRUE(pool.try_take(1, all));
  ChunkList got;
  EXPECT_EQ(pool.wait_and_take(1, 1ms, got), MemoryWait::timed_out);
  EXPECT_EQ(pool.wait_and_take(2, 1h, got), MemoryWait::never);
  std::thread waiter([&] {
    ChunkList other;
    EXPECT_EQ(pool.wait_and_take(1, 1h, other), MemoryWait::closed);
  });
  pool.close();
  waiter.join();
  EXPECT_TRUE(got.empty());
  pool.give_back(all);
}

class CountingWaker final : public Waker {
 public:
  void wake() override { ++wakes; }
  std::atomic<int> wakes = 0;
};

TEST(ChunkPool, that_is_watched_tells_of_whatever_may_have_made_room) {
  CountingWaker waker;
  ChunkPool pool(2 * chunk_bytes, &waker);
  EXPECT_TRUE(pool.has_room(2));
  EXPECT_FALSE(pool.has_room(3));
  ChunkList all;
  ASSERT_TRUE(pool.try_take(1, all));
  EXPECT_TRUE(pool.has_room(1));
  EXPECT_FALSE(pool.has_room(2));
  give_back(pool, std::exchange(all, {}));
  EXPECT_EQ(waker.wakes, 0) << "nobody watches";

  pool.set_watched(true);
  ASSERT_TRUE(pool.try_take(1, all));
  ChunkList got;
  EXPECT_EQ(pool.wait_and_take(2, 1ms, got), MemoryWait::timed_out);
  EXPECT_EQ(waker.wakes, 1) << "one who waits for more keeps others from what there is";
  give_back(pool, std::exchange(all, {}));
  EXPECT_EQ(waker.wakes, 2);
  pool.set_watched(false);
  ASSERT_TRUE(pool.try_take(1, all));
  give_back(pool, std::exchange(all, {}));
  EXPECT_EQ(waker.wakes, 2);
}

TEST(ChunkPool, has_no_room_for_others_while_somebody_waits) {
  ChunkPool pool(2 * chunk_bytes);
  ChunkList one;
  ASSERT_TRUE(pool.try_take(1, one));
  std::thread waiter([&] {
    ChunkList got;
    EXPECT_EQ(pool.wait_and_take(2, 1h, got), MemoryWait::taken);
    pool.give_back(got);
  });
  while (pool.has_room(1)) std::this_thread::yield();
  pool.give_back(one);
  waiter.join();
  EXPECT_TRUE(pool.has_room(2));
}

TEST(ChunkPool, what_a_split_takes_beyond_the_budget_is_not_kept) {
  ChunkPool pool(2 * chunk_bytes);
  ChunkList list;
  pool.take_for_split(5, list);
  EXPECT_EQ(list.size(), 5u);
  pool.give_back(list);
  ChunkList again;
  EXPECT_FALSE(pool.try_take(3, again));
  EXPECT_TRUE(pool.try_take(2, again));
  pool.give_back(again);
}

TEST(ChunkPool, threads_that_fight_for_little_memory_all_get_their_turn) {
  ChunkPool pool(3 * chunk_bytes);
  std::atomic<int> turns = 0;
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < 4; ++i) {
    threads.emplace_back([&, i] {
      for (int turn = 0; turn < 200; ++turn) {
        ChunkList list;
        ASSERT_EQ(pool.wait_and_take(1 + i % 3, 1h, list), MemoryWait::taken);
        ++turns;
        pool.give_back(list);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(turns, 800);
  EXPECT_LE(pool.used_bytes_peak(), 3 * chunk_bytes);
}

}  // namespace
}  // namespace millrace::client
