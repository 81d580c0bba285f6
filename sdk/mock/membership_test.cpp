// Also proves group_desk.cpp, group_desk.cppm, group_words.cppm, waiting.cppm.
#include <gtest/gtest.h>

#include "mock_machine.hpp"

namespace millrace::mock {
namespace {

using namespace std::chrono_literals;
using protocol::DescribeGroupsRequest;
using protocol::DescribeGroupsResponse;
using protocol::HeartbeatRequest;
using protocol::HeartbeatResponse;
using protocol::JoinGroupRequest;
using protocol::JoinGroupResponse;
using protocol::LeaveGroupRequest;
using protocol::LeaveGroupResponse;
using protocol::ListGroupsRequest;
using protocol::ListGroupsResponse;
using protocol::SyncGroupRequest;
using protocol::SyncGroupResponse;

// A member as a client is one: it takes its id, joins, and syncs if it leads.
struct Member {
  explicit Member(MockMachine& m) : machine(m), client(m.network, m.pool) {}

  Task<void> join(std::int16_t version = 9) {
    JoinGroupRequest::JoinGroupRequestProtocol way{.name = "range", .metadata = as_bytes("meta")};
    JoinGroupRequest request;
    request.group_id = "billing";
    request.session_timeout_ms = 10'000;
    request.rebalance_timeout_ms = 10'000;
    request.protocol_type = "consumer";
    request.protocols = {&way, 1};
    for (;;) {
      request.member_id = id;
      const auto got = co_await client.call<JoinGroupResponse>(request, version);
      EXPECT_TRUE(got.has_value());
      if (!got) co_return;
      id = got->message.member_id;
      error = got->message.error_code;
      generation = got->message.generation_id;
      leader = got->message.leader;
      members = got->message.members.size();
      if (error != number(ErrorCode::member_id_required)) co_return;
    }
  }

  Task<std::string> sync(const std::vector<std::string>& ids = {}) {
    std::vector<SyncGroupRequest::SyncGroupRequestAssignment> rows;
    for (const std::string& member : ids) {
      rows.push_back({.member_id = member, .assignment = as_bytes(member)});
    }
    SyncGroupRequest request;
    request.group_id = "billing";
    request.generation_id = generation;
    request.member_id = id;
    request.protocol_type = "consumer";
    request.protocol_name = "range";
    request.assignments = {rows.data(), static_cast<std::int32_t>(rows.size())};
    const auto got = co_await client.call<SyncGroupResponse>(request, 5);
    EXPECT_TRUE(got.has_value());
    if (!got) co_return "";
    error = got->message.error_code;
    co_return std::string(as_text(got->message.assignment));
  }

  Task<int> heartbeat() {
    HeartbeatRequest request;
    request.group_id = "billing";
    request.generation_id = generation;
    request.member_id = id;
    const auto got = co_await client.call<HeartbeatResponse>(request, 4);
    co_return got ? got->message.error_code : -2;
  }

  Task<int> leave() {
    LeaveGroupRequest::MemberIdentity identity{.member_id = id};
    LeaveGroupRequest request;
    request.group_id = "billing";
    request.members = {&identity, 1};
    const auto got = co_await client.call<LeaveGroupResponse>(request, 5);
    EXPECT_TRUE(got && got->message.members.size() == 1);
    co_return got ? got->message.members[0].error_code : -2;
  }

