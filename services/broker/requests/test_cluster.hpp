// A cluster as tests make it: brokers, topics and settings put together by hand.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// The imports come after all that includes standard headers.
import millrace.base;
import millrace.metadata;

namespace millrace::broker {

inline Uuid uuid_of(std::uint8_t number) {
  Uuid id;
  id.bytes.fill(static_cast<std::byte>(number));
  return id;
}

inline std::vector<BrokerId> ids(std::initializer_list<std::int32_t> numbers) {
  std::vector<BrokerId> made;
  for (const std::int32_t number : numbers) made.emplace_back(number);
  return made;
}

// Brokers listen on PLAINTEXT at host-<id>:9092, and on INNER at inner-<id>:9093.
class Cluster {
 public:
  Cluster() : Cluster(metadata::empty_image()) {
    add(metadata::ClusterRecord{
        .cluster_id = uuid_of(9), .metadata_version = 1, .last_broker_epoch = BrokerEpoch(0)});
  }
  explicit Cluster(std::shared_ptr<const metadata::Image> base) : builder_(std::move(base)) {}

  Cluster& broker(std::int32_t id, bool fenced = false,
                  std::optional<std::string> rack = std::nullopt, bool has_inner = true) {
    metadata::Broker made;
    made.id = BrokerId(id);
    made.epoch = BrokerEpoch(id);
    made.incarnation = uuid_of(static_cast<std::uint8_t>(id));
    made.endpoints.push_back({.listener = "PLAINTEXT",
                              .host = "host-" + std::to_string(id),
                              .port = 9092,
                              .security_protocol = 0});
    if (has_inner) {
      made.endpoints.push_back({.listener = "INNER",
                                .host = "inner-" + std::to_string(id),
                                .port = 9093,
                                .security_protocol = 0});
    }
    made.rack = std::move(rack);
    made.fenced = fenced;
    return add(metadata::RegisterBrokerRecord{.broker = made});
  }

  Cluster& topic(std::string name, Uuid id, std::vector<metadata::Partition> partitions,
                 bool internal = false) {
    add(metadata::TopicRecord{.name = std::move(name), .id = id, .internal = internal});
    for (auto& partition : partitions) {
      add(metadata::PartitionRecord{.topic = id, .partition = std::move(partition)});
    }
    return *this;
  }

  // As many partitions, each on one broker that leads it.
  Cluster& topic(std::string name, Uuid id, std::int32_t partitions, std::int32_t broker = 1,
                 bool internal = false) {
    std::vector<metadata::Partition> made;
    for (std::int32_t i = 0; i < partitions; ++i) made.push_back(partition(i, broker, {broker}));
    return topic(std::move(name), id, std::move(made), internal);
  }

  static metadata::Partition partition(std::int32_t index, std::int32_t leader,
                                       std::initializer_list<std::int32_t> replicas) {
    metadata::Partition made;
    made.index = PartitionIndex(index);
    made.leader = BrokerId(leader);
    made.replicas = ids(replicas);
    made.isr = made.replicas;
    made.leader_epoch = LeaderEpoch(3);
    return made;
  }

  Cluster& config(metadata::ConfigKind kind, std::string resource, std::string name,
                  std::optional<std::string> value) {
    return add(metadata::ConfigRecord{.kind = kind,
                                      .resource = std::move(resource),
                                      .name = std::move(name),
                                      .value = std::move(value)});
  }

  Cluster& add(const metadata::Record& record) {
    const auto applied = builder_.apply(record);
    check(applied.has_value(), "a test makes a legal cluster");
    return *this;
  }

  std::shared_ptr<const metadata::Image> image() {
    builder_.skip(metadata::MetadataOffset(++offset_));
    return builder_.take().first;
  }

 private:
  metadata::ImageBuilder builder_;
  std::int64_t offset_ = 41;
};

}  // namespace millrace::broker
