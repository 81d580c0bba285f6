#include <gtest/gtest.h>

#include <chrono>
#include <string>

#include "test_group.hpp"

namespace millrace::raft {
namespace {

using std::chrono::milliseconds;

Refusal refusal_of(const Effects& effects) {
  EXPECT_TRUE(effects.answer && !*effects.answer) << "it was not refused";
  return effects.answer->error();
}

TEST(Proposal, only_a_leader_takes_them) {
  TestGroup group(3);
  group.elect(0);
  EXPECT_EQ(refusal_of(group.propose(1, "entry")), Refusal::not_leader);
}

TEST(Proposal, the_answer_names_the_place_of_the_entry) {
  TestGroup group(1);
  group.step(0, TimerExpired{});
  const Effects effects = group.propose(0, "entry");
  EXPECT_EQ(effects.answer->value(), (LogPosition{at(2), Term{1}}));
}

TEST(Proposal, what_is_not_committed_is_limited) {
  TestGroup group(2, 0, [](Options& options) { options.uncommitted_entries_max = 3; });
  group.elect(0);
  group.lost = [](const Message&) { return true; };
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(group.propose(0, "entry").answer->has_value());
  EXPECT_EQ(refusal_of(group.propose(0, "entry")), Refusal::busy);
}

TEST(Proposal, one_that_is_too_large_is_refused) {
  TestGroup group(1, 0, [](Options& options) { options.entry_bytes_max = 10; });
  group.step(0, TimerExpired{});
  EXPECT_EQ(refusal_of(group.propose(0, "eleven byte")), Refusal::too_large);
}

TEST(MembershipChange, a_learner_gets_the_log_and_becomes_a_voter) {
  TestGroup group(1, 1);
  group.step(0, TimerExpired{});
  group.propose(0, "before");
  group.step(0, ChangeMembership{{MemberChange::add_learner, node_id(1)}});
  group.elapse(milliseconds{300});
  EXPECT_EQ(group[1].membership(), Membership({node_id(0)}, {node_id(1)}));
  EXPECT_EQ(group.applied[1][1], "before");
  EXPECT_TRUE(group.step(0, ChangeMembership{{MemberChange::promote_learner, node_id(1)}})
                  .answer->has_value());
  group.elapse(milliseconds{300});
  EXPECT_EQ(group[1].membership(), Membership({node_id(0), node_id(1)}));
}

TEST(MembershipChange, waits_for_an_entry_of_the_own_term) {
  TestGroup group(2);
  group.lost = [](const Message& message) {
    return std::holds_alternative<AppendAnswer>(message.body);
  };
  group.elect(0);
  ASSERT_EQ(group[0].role(), Role::leader);
  EXPECT_EQ(refusal_of(group.step(0, ChangeMembership{{MemberChange::remove, node_id(1)}})),
            Refusal::term_not_begun);
}

TEST(MembershipChange, one_waits_for_the_other) {
  TestGroup group(2, 2);
  group.elect(0);
  group.elapse(milliseconds{100});
  group.lost = [](const Message&) { return true; };
  EXPECT_TRUE(
      group.step(0, ChangeMembership{{MemberChange::add_learner, node_id(2)}}).answer->has_value());
  EXPECT_EQ(refusal_of(group.step(0, ChangeMembership{{MemberChange::add_learner, node_id(3)}})),
            Refusal::change_pending);
}

TEST(MembershipChange, a_learner_that_lacks_much_is_not_made_a_voter) {
  TestGroup group(1, 1, [](Options& options) { options.learner_lag_max = 5; });
  group.step(0, TimerExpired{});
  group.lost = [](const Message&) { return true; };
  group.step(0, ChangeMembership{{MemberChange::add_learner, node_id(1)}});
  for (int i = 0; i < 5; ++i) group.propose(0, "entry");
  EXPECT_EQ(
      refusal_of(group.step(0, ChangeMembership{{MemberChange::promote_learner, node_id(1)}})),
      Refusal::not_caught_up);
}

TEST(MembershipChange, a_leader_that_is_removed_leads_until_that_is_committed) {
  TestGroup group(3);
  group.elect(0);
  group.elapse(milliseconds{100});
  group.step(0, ChangeMembership{{MemberChange::remove, node_id(0)}});
  EXPECT_EQ(group[0].role(), Role::leader);
  group.deliver();
  EXPECT_EQ(group[0].role(), Role::follower);
  group.elapse(std::chrono::seconds{3});
  EXPECT_EQ(group[0].role(), Role::follower);
  EXPECT_TRUE(group[1].role() == Role::leader || group[2].role() == Role::leader);
}

TEST(Transfer, goes_to_the_voter_that_was_named) {
  TestGroup group(3);
  group.elect(0);
  group.elapse(milliseconds{100});
  group.step(0, TransferLeadership{node_id(2)});
  group.deliver();
  EXPECT_EQ(group[2].role(), Role::leader);
}

TEST(Transfer, stops_proposals_and_ends_when_nothing_comes_of_it) {
  TestGroup group(3);
  group.elect(0);
  group.elapse(milliseconds{100});
  group.lost = [](const Message& message) { return message.to == node_id(2); };
  group.step(0, TransferLeadership{node_id(2)});
  EXPECT_EQ(refusal_of(group.propose(0, "entry")), Refusal::transferring);
  group.elapse(milliseconds{700});
  EXPECT_TRUE(group.propose(0, "entry").answer->has_value());
}

TEST(Transfer, learners_do_not_get_it) {
  TestGroup group(1, 1);
  group.step(0, TimerExpired{});
  EXPECT_EQ(refusal_of(group.step(0, TransferLeadership{node_id(1)})), Refusal::not_a_voter);
}

}  // namespace
}  // namespace millrace::raft
