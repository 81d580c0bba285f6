// Clients, gateway, coordinator and log together. Also proves gateway.cppm, session.cpp.
#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

// This one imports a module: it comes after all that includes standard headers.
#include "cluster_support.hpp"

namespace millrace::broker {
namespace {

using protocol::HeartbeatRequest;
using protocol::HeartbeatResponse;
using protocol::JoinGroupRequest;
using protocol::JoinGroupResponse;
using protocol::OffsetCommitRequest;
using protocol::OffsetCommitResponse;
using protocol::OffsetFetchRequest;
using protocol::OffsetFetchResponse;
using protocol::SyncGroupRequest;
using protocol::SyncGroupResponse;

std::int16_t number_of(ErrorCode error) {
  return static_cast<std::int16_t>(error);
}

// One member joins alone and is assigned something.
void join(Cluster& cluster, Member& member) {
  auto joined = cluster.ask<JoinGroupResponse>(join_of(member, range_protocol), 5);
  if (joined.message.error_code == number_of(ErrorCode::member_id_required)) {
    member.id = joined.message.member_id;
    joined = cluster.ask<JoinGroupResponse>(join_of(member, range_protocol), 5);
  }
  ASSERT_EQ(joined.message.error_code, 0);
  member.generation = joined.message.generation_id;
  SyncGroupRequest sync;
  sync.group_id = member.group;
  sync.generation_id = member.generation;
  sync.member_id = member.id;
  SyncGroupRequest::SyncGroupRequestAssignment assignment;
  assignment.member_id = member.id;
  assignment.assignment = as_bytes("all of it");
  sync.assignments = {&assignment, 1};
  const auto synced = cluster.ask<SyncGroupResponse>(sync, 3);
  ASSERT_EQ(synced.message.error_code, 0);
  EXPECT_EQ(as_text(synced.message.assignment), "all of it");
}

std::int16_t heartbeat(Cluster& cluster, const Member& member) {
  HeartbeatRequest request;
  request.group_id = member.group;
  request.generation_id = member.generation;
  request.member_id = member.id;
  return cluster.ask<HeartbeatResponse>(request, 3).message.error_code;
}

std::int16_t commit(Cluster& cluster, const Member& member, std::int64_t offset,
                    std::string_view topic = "orders") {
  OffsetCommitRequest::OffsetCommitRequestPartition partition;
  partition.partition_index = 2;
  partition.committed_offset = offset;
  partition.committed_metadata = "m";
  OffsetCommitRequest::OffsetCommitRequestTopic wanted;
  wanted.name = topic;
  wanted.partitions = {&partition, 1};
  OffsetCommitRequest request;
  request.group_id = member.group;
  request.generation_id_or_member_epoch = member.generation;
  request.member_id = member.id;
  request.topics = {&wanted, 1};
  return cluster.ask<OffsetCommitResponse>(request, 7).message.topics[0].partitions[0].error_code;
}

// -2: an error.
std::int64_t committed(Cluster& cluster, const Member& member) {
  constexpr std::int32_t partition = 2;
  OffsetFetchRequest::OffsetFetchRequestTopic topic;
  topic.name = "orders";
  topic.partition_indexes = {&partition, 1};
  OffsetFetchRequest request;
  request.group_id = member.group;
  request.topics = {&topic, 1};
  const auto fetched = cluster.ask<OffsetFetchResponse>(request, 5);
  if (fetched.message.error_code != 0) return -2;
  return fetched.message.topics[0].partitions[0].committed_offset;
}

TEST(EndToEnd, a_member_joins_commits_and_fetches) {
  Cluster cluster;
  cluster.start_coordinator();
  cluster.settle();
  Member member;
  join(cluster, member);
  EXPECT_EQ(heartbeat(cluster, member), 0);
  EXPECT_EQ(commit(cluster, member, 42), 0);
  EXPECT_EQ(committed(cluster, member), 42);
  EXPECT_GT(cluster.store.appends, 1u);
}

TEST(EndToEnd, the_death_of_a_coordinator_causes_no_rebalance_and_loses_no_commit) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    Cluster cluster(seed);
    cluster.start_coordinator();
    cluster.settle();
    Member member;
    join(cluster, member);
    ASSERT_EQ(commit(cluster, member, 7), 0) << seed;
    cluster.start_coordinator();
    cluster.settle();
    EXPECT_EQ(heartbeat(cluster, member), 0) << seed;
    EXPECT_EQ(committed(cluster, member), 7) << seed;
    EXPECT_EQ(commit(cluster, member, 8), 0) << seed;
  }
}

