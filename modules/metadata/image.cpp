module;
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

module millrace.metadata;

import millrace.base;

namespace millrace::metadata {
namespace {

template <class Map>
bool same_values(const Map& left, const Map& right) {
  if (left.size() != right.size()) return false;
  bool same = true;
  left.for_each([&](const auto& key, const auto& value) {
    const auto* other = right.find(key);
    same = same && other != nullptr && (*other == value || **other == *value);
  });
  return same;
}

bool same_levels(const Image::Features& left, const Image::Features& right) {
  if (left.size() != right.size()) return false;
  bool same = true;
  left.for_each([&](const auto& name, std::int16_t level) {
    const auto* other = right.find(name);
    same = same && other != nullptr && *other == level;
  });
  return same;
}

}  // namespace

bool Image::same_cluster(const Image& other) const {
  return cluster_id_ == other.cluster_id_ && metadata_version_ == other.metadata_version_ &&
         partition_count_ == other.partition_count_ &&
         next_producer_id_ == other.next_producer_id_ &&
         last_broker_epoch_ == other.last_broker_epoch_ && same_values(brokers_, other.brokers_) &&
         same_values(topics_, other.topics_) && same_values(topics_by_id_, other.topics_by_id_) &&
         same_values(configs_, other.configs_) && same_levels(features_, other.features_);
}

std::shared_ptr<const Image> empty_image() {
  return std::make_shared<const Image>();
}

}  // namespace millrace::metadata
