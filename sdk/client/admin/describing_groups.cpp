// What groups of consumers and share groups are.
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
#include <utility>
#include <vector>

module millrace.client.admin;

import millrace.base;
import millrace.client.core;
import millrace.protocol;
import millrace.protocol.framing;
import millrace.runtime;
import millrace.runtime.streams;
import :admin_client;
import :rounds;
import :state;
import :types;

namespace millrace::client {
namespace {

using protocol::ConsumerGroupDescribeRequest;
using protocol::DescribeGroupsRequest;
using protocol::DescribeGroupsResponse;
using protocol::ShareGroupDescribeRequest;

constexpr std::int16_t operations_from = 3;  // of DescribeGroups
constexpr std::size_t assignment_arena_bytes_max = 16 * mebibyte;
constexpr std::string_view consumers = "consumer";
constexpr std::string_view dead = "Dead";
constexpr std::int8_t classic_member = 0;

using Open = Items<std::string, DescribedGroup>;

std::string itself(const std::string& group) {
  return group;
}

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
                     .members = {},
                     .authorized_operations = operations_of(in.authorized_operations)};
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

std::vector<TopicPartition> partitions_of(const auto& assignment) {
  std::vector<TopicPartition> out;
  for (const auto& topic : assignment.topic_partitions) {
    for (const std::int32_t partition : topic.partitions) {
      out.push_back({std::string(topic.topic_name), PartitionIndex(partition)});
    }
  }
  return out;
}

// Of a group whose members the broker assigns: of consumers, or a share group.
DescribedGroup assigned_group(const auto& in, std::string type, BrokerId broker) {
  DescribedGroup out{.id = std::string(in.group_id),
                     .state = std::string(in.group_state),
                     .protocol_type = type == "Share" ? "share" : "consumer",
                     .protocol = std::string(in.assignor_name),
                     .coordinator = broker,
                     .members = {},
                     .type = std::move(type),
                     .epoch = in.group_epoch,
                     .assignment_epoch = in.assignment_epoch,
                     .authorized_operations = operations_of(in.authorized_operations)};
  for (const auto& member : in.members) {
    GroupMember& row = out.members.emplace_back();
    row.id = member.member_id;
    row.client_id = member.client_id;
    row.host = member.client_host;
    row.assignment = partitions_of(member.assignment);
    row.rack = owned(member.rack_id);
    row.epoch = member.member_epoch;
    row.subscribed_topics = texts_of(member.subscribed_topic_names);
    row.is_classic = false;
    if constexpr (requires { member.target_assignment; }) {
      row.instance_id = owned(member.instance_id);
      row.subscribed_regex = owned(member.subscribed_topic_regex);
      row.target_assignment = partitions_of(member.target_assignment);
      row.is_classic = member.member_type == classic_member;
    }
  }
  return out;
}

template <class Request>
Task<ClientResult<Reply<AnswerOf<Request>>>> describe(AdminClient::State& state, BrokerId broker,
                                                      const Open& items,
                                                      const AdminOptions& options,
                                                      CallOptions call) {
  std::vector<protocol::String> names;
  for (const auto* const item : items) names.emplace_back(item->key);
  Request request;
  if constexpr (requires { request.group_ids; }) {
    request.group_ids = view_of(names);
  } else {
    request.groups = view_of(names);
  }
  request.include_authorized_operations = options.authorized_operations;
  co_return co_await state.send(broker, request, call);
}

// Settles those that speak the protocol in which brokers assign; the rest is for the classic one.
Task<ClientResult<Open>> ask_assigned(AdminClient::State& state, BrokerId broker, const Open& items,
                                      const AdminOptions& options, CallOptions call) {
  auto reply = co_await describe<ConsumerGroupDescribeRequest>(state, broker, items, options, call);
  if (!reply && reply.error().failure == Failure::unsupported_version) co_return items;
  if (!reply) co_return failure(std::move(reply.error()));
  using Row = protocol::ConsumerGroupDescribeResponse::DescribedGroup;
  Open classic;
  for (auto* const item : items) {
    const Row* const row = row_named(reply->message.groups, item->key, &Row::group_id);
    const ErrorCode error = row == nullptr ? ErrorCode::none : code_of(row->error_code);
    if (error == ErrorCode::group_id_not_found || error == ErrorCode::unsupported_version) {
      classic.push_back(item);
      continue;
    }
    settle_by(*item, row, broker, named_group(item->key),
              [&](const Row& found) { item->settle(assigned_group(found, "Consumer", broker)); });
  }
  co_return classic;
}

Task<ClientResult<void>> ask_classic(AdminClient::State& state, BrokerId broker, const Open& items,
                                     const AdminOptions& options, CallOptions call) {
  if (options.authorized_operations) call.version_min = operations_from;
  auto reply = co_await describe<DescribeGroupsRequest>(state, broker, items, options, call);
  if (!reply) co_return failure(std::move(reply.error()));
  using Row = DescribeGroupsResponse::DescribedGroup;
  for (auto* const item : items) {
    settle_by(
        *item, row_named(reply->message.groups, item->key, &Row::group_id), broker,
        named_group(item->key), [&](const Row& row) {
          if (row.group_state == dead && row.members.empty()) {
            // How older brokers say that there is none.
            item->fail(broker_error(ErrorCode::group_id_not_found, broker, named_group(item->key)));
          } else {
            item->settle(group_of(row, broker));
          }
        });
  }
  co_return ClientResult<void>();
}

}  // namespace

Task<Outcomes<std::string, DescribedGroup>> AdminClient::describe_groups(
    std::vector<std::string> groups, AdminOptions options) {
  const MonotonicTime deadline = state_->deadline_of(options);
  const CallOptions call{.deadline = deadline};
  const auto route = [&](Open& items) { return state_->to_coordinators(items, deadline, itself); };
  const auto ask = [&](BrokerId broker, Open& items) -> Task<ClientResult<void>> {
    const auto classic = co_await ask_assigned(*state_, broker, items, options, call);
    if (!classic) co_return failure(classic.error());
    if (classic->empty()) co_return ClientResult<void>();
    co_return co_await ask_classic(*state_, broker, *classic, options, call);
  };
  co_return co_await in_rounds<std::string, DescribedGroup>(std::move(groups),
                                                            state_->rounds(deadline), route, ask);
}

Task<Outcomes<std::string, DescribedGroup>> AdminClient::describe_share_groups(
    std::vector<std::string> groups, AdminOptions options) {
  const MonotonicTime deadline = state_->deadline_of(options);
  const auto route = [&](Open& items) { return state_->to_coordinators(items, deadline, itself); };
  const auto ask = [&](BrokerId broker, Open& items) -> Task<ClientResult<void>> {
    auto reply = co_await describe<ShareGroupDescribeRequest>(*state_, broker, items, options,
                                                              CallOptions{.deadline = deadline});
    if (!reply) co_return failure(std::move(reply.error()));
    using Row = protocol::ShareGroupDescribeResponse::DescribedGroup;
    for (auto* const item : items) {
      settle_by(*item, row_named(reply->message.groups, item->key, &Row::group_id), broker,
                named_group(item->key),
                [&](const Row& row) { item->settle(assigned_group(row, "Share", broker)); });
    }
    co_return ClientResult<void>();
  };
  co_return co_await in_rounds<std::string, DescribedGroup>(std::move(groups),
                                                            state_->rounds(deadline), route, ask);
}

}  // namespace millrace::client