TEST(EndToEnd, without_a_coordinator_each_request_is_told_so) {
  Cluster cluster;
  const Member member{"g", "m", 3, false, {}};
  const std::int16_t unavailable = number_of(ErrorCode::coordinator_not_available);
  EXPECT_EQ(heartbeat(cluster, member), unavailable);
  EXPECT_EQ(commit(cluster, member, 1), unavailable);
  EXPECT_EQ(committed(cluster, member), -2);
  EXPECT_EQ(cluster.ask<JoinGroupResponse>(join_of(member, range_protocol), 9).message.error_code,
            unavailable);
  EXPECT_EQ(cluster.gateway.metrics().unavailable.value(), 4u);
}

TEST(EndToEnd, what_waits_when_the_coordinator_dies_is_told_so) {
  Cluster cluster;
  cluster.start_coordinator();
  cluster.settle();
  Answered<JoinGroupResponse> answered;
  bool ended = false;
  const Member member;
  cluster.clients.start(
      cluster.send<JoinGroupResponse>(join_of(member, range_protocol), 3, answered, ended));
  cluster.pass(std::chrono::milliseconds{20});
  ASSERT_EQ(cluster.gateway.waiting(), 1u) << "the join waits for others";
  cluster.kill_coordinator();
  cluster.pass(std::chrono::milliseconds{20});
  ASSERT_TRUE(ended);
  EXPECT_EQ(answered.message.error_code, number_of(ErrorCode::coordinator_not_available));
}

TEST(EndToEnd, a_group_whose_partition_is_led_elsewhere_is_not_coordinated_here) {
  Cluster cluster;
  cluster.start_coordinator();
  cluster.settle();
  Member member;
  join(cluster, member);
  cluster.lose(protocol::state_partition("g", state_partitions));
  cluster.settle();
  EXPECT_EQ(heartbeat(cluster, member), number_of(ErrorCode::not_coordinator));
  cluster.lead(protocol::state_partition("g", state_partitions), LeaderEpoch(5));
  cluster.settle();
  EXPECT_EQ(heartbeat(cluster, member), 0) << "it is loaded in the new epoch";
}

TEST(EndToEnd, an_append_that_fails_is_answered_and_the_partition_is_loaded_again) {
  Cluster cluster;
  cluster.start_coordinator();
  cluster.settle();
  Member member;
  join(cluster, member);
  ASSERT_EQ(commit(cluster, member, 1), 0);
  cluster.store.fail_next = 1;
  EXPECT_EQ(commit(cluster, member, 2), number_of(ErrorCode::coordinator_not_available));
  EXPECT_EQ(cluster.gateway.metrics().failed_appends.value(), 1u);
  cluster.settle();
  EXPECT_EQ(heartbeat(cluster, member), 0);
  const std::int64_t found = committed(cluster, member);
  EXPECT_TRUE(found == 1 || found == 2) << found;
  EXPECT_EQ(commit(cluster, member, 3), 0);
  EXPECT_EQ(committed(cluster, member), 3);
}

TEST(EndToEnd, a_topic_that_does_not_exist_is_not_committed) {
  Cluster cluster;
  cluster.start_coordinator();
  cluster.settle();
  const Member nobody;
  EXPECT_EQ(commit(cluster, nobody, 5, "nothing"),
            number_of(ErrorCode::unknown_topic_or_partition));
}

TEST(EndToEnd, requests_end_when_their_connection_closes) {
  Cluster cluster;
  cluster.start_coordinator();
  cluster.settle();
  Answered<JoinGroupResponse> answered;
  bool ended = false;
  const Member member;
  cluster.clients.start(
      cluster.send<JoinGroupResponse>(join_of(member, range_protocol), 3, answered, ended));
  cluster.pass(std::chrono::milliseconds{20});
  cluster.gateway.connection_closing({1, ConnectionId(1)});
  cluster.pass(std::chrono::milliseconds{5});
  EXPECT_FALSE(ended) << "another shard's connection has the same number";
  cluster.gateway.connection_closing({0, ConnectionId(1)});
  cluster.pass(std::chrono::milliseconds{5});
  EXPECT_TRUE(ended);
  EXPECT_TRUE(answered.is_closed);
  cluster.settle();
  EXPECT_EQ(cluster.gateway.metrics().late_answers.value(), 1u) << "what comes for it is dropped";
}

