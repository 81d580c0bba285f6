#include <gtest/gtest.h>

#include <chrono>

#include "test_group.hpp"

namespace millrace::raft {
namespace {

using std::chrono::milliseconds;

TEST(Election, one_voter_elects_itself_at_once_and_commits) {
  TestGroup group(1);
  group.step(0, TimerExpired{});
  EXPECT_EQ(group[0].role(), Role::leader);
  group.propose(0, "alone");
  EXPECT_EQ(group.applied[0].back(), "alone");
}

TEST(Election, one_voter_leads_only_when_its_vote_is_durable) {
  TestGroup group(1);
  group.stalled = {0};
  group.step(0, TimerExpired{});
  EXPECT_EQ(group[0].role(), Role::candidate);
  group.sync(0);
  EXPECT_EQ(group[0].role(), Role::leader);
}

TEST(Election, three_voters_elect_the_one_that_asks_first) {
  TestGroup group(3);
  group.elect(1);
  EXPECT_EQ(group[1].role(), Role::leader);
  EXPECT_EQ(group[0].leader(), node_id(1));
  EXPECT_EQ(group[2].leader(), node_id(1));
}

TEST(Election, a_vote_leaves_only_when_it_is_durable) {
  TestGroup group(3);
  group.stalled = {2};
  group.step(2, Received{{node_id(0), node_id(2), Term{1}, VoteRequest{}}});
  EXPECT_TRUE(group.in_flight.empty());
  group.sync(2);
  ASSERT_EQ(group.in_flight.size(), 1u);
  EXPECT_TRUE(std::get<VoteAnswer>(group.in_flight[0].body).granted);
}

TEST(Election, a_node_votes_once_in_a_term) {
  TestGroup group(3);
  group.step(2, Received{{node_id(0), node_id(2), Term{1}, VoteRequest{}}});
  group.step(2, Received{{node_id(1), node_id(2), Term{1}, VoteRequest{}}});
  ASSERT_EQ(group.in_flight.size(), 2u);
  EXPECT_FALSE(std::get<VoteAnswer>(group.in_flight[1].body).granted);
  EXPECT_EQ(group[2].hard_state().vote, node_id(0));
}

TEST(Election, a_log_that_lacks_entries_gets_no_vote) {
  TestGroup group(3);
  group.elect(0);
  group.propose(0, "entry");
  group.elapse(milliseconds{10});
  group.step(1, Received{{node_id(2), node_id(1), Term{9}, VoteRequest{{}, true}}});
  group.lost = [](const Message& message) {
    if (const auto* answer = std::get_if<VoteAnswer>(&message.body)) EXPECT_FALSE(answer->granted);
    return true;
  };
  EXPECT_EQ(count_of<VoteAnswer>(group.in_flight), 1);
  group.deliver();
}

TEST(Election, a_pre_vote_changes_nothing_where_it_arrives) {
  TestGroup group(3);
  group.elect(0);
  const HardState before = group[1].hard_state();
  group.step(1, Received{{node_id(2), node_id(1), Term{7}, PreVoteRequest{Term{8}, {}}}});
  EXPECT_EQ(group[1].hard_state(), before);
}

TEST(Election, a_node_that_was_cut_off_does_not_unseat_the_leader) {
  TestGroup group(3);
  group.elect(0);
  const Term term = group[0].term();
  group.lost = [](const Message& message) {
    return message.from == node_id(2) || message.to == node_id(2);
  };
  group.elapse(std::chrono::seconds{5});
  EXPECT_EQ(group[2].term(), term) << "a term is not raised without votes in sight";
  group.lost = nullptr;
  group.elapse(std::chrono::seconds{2});
  EXPECT_EQ(group[0].role(), Role::leader);
  EXPECT_EQ(group[0].term(), term);
}

TEST(Election, a_node_that_hears_its_leader_ignores_vote_requests) {
  TestGroup group(3);
  group.elect(0);
  const Term term = group[1].term();
  group.step(1, Received{{node_id(2), node_id(1), Term{9}, VoteRequest{}}});
  EXPECT_EQ(group[1].term(), term);
  EXPECT_EQ(count_of<VoteAnswer>(group.in_flight), 0);
}

TEST(Election, a_leader_that_hears_no_majority_stops_to_lead) {
  TestGroup group(3);
  group.elect(0);
  group.lost = [](const Message&) { return true; };
  group.elapse(std::chrono::seconds{2});
  EXPECT_NE(group[0].role(), Role::leader);
}

TEST(Election, a_leader_of_an_old_term_learns_the_new_one) {
  TestGroup group(3);
  group.elect(0);
  group.step(1, Received{{node_id(2), node_id(1), Term{9}, VoteRequest{{at(9), Term{8}}, true}}});
  group.elapse(milliseconds{100});
  EXPECT_GE(group[0].term(), Term{9});
}

// Two voters, one of which was to be removed: only it has that entry, and it is no member by it.
TEST(Election, a_node_that_is_removed_stands_until_the_change_is_committed) {
  TestGroup group(2);
  group.elect(0);
  group.lost = [](const Message&) { return true; };
  group.step(0, ChangeMembership{{MemberChange::remove, node_id(0)}});
  group.deliver();
  group.elapse(std::chrono::seconds{2});
  ASSERT_NE(group[0].role(), Role::leader);
  group.lost = nullptr;
  group.elapse(std::chrono::seconds{5});
  EXPECT_EQ(group[1].role(), Role::leader);
  EXPECT_EQ(group[1].membership(), Membership({node_id(1)}));
}

}  // namespace
}  // namespace millrace::raft
