// Also proves errors.cpp.
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <vector>

import millrace.protocol.wire;

namespace millrace::protocol {
namespace {

std::vector<std::byte> bytes_of(std::initializer_list<int> values) {
  std::vector<std::byte> bytes;
  for (const int value : values) bytes.push_back(static_cast<std::byte>(value));
  return bytes;
}

// Reads with one of the wire functions and remembers how it went.
struct Reading {
  explicit Reading(std::initializer_list<int> values) : bytes(bytes_of(values)) {}

  [[nodiscard]] const std::byte* from() const { return bytes.data(); }
  [[nodiscard]] const std::byte* end() const { return bytes.data() + bytes.size(); }
  [[nodiscard]] std::ptrdiff_t consumed(const std::byte* after) const { return after - from(); }

  std::vector<std::byte> bytes;
  Arena arena{1 << 16};
  Decode state{arena};
};

TEST(Decode, tells_a_null_string_from_an_empty_one) {
  for (const bool flexible : {false, true}) {
    Reading null = flexible ? Reading{0} : Reading{0xff, 0xff};
    String text = "before";
    ASSERT_NE(read_string(text, null.from(), null.end(), null.state, flexible, true), nullptr);
    EXPECT_EQ(text.data(), nullptr);

    Reading empty = flexible ? Reading{1} : Reading{0, 0};
    ASSERT_NE(read_string(text, empty.from(), empty.end(), empty.state, flexible, true), nullptr);
    EXPECT_NE(text.data(), nullptr);
    EXPECT_TRUE(text.empty());
  }
}

TEST(Decode, refuses_null_where_it_is_not_allowed) {
  Reading reading{0xff, 0xff};
  String text;
  EXPECT_EQ(read_string(text, reading.from(), reading.end(), reading.state, false, false), nullptr);
  EXPECT_EQ(reading.state.fault, DecodeFault::null_not_allowed);
}

TEST(Decode, refuses_a_length_below_minus_one) {
  Reading reading{0xff, 0xfe};
  String text;
  EXPECT_EQ(read_string(text, reading.from(), reading.end(), reading.state, false, true), nullptr);
  EXPECT_EQ(reading.state.fault, DecodeFault::negative_length);
}

TEST(Decode, refuses_text_that_passes_the_end) {
  Reading reading{0, 3, 'a', 'b'};
  String text;
  EXPECT_EQ(read_string(text, reading.from(), reading.end(), reading.state, false, false), nullptr);
  EXPECT_EQ(reading.state.fault, DecodeFault::truncated);
}

// A compact length can say more than the two bytes of the older versions; Kafka takes it in
// neither.
TEST(Decode, refuses_text_of_more_than_32767_bytes) {
  for (const std::size_t size : {32'767U, 32'768U}) {
    Reading reading({});
    for (auto rest = static_cast<std::uint32_t>(size + 1); rest != 0; rest >>= 7U)
      reading.bytes.push_back(static_cast<std::byte>((rest & 0x7fU) | (rest > 0x7f ? 0x80U : 0U)));
    reading.bytes.resize(reading.bytes.size() + size, std::byte{'a'});
    String text;
    const std::byte* after =
        read_string(text, reading.from(), reading.end(), reading.state, true, false);
    if (size == 32'767) {
      ASSERT_NE(after, nullptr);
      EXPECT_EQ(text.size(), size);
    } else {
      EXPECT_EQ(after, nullptr);
      EXPECT_EQ(reading.state.fault, DecodeFault::text_too_long);
    }
  }
}

TEST(Decode, takes_the_largest_compact_length_without_overflow) {
  Reading reading{0xff, 0xff, 0xff, 0xff, 0x0f, 1, 2, 3};
  Bytes out;
  EXPECT_EQ(read_bytes(out, reading.from(), reading.end(), reading.state, true, true), nullptr);
  EXPECT_EQ(reading.state.fault, DecodeFault::truncated);
}

TEST(Decode, refuses_a_varint_that_is_too_long) {
  Reading reading{0x80, 0x80, 0x80, 0x80, 0x80, 0x00};
  Bytes out;
  EXPECT_EQ(read_bytes(out, reading.from(), reading.end(), reading.state, true, true), nullptr);
  EXPECT_EQ(reading.state.fault, DecodeFault::bad_varint);
}

TEST(Decode, allocates_nothing_for_a_count_that_the_bytes_do_not_back) {
  Reading reading{0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 1};
  Array<int32_t> numbers;
  EXPECT_EQ(read_fixed_array(numbers, reading.from(), reading.end(), reading.state, false, false),
            nullptr);
  EXPECT_EQ(reading.state.fault, DecodeFault::count_too_large);
  EXPECT_EQ(reading.arena.allocated_bytes(), 0u);
}

TEST(Decode, reads_an_array_of_numbers) {
  Reading reading{3, 0, 0, 0, 7, 0xff, 0xff, 0xff, 0xff};
  Array<int32_t> numbers;
  const std::byte* after =
      read_fixed_array(numbers, reading.from(), reading.end(), reading.state, true, false);
  ASSERT_NE(after, nullptr);
  EXPECT_EQ(reading.consumed(after), 9);
  ASSERT_EQ(numbers.size(), 2u);
  EXPECT_EQ(numbers[0], 7);
  EXPECT_EQ(numbers[1], -1);
}

TEST(Decode, reports_a_full_arena) {
  Reading reading{0, 0, 0, 4, 1, 1, 1, 1};
  Arena tiny(2);
  Decode state{tiny};
  Array<bool> flags;
  EXPECT_EQ(read_fixed_array(flags, reading.from(), reading.end(), state, false, false), nullptr);
  EXPECT_EQ(state.fault, DecodeFault::arena_full);
}

TEST(Decode, skips_tagged_fields_that_it_does_not_know) {
  Reading reading{2, 0, 1, 0xaa, 5, 2, 0xbb, 0xcc, 0x99};
  const std::byte* after = skip_tags(reading.from(), reading.end(), reading.state);
  ASSERT_NE(after, nullptr);
  EXPECT_EQ(reading.consumed(after), 8);
}

TEST(Decode, refuses_tags_that_do_not_ascend) {
  Reading twice{2, 3, 0, 3, 0};
  EXPECT_EQ(skip_tags(twice.from(), twice.end(), twice.state), nullptr);
  EXPECT_EQ(twice.state.fault, DecodeFault::tag_order);
  Reading descending{2, 4, 0, 3, 0};
  EXPECT_EQ(skip_tags(descending.from(), descending.end(), descending.state), nullptr);
  EXPECT_EQ(descending.state.fault, DecodeFault::tag_order);
}

TEST(Decode, ends_at_once_when_more_tags_are_claimed_than_there_are_bytes) {
  Reading reading{0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0};
  EXPECT_EQ(skip_tags(reading.from(), reading.end(), reading.state), nullptr);
  EXPECT_EQ(reading.state.fault, DecodeFault::bad_varint);
}

TEST(Decode, keeps_no_unknown_tags_for_a_count_that_the_bytes_do_not_back) {
  Reading reading{0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0, 0, 0};
  TagReader tags;
  const std::byte* at = read_tag_count(tags, reading.from(), reading.end(), reading.state);
  ASSERT_NE(at, nullptr);
  at = tags.next(at, reading.end(), reading.state);
  ASSERT_NE(at, nullptr);
  UnknownTagKeeper keeper;
  EXPECT_FALSE(keeper.keep(tags, at, reading.end(), reading.state));
  EXPECT_EQ(reading.state.fault, DecodeFault::count_too_large);
}

TEST(Decode, says_where_and_what_in_words) {
  EXPECT_EQ(to_string(DecodeError{DecodeFault::truncated, 17}),
            "a value passes the end of the message at byte 17");
}

TEST(Decode, reads_a_message_of_no_bytes) {
  Arena arena(64);
  const Decode state{arena};
  const std::byte* start = start_of({});
  ASSERT_NE(start, nullptr);
  const DecodeResult result = decoded(state, start, start);
  ASSERT_TRUE(result.has_value());
  EXPECT_EQ(*result, 0u);
}

}  // namespace
}  // namespace millrace::protocol
