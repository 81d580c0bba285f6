#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

import millrace.base;

namespace millrace {
namespace {

std::vector<std::byte> bytes_of(std::initializer_list<int> values) {
  std::vector<std::byte> bytes;
  for (const int value : values) bytes.push_back(static_cast<std::byte>(value));
  return bytes;
}

TEST(Bytes, integers_are_stored_with_the_highest_byte_first) {
  std::vector<std::byte> bytes(8);
  store_big_endian<std::int64_t>(bytes.data(), 0x0102030405060708);
  EXPECT_EQ(bytes, bytes_of({1, 2, 3, 4, 5, 6, 7, 8}));
  EXPECT_EQ(load_big_endian<std::int64_t>(bytes.data()), 0x0102030405060708);
  EXPECT_EQ(load_big_endian<std::int32_t>(bytes.data()), 0x01020304);
  EXPECT_EQ(load_big_endian<std::int16_t>(bytes.data()), 0x0102);
  EXPECT_EQ(load_big_endian<std::int8_t>(bytes.data()), 1);
}

template <class Integer>
void expect_round_trip(Integer value) {
  std::array<std::byte, sizeof(Integer) + 1> bytes{};
  store_big_endian(bytes.data() + 1, value);  // at an odd address
  EXPECT_EQ(load_big_endian<Integer>(bytes.data() + 1), value);
  ByteReader reader(ByteView(bytes).subspan(1));
  EXPECT_EQ(reader.integer<Integer>(), value);
}

template <class Integer>
void expect_round_trips_at_the_edges() {
  for (const Integer value : {std::numeric_limits<Integer>::min(), Integer{0}, Integer{1},
                              static_cast<Integer>(-1), std::numeric_limits<Integer>::max()}) {
    expect_round_trip(value);
  }
}

TEST(Bytes, integers_of_every_width_come_back) {
  expect_round_trips_at_the_edges<std::int8_t>();
  expect_round_trips_at_the_edges<std::uint8_t>();
  expect_round_trips_at_the_edges<std::int16_t>();
  expect_round_trips_at_the_edges<std::uint16_t>();
  expect_round_trips_at_the_edges<std::int32_t>();
  expect_round_trips_at_the_edges<std::uint32_t>();
  expect_round_trips_at_the_edges<std::int64_t>();
  expect_round_trips_at_the_edges<std::uint64_t>();
}

RC_GTEST_PROP(Bytes, any_integer_comes_back, (std::int64_t value)) {
  std::array<std::byte, 8> bytes{};
  store_big_endian(bytes.data(), value);
  RC_ASSERT(load_big_endian<std::int64_t>(bytes.data()) == value);
  RC_ASSERT(swap_bytes(swap_bytes(value)) == value);
}

TEST(Bytes, text_and_bytes_are_views_of_the_same_memory) {
  const std::string_view text = "topic";
  EXPECT_EQ(static_cast<const void*>(as_bytes(text).data()), text.data());
  EXPECT_EQ(as_text(as_bytes(text)), text);
  EXPECT_TRUE(as_bytes("").empty());
}

TEST(ByteReader, reads_forward) {
  const auto bytes = bytes_of({0, 7, 1, 2, 3, 9});
  ByteReader reader(bytes);
  EXPECT_EQ(reader.integer<std::int16_t>(), 7);
  const ByteView taken = reader.bytes(2);
  EXPECT_EQ(taken.data(), bytes.data() + 2);
  EXPECT_EQ(taken.size(), 2u);
  reader.skip(1);
  EXPECT_EQ(reader.position(), 5u);
  EXPECT_EQ(reader.remaining(), 1u);
  EXPECT_EQ(reader.rest().data(), bytes.data() + 5);
  EXPECT_EQ(reader.integer<std::uint8_t>(), 9);
  EXPECT_EQ(reader.remaining(), 0u);
  EXPECT_FALSE(reader.failed());
}

TEST(ByteReader, may_take_all_and_nothing) {
  ByteReader nothing(ByteView{});
  EXPECT_TRUE(nothing.bytes(0).empty());
  EXPECT_FALSE(nothing.failed());
  const auto bytes = bytes_of({1, 2});
  ByteReader all(bytes);
  EXPECT_EQ(all.bytes(2).size(), 2u);
  EXPECT_TRUE(all.bytes(0).empty());
  EXPECT_FALSE(all.failed());
}

TEST(ByteReader, fails_for_good_when_an_integer_is_cut_off) {
  const auto bytes = bytes_of({1, 2, 3});
  ByteReader reader(bytes);
  EXPECT_EQ(reader.integer<std::int32_t>(), 0);
  EXPECT_TRUE(reader.failed());
  EXPECT_EQ(reader.integer<std::int8_t>(), 0) << "bytes are left, but the reader has failed";
  EXPECT_TRUE(reader.bytes(1).empty());
  EXPECT_TRUE(reader.rest().empty());
  EXPECT_EQ(reader.remaining(), 0u);
}

TEST(ByteReader, fails_when_more_bytes_are_asked_for_than_there_are) {
  const auto bytes = bytes_of({1, 2, 3});
  for (const std::size_t count : {std::size_t{4}, std::numeric_limits<std::size_t>::max()}) {
    ByteReader reader(bytes);
    reader.skip(1);
    EXPECT_TRUE(reader.bytes(count).empty());
    EXPECT_TRUE(reader.failed());
    EXPECT_EQ(reader.remaining(), 0u);
  }
}

}  // namespace
}  // namespace millrace