  MockMachine& machine;
  RawClient client;
  std::string id;
  std::string leader;
  int error = 0;
  std::int32_t generation = -1;
  std::size_t members = 0;
};

TEST(MockGroups, two_members_share_what_their_leader_assigns) {
  MockMachine machine({.initial_rebalance_delay = 100ms});
  Member first(machine);
  Member second(machine);
  machine.run([&]() -> Task<void> {
    EXPECT_TRUE(co_await first.client.connect(machine.address()));
    EXPECT_TRUE(co_await second.client.connect(machine.address()));
    TaskGroup joining;
    joining.start(first.join());
    joining.start(second.join());
    co_await joining.wait();
    EXPECT_EQ(first.error, none);
    EXPECT_EQ(first.generation, 1);
    EXPECT_EQ(second.generation, 1);
    EXPECT_EQ(first.leader, second.leader);
    Member& leader = first.leader == first.id ? first : second;
    Member& other = &leader == &first ? second : first;
    EXPECT_EQ(leader.members, 2u);
    EXPECT_EQ(other.members, 0u);
    std::string assigned_to_other;
    const auto follow = [&]() -> Task<void> { assigned_to_other = co_await other.sync(); };
    joining.start(follow());
    EXPECT_EQ(co_await leader.sync({leader.id, other.id}), leader.id);
    co_await joining.wait();
    EXPECT_EQ(assigned_to_other, other.id);
    EXPECT_EQ(co_await leader.heartbeat(), none);
    EXPECT_EQ(co_await other.leave(), none);
    EXPECT_EQ(co_await leader.heartbeat(), number(ErrorCode::rebalance_in_progress));
    first.client.close();
    second.client.close();
  }());
}

TEST(MockGroups, forget_a_member_that_sends_no_heartbeats) {
  MockMachine machine;
  Member member(machine);
  machine.run([&]() -> Task<void> {
    EXPECT_TRUE(co_await member.client.connect(machine.address()));
    co_await member.join();
    co_await member.sync({member.id});
    EXPECT_EQ(co_await member.heartbeat(), none);
    co_await sleep_until(machine.executor, machine.now() + 11s);
    EXPECT_EQ(co_await member.heartbeat(), number(ErrorCode::unknown_member_id));
    member.client.close();
  }());
}

TEST(MockGroups, old_versions_join_without_an_id_of_the_broker) {
  MockMachine machine;
  for (std::int16_t version = 0; version <= 9; ++version) {
    SCOPED_TRACE(version);
    Member member(machine);
    machine.run([&]() -> Task<void> {
      EXPECT_TRUE(co_await member.client.connect(machine.address()));
      co_await member.join(version);
      EXPECT_EQ(member.error, none);
      co_await member.sync({member.id});
      EXPECT_EQ(member.error, none);
      EXPECT_EQ(co_await member.leave(), none);
      member.client.close();
    }());
  }
}

TEST(MockGroups, only_the_coordinator_answers_for_a_group) {
  MockMachine machine({.brokers = 2});
  machine.cluster->set_coordinator("billing", BrokerId(2));
  Member lost(machine);
  Member right(machine);
  machine.run([&]() -> Task<void> {
    EXPECT_TRUE(co_await lost.client.connect(machine.address(1)));
    co_await lost.join();
    EXPECT_EQ(lost.error, number(ErrorCode::not_coordinator));
    EXPECT_TRUE(co_await right.client.connect(machine.address(2)));
    co_await right.join();
    EXPECT_EQ(right.error, none);
    lost.client.close();
    right.client.close();
  }());
}

TEST(MockGroups, are_listed_and_described_and_deleted_when_empty) {
  MockMachine machine;
  Member member(machine);
  machine.run([&]() -> Task<void> {
    RawClient client(machine.network, machine.pool);
    EXPECT_TRUE(co_await client.connect(machine.address()));
    EXPECT_TRUE(co_await member.client.connect(machine.address()));
    co_await member.join();
    co_await member.sync({member.id});
    const auto listed = co_await client.call<ListGroupsResponse>(ListGroupsRequest{}, 5);
    EXPECT_TRUE(listed && listed->message.groups.size() == 1);
    EXPECT_EQ(listed->message.groups[0].group_state, "Stable");
    const std::array<protocol::String, 2> names{"billing", "nothing"};
    DescribeGroupsRequest describe;
    describe.groups = std::span<const protocol::String>(names);
    const auto told = co_await client.call<DescribeGroupsResponse>(describe, 6);
    EXPECT_TRUE(told && told->message.groups.size() == 2);
    EXPECT_EQ(told->message.groups[0].members.size(), 1u);
    EXPECT_EQ(told->message.groups[0].members[0].client_id, "raw");
    EXPECT_EQ(told->message.groups[1].error_code, number(ErrorCode::group_id_not_found));
    protocol::DeleteGroupsRequest deletion;
    deletion.groups_names = std::span<const protocol::String>(names);
    const auto busy = co_await client.call<protocol::DeleteGroupsResponse>(deletion, 2);
    EXPECT_TRUE(busy && busy->message.results.size() == 2);
    EXPECT_EQ(busy->message.results[0].error_code, number(ErrorCode::non_empty_group));
    EXPECT_EQ(co_await member.leave(), none);
    const auto done = co_await client.call<protocol::DeleteGroupsResponse>(deletion, 2);
    EXPECT_TRUE(done && done->message.results.size() == 2);
    EXPECT_EQ(done->message.results[0].error_code, none);
    EXPECT_EQ(done->message.results[1].error_code, number(ErrorCode::group_id_not_found));
    client.close();
    member.client.close();
  }());
}

TEST(MockGroups, a_broker_that_dies_leaves_nobody_waiting) {
  MockMachine machine({.initial_rebalance_delay = 10s});
  Member member(machine);
  machine.run([&]() -> Task<void> {
    EXPECT_TRUE(co_await member.client.connect(machine.address()));
    JoinGroupRequest::JoinGroupRequestProtocol way{.name = "range", .metadata = as_bytes("meta")};
    JoinGroupRequest request;
    request.group_id = "billing";
    request.session_timeout_ms = 10'000;
    request.protocol_type = "consumer";
    request.protocols = {&way, 1};
    EXPECT_TRUE(co_await member.client.send(request, 2));
    co_await sleep_until(machine.executor, machine.now() + 1s);
    EXPECT_TRUE(machine.cluster->kill(BrokerId(1)));
    EXPECT_FALSE(co_await member.client.receive());
    member.client.close();
  }());
  EXPECT_EQ(machine.cluster->connection_count(), 0u);
}

}  // namespace
}  // namespace millrace::mock
