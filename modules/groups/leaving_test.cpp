#include <gtest/gtest.h>

// This one imports a module: it comes after all that includes standard headers.
#include "test_support.hpp"

namespace millrace::groups {
namespace {

using std::chrono::seconds;

TEST(GroupLeave, a_member_that_leaves_makes_the_others_join_again) {
  Bench bench;
  const auto members = bench.stable(2);
  const auto reply = bench.reply<LeaveReply>(bench.leave(members[0]));
  ASSERT_EQ(reply.members.size(), 1u);
  EXPECT_EQ(reply.members[0].error, ErrorCode::none);
  EXPECT_EQ(bench.heartbeat(members[0], Generation(1)), ErrorCode::unknown_member_id);
  EXPECT_EQ(bench.heartbeat(members[1], Generation(1)), ErrorCode::rebalance_in_progress);
  EXPECT_EQ(bench.joined(bench.join({.member = members[1]})).leader, members[1]);
}

TEST(GroupLeave, of_the_last_member_is_answered_when_the_empty_group_is_committed) {
  Bench bench;
  const auto members = bench.stable(1);
  bench.hold_commits();
  const RequestId leave = bench.leave(members[0]);
  EXPECT_EQ(bench.state(), GroupState::empty);
  EXPECT_FALSE(bench.answered(leave));
  bench.commit_all();
  EXPECT_TRUE(bench.answered(leave));
}

TEST(GroupLeave, several_leave_at_once_each_with_its_own_answer) {
  Bench bench;
  const auto members = bench.stable(4, {.instance = "i"});
  LeaveRequest request{
      "g", {{members[0], {}}, {"", "i1"}, {"", "i9"}, {"", {}}, {"who", {}}, {members[2], "i3"}}};
  const auto reply = bench.reply<LeaveReply>(bench.ask(request));
  const std::vector<ErrorCode> expected = {ErrorCode::none,
                                           ErrorCode::none,
                                           ErrorCode::unknown_member_id,
                                           ErrorCode::unknown_member_id,
                                           ErrorCode::unknown_member_id,
                                           ErrorCode::fenced_instance_id};
  ASSERT_EQ(reply.members.size(), expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    EXPECT_EQ(reply.members[i].error, expected[i]) << i;
    EXPECT_EQ(reply.members[i].member_id, request.members[i].member_id);
    EXPECT_EQ(reply.members[i].instance_id, request.members[i].instance_id);
  }
  EXPECT_EQ(bench.group()->members().size(), 2u);
}

TEST(GroupLeave, of_a_group_that_is_not_there_fails_as_a_whole) {
  Bench bench;
  EXPECT_EQ(bench.reply<LeaveReply>(bench.leave("who")).error, ErrorCode::unknown_member_id);
  EXPECT_EQ(bench.reply<LeaveReply>(bench.ask(LeaveRequest{"", {{"who", {}}}})).error,
            ErrorCode::invalid_group_id);
}

TEST(GroupLeave, who_was_told_its_id_may_leave_without_a_rebalance) {
  Bench bench;
  const auto members = bench.stable(1);
  const std::string told = bench.joined(bench.join({.ask_twice = true})).member_id;
  EXPECT_EQ(bench.reply<LeaveReply>(bench.leave(told)).members[0].error, ErrorCode::none);
  EXPECT_EQ(bench.state(), GroupState::stable);
  EXPECT_TRUE(bench.group()->pending().empty());
}

TEST(GroupLeave, the_others_no_longer_wait_for_one_who_was_told_its_id) {
  Bench bench;
  const auto members = bench.stable(1);
  const std::string told = bench.joined(bench.join({.ask_twice = true})).member_id;
  const RequestId join = bench.join({.member = members[0]});
  EXPECT_FALSE(bench.answered(join));
  bench.leave(told);
  EXPECT_EQ(bench.joined(join).generation, Generation(2));
}

TEST(GroupLeave, what_a_leaving_member_waits_for_is_answered) {
  Bench bench;
  const auto members = bench.stable(2);
  const RequestId join = bench.join({.member = members[0]});
  bench.leave(members[0]);
  EXPECT_EQ(bench.joined(join).error, ErrorCode::unknown_member_id);
  const RequestId rejoin = bench.join({.member = members[1]});
  EXPECT_EQ(bench.joined(rejoin).generation, Generation(2));
  const RequestId newcomer = bench.join({});
  bench.join({.member = members[1]});
  const std::string follower = bench.joined(newcomer).member_id;
  const RequestId sync = bench.sync(follower, Generation(3));
  bench.leave(follower);
  EXPECT_EQ(bench.synced(sync).error, ErrorCode::unknown_member_id);
}

TEST(GroupLeave, when_all_leave_the_first_rebalance_nothing_is_left_of_the_group) {
  Bench bench;
  const RequestId join = bench.join({.instance = "i"});
  bench.leave("", "i");
  EXPECT_EQ(bench.joined(join).error, ErrorCode::unknown_member_id);
  bench.pass(seconds(3));
  EXPECT_EQ(bench.group(), nullptr);
  EXPECT_TRUE(bench.log().empty());
  EXPECT_EQ(bench.coordinator().open_requests(), 0u);
}

}  // namespace
}  // namespace millrace::groups
