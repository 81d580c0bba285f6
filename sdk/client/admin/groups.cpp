// Groups and their members.
module;
#include <algorithm>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

module millrace.client.admin;

import millrace.base;
import millrace.client.core;
import millrace.protocol;
import millrace.protocol.framing;
import millrace.runtime;
import :admin_client;
import :rounds;
import :state;
import :types;

namespace millrace::client {
namespace {

using protocol::DeleteGroupsRequest;
using protocol::DescribeGroupsRequest;
using protocol::DescribeGroupsResponse;
using protocol::LeaveGroupRequest;
using protocol::ListGroupsRequest;

constexpr std::int16_t states_from = 4;
constexpr std::int16_t types_from = 5;
constexpr std::int16_t several_leave_from = 3;
constexpr std::size_t assignment_arena_bytes_max = 16 * mebibyte;
constexpr std::string_view consumers = "consumer";
constexpr std::string_view dead = "Dead";

// What was assigned to a member; nothing where it cannot be read: groups may say what they like.
std::vector<TopicPartition> assigned(protocol::Bytes bytes) {
  std::vector<TopicPartition> out;
  protocol::Arena arena(assignment_arena_bytes_max);
  protocol::ConsumerProtocolAssignment assignment;
  if (!protocol::decode_versioned(assignment, bytes, arena,
                                  protocol::NewerVersion::read_as_newest)) {
    return out;
  }
  for (const auto& topic : assignment.assigned_partitions) {
    for (const std::int32_t partition : topic.partitions) {
      out.push_back({std::string(topic.topic), PartitionIndex(partition)});
    }
  }
  return out;
}

DescribedGroup group_of(const DescribeGroupsResponse::DescribedGroup& in, BrokerId broker) {
  DescribedGroup out{.id = std::string(in.group_id),
                     .state = std::string(in.group_state),
                     .protocol_type = std::string(in.protocol_type),
                     .protocol = std::string(in.protocol_data),
                     .coordinator = broker,
                     .members = {}};
  for (const auto& member : in.members) {
    GroupMember& row = out.members.emplace_back();
    row.id = member.member_id;
    row.instance_id = owned(member.group_instance_id);
    row.client_id = member.client_id;
    row.host = member.client_host;
    if (in.protocol_type == consumers) row.assignment = assigned(member.member_assignment);
    row.assignment_bytes = {member.member_assignment.begin(), member.member_assignment.end()};
  }
  return out;
}

std::vector<protocol::String> views_of(const std::vector<std::string>& texts) {
  return {texts.begin(), texts.end()};
}

std::string named(const std::string& group) {
  return formatted("group {}", group);
}

std::string itself(const std::string& group) {
  return group;
}

}  // namespace

Task<ClientResult<ListedGroups>> AdminClient::list_groups(ListGroupsOptions options) {
  const MonotonicTime deadline = state_->deadline_of(options);
  auto cluster = co_await describe_cluster({.timeout = options.timeout});
  if (!cluster) co_return failure(std::move(cluster.error()));
  using Value = std::vector<ListedGroup>;
  using Open = Items<BrokerId, Value>;
  const auto route = [&](Open& items) -> Task<void> {
    co_await state_->to_known_brokers(items, deadline);
    for (auto* const item : items) {
      item->target = item->key;
      if (item->failed_this_round || state_->brokers.knows(item->key)) continue;
      // It went while we asked: what it coordinated is elsewhere now.
      item->settle();
    }
  };
  const auto ask = [&](BrokerId broker, Open& items) -> Task<ClientResult<void>> {
    const auto states = views_of(options.states);
    const auto types = views_of(options.types);
    ListGroupsRequest request;
    request.states_filter = view_of(states);
    request.types_filter = view_of(types);
    CallOptions call{.deadline = deadline};
    if (!states.empty()) call.version_min = states_from;
    if (!types.empty()) call.version_min = types_from;
    auto reply = co_await state_->send(broker, request, call);
    if (!reply) co_return failure(std::move(reply.error()));
    if (code_of(reply->message.error_code) != ErrorCode::none) {
      co_return failure(refused(reply->message.error_code, broker, "the groups of the broker"));
    }
    Value listed;
    for (const auto& group : reply->message.groups) {
      listed.push_back({std::string(group.group_id), std::string(group.protocol_type),
                        std::string(group.group_state), std::string(group.group_type), broker});
    }
    items.front()->settle(std::move(listed));
    co_return ClientResult<void>();
  };
  std::vector<BrokerId> brokers;
  for (const DescribedBroker& broker : cluster->brokers) {
    if (!broker.fenced) brokers.push_back(broker.id);
  }
  ListedGroups out;
  for (auto& [broker, listed] : co_await in_rounds<BrokerId, Value>(
           std::move(brokers), state_->rounds(deadline), route, ask)) {
    if (!listed) {
      out.errors.push_back(std::move(listed.error()));
      continue;
    }
    std::ranges::move(*listed, std::back_inserter(out.groups));
  }
  std::ranges::sort(out.groups, {}, &ListedGroup::id);
  co_return out;
}

Task<Outcomes<std::string, DescribedGroup>> AdminClient::describe_groups(
    std::vector<std::string> groups, AdminOptions options) {
  const MonotonicTime deadline = state_->deadline_of(options);
  using Open = Items<std::string, DescribedGroup>;
  const auto route = [&](Open& items) { return state_->to_coordinators(items, deadline, itself); };
  const auto ask = [&](BrokerId broker, Open& items) -> Task<ClientResult<void>> {
    std::vector<protocol::String> names;
    for (const auto* const item : items) names.emplace_back(item->key);
    DescribeGroupsRequest request;
    request.groups = view_of(names);
    auto reply = co_await state_->send(broker, request, CallOptions{.deadline = deadline});
    if (!reply) co_return failure(std::move(reply.error()));
    for (auto* const item : items) {
      const auto& rows = reply->message.groups;
      const auto row =
          std::ranges::find(rows, item->key, &DescribeGroupsResponse::DescribedGroup::group_id);
      if (row == rows.end()) {
        item->fail(left_out(broker, named(item->key)));
      } else if (code_of(row->error_code) != ErrorCode::none) {
        item->fail(refused(row->error_code, broker, named(item->key), row->error_message));
      } else if (row->group_state == dead && row->members.empty()) {
        // How older brokers say that there is none.
        item->fail(broker_error(ErrorCode::group_id_not_found, broker, named(item->key)));
      } else {
        item->settle(group_of(*row, broker));
      }
    }
    co_return ClientResult<void>();
  };
  co_return co_await in_rounds<std::string, DescribedGroup>(std::move(groups),
                                                            state_->rounds(deadline), route, ask);
}

Task<Outcomes<std::string, void>> AdminClient::delete_groups(std::vector<std::string> groups,
                                                             AdminOptions options) {
  const MonotonicTime deadline = state_->deadline_of(options);
  using Open = Items<std::string, void>;
  const auto route = [&](Open& items) { return state_->to_coordinators(items, deadline, itself); };
  const auto ask = [&](BrokerId broker, Open& items) -> Task<ClientResult<void>> {
    std::vector<protocol::String> names;
    for (const auto* const item : items) names.emplace_back(item->key);
    DeleteGroupsRequest request;
    request.groups_names = view_of(names);
    auto reply = co_await state_->send(broker, request, CallOptions{.deadline = deadline});
    if (!reply) co_return failure(std::move(reply.error()));
    for (auto* const item : items) {
      const auto& rows = reply->message.results;
      const auto row = std::ranges::find(
          rows, item->key, &protocol::DeleteGroupsResponse::DeletableGroupResult::group_id);
      if (row == rows.end()) {
        item->fail(left_out(broker, named(item->key)));
      } else if (code_of(row->error_code) != ErrorCode::none) {
        item->fail(refused(row->error_code, broker, named(item->key)));
      } else {
        item->settle();
      }
    }
    co_return ClientResult<void>();
  };
  co_return co_await in_rounds<std::string, void>(std::move(groups), state_->rounds(deadline),
                                                  route, ask);
}

Task<Outcomes<std::string, void>> AdminClient::remove_members(std::string group,
                                                              std::vector<MemberToRemove> members,
                                                              AdminOptions options) {
  const MonotonicTime deadline = state_->deadline_of(options);
  using Open = Items<std::string, void>;
  const auto of_group = [&](const std::string&) { return group; };
  const auto route = [&](Open& items) {
    return state_->to_coordinators(items, deadline, of_group);
  };
  const auto ask = [&](BrokerId broker, Open& items) -> Task<ClientResult<void>> {
    std::vector<LeaveGroupRequest::MemberIdentity> rows;
    for (const auto* const item : items) {
      const MemberToRemove& member = members[item->place];
      rows.push_back({.member_id = member.member_id,
                      .group_instance_id = member.instance_id
                                               ? protocol::String(*member.instance_id)
                                               : protocol::null_string,
                      .reason = protocol::null_string});
    }
    LeaveGroupRequest request;
    request.group_id = group;
    request.members = view_of(rows);
    auto reply = co_await state_->send(
        broker, request, CallOptions{.deadline = deadline, .version_min = several_leave_from});
    if (!reply) co_return failure(std::move(reply.error()));
    if (code_of(reply->message.error_code) != ErrorCode::none) {
      co_return failure(refused(reply->message.error_code, broker, named(group)));
    }
    // Members are told in the order of the request.
    for (std::size_t i = 0; i < items.size(); ++i) {
      const std::string what = formatted("member {} of group {}", items[i]->key, group);
      if (i >= reply->message.members.size()) {
        items[i]->fail(left_out(broker, what));
      } else if (const auto& row = reply->message.members[i];
                 code_of(row.error_code) != ErrorCode::none) {
        items[i]->fail(refused(row.error_code, broker, what));
      } else {
        items[i]->settle();
      }
    }
    co_return ClientResult<void>();
  };
  std::vector<std::string> names;
  for (const MemberToRemove& member : members) {
    names.push_back(member.instance_id.value_or(member.member_id));
  }
  co_return co_await in_rounds<std::string, void>(std::move(names), state_->rounds(deadline), route,
                                                  ask);
}

}  // namespace millrace::client
