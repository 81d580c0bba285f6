module;
#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

module millrace.mock;

import millrace.base;
import millrace.protocol.api;
import millrace.runtime;
import millrace.runtime.streams;
import :options;
import :state;
import :topic_settings;

namespace millrace::mock {
namespace {

constexpr std::size_t topic_name_bytes_max = 249;
constexpr std::size_t replicas_default_max = 3;

bool is_topic_name(std::string_view name) {
  if (name.empty() || name.size() > topic_name_bytes_max || name == "." || name == "..") {
    return false;
  }
  return std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
  });
}

bool holds(const std::vector<BrokerId>& ids, BrokerId id) {
  return std::ranges::find(ids, id) != ids.end();
}

}  // namespace

Partition* Topic::find(std::int32_t index) const {
  if (index < 0 || static_cast<std::size_t>(index) >= partitions.size()) return nullptr;
  return partitions[static_cast<std::size_t>(index)].get();
}

std::int64_t Topic::number(std::string_view setting, std::int64_t otherwise) const {
  const auto found = configs.find(std::string(setting));
  if (found == configs.end()) return otherwise;
  std::int64_t value = otherwise;
  const std::string& text = found->second;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
  return read.ec == std::errc() && read.ptr == text.data() + text.size() ? value : otherwise;
}

bool Topic::setting_has(std::string_view setting, std::string_view word) const {
  const auto found = configs.find(std::string(setting));
  return found != configs.end() && found->second.find(word) != std::string::npos;
}

State::State(Executor& executor, const Options& options)
    : executor_(executor), options_(options), random_(options.seed) {
  for (std::int32_t id = 1; id <= options.brokers; ++id) {
    brokers_.push_back({.id = BrokerId(id), .address = {}, .host = options.host, .configs = {}});
  }
}

Uuid State::new_id() {
  Uuid id;
  store_big_endian(id.bytes.data(), random_.next());
  store_big_endian(id.bytes.data() + sizeof(std::uint64_t), random_.next());
  return id;
}

Broker* State::broker(BrokerId id) {
  const auto found = std::ranges::find(brokers_, id, &Broker::id);
  return found == brokers_.end() ? nullptr : &*found;
}

std::vector<BrokerId> State::live() const {
  std::vector<BrokerId> ids;
  for (const Broker& broker : brokers_) {
    if (broker.alive) ids.push_back(broker.id);
  }
  return ids;
}

BrokerId State::controller() const {
  const auto ids = live();
  return ids.empty() ? no_broker : ids.front();
}

BrokerId State::coordinator_of(std::string_view key) const {
  const auto ids = live();
  if (ids.empty()) return no_broker;
  const auto set = coordinators_.find(key);
  if (set != coordinators_.end() && holds(ids, set->second)) return set->second;
  // Any rule that spreads keys and is the same on every machine.
  std::size_t sum = 0;
  for (const char c : key) sum = sum * 31 + static_cast<unsigned char>(c);
  return ids[sum % ids.size()];
}

void State::set_coordinator(std::string_view key, BrokerId broker) {
  coordinators_.insert_or_assign(std::string(key), broker);
}

void State::died(BrokerId id) {
  if (Broker* const dead = broker(id)) dead->fetch_sessions.clear();
  for (const auto& [name, topic] : topics_) {
    for (const auto& partition : topic->partitions) {
      // The last one in sync stays so: it alone has all records.
      if (partition->in_sync.size() > 1) std::erase(partition->in_sync, id);
      if (partition->leader == id) elect(*partition);
    }
  }
}

void State::came_back(BrokerId id) {
  for (const auto& [name, topic] : topics_) {
    for (const auto& partition : topic->partitions) {
      if (!holds(partition->replicas, id)) continue;
      if (partition->leader == no_broker) elect(*partition);
      if (partition->leader != no_broker && !holds(partition->in_sync, id)) {
        partition->in_sync.push_back(id);
      }
    }
  }
}

