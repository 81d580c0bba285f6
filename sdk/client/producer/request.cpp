module;
#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

module millrace.client.producer;

import millrace.base;
import millrace.client.core;
import millrace.protocol.batch;
import millrace.protocol.produce;

namespace millrace::client {

void OutgoingProduce::clear() {
  items_.clear();
  chunks_.clear();
  partitions_.clear();
  topics_.clear();
  message_ = {};
  bytes_ = 0;
  needs_zstd_ = false;
  has_all_ids_ = true;
}

void OutgoingProduce::add(const Item& item) {
  items_.push_back(item);
  bytes_ += item.batch->bytes();
  needs_zstd_ = needs_zstd_ || item.batch->codec() == protocol::Codec::zstd;
  has_all_ids_ = has_all_ids_ && !item.topic_id.is_zero();
}

void OutgoingProduce::finish(Acks acks, Duration timeout, const TransactionOf& transaction) {
  // Partitions of one topic stand together.
  std::ranges::sort(items_, std::less<>{}, [](const Item& item) { return &item.partition->topic; });
  for (const Item& item : items_) item.batch->add_pieces(chunks_);
  std::span<const protocol::RecordChunk> rest(chunks_);
  partitions_.reserve(items_.size());
  for (const Item& item : items_) {
    std::size_t count = 0;
    for (std::size_t bytes = 0; bytes < item.batch->bytes(); ++count) bytes += rest[count].size;
    partitions_.push_back({item.partition->index.value(), protocol::Records(rest.first(count))});
    rest = rest.subspan(count);
  }
  for (std::size_t i = 0; i < items_.size();) {
    const Topic& topic = items_[i].partition->topic;
    std::size_t end = i;
    while (end < items_.size() && &items_[end].partition->topic == &topic) ++end;
    protocol::ProduceRequest::TopicProduceData data;
    data.name = topic.name();
    data.topic_id = items_[i].topic_id;
    data.partition_data =
        std::span<const protocol::ProduceRequest::PartitionProduceData>(partitions_)
            .subspan(i, end - i);
    topics_.push_back(data);
    i = end;
  }
  message_.transactional_id = transaction.id;
  version_min_ = transaction.version_min;
  version_max_ = transaction.version_max;
  message_.acks = static_cast<std::int16_t>(acks);
  message_.timeout_ms = static_cast<std::int32_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(timeout).count());
  message_.topic_data = std::span<const protocol::ProduceRequest::TopicProduceData>(topics_);
}

bool ProduceAnswers::is_topic(const protocol::ProduceResponse::TopicProduceResponse& topic,
                              const OutgoingProduce::Item& item) const {
  return version_ >= produce_topic_id_version ? topic.topic_id == item.topic_id
                                              : topic.name == item.partition->topic.name();
}

const ProduceAnswers::Part* ProduceAnswers::find_in(std::size_t topic,
                                                    const OutgoingProduce::Item& item) {
  if (!is_topic(answer_.responses[topic], item)) return nullptr;
  const auto& parts = answer_.responses[topic].partition_responses;
  const std::size_t first = topic == topic_ ? next_part_ : 0;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const std::size_t at = (first + i) % parts.size();
    if (parts[at].index != item.partition->index.value()) continue;
    topic_ = topic;
    next_part_ = at + 1;
    return &parts[at];
  }
  return nullptr;
}

const ProduceAnswers::Part* ProduceAnswers::find(const OutgoingProduce::Item& item) {
  const std::size_t count = answer_.responses.size();
  const std::size_t first = topic_;
  for (std::size_t i = 0; i < count; ++i) {
    if (const Part* part = find_in((first + i) % count, item)) return part;
  }
  return nullptr;
}

}  // namespace millrace::client
