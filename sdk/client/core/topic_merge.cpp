module;
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

module millrace.client.core;

import millrace.base;
import millrace.protocol.api;
import millrace.protocol.metadata;
import millrace.runtime.streams;
import :topic_merge;

namespace millrace::client {
namespace {

// A broker tells of all partitions of a topic, so that indexes stay below their number but for a
// few. One far beyond is not believed: what producers keep grows with the greatest.
constexpr std::size_t partitions_left_out_max = 10'000;

std::vector<BrokerId> broker_ids(const protocol::Array<std::int32_t>& numbers) {
  std::vector<BrokerId> ids;
  ids.reserve(numbers.size());
  for (const std::int32_t number : numbers) ids.emplace_back(number);
  return ids;
}

PartitionView partition_of(const protocol::MetadataResponse::MetadataResponsePartition& answer) {
  return {
      .index = PartitionIndex(answer.partition_index),
      .error = protocol::error_code_from(answer.error_code),
      .leader = BrokerId(std::max(answer.leader_id, no_broker.value())),
      .leader_epoch = LeaderEpoch(std::max(answer.leader_epoch, no_leader_epoch.value())),
      .replicas = broker_ids(answer.replica_nodes),
      .isr = broker_ids(answer.isr_nodes),
      .offline = broker_ids(answer.offline_replicas),
  };
}

// A topic that was deleted and made again counts its epochs anew.
bool is_same_topic(const TopicView& known, const Uuid& id) {
  return known.id.is_zero() || id.is_zero() || known.id == id;
}

}  // namespace

std::shared_ptr<const TopicView> merged_topic(
    const protocol::MetadataResponse::MetadataResponseTopic& answer, const TopicView* known) {
  auto topic = std::make_shared<TopicView>();
  topic->name = std::string(answer.name);
  topic->id = answer.topic_id;
  topic->error = protocol::error_code_from(answer.error_code);
  topic->is_internal = answer.is_internal;
  if (topic->error != ErrorCode::none) return topic;
  if (known != nullptr && !is_same_topic(*known, topic->id)) known = nullptr;
  const std::size_t believed = answer.partitions.size() + partitions_left_out_max;
  for (const auto& partition : answer.partitions) {
    const std::int32_t index = partition.partition_index;
    if (index < 0 || static_cast<std::size_t>(index) >= believed) continue;
    topic->partitions.push_back(partition_of(partition));
  }
  std::ranges::stable_sort(topic->partitions, {}, &PartitionView::index);
  const auto twice = std::ranges::unique(topic->partitions, {}, &PartitionView::index);
  topic->partitions.erase(twice.begin(), twice.end());
  if (known == nullptr) return topic;
  for (PartitionView& partition : topic->partitions) {
    const PartitionView* before = known->find(partition.index);
    // Without an epoch nobody knows which is newer: the answer counts.
    if (before != nullptr && partition.leader_epoch != no_leader_epoch &&
        before->leader_epoch > partition.leader_epoch) {
      partition = *before;
    }
  }
  return topic;
}

std::shared_ptr<const TopicView> with_leader(const TopicView& topic, PartitionIndex partition,
                                             BrokerId leader, LeaderEpoch epoch) {
  const PartitionView* known = topic.find(partition);
  if (known == nullptr || known->leader_epoch >= epoch) return nullptr;
  auto changed = std::make_shared<TopicView>(topic);
  PartitionView& place =
      changed->partitions[static_cast<std::size_t>(known - topic.partitions.data())];
  place.leader = leader;
  place.leader_epoch = epoch;
  place.error = ErrorCode::none;
  return changed;
}

std::vector<BrokerView> brokers_of(const protocol::MetadataResponse& answer) {
  std::vector<BrokerView> brokers;
  for (const auto& broker : answer.brokers) {
    const bool has_port = broker.port > 0 && broker.port <= 65'535;
    if (broker.node_id < 0 || broker.host.empty() || !has_port) continue;
    brokers.push_back({
        .id = BrokerId(broker.node_id),
        .address = {std::string(broker.host), Port(static_cast<std::uint16_t>(broker.port))},
        .rack =
            broker.rack.data() == nullptr ? std::nullopt : std::optional(std::string(broker.rack)),
    });
  }
  return brokers;
}

}  // namespace millrace::client
