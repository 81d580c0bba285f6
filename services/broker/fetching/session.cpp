module;
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <limits>
#include <list>
#include <map>
#include <string>
#include <utility>

module millrace.broker.fetching;

import millrace.base;
import millrace.protocol.fetch;

namespace millrace::broker {

SessionEpoch next_epoch(SessionEpoch epoch) {
  if (epoch.value() < 0) return final_session_epoch;
  if (epoch.value() == std::numeric_limits<std::int32_t>::max()) return SessionEpoch(1);
  return epoch.next();
}

WantedPartition wanted_partition(const protocol::FetchRequest::FetchPartition& partition) {
  return {.offset = Offset(partition.fetch_offset),
          .current_leader_epoch = LeaderEpoch(partition.current_leader_epoch),
          .last_fetched_epoch = LeaderEpoch(partition.last_fetched_epoch),
          .bytes_max = partition.partition_max_bytes};
}

void FetchSession::add(FetchKey key, const WantedPartition& wanted) {
  const auto known = places_.find(key);
  if (known != places_.end()) {
    known->second->wanted = wanted;
    return;
  }
  order_.push_back({.key = key, .wanted = wanted});
  places_.emplace(std::move(key), std::prev(order_.end()));
}

void FetchSession::update(const protocol::FetchRequest& request) {
  for (const auto& topic : request.topics) {
    for (const auto& partition : topic.partitions) {
      add({std::string(topic.topic), topic.topic_id, PartitionIndex(partition.partition)},
          wanted_partition(partition));
    }
  }
  for (const auto& topic : request.forgotten_topics_data) {
    FetchKey key{std::string(topic.topic), topic.topic_id, PartitionIndex(0)};
    for (const std::int32_t partition : topic.partitions) {
      key.partition = PartitionIndex(partition);
      const auto known = places_.find(key);
      if (known == places_.end()) continue;
      order_.erase(known->second);
      places_.erase(known);
    }
  }
}

FetchSession::Entries::iterator FetchSession::find(const FetchKey& key) {
  const auto known = places_.find(key);
  return known == places_.end() ? order_.end() : known->second;
}

bool FetchSession::tell(Entry& entry, const ToldPartition& told) {
  bool must = told.record_bytes > 0 || told.diverges;
  if (entry.high_watermark != told.high_watermark) must = true;
  if (entry.log_start != told.log_start) must = true;
  entry.high_watermark = told.high_watermark;
  entry.log_start = told.log_start;
  if (told.error != ErrorCode::none) {
    // Whatever comes after an error is news.
    entry.high_watermark = no_offset;
    entry.log_start = no_offset;
    must = true;
  }
  return must;
}

}  // namespace millrace::broker
