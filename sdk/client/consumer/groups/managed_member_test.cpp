// Also proves managed_answers.cpp, group_member.cpp.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <map>
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
Uuid id_of(std::uint8_t number) {
  Uuid id;
  id.bytes[0] = std::byte{number};
  return id;
}
PartitionsById by_id(std::uint8_t topic, const std::vector<std::int32_t>& partitions) {
  PartitionsById result;
  for (const std::int32_t partition : partitions) result[id_of(topic)].emplace_back(partition);
  return result;
}

// A member with a clock, and the other side of each of its requests. Topic 1 is "orders".
class ManagedBench : public testing::Test {
 protected:
  ManagedBench() { make(); }

  void make(std::optional<std::string> instance = {}) {
    ManagedOptions options;
    options.group_id = "g";
    options.instance_id = std::move(instance);
    options.assignor = "uniform";
    options.rack = "r1";
    member = std::make_unique<ManagedMember>(options, Random(1));
    member->subscribe({"orders"}, now);
  }
  // The next step must be this one; time passes as it asks, up to an hour.
  template <class Step>
  Step expect() {
    for (int i = 0; i < 20; ++i) {
      ManagedStep step = member->next(now);
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
  [[nodiscard]] TopicNames names() const {
    return [this](const Uuid& id) -> std::optional<std::string> {
      const auto found = topics.find(id);
      if (found == topics.end()) return std::nullopt;
      return found->second;
    };
  }
  void answer(std::int32_t epoch, std::optional<PartitionsById> assignment = {}) {
    member->heartbeat_answered({.error = ErrorCode::none,
                                .sentence = "",
                                .epoch = Generation(epoch),
                                .interval = 5s,
                                .assignment = std::move(assignment)},
                               names(), now);
  }
  void refuse(ErrorCode error) {
    member->heartbeat_answered({.error = error, .sentence = "so said the broker"}, names(), now);
  }
  void find_coordinator() {
    static_cast<void>(expect<FindCoordinator>());
    member->found_coordinator(ErrorCode::none, now);
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
  void become_settled() {
    find_coordinator();
    static_cast<void>(expect<GroupHeartbeat>());
    answer(1, by_id(1, {0, 1}));
    tell(Kind::assigned, first_two);
    EXPECT_EQ(expect<GroupHeartbeat>().owned, by_id(1, {0, 1}));
    answer(1);
    EXPECT_TRUE(member->is_settled());
  }

  const Partitions first_two = {place("orders", 0), place("orders", 1)};
  std::map<Uuid, std::string> topics = {{id_of(1), "orders"}};
  MonotonicTime now{1h};
  std::unique_ptr<ManagedMember> member;
};

TEST_F(ManagedBench, joins_as_itself_says_everything_and_acknowledges_what_it_holds) {
  find_coordinator();
  const GroupHeartbeat join = expect<GroupHeartbeat>();
  EXPECT_EQ(join.epoch, joining_epoch);
  EXPECT_EQ(join.member_id.size(), 22u);
  EXPECT_EQ(join.topics, std::vector<std::string>{"orders"});
  EXPECT_EQ(join.pattern, std::nullopt);
  EXPECT_EQ(join.rebalance_timeout, 5min);
  EXPECT_EQ(join.assignor, "uniform");
  EXPECT_EQ(join.rack, "r1");
  ASSERT_TRUE(join.owned.has_value()) << "it says that it holds nothing";
  EXPECT_TRUE(join.owned->empty());
  EXPECT_EQ(member->member_id(), "") << "nobody yet";
  answer(3, by_id(1, {0, 1}));
  EXPECT_EQ(member->member_id(), join.member_id);
  EXPECT_EQ(member->generation(), Generation(3));
  EXPECT_TRUE(member->owned().empty()) << "not before it was told";
  expect_rest();
  tell(Kind::assigned, first_two);
  EXPECT_EQ(member->owned(), first_two);
  const MonotonicTime told = now;
  const GroupHeartbeat acknowledgement = expect<GroupHeartbeat>();
  EXPECT_EQ(now, told) << "at once";
  EXPECT_EQ(acknowledgement.epoch, Generation(3));
  EXPECT_EQ(acknowledgement.owned, by_id(1, {0, 1}));
  EXPECT_EQ(acknowledgement.topics, std::nullopt) << "only what is new";
  EXPECT_FALSE(member->is_settled());
  answer(3);
  EXPECT_TRUE(member->is_settled());
  const GroupHeartbeat later = expect<GroupHeartbeat>();
  EXPECT_EQ(now, told + 5s) << "as the broker asked";
  EXPECT_EQ(later.owned, std::nullopt);
}

TEST_F(ManagedBench, gives_up_before_it_takes_and_before_it_says_so) {
  become_settled();
  static_cast<void>(expect<GroupHeartbeat>());
  answer(1, by_id(1, {1, 2}));
  static_cast<void>(expect<GroupHeartbeat>());
  answer(1);
  member->polled(now);
  ASSERT_EQ(member->change()->kind, Kind::revoked);
  member->telling();
  EXPECT_EQ(expect<GroupHeartbeat>().owned, std::nullopt) << "heartbeats go on meanwhile";
  answer(1);
  member->told({Kind::revoked, {place("orders", 0)}}, now);
  expect_rest();
  tell(Kind::assigned, {place("orders", 2)});
  EXPECT_EQ(expect<GroupHeartbeat>().owned, by_id(1, {1, 2}));
  answer(2);
  EXPECT_EQ(member->generation(), Generation(2));
}

TEST_F(ManagedBench, what_comes_while_the_application_is_told_is_told_after_that) {
  become_settled();
  static_cast<void>(expect<GroupHeartbeat>());
  answer(1, by_id(1, {0, 1, 2}));
  const auto change = member->change();
  ASSERT_TRUE(change.has_value());
  member->telling();
  static_cast<void>(expect<GroupHeartbeat>());
  answer(1, by_id(1, {0}));
  member->told(*change, now);
  expect_rest();
  tell(Kind::revoked, {place("orders", 1), place("orders", 2)});
  tell(Kind::assigned, {});
  EXPECT_EQ(expect<GroupHeartbeat>().owned, by_id(1, {0}));
}

TEST_F(ManagedBench, an_assignment_that_it_has_is_not_told_again) {
  become_settled();
  static_cast<void>(expect<GroupHeartbeat>());
  answer(2, by_id(1, {0, 1}));
  EXPECT_FALSE(member->change().has_value());
  EXPECT_TRUE(member->is_settled());
}

TEST_F(ManagedBench, what_was_being_told_when_it_left_is_void) {
  find_coordinator();
  static_cast<void>(expect<GroupHeartbeat>());
  answer(1, by_id(1, {0, 1}));
  const auto change = member->change();
  ASSERT_TRUE(change.has_value());
  member->telling();
  static_cast<void>(member->leave("the consumer unsubscribes"));
  member->subscribe({"orders"}, now);
  expect_rest();
  member->told(*change, now);
  EXPECT_TRUE(member->owned().empty()) << "it was of an earlier membership";
  const GroupHeartbeat join = expect<GroupHeartbeat>();
  EXPECT_EQ(join.epoch, joining_epoch);
  EXPECT_EQ(join.owned, PartitionsById()) << "brokers refuse who joins with partitions";
  answer(2, by_id(1, {0, 1}));
  tell(Kind::assigned, first_two);
  EXPECT_EQ(expect<GroupHeartbeat>().owned, by_id(1, {0, 1}));
}

TEST_F(ManagedBench, topics_without_a_name_wait_for_it) {
  become_settled();
  static_cast<void>(expect<GroupHeartbeat>());
  PartitionsById both = by_id(1, {0, 1});
  both[id_of(2)] = {PartitionIndex(0)};
  answer(2, both);
  tell(Kind::assigned, {});
  EXPECT_EQ(expect<GroupHeartbeat>().owned, by_id(1, {0, 1})) << "what it holds by now";
  answer(2);
  EXPECT_FALSE(member->is_settled());
  static_cast<void>(expect<FindNames>());
  const MonotonicTime asked = now;
  static_cast<void>(expect<FindNames>());
  EXPECT_GE(now, asked + 1s) << "not without a pause";
  topics[id_of(2)] = "payments";
  member->know(names());
  tell(Kind::assigned, {place("payments", 0)});
  EXPECT_EQ(expect<GroupHeartbeat>().owned, both);
  topics.clear();
  member->know(names());
  EXPECT_FALSE(member->change().has_value()) << "what it holds keeps its name";
}

TEST_F(ManagedBench, a_topic_that_was_made_anew_is_another_one) {
  become_settled();
  topics = {{id_of(7), "orders"}};
  static_cast<void>(expect<GroupHeartbeat>());
  answer(2, by_id(7, {0, 1}));
  tell(Kind::revoked, first_two);
  tell(Kind::assigned, first_two);
  EXPECT_EQ(expect<GroupHeartbeat>().owned, by_id(7, {0, 1}));
}

TEST_F(ManagedBench, who_is_fenced_loses_everything_and_joins_again_as_the_same) {
  for (const ErrorCode error : {ErrorCode::fenced_member_epoch, ErrorCode::unknown_member_id}) {
    SCOPED_TRACE(protocol::name_of(error));
    make();
    become_settled();
    const std::string id(member->member_id());
    static_cast<void>(expect<GroupHeartbeat>());
    refuse(error);
    EXPECT_EQ(member->member_id(), "") << "it commits nothing more";
    expect_rest();
    tell(Kind::lost, first_two);
    const GroupHeartbeat join = expect<GroupHeartbeat>();
    EXPECT_EQ(join.epoch, joining_epoch);
    EXPECT_EQ(join.member_id, id);
    EXPECT_TRUE(join.topics.has_value());
    EXPECT_TRUE(join.owned.has_value() && join.owned->empty());
  }
}

TEST_F(ManagedBench, who_is_fenced_while_it_is_told_loses_that_as_well) {
  become_settled();
  static_cast<void>(expect<GroupHeartbeat>());
  answer(2, by_id(1, {0, 1, 2}));
  const auto change = member->change();
  member->telling();
  static_cast<void>(expect<GroupHeartbeat>());
  refuse(ErrorCode::fenced_member_epoch);
  expect_rest();
  member->told(*change, now);
  tell(Kind::lost, {place("orders", 0), place("orders", 1), place("orders", 2)});
  EXPECT_EQ(expect<GroupHeartbeat>().epoch, joining_epoch);
}

TEST_F(ManagedBench, a_join_whose_answer_was_lost_is_asked_again_and_as_another_one_if_refused) {
  find_coordinator();
  const std::string id = expect<GroupHeartbeat>().member_id;
  member->unanswered(now);
  find_coordinator();
  EXPECT_EQ(expect<GroupHeartbeat>().member_id, id);
  refuse(ErrorCode::fenced_member_epoch);
  const GroupHeartbeat again = expect<GroupHeartbeat>();
  EXPECT_EQ(again.epoch, joining_epoch);
  EXPECT_NE(again.member_id, id);
}

TEST_F(ManagedBench, tells_all_again_when_an_answer_was_lost) {
  become_settled();
  static_cast<void>(expect<GroupHeartbeat>());
  member->unanswered(now);
  find_coordinator();
  const GroupHeartbeat beat = expect<GroupHeartbeat>();
  EXPECT_EQ(beat.epoch, Generation(1));
  EXPECT_EQ(beat.topics, std::vector<std::string>{"orders"});
  EXPECT_EQ(beat.owned, by_id(1, {0, 1}));
  EXPECT_EQ(member->owned(), first_two) << "it may be a member all the same";
}

TEST_F(ManagedBench, another_subscription_is_told_at_once) {
  become_settled();
  const MonotonicTime before = now;
  member->subscribe({"payments", "orders", "orders"}, now);
  const GroupHeartbeat beat = expect<GroupHeartbeat>();
  EXPECT_EQ(now, before);
  EXPECT_EQ(beat.topics, (std::vector<std::string>{"orders", "payments"}));
  EXPECT_EQ(beat.owned, std::nullopt);
  answer(2);
  EXPECT_TRUE(member->subscribe_to_matching("ord.*", now));
  EXPECT_EQ(expect<GroupHeartbeat>().pattern, "ord.*");
  answer(3);
  member->subscribe({"orders"}, now);
  EXPECT_EQ(expect<GroupHeartbeat>().pattern, "") << "the pattern is taken back";
}

TEST_F(ManagedBench, coordinators_that_move_or_load_change_nothing) {
  become_settled();
  for (const ErrorCode error : {ErrorCode::not_coordinator, ErrorCode::coordinator_not_available}) {
    static_cast<void>(expect<GroupHeartbeat>());
    refuse(error);
    find_coordinator();
  }
  static_cast<void>(expect<GroupHeartbeat>());
  refuse(ErrorCode::coordinator_load_in_progress);
  const GroupHeartbeat beat = expect<GroupHeartbeat>();
  EXPECT_EQ(beat.epoch, Generation(1));
  EXPECT_EQ(member->owned(), first_two);
}

TEST_F(ManagedBench, some_errors_end_it_until_it_subscribes_anew) {
  for (const ErrorCode error :
       {ErrorCode::unreleased_instance_id, ErrorCode::fenced_instance_id,
        ErrorCode::unsupported_assignor, ErrorCode::group_max_size_reached,
        ErrorCode::invalid_regular_expression, ErrorCode::unsupported_version,
        ErrorCode::group_id_not_found, ErrorCode::invalid_request}) {
    SCOPED_TRACE(protocol::name_of(error));
    make("instance-1");
    become_settled();
    static_cast<void>(expect<GroupHeartbeat>());
    refuse(error);
    tell(Kind::lost, first_two);
    const auto problem = member->take_problem(now);
    ASSERT_TRUE(problem.has_value());
    EXPECT_EQ(problem->code, error);
    EXPECT_TRUE(problem->is_fatal);
    EXPECT_NE(problem->sentence.find("group g: "), std::string::npos) << problem->sentence;
    EXPECT_NE(problem->sentence.find("so said the broker"), std::string::npos);
    expect_rest();
    EXPECT_TRUE(member->take_problem(now).has_value()) << "it stays";
    member->subscribe({"orders"}, now);
    EXPECT_FALSE(member->has_problem());
    EXPECT_EQ(expect<GroupHeartbeat>().epoch, joining_epoch);
  }
}

TEST_F(ManagedBench, a_broker_without_the_protocol_is_named_as_such) {
  find_coordinator();
  static_cast<void>(expect<GroupHeartbeat>());
  member->not_offered();
  const auto problem = member->take_problem(now);
  ASSERT_TRUE(problem && problem->is_fatal);
  EXPECT_NE(problem->sentence.find("the broker does not offer group.protocol=consumer"),
            std::string::npos);
  EXPECT_FALSE(member->leave("it ends").has_value()) << "nobody knows it";
}

TEST_F(ManagedBench, a_refusal_is_told_and_then_tried_again) {
  find_coordinator();
  static_cast<void>(expect<GroupHeartbeat>());
  refuse(ErrorCode::group_authorization_failed);
  expect_rest();
  const auto problem = member->take_problem(now);
  ASSERT_TRUE(problem && !problem->is_fatal);
  const MonotonicTime told = now;
  EXPECT_EQ(expect<GroupHeartbeat>().epoch, joining_epoch);
  EXPECT_GE(now, told + 1s);
}

TEST_F(ManagedBench, leaves_when_the_application_does_not_poll_and_comes_back) {
  become_settled();
  for (int i = 0; i < 200; ++i) {
    ManagedStep step = member->next(now);
    if (std::holds_alternative<Leave>(step)) break;
    if (const auto* rest = std::get_if<Rest>(&step)) {
      now = rest->until;
    } else {
      answer(1);
    }
  }
  EXPECT_EQ(member->phase(), MemberPhase::too_slow);
  member->left();
  expect_rest();
  const auto problem = member->take_problem(now);
  ASSERT_TRUE(problem.has_value());
  EXPECT_NE(problem->sentence.find("max.poll.interval.ms"), std::string::npos);
  EXPECT_TRUE(member->polled(now));
  tell(Kind::lost, first_two);
  EXPECT_EQ(expect<GroupHeartbeat>().epoch, joining_epoch);
}

TEST_F(ManagedBench, who_leaves_is_out_and_ignores_the_answer_that_comes_late) {
  become_settled();
  const std::string id(member->member_id());
  static_cast<void>(expect<GroupHeartbeat>());
  const auto leave = member->leave("it ends");
  ASSERT_TRUE(leave.has_value());
  EXPECT_EQ(leave->member_id, id);
  answer(9, by_id(1, {0}));
  EXPECT_EQ(member->phase(), MemberPhase::out);
  EXPECT_FALSE(member->change().has_value());
  EXPECT_EQ(member->member_id(), "");
  expect_rest();
  member->subscribe({"orders"}, now);
  const GroupHeartbeat join = expect<GroupHeartbeat>();
  EXPECT_EQ(join.epoch, joining_epoch);
  EXPECT_EQ(join.member_id, id);
}

TEST_F(ManagedBench, a_commit_that_is_refused_asks_the_broker_at_once) {
  become_settled();
  const MonotonicTime before = now;
  member->commit_answered(ErrorCode::unknown_member_id, Generation(0), now);
  expect_rest();
  member->commit_answered(ErrorCode::unknown_member_id, Generation(1), now);
  static_cast<void>(expect<GroupHeartbeat>());
  EXPECT_EQ(now, before);
  EXPECT_EQ(member->owned(), first_two) << "the heartbeat decides";
}

TEST_F(ManagedBench, an_interval_of_nothing_makes_no_storm) {
  become_settled();
  static_cast<void>(expect<GroupHeartbeat>());
  member->heartbeat_answered({.error = ErrorCode::none,
                              .sentence = "",
                              .epoch = Generation(1),
                              .interval = Duration{0},
                              .assignment = {}},
                             names(), now);
  const MonotonicTime before = now;
  static_cast<void>(expect<GroupHeartbeat>());
  EXPECT_GE(now, before + managed_heartbeat_interval_min);
}

}  // namespace
}  // namespace millrace::client
