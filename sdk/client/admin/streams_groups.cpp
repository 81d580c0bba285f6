// What groups of Kafka Streams are.
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

using protocol::StreamsGroupDescribeRequest;
using Response = protocol::StreamsGroupDescribeResponse;

std::vector<std::pair<std::string, std::string>> pairs_of(const Array<Response::KeyValue>& in) {
  std::vector<std::pair<std::string, std::string>> out;
  for (const auto& pair : in) out.emplace_back(std::string(pair.key), std::string(pair.value));
  return out;
}

std::vector<StreamsTopic> topics_of(const Array<Response::TopicInfo>& in) {
  std::vector<StreamsTopic> out;
  for (const auto& topic : in) {
    out.push_back({.name = std::string(topic.name),
                   .partitions = topic.partitions,
                   .replication_factor = topic.replication_factor,
                   .configs = pairs_of(topic.topic_configs)});
  }
  return out;
}

Subtopology subtopology_of(const Response::Subtopology& in) {
  return {.id = std::string(in.subtopology_id),
          .source_topics = texts_of(in.source_topics),
          .repartition_sink_topics = texts_of(in.repartition_sink_topics),
          .changelog_topics = topics_of(in.state_changelog_topics),
          .repartition_source_topics = topics_of(in.repartition_source_topics)};
}

std::vector<StreamsTasks> tasks_of(const Array<Response::TaskIds>& in) {
  std::vector<StreamsTasks> out;
  for (const auto& row : in) {
    StreamsTasks& tasks = out.emplace_back();
    tasks.subtopology = row.subtopology_id;
    for (const std::int32_t partition : row.partitions) tasks.partitions.emplace_back(partition);
  }
  return out;
}

StreamsAssignment assignment_of(const Response::Assignment& in) {
  return {.active = tasks_of(in.active_tasks),
          .standby = tasks_of(in.standby_tasks),
          .warmup = tasks_of(in.warmup_tasks)};
}

std::vector<StreamsTaskOffset> offsets_of(const Array<Response::TaskOffset>& in) {
  std::vector<StreamsTaskOffset> out;
  for (const auto& row : in) {
    out.push_back(
        {std::string(row.subtopology_id), PartitionIndex(row.partition), Offset(row.offset)});
  }
  return out;
}

StreamsMember member_of(const Response::Member& in) {
  StreamsMember out{.id = std::string(in.member_id),
                    .epoch = in.member_epoch,
                    .instance_id = owned(in.instance_id),
                    .rack = owned(in.rack_id),
                    .client_id = std::string(in.client_id),
                    .host = std::string(in.client_host),
                    .topology_epoch = in.topology_epoch,
                    .process_id = std::string(in.process_id)};
  if (in.user_endpoint != nullptr) {
    out.endpoint = HostPort{std::string(in.user_endpoint->host), Port(in.user_endpoint->port)};
  }
  out.tags = pairs_of(in.client_tags);
  out.assignment = assignment_of(in.assignment);
  out.target_assignment = assignment_of(in.target_assignment);
  out.task_offsets = offsets_of(in.task_offsets);
  out.task_end_offsets = offsets_of(in.task_end_offsets);
  out.is_classic = in.is_classic;
  return out;
}

DescribedStreamsGroup group_of(const Response::DescribedGroup& in, BrokerId broker) {
  DescribedStreamsGroup out{.id = std::string(in.group_id),
                            .state = std::string(in.group_state),
                            .epoch = in.group_epoch,
                            .assignment_epoch = in.assignment_epoch};
  if (in.topology != nullptr) {
    out.topology_epoch = in.topology->epoch;
    for (const auto& row : in.topology->subtopologies) {
      out.subtopologies.push_back(subtopology_of(row));
    }
  }
  out.coordinator = broker;
  for (const auto& member : in.members) out.members.push_back(member_of(member));
  out.authorized_operations = operations_of(in.authorized_operations);
  return out;
}

}  // namespace

Task<Outcomes<std::string, DescribedStreamsGroup>> AdminClient::describe_streams_groups(
    std::vector<std::string> groups, AdminOptions options) {
  const MonotonicTime deadline = state_->deadline_of(options);
  using Open = Items<std::string, DescribedStreamsGroup>;
  const auto route = [&](Open& items) {
    return state_->to_coordinators(items, deadline, [](const std::string& group) { return group; });
  };
  const auto ask = [&](BrokerId broker, Open& items) -> Task<ClientResult<void>> {
    std::vector<protocol::String> names;
    for (const auto* const item : items) names.emplace_back(item->key);
    StreamsGroupDescribeRequest request;
    request.group_ids = view_of(names);
    request.include_authorized_operations = options.authorized_operations;
    auto reply = co_await state_->send(broker, request, CallOptions{.deadline = deadline});
    if (!reply) co_return failure(std::move(reply.error()));
    using Row = Response::DescribedGroup;
    for (auto* const item : items) {
      settle_by(*item, row_named(reply->message.groups, item->key, &Row::group_id), broker,
                named_group(item->key),
                [&](const Row& row) { item->settle(group_of(row, broker)); });
    }
    co_return ClientResult<void>();
  };
  co_return co_await in_rounds<std::string, DescribedStreamsGroup>(
      std::move(groups), state_->rounds(deadline), route, ask);
}

}  // namespace millrace::client
