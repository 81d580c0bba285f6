#include <gtest/gtest.h>

#include <chrono>

#include "test_group.hpp"

namespace millrace::raft {
namespace {

using std::chrono::milliseconds;

TEST(ReadIndex, is_answered_when_a_majority_has_confirmed_the_leader) {
  TestGroup group(3);
  group.elect(0);
  group.elapse(milliseconds{100});
  group.step(0, Read{ReadId{7}});
  EXPECT_TRUE(group.reads.empty());
  group.deliver();
  ASSERT_EQ(group.reads.size(), 1u);
  EXPECT_EQ(group.reads[0].id, ReadId{7});
  EXPECT_EQ(group.reads[0].index.value(), group[0].commit());
}

TEST(ReadIndex, one_voter_answers_at_once) {
  TestGroup group(1);
  group.step(0, TimerExpired{});
  EXPECT_EQ(group.step(0, Read{ReadId{1}}).reads.size(), 1u);
}

TEST(ReadIndex, one_who_was_replaced_answers_nothing) {
  TestGroup group(3);
  group.elect(0);
  group.elapse(milliseconds{100});
  group.lost = [](const Message& message) {
    return message.from == node_id(0) || message.to == node_id(0);
  };
  group.step(0, Read{ReadId{1}});
  group.elapse(std::chrono::seconds{3});
  ASSERT_EQ(group.reads.size(), 1u);
  EXPECT_EQ(group.reads[0].index.error(), Refusal::not_leader);
}

TEST(ReadIndex, waits_for_the_first_entry_of_the_term) {
  TestGroup group(2);
  group.lost = [](const Message& message) {
    return std::holds_alternative<AppendRequest>(message.body);
  };
  group.elect(0);
  ASSERT_EQ(group[0].role(), Role::leader);
  group.step(0, Read{ReadId{1}});
  group.elapse(milliseconds{100});
  EXPECT_TRUE(group.reads.empty());
  group.lost = nullptr;
  group.elapse(std::chrono::seconds{1});
  EXPECT_EQ(group.reads.size(), 1u);
}

TEST(ReadIndex, waiting_reads_are_limited) {
  TestGroup group(3, 0, [](Options& options) { options.reads_max = 1; });
  group.elect(0);
  group.step(0, Read{ReadId{1}});
  const Effects effects = group.step(0, Read{ReadId{2}});
  ASSERT_EQ(effects.reads.size(), 1u);
  EXPECT_EQ(effects.reads[0].index.error(), Refusal::busy);
}

TEST(CommittedEntries, are_read_from_any_node_and_end_at_what_is_applied) {
  TestGroup group(3);
  group.elect(0);
  group.propose(0, "a");
  group.elapse(milliseconds{100});
  const CommittedEntries committed = group[1].committed_from(at(2), 1000);
  ASSERT_EQ(committed.entries.size(), 1u);
  EXPECT_EQ(as_text(committed.entries[0].data.bytes()), "a");
  EXPECT_EQ(committed.commit, at(2));
  EXPECT_TRUE(group[1].committed_from(at(3), 1000).entries.empty());
}

TEST(CommittedEntries, begin_with_a_snapshot_where_the_log_is_compacted) {
  TestGroup group(1, 0, [](Options& options) { options.entries_kept = 0; });
  group.step(0, TimerExpired{});
  group.propose(0, "a");
  const auto meta = group[0].describe_snapshot(1);
  ASSERT_TRUE(meta);
  group.step(0, SnapshotSaved{*meta});
  EXPECT_EQ(group[0].committed_from(at(1), 1000).snapshot, *meta);
}

}  // namespace
}  // namespace millrace::raft
