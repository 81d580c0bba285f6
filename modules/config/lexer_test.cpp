#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

import millrace.config;

namespace millrace::config {
namespace {

using Lines = std::vector<std::pair<std::uint32_t, std::string>>;

Lines lines_of(std::string_view text) {
  Lines all;
  PropertyLines lines(text);
  for (auto line = lines.next(); line; line = lines.next()) {
    EXPECT_FALSE(line->is_too_long);
    all.emplace_back(line->line, line->text);
  }
  return all;
}

TEST(PropertyLines, skips_blank_lines_and_comments) {
  EXPECT_EQ(lines_of("\n  \t\n# one\n  ! two\\\na=b\n\n"), (Lines{{5, "a=b"}}));
}

TEST(PropertyLines, ends_lines_at_any_of_the_three_terminators) {
  EXPECT_EQ(lines_of("a\nb\rc\r\nd"), (Lines{{1, "a"}, {2, "b"}, {3, "c"}, {4, "d"}}));
}

TEST(PropertyLines, joins_continued_lines_and_names_the_first) {
  EXPECT_EQ(lines_of("\na=1,\\\n  2,\\\r\n\t3\nb=4"), (Lines{{2, "a=1,2,3"}, {5, "b=4"}}));
}

TEST(PropertyLines, does_not_continue_after_an_escaped_backslash) {
  EXPECT_EQ(lines_of("a=b\\\\\nc=d"), (Lines{{1, "a=b\\\\"}, {2, "c=d"}}));
}

TEST(PropertyLines, takes_a_comment_sign_within_a_continued_line_as_text) {
  EXPECT_EQ(lines_of("a=1\\\n#2"), (Lines{{1, "a=1#2"}}));
}

TEST(PropertyLines, ends_a_continued_line_at_a_blank_one) {
  EXPECT_EQ(lines_of("a=1\\\n   \nb=2"), (Lines{{1, "a=1"}, {3, "b=2"}}));
}

TEST(PropertyLines, marks_a_line_that_is_too_long_and_goes_on_behind_it) {
  const std::string text = "a=" + std::string(line_bytes_max, 'x') + "\nb=1\n";
  PropertyLines lines(text);
  const auto first = lines.next();
  ASSERT_TRUE(first);
  EXPECT_TRUE(first->is_too_long);
  EXPECT_LE(first->text.size(), line_bytes_max);
  const auto second = lines.next();
  ASSERT_TRUE(second);
  EXPECT_EQ(second->text, "b=1");
  EXPECT_FALSE(second->is_too_long);
  EXPECT_FALSE(lines.next());
}

TEST(PropertyLines, counts_continuation_lines_towards_the_limit) {
  std::string text = "a=";
  for (std::size_t i = 0; i < line_bytes_max; ++i) text += "x\\\n";
  PropertyLines lines(text);
  const auto line = lines.next();
  ASSERT_TRUE(line);
  EXPECT_TRUE(line->is_too_long);
  EXPECT_FALSE(lines.next());
}

TEST(PropertyLines, takes_a_line_of_exactly_the_limit) {
  const std::string text = "a=" + std::string(line_bytes_max - 2, 'x');
  PropertyLines lines(text);
  const auto line = lines.next();
  ASSERT_TRUE(line);
  EXPECT_FALSE(line->is_too_long);
  EXPECT_EQ(line->text, text);
}

}  // namespace
}  // namespace millrace::config
