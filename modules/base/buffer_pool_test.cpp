#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

import millrace.base;

namespace millrace {
namespace {

static_assert(!std::is_copy_constructible_v<Buffer>);
static_assert(std::is_nothrow_move_constructible_v<Buffer>);
static_assert(std::is_nothrow_move_assignable_v<Buffer>);

TEST(BufferPool, gives_at_least_the_size_asked_for) {
  BufferPool pool;
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{1}, pooled_buffer_bytes_min, pooled_buffer_bytes_min + 1,
        std::size_t{65535}, std::size_t{65536}, std::size_t{65537}, pooled_buffer_bytes_max}) {
    const Buffer buffer = pool.acquire(size);
    EXPECT_EQ(buffer.size(), size);
    EXPECT_GE(buffer.capacity(), size);
    EXPECT_LE(buffer.capacity(), std::max(2 * size, pooled_buffer_bytes_min));
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(buffer.data()) % 64, 0u);
    EXPECT_EQ(pool.counters().lent_bytes, buffer.capacity());
  }
  EXPECT_EQ(pool.counters().lent_bytes, 0u);
}

TEST(BufferPool, every_byte_of_the_capacity_may_be_used) {
  BufferPool pool;
  for (int round = 0; round < 2; ++round) {
    Buffer buffer = pool.acquire(1000);
    buffer.resize(buffer.capacity());
    std::memset(buffer.data(), 0x5a, buffer.size());
    EXPECT_EQ(buffer.bytes().back(), std::byte{0x5a});
  }
  EXPECT_EQ(pool.counters().reused, 1u);
}

TEST(BufferPool, a_returned_buffer_is_lent_again) {
  BufferPool pool;
  const std::byte* first = pool.acquire(1000).data();
  EXPECT_EQ(pool.counters().kept_bytes, 1024u);
  const Buffer again = pool.acquire(600);  // of the same size class
  EXPECT_EQ(again.data(), first);
  EXPECT_EQ(pool.counters(),
            (BufferPool::Counters{.reused = 1, .allocated = 1, .lent_bytes = 1024}));
}

TEST(BufferPool, sizes_do_not_mix) {
  BufferPool pool;
  static_cast<void>(pool.acquire(1000));
  const Buffer larger = pool.acquire(1025);
  EXPECT_EQ(pool.counters().allocated, 2u);
  EXPECT_EQ(larger.capacity(), 2048u);
}

TEST(BufferPool, keeps_many_buffers_of_one_size) {
  BufferPool pool;
  for (int round = 0; round < 3; ++round) {
    std::vector<Buffer> buffers;
    for (int i = 0; i < 10; ++i) buffers.push_back(pool.acquire(4096));
  }
  EXPECT_EQ(pool.counters().allocated, 10u);
  EXPECT_EQ(pool.counters().reused, 20u);
  EXPECT_EQ(pool.counters().kept_bytes, 10u * 4096u);
}

TEST(BufferPool, an_oversized_buffer_is_exact_and_not_kept) {
  BufferPool pool;
  {
    const Buffer buffer = pool.acquire(pooled_buffer_bytes_max + 1);
    EXPECT_EQ(buffer.capacity(), pooled_buffer_bytes_max + 1);
    EXPECT_EQ(pool.counters().lent_bytes, pooled_buffer_bytes_max + 1);
  }
  EXPECT_EQ(pool.counters(), (BufferPool::Counters{.oversized = 1}));
}

