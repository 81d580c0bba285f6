#include <gtest/gtest.h>

#include <utility>

import millrace.base;
import millrace.raft;

namespace millrace::raft {
namespace {

Message message_with(MessageBody body) {
  return {NodeId{1}, NodeId{2}, Term{5}, std::move(body)};
}

bool entry_is_taken(const Entry& entry) {
  return well_formed(message_with(AppendRequest{{LogIndex{3}, Term{2}}, {entry}, LogIndex{1}}));
}

TEST(Message, entries_follow_each_other) {
  EXPECT_TRUE(entry_is_taken({LogIndex{4}, Term{2}}));
  EXPECT_FALSE(entry_is_taken({LogIndex{5}, Term{2}})) << "a gap";
  EXPECT_FALSE(entry_is_taken({LogIndex{4}, Term{1}})) << "a term that falls";
  EXPECT_FALSE(entry_is_taken({LogIndex{4}, Term{6}})) << "a term of the future";
  EXPECT_FALSE(entry_is_taken({LogIndex{4}, Term{2}, static_cast<EntryKind>(9)}));
}

TEST(Message, memberships_can_be_read) {
  EXPECT_TRUE(entry_is_taken(
      {LogIndex{4}, Term{2}, EntryKind::membership, Membership({NodeId{1}}).encode()}));
  EXPECT_FALSE(entry_is_taken({LogIndex{4}, Term{2}, EntryKind::membership, Payload("nonsense")}));
}

TEST(Message, a_piece_lies_within_its_snapshot) {
  const SnapshotMeta meta{{LogIndex{9}, Term{2}}, Membership({NodeId{1}}), 10};
  EXPECT_TRUE(well_formed(message_with(SnapshotChunk{meta, 5, 5, Payload("12345")})));
  EXPECT_FALSE(well_formed(message_with(SnapshotChunk{meta, 6, 5, Payload("12345")})));
  EXPECT_FALSE(well_formed(message_with(SnapshotChunk{meta, 5, 5, Payload("1234")})));
  EXPECT_FALSE(well_formed(message_with(SnapshotChunk{meta, ~0ull, 5, Payload("12345")})));
  EXPECT_FALSE(well_formed(message_with(SnapshotChunk{{meta.last, {}, 10}, 0, 1, Payload("1")})));
}

}  // namespace
}  // namespace millrace::raft
