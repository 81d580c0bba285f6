// Groups and their members.
module;
#include <algorithm>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <iterator>
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
import millrace.runtime;
import :admin_client;
import :rounds;
import :state;
import :types;

namespace millrace::client {
namespace {

using protocol::DeleteGroupsRequest;
using protocol::LeaveGroupRequest;
using protocol::ListGroupsRequest;

constexpr std::int16_t states_from = 4;
constexpr std::int16_t types_from = 5;
constexpr std::int16_t several_leave_from = 3;

std::string itself(const std::string& group) {
  return group;
}

}  // namespace

Task<ClientResult<ListedGroups>> AdminClient::list_groups(ListGroupsOptions options) {
  const MonotonicTime deadline = state_->deadline_of(options);
  auto brokers = co_await state_->all_brokers(deadline);
  if (!brokers) co_return failure(std::move(brokers.error()));
  const auto states = views_of(options.states);
  const auto types = views_of(options.types);
  ListGroupsRequest request;
  request.states_filter = view_of(states);
  request.types_filter = view_of(types);
  CallOptions call{.deadline = deadline};
  if (!states.empty()) call.version_min = states_from;
  if (!types.empty()) call.version_min = types_from;
  using Value = std::vector<ListedGroup>;
  const auto ask = [&](BrokerId broker) -> Task<ClientResult<Value>> {
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
    co_return listed;
  };
  ListedGroups out;
  // Of a broker that goes while we ask the groups are elsewhere.
  for (auto& [broker, listed] : co_await state_->ask_brokers<Value>(
           *std::move(brokers), GoneBroker::has_nothing, deadline, ask)) {
    if (!listed) {
      out.errors.push_back(std::move(listed.error()));
      continue;
    }
    std::ranges::move(*listed, std::back_inserter(out.groups));
  }
  std::ranges::sort(out.groups, {}, &ListedGroup::id);
  co_return out;
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
        item->fail(left_out(broker, named_group(item->key)));
      } else if (code_of(row->error_code) != ErrorCode::none) {
        item->fail(refused(row->error_code, broker, named_group(item->key)));
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
      co_return failure(refused(reply->message.error_code, broker, named_group(group)));
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
