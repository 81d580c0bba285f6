module;
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

module millrace.client.producer;

import millrace.base;
import millrace.client.core;

namespace millrace::client {

ClientResult<void> Topic::wait_until_known(Duration timeout, std::uint64_t failures_seen) {
  std::unique_lock lock(mutex_);
  const bool ended = changed_.wait_for(
      lock, timeout, [&] { return partition_count() > 0 || failures_ != failures_seen; });
  if (partition_count() > 0) return {};
  if (ended) return failure(error_);
  return failure(
      client_error(Failure::timed_out, "topic " + name_ + " is not known after max.block.ms"));
}

std::uint64_t Topic::failures() const {
  const std::scoped_lock lock(mutex_);
  return failures_;
}

std::optional<ClientError> Topic::last_failure() const {
  const std::scoped_lock lock(mutex_);
  if (failures_ == 0) return std::nullopt;
  return error_;
}

void Topic::set_partition_count(std::int32_t count) {
  if (count <= partition_count()) return;
  const auto size = static_cast<std::size_t>(count);
  while (owned_.size() < size) {
    owned_.push_back(std::make_unique<Partition>(
        *this, PartitionIndex{static_cast<std::int32_t>(owned_.size())}));
  }
  auto array = std::make_unique<Partition*[]>(size);
  for (std::size_t i = 0; i < size; ++i) array[i] = owned_[i].get();
  partitions_.store(array.get(), std::memory_order_release);
  arrays_.push_back(std::move(array));
  const std::scoped_lock lock(mutex_);
  count_.store(count, std::memory_order_release);
  changed_.notify_all();
}

void Topic::learn(const TopicView& told) {
  if (told.partitions.empty()) return;
  std::vector<std::int32_t> available;
  for (const PartitionView& partition : told.partitions) {
    if (partition.leader != no_broker) available.push_back(partition.index.value());
  }
  {
    const std::scoped_lock lock(mutex_);
    if (*available_ != available) {
      available_ = std::make_shared<const std::vector<std::int32_t>>(std::move(available));
    }
  }
  set_partition_count(told.partitions.back().index.value() + 1);
}

std::shared_ptr<const std::vector<std::int32_t>> Topic::available() const {
  const std::scoped_lock lock(mutex_);
  return available_;
}

void Topic::fail(const ClientError& error) {
  const std::scoped_lock lock(mutex_);
  ++failures_;
  error_ = error;
  changed_.notify_all();
}

Topic* TopicTable::find_or_add(std::string_view name) {
  if (Topic* known = find(name)) return known;
  const std::scoped_lock lock(mutex_);
  if (Topic* known = find(name)) return known;
  if (owned_.size() >= producer_topics_max) return nullptr;
  auto& bucket = buckets_[bucket_of(name)];
  owned_.push_back(std::make_unique<Topic>(name, batch_bytes_, seed_ + owned_.size()));
  Topic* topic = owned_.back().get();
  topic->next = bucket.load(std::memory_order_relaxed);
  bucket.store(topic, std::memory_order_release);
  return topic;
}

std::vector<Topic*> TopicTable::all() const {
  const std::scoped_lock lock(mutex_);
  std::vector<Topic*> topics;
  topics.reserve(owned_.size());
  for (const auto& topic : owned_) topics.push_back(topic.get());
  return topics;
}

}  // namespace millrace::client
