// Also proves test_group.hpp, events.cpp, types.cppm.
#include <gtest/gtest.h>

#include <string_view>

#include "test_group.hpp"

namespace millrace::raft {
namespace {

TEST(Node, goes_on_where_it_was) {
  Recovered recovered;
  recovered.hard_state = {Term{4}, node_id(1)};
  recovered.snapshot = {{at(5), Term{2}}, Membership({node_id(0), node_id(1)}), 1};
  recovered.entries = {{at(5), Term{2}}, {at(6), Term{4}}};
  Node node(node_id(0), Options{}, recovered, {});
  EXPECT_EQ(node.hard_state(), recovered.hard_state);
  EXPECT_EQ(node.log().base(), (LogPosition{at(5), Term{2}}));
  EXPECT_EQ(node.log().last(), (LogPosition{at(6), Term{4}}));
  EXPECT_EQ(node.durable(), at(6));
  EXPECT_EQ(node.applied(), at(5));
}

TEST(Node, finds_the_latest_members_in_its_log) {
  Recovered recovered;
  recovered.hard_state.term = Term{1};
  recovered.snapshot.membership = Membership({node_id(0)});
  const Membership changed({node_id(0)}, {node_id(1)});
  recovered.entries = {{at(1), Term{1}, EntryKind::membership, changed.encode()}};
  EXPECT_EQ(Node(node_id(0), Options{}, recovered, {}).membership(), changed);
}

TEST(Node, drops_messages_that_are_not_for_it_or_make_no_sense) {
  TestGroup group(3);
  group.step(0, Received{{node_id(1), node_id(2), Term{9}, Heartbeat{}}});
  group.step(0, Received{{node_id(0), node_id(0), Term{9}, Heartbeat{}}});
  group.step(0, Received{{node_id(1), node_id(0), Term{-1}, Heartbeat{}}});
  EXPECT_EQ(group[0].term(), Term{});
}

TEST(Node, a_timer_that_comes_too_early_does_nothing) {
  TestGroup group(3);
  const Effects effects = group.step(0, TimerExpired{});
  EXPECT_TRUE(effects.messages.empty());
  EXPECT_GT(effects.deadline, MonotonicTime{});
}

TEST(Node, every_refusal_and_role_has_a_name) {
  for (int i = 0; i <= static_cast<int>(Refusal::not_a_voter); ++i) {
    EXPECT_NE(name_of(static_cast<Refusal>(i)), "unknown");
  }
  for (int i = 0; i <= static_cast<int>(Role::leader); ++i) {
    EXPECT_NE(name_of(static_cast<Role>(i)), "unknown");
  }
}

}  // namespace
}  // namespace millrace::raft
