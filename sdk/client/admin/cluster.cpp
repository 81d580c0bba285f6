// The cluster as a whole, and its brokers.
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
using protocol::DescribeLogDirsRequest;
using protocol::DescribeLogDirsResponse;
using protocol::DescribeQuorumRequest;
using protocol::DescribeQuorumResponse;

constexpr std::string_view metadata_topic = "__cluster_metadata";
constexpr std::int16_t features_from = 3;

std::optional<std::int64_t> if_told(std::int64_t bytes) {
  return bytes < 0 ? std::nullopt : std::optional(bytes);
}

LogDir directory_of(const DescribeLogDirsResponse::DescribeLogDirsResult& in) {
  LogDir out;
  out.path = in.log_dir;
  out.error = code_of(in.error_code);
  out.total_bytes = if_told(in.total_bytes);
  out.usable_bytes = if_told(in.usable_bytes);
  for (const auto& topic : in.topics) {
    for (const auto& part : topic.partitions) {
      out.partitions.push_back({{std::string(topic.name), PartitionIndex(part.partition_index)},
                                part.partition_size,
                                part.offset_lag,
                                part.is_future_key});
    }
  }
  return out;
}

std::vector<QuorumReplica> replicas_of(const Array<DescribeQuorumResponse::ReplicaState>& in) {
  std::vector<QuorumReplica> out;
  for (const auto& replica : in) {
    out.push_back({BrokerId(replica.replica_id), Offset(replica.log_end_offset),
                   Timestamp(replica.last_fetch_timestamp),
                   Timestamp(replica.last_caught_up_timestamp)});
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

// One question to any broker, until it is answered. `read(reply)` gives the value or an error.
template <class Value, class Request, class Read>
Task<ClientResult<Value>> AdminClient::State::ask_any(const Request& request, CallOptions call,
                                                      const Read& read) {
  using Open = Items<int, Value>;
  const auto anywhere = [](Open&) -> Task<void> { co_return; };
  const auto ask = [&](BrokerId, Open& items) -> Task<ClientResult<void>> {
    auto reply = co_await brokers.call_any(request, call);
    if (!reply) co_return failure(std::move(reply.error()));
    ClientResult<Value> value = read(*reply);
    if (!value) co_return failure(std::move(value.error()));
    items.front()->settle(*std::move(value));
    co_return ClientResult<void>();
  };
  auto outcomes =
      co_await in_rounds<int, Value>(std::vector<int>{0}, rounds(call.deadline), anywhere, ask);
  co_return std::move(outcomes.front().second);
}

Task<ClientResult<DescribedCluster>> AdminClient::describe_cluster(AdminOptions options) {
  const DescribeClusterRequest request;
  const auto read = [](const auto& reply) -> ClientResult<DescribedCluster> {
    const auto& in = reply.message;
    if (code_of(in.error_code) != ErrorCode::none) {
      return failure(refused(in.error_code, reply.broker, "the cluster", in.error_message));
    }
    DescribedCluster out{std::string(in.cluster_id), BrokerId(in.controller_id), {}};
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
  co_return co_await state_->ask_any<DescribedCluster>(
      request, CallOptions{.deadline = state_->deadline_of(options)}, read);
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
  co_return co_await state_->ask_any<Features>(
      request, CallOptions{.deadline = state_->deadline_of(options), .version_min = features_from},
      read);
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
    return Quorum{BrokerId(told.leader_id), LeaderEpoch(told.leader_epoch),
                  Offset(told.high_watermark), replicas_of(told.current_voters),
                  replicas_of(told.observers)};
  };
  co_return co_await state_->ask_any<Quorum>(
      request, CallOptions{.deadline = state_->deadline_of(options)}, read);
}

Task<Outcomes<BrokerId, std::vector<LogDir>>> AdminClient::describe_log_dirs(
    std::vector<BrokerId> brokers, AdminOptions options) {
  const MonotonicTime deadline = state_->deadline_of(options);
  using Value = std::vector<LogDir>;
  using Open = Items<BrokerId, Value>;
  const auto route = [&](Open& items) -> Task<void> {
    co_await state_->to_known_brokers(items, deadline);
    for (auto* const item : items) {
      item->target = item->key;
      if (item->failed_this_round || state_->brokers.knows(item->key)) continue;
      item->fail_for_good(client_error(Failure::unknown_broker,
                                       formatted("the cluster has no broker {}", item->key)));
    }
  };
  const auto ask = [&](BrokerId broker, Open& items) -> Task<ClientResult<void>> {
    DescribeLogDirsRequest request;
    request.topics = Array<DescribeLogDirsRequest::DescribableLogDirTopic>::null();
    auto reply = co_await state_->send(broker, request, CallOptions{.deadline = deadline});
    if (!reply) co_return failure(std::move(reply.error()));
    if (code_of(reply->message.error_code) != ErrorCode::none) {
      co_return failure(refused(reply->message.error_code, broker, "the log directories"));
    }
    Value directories;
    for (const auto& in : reply->message.results) directories.push_back(directory_of(in));
    for (auto* const item : items) item->settle(directories);
    co_return ClientResult<void>();
  };
  co_return co_await in_rounds<BrokerId, Value>(std::move(brokers), state_->rounds(deadline), route,
                                                ask);
}

}  // namespace millrace::client
