// The cluster at one place of the controllers' log.
module;
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

export module millrace.metadata:image;

import millrace.base;
import :persistent_map;
import :types;

export namespace millrace::metadata {

// Orders what has settings by kind and name.
struct ConfigOrder {
  template <class Left, class Right>
  [[nodiscard]] bool operator()(const Left& left, const Right& right) const {
    if (left.first != right.first) return left.first < right.first;
    return std::string_view(left.second) < std::string_view(right.second);
  }
};

// All that is known of the cluster after an entry of the controllers' log: brokers, topics,
// settings. Never changes; always behind std::shared_ptr<const Image>, and any thread may read it.
// ImageBuilder makes the next one, at a cost in proportion to what changes.
class Image {
 public:
  using Brokers = PersistentMap<BrokerId, std::shared_ptr<const Broker>>;
  using TopicsByName = PersistentMap<std::string, std::shared_ptr<const Topic>>;
  using TopicsById = PersistentMap<Uuid, std::shared_ptr<const Topic>>;
  // By kind and name: the default of all brokers has the name "".
  using Configs = PersistentMap<std::pair<ConfigKind, std::string>,
                                std::shared_ptr<const ConfigMap>, ConfigOrder>;
  using Features = PersistentMap<std::string, std::int16_t>;

  // Of the last entry that is in it.
  [[nodiscard]] MetadataOffset offset() const { return offset_; }
  // Zero: nothing is known yet.
  [[nodiscard]] Uuid cluster_id() const { return cluster_id_; }
  [[nodiscard]] std::int16_t metadata_version() const { return metadata_version_; }

  // Null: not registered.
  [[nodiscard]] const Broker* broker(BrokerId id) const {
    const auto* found = brokers_.find(id);
    return found == nullptr ? nullptr : found->get();
  }
  // By id.
  template <class Function>
  void for_each_broker(Function&& function) const {
    brokers_.for_each([&](BrokerId, const auto& broker) { function(*broker); });
  }
  [[nodiscard]] std::size_t broker_count() const { return brokers_.size(); }

  // Null: there is none.
  [[nodiscard]] std::shared_ptr<const Topic> topic(std::string_view name) const {
    const auto* found = topics_.find(name);
    return found == nullptr ? nullptr : *found;
  }
  [[nodiscard]] std::shared_ptr<const Topic> topic(Uuid id) const {
    const auto* found = topics_by_id_.find(id);
    return found == nullptr ? nullptr : *found;
  }
  // By name.
  template <class Function>
  void for_each_topic(Function&& function) const {
    topics_.for_each([&](const std::string&, const auto& topic) { function(*topic); });
  }
  [[nodiscard]] std::size_t topic_count() const { return topics_.size(); }
  [[nodiscard]] std::size_t partition_count() const { return partition_count_; }

  // Null: nothing is set. The default of all brokers has the name "".
  [[nodiscard]] const ConfigMap* config(ConfigKind kind, std::string_view name) const {
    const auto* found = configs_.find(std::pair<ConfigKind, std::string_view>(kind, name));
    return found == nullptr ? nullptr : found->get();
  }
  // function(kind, name, settings)
  template <class Function>
  void for_each_config(Function&& function) const {
    configs_.for_each(
        [&](const auto& key, const auto& map) { function(key.first, key.second, *map); });
  }

  // Names and levels, without metadata.version.
  [[nodiscard]] const Features& features() const { return features_; }
  // The first producer id that no broker was given.
  [[nodiscard]] ProducerId next_producer_id() const { return next_producer_id_; }
  // The highest that any broker ever had.
  [[nodiscard]] BrokerEpoch last_broker_epoch() const { return last_broker_epoch_; }

  // Whether both say the same of the cluster, at whatever offset.
  [[nodiscard]] bool same_cluster(const Image& other) const;

 private:
  friend class ImageBuilder;

  MetadataOffset offset_;
  Uuid cluster_id_;
  std::int16_t metadata_version_ = 0;
  Brokers brokers_;
  TopicsByName topics_;
  TopicsById topics_by_id_;
  std::size_t partition_count_ = 0;
  Configs configs_;
  Features features_;
  ProducerId next_producer_id_;
  BrokerEpoch last_broker_epoch_;
};

// Without a cluster.
[[nodiscard]] std::shared_ptr<const Image> empty_image();

}  // namespace millrace::metadata
