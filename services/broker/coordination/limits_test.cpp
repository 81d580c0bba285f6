// What clients can make a coordinator and its broker hold and say to one another. Also proves
// gateway.cpp, session.cpp.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

// This one imports a module: it comes after all that includes standard headers.
#include "cluster_support.hpp"

namespace millrace::broker {
namespace {

std::int16_t code_of(ErrorCode error) {
  return static_cast<std::int16_t>(error);
}

using CommitTopic = protocol::OffsetCommitRequest::OffsetCommitRequestTopic;
using CommitPartition = protocol::OffsetCommitRequest::OffsetCommitRequestPartition;

// So many commits to the same partition in one request.
struct WideCommit {
  WideCommit(std::string name, std::size_t count, std::size_t note_bytes)
      : group(std::move(name)), note(note_bytes, 'n'), partitions(count) {
    for (CommitPartition& partition : partitions) partition.committed_metadata = note;
    topic.name = "orders";
    topic.partitions = std::span<const CommitPartition>(partitions);
    request.group_id = group;
    request.topics = {&topic, 1};
  }
  WideCommit(const WideCommit&) = delete;
  WideCommit& operator=(const WideCommit&) = delete;

  std::string group;
  std::string note;
  std::vector<CommitPartition> partitions;
  CommitTopic topic;
  protocol::OffsetCommitRequest request;
};

// The groups of a name, in each of the state partitions one.
std::vector<std::string> groups_of_all_partitions(const std::string& name) {
  std::vector<std::string> groups(state_partitions);
  for (int i = 0; std::ranges::count(groups, "") > 0; ++i) {
    const std::string group = name + std::to_string(i);
    groups[static_cast<std::size_t>(protocol::state_partition(group, state_partitions).value())] =
        group;
  }
  return groups;
}

// Each record names the group: two megabytes became three thousand.
TEST(CoordinationLimits,
     a_commit_that_names_a_partition_over_and_over_for_a_long_group_harms_nobody) {
  Cluster cluster;
  cluster.start_coordinator();
  cluster.settle();
  const WideCommit wide(std::string(32'000, 'g'), 100'000, 0);
  const auto answered = cluster.ask<protocol::OffsetCommitResponse>(wide.request, 7);
  ASSERT_FALSE(answered.is_closed) << answered.reason;
  const auto& partitions = answered.message.topics[0].partitions;
  EXPECT_EQ(partitions[0].error_code, 0);
  EXPECT_EQ(partitions[99'999].error_code, code_of(ErrorCode::invalid_commit_offset_size));
  EXPECT_EQ(cluster.gateway.metrics().sessions.value(), 1u);
}

// They are more than may be queued for the broker.
TEST(CoordinationLimits, large_commits_of_many_groups_at_once_end_no_session) {
  Cluster cluster;
  cluster.start_coordinator();
  cluster.settle();
  constexpr std::size_t count = 9;
  const auto groups = groups_of_all_partitions("g");
  std::vector<std::unique_ptr<WideCommit>> commits;
  std::vector<Answered<protocol::OffsetCommitResponse>> answers(count);
  std::array<bool, count> ended{};
  for (std::size_t i = 0; i < count; ++i) {
    commits.push_back(
        std::make_unique<WideCommit>(groups[i % groups.size()] + std::string(20'000, '.'), 800, 0));
    cluster.clients.start(
        cluster.send<protocol::OffsetCommitResponse>(commits[i]->request, 7, answers[i], ended[i]));
  }
  cluster.pass(std::chrono::seconds{5});
  for (std::size_t i = 0; i < count; ++i) {
    ASSERT_TRUE(ended[i]);
    EXPECT_FALSE(answers[i].is_closed) << answers[i].reason;
  }
  EXPECT_EQ(cluster.gateway.metrics().sessions.value(), 1u);
}

// A slow log holds them in the memory of the broker.
TEST(CoordinationLimits, appends_of_all_partitions_that_wait_for_the_log_have_a_limit) {
  groups::Options options = Cluster::quick();
  options.uncommitted_bytes_max = 20'000;
  Cluster cluster(1, options);
  cluster.start_coordinator();
  cluster.settle();
  const auto groups = groups_of_all_partitions("g");
  cluster.store.is_held = true;
  std::array<Answered<protocol::OffsetCommitResponse>, 2> waiting;
  std::array<bool, 2> ended{};
  const WideCommit first(groups[0], 10, 3'000);
  const WideCommit second(groups[1], 10, 3'000);
  cluster.clients.start(
      cluster.send<protocol::OffsetCommitResponse>(first.request, 7, waiting[0], ended[0]));
  cluster.clients.start(
      cluster.send<protocol::OffsetCommitResponse>(second.request, 7, waiting[1], ended[1]));
  cluster.pass(std::chrono::milliseconds{50});
  EXPECT_FALSE(ended[0] || ended[1]) << "they wait for the log";
  const WideCommit third(groups[2], 1, 0);
  const auto refused = cluster.ask<protocol::OffsetCommitResponse>(third.request, 7);
  EXPECT_EQ(refused.message.topics[0].partitions[0].error_code,
            code_of(ErrorCode::coordinator_not_available));
  protocol::HeartbeatRequest heartbeat;
  heartbeat.group_id = groups[2];
  heartbeat.member_id = "nobody";
  EXPECT_EQ(cluster.ask<protocol::HeartbeatResponse>(heartbeat, 3).message.error_code,
            code_of(ErrorCode::unknown_member_id))
      << "a heartbeat takes no room";
  cluster.store.is_held = false;
  cluster.settle();
  EXPECT_TRUE(ended[0] && ended[1]);
  const auto taken = cluster.ask<protocol::OffsetCommitResponse>(third.request, 7);
  EXPECT_EQ(taken.message.topics[0].partitions[0].error_code, 0);
}

TEST(CoordinationLimits, what_all_partitions_hold_together_has_a_limit) {
  groups::Options options = Cluster::quick();
  options.member_bytes_max = 10'000;
  options.state_bytes_max = 50'000;
  Cluster cluster(1, options);
  cluster.start_coordinator();
  cluster.settle();
  const auto groups = groups_of_all_partitions("g");
  const auto code = [&](const std::string& group, std::size_t note) {
    const WideCommit commit(group, 1, note);
    return cluster.ask<protocol::OffsetCommitResponse>(commit.request, 7)
        .message.topics[0]
        .partitions[0]
        .error_code;
  };
  ASSERT_EQ(code(groups[2], 0), 0);
  std::size_t made = 0;
  for (int i = 0; i < 50; ++i) {
    const std::string group =
        groups_of_all_partitions("of " + std::to_string(i))[static_cast<std::size_t>(i % 2)];
    if (code(group, 4'000) == 0) ++made;
  }
  EXPECT_GT(made, 5u);
  EXPECT_LT(made, 15u);
  EXPECT_EQ(code(groups_of_all_partitions("new")[2], 0), code_of(ErrorCode::policy_violation));
  EXPECT_EQ(code(groups[2], 0), 0) << "who is there goes on";
}

}  // namespace
}  // namespace millrace::broker
