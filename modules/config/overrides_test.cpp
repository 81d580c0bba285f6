#include <gtest/gtest.h>

#include <string>
#include <vector>

import millrace.config;

namespace millrace::config {
namespace {

TEST(Overrides, are_split_at_the_first_equals_sign) {
  Problems problems;
  const std::vector<std::string> arguments = {"a=b=c", " d = e ", "f="};
  const Layer layer = parse_overrides(arguments, problems);
  EXPECT_TRUE(problems.empty());
  EXPECT_EQ(layer.entries, (std::vector<PropertyEntry>{{"a", "b=c"}, {"d", " e "}, {"f", ""}}));
}

TEST(Overrides, that_are_malformed_are_reported_without_their_text) {
  Problems problems;
  const std::vector<std::string> arguments = {
      "hunter2", "=hunter2", "hunter2=\xff", "a=" + std::string(line_bytes_max, 'x'), "a=1", "a=2"};
  const Layer layer = parse_overrides(arguments, problems);
  EXPECT_EQ(layer.entries, (std::vector<PropertyEntry>{{"a", "2"}}));
  EXPECT_EQ(problems.text(),
            "error: command line: setting 1 must be name=value\n"
            "error: command line: setting 2 must be name=value\n"
            "error: command line: setting 3 must be text in UTF-8 of at most 65536 bytes\n"
            "error: command line: setting 4 must be text in UTF-8 of at most 65536 bytes\n"
            "warning: command line: a is set again; its first value is not used\n");
}

}  // namespace
}  // namespace millrace::config
