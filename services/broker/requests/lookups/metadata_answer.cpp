module;
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

module millrace.broker.requests.lookups;

import millrace.base;
import millrace.broker.requests.ports;
import millrace.metadata;
import millrace.protocol.api;
import millrace.protocol.metadata;
import millrace.protocol.wire;

namespace millrace::broker {
namespace {

using protocol::Arena;
using protocol::Array;
using protocol::ErrorCode;
using protocol::MetadataRequest;
using protocol::MetadataResponse;
using security::Operation;
using security::ResourceType;
using WirePartition = MetadataResponse::MetadataResponsePartition;
using WireTopic = MetadataResponse::MetadataResponseTopic;

// From this version on a topic may be asked for by its id.
constexpr std::int16_t ids_from = 12;
constexpr std::int16_t listener_error_from = 6;

constexpr std::int16_t code(ErrorCode error) {
  return static_cast<std::int16_t>(error);
}

class Answering {
 public:
  Answering(const MetadataRequest& request, std::int16_t version, const ClusterView& view,
            bool may_create, Arena& arena)
      : request_(request), version_(version), view_(view), may_create_(may_create), arena_(arena) {}

  MetadataAnswer answer(std::string_view cluster_id) {
    MetadataResponse& message = answer_.message;
    message.cluster_id = cluster_id;
    message.controller_id = view_.told_as_controller().value();
    message.brokers = brokers();
    if (asks_for_all()) {
      tell_all();
    } else {
      tell_asked();
    }
    message.topics = keep(topics_);
    const bool asks_cluster = version_ >= 8 && version_ <= 10;
    if (asks_cluster && request_.include_cluster_authorized_operations) {
      message.cluster_authorized_operations = view_.permissions.operations_on_cluster();
    }
    return std::move(answer_);
  }

 private:
  // Version 0 has no null: there an empty array asks for all.
  [[nodiscard]] bool asks_for_all() const {
    return request_.topics.is_null() || (version_ == 0 && request_.topics.empty());
  }

  template <class T>
  Array<T> keep(const std::vector<T>& items) {
    if (items.empty()) return {};
    T* const kept = arena_.make_array<T>(items.size());
    std::copy(items.begin(), items.end(), kept);
    return {kept, static_cast<std::int32_t>(items.size())};
  }

  Array<MetadataResponse::MetadataResponseBroker> brokers() {
    std::vector<MetadataResponse::MetadataResponseBroker> told;
    view_.image.for_each_broker([&](const metadata::Broker& broker) {
      const metadata::Endpoint* const endpoint = view_.endpoint_of(broker.id);
      if (endpoint == nullptr) return;
      told.push_back(
          {.node_id = broker.id.value(),
           .host = endpoint->host,
           .port = endpoint->port,
           .rack = broker.rack ? protocol::String(*broker.rack) : protocol::null_string});
    });
    return keep(told);
  }

  void tell_all() {
    view_.image.for_each_topic([&](const metadata::Topic& topic) {
      if (may(Operation::describe, topic.name)) tell(topic);
    });
  }

  void tell_asked() {
    // Clients choose them: in a hash table all could fall into one place.
    std::set<std::string_view> names;
    std::set<Uuid> ids;
    for (const auto& asked : request_.topics) {
      if (version_ >= ids_from && !asked.topic_id.is_zero()) {
        if (ids.insert(asked.topic_id).second) tell_by_id(asked.topic_id);
      } else if (asked.name.data() == nullptr) {
        // Neither a name nor an id.
        topics_.push_back(failed(ErrorCode::invalid_request, version_ >= ids_from
                                                                 ? protocol::null_string
                                                                 : protocol::empty_string));
      } else if (names.insert(asked.name).second) {
        tell_by_name(asked.name);
      }
    }
  }

  void tell_by_id(const Uuid& id) {
    const auto topic = view_.image.topic(id);
    if (topic != nullptr && may(Operation::describe, topic->name)) {
      tell(*topic);
      return;
    }
    // Whoever may not see a topic is not told that it is there.
    WireTopic unknown = failed(ErrorCode::unknown_topic_id, protocol::null_string);
    unknown.topic_id = id;
    topics_.push_back(unknown);
  }

  void tell_by_name(std::string_view name) {
    if (!may(Operation::describe, name)) {
      topics_.push_back(failed(ErrorCode::topic_authorization_failed, name));
      return;
    }
    if (const auto topic = view_.image.topic(name); topic != nullptr) {
      tell(*topic);
      return;
    }
    WireTopic missing = failed(error_of_missing(name), name);
    missing.is_internal = is_internal_topic(name);
    missing.topic_authorized_operations = operations_on(name);
    topics_.push_back(missing);
  }

  ErrorCode error_of_missing(std::string_view name) {
    if (!check_topic_name(name)) {
      if (answer_.illegal_count++ == 0) answer_.first_illegal = name;
      return ErrorCode::invalid_topic_exception;
    }
    if (!may_create_ || !request_.allow_auto_topic_creation) {
      return ErrorCode::unknown_topic_or_partition;
    }
    if (!view_.permissions.may_create_topic(name)) return ErrorCode::topic_authorization_failed;
    answer_.to_create.push_back(name);
    return ErrorCode::unknown_topic_or_partition;
  }

  static WireTopic failed(ErrorCode error, protocol::String name) {
    WireTopic topic;
    topic.error_code = code(error);
    topic.name = name;
    return topic;
  }

  void tell(const metadata::Topic& topic) {
    WireTopic told;
    told.name = topic.name;
    told.topic_id = topic.id;
    told.is_internal = topic.internal;
    told.topic_authorized_operations = operations_on(topic.name);
    if (!topic.partitions.empty()) {
      auto* const partitions = arena_.make_array<WirePartition>(topic.partitions.size());
      std::transform(topic.partitions.begin(), topic.partitions.end(), partitions,
                     [this](const metadata::Partition& partition) { return seen(partition); });
      told.partitions = {partitions, static_cast<std::int32_t>(topic.partitions.size())};
    }
    topics_.push_back(told);
  }

  WirePartition seen(const metadata::Partition& partition) {
    const SeenLeader leader = seen_leader(partition, view_, version_ >= listener_error_from);
    WirePartition told;
    told.error_code = code(leader.error);
    told.partition_index = partition.index.value();
    told.leader_id = leader.id.value();
    told.leader_epoch = partition.leader_epoch.value();
    told.replica_nodes = ids_of(partition.replicas, arena_);
    told.isr_nodes = ids_of(partition.isr, arena_);
    told.offline_replicas = offline_of(partition.replicas, view_, arena_);
    return told;
  }

  [[nodiscard]] bool may(Operation operation, std::string_view topic) const {
    return view_.permissions.may(operation, ResourceType::topic, topic);
  }
  [[nodiscard]] std::int32_t operations_on(std::string_view topic) const {
    if (version_ < 8 || !request_.include_topic_authorized_operations) return operations_not_asked;
    return view_.permissions.operations_on_topic(topic);
  }

  const MetadataRequest& request_;
  std::int16_t version_;
  const ClusterView& view_;
  bool may_create_;
  Arena& arena_;
  MetadataAnswer answer_;
  std::vector<WireTopic> topics_;
};

}  // namespace

MetadataAnswer answer_metadata(const MetadataRequest& request, std::int16_t version,
                               const ClusterView& view, bool may_create,
                               std::string_view cluster_id, Arena& arena) {
  return Answering(request, version, view, may_create, arena).answer(cluster_id);
}

}  // namespace millrace::broker
