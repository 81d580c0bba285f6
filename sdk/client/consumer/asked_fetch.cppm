// A Fetch request with all that it views.
module;
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

module millrace.client.consumer:asked_fetch;

import millrace.base;
import millrace.client.core;
import millrace.protocol.fetch;
import :fetcher;
import :positions;

namespace millrace::client {

struct Fetcher::Asked {
  struct Topic {
    std::shared_ptr<const TopicPartition> name;
    Uuid id;
    std::vector<protocol::FetchRequest::FetchPartition> partitions;
  };

  // Partitions of one topic come one after the other.
  void add(const PartitionProgress& partition, const Uuid& topic_id,
           const protocol::FetchRequest::FetchPartition& item) {
    if (topics.empty() || topics.back().name->topic != partition.name->topic) {
      topics.push_back({partition.name, topic_id, {}});
      has_ids = has_ids && !topic_id.is_zero();
      names[topic_id] = partition.name;
    }
    topics.back().partitions.push_back(item);
    requests.emplace_back(*partition.name, partition.request);
  }
  void finish() {
    for (const Topic& topic : topics) {
      auto& item = items.emplace_back();
      item.topic = topic.name->topic;
      item.topic_id = topic.id;
      item.partitions = std::span(std::as_const(topic.partitions));
    }
    message.topics = std::span(std::as_const(items));
  }

  std::vector<Topic> topics;
  std::map<Uuid, std::shared_ptr<const TopicPartition>> names;  // by the id of the topic
  bool has_ids = true;
  // Which request of the partition this is.
  std::vector<std::pair<TopicPartition, std::uint64_t>> requests;
  std::vector<protocol::FetchRequest::FetchTopic> items;
  protocol::FetchRequest message;
};

}  // namespace millrace::client
