#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

import millrace.base;

namespace millrace {
namespace {

TEST(Format, numbers_are_written_whole) {
  EXPECT_EQ(formatted("{} {} {}", std::numeric_limits<std::int64_t>::min(),
                      std::numeric_limits<std::uint64_t>::max(), std::int8_t{-1}),
            "-9223372036854775808 18446744073709551615 -1");
  EXPECT_EQ(formatted("{} {}", std::uint8_t{65}, std::int16_t{-32768}), "65 -32768");
  EXPECT_EQ(formatted("{} {:.2f}", 0.5, 2.0f / 3), "0.5 0.67");
}

TEST(Format, truth_and_characters_are_written_as_such) {
  EXPECT_EQ(formatted("{} {} {}", true, false, 'x'), "true false x");
}

TEST(Format, text_of_every_kind_is_written) {
  const std::string owned = "a string";
  const char* terminated = "a pointer";
  EXPECT_EQ(formatted("{}, {}, {}, {}", owned, std::string_view("a view"), terminated, "a literal"),
            "a string, a view, a pointer, a literal");
  EXPECT_EQ(formatted("[{}]", std::string()), "[]");
  EXPECT_EQ(formatted("[{}]", std::string_view("a\0b", 3)), std::string("[a\0b]", 5));
}

TEST(Format, strong_types_look_like_their_numbers) {
  EXPECT_EQ(formatted("{} in {}", Offset{5}, PartitionIndex{-1}), "5 in -1");
  EXPECT_EQ(formatted("{:04}", ProducerEpoch{7}), "0007");
}

TEST(Format, what_has_a_name_or_a_text_is_written_by_it) {
  EXPECT_EQ(formatted("topic {}", Uuid{}), "topic AAAAAAAAAAAAAAAAAAAAAA");
  EXPECT_EQ(formatted("{}: {}", ErrorKind::corrupt, "magic 3"), "corrupt: magic 3");
}

TEST(Format, specifications_are_those_of_fmt) {
  EXPECT_EQ(formatted("{:#010x}|{:>5}|{:<5}|{:b}", 255u, "ab", 'c', 5),
            "0x000000ff|   ab|c    |101");
}

TEST(Format, doubled_braces_are_braces) {
  EXPECT_EQ(formatted("{{}} {{{}}}", 1), "{} {1}");
  EXPECT_EQ(formatted("no arguments, {{ and }}"), "no arguments, { and }");
  EXPECT_EQ(formatted(""), "");
}

TEST(Format, what_fmt_refuses_at_run_time_is_told_in_the_text) {
  EXPECT_EQ(formatted("{:~~}", 1), "{:~~} (invalid type specifier)");
}

}  // namespace
}  // namespace millrace
