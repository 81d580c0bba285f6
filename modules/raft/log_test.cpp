#include <gtest/gtest.h>

#include <vector>

import millrace.base;
import millrace.raft;

namespace millrace::raft {
namespace {

// Entries from 1 on with these terms.
std::vector<Entry> entries_of(std::vector<std::int64_t> terms) {
  std::vector<Entry> entries;
  for (const std::int64_t term : terms) {
    entries.push_back({LogIndex{static_cast<std::int64_t>(entries.size()) + 1}, Term{term}});
  }
  return entries;
}

Log log_of(std::vector<std::int64_t> terms) {
  Log log({});
  for (Entry& entry : entries_of(std::move(terms))) log.append(std::move(entry));
  return log;
}

TEST(Log, knows_terms_from_its_base_to_its_end_and_nowhere_else) {
  Log log = log_of({1, 1, 2, 3});
  log.compact_through(LogIndex{2});
  EXPECT_FALSE(log.term_at(LogIndex{1}));
  EXPECT_EQ(log.term_at(LogIndex{2}), Term{1});
  EXPECT_EQ(log.term_at(LogIndex{4}), Term{3});
  EXPECT_FALSE(log.term_at(LogIndex{5}));
  EXPECT_EQ(log.last(), (LogPosition{LogIndex{4}, Term{3}}));
}

TEST(Log, compares_entries_by_term) {
  const Log log = log_of({1, 1, 2});
  EXPECT_EQ(log.first_missing(entries_of({1, 1})), 2u);
  EXPECT_EQ(log.first_missing(entries_of({1, 1, 2, 2})), 3u);
  EXPECT_EQ(log.first_missing(entries_of({1, 2})), 1u);
}

TEST(Log, skips_whole_terms_that_cannot_match) {
  const Log log = log_of({1, 1, 4, 4, 4, 6});
  EXPECT_EQ(log.last_possible_match(LogIndex{6}, Term{3}), (LogPosition{LogIndex{2}, Term{1}}));
  EXPECT_EQ(log.last_possible_match(LogIndex{9}, Term{5}), (LogPosition{LogIndex{5}, Term{4}}));
  EXPECT_EQ(log.last_possible_match(LogIndex{6}, Term{}), LogPosition{});
}

TEST(Log, a_slice_has_at_least_one_entry_and_otherwise_keeps_its_size) {
  const Log log = log_of({1, 1, 1});
  EXPECT_EQ(log.slice(LogIndex{1}, LogIndex{3}, 1).size(), 1u);
  EXPECT_EQ(log.slice(LogIndex{1}, LogIndex{3}, 2 * entry_overhead_bytes).size(), 2u);
  EXPECT_EQ(log.slice(LogIndex{2}, LogIndex{2}, 1000).size(), 1u);
  EXPECT_TRUE(log.slice(LogIndex{4}, LogIndex{9}, 1000).empty());
}

TEST(Log, is_cut_off_and_goes_on_above_a_snapshot) {
  Log log = log_of({1, 2, 2});
  log.truncate_from(LogIndex{2});
  EXPECT_EQ(log.last(), (LogPosition{LogIndex{1}, Term{1}}));
  log.reset({LogIndex{10}, Term{5}});
  EXPECT_EQ(log.last(), (LogPosition{LogIndex{10}, Term{5}}));
  log.append({LogIndex{11}, Term{5}});
  EXPECT_EQ(log.at(LogIndex{11}).term, Term{5});
}

TEST(LogPosition, is_up_to_date_by_term_first_and_then_by_length) {
  EXPECT_TRUE(up_to_date({LogIndex{1}, Term{3}}, {LogIndex{9}, Term{2}}));
  EXPECT_FALSE(up_to_date({LogIndex{8}, Term{2}}, {LogIndex{9}, Term{2}}));
  EXPECT_TRUE(up_to_date({LogIndex{9}, Term{2}}, {LogIndex{9}, Term{2}}));
}

}  // namespace
}  // namespace millrace::raft
