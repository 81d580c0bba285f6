// Also proves limits.cppm.
#include <gtest/gtest.h>

#include <string>

import millrace.base;
import millrace.config;

namespace millrace::config {
namespace {

Source line_of(std::uint32_t line) {
  return {.kind = SourceKind::file, .file = "server.properties", .line = line};
}

TEST(Problems, say_where_and_what) {
  Problems problems;
  problems.warn(line_of(3), "careful");
  problems.fail({.kind = SourceKind::command_line, .file = {}, .line = 0}, "wrong");
  problems.fail(line_of(0), "no such file");
  EXPECT_EQ(problems.text(),
            "warning: server.properties:3: careful\n"
            "error: command line: wrong\n"
            "error: server.properties: no such file\n");
  EXPECT_TRUE(problems.has_errors());
  EXPECT_EQ(problems.as_error().kind, ErrorKind::invalid_argument);
}

TEST(Problems, are_no_error_while_they_only_warn) {
  Problems problems;
  EXPECT_TRUE(problems.empty());
  problems.warn(line_of(1), "careful");
  EXPECT_FALSE(problems.has_errors());
  EXPECT_FALSE(problems.empty());
}

TEST(Problems, name_every_kind_of_source) {
  const auto name = [](SourceKind kind) { return to_string(Source{.kind = kind, .file = {}}); };
  EXPECT_EQ(name(SourceKind::default_value), "default");
  EXPECT_EQ(name(SourceKind::command_line), "command line");
  EXPECT_EQ(name(SourceKind::cluster_wide), "cluster-wide setting");
  EXPECT_EQ(name(SourceKind::per_broker), "broker setting");
  EXPECT_EQ(name(SourceKind::per_topic), "topic setting");
}

TEST(Problems, are_counted_beyond_their_limit_and_errors_push_warnings_out) {
  Problems problems;
  for (std::size_t i = 0; i < problems_max; ++i) problems.warn(line_of(1), "careful");
  problems.warn(line_of(2), "careful");
  EXPECT_EQ(problems.list().back().source.line, 1u);
  problems.fail(line_of(3), "wrong");
  EXPECT_EQ(problems.list().size(), problems_max);
  EXPECT_EQ(problems.left_out(), 2u);
  EXPECT_EQ(to_string(problems.list().back()), "error: server.properties:3: wrong");
  EXPECT_NE(problems.text().find("and 2 more\n"), std::string::npos);
}

TEST(Problems, of_two_lists_add_up) {
  Problems one;
  one.warn(line_of(1), "first");
  Problems other;
  other.fail(line_of(2), "second");
  one.add(other);
  EXPECT_EQ(one.list().size(), 2u);
  EXPECT_TRUE(one.has_errors());
}

TEST(Printable, escapes_what_a_terminal_would_obey) {
  EXPECT_EQ(printable("a\x1b[2Jb\n\x7f"), "a\\x1b[2Jb\\x0a\\x7f");
  EXPECT_EQ(printable("\xc2\x9b"
                      "31m"),
            "\\x9b31m");
  EXPECT_EQ(printable("Z\xc3\xbcrich \xe2\x82\xac"), "Z\xc3\xbcrich \xe2\x82\xac");
}

TEST(Printable, escapes_bytes_that_are_no_text) {
  EXPECT_EQ(printable("a\xff\xc3"), "a\\xff\\xc3");
}

TEST(Printable, cuts_long_words_between_characters) {
  EXPECT_EQ(printable(std::string(200, 'x')), std::string(quoted_bytes_max, 'x') + "...");
  const std::string text = std::string(quoted_bytes_max - 1, 'x') + "\xe2\x82\xac";
  EXPECT_EQ(printable(text), std::string(quoted_bytes_max - 1, 'x') + "...");
}

}  // namespace
}  // namespace millrace::config
