// What operators look at: the cluster, its directories, its producers.
module;
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

module millrace.mock;

import millrace.base;
import millrace.protocol.admin;
import millrace.protocol.api;
import millrace.protocol.metadata;
import millrace.protocol.telemetry;
import millrace.protocol.transactions;
import millrace.protocol.wire;
import millrace.runtime;
import millrace.runtime.streams;
import millrace.storage.producers;
import :asked;
import :faults;
import :handlers;
import :partition_log;
import :state;

namespace millrace::mock {
namespace {

constexpr std::string_view directory = "/mock/data";

bool holds(const Partition& partition, BrokerId broker) {
  for (const BrokerId id : partition.replicas) {
    if (id == broker) return true;
  }
  return false;
}

}  // namespace

Answer describe_cluster(Asked& asked) {
  protocol::DescribeClusterRequest message;
  if (!read(message, asked)) return {};
  constexpr std::int8_t of_brokers = 1;
  constexpr std::int8_t of_controllers = 2;
  const std::int8_t served = asked.state.options().are_controllers ? of_controllers : of_brokers;
  protocol::DescribeClusterResponse response;
  response.cluster_id = cluster_id;
  response.endpoint_type = message.endpoint_type;
  ErrorCode error = asked.planted;
  if (error == ErrorCode::none && message.endpoint_type != served) {
    error = ErrorCode::mismatched_endpoint_type;
  }
  response.error_code = number_of(error);
  if (error != ErrorCode::none) return answer(asked, response);
  response.controller_id = asked.state.controller().value();
  std::vector<protocol::DescribeClusterResponse::DescribeClusterBroker> rows;
  for (const Broker& broker : asked.state.brokers()) {
    if (!broker.alive && !message.include_fenced_brokers) continue;
    auto& row = rows.emplace_back();
    row.broker_id = broker.id.value();
    row.host = broker.host;
    row.port = broker.address.port.value();
    row.is_fenced = !broker.alive;
  }
  response.brokers = keep(rows, asked);
  return answer(asked, response);
}

Answer get_telemetry_subscriptions(Asked& asked) {
  protocol::GetTelemetrySubscriptionsRequest message;
  if (!read(message, asked)) return {};
  protocol::GetTelemetrySubscriptionsResponse response;
  response.error_code = number_of(asked.planted);
  if (asked.planted != ErrorCode::none) return answer(asked, response);
  const bool is_new = message.client_instance_id.is_zero();
  response.client_instance_id = is_new ? asked.state.new_id() : message.client_instance_id;
  return answer(asked, response);
}

Answer describe_log_dirs(Asked& asked) {
  protocol::DescribeLogDirsRequest message;
  if (!read(message, asked)) return {};
  using Response = protocol::DescribeLogDirsResponse;
  const auto wants = [&](const Topic& topic, std::int32_t index) {
    if (message.topics.is_null()) return true;
    for (const auto& wanted : message.topics) {
      if (wanted.topic != topic.name) continue;
      for (const std::int32_t partition : wanted.partitions) {
        if (partition == index) return true;
      }
    }
    return false;
  };
  std::vector<Response::DescribeLogDirsTopic> topics;
  for (const auto& [name, topic] : asked.state.topics()) {
    std::vector<Response::DescribeLogDirsPartition> parts;
    for (const auto& partition : topic->partitions) {
      if (!holds(*partition, asked.broker) || !wants(*topic, partition->index.value())) continue;
      auto& row = parts.emplace_back();
      row.partition_index = partition->index.value();
      row.partition_size = static_cast<std::int64_t>(partition->log.bytes());
    }
    if (!parts.empty()) topics.push_back({.name = topic->name, .partitions = keep(parts, asked)});
  }
  Response::DescribeLogDirsResult row;
  row.log_dir = directory;
  row.error_code = number_of(asked.planted);
  row.total_bytes = static_cast<std::int64_t>(asked.state.options().stored_bytes_max);
  row.usable_bytes = row.total_bytes - static_cast<std::int64_t>(asked.state.stored_bytes);
  if (asked.planted == ErrorCode::none) row.topics = keep(topics, asked);
  Response response;
  response.results = keep(std::vector<Response::DescribeLogDirsResult>{row}, asked);
  return answer(asked, response);
}

Answer describe_producers(Asked& asked) {
  protocol::DescribeProducersRequest message;
  if (!read(message, asked)) return {};
  using Response = protocol::DescribeProducersResponse;
  std::vector<Response::TopicResponse> topics;
  for (const auto& in : message.topics) {
    const Topic* const topic = asked.state.find(in.name);
    std::vector<Response::PartitionResponse> parts;
    for (const std::int32_t index : in.partition_indexes) {
      const Partition* const partition = topic == nullptr ? nullptr : topic->find(index);
      auto& row = parts.emplace_back();
      row.partition_index = index;
      ErrorCode error = asked.planted;
      if (error == ErrorCode::none && partition == nullptr) {
        error = ErrorCode::unknown_topic_or_partition;
      } else if (error == ErrorCode::none && partition->leader != asked.broker) {
        error = ErrorCode::not_leader_or_follower;
      }
      row.error_code = number_of(error);
      if (error != ErrorCode::none) continue;
      std::vector<Response::ProducerState> producers;
      for (const auto& entry : partition->producers.snapshot_entries()) {
        producers.push_back({.producer_id = entry.producer.value(),
                             .producer_epoch = entry.epoch.value(),
                             .last_sequence = entry.last_sequence.value(),
                             .last_timestamp = entry.timestamp.value(),
                             .coordinator_epoch = entry.coordinator_epoch.value(),
                             .current_txn_start_offset = entry.transaction_start.value()});
      }
      row.active_producers = keep(producers, asked);
    }
    topics.push_back({.name = in.name, .partitions = keep(parts, asked)});
  }
  Response response;
  response.topics = keep(topics, asked);
  return answer(asked, response);
}

}  // namespace millrace::mock