void State::elect(Partition& partition) {
  const auto ids = live();
  const auto next = std::ranges::find_if(partition.replicas, [&](BrokerId id) {
    return holds(ids, id) && holds(partition.in_sync, id);
  });
  move_leader(partition, next == partition.replicas.end() ? no_broker : *next);
}

void State::move_leader(Partition& partition, BrokerId to) {
  partition.leader = to;
  partition.epoch = partition.epoch.next();
}

void State::place(Partition& partition, std::vector<BrokerId> replicas) {
  const auto ids = live();
  partition.replicas = std::move(replicas);
  partition.in_sync.clear();
  for (const BrokerId id : partition.replicas) {
    if (holds(ids, id)) partition.in_sync.push_back(id);
  }
  if (partition.in_sync.empty()) partition.in_sync.push_back(partition.replicas.front());
  if (!holds(partition.in_sync, partition.leader)) elect(partition);
}

Topic* State::find(std::string_view name) const {
  const auto found = topics_.find(name);
  return found == topics_.end() ? nullptr : found->second.get();
}

Topic* State::find(const Uuid& id) const {
  const auto found =
      std::ranges::find_if(topics_, [&](const auto& topic) { return topic.second->id == id; });
  return found == topics_.end() ? nullptr : found->second.get();
}

std::size_t State::replicas_of(const TopicOptions& options) const {
  if (options.replication_factor > 0) return static_cast<std::size_t>(options.replication_factor);
  return std::min(brokers_.size(), replicas_default_max);
}

ErrorCode State::refusal_of(std::string_view name, const TopicOptions& options) const {
  if (!is_topic_name(name)) return ErrorCode::invalid_topic_exception;
  if (find(name) != nullptr) return ErrorCode::topic_already_exists;
  if (options.partitions <= 0 || options.partitions > partitions_max) {
    return ErrorCode::invalid_partitions;
  }
  if (options.replication_factor < 0 || replicas_of(options) > brokers_.size()) {
    return ErrorCode::invalid_replication_factor;
  }
  return ErrorCode::none;
}

Topic& State::create(std::string_view name, const TopicOptions& options) {
  auto topic = std::make_unique<Topic>();
  topic->name = name;
  topic->id = new_id();
  topic->configs = options.configs;
  for (std::int32_t i = 0; i < options.partitions; ++i) {
    add_partition(*topic, replicas_of(options));
  }
  return *topics_.emplace(std::string(name), std::move(topic)).first->second;
}

void State::erase(std::string_view name) {
  const auto found = topics_.find(name);
  if (found == topics_.end()) return;
  for (const auto& partition : found->second->partitions) stored_bytes -= partition->log.bytes();
  topics_.erase(found);
}

void State::delete_before(Partition& partition, Offset offset) {
  stored_bytes -= partition.log.bytes();
  partition.log.delete_before(offset);
  stored_bytes += partition.log.bytes();
}

void State::lose_from(Partition& partition, Offset offset) {
  stored_bytes -= partition.log.bytes();
  partition.log.truncate(offset);
  stored_bytes += partition.log.bytes();
  move_leader(partition, partition.leader);
}

void State::add_partition(Topic& topic, std::size_t replicas) {
  auto partition = std::make_unique<Partition>(producers_);
  const std::size_t index = topic.partitions.size();
  partition->index = PartitionIndex(static_cast<std::int32_t>(index));
  for (std::size_t i = 0; i < replicas; ++i) {
    partition->replicas.push_back(brokers_[(index + i) % brokers_.size()].id);
  }
  const auto ids = live();
  for (const BrokerId id : partition->replicas) {
    if (holds(ids, id)) partition->in_sync.push_back(id);
  }
  partition->leader = partition->in_sync.empty() ? no_broker : partition->in_sync.front();
  if (partition->in_sync.empty()) partition->in_sync.push_back(partition->replicas.front());
  topic.partitions.push_back(std::move(partition));
}

}  // namespace millrace::mock
