module;
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "planted.hpp"

module millrace.metadata;

import millrace.base;
import :limits;

namespace millrace::metadata {
namespace {

Result<void> corrupt(std::string what) {
  return failure(ErrorKind::corrupt, std::move(what));
}

bool unique(const std::vector<BrokerId>& brokers) {
  return std::set<BrokerId>(brokers.begin(), brokers.end()).size() == brokers.size();
}

// Whether `part` names replicas only, each once.
bool within(const std::vector<BrokerId>& part, const std::vector<BrokerId>& replicas) {
  return unique(part) && std::ranges::all_of(part, [&](BrokerId broker) {
           return std::ranges::find(replicas, broker) != replicas.end();
         });
}

bool consistent(const Partition& partition) {
  if (partition.replicas.empty() || !unique(partition.replicas)) return false;
  if (!within(partition.isr, partition.replicas)) return false;
  if (!within(partition.elr, partition.replicas)) return false;
  return partition.leader == no_broker || within({partition.leader}, partition.isr);
}

std::string name_of(Uuid topic, PartitionIndex partition) {
  return formatted("{}-{}", to_string(topic), partition.value());
}

}  // namespace

ImageBuilder::ImageBuilder(std::shared_ptr<const Image> base) : image_(*base) {}

Result<void> ImageBuilder::apply(ByteView entry, MetadataOffset offset) {
  auto read = read_entry(entry, [this](const Record& record) { return apply(record); });
  if (read) image_.offset_ = offset;
  return read;
}

Result<void> ImageBuilder::apply(const Record& record) {
  return std::visit([this](const auto& one) { return on(one); }, record);
}

void ImageBuilder::begin_snapshot() {
  image_ = Image();
  changing_.clear();
  touched_topics_.clear();
  touched_brokers_.clear();
  touched_configs_.clear();
  unread_.clear();
  delta_ = {};
  delta_.everything = true;
}

Result<void> ImageBuilder::apply_snapshot(ByteView part) {
  unread_.insert(unread_.end(), part.begin(), part.end());
  ByteReader reader(unread_);
  while (true) {
    ByteReader ahead = reader;
    const auto length = ahead.integer<std::uint32_t>();
    if (ahead.failed()) break;
    if (length > entry_bytes_max) return corrupt("a piece of a snapshot is too long");
    const ByteView entry = ahead.bytes(length);
    if (ahead.failed()) break;
    auto read = read_entry(entry, [this](const Record& record) { return apply(record); });
    if (!read) return read;
    reader = ahead;
  }
  unread_.erase(unread_.begin(), unread_.begin() + static_cast<std::ptrdiff_t>(reader.position()));
  return {};
}

Result<void> ImageBuilder::end_snapshot(MetadataOffset offset) {
  if (!unread_.empty()) return corrupt("a snapshot ends within a piece");
  image_.offset_ = offset;
  return {};
}

std::pair<std::shared_ptr<const Image>, Delta> ImageBuilder::take() {
  settle();
  for (const Uuid& id : touched_topics_) {
    if (image_.topics_by_id_.find(id) != nullptr) delta_.topics.push_back(id);
  }
  delta_.brokers.assign(touched_brokers_.begin(), touched_brokers_.end());
  delta_.configs.assign(touched_configs_.begin(), touched_configs_.end());
  touched_topics_.clear();
  touched_brokers_.clear();
  touched_configs_.clear();
  return {std::make_shared<const Image>(image_), std::exchange(delta_, {})};
}

void ImageBuilder::settle() {
  for (auto& [id, topic] : changing_) {
    std::shared_ptr<const Topic> made = std::move(topic);
    image_.topics_ = image_.topics_.with(made->name, made);
    image_.topics_by_id_ = image_.topics_by_id_.with(id, std::move(made));
  }
  changing_.clear();
}

Topic* ImageBuilder::changing(Uuid topic) {
  const auto found = changing_.find(topic);
  if (found != changing_.end()) return found->second.get();
  const auto* known = image_.topics_by_id_.find(topic);
  if (known == nullptr) return nullptr;
  touched_topics_.insert(topic);
  return changing_.emplace(topic, std::make_shared<Topic>(**known)).first->second.get();
}

Result<void> ImageBuilder::on(const ClusterRecord& record) {
  if (record.metadata_version < metadata_version_min ||
      record.metadata_version > metadata_version_latest) {
    return failure(
        ErrorKind::unsupported,
        formatted("the cluster is at metadata.version {}; this program knows {} to {}",
                  record.metadata_version, metadata_version_min, metadata_version_latest));
  }
  if (record.cluster_id.is_zero()) return corrupt("a cluster has no id");
  if (!image_.cluster_id_.is_zero() && image_.cluster_id_ != record.cluster_id) {
    return corrupt(formatted("cluster {} is called {}", to_string(image_.cluster_id_),
                             to_string(record.cluster_id)));
  }
  image_.cluster_id_ = record.cluster_id;
  image_.metadata_version_ = record.metadata_version;
  image_.last_broker_epoch_ = std::max(image_.last_broker_epoch_, record.last_broker_epoch);
  return {};
}

Result<void> ImageBuilder::on(const FeatureRecord& record) {
  image_.features_ = record.level == 0 ? image_.features_.without(record.name)
                                       : image_.features_.with(record.name, record.level);
  return {};
}

Result<void> ImageBuilder::on(const RegisterBrokerRecord& record) {
  const Broker& broker = record.broker;
  if (broker.id < BrokerId(0)) return corrupt("a broker has a negative id");
  image_.brokers_ = image_.brokers_.with(broker.id, std::make_shared<const Broker>(broker));
  image_.last_broker_epoch_ = std::max(image_.last_broker_epoch_, broker.epoch);
  touched_brokers_.insert(broker.id);
  return {};
}

Result<void> ImageBuilder::on(const BrokerChangeRecord& record) {
  const Broker* known = image_.broker(record.broker);
  if (known == nullptr || known->epoch != record.epoch) {
    return corrupt(formatted("a change of broker {}, which is not registered at epoch {}",
                             record.broker.value(), record.epoch.value()));
  }
  Broker changed = *known;
  if (record.fenced) changed.fenced = *record.fenced;
  if (record.in_controlled_shutdown) {
    changed.in_controlled_shutdown = *record.in_controlled_shutdown;
  }
  image_.brokers_ =
      image_.brokers_.with(record.broker, std::make_shared<const Broker>(std::move(changed)));
  touched_brokers_.insert(record.broker);
  return {};
}

Result<void> ImageBuilder::on(const UnregisterBrokerRecord& record) {
  const Broker* known = image_.broker(record.broker);
  if (known == nullptr || known->epoch != record.epoch) {
    return corrupt(formatted("the end of broker {}, which is not registered at epoch {}",
                             record.broker.value(), record.epoch.value()));
  }
  image_.brokers_ = image_.brokers_.without(record.broker);
  touched_brokers_.insert(record.broker);
  return {};
}

Result<void> ImageBuilder::on(const TopicRecord& record) {
  settle();
  if (record.id.is_zero() || record.name.empty()) return corrupt("a topic has no name or no id");
  if (image_.topic(record.name) || image_.topic(record.id)) {
    return corrupt(
        formatted("topic {} with id {} is made twice", record.name, to_string(record.id)));
  }
  auto topic = std::make_shared<Topic>();
  topic->name = record.name;
  topic->id = record.id;
  topic->internal = record.internal;
  // So that another topic with its name is found at once.
  image_.topics_ = image_.topics_.with(record.name, topic);
  image_.topics_by_id_ = image_.topics_by_id_.with(record.id, topic);
  touched_topics_.insert(record.id);
  return {};
}

Result<void> ImageBuilder::on(const PartitionRecord& record) {
  Topic* topic = changing(record.topic);
  if (topic == nullptr) {
    return corrupt(
        formatted("a partition of topic {}, which is not there", to_string(record.topic)));
  }
  const Partition& partition = record.partition;
  if (partition.index != PartitionIndex(static_cast<std::int32_t>(topic->partitions.size()))) {
    return corrupt(formatted("partition {} does not follow those that topic {} has",
                             partition.index.value(), topic->name));
  }
  if (!consistent(partition)) {
    return corrupt(formatted("the replicas of partition {} do not fit together",
                             name_of(record.topic, partition.index)));
  }
  topic->partitions.push_back(partition);
  ++image_.partition_count_;
  return {};
}

Result<void> ImageBuilder::on(const PartitionChangeRecord& record) {
  Topic* topic = changing(record.topic);
  const auto index = static_cast<std::size_t>(record.partition.value());
  if (topic == nullptr || record.partition.value() < 0 || index >= topic->partitions.size()) {
    return corrupt(formatted("a change of partition {}, which is not there",
                             name_of(record.topic, record.partition)));
  }
  Partition& partition = topic->partitions[index];
  if (record.replicas) partition.replicas = *record.replicas;
  if (record.isr) partition.isr = *record.isr;
  if (record.elr) partition.elr = *record.elr;
  if (record.leader) {
    partition.leader = *record.leader;
    if (!planted(Planted::leader_epoch_kept)) {
      partition.leader_epoch = partition.leader_epoch.next();
    }
  }
  ++partition.partition_epoch;
  if (!consistent(partition)) {
    return corrupt(formatted("the replicas of partition {} do not fit together",
                             name_of(record.topic, record.partition)));
  }
  return {};
}

Result<void> ImageBuilder::on(const RemoveTopicRecord& record) {
  settle();
  const auto topic = image_.topic(record.topic);
  if (!topic) {
    return corrupt(formatted("the end of topic {}, which is not there", to_string(record.topic)));
  }
  image_.topics_ = image_.topics_.without(topic->name);
  image_.topics_by_id_ = image_.topics_by_id_.without(topic->id);
  image_.partition_count_ -= topic->partitions.size();
  delta_.removed_topics.emplace_back(topic->name, topic->id);
  const std::pair<ConfigKind, std::string> key(ConfigKind::topic, topic->name);
  if (image_.configs_.find(key) != nullptr && !planted(Planted::settings_outlive_topic)) {
    image_.configs_ = image_.configs_.without(key);
    if (!planted(Planted::delta_without_settings)) touched_configs_.insert(key);
  }
  return {};
}

Result<void> ImageBuilder::on(const ConfigRecord& record) {
  const std::pair<ConfigKind, std::string> key(record.kind, record.resource);
  const auto* known = image_.configs_.find(key);
  ConfigMap changed = known == nullptr ? ConfigMap() : **known;
  if (record.value) {
    changed[record.name] = *record.value;
  } else {
    changed.erase(record.name);
  }
  image_.configs_ =
      changed.empty()
          ? image_.configs_.without(key)
          : image_.configs_.with(key, std::make_shared<const ConfigMap>(std::move(changed)));
  touched_configs_.insert(key);
  return {};
}

Result<void> ImageBuilder::on(const ProducerIdsRecord& record) {
  if (record.next < image_.next_producer_id_) return corrupt("producer ids were given out twice");
  image_.next_producer_id_ = record.next;
  return {};
}

}  // namespace millrace::metadata
