#include "millrace/config.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

namespace millrace::inline v1 {

namespace {

template <class Choice, std::size_t count>
std::string_view name_in(const std::array<std::string_view, count>& names, Choice choice) {
  return names.at(static_cast<std::size_t>(choice));
}

}  // namespace

Config::Config() = default;
Config::Config(const Config&) = default;
Config::Config(Config&&) noexcept = default;
Config& Config::operator=(const Config&) = default;
Config& Config::operator=(Config&&) noexcept = default;
Config::~Config() = default;

Config::Config(std::initializer_list<std::pair<std::string_view, std::string_view>> entries) {
  for (const auto& [name, value] : entries) set(name, value);
}

Config& Config::set(std::string_view name, std::string_view value) {
  const auto known = std::ranges::find(entries_, name, &Entry::first);
  if (known == entries_.end())
    entries_.emplace_back(name, value);
  else
    known->second = value;
  return *this;
}

Config& Config::set(std::string_view name, const char* value) {
  return set(name, std::string_view(value));
}

Config& Config::set(std::string_view name, bool value) {
  return set(name, std::string_view(value ? "true" : "false"));
}

std::optional<std::string_view> Config::get(std::string_view name) const noexcept {
  const auto known = std::ranges::find(entries_, name, &Entry::first);
  if (known == entries_.end()) return std::nullopt;
  return known->second;
}

ProducerConfig::ProducerConfig(std::string_view bootstrap_servers) {
  set("bootstrap.servers", bootstrap_servers);
}

ProducerConfig& ProducerConfig::client_id(std::string_view name) {
  set("client.id", name);
  return *this;
}

ProducerConfig& ProducerConfig::acks(Acks acks) {
  constexpr std::array<std::string_view, 3> names = {"0", "1", "all"};
  set("acks", name_in(names, acks));
  return *this;
}

ProducerConfig& ProducerConfig::linger(std::chrono::milliseconds time) {
  set("linger.ms", time);
  return *this;
}

ProducerConfig& ProducerConfig::batch_size(std::size_t bytes) {
  set("batch.size", bytes);
  return *this;
}

ProducerConfig& ProducerConfig::buffer_memory(std::size_t bytes) {
  set("buffer.memory", bytes);
  return *this;
}

ProducerConfig& ProducerConfig::max_block(std::chrono::milliseconds time) {
  set("max.block.ms", time);
  return *this;
}

ProducerConfig& ProducerConfig::delivery_timeout(std::chrono::milliseconds time) {
  set("delivery.timeout.ms", time);
  return *this;
}

ProducerConfig& ProducerConfig::compression(Compression codec) {
  constexpr std::array<std::string_view, 5> names = {"none", "gzip", "snappy", "lz4", "zstd"};
  set("compression.type", name_in(names, codec));
  return *this;
}

ProducerConfig& ProducerConfig::idempotence(bool wanted) {
  set("enable.idempotence", wanted);
  return *this;
}

ConsumerConfig::ConsumerConfig(std::string_view bootstrap_servers) {
  set("bootstrap.servers", bootstrap_servers);
}

ConsumerConfig& ConsumerConfig::client_id(std::string_view name) {
  set("client.id", name);
  return *this;
}

ConsumerConfig& ConsumerConfig::group_id(std::string_view group) {
  set("group.id", group);
  return *this;
}

ConsumerConfig& ConsumerConfig::group_instance_id(std::string_view instance) {
  set("group.instance.id", instance);
  return *this;
}

ConsumerConfig& ConsumerConfig::auto_offset_reset(OffsetReset to) {
  constexpr std::array<std::string_view, 3> names = {"earliest", "latest", "none"};
  set("auto.offset.reset", name_in(names, to));
  return *this;
}

ConsumerConfig& ConsumerConfig::auto_commit(bool wanted) {
  set("enable.auto.commit", wanted);
  return *this;
}

ConsumerConfig& ConsumerConfig::max_poll_records(std::size_t count) {
  set("max.poll.records", count);
  return *this;
}

ConsumerConfig& ConsumerConfig::max_poll_interval(std::chrono::milliseconds time) {
  set("max.poll.interval.ms", time);
  return *this;
}

ConsumerConfig& ConsumerConfig::isolation(Isolation level) {
  constexpr std::array<std::string_view, 2> names = {"read_uncommitted", "read_committed"};
  set("isolation.level", name_in(names, level));
  return *this;
}

}  // namespace millrace::inline v1
