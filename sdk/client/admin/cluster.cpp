// The cluster as a whole, as it is.
module;
#include <algorithm>
#include <coroutine>
#include <cstddef>
#include <cstdint>
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

using protocol::ApiVersionsRequest;
using protocol::DescribeClusterRequest;
using protocol::DescribeQuorumRequest;
using protocol::DescribeQuorumResponse;

constexpr std::string_view metadata_topic = "__cluster_metadata";
constexpr std::int16_t features_from = 3;
constexpr std::int16_t fenced_from = 2;

std::vector<QuorumReplica> replicas_of(const Array<DescribeQuorumResponse::ReplicaState>& in) {
  std::vector<QuorumReplica> out;
  for (const auto& replica : in) {
    out.push_back({BrokerId(replica.replica_id), Offset(replica.log_end_offset),
                   Timestamp(replica.last_fetch_timestamp),
                   Timestamp(replica.last_caught_up_timestamp), replica.replica_directory_id});
  }
  return out;
}

std::vector<QuorumNode> nodes_of(const Array<DescribeQuorumResponse::Node>& in) {
  std::vector<QuorumNode> out;
  for (const auto& node : in) {
    QuorumNode& row = out.emplace_back();
    row.id = BrokerId(node.node_id);
    for (const auto& listener : node.listeners) {
      row.listeners.push_back(
          {std::string(listener.name), {std::string(listener.host), Port(listener.port)}});
    }
  }
  return out;
}

Features features_of(const protocol::ApiVersionsResponse& in) {
  Features out;
  out.epoch = in.finalized_features_epoch;
  for (const auto& supported : in.supported_features) {
    out.features.push_back(
        {std::string(supported.name), supported.min_version, supported.max_version, std::nullopt});
  }
  for (const auto& finalized : in.finalized_features) {
    auto known = std::ranges::find(out.features, finalized.name, &Feature::name);
    if (known == out.features.end()) {
      out.features.push_back({std::string(finalized.name), 0, 0, std::nullopt});
      known = std::prev(out.features.end());
    }
    known->finalized = finalized.max_version_level;
  }
  return out;
}

}  // namespace

Task<ClientResult<DescribedCluster>> AdminClient::describe_cluster(AdminOptions options,
                                                                   bool with_fenced) {
  DescribeClusterRequest request;
  request.include_cluster_authorized_operations = options.authorized_operations;
  request.include_fenced_brokers = with_fenced;
  const auto read = [](const auto& reply) -> ClientResult<DescribedCluster> {
    const auto& in = reply.message;
    if (code_of(in.error_code) != ErrorCode::none) {
      return failure(refused(in.error_code, reply.broker, "the cluster", in.error_message));
    }
    DescribedCluster out{.id = std::string(in.cluster_id),
                         .controller = BrokerId(in.controller_id),
                         .brokers = {},
                         .authorized_operations = operations_of(in.cluster_authorized_operations)};
    for (const auto& broker : in.brokers) {
      out.brokers.push_back(
          {BrokerId(broker.broker_id),
           {std::string(broker.host), Port(static_cast<std::uint16_t>(broker.port))},
           owned(broker.rack),
           broker.is_fenced});
    }
    std::ranges::sort(out.brokers, {}, &DescribedBroker::id);
    return out;
  };
  CallOptions call{.deadline = state_->deadline_of(options)};
  request.endpoint_type = state_->endpoint_type();
  if (state_->settings.asks_controllers) call.version_min = endpoint_types_from;
  if (with_fenced) call.version_min = fenced_from;
  co_return co_await state_->ask_one<DescribedCluster>(Whom::any, request, call, read);
}

Task<ClientResult<Features>> AdminClient::describe_features(AdminOptions options) {
  ApiVersionsRequest request;
  request.client_software_name = "millrace";
  request.client_software_version = "1";
  const auto read = [](const auto& reply) -> ClientResult<Features> {
    if (code_of(reply.message.error_code) != ErrorCode::none) {
      return failure(refused(reply.message.error_code, reply.broker, "the features"));
    }
    return features_of(reply.message);
  };
  co_return co_await state_->ask_one<Features>(
      Whom::any, request,
      CallOptions{.deadline = state_->deadline_of(options), .version_min = features_from}, read);
}

Task<ClientResult<Quorum>> AdminClient::describe_quorum(AdminOptions options) {
  const DescribeQuorumRequest::PartitionData part{.partition_index = 0};
  const DescribeQuorumRequest::TopicData topic{.topic_name = metadata_topic,
                                               .partitions = {&part, 1}};
  DescribeQuorumRequest request;
  request.topics = {&topic, 1};
  const auto read = [](const auto& reply) -> ClientResult<Quorum> {
    const auto& in = reply.message;
    if (code_of(in.error_code) != ErrorCode::none) {
      return failure(refused(in.error_code, reply.broker, "the quorum", in.error_message));
    }
    if (in.topics.empty() || in.topics[0].partitions.empty()) {
      return failure(left_out(reply.broker, "the quorum"));
    }
    const auto& told = in.topics[0].partitions[0];
    if (code_of(told.error_code) != ErrorCode::none) {
      return failure(refused(told.error_code, reply.broker, "the quorum", told.error_message));
    }
    return Quorum{BrokerId(told.leader_id),    LeaderEpoch(told.leader_epoch),
                  Offset(told.high_watermark), replicas_of(told.current_voters),
                  replicas_of(told.observers), nodes_of(in.nodes)};
  };
  co_return co_await state_->ask_one<Quorum>(
      Whom::any, request, CallOptions{.deadline = state_->deadline_of(options)}, read);
}

}  // namespace millrace::client
