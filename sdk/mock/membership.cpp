// Groups: who is in them, and who may know what of them.
module;
#include <algorithm>
#include <cctype>
#include <chrono>
#include <coroutine>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

module millrace.mock;

import millrace.base;
import millrace.groups;
import millrace.protocol.api;
import millrace.protocol.groups;
import millrace.protocol.wire;
import millrace.runtime;
import :asked;
import :faults;
import :group_desk;
import :group_words;
import :handlers;
import :planted_group;
import :state;

namespace millrace::mock {
namespace {

using groups::Milliseconds;
using ListedRow = protocol::ListGroupsResponse::ListedGroup;

constexpr std::int16_t rebalance_timeout_from = 1;
constexpr std::int16_t several_leave_from = 3;
constexpr std::int16_t id_required_from = 4;
constexpr std::int16_t protocol_required_from = 5;
constexpr std::int16_t unknown_group_is_error_from = 6;
constexpr std::int16_t null_protocol_from = 7;
constexpr std::int16_t skip_assignment_from = 9;

groups::JoinRequest read_join(const protocol::JoinGroupRequest& in, Asked& asked) {
  groups::JoinRequest out;
  out.group = in.group_id;
  out.member_id = in.member_id;
  out.instance_id = owned(in.group_instance_id);
  out.client_id = std::string(asked.request.client_id);
  out.client_host = asked.client_host;
  out.session_timeout = Milliseconds(in.session_timeout_ms);
  out.rebalance_timeout = Milliseconds(
      asked.version() < rebalance_timeout_from ? in.session_timeout_ms : in.rebalance_timeout_ms);
  out.protocol_type = in.protocol_type;
  for (const auto& way : in.protocols) {
    out.protocols.push_back({std::string(way.name), owned(way.metadata)});
  }
  out.member_id_required = asked.version() >= id_required_from;
  out.may_skip_assignment = asked.version() >= skip_assignment_from;
  out.random = asked.state.new_id();
  return out;
}

std::string_view type_of(GroupKind kind) {
  switch (kind) {
    case GroupKind::consumer:
      return "consumer";
    case GroupKind::share:
      return "share";
    case GroupKind::streams:
      return "streams";
  }
  return "";
}

bool equal_but_for_case(std::string_view one, std::string_view other) {
  return std::ranges::equal(one, other, [](unsigned char a, unsigned char b) {
    return std::tolower(a) == std::tolower(b);
  });
}

// Of the broker, as far as the filters of the request want them.
void add_planted_groups(const protocol::ListGroupsRequest& message, std::vector<ListedRow>& rows,
                        Asked& asked) {
  const auto wants = [](const auto& filter, std::string_view value) {
    return filter.empty() || std::ranges::any_of(filter, [&](std::string_view wanted) {
             return equal_but_for_case(wanted, value);
           });
  };
  for (const auto& [id, group] : asked.state.administration.groups) {
    if (asked.state.coordinator_of(id) != asked.broker) continue;
    const std::string_view type = type_of(group.kind);
    if (!wants(message.states_filter, group.state) || !wants(message.types_filter, type)) continue;
    rows.push_back(
        {.group_id = id, .protocol_type = type, .group_state = group.state, .group_type = type});
  }
}

}  // namespace

Task<Answer> join_group(Asked& asked) {
  protocol::JoinGroupRequest message;
  if (!read(message, asked)) co_return Answer{};
  const auto replied =
      co_await ask<groups::JoinReply>(asked, message.group_id, read_join(message, asked));
  if (!replied) co_return Answer{};
  protocol::JoinGroupResponse out;
  out.error_code = number_of(replied->error);
  out.generation_id = replied->generation.value();
  out.protocol_type = viewed(replied->protocol_type);
  out.protocol_name = viewed(replied->protocol_name);
  if (asked.version() < null_protocol_from && !replied->protocol_name) {
    out.protocol_name = protocol::empty_string;
  }
  out.leader = replied->leader;
  // An older client starts as the others do: with the leader's assignment.
  out.skip_assignment = asked.version() >= skip_assignment_from && replied->skip_assignment;
  out.member_id = replied->member_id;
  std::vector<protocol::JoinGroupResponse::JoinGroupResponseMember> members;
  for (const groups::JoinedMember& member : replied->members) {
    members.push_back({.member_id = member.member_id,
                       .group_instance_id = viewed(member.instance_id),
                       .metadata = viewed(member.metadata)});
  }
  out.members = keep(members, asked);
  co_return answer(asked, out);
}

Task<Answer> sync_group(Asked& asked) {
  protocol::SyncGroupRequest message;
  if (!read(message, asked)) co_return Answer{};
  const bool lacks_protocol =
      asked.version() >= protocol_required_from &&
      (message.protocol_type.data() == nullptr || message.protocol_name.data() == nullptr);
  if (lacks_protocol && asked.planted == ErrorCode::none) {
    asked.planted = ErrorCode::inconsistent_group_protocol;
  }
  groups::SyncRequest request;
  request.group = message.group_id;
  request.generation = groups::Generation(message.generation_id);
  request.member_id = message.member_id;
  request.instance_id = owned(message.group_instance_id);
  request.protocol_type = owned(message.protocol_type);
  request.protocol_name = owned(message.protocol_name);
  for (const auto& in : message.assignments) {
    request.assignments.push_back({std::string(in.member_id), owned(in.assignment)});
  }
  const auto replied = co_await ask<groups::SyncReply>(asked, message.group_id, std::move(request));
  if (!replied) co_return Answer{};
  protocol::SyncGroupResponse out;
  out.error_code = number_of(replied->error);
  out.protocol_type = viewed(replied->protocol_type);
  out.protocol_name = viewed(replied->protocol_name);
  out.assignment = viewed(replied->assignment);
  co_return answer(asked, out);
}

Task<Answer> heartbeat(Asked& asked) {
  protocol::HeartbeatRequest message;
  if (!read(message, asked)) co_return Answer{};
  const auto replied = co_await ask<groups::HeartbeatReply>(
      asked, message.group_id,
      groups::HeartbeatRequest{std::string(message.group_id),
                               groups::Generation(message.generation_id),
                               std::string(message.member_id), owned(message.group_instance_id)});
  if (!replied) co_return Answer{};
  protocol::HeartbeatResponse out;
  out.error_code = number_of(replied->error);
  co_return answer(asked, out);
}

Task<Answer> leave_group(Asked& asked) {
  protocol::LeaveGroupRequest message;
  if (!read(message, asked)) co_return Answer{};
  groups::LeaveRequest request;
  request.group = message.group_id;
  if (asked.version() < several_leave_from) {
    request.members.push_back({std::string(message.member_id), std::nullopt});
  }
  for (const auto& in : message.members) {
    request.members.push_back({std::string(in.member_id), owned(in.group_instance_id)});
  }
  const auto replied =
      co_await ask<groups::LeaveReply>(asked, message.group_id, std::move(request));
  if (!replied) co_return Answer{};
  protocol::LeaveGroupResponse out;
  out.error_code = number_of(replied->error);
  std::vector<protocol::LeaveGroupResponse::MemberResponse> members;
  for (const groups::LeftMember& member : replied->members) {
    members.push_back({.member_id = member.member_id,
                       .group_instance_id = viewed(member.instance_id),
                       .error_code = number_of(member.error)});
  }
  if (asked.version() >= several_leave_from) {
    out.members = keep(members, asked);
  } else if (!members.empty() && out.error_code == number_of(ErrorCode::none)) {
    // The one member that could be named.
    out.error_code = members.front().error_code;
  }
  co_return answer(asked, out);
}

Task<Answer> describe_groups(Asked& asked) {
  protocol::DescribeGroupsRequest message;
  if (!read(message, asked)) co_return Answer{};
  using Described = protocol::DescribeGroupsResponse::DescribedGroup;
  std::vector<Described> rows;
  std::vector<groups::DescribeReply> replies;
  replies.reserve(message.groups.size());
  for (const protocol::String group : message.groups) {
    auto replied = co_await ask<groups::DescribeReply>(
        asked, group,
        groups::DescribeRequest{{std::string(group)},
                                asked.version() >= unknown_group_is_error_from});
    if (!replied) co_return Answer{};
    const groups::DescribeReply& reply = replies.emplace_back(*std::move(replied));
    Described& row = rows.emplace_back();
    row.group_id = group;
    row.error_code = number_of(reply.error);
    if (reply.error != ErrorCode::none || reply.groups.empty()) continue;
    const groups::DescribedGroup& told = reply.groups.front();
    row.error_code = number_of(told.error);
    row.error_message = viewed(told.error_message);
    row.group_state = name_of(told.state);
    row.protocol_type = told.protocol_type;
    row.protocol_data = told.protocol_name;
    std::vector<protocol::DescribeGroupsResponse::DescribedGroupMember> members;
    for (const groups::DescribedMember& member : told.members) {
      members.push_back({.member_id = member.member_id,
                         .group_instance_id = viewed(member.instance_id),
                         .client_id = member.client_id,
                         .client_host = member.client_host,
                         .member_metadata = viewed(member.metadata),
                         .member_assignment = viewed(member.assignment)});
    }
    row.members = keep(members, asked);
  }
  protocol::DescribeGroupsResponse out;
  out.groups = keep(rows, asked);
  co_return answer(asked, out);
}

Task<Answer> list_groups(Asked& asked) {
  protocol::ListGroupsRequest message;
  if (!read(message, asked)) co_return Answer{};
  groups::ListRequest request;
  for (const protocol::String state : message.states_filter) request.states.emplace_back(state);
  for (const protocol::String type : message.types_filter) request.types.emplace_back(type);
  const auto replied = co_await ask_anywhere<groups::ListReply>(asked, std::move(request));
  if (!replied) co_return Answer{};
  protocol::ListGroupsResponse out;
  out.error_code = number_of(replied->error);
  std::vector<ListedRow> rows;
  for (const groups::ListedGroup& group : replied->groups) {
    // A broker lists those that it coordinates.
    if (asked.state.coordinator_of(group.group) != asked.broker) continue;
    rows.push_back({.group_id = group.group,
                    .protocol_type = group.protocol_type,
                    .group_state = name_of(group.state),
                    .group_type = group.type});
  }
  add_planted_groups(message, rows, asked);
  out.groups = keep(rows, asked);
  co_return answer(asked, out);
}

Task<Answer> delete_groups(Asked& asked) {
  protocol::DeleteGroupsRequest message;
  if (!read(message, asked)) co_return Answer{};
  std::vector<protocol::DeleteGroupsResponse::DeletableGroupResult> rows;
  for (const protocol::String group : message.groups_names) {
    const auto replied = co_await ask<groups::DeleteReply>(
        asked, group, groups::DeleteRequest{{std::string(group)}});
    if (!replied) co_return Answer{};
    const bool told = replied->error == ErrorCode::none && !replied->groups.empty();
    rows.push_back(
        {.group_id = group,
         .error_code = number_of(told ? replied->groups.front().error : replied->error)});
  }
  protocol::DeleteGroupsResponse out;
  out.results = keep(rows, asked);
  co_return answer(asked, out);
}

}  // namespace millrace::mock
