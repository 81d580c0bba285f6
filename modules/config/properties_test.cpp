#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <map>
#include <string>
#include <string_view>
#include <vector>

import millrace.config;

namespace millrace::config {
namespace {

using Pairs = std::map<std::string, std::string>;

Pairs pairs_of(const ParsedProperties& parsed) {
  Pairs pairs;
  for (const PropertyEntry& entry : parsed.entries) pairs[entry.name] = entry.value;
  return pairs;
}

Pairs read(std::string_view text) {
  const ParsedProperties parsed = parse_properties(text, "test.properties");
  EXPECT_FALSE(parsed.problems.has_errors()) << parsed.problems.text();
  return pairs_of(parsed);
}

std::vector<std::string> problems_of(std::string_view text) {
  std::vector<std::string> texts;
  const ParsedProperties parsed = parse_properties(text, "test.properties");
  for (const Problem& problem : parsed.problems.list()) {
    texts.push_back(to_string(problem));
  }
  return texts;
}

TEST(Properties, reads_the_three_ways_to_separate_name_and_value) {
  EXPECT_EQ(read("a=1\nb: 2\nc 3\nd = 4\ne"),
            (Pairs{{"a", "1"}, {"b", "2"}, {"c", "3"}, {"d", "4"}, {"e", ""}}));
}

TEST(Properties, keeps_separators_and_spaces_within_the_value) {
  EXPECT_EQ(read("listeners=A://h:1, B://h:2 "), (Pairs{{"listeners", "A://h:1, B://h:2 "}}));
}

TEST(Properties, unescapes_names_and_values) {
  EXPECT_EQ(read("a\\=b\\ c=\\t\\n\\u0041\\ud83d\\ude00\\z"),
            (Pairs{{"a=b c", "\t\nA\xf0\x9f\x98\x80z"}}));
}

TEST(Properties, takes_bytes_as_utf8_and_skips_a_byte_order_mark) {
  EXPECT_EQ(read("\xef\xbb\xbfrack=Z\xc3\xbcrich"), (Pairs{{"rack", "Z\xc3\xbcrich"}}));
}

TEST(Properties, says_where_an_entry_stands) {
  const auto parsed = parse_properties("# x\na=1\\\n2\nb=3", "f");
  ASSERT_EQ(parsed.entries.size(), 2u);
  EXPECT_EQ(parsed.entries[0].line, 2u);
  EXPECT_EQ(parsed.entries[1].line, 4u);
}

TEST(Properties, lets_the_last_of_two_values_win_and_warns) {
  const auto parsed = parse_properties("a=secret1\nb=2\na=secret3", "f");
  EXPECT_EQ(pairs_of(parsed), (Pairs{{"a", "secret3"}, {"b", "2"}}));
  EXPECT_EQ(parsed.entries[0].line, 3u);
  EXPECT_EQ(parsed.problems.text(),
            "warning: f:3: a is set again; its value of line 1 is not used\n");
}

TEST(Properties, reports_every_malformed_line_and_reads_the_others) {
  const auto parsed = parse_properties(
      "a=\\u12\nb=\xff\nc=\\ud800\nd=\\udc00x\ne=1\nf=\\u0000\ng=\\ud800\\u0041\nh=\\uXYZW", "f");
  EXPECT_EQ(pairs_of(parsed), (Pairs{{"e", "1"}}));
  ASSERT_EQ(parsed.problems.list().size(), 7u) << parsed.problems.text();
  EXPECT_EQ(to_string(parsed.problems.list()[0]),
            "error: f:1: \\u must be followed by four hexadecimal digits");
  EXPECT_EQ(to_string(parsed.problems.list()[1]),
            "error: f:2: not text in UTF-8; write other characters as \\uXXXX");
  EXPECT_EQ(to_string(parsed.problems.list()[2]),
            "error: f:3: \\ud800 is half of a surrogate pair");
}

TEST(Properties, refuses_nul_bytes) {
  EXPECT_EQ(problems_of(std::string_view("a=b\0c", 5)).size(), 1u);
}

TEST(Properties, never_repeats_a_value_in_a_problem) {
  for (const std::string& problem :
       problems_of("ssl.key.password=hunter2\\u12\nssl.key.password=hunter2\n"
                   "ssl.key.password=hunter2\nx=hunter2\xff")) {
    EXPECT_EQ(problem.find("hunter2"), std::string::npos) << problem;
  }
}

TEST(Properties, limits_the_size_of_a_file) {
  const std::string largest = "a=b\n" + std::string(file_bytes_max - 4, '\n');
  EXPECT_EQ(read(largest), (Pairs{{"a", "b"}}));
  const auto too_large = problems_of(largest + "\n");
  ASSERT_EQ(too_large.size(), 1u);
  EXPECT_EQ(too_large[0], "error: test.properties: larger than 1048576 bytes");
}

TEST(Properties, limits_the_length_of_a_line) {
  const auto problems = problems_of("x=1\na=" + std::string(line_bytes_max, 'x') + "\n");
  ASSERT_EQ(problems.size(), 1u);
  EXPECT_EQ(problems[0], "error: test.properties:2: line longer than 65536 bytes");
}

TEST(Properties, limits_the_number_of_properties) {
  std::string text;
  for (std::size_t i = 0; i < properties_max; ++i) text += "p" + std::to_string(i) + "=1\n";
  EXPECT_EQ(read(text).size(), properties_max);
  const auto problems = problems_of(text + "p0=2\nq=1\nr=1\n");
  ASSERT_EQ(problems.size(), 2u);
  EXPECT_EQ(problems[1], "error: test.properties:4098: more than 4096 properties");
}

std::string unhex(std::string_view hex) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes += static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16));
  }
  return bytes;
}

