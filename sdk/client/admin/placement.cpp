// Where replicas are and which of them leads.
module;
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
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

using protocol::AlterPartitionReassignmentsRequest;
using protocol::ElectLeadersRequest;
using protocol::ListPartitionReassignmentsRequest;

// Elections of another kind than for the preferred leaders.
constexpr std::int16_t kinds_from = 1;

const TopicPartition& itself(const TopicPartition& partition) {
  return partition;
}

// The numbers of the partitions by topic, as requests have them.
std::map<std::string, std::vector<std::int32_t>> numbers_by_topic(
    const std::vector<TopicPartition>& partitions) {
  std::map<std::string, std::vector<std::int32_t>> topics;
  for (const TopicPartition& partition : partitions) {
    topics[partition.topic].push_back(partition.partition.value());
  }
  return topics;
}

}  // namespace

Task<ClientResult<Outcomes<TopicPartition, void>>> AdminClient::elect_leaders(
    Election election, std::vector<TopicPartition> partitions, AdminOptions options) {
  const MonotonicTime deadline = state_->deadline_of(options);
  using Value = Outcomes<TopicPartition, void>;
  using Open = Items<int, Value>;
  const auto route = [&](Open& items) { return state_->to_controller(items, deadline); };
  const auto ask = [&](BrokerId broker, Open& items) -> Task<ClientResult<void>> {
    const auto topics = numbers_by_topic(partitions);
    std::vector<ElectLeadersRequest::TopicPartitions> rows;
    for (const auto& [name, numbers] : topics) {
      rows.push_back({.topic = name, .partitions = view_of(numbers)});
    }
    ElectLeadersRequest request;
    request.election_type = static_cast<std::int8_t>(election);
    request.topic_partitions =
        partitions.empty() ? Array<ElectLeadersRequest::TopicPartitions>::null() : view_of(rows);
    request.timeout_ms = state_->milliseconds_until(deadline);
    auto reply = co_await state_->send(
        broker, request, CallOptions{.deadline = deadline, .version_min = kinds_from});
    if (!reply) co_return failure(std::move(reply.error()));
    if (code_of(reply->message.error_code) != ErrorCode::none) {
      co_return failure(refused(reply->message.error_code, reply->broker, "the election"));
    }
    Value elected;
    std::set<TopicPartition> missing(partitions.begin(), partitions.end());
    for (const auto& topic : reply->message.replica_election_results) {
      for (const auto& row : topic.partition_result) {
        TopicPartition key{std::string(topic.topic), PartitionIndex(row.partition_id)};
        ClientResult<void> outcome;
        if (code_of(row.error_code) != ErrorCode::none) {
          outcome =
              failure(refused(row.error_code, reply->broker, to_string(key), row.error_message));
        }
        missing.erase(key);
        elected.emplace_back(std::move(key), std::move(outcome));
      }
    }
    for (const TopicPartition& partition : missing) {
      elected.emplace_back(partition, failure(left_out(reply->broker, to_string(partition))));
    }
    items.front()->settle(std::move(elected));
    co_return ClientResult<void>();
  };
  auto outcomes =
      co_await in_rounds<int, Value>(std::vector<int>{0}, state_->rounds(deadline), route, ask);
  co_return std::move(outcomes.front().second);
}

