module;
#include <chrono>
#include <coroutine>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "millrace/admin_options.hpp"
#include "millrace/metrics.hpp"
#include "millrace/records.hpp"
#include "millrace/uuid.hpp"

module millrace.client.bridge.admin;

import millrace.base;
import millrace.client.bridge;
import millrace.client.core;
import millrace.runtime;

namespace millrace::client {

AdminOptions inner(const v1::AdminOptions& options) {
  AdminOptions converted;
  if (options.timeout) converted.timeout = *options.timeout;
  converted.validate_only = options.validate_only;
  converted.authorized_operations = options.authorized_operations;
  return converted;
}

TopicPartition inner(const v1::TopicPartition& partition) {
  return {partition.topic, PartitionIndex(partition.partition)};
}

KafkaUuid inner(const v1::Uuid& uuid) {
  return {uuid.bytes};
}

std::vector<TopicPartition> inner(const std::vector<v1::TopicPartition>& partitions) {
  std::vector<TopicPartition> converted;
  for (const v1::TopicPartition& partition : partitions) converted.push_back(inner(partition));
  return converted;
}

std::vector<BrokerId> broker_ids_of(const std::vector<std::int32_t>& numbers) {
  return {numbers.begin(), numbers.end()};
}

v1::TopicPartition outer(const TopicPartition& partition) {
  return {partition.topic, partition.partition.value()};
}

std::vector<v1::TopicPartition> outer(const std::vector<TopicPartition>& partitions) {
  std::vector<v1::TopicPartition> converted;
  for (const TopicPartition& partition : partitions) converted.push_back(outer(partition));
  return converted;
}

v1::Uuid outer(const KafkaUuid& uuid) {
  return {uuid.bytes};
}

std::vector<std::int32_t> outer(const std::vector<BrokerId>& brokers) {
  std::vector<std::int32_t> converted;
  for (const BrokerId broker : brokers) converted.push_back(broker.value());
  return converted;
}

std::int32_t outer(BrokerId broker) {
  return broker.value();
}

std::string outer(std::string text) {
  return text;
}

std::optional<v1::Timestamp> outer_time(KafkaTime timestamp) {
  if (timestamp.value() < 0) return std::nullopt;
  return v1::Timestamp(std::chrono::milliseconds(timestamp.value()));
}

std::optional<std::int32_t> outer_epoch(LeaderEpoch epoch) {
  if (epoch == no_leader_epoch) return std::nullopt;
  return epoch.value();
}

std::vector<v1::Error> outer_errors(const std::vector<ClientError>& errors) {
  std::vector<v1::Error> converted;
  for (const ClientError& error : errors) converted.push_back(public_error(error));
  return converted;
}

std::optional<v1::Error> AdminCore::start() {
  if (const auto started = host_.start(); !started) return public_error(started.error());
  host_.thread().run([this]() -> Task<void> {
    ClientThread& thread = host_.thread();
    client_ =
        std::make_unique<AdminClient>(settings_, thread.executor(), thread.network(),
                                      thread.resolver(), host_.logger(), Random(random_seed()));
    co_return;
  });
  return std::nullopt;
}

v1::Result<v1::Metrics> AdminCore::metrics() {
  return public_result(host_.run([this]() -> Task<ClientResult<v1::Metrics>> {
    MetricList list(settings_.common.client_id, host_.thread().clock().now());
    client_->list_metrics(list);
    co_return public_metrics(std::move(list));
  }));
}

AdminCore::~AdminCore() {
  if (!client_) return;
  if (host_.cannot_ask()) {
    // What lives on the thread can be ended there only, and in a forked process it is not there.
    static_cast<void>(client_.release());
    return;
  }
  host_.thread().run([this]() -> Task<void> { co_await client_->close(); });
  host_.wait_for_all();
  host_.thread().run([this]() -> Task<void> {
    client_.reset();
    co_return;
  });
}

}  // namespace millrace::client
