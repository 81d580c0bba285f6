// Where replicas are and which of them leads.
module;
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

module millrace.mock;

import millrace.base;
import millrace.protocol.admin;
import millrace.protocol.api;
import millrace.protocol.wire;
import millrace.runtime;
import :asked;
import :faults;
import :handlers;
import :state;

namespace millrace::mock {
namespace {

using protocol::AlterPartitionReassignmentsRequest;
using protocol::AlterPartitionReassignmentsResponse;
using protocol::ElectLeadersRequest;
using protocol::ElectLeadersResponse;

constexpr std::int8_t preferred = 0;

bool holds(const std::vector<BrokerId>& ids, BrokerId id) {
  return std::ranges::find(ids, id) != ids.end();
}

ErrorCode elect(Partition* partition, std::int8_t kind, Asked& asked) {
  if (asked.planted != ErrorCode::none) return asked.planted;
  if (partition == nullptr) return ErrorCode::unknown_topic_or_partition;
  const auto live = asked.state.live();
  if (kind == preferred) {
    const BrokerId first = partition->replicas.front();
    if (partition->leader == first) return ErrorCode::election_not_needed;
    if (!holds(live, first) || !holds(partition->in_sync, first)) {
      return ErrorCode::preferred_leader_not_available;
    }
    asked.state.move_leader(*partition, first);
  } else {
    if (partition->leader != no_broker) return ErrorCode::election_not_needed;
    const auto next =
        std::ranges::find_if(partition->replicas, [&](BrokerId id) { return holds(live, id); });
    if (next == partition->replicas.end()) return ErrorCode::eligible_leaders_not_available;
    partition->in_sync = {*next};
    asked.state.move_leader(*partition, *next);
  }
  asked.changed = true;
  return ErrorCode::none;
}

ErrorCode reassign(Partition* partition,
                   const AlterPartitionReassignmentsRequest::ReassignablePartition& in,
                   Asked& asked) {
  if (asked.planted != ErrorCode::none) return asked.planted;
  if (partition == nullptr) return ErrorCode::unknown_topic_or_partition;
  // What is asked for is done at once, so there is nothing to cancel.
  if (in.replicas.is_null()) return ErrorCode::no_reassignment_in_progress;
  std::vector<BrokerId> replicas;
  for (const std::int32_t number : in.replicas) {
    const BrokerId id(number);
    if (asked.state.broker(id) == nullptr || holds(replicas, id)) {
      return ErrorCode::invalid_replica_assignment;
    }
    replicas.push_back(id);
  }
  if (replicas.empty()) return ErrorCode::invalid_replica_assignment;
  asked.state.place(*partition, std::move(replicas));
  asked.changed = true;
  return ErrorCode::none;
}

}  // namespace

Answer elect_leaders(Asked& asked) {
  ElectLeadersRequest message;
  if (!read(message, asked)) return {};
  std::vector<ElectLeadersResponse::ReplicaElectionResult> topics;
  const auto row_of = [&](Partition* partition, std::int32_t index) {
    return ElectLeadersResponse::PartitionResult{
        .partition_id = index,
        .error_code = number_of(elect(partition, message.election_type, asked)),
        .error_message = protocol::null_string};
  };
  if (message.topic_partitions.is_null()) {
    for (const auto& [name, topic] : asked.state.topics()) {
      std::vector<ElectLeadersResponse::PartitionResult> parts;
      for (const auto& partition : topic->partitions) {
        const auto row = row_of(partition.get(), partition->index.value());
        // Of all partitions only those are told for which there was something to do.
        if (row.error_code != number_of(ErrorCode::election_not_needed)) parts.push_back(row);
      }
      if (!parts.empty()) {
        topics.push_back({.topic = topic->name, .partition_result = keep(parts, asked)});
      }
    }
  }
  for (const auto& in : message.topic_partitions) {
    const Topic* const topic = asked.state.find(in.topic);
    std::vector<ElectLeadersResponse::PartitionResult> parts;
    for (const std::int32_t index : in.partitions) {
      parts.push_back(row_of(topic == nullptr ? nullptr : topic->find(index), index));
    }
    topics.push_back({.topic = in.topic, .partition_result = keep(parts, asked)});
  }
  ElectLeadersResponse response;
  response.replica_election_results = keep(topics, asked);
  return answer(asked, response);
}

Answer alter_partition_reassignments(Asked& asked) {
  AlterPartitionReassignmentsRequest message;
  if (!read(message, asked)) return {};
  using Response = AlterPartitionReassignmentsResponse;
  std::vector<Response::ReassignableTopicResponse> topics;
  for (const auto& in : message.topics) {
    const Topic* const topic = asked.state.find(in.name);
    std::vector<Response::ReassignablePartitionResponse> parts;
    for (const auto& part : in.partitions) {
      Partition* const partition = topic == nullptr ? nullptr : topic->find(part.partition_index);
      parts.push_back({.partition_index = part.partition_index,
                       .error_code = number_of(reassign(partition, part, asked)),
                       .error_message = protocol::null_string});
    }
    topics.push_back({.name = in.name, .partitions = keep(parts, asked)});
  }
  Response response;
  response.error_message = protocol::null_string;
  response.responses = keep(topics, asked);
  return answer(asked, response);
}

Answer list_partition_reassignments(Asked& asked) {
  protocol::ListPartitionReassignmentsRequest message;
  if (!read(message, asked)) return {};
  protocol::ListPartitionReassignmentsResponse response;
  response.error_code = number_of(asked.planted);
  response.error_message = protocol::null_string;
  return answer(asked, response);
}

}  // namespace millrace::mock
