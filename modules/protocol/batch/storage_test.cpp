#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <cstring>
#include <string_view>

import millrace.base;
import millrace.protocol.batch;

using namespace millrace;
using namespace millrace::protocol;

TEST(BatchStorage, growing_keeps_what_was_used) {
  BufferPool pool;
  BatchStorage storage(pool);
  ASSERT_TRUE(storage.reserve(10, 0));
  std::memcpy(storage.data(), "0123456789", 10);
  for (std::size_t capacity = 20; capacity < 100'000; capacity *= 3) {
    ASSERT_TRUE(storage.reserve(capacity, 10));
    EXPECT_GE(storage.capacity(), capacity);
    EXPECT_EQ(as_text(ByteView(storage.data(), 10)), "0123456789");
  }
  EXPECT_EQ(pool.counters().lent_bytes, storage.capacity());
}

TEST(BatchStorage, given_memory_does_not_grow) {
  std::array<std::byte, 100> memory{};
  BatchStorage storage(memory);
  EXPECT_TRUE(storage.reserve(100, 0));
  EXPECT_FALSE(storage.reserve(101, 100));
  EXPECT_EQ(storage.data(), memory.data());
  EXPECT_EQ(storage.capacity(), 100u);
}

TEST(BatchStorage, is_empty_after_its_memory_was_taken) {
  BufferPool pool;
  BatchStorage storage(pool);
  ASSERT_TRUE(storage.reserve(1000, 0));
  const std::byte* data = storage.data();
  const Buffer taken = storage.take(600);
  EXPECT_EQ(taken.data(), data);
  EXPECT_EQ(taken.size(), 600u);
  EXPECT_EQ(storage.capacity(), 0u);
  ASSERT_TRUE(storage.reserve(1000, 0));
  EXPECT_NE(storage.data(), data);
}

TEST(BatchStorageDeathTest, given_memory_cannot_be_taken) {
  std::array<std::byte, 100> memory{};
  BatchStorage storage(memory);
  EXPECT_DEATH(static_cast<void>(storage.take(10)), "only storage from a pool");
}