// "key=value,key=value" in hexadecimal.
Pairs expected_pairs(std::string_view text) {
  Pairs pairs;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(','), text.size());
    const std::string_view pair = text.substr(0, end);
    const std::size_t equals = pair.find('=');
    pairs[unhex(pair.substr(0, equals))] = unhex(pair.substr(equals + 1));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return pairs;
}

TEST(Properties, reads_what_java_reads) {
  std::ifstream file(MILLRACE_SOURCE_DIR "/tests/golden/data/java_properties.tsv");
  std::size_t cases = 0;
  for (std::string line; std::getline(file, line); ++cases) {
    const std::size_t tab = line.find('\t');
    ASSERT_NE(tab, std::string::npos);
    const std::string text = unhex(std::string_view(line).substr(0, tab));
    const std::string_view expected = std::string_view(line).substr(tab + 1);
    const ParsedProperties parsed = parse_properties(text, "java");
    if (expected == "refused") {
      EXPECT_TRUE(parsed.problems.has_errors()) << line;
    } else {
      EXPECT_FALSE(parsed.problems.has_errors()) << line << "\n" << parsed.problems.text();
      EXPECT_EQ(pairs_of(parsed), expected_pairs(expected)) << testing::PrintToString(text);
    }
  }
  EXPECT_GT(cases, 1500u);
}

rc::Gen<std::string> any_text() {
  const auto character = rc::gen::weightedOneOf<std::uint32_t>({
      {6, rc::gen::elementOf(std::vector<std::uint32_t>{'=', ':', ' ', '\t', '\\', '#', '!', '\n',
                                                        '\r', '\f', 'u', '$', '{', '}', ','})},
      {6, rc::gen::inRange<std::uint32_t>(1, 0x80)},
      {2, rc::gen::inRange<std::uint32_t>(0x80, 0xd800)},
      {1, rc::gen::inRange<std::uint32_t>(0xe000, 0x110000)},
  });
  return rc::gen::map(rc::gen::container<std::vector<std::uint32_t>>(character),
                      [](const std::vector<std::uint32_t>& characters) {
                        std::string text;
                        for (const std::uint32_t one : characters) append_utf8(text, one);
                        return text;
                      });
}

RC_GTEST_PROP(Properties, reads_back_what_it_writes, ()) {
  const auto pairs = *rc::gen::container<Pairs>(any_text(), any_text());
  std::string text;
  for (const auto& [name, value] : pairs) text += format_property(name, value) + "\n";
  const ParsedProperties parsed = parse_properties(text, "written");
  RC_ASSERT(parsed.problems.empty());
  RC_ASSERT(pairs_of(parsed) == pairs);
}

RC_GTEST_PROP(Properties, writes_one_line_of_printable_ascii, ()) {
  const std::string line = format_property(*any_text(), *any_text());
  RC_ASSERT(std::all_of(line.begin(), line.end(), [](char c) { return c >= ' ' && c <= '~'; }));
}

}  // namespace
}  // namespace millrace::config
