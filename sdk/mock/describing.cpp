// Who is there: versions, brokers, topics, coordinators.
module;
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

module millrace.mock;

import millrace.base;
import millrace.protocol.api;
import millrace.protocol.metadata;
import millrace.protocol.wire;
import millrace.runtime.streams;
import :asked;
import :faults;
import :handlers;
import :options;
import :state;

namespace millrace::mock {
namespace {

using protocol::ApiVersionsResponse;
using protocol::Array;
using protocol::MetadataRequest;
using protocol::MetadataResponse;
using WireTopic = MetadataResponse::MetadataResponseTopic;
using WirePartition = MetadataResponse::MetadataResponsePartition;

constexpr std::string_view metadata_feature = "metadata.version";
// The level of Apache Kafka 4.3.
constexpr std::int16_t metadata_level = 30;
constexpr std::int16_t metadata_level_min = 7;
constexpr std::string_view transaction_feature = "transaction.version";
constexpr std::int16_t transaction_level = 2;
constexpr std::int16_t topic_ids_from = 12;
constexpr std::int16_t several_keys_from = 4;

WireTopic missing(ErrorCode error, protocol::String name, const Uuid& id) {
  WireTopic topic;
  topic.error_code = number_of(error);
  topic.name = name;
  topic.topic_id = id;
  return topic;
}

WirePartition described(const Partition& partition, Asked& asked) {
  WirePartition told;
  const bool led = partition.leader != no_broker;
  told.error_code = number_of(led ? ErrorCode::none : ErrorCode::leader_not_available);
  told.partition_index = partition.index.value();
  told.leader_id = partition.leader.value();
  told.leader_epoch = partition.epoch.value();
  told.replica_nodes = numbers_of(partition.replicas, asked);
  told.isr_nodes = numbers_of(partition.in_sync, asked);
  std::vector<BrokerId> offline;
  for (const BrokerId id : partition.replicas) {
    if (!asked.state.broker(id)->alive) offline.push_back(id);
  }
  told.offline_replicas = numbers_of(offline, asked);
  return told;
}

WireTopic described(const Topic& topic, Asked& asked) {
  WireTopic told;
  told.name = topic.name;
  told.topic_id = topic.id;
  std::vector<WirePartition> partitions;
  for (const auto& partition : topic.partitions) partitions.push_back(described(*partition, asked));
  told.partitions = keep(partitions, asked);
  return told;
}

WireTopic wanted(const MetadataRequest::MetadataRequestTopic& in, bool may_create, Asked& asked) {
  State& state = asked.state;
  if (asked.version() >= topic_ids_from && !in.topic_id.is_zero()) {
    const Topic* const topic = state.find(in.topic_id);
    if (topic == nullptr) {
      return missing(ErrorCode::unknown_topic_id, protocol::null_string, in.topic_id);
    }
    return described(*topic, asked);
  }
  if (in.name.data() == nullptr) {
    return missing(
        ErrorCode::invalid_request,
        asked.version() >= topic_ids_from ? protocol::null_string : protocol::empty_string, {});
  }
  if (const Topic* const topic = state.find(in.name)) return described(*topic, asked);
  const TopicOptions defaults{.partitions = state.options().partitions_default, .configs = {}};
  if (state.refusal_of(in.name, defaults) == ErrorCode::invalid_topic_exception) {
    return missing(ErrorCode::invalid_topic_exception, in.name, {});
  }
  if (may_create && state.options().auto_create_topics) {
    // As with a real cluster: the topic is there when the client asks again.
    state.create(in.name, defaults);
    asked.changed = true;
  }
  return missing(ErrorCode::unknown_topic_or_partition, in.name, {});
}

}  // namespace

Answer api_versions(Asked& asked, std::span<const Spoken> offered) {
  protocol::ApiVersionsRequest message;
  if (asked.request.version_supported && !read(message, asked)) return {};
  ApiVersionsResponse response;
  std::vector<ApiVersionsResponse::ApiVersion> keys;
  for (const Spoken& api : offered) {
    if (!asked.request.version_supported && api.api != ApiKey::api_versions) continue;
    keys.push_back({.api_key = static_cast<std::int16_t>(api.api),
                    .min_version = api.version_min,
                    .max_version = api.version_max});
  }
  response.api_keys = keep(keys, asked);
  if (!asked.request.version_supported) {
    response.error_code = number_of(ErrorCode::unsupported_version);
    // A client of any age can read version 0.
    asked.request.version = 0;
    return answer(asked, response);
  }
  response.error_code = number_of(asked.planted);
  response.supported_features = keep(
      std::vector<ApiVersionsResponse::SupportedFeatureKey>{
          {.name = metadata_feature,
           .min_version = metadata_level_min,
           .max_version = metadata_level},
          {.name = transaction_feature, .min_version = 0, .max_version = transaction_level}},
      asked);
  std::vector<ApiVersionsResponse::FinalizedFeatureKey> finalized{
      {.name = metadata_feature,
       .max_version_level = metadata_level,
       .min_version_level = metadata_level}};
  if (const auto level = asked.state.options().transaction_version; level > 0) {
    finalized.push_back(
        {.name = transaction_feature, .max_version_level = level, .min_version_level = level});
  }
  response.finalized_features = keep(finalized, asked);
  response.finalized_features_epoch = 1;
  return answer(asked, response);
}

Answer metadata(Asked& asked) {
  MetadataRequest message;
  if (!read(message, asked)) return {};
  MetadataResponse response;
  response.cluster_id = cluster_id;
  response.controller_id = asked.state.controller().value();
  std::vector<MetadataResponse::MetadataResponseBroker> brokers;
  for (const Broker& broker : asked.state.brokers()) {
    if (!broker.alive) continue;
    brokers.push_back({.node_id = broker.id.value(),
                       .host = broker.host,
                       .port = broker.address.port.value(),
                       .rack = protocol::null_string});
  }
  response.brokers = keep(brokers, asked);
  std::vector<WireTopic> topics;
  const bool all = message.topics.is_null() || (asked.version() == 0 && message.topics.empty());
  if (all && asked.planted == ErrorCode::none) {
    for (const auto& [name, topic] : asked.state.topics()) {
      topics.push_back(described(*topic, asked));
    }
  }
  for (const auto& in : message.topics) {
    if (asked.planted == ErrorCode::none) {
      topics.push_back(wanted(in, message.allow_auto_topic_creation, asked));
    } else {
      const bool may_be_null = asked.version() >= topic_ids_from || in.name.data() != nullptr;
      topics.push_back(
          missing(asked.planted, may_be_null ? in.name : protocol::empty_string, in.topic_id));
    }
  }
  response.topics = keep(topics, asked);
  response.error_code = all ? number_of(asked.planted) : number_of(ErrorCode::none);
  return answer(asked, response);
}

Answer find_coordinator(Asked& asked) {
  protocol::FindCoordinatorRequest message;
  if (!read(message, asked)) return {};
  const auto found = [&](protocol::String key) {
    protocol::FindCoordinatorResponse::Coordinator told;
    told.key = key;
    told.node_id = no_broker.value();
    told.port = -1;
    const BrokerId id = asked.state.coordinator_of(key);
    const Broker* const broker = asked.state.broker(id);
    const ErrorCode error = asked.planted != ErrorCode::none ? asked.planted
                            : broker == nullptr              ? ErrorCode::coordinator_not_available
                                                             : ErrorCode::none;
    told.error_code = number_of(error);
    if (error != ErrorCode::none) return told;
    told.node_id = id.value();
    told.host = broker->host;
    told.port = broker->address.port.value();
    return told;
  };
  protocol::FindCoordinatorResponse response;
  if (asked.version() < several_keys_from) {
    const auto told = found(message.key);
    response.error_code = told.error_code;
    response.node_id = told.node_id;
    response.host = told.host;
    response.port = told.port;
    return answer(asked, response);
  }
  std::vector<protocol::FindCoordinatorResponse::Coordinator> coordinators;
  for (const protocol::String key : message.coordinator_keys) coordinators.push_back(found(key));
  response.coordinators = keep(coordinators, asked);
  return answer(asked, response);
}

}  // namespace millrace::mock
