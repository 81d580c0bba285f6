#include <gtest/gtest.h>

// This one imports a module: it comes after all that includes standard headers.
#include "test_support.hpp"

namespace millrace::groups {
namespace {

using std::chrono::seconds;

TEST(GroupStaticMember, comes_back_under_another_id_without_a_rebalance) {
  for (const bool skips : {false, true}) {
    Bench bench;
    const auto members = bench.stable(2, {.instance = "i"});
    const std::size_t records = bench.log().size();
    const JoinReply leader = bench.joined(bench.join({.instance = "i0", .may_skip = skips}));
    EXPECT_EQ(leader.error, ErrorCode::none);
    EXPECT_EQ(leader.generation, Generation(1));
    EXPECT_NE(leader.member_id, members[0]);
    EXPECT_EQ(leader.skip_assignment, skips);
    EXPECT_EQ(leader.leader, skips ? leader.member_id : members[0]);
    EXPECT_EQ(leader.members.size(), skips ? 2u : 0u);
    EXPECT_EQ(bench.log().size(), records + 1);
    EXPECT_EQ(bench.state(), GroupState::stable);
    EXPECT_EQ(text_of(bench.synced(bench.sync(leader.member_id, Generation(1))).assignment),
              "for " + members[0]);
    EXPECT_EQ(bench.heartbeat(members[0], Generation(1), "i0"), ErrorCode::fenced_instance_id);
    EXPECT_EQ(bench.heartbeat(members[0], Generation(1)), ErrorCode::unknown_member_id);
    EXPECT_EQ(bench.heartbeat(leader.member_id, Generation(1), "i0"), ErrorCode::none);
  }
}

TEST(GroupStaticMember, is_answered_when_its_new_id_is_committed) {
  Bench bench;
  bench.stable(2, {.instance = "i"});
  bench.hold_commits();
  const RequestId join = bench.join({.instance = "i1"});
  EXPECT_FALSE(bench.answered(join));
  bench.commit_all();
  EXPECT_EQ(bench.joined(join).error, ErrorCode::none);
}

TEST(GroupStaticMember, that_waits_is_fenced_by_its_successor) {
  Bench bench;
  const RequestId older = bench.join({.instance = "i"});
  const RequestId newer = bench.join({.instance = "i"});
  EXPECT_EQ(bench.joined(older).error, ErrorCode::fenced_instance_id);
  bench.pass(seconds(6));
  EXPECT_EQ(bench.joined(newer).generation, Generation(1));
}

TEST(GroupStaticMember, that_does_not_join_keeps_its_place_during_its_session) {
  Bench bench;
  const auto members = bench.stable(2, {.instance = "i", .session_s = 100, .rebalance_s = 20});
  const RequestId join =
      bench.join({.member = members[0], .instance = "i0", .session_s = 100, .rebalance_s = 20});
  bench.pass(seconds(20));
  EXPECT_EQ(bench.joined(join).members.size(), 2u);
}

TEST(GroupStaticMember, comes_back_into_a_full_group) {
  Bench bench({.group_size_max = 2});
  bench.stable(2, {.instance = "i"});
  EXPECT_EQ(bench.joined(bench.join({.instance = "i0"})).error, ErrorCode::none);
}

// A client chooses its rebalance timeout: none at all must not make the coordinator turn for ever.
TEST(GroupStaticMember, without_a_rebalance_timeout_is_waited_for_during_its_session) {
  Bench bench;
  bench.stable(2, {.instance = "i", .session_s = 20});
  std::vector<std::string> members;
  for (const char* instance : {"i0", "i1"}) {
    const RequestId join = bench.join({.instance = instance, .session_s = 20, .rebalance_s = 0});
    members.push_back(bench.joined(join).member_id);
  }
  bench.leave(members[0]);
  bench.pass(seconds(10));
  EXPECT_EQ(bench.heartbeat(members[1], Generation(1)), ErrorCode::rebalance_in_progress);
  const RequestId join = bench.join({.member = members[1], .instance = "i1", .rebalance_s = 0});
  EXPECT_EQ(bench.joined(join).generation, Generation(2));
}

}  // namespace
}  // namespace millrace::groups
