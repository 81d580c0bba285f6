// An administrative client and a mock cluster, on a simulated network.
#pragma once

#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// The imports come after all that includes standard headers.
import millrace.base;
import millrace.client.admin;
import millrace.client.core;
import millrace.mock;
import millrace.protocol.api;
import millrace.runtime;
import millrace.runtime.streams;

namespace millrace::client {

using protocol::ApiKey;

inline TopicPartition place(std::string topic, std::int32_t partition) {
  return {std::move(topic), PartitionIndex(partition)};
}

class AdminMachine {
 public:
  explicit AdminMachine(const mock::Options& options = {.brokers = 3})
      : executor(1), network(executor, {.seed = 1}), resolver(executor) {
    auto started = mock::Cluster::start(executor, network, options);
    check(started.has_value(), "a mock starts on a simulated network");
    cluster = *std::move(started);
    const SocketAddress first = cluster->address(BrokerId(1));
    AdminSettings settings;
    settings.common.bootstrap = {{first.host(), first.port}};
    settings.common.client_id = "admin";
    settings.asks_controllers = options.are_controllers;
    admin = std::make_unique<AdminClient>(settings, executor, network, resolver,
                                          Logger(std::make_shared<MemoryLogSink>(), "admin"));
  }
  ~AdminMachine() {
    run(admin->close());
    admin.reset();
    run(cluster->close());
    executor.run_until_idle();
  }

  template <class T>
  T run(Task<T> task) {
    auto ended = executor.run(std::move(task));
    check(ended.has_value(), "a call of an administrative client ends");
    return *std::move(ended);
  }
  void run(Task<void> task) { check(executor.run(std::move(task)).has_value(), "an end comes"); }

  void make_topic(std::string_view name, std::int32_t partitions = 1) {
    check(cluster->create_topic(name, {.partitions = partitions}).has_value(), "a topic is made");
  }
  void append(std::string_view topic, std::int32_t partition, std::size_t count,
              std::int64_t timestamp = 100) {
    const std::vector<mock::StoredRecord> records(count, {.offset = no_offset,
                                                          .timestamp = Timestamp(timestamp),
                                                          .key = {},
                                                          .value = "x",
                                                          .headers = {}});
    check(cluster->append(topic, PartitionIndex(partition), records).has_value(),
          "records are appended");
  }

  SimulatedExecutor executor;
  SimulatedNetwork network;
  FixedResolver resolver;
  std::unique_ptr<mock::Cluster> cluster;
  std::unique_ptr<AdminClient> admin;
};

// What became of an item: NONE, or the code.
template <class Value>
ErrorCode outcome(const ClientResult<Value>& result) {
  return result ? ErrorCode::none : result.error().code;
}
template <class Key, class Value>
std::vector<ErrorCode> outcomes_of(const Outcomes<Key, Value>& outcomes) {
  std::vector<ErrorCode> codes;
  for (const auto& [key, result] : outcomes) codes.push_back(outcome(result));
  return codes;
}

}  // namespace millrace::client
