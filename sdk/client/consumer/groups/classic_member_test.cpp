// Also proves classic_answers.cpp.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

import millrace.base;
import millrace.client.consumer.groups;
import millrace.client.core;
import millrace.runtime;

namespace millrace::client {
namespace {

using namespace std::chrono_literals;
using Kind = MembershipChange::Kind;

TopicPartition place(std::string topic, std::int32_t partition) {
  return {std::move(topic), PartitionIndex(partition)};
}
const Partitions first_two = {place("orders", 0), place("orders", 1)};

// A member with a clock, and the other side of each of its requests.
class MemberBench : public testing::Test {
 protected:
  MemberBench() { make({AssignorKind::range}); }

  void make(std::vector<AssignorKind> strategies, std::optional<std::string> instance = {}) {
    MemberOptions options;
    options.group_id = "g";
    options.strategies = std::move(strategies);
    options.instance_id = std::move(instance);
    member = std::make_unique<ClassicMember>(options, Random(1));
    member->subscribe({"orders"}, now);
  }
  // The next step must be this one; time passes as it asks, up to an hour.
  template <class Step>
  Step expect() {
    for (int i = 0; i < 20; ++i) {
      MemberStep step = member->next(now);
      if (auto* found = std::get_if<Step>(&step)) return std::move(*found);
      const auto* rest = std::get_if<Rest>(&step);
      EXPECT_NE(rest, nullptr) << "another step, number " << step.index();
      if (rest == nullptr || rest->until > now + 1h) break;
      now = std::max(now, rest->until);
    }
    ADD_FAILURE() << "the step does not come";
    return {};
  }
  void expect_rest() { EXPECT_TRUE(std::holds_alternative<Rest>(member->next(now))); }
  void find_coordinator() {
    expect<FindCoordinator>();
    member->found_coordinator(ErrorCode::none, now);
  }
  void join(std::int32_t generation = 1, const std::string& leader = "other") {
    const Join asked = expect<Join>();
    JoinAnswer answer;
    answer.generation = Generation(generation);
    answer.protocol_name = name_of(asked.protocols.front().first);
    answer.leader = leader;
    answer.member_id = "me";
    member->joined(answer, now);
  }
  void sync(const Partitions& partitions) {
    expect<Sync>();
    member->synced({ErrorCode::none, *encode_assignment(partitions)}, now);
  }
  // Tells the next change, which must be this one.
  void tell(Kind kind, const Partitions& partitions) {
    member->polled(now);
    const auto change = member->change();
    ASSERT_TRUE(change.has_value());
    EXPECT_EQ(*change, (MembershipChange{kind, partitions}));
    member->telling();
    EXPECT_FALSE(member->change().has_value()) << "one at a time";
    member->told(*change, now);
  }
  void become_stable(const Partitions& partitions = first_two) {
    find_coordinator();
    join();
    sync(partitions);
    tell(Kind::assigned, partitions);
    EXPECT_TRUE(member->is_stable());
  }
  void heartbeat(ErrorCode error) {
    expect<Heartbeat>();
    member->heartbeat_answered(error, now);
  }

