#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>

import millrace.protocol.wire;

namespace millrace::protocol {
namespace {

TEST(Arena, gives_null_over_its_cap_and_stays_usable) {
  Arena arena(1000);
  EXPECT_EQ(arena.allocate<std::byte>(1001), nullptr);
  EXPECT_NE(arena.allocate<std::byte>(900), nullptr);
  EXPECT_EQ(arena.allocate<std::byte>(200), nullptr);
  EXPECT_NE(arena.allocate<std::byte>(90), nullptr);
}

TEST(Arena, never_takes_more_than_its_cap_from_the_heap) {
  Arena arena(100'000);
  while (arena.allocate<std::int64_t>(100) != nullptr) {
  }
  EXPECT_LE(arena.allocated_bytes(), 100'000u);
  EXPECT_GT(arena.allocated_bytes(), 90'000u);
}

TEST(Arena, refuses_a_count_whose_size_would_overflow) {
  Arena arena(SIZE_MAX);
  EXPECT_EQ(arena.allocate<std::int64_t>(SIZE_MAX / 4), nullptr);
}

TEST(Arena, aligns_every_allocation) {
  Arena arena(1 << 20);
  for (int i = 0; i < 100; ++i) {
    ASSERT_NE(arena.allocate<std::byte>(static_cast<std::size_t>(i) + 1), nullptr);
    const auto* number = arena.allocate<std::int64_t>(1);
    ASSERT_EQ(reinterpret_cast<std::uintptr_t>(number) % alignof(std::int64_t), 0u);
  }
}

TEST(Arena, keeps_one_chunk_over_a_reset_and_needs_no_more_for_the_same_message) {
  Arena arena(1 << 20);
  ASSERT_NE(arena.allocate<std::byte>(30'000), nullptr);
  ASSERT_NE(arena.allocate<std::byte>(30'000), nullptr);
  arena.reset();
  const std::size_t kept = arena.allocated_bytes();
  EXPECT_GT(kept, 0u);
  ASSERT_NE(arena.allocate<std::byte>(kept), nullptr);
  EXPECT_EQ(arena.allocated_bytes(), kept);
}

TEST(Arena, gives_large_chunks_back_at_a_reset) {
  Arena arena(64u << 20);
  ASSERT_NE(arena.allocate<std::byte>(8u << 20), nullptr);
  arena.reset();
  EXPECT_LE(arena.allocated_bytes(), arena_kept_bytes_max);
}

TEST(Arena, gives_memory_after_the_large_chunk_was_given_back) {
  Arena arena(64u << 20);
  ASSERT_NE(arena.allocate<std::byte>(8u << 20), nullptr);
  arena.reset();
  auto* items = arena.make_array<std::int32_t>(3);
  ASSERT_NE(items, nullptr);
  EXPECT_EQ(items[2], 0);
}

}  // namespace
}  // namespace millrace::protocol
