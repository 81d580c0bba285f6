#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

import millrace.runtime;
import millrace.storage.cleaner;

namespace millrace::storage {
namespace {

TEST(KeyOffsets, tells_the_last_offset_of_each_key) {
  KeyOffsets keys(1);
  keys.start(10);
  EXPECT_EQ(keys.find(as_bytes("a")), no_offset);
  EXPECT_TRUE(keys.put(as_bytes("a"), Offset(0)));
  EXPECT_TRUE(keys.put(as_bytes("b"), Offset(1)));
  EXPECT_TRUE(keys.put(as_bytes("a"), Offset(7)));
  EXPECT_EQ(keys.find(as_bytes("a")), Offset(7));
  EXPECT_EQ(keys.find(as_bytes("b")), Offset(1));
  EXPECT_EQ(keys.find(as_bytes("c")), no_offset);
  EXPECT_EQ(keys.size(), 2u);
}

TEST(KeyOffsets, the_empty_key_is_a_key) {
  KeyOffsets keys(1);
  keys.start(2);
  EXPECT_EQ(keys.find(as_bytes("")), no_offset);
  EXPECT_TRUE(keys.put(as_bytes(""), Offset(4)));
  EXPECT_EQ(keys.find(as_bytes("")), Offset(4));
}

TEST(KeyOffsets, agrees_with_a_map_until_it_is_full) {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    Random random(seed);
    KeyOffsets keys(seed);
    const std::uint64_t room = 1 + random.below(seed < 100 ? 8 : 3000);
    keys.start(room);
    EXPECT_EQ(keys.capacity(), room);
    std::map<std::string, Offset> model;
    const std::uint64_t names = room + random.below(room + 2);
    for (std::int64_t offset = 0; offset < static_cast<std::int64_t>(3 * room); ++offset) {
      const std::string key = "key" + std::to_string(random.below(names));
      const bool fits = model.contains(key) || model.size() < room;
      ASSERT_EQ(keys.put(as_bytes(key), Offset(offset)), fits) << seed;
      if (fits) model[key] = Offset(offset);
    }
    EXPECT_EQ(keys.size(), model.size());
    for (std::uint64_t name = 0; name < names; ++name) {
      const std::string key = "key" + std::to_string(name);
      const auto known = model.find(key);
      ASSERT_EQ(keys.find(as_bytes(key)), known == model.end() ? no_offset : known->second) << seed;
    }
  }
}

TEST(KeyOffsets, never_takes_more_memory_than_it_may) {
  for (const std::size_t bytes_max : {std::size_t{0}, std::size_t{24}, std::size_t{100},
                                      dedupe_buffer_bytes_min, dedupe_buffer_bytes_default}) {
    KeyOffsets keys(3, bytes_max);
    keys.start(~std::uint64_t{0});
    EXPECT_LE(keys.memory_bytes(), std::max<std::size_t>(bytes_max, 48));
    EXPECT_GE(keys.capacity(), 1u);
    EXPECT_GE(keys.capacity() * 27, keys.memory_bytes() / 2) << "nine tenths of the slots are used";
    keys.release();
    EXPECT_EQ(keys.memory_bytes(), 0u);
    EXPECT_EQ(keys.capacity(), 0u);
    EXPECT_FALSE(keys.put(as_bytes("a"), Offset(0)));
    EXPECT_EQ(keys.find(as_bytes("a")), no_offset);
  }
}

TEST(KeyOffsets, takes_no_more_memory_than_the_keys_need) {
  KeyOffsets keys(3);
  keys.start(1000);
  EXPECT_LE(keys.memory_bytes(), 1000u * 27 + 48);
  EXPECT_EQ(keys.capacity(), 1000u);
}

TEST(KeyOffsets, starting_again_forgets_all) {
  KeyOffsets keys(3);
  keys.start(10);
  EXPECT_TRUE(keys.put(as_bytes("a"), Offset(9)));
  keys.start(10);
  EXPECT_EQ(keys.size(), 0u);
  EXPECT_EQ(keys.find(as_bytes("a")), no_offset);
  EXPECT_TRUE(keys.put(as_bytes("a"), Offset(2)));
}

TEST(KeyOffsets, a_large_table_is_taken_and_given_back_in_parts) {
  KeyOffsets keys(3);
  keys.plan(1'000'000);
  EXPECT_EQ(keys.memory_bytes(), 0u);
  int parts = 1;
  while (keys.take_part()) ++parts;
  EXPECT_EQ(parts, 9);
  for (std::int64_t offset = 0; offset < 300'000; ++offset) {
    ASSERT_TRUE(keys.put(as_bytes(std::to_string(offset)), Offset(offset)));
  }
  for (std::int64_t offset = 0; offset < 300'000; ++offset) {
    ASSERT_EQ(keys.find(as_bytes(std::to_string(offset))), Offset(offset));
  }
  while (keys.release_part()) --parts;
  EXPECT_EQ(parts, 1);
  EXPECT_EQ(keys.memory_bytes(), 0u);
  EXPECT_EQ(keys.find(as_bytes("1")), no_offset);
}

// Keys that differ in one bit, at any place and length, are two keys.
TEST(KeyOffsets, similar_keys_are_told_apart) {
  KeyOffsets keys(5);
  keys.start(100'000);
  std::int64_t offset = 0;
  for (std::size_t length = 0; length < 300; length += 7) {
    const std::string key(length, 'k');
    EXPECT_EQ(keys.find(as_bytes(key)), no_offset);
    EXPECT_TRUE(keys.put(as_bytes(key), Offset(offset++)));
    for (std::size_t bit = 0; bit < 8 * length; ++bit) {
      std::string other = key;
      other[bit / 8] = static_cast<char>(other[bit / 8] ^ (1 << (bit % 8)));
      ASSERT_EQ(keys.find(as_bytes(other)), no_offset);
      ASSERT_TRUE(keys.put(as_bytes(other), Offset(offset++)));
    }
  }
  EXPECT_EQ(keys.size(), static_cast<std::uint64_t>(offset));
}

TEST(KeyOffsets, offsets_rise) {
  KeyOffsets keys(5);
  keys.start(3);
  EXPECT_TRUE(keys.put(as_bytes("a"), Offset(5)));
  EXPECT_DEATH(static_cast<void>(keys.put(as_bytes("a"), Offset(4))), "offsets rise");
  EXPECT_DEATH(static_cast<void>(keys.put(as_bytes("b"), no_offset)), "has an offset");
}

}  // namespace
}  // namespace millrace::storage
