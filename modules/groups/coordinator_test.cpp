#include <gtest/gtest.h>

// This one imports a module: it comes after all that includes standard headers.
#include "test_support.hpp"

namespace millrace::groups {
namespace {

TEST(Coordinator, when_an_append_is_refused_all_that_is_open_is_answered_and_no_more_is_taken) {
  Bench bench;
  const auto members = bench.stable(2);
  bench.hold_commits();
  const RequestId join = bench.join({.group = "h"});
  CommitRequest commit;
  commit.group = "g";
  commit.member_id = members[0];
  commit.generation = Generation(1);
  commit.topics = {{"orders", {}, {{PartitionIndex(0), Offset(1), no_leader_epoch, ""}}}};
  const RequestId committing = bench.ask(commit);
  bench.take(bench.coordinator().append_failed());
  EXPECT_EQ(bench.joined(join).error, ErrorCode::coordinator_not_available);
  EXPECT_EQ(bench.reply<CommitReply>(committing).error, ErrorCode::coordinator_not_available);
  EXPECT_EQ(bench.coordinator().phase(), Phase::unloaded);
  EXPECT_EQ(bench.coordinator().open_requests(), 0u);
  EXPECT_EQ(bench.heartbeat(members[0], Generation(1)), ErrorCode::not_coordinator);
  bench.commit_all();  // what was on its way comes too late to matter
  EXPECT_EQ(bench.answers(), bench.requests());
}

TEST(Coordinator, that_is_unloaded_sends_clients_elsewhere_and_needs_no_timer) {
  Bench bench;
  const RequestId join = bench.join({});
  const Effects effects = bench.coordinator().unload();
  ASSERT_EQ(effects.answers.size(), 1u);
  EXPECT_EQ(effects.answers[0].request, join);
  EXPECT_EQ(std::get<JoinReply>(effects.answers[0].reply).error, ErrorCode::not_coordinator);
  EXPECT_EQ(effects.deadline, std::nullopt);
}

TEST(Coordinator, what_is_due_happens_before_a_request_of_the_same_time) {
  Bench bench;
  const auto members = bench.stable(1, {.session_s = 10});
  const Now late{bench.now().monotonic + std::chrono::seconds(60), bench.now().wall};
  const Effects effects = bench.coordinator().request(
      RequestId(1'000), HeartbeatRequest{"g", Generation(1), members[0], {}}, late);
  ASSERT_EQ(effects.answers.size(), 1u);
  EXPECT_EQ(std::get<HeartbeatReply>(effects.answers[0].reply).error, ErrorCode::unknown_member_id);
}

TEST(Coordinator, with_too_many_open_requests_refuses_more_for_now) {
  Bench bench({.open_requests_max = 2});
  bench.join({});
  bench.join({});
  EXPECT_EQ(bench.joined(bench.join({})).error, ErrorCode::coordinator_not_available);
}

TEST(Coordinator, a_deadline_that_comes_too_early_changes_nothing) {
  Bench bench;
  const RequestId join = bench.join({});
  bench.take(bench.coordinator().tick(bench.now()));
  EXPECT_FALSE(bench.answered(join));
}

}  // namespace
}  // namespace millrace::groups