TEST(EndToEnd, a_body_that_cannot_be_read_closes_the_connection) {
  Cluster cluster;
  cluster.start_coordinator();
  cluster.settle();
  const std::vector<std::byte> garbage(5, std::byte{0xff});
  const auto answer = cluster.executor.run(cluster.gateway.ask({.api = ApiKey::join_group,
                                                                .version = 5,
                                                                .session = &cluster.session,
                                                                .client_id = {},
                                                                .client_host = {},
                                                                .body = garbage,
                                                                .connection = {}}));
  ASSERT_TRUE(answer.has_value());
  EXPECT_TRUE(answer->close);
  EXPECT_NE(answer->reason, "");
}

// More topics than a message may name, as a client counts them, ended the session for everybody.
TEST(EndToEnd, a_request_that_names_topics_over_and_over_harms_nobody) {
  Cluster cluster;
  cluster.start_coordinator();
  cluster.settle();
  OffsetCommitRequest::OffsetCommitRequestTopic orders;
  orders.name = "orders";
  const std::vector<OffsetCommitRequest::OffsetCommitRequestTopic> topics(
      2 * coordination::known_topics_max, orders);
  OffsetCommitRequest commit;
  commit.group_id = "g";
  commit.topics = std::span<const OffsetCommitRequest::OffsetCommitRequestTopic>(topics);
  const auto committed = cluster.ask<OffsetCommitResponse>(commit, 7);
  EXPECT_FALSE(committed.is_closed) << committed.reason;
  EXPECT_TRUE(cluster.gateway.is_up());
  // All topics of the cluster, where they are more than that.
  cluster.topics.topics.resize(coordination::known_topics_max + 1);
  OffsetFetchRequest::OffsetFetchRequestGroup all;
  all.group_id = "g";
  all.topics = protocol::Array<OffsetFetchRequest::OffsetFetchRequestTopics>::null();
  OffsetFetchRequest fetch;
  fetch.groups = {&all, 1};
  const auto fetched = cluster.ask<OffsetFetchResponse>(fetch, 10);
  ASSERT_EQ(fetched.message.groups.size(), 1);
  EXPECT_EQ(fetched.message.groups[0].error_code, number_of(ErrorCode::invalid_request));
  EXPECT_TRUE(cluster.gateway.is_up());
}

// Together they are more than may be queued for the coordinator.
TEST(EndToEnd, large_requests_at_once_are_told_to_come_again_and_end_no_session) {
  Cluster cluster;
  cluster.start_coordinator();
  cluster.settle();
  const std::string note(32'000, 'n');
  std::vector<OffsetCommitRequest::OffsetCommitRequestPartition> partitions(640);
  for (auto& partition : partitions) partition.committed_metadata = note;
  OffsetCommitRequest::OffsetCommitRequestTopic topic;
  topic.name = "orders";
  topic.partitions = std::span<const OffsetCommitRequest::OffsetCommitRequestPartition>(partitions);
  OffsetCommitRequest commit;
  commit.group_id = "g";
  commit.topics = {&topic, 1};
  constexpr int count = 5;
  std::vector<Answered<OffsetCommitResponse>> answers(count);
  std::array<bool, count> ended{};
  for (std::size_t i = 0; i < count; ++i) {
    cluster.clients.start(cluster.send<OffsetCommitResponse>(commit, 7, answers[i], ended[i]));
  }
  cluster.pass(std::chrono::seconds{5});
  int unavailable = 0;
  for (std::size_t i = 0; i < count; ++i) {
    ASSERT_TRUE(ended[i]);
    ASSERT_FALSE(answers[i].is_closed) << answers[i].reason;
    const auto code = answers[i].message.topics[0].partitions[0].error_code;
    if (code == number_of(ErrorCode::coordinator_not_available)) ++unavailable;
  }
  EXPECT_GE(unavailable, 1);
  EXPECT_LT(unavailable, count) << "the first had room";
  EXPECT_TRUE(cluster.gateway.is_up());
  EXPECT_EQ(cluster.ask<HeartbeatResponse>(HeartbeatRequest(), 4).is_closed, false);
}

TEST(EndToEnd, a_coordinator_that_cannot_reach_its_broker_tries_on) {
  Cluster cluster;
  cluster.is_reachable = false;
  cluster.start_coordinator();
  cluster.pass(std::chrono::seconds{30});
  EXPECT_FALSE(cluster.gateway.is_up());
  cluster.is_reachable = true;
  cluster.pass(std::chrono::seconds{1});
  EXPECT_TRUE(cluster.gateway.is_up());
}

}  // namespace
}  // namespace millrace::broker
