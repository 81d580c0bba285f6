module;
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

module millrace.broker.fetching;

import millrace.base;
import millrace.broker.partitions;
import millrace.metadata;
import millrace.protocol.fetch;
import millrace.storage.log;
import millrace.storage.producers;

namespace millrace::broker {

void FetchAnswer::clear() {
  topics_.clear();
  partitions_.clear();
  aborted_ends_.clear();
  aborted_.clear();
  responses_.clear();
  endpoints_.clear();
}

void FetchAnswer::add(FetchedPartition& found, bool with_records, Isolation isolation) {
  tells_aborted_ = isolation == Isolation::read_committed;
  const bool same =
      !topics_.empty() && topics_.back().name == found.topic && topics_.back().id == found.topic_id;
  if (!same) topics_.push_back({found.topic, found.topic_id, partitions_.size()});
  Response::PartitionData& data = partitions_.emplace_back();
  data.partition_index = found.index.value();
  data.error_code = static_cast<std::int16_t>(found.error);
  data.high_watermark = found.high_watermark.value();
  data.last_stable_offset = found.last_stable.value();
  data.log_start_offset = found.log_start.value();
  data.current_leader = {found.leader.leader.value(), found.leader.epoch.value()};
  if (found.diverging) {
    data.diverging_epoch = {found.diverging->epoch.value(), found.diverging->end_offset.value()};
  }
  data.records = protocol::Records(protocol::empty_bytes);
  if (with_records) {
    data.records = protocol::Records(std::span<const protocol::RecordChunk>(&found.chunk, 1));
    for (const storage::AbortedTransaction& aborted : found.aborted) {
      aborted_.push_back({aborted.producer.value(), aborted.first_offset.value()});
    }
  }
  aborted_ends_.push_back(aborted_.size());
}

void FetchAnswer::add_endpoints(const metadata::Image& image, std::string_view listener) {
  for (const Response::PartitionData& data : partitions_) {
    const BrokerId leader(data.current_leader.leader_id);
    if (leader != no_broker) add_endpoint(endpoints_, image, listener, leader);
  }
}

protocol::FetchResponse FetchAnswer::finish() {
  std::size_t begin = 0;
  for (std::size_t i = 0; i < partitions_.size(); ++i) {
    partitions_[i].aborted_transactions =
        tells_aborted_ ? protocol::Array<Response::AbortedTransaction>(
                             std::span(aborted_.data() + begin, aborted_ends_[i] - begin))
                       : protocol::Array<Response::AbortedTransaction>::null();
    begin = aborted_ends_[i];
  }
  for (std::size_t i = 0; i < topics_.size(); ++i) {
    const std::size_t first = topics_[i].first;
    const std::size_t end = i + 1 < topics_.size() ? topics_[i + 1].first : partitions_.size();
    Response::FetchableTopicResponse& topic = responses_.emplace_back();
    topic.topic = topics_[i].name;
    topic.topic_id = topics_[i].id;
    topic.partitions =
        std::span<const Response::PartitionData>(partitions_.data() + first, end - first);
  }
  protocol::FetchResponse response;
  response.responses = std::span<const Response::FetchableTopicResponse>(responses_);
  response.node_endpoints = std::span<const Response::NodeEndpoint>(endpoints_);
  return response;
}

}  // namespace millrace::broker
