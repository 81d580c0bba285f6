// From an answer about the cluster to what is kept of it. Inside this module only.
module;
#include <memory>
#include <span>
#include <vector>

export module millrace.client.core:topic_merge;

import millrace.base;
import millrace.protocol.metadata;
import :brokers;
import :cluster_view;
import :settings;

export namespace millrace::client {

// What the answer says of a topic, but nothing that is older than what `known` (or null) says of
// the same topic: a partition keeps its leader where the answer names an earlier epoch. A topic
// with an error has no partitions.
[[nodiscard]] std::shared_ptr<const TopicView> merged_topic(
    const protocol::MetadataResponse::MetadataResponseTopic& answer, const TopicView* known);

// The topic with another leader of one partition, or null if that is no news.
[[nodiscard]] std::shared_ptr<const TopicView> with_leader(const TopicView& topic,
                                                           PartitionIndex partition,
                                                           BrokerId leader, LeaderEpoch epoch);

// Brokers whose address is not one are left out.
[[nodiscard]] std::vector<BrokerView> brokers_of(const protocol::MetadataResponse& answer);

}  // namespace millrace::client
