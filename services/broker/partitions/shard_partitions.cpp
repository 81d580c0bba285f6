module;
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

module millrace.broker.partitions;

import millrace.config;
import millrace.metadata;
import millrace.storage.manager;
import :partition;
import :settings;
import :shard_partitions;

namespace millrace::broker {

namespace {

[[nodiscard]] const metadata::Partition* partition_of(const metadata::Topic* topic,
                                                      PartitionIndex index) {
  if (topic == nullptr || index < PartitionIndex(0)) return nullptr;
  const auto position = static_cast<std::size_t>(index.value());
  return position < topic->partitions.size() ? &topic->partitions[position] : nullptr;
}

[[nodiscard]] LeaderHint hint_of(const metadata::Partition* partition) {
  if (partition == nullptr) return {};
  return {partition->leader, partition->leader_epoch};
}

}  // namespace

LeaderHint leader_hint(const metadata::Image& image, std::string_view topic,
                       PartitionIndex partition) {
  return hint_of(partition_of(image.topic(topic).get(), partition));
}

LeaderHint leader_hint(const metadata::Image& image, const Uuid& topic_id,
                       PartitionIndex partition) {
  return hint_of(partition_of(image.topic(topic_id).get(), partition));
}

std::size_t Partitions::IdHash::operator()(const Uuid& id) const {
  std::uint64_t high = 0;
  std::uint64_t low = 0;
  std::memcpy(&high, id.bytes.data(), sizeof high);
  std::memcpy(&low, id.bytes.data() + sizeof high, sizeof low);
  return static_cast<std::size_t>(high ^ low);
}

Partitions::Partitions(const PartitionContext& context, storage::LogManager& manager, BrokerId self,
                       ShardIndex shard, std::uint32_t shard_count,
                       std::shared_ptr<const config::ServerConfig> server, Logger log)
    : context_(context),
      manager_(manager),
      self_(self),
      shard_(shard),
      shard_count_(shard_count),
      server_(std::move(server)),
      log_(std::move(log)),
      image_(metadata::empty_image()),
      default_settings_(topic_settings(*server_, nullptr)),
      retries_(context.executor, failed_partition_retry) {
  tasks_.start(try_failed_again());
}

Partitions::~Partitions() {
  check(stopped_, "the partitions of a shard are stopped before they go");
}

// --- For requests ---

Result<Partition*, ErrorCode> Partitions::led(const HostedTopic& topic, PartitionIndex partition,
                                              LeaderEpoch current) const {
  const auto position = static_cast<std::size_t>(static_cast<std::uint32_t>(partition.value()));
  if (position < topic.partitions.size() && topic.partitions[position]) {
    Partition* found = topic.partitions[position].get();
    const ErrorCode code = found->check_leader(current);
    if (code != ErrorCode::none) return failure(code);
    return found;
  }
  if (partition_of(image_->topic(topic.id).get(), partition) == nullptr) {
    return failure(ErrorCode::unknown_topic_or_partition);
  }
  return failure(failed_.contains({topic.name, partition}) ? ErrorCode::kafka_storage_error
                                                           : ErrorCode::not_leader_or_follower);
}

Result<Partition*, ErrorCode> Partitions::leader(const Uuid& topic_id, PartitionIndex partition,
                                                 LeaderEpoch current) const {
  if (const auto found = topics_by_id_.find(topic_id); found != topics_by_id_.end()) {
    return led(*found->second, partition, current);
  }
  const auto topic = image_->topic(topic_id);
  if (topic == nullptr) return failure(ErrorCode::unknown_topic_id);
  return failure(partition_of(topic.get(), partition) == nullptr
                     ? ErrorCode::unknown_topic_or_partition
                     : ErrorCode::not_leader_or_follower);
}

Result<Partition*, ErrorCode> Partitions::leader(std::string_view topic, PartitionIndex partition,
                                                 LeaderEpoch current) const {
  if (const auto found = topics_.find(topic); found != topics_.end()) {
    return led(*found->second, partition, current);
  }
  return failure(partition_of(image_->topic(topic).get(), partition) == nullptr
                     ? ErrorCode::unknown_topic_or_partition
                     : ErrorCode::not_leader_or_follower);
}

Partition* Partitions::find(std::string_view topic, PartitionIndex partition) const {
  const auto found = topics_.find(topic);
  if (found == topics_.end()) return nullptr;
  const auto position = static_cast<std::size_t>(static_cast<std::uint32_t>(partition.value()));
  const auto& partitions = found->second->partitions;
  return position < partitions.size() ? partitions[position].get() : nullptr;
}

// --- Settings ---

std::shared_ptr<const TopicSettings> Partitions::settings_for(const std::string& topic) const {
  const metadata::ConfigMap* own = image_->config(metadata::ConfigKind::topic, topic);
  return own == nullptr || own->empty() ? default_settings_ : topic_settings(*server_, own);
}

storage::LogConfig Partitions::config_of(const std::string& topic) const {
  if (image_->topic(topic) != nullptr) return settings_for(topic)->log;
  storage::LogConfig config = default_settings_->log;
  config.deletes = false;
  config.compacts = false;
  return config;
}

void Partitions::follow_settings(const std::string& topic) {
  const auto found = topics_.find(topic);
  if (found == topics_.end()) return;
  HostedTopic& hosted = *found->second;
  hosted.settings = settings_for(topic);
  for (const auto& partition : hosted.partitions) {
    if (!partition) continue;
    // Without a log there is nothing to be told: the partition is about to be removed.
    static_cast<void>(manager_.set_config({topic, partition->index()}, hosted.settings->log));
    partition->set_settings(hosted.settings);
  }
}

Task<void> Partitions::set_server_config(std::shared_ptr<const config::ServerConfig> server) {
  const auto guard = co_await following_.lock();
  if (stopped_) co_return;
  server_ = std::move(server);
  default_settings_ = topic_settings(*server_, nullptr);
  // Topics come and go under the lock only.
  std::size_t looked_at = 0;
  for (const auto& [name, topic] : topics_) {
    follow_settings(name);
    if (++looked_at % topics_per_slice == 0) co_await yield(context_.executor);
  }
}

}  // namespace millrace::broker
