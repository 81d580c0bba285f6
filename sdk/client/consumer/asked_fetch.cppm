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
import :fetch_session;
import :fetcher;
import :positions;

namespace millrace::client {

// From this version on requests and answers know topics by their ids only, before it by names only.
inline constexpr std::int16_t fetch_version_with_ids = 13;
inline constexpr std::int16_t fetch_version_with_sessions = 7;

struct Fetcher::Asked {
  struct Named {
    std::shared_ptr<const TopicPartition> name;
    Uuid id;
    std::vector<protocol::FetchRequest::FetchPartition> partitions;
  };
  struct Forgotten {
    std::shared_ptr<const TopicPartition> name;
    Uuid id;
    std::vector<std::int32_t> partitions;
  };

  // One that the answer may tell of, whether or not the request names it.
  void wait_for(const PartitionProgress& partition, const Uuid& topic_id) {
    has_ids = has_ids && !topic_id.is_zero();
    names[topic_id] = partition.name;
    requests.emplace_back(*partition.name, partition.request);
  }
  void fill(const FetchSession::Request& request) {
    // Partitions of one topic come one after the other.
    for (const FetchItem& item : request.named) {
      protocol::FetchRequest::FetchPartition part;
      part.partition = item.name->partition.value();
      part.current_leader_epoch = item.wanted.leader_epoch.value();
      part.fetch_offset = item.wanted.offset.value();
      part.partition_max_bytes = item.wanted.bytes_max;
      topic_in(named, item).partitions.push_back(part);
    }
    for (const FetchItem& item : request.forgotten) {
      topic_in(forgotten, item).partitions.push_back(item.name->partition.value());
    }
    for (const Named& topic : named) {
      auto& row = named_rows.emplace_back();
      row.topic = topic.name->topic;
      row.topic_id = topic.id;
      row.partitions = std::span(std::as_const(topic.partitions));
    }
    for (const Forgotten& topic : forgotten) {
      auto& row = forgotten_rows.emplace_back();
      row.topic = topic.name->topic;
      row.topic_id = topic.id;
      row.partitions = std::span(std::as_const(topic.partitions));
    }
    message.session_id = request.id;
    message.session_epoch = request.epoch;
    message.topics = std::span(std::as_const(named_rows));
    message.forgotten_topics_data = std::span(std::as_const(forgotten_rows));
  }
  [[nodiscard]] bool is_incremental() const { return message.session_epoch > 0; }

  BrokerId broker = no_broker;
  bool has_ids = true;
  bool uses_ids = false;
  std::map<Uuid, std::shared_ptr<const TopicPartition>> names;  // by the id of the topic
  // Which request of the partition this is.
  std::vector<std::pair<TopicPartition, std::uint64_t>> requests;
  protocol::FetchRequest message;

 private:
  template <class Topic>
  static Topic& topic_in(std::vector<Topic>& topics, const FetchItem& item) {
    if (topics.empty() || topics.back().name->topic != item.name->topic ||
        topics.back().id != item.wanted.topic_id) {
      topics.push_back({item.name, item.wanted.topic_id, {}});
    }
    return topics.back();
  }

  std::vector<Named> named;
  std::vector<Forgotten> forgotten;
  std::vector<protocol::FetchRequest::FetchTopic> named_rows;
  std::vector<protocol::FetchRequest::ForgottenTopic> forgotten_rows;
};

}  // namespace millrace::client
