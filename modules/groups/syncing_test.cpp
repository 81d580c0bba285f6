#include <gtest/gtest.h>

// This one imports a module: it comes after all that includes standard headers.
#include "test_support.hpp"

namespace millrace::groups {
namespace {

using std::chrono::seconds;

// Two members in generation 1 that have no assignment yet.
struct Joined {
  Bench bench;
  std::string leader;
  std::string follower;

  explicit Joined(Options options = {}) : bench(options) {
    const RequestId a = bench.join({});
    const RequestId b = bench.join({});
    bench.pass(seconds(6));
    leader = bench.joined(a).member_id;
    follower = bench.joined(b).member_id;
  }
};

TEST(GroupSync, gives_each_member_what_the_leader_assigned_once_it_is_committed) {
  Joined group;
  Bench& bench = group.bench;
  bench.hold_commits();
  const RequestId follower = bench.sync(group.follower, Generation(1));
  const RequestId leader = bench.sync(group.leader, Generation(1), {group.leader, group.follower});
  EXPECT_EQ(bench.log().size(), 1u);
  EXPECT_FALSE(bench.answered(follower));
  EXPECT_FALSE(bench.answered(leader));
  bench.commit_all();
  EXPECT_EQ(text_of(bench.synced(follower).assignment), "for " + group.follower);
  EXPECT_EQ(text_of(bench.synced(leader).assignment), "for " + group.leader);
  EXPECT_EQ(bench.synced(leader).protocol_type, "consumer");
  EXPECT_EQ(bench.synced(leader).protocol_name, "range");
  EXPECT_EQ(bench.state(), GroupState::stable);
}

TEST(GroupSync, that_comes_later_gets_the_assignment_too_and_not_before_it_is_committed) {
  Joined group;
  Bench& bench = group.bench;
  bench.hold_commits();
  bench.sync(group.leader, Generation(1), {group.follower});
  const RequestId follower = bench.sync(group.follower, Generation(1));
  EXPECT_FALSE(bench.answered(follower));
  bench.commit_all();
  EXPECT_EQ(text_of(bench.synced(follower).assignment), "for " + group.follower);
}

TEST(GroupSync, a_member_that_the_leader_forgot_has_nothing) {
  Joined group;
  const RequestId leader = group.bench.sync(group.leader, Generation(1), {group.follower, "who"});
  EXPECT_EQ(group.bench.synced(leader).error, ErrorCode::none);
  EXPECT_TRUE(group.bench.synced(leader).assignment.empty());
}

TEST(GroupSync, refuses_what_does_not_belong_to_the_generation) {
  Joined group;
  Bench& bench = group.bench;
  const auto asked = [&](SyncRequest request) {
    return bench.synced(bench.ask(std::move(request))).error;
  };
  const Generation now(1);
  const std::string& id = group.leader;
  EXPECT_EQ(asked({"", now, id, {}, {}, {}, {}}), ErrorCode::invalid_group_id);
  EXPECT_EQ(asked({"h", now, id, {}, {}, {}, {}}), ErrorCode::unknown_member_id);
  EXPECT_EQ(asked({"g", now, "who", {}, {}, {}, {}}), ErrorCode::unknown_member_id);
  EXPECT_EQ(asked({"g", now, id, "i", {}, {}, {}}), ErrorCode::unknown_member_id);
  EXPECT_EQ(asked({"g", Generation(2), id, {}, {}, {}, {}}), ErrorCode::illegal_generation);
  EXPECT_EQ(asked({"g", now, id, {}, "connect", {}, {}}), ErrorCode::inconsistent_group_protocol);
  EXPECT_EQ(asked({"g", now, id, {}, "consumer", "sticky", {}}),
            ErrorCode::inconsistent_group_protocol);
  EXPECT_EQ(asked({"g", now, id, {}, "consumer", "range", {}}), ErrorCode::none);
}

TEST(GroupSync, during_a_rebalance_says_so) {
  Bench bench;
  const auto members = bench.stable(2);
  bench.join({.member = members[0]});
  EXPECT_EQ(bench.synced(bench.sync(members[1], Generation(1))).error,
            ErrorCode::rebalance_in_progress);
}

TEST(GroupSync, that_waits_is_told_of_a_new_rebalance_and_the_member_has_one_more_session) {
  Joined group;
  Bench& bench = group.bench;
  const RequestId follower = bench.sync(group.follower, Generation(1));
  for (int i = 0; i < 4; ++i) {  // longer than its session, in which it cannot send heartbeats
    bench.pass(seconds(5));
    EXPECT_EQ(bench.heartbeat(group.leader, Generation(1)), ErrorCode::none);
  }
  bench.join({});
  EXPECT_EQ(bench.synced(follower).error, ErrorCode::rebalance_in_progress);
  bench.pass(seconds(9));
  EXPECT_EQ(bench.group()->members().size(), 3u);
  EXPECT_EQ(bench.heartbeat(group.leader, Generation(1)), ErrorCode::rebalance_in_progress);
  bench.pass(seconds(1));
  EXPECT_EQ(bench.group()->members().size(), 2u);
  EXPECT_EQ(bench.heartbeat(group.follower, Generation(1)), ErrorCode::unknown_member_id);
}

TEST(GroupSync, a_leader_that_never_assigns_is_put_out) {
  Joined group;
  Bench& bench = group.bench;
  const RequestId follower = bench.sync(group.follower, Generation(1));
  for (int i = 0; i < 12; ++i) {
    bench.pass(seconds(5));
    bench.heartbeat(group.leader, Generation(1));
  }
  EXPECT_EQ(bench.synced(follower).error, ErrorCode::rebalance_in_progress);
  EXPECT_EQ(bench.heartbeat(group.leader, Generation(1)), ErrorCode::unknown_member_id);
  EXPECT_EQ(bench.joined(bench.join({.member = group.follower})).leader, group.follower);
}

TEST(GroupSync, an_assignment_that_fits_no_record_is_refused_and_members_join_again) {
  Options options;
  options.record_bytes_max = 1'000;
  Joined group(options);
  Bench& bench = group.bench;
  const RequestId follower = bench.sync(group.follower, Generation(1));
  const RequestId leader =
      bench.sync(group.leader, Generation(1), {group.leader}, std::string(1'000, 'x'));
  EXPECT_EQ(bench.synced(follower).error, ErrorCode::unknown_server_error);
  EXPECT_EQ(bench.synced(leader).error, ErrorCode::unknown_server_error);
  EXPECT_EQ(bench.state(), GroupState::preparing_rebalance);
  EXPECT_TRUE(bench.log().empty());
}

TEST(GroupSync, a_rebalance_while_the_assignment_is_written_loses_no_answer) {
  Joined group;
  Bench& bench = group.bench;
  bench.hold_commits();
  const RequestId follower = bench.sync(group.follower, Generation(1));
  bench.sync(group.leader, Generation(1), {group.leader, group.follower});
  const RequestId join = bench.join({.member = group.leader});
  EXPECT_EQ(bench.state(), GroupState::preparing_rebalance);
  bench.commit_all();
  EXPECT_EQ(text_of(bench.synced(follower).assignment), "for " + group.follower);
  EXPECT_EQ(bench.heartbeat(group.follower, Generation(1)), ErrorCode::rebalance_in_progress);
  bench.join({.member = group.follower});
  EXPECT_EQ(bench.joined(join).generation, Generation(2));
}

TEST(GroupHeartbeat, answers_by_member_generation_and_state) {
  Bench bench;
  const auto members = bench.stable(2, {.instance = "i"});
  const Generation now(1);
  EXPECT_EQ(bench.heartbeat(members[0], now), ErrorCode::none);
  EXPECT_EQ(bench.heartbeat(members[0], now, "i0"), ErrorCode::none);
  EXPECT_EQ(bench.heartbeat(members[0], now, "i1"), ErrorCode::fenced_instance_id);
  EXPECT_EQ(bench.heartbeat(members[0], now, "i7"), ErrorCode::unknown_member_id);
  EXPECT_EQ(bench.heartbeat("who", now), ErrorCode::unknown_member_id);
  EXPECT_EQ(bench.heartbeat(members[0], Generation(0)), ErrorCode::illegal_generation);
  EXPECT_EQ(bench.reply<HeartbeatReply>(bench.ask(HeartbeatRequest{"", now, members[0], {}})).error,
            ErrorCode::invalid_group_id);
  EXPECT_EQ(
      bench.reply<HeartbeatReply>(bench.ask(HeartbeatRequest{"h", now, members[0], {}})).error,
      ErrorCode::unknown_member_id);
  bench.join({.member = members[0], .instance = "i0"});
  EXPECT_EQ(bench.heartbeat(members[1], now), ErrorCode::rebalance_in_progress);
}

TEST(GroupHeartbeat, before_the_assignment_is_a_sign_of_life_like_any_other) {
  Joined group;
  for (int i = 0; i < 4; ++i) {
    group.bench.pass(seconds(6));
    EXPECT_EQ(group.bench.heartbeat(group.leader, Generation(1)), ErrorCode::none);
    EXPECT_EQ(group.bench.heartbeat(group.follower, Generation(1)), ErrorCode::none);
  }
}

}  // namespace
}  // namespace millrace::groups
