module;
#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

module millrace.client.core;

import millrace.base;

namespace millrace::client {

std::string to_string(const TopicPartition& partition) {
  return formatted("{}-{}", partition.topic, partition.partition);
}

const PartitionView* TopicView::find(PartitionIndex index) const {
  const auto found = std::ranges::lower_bound(partitions, index, {}, &PartitionView::index);
  return found != partitions.end() && found->index == index ? &*found : nullptr;
}

const TopicView* ClusterView::find(std::string_view topic) const {
  const auto found = topics_.find(topic);
  return found == topics_.end() ? nullptr : found->second.get();
}

const TopicView* ClusterView::find(const Uuid& topic_id) const {
  const auto found = topics_by_id_.find(topic_id);
  return found == topics_by_id_.end() ? nullptr : found->second.get();
}

const PartitionView* ClusterView::find(std::string_view topic, PartitionIndex partition) const {
  const TopicView* found = find(topic);
  return found == nullptr ? nullptr : found->find(partition);
}

const BrokerView* ClusterView::find(BrokerId broker) const {
  const auto found = std::ranges::lower_bound(brokers_, broker, {}, &BrokerView::id);
  return found != brokers_.end() && found->id == broker ? &*found : nullptr;
}

void ClusterView::set_brokers(std::vector<BrokerView> brokers) {
  std::ranges::stable_sort(brokers, {}, &BrokerView::id);
  // A broker that is named twice is where it was named first.
  const auto twice = std::ranges::unique(brokers, {}, &BrokerView::id);
  brokers.erase(twice.begin(), twice.end());
  brokers_ = std::move(brokers);
}

void ClusterView::set_topic(std::shared_ptr<const TopicView> topic) {
  remove_topic(topic->name);
  if (!topic->id.is_zero()) topics_by_id_[topic->id] = topic;
  std::string name = topic->name;
  topics_[std::move(name)] = std::move(topic);
}

void ClusterView::remove_topic(std::string_view name) {
  const auto found = topics_.find(name);
  if (found == topics_.end()) return;
  const auto by_id = topics_by_id_.find(found->second->id);
  if (by_id != topics_by_id_.end() && by_id->second->name == name) topics_by_id_.erase(by_id);
  topics_.erase(found);
}

void ClusterView::clear_topics() {
  topics_.clear();
  topics_by_id_.clear();
}

}  // namespace millrace::client
