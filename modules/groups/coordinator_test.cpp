#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <iterator>
#include <optional>
#include <string>
#include <variant>
#include <vector>

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

// As when a coordinator takes over very many groups whose members have all gone.
TEST(Coordinator, sessions_that_end_together_make_no_more_appends_than_may_be_under_way) {
  constexpr std::size_t groups = 100;
  constexpr std::size_t at_once = 10;
  Bench bench({.uncommitted_appends_max = at_once});
  std::vector<std::string> names;
  std::vector<RequestId> joins;
  for (std::size_t i = 0; i < groups; ++i) {
    names.push_back("g" + std::to_string(i));
    joins.push_back(bench.join({.group = names.back()}));
  }
  bench.pass(std::chrono::seconds(6));
  for (std::size_t i = 0; i < groups; ++i) {
    const std::string member = bench.joined(joins[i]).member_id;
    bench.ask(
        SyncRequest{names[i], Generation(1), member, {}, {}, {}, {{member, bytes_of_text("all")}}});
  }
  const auto live = [&] {
    return std::ranges::count_if(names, [&](const std::string& name) {
      return bench.group(name) != nullptr && !bench.group(name)->members().empty();
    });
  };
  ASSERT_EQ(live(), std::ssize(names));
  bench.hold_commits();
  std::size_t before = bench.log().size();
  bench.pass(std::chrono::seconds(11));
  std::size_t rounds = 1;
  for (; live() > 0; ++rounds) {
    ASSERT_LE(rounds, groups);
    EXPECT_EQ(bench.log().size() - before, at_once + 1);
    const Effects effects = bench.coordinator().tick(bench.now());
    EXPECT_EQ(effects.deadline, std::nullopt) << "a tick could do nothing";
    EXPECT_TRUE(effects.appends.empty());
    before = bench.log().size();
    bench.commit_all();
  }
  EXPECT_EQ(rounds, groups / (at_once + 1) + 1);
  bench.commit_all();
  EXPECT_NE(bench.coordinator().tick(bench.now()).deadline, std::nullopt) << "the next search";
}

TEST(Coordinator, a_deadline_that_comes_too_early_changes_nothing) {
  Bench bench;
  const RequestId join = bench.join({});
  bench.take(bench.coordinator().tick(bench.now()));
  EXPECT_FALSE(bench.answered(join));
}

}  // namespace
}  // namespace millrace::groups
