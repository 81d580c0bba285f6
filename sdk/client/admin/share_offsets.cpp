// Where share groups read.
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
import millrace.runtime;
import millrace.runtime.streams;
import :admin_client;
import :rounds;
import :state;
import :types;

namespace millrace::client {
namespace {

using protocol::AlterShareGroupOffsetsRequest;
using protocol::AlterShareGroupOffsetsResponse;
using protocol::DeleteShareGroupOffsetsRequest;
using protocol::DeleteShareGroupOffsetsResponse;
using protocol::DescribeShareGroupOffsetsRequest;
using protocol::DescribeShareGroupOffsetsResponse;

using ShareOffsets = Outcomes<TopicPartition, ShareOffset>;

ShareOffsets offsets_of(
    const DescribeShareGroupOffsetsResponse::DescribeShareGroupOffsetsResponseGroup& in,
    BrokerId broker) {
  ShareOffsets out;
  for (const auto& topic : in.topics) {
    for (const auto& part : topic.partitions) {
      TopicPartition key{std::string(topic.topic_name), PartitionIndex(part.partition_index)};
      if (code_of(part.error_code) != ErrorCode::none) {
        ClientError error = refused(part.error_code, broker, to_string(key), part.error_message);
        out.emplace_back(std::move(key), failure(std::move(error)));
        continue;
      }
      out.emplace_back(std::move(key),
                       ShareOffset{Offset(part.start_offset), LeaderEpoch(part.leader_epoch),
                                   part.lag < 0 ? std::nullopt : std::optional(part.lag)});
    }
  }
  return out;
}

const AlterShareGroupOffsetsResponse::AlterShareGroupOffsetsResponsePartition* altered_row(
    const AlterShareGroupOffsetsResponse& message, const TopicPartition& partition) {
  for (const auto& topic : message.responses) {
    if (topic.topic_name != partition.topic) continue;
    for (const auto& row : topic.partitions) {
      if (row.partition_index == partition.partition.value()) return &row;
    }
  }
  return nullptr;
}

}  // namespace

Task<ClientResult<ShareOffsets>> AdminClient::list_share_offsets(
    std::string group, std::vector<TopicPartition> partitions, AdminOptions options) {
  const MonotonicTime deadline = state_->deadline_of(options);
  using Topic = DescribeShareGroupOffsetsRequest::DescribeShareGroupOffsetsRequestTopic;
  std::map<std::string, std::vector<std::int32_t>> numbers;
  for (const TopicPartition& partition : partitions) {
    numbers[partition.topic].push_back(partition.partition.value());
  }
  std::vector<Topic> topics;
  for (const auto& [name, indexes] : numbers) {
    topics.push_back({.topic_name = name, .partitions = view_of(indexes)});
  }
  using Open = Items<std::string, ShareOffsets>;
  const auto route = [&](Open& items) {
    return state_->to_coordinators(items, deadline, [](const std::string& name) { return name; });
  };
  const auto ask = [&](BrokerId broker, Open& items) -> Task<ClientResult<void>> {
    const DescribeShareGroupOffsetsRequest::DescribeShareGroupOffsetsRequestGroup row{
        .group_id = group, .topics = partitions.empty() ? Array<Topic>::null() : view_of(topics)};
    DescribeShareGroupOffsetsRequest request;
    request.groups = {&row, 1};
    auto reply = co_await state_->send(broker, request, CallOptions{.deadline = deadline});
    if (!reply) co_return failure(std::move(reply.error()));
    settle_by(*items.front(), row_at(reply->message.groups, 0), broker, named_group(group),
              [&](const auto& in) { items.front()->settle(offsets_of(in, broker)); });
    co_return ClientResult<void>();
  };
  auto outcomes = co_await in_rounds<std::string, ShareOffsets>(
      std::vector<std::string>{group}, state_->rounds(deadline), route, ask);
  co_return std::move(outcomes.front().second);
}

Task<Outcomes<TopicPartition, void>> AdminClient::alter_share_offsets(
    std::string group, std::vector<std::pair<TopicPartition, Offset>> starts,
    AdminOptions options) {
  const MonotonicTime deadline = state_->deadline_of(options);
  using Open = Items<TopicPartition, void>;
  const auto route = [&](Open& items) {
    return state_->to_coordinators(items, deadline, [&](const TopicPartition&) { return group; });
  };
  const auto ask = [&](BrokerId broker, Open& items) -> Task<ClientResult<void>> {
    using Part = AlterShareGroupOffsetsRequest::AlterShareGroupOffsetsRequestPartition;
    std::map<std::string, std::vector<Part>> parts;
    for (const auto* const item : items) {
      parts[item->key.topic].push_back({.partition_index = item->key.partition.value(),
                                        .start_offset = starts[item->place].second.value()});
    }
    std::vector<AlterShareGroupOffsetsRequest::AlterShareGroupOffsetsRequestTopic> rows;
    for (const auto& [name, own] : parts) {
      rows.push_back({.topic_name = name, .partitions = view_of(own)});
    }
    AlterShareGroupOffsetsRequest request;
    request.group_id = group;
    request.topics = view_of(rows);
    auto reply = co_await state_->send(broker, request, CallOptions{.deadline = deadline});
    if (!reply) co_return failure(std::move(reply.error()));
    const auto& in = reply->message;
    if (code_of(in.error_code) != ErrorCode::none) {
      co_return failure(refused(in.error_code, broker, named_group(group), in.error_message));
    }
    for (auto* const item : items) {
      settle_by(*item, altered_row(in, item->key), broker, to_string(item->key),
                [&](const auto&) { item->settle(); });
    }
    co_return ClientResult<void>();
  };
  std::vector<TopicPartition> keys;
  for (const auto& [partition, start] : starts) keys.push_back(partition);
  co_return co_await in_rounds<TopicPartition, void>(std::move(keys), state_->rounds(deadline),
                                                     route, ask);
}

Task<Outcomes<std::string, void>> AdminClient::delete_share_offsets(std::string group,
                                                                    std::vector<std::string> topics,
                                                                    AdminOptions options) {
  const MonotonicTime deadline = state_->deadline_of(options);
  using Open = Items<std::string, void>;
  const auto route = [&](Open& items) {
    return state_->to_coordinators(items, deadline, [&](const std::string&) { return group; });
  };
  const auto ask = [&](BrokerId broker, Open& items) -> Task<ClientResult<void>> {
    std::vector<DeleteShareGroupOffsetsRequest::DeleteShareGroupOffsetsRequestTopic> rows;
    for (const auto* const item : items) rows.push_back({.topic_name = item->key});
    DeleteShareGroupOffsetsRequest request;
    request.group_id = group;
    request.topics = view_of(rows);
    auto reply = co_await state_->send(broker, request, CallOptions{.deadline = deadline});
    if (!reply) co_return failure(std::move(reply.error()));
    const auto& in = reply->message;
    if (code_of(in.error_code) != ErrorCode::none) {
      co_return failure(refused(in.error_code, broker, named_group(group), in.error_message));
    }
    using Row = DeleteShareGroupOffsetsResponse::DeleteShareGroupOffsetsResponseTopic;
    for (auto* const item : items) {
      settle_by(*item, row_named(in.responses, item->key, &Row::topic_name), broker,
                formatted("topic {} of group {}", item->key, group),
                [&](const auto&) { item->settle(); });
    }
    co_return ClientResult<void>();
  };
  co_return co_await in_rounds<std::string, void>(std::move(topics), state_->rounds(deadline),
                                                  route, ask);
}

}  // namespace millrace::client
