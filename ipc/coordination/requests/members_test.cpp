// JoinGroup, SyncGroup, Heartbeat and LeaveGroup in every version.
// Also proves reading.cpp.
#include <gtest/gtest.h>

// This one imports a module: it comes after all that includes standard headers.
#include "test_support.hpp"

namespace millrace::coordination {
namespace {

TEST(GroupCall, join_group_in_all_versions) {
  for_each_version<protocol::JoinGroupRequest>([](std::int16_t v) {
    protocol::JoinGroupRequest in;
    in.group_id = "g";
    in.session_timeout_ms = 10'000;
    if (v >= 1) in.rebalance_timeout_ms = 60'000;
    in.member_id = "m";
    if (v >= 5) in.group_instance_id = "i";
    in.protocol_type = "consumer";
    protocol::JoinGroupRequest::JoinGroupRequestProtocol range{"range", as_bytes("topics")};
    in.protocols = {&range, 1};
    const GroupCall call = call_of(in, v);
    ASSERT_EQ(call.questions().size(), 1u);
    EXPECT_EQ(call.questions()[0].group, "g");
    const auto& asked = std::get<groups::JoinRequest>(call.questions()[0].request);
    EXPECT_EQ(asked.member_id, "m");
    EXPECT_EQ(asked.client_id, "app");
    EXPECT_EQ(asked.client_host, "/1.2.3.4");
    EXPECT_EQ(asked.instance_id.has_value(), v >= 5);
    EXPECT_EQ(asked.session_timeout.count(), 10'000);
    EXPECT_EQ(asked.rebalance_timeout.count(), v >= 1 ? 60'000 : 10'000);
    EXPECT_EQ(asked.member_id_required, v >= 4);
    EXPECT_EQ(asked.may_skip_assignment, v >= 9);
    EXPECT_EQ(asked.protocols.size(), 1u);

    groups::JoinReply reply;
    reply.generation = groups::Generation(3);
    reply.protocol_type = "consumer";
    reply.protocol_name = "range";
    reply.leader = "m";
    reply.member_id = "m";
    reply.members = {{"m", "i", bytes_of("topics")}};
    const auto out = answered<protocol::JoinGroupResponse>(call, {reply}, v);
    EXPECT_EQ(out.message.error_code, 0);
    EXPECT_EQ(out.message.generation_id, 3);
    EXPECT_EQ(out.message.protocol_name, "range");
    ASSERT_EQ(out.message.members.size(), 1u);
    EXPECT_EQ(as_text(out.message.members[0].metadata), "topics");

    const auto error = refused<protocol::JoinGroupResponse>(call, v);
    EXPECT_EQ(error.message.error_code, unavailable);
    EXPECT_EQ(error.message.generation_id, -1);
    EXPECT_EQ(error.message.protocol_name.data() == nullptr, v >= 7);
    EXPECT_EQ(error.message.member_id, "");
  });
}

TEST(GroupCall, sync_group_in_all_versions) {
  for_each_version<protocol::SyncGroupRequest>([](std::int16_t v) {
    protocol::SyncGroupRequest in;
    in.group_id = "g";
    in.generation_id = 4;
    in.member_id = "m";
    if (v >= 5) {
      in.protocol_type = "consumer";
      in.protocol_name = "range";
    }
    protocol::SyncGroupRequest::SyncGroupRequestAssignment one{"m", as_bytes("mine")};
    in.assignments = {&one, 1};
    const GroupCall call = call_of(in, v);
    ASSERT_EQ(call.questions().size(), 1u);
    const auto& asked = std::get<groups::SyncRequest>(call.questions()[0].request);
    EXPECT_EQ(asked.generation, groups::Generation(4));
    EXPECT_EQ(asked.protocol_type.has_value(), v >= 5);
    EXPECT_EQ(asked.assignments.size(), 1u);
    const auto out = answered<protocol::SyncGroupResponse>(
        call, {groups::SyncReply{ErrorCode::none, "consumer", "range", bytes_of("mine")}}, v);
    EXPECT_EQ(as_text(out.message.assignment), "mine");
    EXPECT_EQ(out.message.protocol_name.data() == nullptr, v < 5);
    EXPECT_EQ(refused<protocol::SyncGroupResponse>(call, v).message.error_code, unavailable);
  });
}

TEST(GroupCall, sync_group_must_name_its_protocol_from_version_5_on) {
  protocol::SyncGroupRequest in;
  in.group_id = "g";
  const GroupCall call = call_of(in, 5);
  EXPECT_TRUE(call.questions().empty());
  EXPECT_EQ(answered<protocol::SyncGroupResponse>(call, {}, 5).message.error_code,
            number_of(ErrorCode::inconsistent_group_protocol));
  EXPECT_EQ(call_of(in, 4).questions().size(), 1u);
}

TEST(GroupCall, heartbeat_in_all_versions) {
  for_each_version<protocol::HeartbeatRequest>([](std::int16_t v) {
    protocol::HeartbeatRequest in;
    in.group_id = "g";
    in.generation_id = 4;
    in.member_id = "m";
    if (v >= 3) in.group_instance_id = "i";
    const GroupCall call = call_of(in, v);
    const auto& asked = std::get<groups::HeartbeatRequest>(call.questions().at(0).request);
    EXPECT_EQ(asked.instance_id.has_value(), v >= 3);
    const auto out = answered<protocol::HeartbeatResponse>(
        call, {groups::HeartbeatReply{ErrorCode::rebalance_in_progress}}, v);
    EXPECT_EQ(out.message.error_code, number_of(ErrorCode::rebalance_in_progress));
    EXPECT_EQ(refused<protocol::HeartbeatResponse>(call, v).message.error_code, unavailable);
  });
}

TEST(GroupCall, leave_group_in_all_versions) {
  for_each_version<protocol::LeaveGroupRequest>([](std::int16_t v) {
    protocol::LeaveGroupRequest in;
    in.group_id = "g";
    const protocol::LeaveGroupRequest::MemberIdentity members[] = {
        {"a", protocol::null_string, protocol::null_string}, {"", "i", protocol::null_string}};
    if (v < 3) {
      in.member_id = "a";
    } else {
      in.members = std::span<const protocol::LeaveGroupRequest::MemberIdentity>(members);
    }
    const GroupCall call = call_of(in, v);
    const auto& asked = std::get<groups::LeaveRequest>(call.questions().at(0).request);
    ASSERT_EQ(asked.members.size(), v < 3 ? 1u : 2u);
    EXPECT_EQ(asked.members[0].member_id, "a");
    groups::LeaveReply reply;
    reply.members = {{"a", {}, ErrorCode::unknown_member_id}};
    if (v >= 3) reply.members.push_back({"", "i", ErrorCode::none});
    const auto out = answered<protocol::LeaveGroupResponse>(call, {reply}, v);
    if (v < 3) {
      EXPECT_EQ(out.message.error_code, number_of(ErrorCode::unknown_member_id));
    } else {
      EXPECT_EQ(out.message.error_code, 0);
      ASSERT_EQ(out.message.members.size(), 2u);
      EXPECT_EQ(out.message.members[0].error_code, number_of(ErrorCode::unknown_member_id));
      EXPECT_EQ(out.message.members[1].group_instance_id, "i");
    }
    EXPECT_EQ(refused<protocol::LeaveGroupResponse>(call, v).message.error_code, unavailable);
  });
}

}  // namespace
}  // namespace millrace::coordination
