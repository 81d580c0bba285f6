// A broker that tells of a cluster, and a Metadata that asks it, for tests.
#pragma once

#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "scripted_broker.hpp"

import millrace.client.core;
import millrace.protocol;

namespace millrace::client {

struct PartitionSaid {
  std::int32_t leader = 1;
  std::int32_t epoch = 0;
  ErrorCode error = ErrorCode::none;
  std::optional<std::int32_t> index = std::nullopt;  // none: by its place
};
struct TopicSaid {
  std::vector<PartitionSaid> partitions;
  ErrorCode error = ErrorCode::none;
  std::uint8_t id = 1;
};

inline Uuid uuid_of(std::uint8_t last) {
  Uuid id;
  id.bytes.back() = std::byte{last};
  return id;
}

// A broker that tells of `topics`, and a Metadata that asks it.
class MetadataMachine : public BrokersMachine {
 public:
  explicit MetadataMachine(std::uint64_t seed = 1) : BrokersMachine(seed) {
    settings.request_timeout = std::chrono::seconds{5};
    start_broker();
    broker->react = [this](const Heard& heard) {
      if (heard.api == protocol::ApiKey::api_versions) return say_versions(heard);
      Reaction reaction = tell(heard);
      reaction.after = delay;
      return reaction;
    };
  }
  ~MetadataMachine() {
    if (brokers) run(brokers->close());
    if (metadata) run(metadata->close());
    brokers.reset();
  }
  Metadata& start_metadata(MetadataOptions options = {}) {
    brokers.emplace(executor, network, resolver, settings, Logger(log, "test"), Random(7));
    metadata.emplace(executor, *brokers, settings, options, Logger(log, "test"), Random(8));
    return *metadata;
  }
  [[nodiscard]] std::size_t asked() const { return broker->count(protocol::ApiKey::metadata); }
  // The names that the newest request asked for; "*" for all.
  [[nodiscard]] std::vector<std::string> names_asked() const {
    return names_of(broker->heard.back());
  }
  [[nodiscard]] static std::vector<std::string> names_of(const Heard& heard) {
    protocol::Arena arena(1 * mebibyte);
    protocol::MetadataRequest request;
    check(decode(request, heard.body, heard.version, arena).has_value(), "a request can be read");
    if (request.topics.is_null()) return {"*"};
    std::vector<std::string> names;
    for (const auto& topic : request.topics) names.emplace_back(topic.name);
    return names;
  }

  std::map<std::string, TopicSaid> topics;
  std::int32_t brokers_said = 1;
  ErrorCode error = ErrorCode::none;
  Duration delay{};
  std::optional<Metadata> metadata;

 private:
  Reaction tell(const Heard& heard) {
    std::vector<protocol::MetadataResponse::MetadataResponseBroker> said;
    for (std::int32_t id = 1; id <= brokers_said; ++id) {
      said.push_back(
          {.node_id = id, .host = "127.0.0.1", .port = 9091 + id, .rack = protocol::null_string});
    }
    std::map<std::string, TopicSaid> told;
    const auto names = names_of(heard);
    for (const std::string& name : names) {
      const auto known = topics.find(name);
      told[name] = known == topics.end()
                       ? TopicSaid{.partitions = {}, .error = ErrorCode::unknown_topic_or_partition}
                       : known->second;
    }
    if (names == std::vector<std::string>{"*"}) told = topics;
    std::vector<std::vector<protocol::MetadataResponse::MetadataResponsePartition>> partitions;
    std::vector<protocol::MetadataResponse::MetadataResponseTopic> answers;
    for (const auto& [name, topic] : told) {
      auto& list = partitions.emplace_back();
      std::int32_t index = 0;
      for (const PartitionSaid& partition : topic.partitions) {
        protocol::MetadataResponse::MetadataResponsePartition one;
        one.error_code = static_cast<std::int16_t>(partition.error);
        one.partition_index = partition.index.value_or(index);
        ++index;
        one.leader_id = partition.leader;
        one.leader_epoch = partition.epoch;
        list.push_back(one);
      }
    }
    std::size_t place = 0;
    for (const auto& [name, topic] : told) {
      protocol::MetadataResponse::MetadataResponseTopic one;
      one.error_code = static_cast<std::int16_t>(topic.error);
      one.name = name;
      if (topic.error == ErrorCode::none) one.topic_id = uuid_of(topic.id);
      one.partitions = protocol::Array<protocol::MetadataResponse::MetadataResponsePartition>(
          partitions[place++]);
      answers.push_back(one);
    }
    protocol::MetadataResponse response;
    response.brokers = protocol::Array<protocol::MetadataResponse::MetadataResponseBroker>(said);
    response.cluster_id = "cluster";
    response.controller_id = 1;
    response.topics = protocol::Array<protocol::MetadataResponse::MetadataResponseTopic>(answers);
    response.error_code = static_cast<std::int16_t>(error);
    return answer(heard, response);
  }
};

inline TopicSaid one_partition(std::int32_t leader, std::int32_t epoch) {
  return {.partitions = {{.leader = leader, .epoch = epoch}}};
}
inline TopicPartition place(std::string topic, std::int32_t partition = 0) {
  return {std::move(topic), PartitionIndex(partition)};
}

}  // namespace millrace::client