  MonotonicTime now{1h};
  std::unique_ptr<ClassicMember> member;
};

TEST_F(MemberBench, joins_with_the_id_that_it_is_given_syncs_and_holds_what_it_is_told) {
  find_coordinator();
  EXPECT_EQ(expect<Join>().member_id, "");
  JoinAnswer required;
  required.error = ErrorCode::member_id_required;
  required.member_id = "me";
  member->joined(required, now);
  const MonotonicTime asked_again = now;
  join();
  EXPECT_EQ(now, asked_again) << "at once";
  const Sync asked = expect<Sync>();
  EXPECT_EQ(asked.member_id, "me");
  EXPECT_EQ(asked.generation, Generation(1));
  EXPECT_TRUE(asked.assignments.empty());
  member->synced({ErrorCode::none, *encode_assignment(first_two)}, now);
  EXPECT_TRUE(member->owned().empty()) << "not before it was told";
  tell(Kind::assigned, first_two);
  EXPECT_EQ(member->owned(), first_two);
}

TEST_F(MemberBench, shares_out_when_it_leads) {
  find_coordinator();
  const Join asked = expect<Join>();
  JoinAnswer answer;
  answer.generation = Generation(3);
  answer.protocol_name = "range";
  answer.leader = answer.member_id = "me";
  answer.members = {{"me", {}, asked.protocols[0].second}, {"you", "i", asked.protocols[0].second}};
  member->joined(answer, now);
  const ShareOut task = expect<ShareOut>();
  ASSERT_EQ(task.members.size(), 2u);
  EXPECT_EQ(task.members[1].member_id, "you");
  EXPECT_EQ(task.members[1].instance_id, "i");
  EXPECT_EQ(task.members[1].topics, std::vector<std::string>{"orders"});
  member->shared({{"me", first_two}, {"you", {}}});
  const Sync sync_asked = expect<Sync>();
  ASSERT_EQ(sync_asked.assignments.size(), 2u);
  EXPECT_EQ(*decode_assignment(sync_asked.assignments[0].second), first_two);
}

TEST_F(MemberBench, a_leader_whose_assignment_is_there_already_gives_none) {
  find_coordinator();
  static_cast<void>(expect<Join>());
  JoinAnswer answer;
  answer.generation = Generation(3);
  answer.protocol_name = "range";
  answer.leader = answer.member_id = "me";
  answer.skip_assignment = true;
  member->joined(answer, now);
  EXPECT_TRUE(expect<Sync>().assignments.empty());
}

TEST_F(MemberBench, an_eager_member_revokes_all_before_it_joins_again) {
  become_stable();
  heartbeat(ErrorCode::rebalance_in_progress);
  // Heartbeats go on until the application polls.
  heartbeat(ErrorCode::rebalance_in_progress);
  tell(Kind::revoked, first_two);
  EXPECT_EQ(expect<Join>().member_id, "me");
}

TEST_F(MemberBench, a_cooperative_member_joins_with_what_it_has_and_gives_up_what_is_not_its_own) {
  make({AssignorKind::cooperative_sticky});
  become_stable();
  heartbeat(ErrorCode::rebalance_in_progress);
  const Join again = expect<Join>();
  const auto said =
      decode_subscription(again.protocols[0].second, AssignorKind::cooperative_sticky);
  EXPECT_EQ(said->owned, first_two);
  EXPECT_EQ(said->generation, Generation(1));
  JoinAnswer answer;
  answer.generation = Generation(2);
  answer.protocol_name = "cooperative-sticky";
  answer.leader = "other";
  answer.member_id = "me";
  member->joined(answer, now);
  sync({place("orders", 1), place("orders", 2)});
  tell(Kind::revoked, {place("orders", 0)});
  tell(Kind::assigned, {place("orders", 2)});
  EXPECT_EQ(member->owned(), (Partitions{place("orders", 1), place("orders", 2)}));
  join(3);  // so that others get what it gave up
}

TEST_F(MemberBench, loses_all_when_the_coordinator_does_not_know_it) {
  for (const ErrorCode error : {ErrorCode::unknown_member_id, ErrorCode::illegal_generation}) {
    for (const AssignorKind strategy : {AssignorKind::range, AssignorKind::cooperative_sticky}) {
      make({strategy});
      become_stable();
      heartbeat(error);
      expect_rest();  // what is lost is told first
      tell(Kind::lost, first_two);
      EXPECT_EQ(member->member_id(), "") << "nothing can be committed";
      // Known by its id it need not be waited for.
      const bool keeps_id = error == ErrorCode::illegal_generation;
      EXPECT_EQ(expect<Join>().member_id, keeps_id ? "me" : "");
      JoinAnswer refused;
      refused.error = ErrorCode::unknown_member_id;
      member->joined(refused, now);
      EXPECT_EQ(expect<Join>().member_id, "");
    }
  }
}

TEST_F(MemberBench, what_is_lost_while_it_is_told_is_told_to_be_lost) {
  find_coordinator();
  join();
  sync(first_two);
  const auto change = member->change();
  member->telling();
  heartbeat(ErrorCode::unknown_member_id);
  expect_rest();
  member->told(*change, now);
  tell(Kind::lost, first_two);
  EXPECT_TRUE(member->owned().empty());
}

TEST_F(MemberBench, looks_for_the_coordinator_when_it_moved_or_does_not_answer) {
  become_stable();
  heartbeat(ErrorCode::not_coordinator);
  find_coordinator();
  static_cast<void>(expect<Heartbeat>());
  member->unanswered(now);
  find_coordinator();
  heartbeat(ErrorCode::none);
  EXPECT_TRUE(member->is_stable());
  EXPECT_EQ(member->owned(), first_two);
}

TEST_F(MemberBench, joins_anew_when_a_join_or_a_sync_is_not_answered) {
  find_coordinator();
  static_cast<void>(expect<Join>());
  member->unanswered(now);
  find_coordinator();
  join();
  static_cast<void>(expect<Sync>());
  member->unanswered(now);
  find_coordinator();
  EXPECT_EQ(expect<Join>().member_id, "me");
}

TEST_F(MemberBench, waits_longer_after_each_failure) {
  Duration before{};
  for (int i = 0; i < 3; ++i) {
    const MonotonicTime start = now;
    static_cast<void>(expect<FindCoordinator>());
    if (i > 0) EXPECT_GT(now - start, before);
    before = now - start;
    member->found_coordinator(ErrorCode::coordinator_not_available, now);
  }
}

TEST_F(MemberBench, leaves_when_the_application_does_not_poll_and_comes_back_when_it_does) {
  become_stable();
  while (true) {
    MemberStep step = member->next(now);
    if (std::holds_alternative<Heartbeat>(step)) {
      member->heartbeat_answered(ErrorCode::none, now);
    } else if (const auto* rest = std::get_if<Rest>(&step)) {
      now = rest->until;
    } else {
      EXPECT_EQ(std::get<Leave>(step).member_id, "me");
      break;
    }
  }
  member->left();
  EXPECT_EQ(member->phase(), MemberPhase::too_slow);
  expect_rest();
  member->polled(now);
  const auto problem = member->take_problem(now);
  ASSERT_TRUE(problem.has_value());
  EXPECT_FALSE(problem->is_fatal);
  tell(Kind::lost, first_two);
  EXPECT_EQ(expect<Join>().member_id, "");
}

TEST_F(MemberBench, a_static_member_does_not_leave) {
  make({AssignorKind::range}, "instance");
  become_stable();
  EXPECT_FALSE(member->leave("it closes").has_value());
  EXPECT_EQ(member->phase(), MemberPhase::out);
  make({AssignorKind::range}, "instance");
  become_stable();
  now += 10min;
  expect_rest();
  EXPECT_EQ(member->phase(), MemberPhase::too_slow);
}

TEST_F(MemberBench, is_out_for_good_when_another_has_its_place) {
  make({AssignorKind::range}, "instance");
  become_stable();
  heartbeat(ErrorCode::fenced_instance_id);
  tell(Kind::lost, first_two);
  EXPECT_TRUE(member->take_problem(now)->is_fatal);
  EXPECT_TRUE(member->take_problem(now).has_value()) << "it stays";
  expect_rest();
  member->subscribe({"orders"}, now);
  EXPECT_FALSE(member->take_problem(now).has_value());
  static_cast<void>(expect<Join>());
}

TEST_F(MemberBench, forgets_the_answer_to_what_it_asked_before_it_left) {
  find_coordinator();
  static_cast<void>(expect<Join>());
  EXPECT_FALSE(member->leave("it changes its mind").has_value()) << "it has no id yet";
  member->subscribe({"payments"}, now);
  JoinAnswer late;
  late.generation = Generation(1);
  late.protocol_name = "range";
  late.member_id = "me";
  member->joined(late, now);
  EXPECT_EQ(expect<Join>().member_id, "");
}

TEST_F(MemberBench, what_was_being_told_when_it_left_is_void) {
  make({AssignorKind::cooperative_sticky});
  find_coordinator();
  join();
  sync(first_two);
  const auto change = member->change();
  ASSERT_TRUE(change.has_value());
  member->telling();
  static_cast<void>(member->leave("the consumer unsubscribes"));
  member->subscribe({"orders"}, now);
  expect_rest();
  member->told(*change, now);
  EXPECT_TRUE(member->owned().empty()) << "it was of an earlier membership";
  join(2);
  sync(first_two);
  tell(Kind::assigned, first_two);
  EXPECT_EQ(member->owned(), first_two);
  EXPECT_FALSE(member->change().has_value());
}

TEST_F(MemberBench, does_not_take_an_assignment_of_topics_that_it_gave_up) {
  find_coordinator();
  join();
  static_cast<void>(expect<Sync>());
  member->subscribe({"payments"}, now);
  member->synced({ErrorCode::none, *encode_assignment(first_two)}, now);
  EXPECT_FALSE(member->change().has_value());
  static_cast<void>(expect<Join>());
}

TEST_F(MemberBench, tells_what_it_cannot_read_or_is_refused_and_tries_again) {
  find_coordinator();
  static_cast<void>(expect<Join>());
  JoinAnswer refused;
  refused.error = ErrorCode::group_max_size_reached;
  member->joined(refused, now);
  expect_rest();
  const auto problem = member->take_problem(now);
  ASSERT_TRUE(problem.has_value());
  EXPECT_EQ(problem->code, ErrorCode::group_max_size_reached);
  join();
  static_cast<void>(expect<Sync>());
  member->synced({ErrorCode::none, OwnedBytes(3)}, now);
  EXPECT_EQ(member->take_problem(now)->code, ErrorCode::inconsistent_group_protocol);
  static_cast<void>(expect<Join>());
}

TEST_F(MemberBench, believes_a_commit_of_its_own_generation_only) {
  become_stable();
  member->commit_answered(ErrorCode::illegal_generation, Generation(0), now);
  EXPECT_TRUE(member->is_stable());
  member->commit_answered(ErrorCode::offset_metadata_too_large, Generation(1), now);
  EXPECT_TRUE(member->is_stable());
  member->commit_answered(ErrorCode::illegal_generation, Generation(1), now);
  tell(Kind::lost, first_two);
}

TEST_F(MemberBench, only_a_sticky_member_says_what_it_had) {
  make({AssignorKind::range, AssignorKind::sticky, AssignorKind::cooperative_sticky});
  become_stable();
  heartbeat(ErrorCode::rebalance_in_progress);
  tell(Kind::revoked, first_two);
  const Join again = expect<Join>();
  ASSERT_EQ(again.protocols.size(), 3u);
  for (const auto& [strategy, words] : again.protocols) {
    const auto said = decode_subscription(words, strategy);
    EXPECT_EQ(said->owned.size(), strategy == AssignorKind::sticky ? 2u : 0u) << name_of(strategy);
  }
}

}  // namespace
}  // namespace millrace::client