Task<Outcomes<TopicPartition, void>> AdminClient::alter_reassignments(
    std::vector<Reassignment> reassignments, AdminOptions options) {
  const MonotonicTime deadline = state_->deadline_of(options);
  using Open = Items<TopicPartition, void>;
  const auto route = [&](Open& items) { return state_->to_controller(items, deadline); };
  const auto ask = [&](BrokerId broker, Open& items) -> Task<ClientResult<void>> {
    using Part = AlterPartitionReassignmentsRequest::ReassignablePartition;
    const auto topics = by_topic(items, itself);
    std::vector<std::vector<std::int32_t>> numbers;
    numbers.reserve(items.size());
    std::vector<std::vector<Part>> parts;
    parts.reserve(topics.size());
    std::vector<AlterPartitionReassignmentsRequest::ReassignableTopic> rows;
    for (const auto& [name, wanted] : topics) {
      std::vector<Part>& own = parts.emplace_back();
      for (const auto* const item : wanted) {
        Part& part = own.emplace_back();
        part.partition_index = item->key.partition.value();
        const auto& replicas = reassignments[item->place].replicas;
        if (!replicas) continue;
        std::vector<std::int32_t>& ids = numbers.emplace_back();
        for (const BrokerId id : *replicas) ids.push_back(id.value());
        part.replicas = view_of(ids);
      }
      rows.push_back({.name = name, .partitions = view_of(own)});
    }
    AlterPartitionReassignmentsRequest request;
    request.topics = view_of(rows);
    request.timeout_ms = state_->milliseconds_until(deadline);
    auto reply = co_await state_->send(broker, request, CallOptions{.deadline = deadline});
    if (!reply) co_return failure(std::move(reply.error()));
    const auto& message = reply->message;
    if (code_of(message.error_code) != ErrorCode::none) {
      co_return failure(
          refused(message.error_code, reply->broker, "the reassignment", message.error_message));
    }
    for (auto* const item : items) {
      const auto* const row = find_row(message.responses, item->key);
      const std::string what = to_string(item->key);
      if (row == nullptr) {
        item->fail(left_out(reply->broker, what));
      } else if (code_of(row->error_code) == ErrorCode::unknown_topic_or_partition) {
        item->fail_for_good(refused(row->error_code, reply->broker, what, row->error_message));
      } else if (code_of(row->error_code) != ErrorCode::none) {
        item->fail(refused(row->error_code, reply->broker, what, row->error_message));
      } else {
        item->settle();
      }
    }
    co_return ClientResult<void>();
  };
  std::vector<TopicPartition> keys;
  for (const Reassignment& reassignment : reassignments) keys.push_back(reassignment.partition);
  co_return co_await in_rounds<TopicPartition, void>(std::move(keys), state_->rounds(deadline),
                                                     route, ask);
}

Task<ClientResult<std::vector<OngoingReassignment>>> AdminClient::list_reassignments(
    std::vector<TopicPartition> partitions, AdminOptions options) {
  const MonotonicTime deadline = state_->deadline_of(options);
  using Value = std::vector<OngoingReassignment>;
  using Open = Items<int, Value>;
  const auto route = [&](Open& items) { return state_->to_controller(items, deadline); };
  const auto ask = [&](BrokerId broker, Open& items) -> Task<ClientResult<void>> {
    const auto topics = numbers_by_topic(partitions);
    std::vector<ListPartitionReassignmentsRequest::ListPartitionReassignmentsTopics> rows;
    for (const auto& [name, numbers] : topics) {
      rows.push_back({.name = name, .partition_indexes = view_of(numbers)});
    }
    ListPartitionReassignmentsRequest request;
    if (!partitions.empty()) request.topics = view_of(rows);
    request.timeout_ms = state_->milliseconds_until(deadline);
    auto reply = co_await state_->send(broker, request, CallOptions{.deadline = deadline});
    if (!reply) co_return failure(std::move(reply.error()));
    if (code_of(reply->message.error_code) != ErrorCode::none) {
      co_return failure(refused(reply->message.error_code, reply->broker, "the reassignments",
                                reply->message.error_message));
    }
    Value ongoing;
    for (const auto& topic : reply->message.topics) {
      for (const auto& part : topic.partitions) {
        ongoing.push_back({{std::string(topic.name), PartitionIndex(part.partition_index)},
                           broker_ids(part.replicas),
                           broker_ids(part.adding_replicas),
                           broker_ids(part.removing_replicas)});
      }
    }
    items.front()->settle(std::move(ongoing));
    co_return ClientResult<void>();
  };
  auto outcomes =
      co_await in_rounds<int, Value>(std::vector<int>{0}, state_->rounds(deadline), route, ask);
  co_return std::move(outcomes.front().second);
}

}  // namespace millrace::client
