// Also proves rebalance.cpp.
#include <gtest/gtest.h>

// This one imports a module: it comes after all that includes standard headers.
#include "test_support.hpp"

namespace millrace::groups {
namespace {

using std::chrono::seconds;

TEST(GroupJoin, two_members_join_during_the_first_delay_and_the_first_one_leads) {
  Bench bench;
  const RequestId a = bench.join({});
  const RequestId b = bench.join({});
  EXPECT_FALSE(bench.answered(a));
  EXPECT_EQ(bench.state(), GroupState::preparing_rebalance);
  bench.pass(seconds(6));
  const JoinReply first = bench.joined(a);
  const JoinReply second = bench.joined(b);
  EXPECT_EQ(first.error, ErrorCode::none);
  EXPECT_EQ(first.generation, Generation(1));
  EXPECT_EQ(first.leader, first.member_id);
  EXPECT_EQ(first.protocol_name, "range");
  EXPECT_EQ(first.protocol_type, "consumer");
  ASSERT_EQ(first.members.size(), 2u);
  EXPECT_EQ(first.members[0].metadata, subscription_to("orders"));
  EXPECT_EQ(second.leader, first.member_id);
  EXPECT_TRUE(second.members.empty());
  EXPECT_EQ(second.generation, Generation(1));
  EXPECT_EQ(bench.state(), GroupState::completing_rebalance);
  EXPECT_TRUE(bench.log().empty());
}

TEST(GroupJoin, a_newcomer_extends_the_first_delay_up_to_the_rebalance_timeout) {
  Bench bench;
  const RequestId first = bench.join({.rebalance_s = 7});
  bench.pass(seconds(2));
  bench.join({.rebalance_s = 7});
  bench.pass(seconds(2));  // 4: the delay of 3 has ended, and goes on until 6
  EXPECT_FALSE(bench.answered(first));
  bench.join({.rebalance_s = 7});
  bench.pass(seconds(2));  // 6: one second remains
  EXPECT_FALSE(bench.answered(first));
  bench.join({.rebalance_s = 7});
  bench.pass(seconds(1));
  EXPECT_EQ(bench.joined(first).members.size(), 4u);
}

TEST(GroupJoin, without_a_delay_the_first_member_is_answered_at_once) {
  Bench bench({.initial_rebalance_delay = Milliseconds{0}});
  EXPECT_EQ(bench.joined(bench.join({})).generation, Generation(1));
}

TEST(GroupJoin, a_new_member_is_told_its_id_first_and_comes_again_with_it) {
  Bench bench;
  const JoinReply told = bench.joined(bench.join({.ask_twice = true}));
  EXPECT_EQ(told.error, ErrorCode::member_id_required);
  EXPECT_EQ(told.member_id.substr(0, 4), "app-");
  EXPECT_EQ(bench.state(), GroupState::empty);
  const RequestId again = bench.join({.member = told.member_id, .ask_twice = true});
  bench.pass(seconds(3));
  EXPECT_EQ(bench.joined(again).error, ErrorCode::none);
  EXPECT_EQ(bench.joined(again).member_id, told.member_id);
}

TEST(GroupJoin, who_does_not_come_again_is_forgotten_and_its_group_too) {
  Bench bench;
  const JoinReply told = bench.joined(bench.join({.ask_twice = true, .session_s = 10}));
  bench.pass(seconds(10));
  EXPECT_EQ(bench.group(), nullptr);
  EXPECT_EQ(bench.coordinator().state_bytes(), 0u);
  EXPECT_EQ(bench.joined(bench.join({.member = told.member_id})).error,
            ErrorCode::unknown_member_id);
}

TEST(GroupJoin, a_rebalance_waits_for_one_who_was_told_its_id) {
  Bench bench;
  const auto members = bench.stable(1);
  const std::string told = bench.joined(bench.join({.ask_twice = true})).member_id;
  const RequestId leader = bench.join({.member = members[0]});
  EXPECT_FALSE(bench.answered(leader));
  bench.join({.member = told});
  EXPECT_EQ(bench.joined(leader).members.size(), 2u);
}

struct Refusal {
  const char* name;
  Joining joining;
  ErrorCode error;
};

TEST(GroupJoin, refuses_what_cannot_be) {
  const Refusal cases[] = {
      {"no group", {.group = ""}, ErrorCode::invalid_group_id},
      {"long group", {.group = std::string(40'000, 'g')}, ErrorCode::invalid_group_id},
      {"short session", {.session_s = 5}, ErrorCode::invalid_session_timeout},
      {"long session", {.session_s = 1'801}, ErrorCode::invalid_session_timeout},
      {"unknown member", {.member = "who", .group = "none"}, ErrorCode::unknown_member_id},
      {"unknown member of a group", {.member = "who"}, ErrorCode::unknown_member_id},
      {"no protocols", {.protocols = {}, .group = "new"}, ErrorCode::inconsistent_group_protocol},
      {"no type", {.group = "new", .type = ""}, ErrorCode::inconsistent_group_protocol},
      {"a protocol twice", {.protocols = {"range", "range"}}, ErrorCode::invalid_request},
      {"another type", {.type = "connect"}, ErrorCode::inconsistent_group_protocol},
      {"no common protocol", {.protocols = {"sticky"}}, ErrorCode::inconsistent_group_protocol},
      {"unknown instance", {.member = "who", .instance = "i"}, ErrorCode::unknown_member_id},
      {"long instance", {.instance = std::string(40'000, 'i')}, ErrorCode::invalid_request},
  };
  Bench bench;
  bench.stable(2);
  for (const Refusal& refusal : cases) {
    const JoinReply reply = bench.joined(bench.join(refusal.joining));
    EXPECT_EQ(reply.error, refusal.error) << refusal.name;
    EXPECT_EQ(reply.generation, no_generation) << refusal.name;
  }
  EXPECT_EQ(bench.coordinator().groups().size(), 1u);
  EXPECT_EQ(bench.state(), GroupState::stable);
}

TEST(GroupJoin, the_protocol_that_most_like_best_among_the_common_ones_is_selected) {
  Bench bench;
  const RequestId a = bench.join({.protocols = {"x", "b", "c"}});
  bench.join({.protocols = {"c", "b"}});
  bench.join({.protocols = {"y", "c", "b"}});
  bench.pass(seconds(6));
  EXPECT_EQ(bench.joined(a).error, ErrorCode::none);
  EXPECT_EQ(bench.joined(a).protocol_name, "c");
}

TEST(GroupJoin, a_group_takes_no_more_members_than_its_size) {
  Bench bench({.group_size_max = 2});
  const auto members = bench.stable(2);
  EXPECT_EQ(bench.joined(bench.join({})).error, ErrorCode::group_max_size_reached);
  EXPECT_EQ(bench.joined(bench.join({.ask_twice = true})).error, ErrorCode::group_max_size_reached);
  EXPECT_EQ(bench.heartbeat(members[0], Generation(1)), ErrorCode::none);
}

TEST(GroupJoin, a_follower_that_joins_again_unchanged_learns_the_current_generation) {
  Bench bench;
  const auto members = bench.stable(2);
  const JoinReply reply = bench.joined(bench.join({.member = members[1]}));
  EXPECT_EQ(reply.generation, Generation(1));
  EXPECT_EQ(reply.leader, members[0]);
  EXPECT_EQ(bench.state(), GroupState::stable);
}

TEST(GroupJoin, a_retried_join_gets_the_same_answer_before_the_assignment) {
  Bench bench;
  const RequestId first = bench.join({});
  bench.join({});
  bench.pass(seconds(6));
  const JoinReply before = bench.joined(first);
  EXPECT_EQ(bench.joined(bench.join({.member = before.member_id})), before);
}

TEST(GroupJoin, of_two_joins_of_a_member_the_last_one_waits) {
  Bench bench;
  const auto members = bench.stable(2);
  const RequestId first = bench.join({.member = members[0]});
  const RequestId second = bench.join({.member = members[0]});
  EXPECT_EQ(bench.joined(first).error, ErrorCode::rebalance_in_progress);
  EXPECT_FALSE(bench.answered(second));
  bench.join({.member = members[1]});
  EXPECT_EQ(bench.joined(second).generation, Generation(2));
}

TEST(GroupJoin, changed_metadata_and_a_joining_leader_begin_a_rebalance) {
  for (const std::size_t who : {0u, 1u}) {
    Bench bench;
    const auto members = bench.stable(2);
    const RequestId join =
        bench.join({.member = members[who], .topic = who == 0 ? "orders" : "bills"});
    EXPECT_FALSE(bench.answered(join));
    EXPECT_EQ(bench.heartbeat(members[1 - who], Generation(1)), ErrorCode::rebalance_in_progress);
    bench.join({.member = members[1 - who]});
    EXPECT_EQ(bench.joined(join).generation, Generation(2));
  }
}

TEST(GroupJoin, who_does_not_join_within_the_rebalance_timeout_is_out) {
  Bench bench;
  const auto members = bench.stable(2, {.session_s = 100, .rebalance_s = 20});
  const RequestId join = bench.join({.member = members[1], .rebalance_s = 20, .topic = "bills"});
  bench.pass(seconds(19));
  EXPECT_FALSE(bench.answered(join));
  bench.pass(seconds(1));
  const JoinReply reply = bench.joined(join);
  EXPECT_EQ(reply.leader, members[1]);
  EXPECT_EQ(reply.members.size(), 1u);
  EXPECT_EQ(bench.heartbeat(members[0], Generation(1)), ErrorCode::unknown_member_id);
}

TEST(GroupJoin, a_member_without_heartbeats_is_out_after_its_session) {
  Bench bench;
  const auto members = bench.stable(2, {.session_s = 10});
  bench.pass(seconds(9));
  EXPECT_EQ(bench.heartbeat(members[0], Generation(1)), ErrorCode::none);
  bench.pass(seconds(2));
  EXPECT_EQ(bench.heartbeat(members[0], Generation(1)), ErrorCode::rebalance_in_progress);
  EXPECT_EQ(bench.heartbeat(members[1], Generation(1)), ErrorCode::unknown_member_id);
  const JoinReply reply = bench.joined(bench.join({.member = members[0]}));
  EXPECT_EQ(reply.generation, Generation(2));
  EXPECT_EQ(reply.members.size(), 1u);
}

TEST(GroupJoin, when_the_last_member_is_out_the_group_is_empty_and_says_so_in_the_log) {
  Bench bench;
  bench.stable(1);
  const std::size_t records = bench.log().size();
  bench.pass(seconds(10));
  EXPECT_EQ(bench.state(), GroupState::empty);
  EXPECT_EQ(bench.group()->generation(), Generation(2));
  EXPECT_EQ(bench.log().size(), records + 1);
}

TEST(GroupJoin, a_new_member_that_nobody_hears_of_is_given_up_after_a_while) {
  Bench bench;
  const auto members = bench.stable(1, {.session_s = 1'000, .rebalance_s = 1'000});
  const RequestId join = bench.join({.session_s = 1'000, .rebalance_s = 1'000});
  bench.pass(seconds(300));
  EXPECT_EQ(bench.joined(join).error, ErrorCode::unknown_member_id);
  EXPECT_EQ(bench.group()->members().size(), 1u);
}

TEST(GroupLimits, no_more_groups_and_bytes_than_allowed) {
  Bench bench({.groups_max = 1});
  bench.stable(1);
  EXPECT_EQ(bench.joined(bench.join({.group = "h"})).error, ErrorCode::policy_violation);

  Bench small({.pending_members_max = 1});
  small.join({.ask_twice = true});
  EXPECT_EQ(small.joined(small.join({.ask_twice = true})).error, ErrorCode::group_max_size_reached);

  Bench narrow({.state_bytes_max = 4'000, .member_bytes_max = 2'000});
  std::size_t accepted = 0;
  while (narrow.answers() == 0 && accepted < 100) {
    narrow.join({.topic = std::string(500, 't')});
    accepted += narrow.answers() == 0 ? 1 : 0;
  }
  EXPECT_LT(accepted, 8u);
  EXPECT_EQ(narrow.joined(RequestId(accepted + 1)).error, ErrorCode::policy_violation);
}

}  // namespace
}  // namespace millrace::groups
