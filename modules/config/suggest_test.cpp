#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

import millrace.config;

namespace millrace::config {
namespace {

const std::vector<std::string_view>& names() {
  static const std::vector<std::string_view> all = {"log.retention.hours",   "log.retention.ms",
                                                    "log.retention.minutes", "listeners",
                                                    "num.partitions",        "node.id"};
  return all;
}

TEST(EditDistance, counts_single_errors_as_one) {
  EXPECT_EQ(edit_distance("listeners", "listeners"), 0u);
  EXPECT_EQ(edit_distance("listener", "listeners"), 1u);
  EXPECT_EQ(edit_distance("listenerss", "listeners"), 1u);
  EXPECT_EQ(edit_distance("lisdeners", "listeners"), 1u);
  EXPECT_EQ(edit_distance("litseners", "listeners"), 1u);
  EXPECT_EQ(edit_distance("", "abc"), 3u);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3u);
}

TEST(EditDistance, takes_other_spellings_of_the_same_name_as_equal) {
  EXPECT_EQ(edit_distance("LOG_RETENTION_MS", "log.retention.ms"), 0u);
  EXPECT_EQ(edit_distance("log-retention-ms", "log.retention.ms"), 0u);
}

// By the definition, without a table: too slow for anything but short words.
std::size_t slow_distance(std::string_view left, std::string_view right) {
  if (left.empty() || right.empty()) return left.size() + right.size();
  const std::string_view l = left.substr(1);
  const std::string_view r = right.substr(1);
  std::size_t best = slow_distance(l, r) + (left[0] == right[0] ? 0 : 1);
  best = std::min({best, slow_distance(l, right) + 1, slow_distance(left, r) + 1});
  const bool is_swap = l.size() > 0 && r.size() > 0 && left[0] == r[0] && l[0] == right[0];
  if (is_swap) best = std::min(best, slow_distance(l.substr(1), r.substr(1)) + 1);
  return best;
}

RC_GTEST_PROP(EditDistance, agrees_with_its_definition, ()) {
  const auto word =
      rc::gen::resize(6, rc::gen::container<std::string>(rc::gen::elementOf(std::string("abc"))));
  const std::string left = *word;
  const std::string right = *word;
  RC_PRE(left.size() <= 6 && right.size() <= 6);
  RC_ASSERT(edit_distance(left, right) == slow_distance(left, right));
}

RC_GTEST_PROP(EditDistance, stops_at_its_bound_and_is_exact_below, ()) {
  const auto word = rc::gen::container<std::string>(rc::gen::elementOf(std::string("abc")));
  const std::string left = *word;
  const std::string right = *word;
  const auto at_most = *rc::gen::inRange<std::size_t>(0, 8);
  const std::size_t exact = edit_distance(left, right);
  RC_ASSERT(edit_distance(left, right, at_most) == std::min(exact, at_most + 1));
}

RC_GTEST_PROP(EditDistance, is_the_same_both_ways_and_bounded_by_the_longer_word, ()) {
  const auto left = *rc::gen::arbitrary<std::string>();
  const auto right = *rc::gen::arbitrary<std::string>();
  const std::size_t distance = edit_distance(left, right);
  RC_ASSERT(distance == edit_distance(right, left));
  RC_ASSERT(distance <= std::max(left.size(), right.size()));
}

TEST(EditDistance, of_endless_words_looks_at_their_beginnings) {
  EXPECT_EQ(edit_distance(std::string(100'000, 'a'), std::string(100'000, 'b')),
            suggestion_bytes_max);
}

TEST(Nearest, finds_the_name_that_was_meant) {
  EXPECT_EQ(nearest("log.retention.hour", names()), "log.retention.hours");
  EXPECT_EQ(nearest("log.retention.m", names()), "log.retention.ms");
  EXPECT_EQ(nearest("nodeid", names()), "node.id");
  EXPECT_EQ(nearest("num.partition", names()), "num.partitions");
  EXPECT_EQ(nearest("Listeners", names()), "listeners");
}

TEST(Nearest, says_nothing_when_nothing_is_near) {
  EXPECT_EQ(nearest("zookeeper.connect", names()), std::nullopt);
  EXPECT_EQ(nearest("foo", names()), std::nullopt);
  EXPECT_EQ(nearest("", names()), std::nullopt);
  EXPECT_EQ(nearest(std::string(100'000, 'a'), names()), std::nullopt);
  EXPECT_EQ(nearest("listeners", {}), std::nullopt);
}

TEST(Nearest, takes_the_first_in_the_alphabet_of_equally_near_names) {
  const std::vector<std::string_view> known = {"abcdeg", "abcdef"};
  EXPECT_EQ(nearest("abcdex", known), "abcdef");
}

TEST(Nearest, of_a_letter_or_two_is_only_another_spelling) {
  const std::vector<std::string_view> known = {"g", "id", "group"};
  EXPECT_EQ(nearest("x", known), std::nullopt);
  EXPECT_EQ(nearest("is", known), std::nullopt);
  EXPECT_EQ(nearest("ID", known), "id");
  EXPECT_EQ(nearest("grop", known), "group");
}

}  // namespace
}  // namespace millrace::config
