// Every group API in every version: what is asked, and what the answer says.
// Also proves reading.cpp, answering.cpp.
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

import millrace.base;
import millrace.groups;
import millrace.ipc.coordination;
import millrace.ipc.coordination.requests;
import millrace.protocol.api;
import millrace.protocol.groups;
import millrace.protocol.wire;
import millrace.runtime;

namespace millrace::coordination {
namespace {

using protocol::ApiKey;
using protocol::ErrorCode;

Uuid id_of(std::uint8_t number) {
  Uuid id;
  id.bytes[0] = std::byte{number};
  return id;
}

const std::vector<KnownTopic> known{{"orders", id_of(1), 4}, {"bills", id_of(2), 1}};

std::int16_t number_of(ErrorCode error) {
  return static_cast<std::int16_t>(error);
}

OwnedBytes bytes_of(std::string_view text) {
  const ByteView view = as_bytes(text);
  return {view.begin(), view.end()};
}

template <class Message>
OwnedBytes encoded(const Message& message, std::int16_t version) {
  const auto size = measure(message, version);
  EXPECT_TRUE(size.has_value()) << Message::message_name << " " << version;
  if (!size) return {};
  OwnedBytes body(size->inline_bytes);
  protocol::Writer writer(body, {});
  write(message, version, writer);
  return body;
}

template <class Message>
GroupCall call_of(const Message& message, std::int16_t version) {
  auto call = GroupCall::decode(Message::api_key, version, encoded(message, version),
                                {"app", "/1.2.3.4"}, ListedTopics(known));
  check(call.has_value(), "a test's request can be read");
  return *std::move(call);
}

// An answer and the bytes that it looks into.
template <class Message>
struct Decoded {
  OwnedBytes body;
  std::unique_ptr<protocol::Arena> arena = std::make_unique<protocol::Arena>(mebibyte);
  Message message;
};

template <class Message>
Decoded<Message> decoded(Result<OwnedBytes> body, std::int16_t version) {
  Decoded<Message> out;
  EXPECT_TRUE(body.has_value()) << body.error().message;
  if (!body) return out;
  out.body = *std::move(body);
  const auto read = decode(out.message, out.body, version, *out.arena);
  EXPECT_TRUE(read.has_value() && *read == out.body.size())
      << Message::message_name << " " << version;
  return out;
}

template <class Response>
Decoded<Response> answered(const GroupCall& call, std::vector<groups::Reply> replies,
                           std::int16_t version) {
  return decoded<Response>(call.answer(replies, ListedTopics(known)), version);
}

template <class Response>
Decoded<Response> refused(const GroupCall& call, std::int16_t version) {
  return decoded<Response>(call.refuse(ErrorCode::coordinator_not_available), version);
}

template <class Message, class Use>
void for_each_version(Use use) {
  for (std::int16_t v = Message::version_min; v <= Message::version_max; ++v) {
    SCOPED_TRACE(std::string(Message::message_name) + " " + std::to_string(v));
    use(v);
  }
}

const std::int16_t unavailable = number_of(ErrorCode::coordinator_not_available);

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

TEST(GroupCall, offset_commit_in_all_versions) {
  for_each_version<protocol::OffsetCommitRequest>([](std::int16_t v) {
    using Request = protocol::OffsetCommitRequest;
    const bool ids = v >= first_version_with_topic_ids;
    // Of the first topic a partition too many, and a topic that does not exist.
    Request::OffsetCommitRequestPartition partitions[3];
    partitions[0].partition_index = 3;
    partitions[0].committed_offset = 42;
    partitions[0].committed_metadata = "m";
    partitions[1].partition_index = 4;
    partitions[2].partition_index = 0;
    partitions[2].committed_offset = 43;
    partitions[2].committed_metadata = protocol::null_string;
    Request::OffsetCommitRequestTopic topics[2];
    topics[0].partitions = std::span<const Request::OffsetCommitRequestPartition>(partitions);
    topics[1].partitions = {&partitions[0], 1};
    if (ids) {
      topics[0].topic_id = id_of(1);
      topics[1].topic_id = id_of(9);
    } else {
      topics[0].name = "orders";
      topics[1].name = "nothing";
    }
    Request in;
    in.group_id = "g";
    in.generation_id_or_member_epoch = 3;
    in.member_id = "m";
    if (v >= 2 && v <= 4) in.retention_time_ms = 5'000;
    in.topics = std::span<const Request::OffsetCommitRequestTopic>(topics);
    const GroupCall call = call_of(in, v);
    ASSERT_EQ(call.questions().size(), 1u);
    const auto& asked = std::get<groups::CommitRequest>(call.questions()[0].request);
    EXPECT_EQ(asked.generation, groups::Generation(3));
    EXPECT_EQ(asked.retention.has_value(), v <= 4);
    EXPECT_EQ(asked.may_lack_group, v >= 9);
    ASSERT_EQ(asked.topics.size(), 1u);
    EXPECT_EQ(asked.topics[0].name, "orders");
    EXPECT_EQ(asked.topics[0].topic_id, ids ? id_of(1) : Uuid{});
    ASSERT_EQ(asked.topics[0].partitions.size(), 2u);
    EXPECT_EQ(asked.topics[0].partitions[1].offset, Offset(43));
    EXPECT_EQ(asked.topics[0].partitions[1].metadata, "");

    groups::CommitReply reply;
    reply.topics = {{"orders",
                     {},
                     {{PartitionIndex(3), ErrorCode::none},
                      {PartitionIndex(0), ErrorCode::offset_metadata_too_large}}}};
    const auto out = answered<protocol::OffsetCommitResponse>(call, {reply}, v);
    ASSERT_EQ(out.message.topics.size(), 2u);
    const auto& first = out.message.topics[0];
    EXPECT_EQ(first.topic_id, ids ? id_of(1) : Uuid{});
    if (!ids) EXPECT_EQ(first.name, "orders");
    ASSERT_EQ(first.partitions.size(), 3u);
    EXPECT_EQ(first.partitions[0].error_code, 0);
    EXPECT_EQ(first.partitions[1].error_code, number_of(ErrorCode::unknown_topic_or_partition));
    EXPECT_EQ(first.partitions[2].error_code, number_of(ErrorCode::offset_metadata_too_large));
    EXPECT_EQ(out.message.topics[1].partitions[0].error_code,
              number_of(ids ? ErrorCode::unknown_topic_id : ErrorCode::unknown_topic_or_partition));

    const auto error = refused<protocol::OffsetCommitResponse>(call, v);
    EXPECT_EQ(error.message.topics[0].partitions[0].error_code, unavailable);
    EXPECT_EQ(error.message.topics[0].partitions[2].error_code, unavailable);
  });
}

TEST(GroupCall, a_commit_of_nothing_that_exists_asks_nothing) {
  protocol::OffsetCommitRequest in;
  in.group_id = "g";
  EXPECT_TRUE(call_of(in, 8).questions().empty());
  EXPECT_TRUE(
      answered<protocol::OffsetCommitResponse>(call_of(in, 8), {}, 8).message.topics.empty());
}

groups::FetchReply fetched_orders() {
  groups::FetchReply reply;
  reply.topics = {{"orders",
                   id_of(1),
                   {{PartitionIndex(0), Offset(42), LeaderEpoch(7), "m", ErrorCode::none},
                    {PartitionIndex(1), no_offset, no_leader_epoch, "", ErrorCode::none}}}};
  return reply;
}

TEST(GroupCall, offset_fetch_of_one_group_in_versions_1_to_7) {
  for (std::int16_t v = 1; v <= 7; ++v) {
    SCOPED_TRACE(v);
    const std::int32_t partitions[] = {0, 1};
    protocol::OffsetFetchRequest::OffsetFetchRequestTopic topic;
    topic.name = "orders";
    topic.partition_indexes = std::span<const std::int32_t>(partitions);
    protocol::OffsetFetchRequest in;
    in.group_id = "g";
    in.topics = {&topic, 1};
    in.require_stable = v >= 7;
    const GroupCall call = call_of(in, v);
    const auto& asked = std::get<groups::FetchRequest>(call.questions().at(0).request);
    EXPECT_EQ(asked.group, "g");
    EXPECT_EQ(asked.require_stable, v >= 7);
    ASSERT_TRUE(asked.topics.has_value());
    const auto out = answered<protocol::OffsetFetchResponse>(call, {fetched_orders()}, v);
    ASSERT_EQ(out.message.topics.size(), 1u);
    ASSERT_EQ(out.message.topics[0].partitions.size(), 2u);
    EXPECT_EQ(out.message.topics[0].partitions[0].committed_offset, 42);
    EXPECT_EQ(out.message.topics[0].partitions[0].committed_leader_epoch, v >= 5 ? 7 : -1);
    EXPECT_EQ(out.message.topics[0].partitions[1].committed_offset, -1);
    const auto error = refused<protocol::OffsetFetchResponse>(call, v);
    if (v == 1) {
      ASSERT_EQ(error.message.topics.size(), 1u);
      EXPECT_EQ(error.message.topics[0].partitions[1].error_code, unavailable);
      EXPECT_EQ(error.message.topics[0].partitions[1].committed_offset, -1);
    } else {
      EXPECT_EQ(error.message.error_code, unavailable);
      EXPECT_TRUE(error.message.topics.empty());
    }
  }
}

TEST(GroupCall, offset_fetch_of_several_groups_from_version_8_on) {
  for (std::int16_t v = 8; v <= 10; ++v) {
    SCOPED_TRACE(v);
    const bool ids = v >= first_version_with_topic_ids;
    using Request = protocol::OffsetFetchRequest;
    const std::int32_t partitions[] = {0, 1};
    Request::OffsetFetchRequestTopics topics[2];
    for (auto& topic : topics) topic.partition_indexes = std::span<const std::int32_t>(partitions);
    if (ids) {
      topics[0].topic_id = id_of(9);  // not known
      topics[1].topic_id = id_of(1);
    } else {
      topics[0].name = "nothing";
      topics[1].name = "orders";
    }
    Request::OffsetFetchRequestGroup wanted[2];
    wanted[0].group_id = "g";
    wanted[0].topics = std::span<const Request::OffsetFetchRequestTopics>(topics);
    wanted[1].group_id = "h";
    wanted[1].topics = decltype(wanted[1].topics)::null();
    Request in;
    in.groups = std::span<const Request::OffsetFetchRequestGroup>(wanted);
    const GroupCall call = call_of(in, v);
    EXPECT_EQ(call.wants_all_topics(), ids);
    ASSERT_EQ(call.questions().size(), 2u);
    const auto& asked = std::get<groups::FetchRequest>(call.questions()[0].request);
    EXPECT_EQ(asked.topics->size(), ids ? 1u : 2u);
    EXPECT_FALSE(std::get<groups::FetchRequest>(call.questions()[1].request).topics.has_value());

    groups::FetchReply first = fetched_orders();
    if (!ids) {
      groups::FetchedTopic nothing{"nothing", {}, first.topics[0].partitions};
      nothing.partitions[0].offset = no_offset;
      first.topics.insert(first.topics.begin(), nothing);
    }
    groups::FetchReply all = fetched_orders();
    all.topics.push_back({"gone", {}, {}});
    const auto out = answered<protocol::OffsetFetchResponse>(call, {first, all}, v);
    ASSERT_EQ(out.message.groups.size(), 2u);
    const auto& g = out.message.groups[0];
    EXPECT_EQ(g.group_id, "g");
    ASSERT_EQ(g.topics.size(), 2u);
    EXPECT_EQ(g.topics[0].partitions[0].error_code,
              ids ? number_of(ErrorCode::unknown_topic_id) : 0);
    EXPECT_EQ(g.topics[0].partitions[0].committed_offset, -1);
    EXPECT_EQ(g.topics[1].partitions[0].committed_offset, 42);
    const auto& h = out.message.groups[1];
    ASSERT_EQ(h.topics.size(), ids ? 1u : 2u) << "a topic without an id cannot be named by one";
    EXPECT_EQ(h.topics[0].topic_id, ids ? id_of(1) : Uuid{});
    EXPECT_EQ(h.topics[0].partitions[0].metadata, "m");

    const auto error = refused<protocol::OffsetFetchResponse>(call, v);
    ASSERT_EQ(error.message.groups.size(), 2u);
    EXPECT_EQ(error.message.groups[1].error_code, unavailable);
    EXPECT_TRUE(error.message.groups[1].topics.empty());
  }
}

TEST(GroupCall, offset_delete) {
  using Request = protocol::OffsetDeleteRequest;
  Request::OffsetDeleteRequestPartition partitions[2];
  partitions[1].partition_index = 1;
  Request::OffsetDeleteRequestTopic topics[2];
  topics[0].name = "bills";  // which has one partition
  topics[1].name = "nothing";
  for (auto& topic : topics) {
    topic.partitions = std::span<const Request::OffsetDeleteRequestPartition>(partitions);
  }
  Request in;
  in.group_id = "g";
  in.topics = std::span<const Request::OffsetDeleteRequestTopic>(topics);
  const GroupCall call = call_of(in, 0);
  const auto& asked = std::get<groups::OffsetDeleteRequest>(call.questions().at(0).request);
  ASSERT_EQ(asked.topics.size(), 1u);
  EXPECT_EQ(asked.topics[0].partitions.size(), 1u);
  groups::OffsetDeleteReply reply;
  reply.topics = {{"bills", {}, {{PartitionIndex(0), ErrorCode::group_subscribed_to_topic}}}};
  const auto out = answered<protocol::OffsetDeleteResponse>(call, {reply}, 0);
  EXPECT_EQ(out.message.error_code, 0);
  ASSERT_EQ(out.message.topics.size(), 2u);
  EXPECT_EQ(out.message.topics[0].partitions[0].error_code,
            number_of(ErrorCode::group_subscribed_to_topic));
  EXPECT_EQ(out.message.topics[0].partitions[1].error_code,
            number_of(ErrorCode::unknown_topic_or_partition));
  EXPECT_EQ(out.message.topics[1].partitions[0].error_code,
            number_of(ErrorCode::unknown_topic_or_partition));
  const auto error = refused<protocol::OffsetDeleteResponse>(call, 0);
  EXPECT_EQ(error.message.error_code, unavailable);
  EXPECT_TRUE(error.message.topics.empty());
}

TEST(GroupCall, describe_groups_in_all_versions) {
  for_each_version<protocol::DescribeGroupsRequest>([](std::int16_t v) {
    const protocol::String names[] = {"g", "h"};
    protocol::DescribeGroupsRequest in;
    in.groups = std::span<const protocol::String>(names);
    if (v >= 3) in.include_authorized_operations = true;
    const GroupCall call = call_of(in, v);
    ASSERT_EQ(call.questions().size(), 2u);
    EXPECT_EQ(call.questions()[1].group, "h");
    EXPECT_EQ(std::get<groups::DescribeRequest>(call.questions()[0].request).unknown_is_error,
              v >= 6);
    groups::DescribedGroup g;
    g.group = "g";
    g.state = groups::GroupState::stable;
    g.protocol_type = "consumer";
    g.protocol_name = "range";
    g.members = {{"m", "i", "app", "/1.2.3.4", bytes_of("meta"), bytes_of("mine")}};
    groups::DescribedGroup h;
    h.group = "h";
    if (v >= 6) {
      h.error = ErrorCode::group_id_not_found;
      h.error_message = "Group h not found.";
    }
    const auto out = answered<protocol::DescribeGroupsResponse>(
        call,
        {groups::DescribeReply{ErrorCode::none, {g}}, groups::DescribeReply{ErrorCode::none, {h}}},
        v);
    ASSERT_EQ(out.message.groups.size(), 2u);
    EXPECT_EQ(out.message.groups[0].group_state, "Stable");
    ASSERT_EQ(out.message.groups[0].members.size(), 1u);
    EXPECT_EQ(as_text(out.message.groups[0].members[0].member_assignment), "mine");
    if (v >= 3) EXPECT_GT(out.message.groups[0].authorized_operations, 0);
    EXPECT_EQ(out.message.groups[1].group_state, "Dead");
    EXPECT_EQ(out.message.groups[1].error_code,
              v >= 6 ? number_of(ErrorCode::group_id_not_found) : 0);
    const auto error = refused<protocol::DescribeGroupsResponse>(call, v);
    ASSERT_EQ(error.message.groups.size(), 2u);
    EXPECT_EQ(error.message.groups[1].group_id, "h");
    EXPECT_EQ(error.message.groups[1].error_code, unavailable);
    EXPECT_EQ(error.message.groups[1].group_state, "");
  });
}

TEST(GroupCall, authorised_operations_are_told_only_where_they_are_asked_for) {
  const protocol::String name = "g";
  protocol::DescribeGroupsRequest in;
  in.groups = {&name, 1};
  const GroupCall call = call_of(in, 5);
  groups::DescribedGroup g;
  g.group = "g";
  const auto out = answered<protocol::DescribeGroupsResponse>(
      call, {groups::DescribeReply{ErrorCode::none, {g}}}, 5);
  EXPECT_EQ(out.message.groups[0].authorized_operations, -2147483648);
}

TEST(GroupCall, list_groups_in_all_versions) {
  for_each_version<protocol::ListGroupsRequest>([](std::int16_t v) {
    const protocol::String state = "Stable";
    const protocol::String type = "classic";
    protocol::ListGroupsRequest in;
    if (v >= 4) in.states_filter = {&state, 1};
    if (v >= 5) in.types_filter = {&type, 1};
    const GroupCall call = call_of(in, v);
    EXPECT_TRUE(call.asks_all_groups());
    const auto& asked = std::get<groups::ListRequest>(call.questions().at(0).request);
    EXPECT_EQ(asked.states.size(), v >= 4 ? 1u : 0u);
    EXPECT_EQ(asked.types.size(), v >= 5 ? 1u : 0u);
    // From three partitions, one of them empty.
    const groups::ListReply one{ErrorCode::none,
                                {{"g", "consumer", groups::GroupState::stable, "classic"}}};
    const groups::ListReply two{ErrorCode::none,
                                {{"h", "consumer", groups::GroupState::empty, "classic"}}};
    const auto out =
        answered<protocol::ListGroupsResponse>(call, {one, groups::ListReply{}, two}, v);
    ASSERT_EQ(out.message.groups.size(), 2u);
    EXPECT_EQ(out.message.groups[1].group_id, "h");
    if (v >= 4) EXPECT_EQ(out.message.groups[1].group_state, "Empty");
    const groups::ListReply loading{ErrorCode::coordinator_load_in_progress, {}};
    const auto partly = answered<protocol::ListGroupsResponse>(call, {one, loading}, v);
    EXPECT_EQ(partly.message.error_code, number_of(ErrorCode::coordinator_load_in_progress));
    EXPECT_TRUE(partly.message.groups.empty()) << "not a part of the truth";
    EXPECT_EQ(refused<protocol::ListGroupsResponse>(call, v).message.error_code, unavailable);
  });
}

TEST(GroupCall, delete_groups_in_all_versions) {
  for_each_version<protocol::DeleteGroupsRequest>([](std::int16_t v) {
    const protocol::String names[] = {"g", "h"};
    protocol::DeleteGroupsRequest in;
    in.groups_names = std::span<const protocol::String>(names);
    const GroupCall call = call_of(in, v);
    ASSERT_EQ(call.questions().size(), 2u);
    const groups::DeleteReply done{ErrorCode::none, {{"g", ErrorCode::none}}};
    const groups::DeleteReply refusal{ErrorCode::not_coordinator, {}};
    const auto out = answered<protocol::DeleteGroupsResponse>(call, {done, refusal}, v);
    ASSERT_EQ(out.message.results.size(), 2u);
    EXPECT_EQ(out.message.results[0].error_code, 0);
    EXPECT_EQ(out.message.results[1].group_id, "h");
    EXPECT_EQ(out.message.results[1].error_code, number_of(ErrorCode::not_coordinator));
  });
}

TEST(GroupCall, damaged_bodies_are_errors_or_calls_that_can_be_refused) {
  Random random(3);
  protocol::JoinGroupRequest join;
  join.group_id = "group";
  join.protocol_type = "consumer";
  protocol::JoinGroupRequest::JoinGroupRequestProtocol range{"range", as_bytes("topics")};
  join.protocols = {&range, 1};
  const OwnedBytes body = encoded(join, 9);
  const ApiKey apis[] = {ApiKey::join_group,      ApiKey::sync_group,    ApiKey::heartbeat,
                         ApiKey::leave_group,     ApiKey::offset_commit, ApiKey::offset_fetch,
                         ApiKey::describe_groups, ApiKey::list_groups,   ApiKey::delete_groups,
                         ApiKey::offset_delete};
  std::uint64_t refusals = 0;
  for (int round = 0; round < 30'000; ++round) {
    OwnedBytes damaged = body;
    for (std::uint64_t i = 0; i < random.below(4); ++i) {
      damaged[random.below(damaged.size())] = static_cast<std::byte>(random.below(256));
    }
    damaged.resize(random.below(damaged.size() + 1));
    const ApiKey api = apis[random.below(std::size(apis))];
    const auto& info = protocol::api_info(api);
    const auto versions = static_cast<std::uint64_t>(info.version_max - info.version_min + 1);
    const auto version =
        static_cast<std::int16_t>(info.version_min + static_cast<int>(random.below(versions)));
    const auto call = GroupCall::decode(api, version, damaged, {}, ListedTopics(known));
    if (!call) continue;
    EXPECT_TRUE(call->refuse(ErrorCode::not_coordinator).has_value());
    ++refusals;
  }
  EXPECT_GT(refusals, 100u);
}

}  // namespace
}  // namespace millrace::coordination