TEST(BufferPool, keeps_no_more_than_its_limit) {
  BufferPool pool(10'000);
  {
    const Buffer a = pool.acquire(4096);
    const Buffer b = pool.acquire(4096);
    const Buffer c = pool.acquire(4096);
  }
  EXPECT_EQ(pool.counters().kept_bytes, 8192u);
  EXPECT_EQ(pool.counters().dropped, 1u);
  static_cast<void>(pool.acquire(1024));
  EXPECT_EQ(pool.counters().kept_bytes, 8192u + 1024u);
}

TEST(BufferPool, a_pool_without_room_keeps_nothing) {
  BufferPool pool(0);
  static_cast<void>(pool.acquire(1));
  EXPECT_EQ(pool.counters(), (BufferPool::Counters{.allocated = 1, .dropped = 1}));
}

TEST(BufferPool, trim_gives_back_what_is_kept_but_not_what_is_lent) {
  BufferPool pool;
  Buffer lent = pool.acquire(5000);
  static_cast<void>(pool.acquire(100));
  static_cast<void>(pool.acquire(100'000));
  pool.trim();
  EXPECT_EQ(pool.counters().kept_bytes, 0u);
  EXPECT_EQ(pool.counters().lent_bytes, 8192u);
  lent = Buffer();
  EXPECT_EQ(pool.counters().kept_bytes, 8192u);
}

TEST(Buffer, an_empty_one_belongs_to_no_pool) {
  Buffer buffer;
  EXPECT_TRUE(buffer.empty());
  EXPECT_EQ(buffer.capacity(), 0u);
  EXPECT_TRUE(buffer.bytes().empty());
}

TEST(Buffer, moves_and_is_returned_once) {
  BufferPool pool;
  Buffer first = pool.acquire(600);
  const std::byte* data = first.data();
  Buffer second = std::move(first);
  EXPECT_EQ(second.data(), data);
  EXPECT_EQ(second.size(), 600u);
  Buffer third = pool.acquire(2000);
  third = std::move(second);  // what third held goes back
  EXPECT_EQ(third.data(), data);
  EXPECT_EQ(pool.counters().kept_bytes, 2048u);
  EXPECT_EQ(pool.counters().lent_bytes, 1024u);
  Buffer& same = third;
  third = std::move(same);
  EXPECT_EQ(third.data(), data) << "moved onto itself";
}

TEST(Buffer, shrinks_and_grows_within_its_capacity) {
  BufferPool pool;
  Buffer buffer = pool.acquire(600);
  buffer.resize(10);
  EXPECT_EQ(buffer.bytes().size(), 10u);
  buffer.resize(1024);
  EXPECT_EQ(std::as_const(buffer).bytes().size(), 1024u);
}

TEST(BufferDeathTest, does_not_grow_past_its_capacity) {
  BufferPool pool;
  Buffer buffer = pool.acquire(600);
  EXPECT_DEATH(buffer.resize(1025), "does not grow past its capacity");
}

TEST(BufferPoolDeathTest, outlives_its_buffers) {
  EXPECT_DEATH(
      {
        Buffer buffer;
        BufferPool pool;
        buffer = pool.acquire(1);
      },
      "a buffer pool outlives its buffers");
}

TEST(BufferPoolDeathTest, serves_one_thread) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  BufferPool pool;
  const Buffer buffer = pool.acquire(1);
  EXPECT_DEATH(std::thread([&pool] { static_cast<void>(pool.acquire(1)); }).join(),
               "a buffer pool serves one thread");
}

TEST(BufferPool, may_be_made_on_another_thread_than_it_serves) {
  BufferPool pool;
  std::thread([&pool] { static_cast<void>(pool.acquire(1)); }).join();
  EXPECT_EQ(pool.counters().allocated, 1u);
}

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
TEST(BufferPoolDeathTest, the_address_sanitizer_finds_use_after_return) {
  BufferPool pool;
  std::byte* dangling = pool.acquire(1000).data();
  EXPECT_DEATH(dangling[500] = std::byte{1}, "use-after-poison");
}
#endif
#endif

// Against a model: what is lent and kept adds up, and no two lent buffers share a byte.
RC_GTEST_PROP(BufferPool, adds_up_whatever_is_asked_for, (std::vector<std::uint32_t> requests)) {
  BufferPool pool(100'000);
  std::vector<Buffer> held;
  for (const std::uint32_t request : requests) {
    if (request % 3 == 0 && !held.empty()) {
      std::swap(held[request % held.size()], held.back());
      held.pop_back();
      continue;
    }
    held.push_back(pool.acquire(request % 40'000));
    Buffer& buffer = held.back();
    std::memset(buffer.data(), static_cast<int>(held.size()), buffer.size());
  }
  std::size_t lent = 0;
  for (const Buffer& buffer : held) lent += buffer.capacity();
  RC_ASSERT(pool.counters().lent_bytes == lent);
  RC_ASSERT(pool.counters().kept_bytes <= 100'000u);
  for (const Buffer& buffer : held) {
    const auto bytes = buffer.bytes();
    if (bytes.empty()) continue;
    // Each byte is as the one after it; all at once, for they are a great many.
    RC_ASSERT(std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0);
  }
}

}  // namespace
}  // namespace millrace
