// Also proves follower.cpp.
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

#include "test_group.hpp"

namespace millrace::raft {
namespace {

using std::chrono::milliseconds;

// Loses what goes to the node and what comes from it.
auto cut_off(int id) {
  return [id](const Message& message) {
    return message.from == node_id(id) || message.to == node_id(id);
  };
}

TEST(Replication, all_apply_what_a_majority_has) {
  TestGroup group(3);
  group.elect(0);
  group.propose(0, "a");
  group.propose(0, "b");
  group.elapse(milliseconds{100});
  const std::vector<std::string> expected = {"", "a", "b"};  // the first entry is the leader's
  for (const auto& applied : group.applied) EXPECT_EQ(applied, expected);
}

TEST(Replication, a_leader_counts_itself_only_when_its_disk_has_the_entry) {
  TestGroup group(2);
  group.elect(0);
  group.elapse(milliseconds{100});
  const LogIndex before = group[0].commit();
  group.stalled = {0};
  group.propose(0, "slow");
  EXPECT_EQ(group[1].log().last().index, before.next()) << "the entry has left already";
  EXPECT_EQ(group[0].commit(), before);
  group.sync(0);
  EXPECT_EQ(group[0].commit(), before.next());
}

TEST(Replication, others_may_commit_what_the_leader_has_not_on_disk_and_it_applies_it_later) {
  TestGroup group(3);
  group.elect(0);
  group.stalled = {0};
  group.propose(0, "entry");
  EXPECT_EQ(group[0].commit(), group[0].log().last().index);
  EXPECT_NE(group.applied[0].back(), "entry");
  EXPECT_EQ(group.applied[1].back(), "entry");
  group.sync(0);
  EXPECT_EQ(group.applied[0].back(), "entry");
}

TEST(Replication, a_follower_acknowledges_only_what_is_on_its_disk) {
  TestGroup group(2);
  group.elect(0);
  group.elapse(milliseconds{100});
  const LogIndex before = group[0].commit();
  group.stalled = {1};
  group.propose(0, "entry");
  group.elapse(milliseconds{100});
  EXPECT_EQ(group[0].commit(), before);
  group.sync(1);
  group.deliver();
  EXPECT_EQ(group[0].commit(), before.next());
}

TEST(Replication, a_follower_drops_what_a_new_leader_does_not_have) {
  TestGroup group(3);
  group.elect(0);
  group.lost = cut_off(0);
  group.propose(0, "lost");
  group.propose(0, "lost too");
  group.elect(1);
  group.propose(1, "kept");
  group.lost = nullptr;
  group.elapse(std::chrono::seconds{1});
  EXPECT_EQ(group.applied[0].back(), "kept");
  EXPECT_EQ(group[0].log().last(), group[1].log().last());
}

TEST(Replication, an_old_message_cuts_nothing_off) {
  TestGroup group(2);
  group.elect(0);
  std::vector<Message> kept;
  group.lost = [&kept](const Message& message) {
    if (std::holds_alternative<AppendRequest>(message.body)) kept.push_back(message);
    return false;
  };
  group.propose(0, "a");
  group.propose(0, "b");
  group.propose(0, "c");
  group.lost = nullptr;
  const LogPosition last = group[1].log().last();
  for (Message& message : kept) group.step(1, Received{message});
  EXPECT_EQ(group[1].log().last(), last);
}

TEST(Replication, what_was_lost_on_the_way_is_sent_again) {
  TestGroup group(2);
  group.elect(0);
  group.lost = [](const Message& message) {
    return std::holds_alternative<AppendRequest>(message.body);
  };
  group.propose(0, "a");
  group.lost = nullptr;
  group.elapse(milliseconds{600});
  EXPECT_EQ(group.applied[1].back(), "a");
}

TEST(Replication, entries_in_flight_are_limited) {
  TestGroup group(2, 0, [](Options& options) { options.inflight_messages_max = 3; });
  group.elect(0);
  group.elapse(milliseconds{100});
  for (int i = 0; i < 10; ++i) group.step(0, Propose{Payload("entry")});
  EXPECT_EQ(count_of<AppendRequest>(group.in_flight), 3);
  group.deliver();
  EXPECT_EQ(group[1].log().last().index, group[0].log().last().index);
}

TEST(Replication, entries_of_an_earlier_term_are_not_counted) {
  TestGroup group(2);
  group.lost = [](const Message& message) {
    return std::holds_alternative<AppendAnswer>(message.body);
  };
  group.elect(0);
  const Term first = group[0].term();
  group.step(1, Received{{node_id(0), node_id(1), first, TimeoutNow{}}});
  group.deliver();
  ASSERT_EQ(group[1].role(), Role::leader);
  ASSERT_EQ(group[1].log().last(), (LogPosition{at(2), first.next()}));
  const auto acknowledge = [&](LogIndex match) {
    group.step(1,
               Received{{node_id(0), node_id(1), first.next(), AppendAnswer{true, match, {}, {}}}});
  };
  acknowledge(at(1));
  EXPECT_EQ(group[1].commit(), at(0)) << "both have it, but it is of the first term";
  acknowledge(at(2));
  EXPECT_EQ(group[1].commit(), at(2));
}

TEST(Replication, a_follower_refuses_what_it_cannot_place_and_says_where_it_may_fit) {
  TestGroup group(2);
  group.step(1, Received{{node_id(0), node_id(1), Term{3},
                          AppendRequest{{}, {{at(1), Term{1}}, {at(2), Term{3}}}, {}}}});
  group.in_flight.clear();
  group.step(1,
             Received{{node_id(0), node_id(1), Term{3}, AppendRequest{{at(9), Term{2}}, {}, {}}}});
  ASSERT_EQ(group.in_flight.size(), 1u);
  const auto& answer = std::get<AppendAnswer>(group.in_flight[0].body);
  EXPECT_FALSE(answer.accepted);
  EXPECT_EQ(answer.rejected, at(9));
  EXPECT_EQ(answer.possible, (LogPosition{at(1), Term{1}}));
}

}  // namespace
}  // namespace millrace::raft
