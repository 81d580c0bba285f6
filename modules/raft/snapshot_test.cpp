#include <gtest/gtest.h>

#include <chrono>

#include "test_group.hpp"

namespace millrace::raft {
namespace {

using std::chrono::milliseconds;

void small_pieces(Options& options) {
  options.snapshot_chunk_bytes_max = 10;
  options.entries_kept = 0;
}

// Two voters of which the second has missed what the first has compacted away.
void leave_behind(TestGroup& group) {
  group.elect(0);
  group.elapse(milliseconds{100});
  group.lost = [](const Message& message) {
    return message.to == node_id(2) || message.from == node_id(2);
  };
  for (int i = 0; i < 10; ++i) group.propose(0, "entry");
  const auto meta = group[0].describe_snapshot(35);
  ASSERT_TRUE(meta);
  group.step(0, SnapshotSaved{*meta});
  group.lost = nullptr;
}

TEST(Snapshot, a_saved_one_takes_the_place_of_entries) {
  TestGroup group(1, 0, [](Options& options) { options.entries_kept = 3; });
  group.step(0, TimerExpired{});
  for (int i = 0; i < 9; ++i) group.propose(0, "entry");
  const auto meta = group[0].describe_snapshot(1);
  ASSERT_TRUE(meta);
  EXPECT_EQ(meta->last.index, at(10));
  const Effects effects = group.step(0, SnapshotSaved{*meta});
  EXPECT_EQ(effects.compact_through, at(7));
  EXPECT_EQ(group[0].log().base().index, at(7));
  EXPECT_FALSE(group[0].describe_snapshot(1)) << "nothing is new";
}

TEST(Snapshot, one_who_lacks_compacted_entries_gets_it_in_pieces) {
  TestGroup group(3, 0, small_pieces);
  leave_behind(group);
  int pieces = 0;
  group.lost = [&pieces](const Message& message) {
    pieces += std::holds_alternative<SnapshotChunk>(message.body);
    return false;
  };
  group.elapse(std::chrono::seconds{1});
  EXPECT_EQ(pieces, 4);
  EXPECT_TRUE(group.restored.contains(node_id(2)));
  EXPECT_EQ(group[2].log().last(), group[0].log().last());
  EXPECT_EQ(group[2].applied(), group[0].applied());
}

TEST(Snapshot, goes_on_after_a_piece_was_lost) {
  TestGroup group(3, 0, small_pieces);
  leave_behind(group);
  int pieces = 0;
  group.lost = [&pieces](const Message& message) {
    return std::holds_alternative<SnapshotChunk>(message.body) && ++pieces == 2;
  };
  group.elapse(std::chrono::seconds{2});
  EXPECT_TRUE(group.restored.contains(node_id(2)));
}

TEST(Snapshot, is_acknowledged_when_it_is_durable) {
  TestGroup group(3, 0, small_pieces);
  leave_behind(group);
  group.stalled = {2};
  group.elapse(std::chrono::seconds{1});
  const Progress& progress = group[0].followers().at(node_id(2));
  EXPECT_EQ(progress.state(), ProgressState::snapshot);
  EXPECT_FALSE(group.restored.contains(node_id(2)));
  group.sync(2);
  group.elapse(milliseconds{300});
  EXPECT_TRUE(group.restored.contains(node_id(2)));
}

// Answers that came late once made a leader send an early piece for ever.
TEST(Snapshot, goes_on_when_the_follower_has_more_than_was_sent_last) {
  TestGroup group(3, 0, small_pieces);
  leave_behind(group);
  int answers = 0;
  Message late;
  group.lost = [&](const Message& message) {
    if (!std::holds_alternative<SnapshotAnswer>(message.body)) return false;
    ++answers;
    if (answers == 1) late = message;
    return answers == 3;
  };
  group.elapse(milliseconds{60});
  ASSERT_EQ(answers, 3);
  group.step(0, Received{late});
  group.elapse(std::chrono::seconds{1});
  EXPECT_TRUE(group.restored.contains(node_id(2)));
}

TEST(Snapshot, a_node_that_does_not_know_the_members_takes_none) {
  TestGroup group(1, 1);
  group.step(
      1, Received{{node_id(0), node_id(1), Term{1}, AppendRequest{{}, {{at(1), Term{1}}}, at(1)}}});
  EXPECT_EQ(group[1].applied(), at(1));
  EXPECT_FALSE(group[1].describe_snapshot(1));
}

}  // namespace
}  // namespace millrace::raft
