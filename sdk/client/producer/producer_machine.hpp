// A producer against a mock cluster, on a simulated network and executor.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// The imports come after all that includes standard headers.
import millrace.base;
import millrace.client.core;
import millrace.client.producer;
import millrace.mock;
import millrace.protocol.api;
import millrace.protocol.compression;
import millrace.runtime;
import millrace.runtime.streams;

namespace millrace::client {

inline constexpr Duration long_time = std::chrono::hours{1};

// Threads there are none: what is sent to the loop is posted.
class PostingMailbox final : public Mailbox {
 public:
  explicit PostingMailbox(Executor& executor) : executor_(executor) {}
  void send(Callback& callback) override { executor_.post(callback); }

 private:
  Executor& executor_;
};

struct Outcome {
  bool is_delivered = false;
  PartitionIndex partition;
  Offset offset = no_offset;
  Timestamp timestamp = no_timestamp;
  std::optional<ClientError> error;
};

// Remembers outcomes by token and insists that there is one for each.
class Outcomes final : public DeliverySink {
 public:
  void delivered(std::uint64_t token, const DeliveryReport& report) noexcept override {
    Outcome outcome{report.error == nullptr, report.partition, report.offset, report.timestamp, {}};
    if (report.error != nullptr) outcome.error = *report.error;
    EXPECT_TRUE(all.emplace(token, outcome).second) << "a second outcome of record " << token;
    auto& order = by_partition[report.partition.value()];
    if (!order.empty()) EXPECT_LT(order.back(), token) << "outcomes out of order";
    order.push_back(token);
  }
  [[nodiscard]] std::size_t delivered_count() const {
    std::size_t count = 0;
    for (const auto& [token, outcome] : all) count += outcome.is_delivered ? 1 : 0;
    return count;
  }

  std::map<std::uint64_t, Outcome> all;
  std::map<std::int32_t, std::vector<std::uint64_t>> by_partition;
};

class ProducerMachine {
 public:
  explicit ProducerMachine(const mock::Options& options = {}, std::uint64_t seed = 1)
      : executor(seed, Timestamp(1'000'000)),
        network(executor, {.seed = seed}),
        mailbox(executor),
        resolver(executor),
        random(seed) {
    auto started = mock::Cluster::start(executor, network, options);
    check(started.has_value(), "a mock starts on a simulated network");
    cluster = *std::move(started);
    settings.common.bootstrap = {{"127.0.0.1", cluster->address(BrokerId(1)).port}};
    settings.batch_size = 400;
    settings.batch_growth = 1;
  }
  ~ProducerMachine() {
    if (producer) close();
    run(cluster->close());
    executor.run_until_idle();
  }

  // After the settings are as the test wants them.
  void start() {
    producer = std::make_unique<ProducerClient>(settings, executor, mailbox, network, resolver, log,
                                                Random(random.next()));
  }
  void load(const std::string& topic) {
    run([](ProducerMachine& machine, std::string name) -> Task<void> {
      const auto loaded = co_await machine.producer->load(name, machine.now() + long_time);
      EXPECT_TRUE(loaded.has_value()) << loaded.error().message;
    }(*this, topic));
  }
  void close(Duration within = long_time) {
    run(producer->close(now() + within));
    EXPECT_EQ(producer->metrics().memory_bytes, 0u) << "memory that no batch has";
    producer.reset();
    executor.run_until_idle();
  }
  [[nodiscard]] ClientResult<void> flush(Duration within = long_time) {
    ClientResult<void> outcome;
    run([](ProducerMachine& machine, Duration wait, ClientResult<void>& out) -> Task<void> {
      out = co_await machine.producer->flush(machine.now() + wait);
    }(*this, within, outcome));
    return outcome;
  }
  void run(Task<void> task) {
    const auto ended = executor.run(std::move(task));
    EXPECT_TRUE(ended.has_value()) << ended.error().message;
  }

  // The value of a record is its token.
  ClientResult<void> send(std::uint64_t token, std::optional<std::int32_t> partition = 0,
                          std::size_t padding = 0) {
    const std::string value = std::to_string(token) + ":" + std::string(padding, 'x');
    RecordToSend record{.topic = "orders", .value = as_bytes(std::string_view(value))};
    if (partition) record.partition = PartitionIndex(*partition);
    return producer->send(record, &outcomes, token, FullBuffer::fail);
  }
  void send_all(std::uint64_t from, std::uint64_t to, std::int32_t partition = 0) {
    for (std::uint64_t token = from; token < to; ++token) {
      const auto sent = send(token, partition);
      EXPECT_TRUE(sent.has_value()) << sent.error().message;
    }
  }

  // The tokens that the cluster has, in the order of their offsets.
  [[nodiscard]] std::vector<std::uint64_t> stored(std::int32_t partition = 0) const {
    std::vector<std::uint64_t> tokens;
    const auto records = cluster->records("orders", PartitionIndex(partition));
    EXPECT_TRUE(records.has_value());
    for (const auto& record : *records) tokens.push_back(std::stoull(*record.value));
    return tokens;
  }
  // What was told is true: each delivered record is where it was said to be, and each that is
  // said not to be there is not.
  void expect_truth(std::int32_t partition = 0) const {
    const auto there = stored(partition);
    for (const auto& [token, outcome] : outcomes.all) {
      if (outcome.partition.value() != partition) continue;
      const auto count = std::ranges::count(there, token);
      if (outcome.is_delivered) {
        EXPECT_EQ(count, settings.enable_idempotence ? 1 : std::max(count, 1L)) << token;
        if (outcome.offset != no_offset) {
          EXPECT_EQ(there.at(static_cast<std::size_t>(outcome.offset.value())), token);
        }
      } else if (outcome.error->persistence == Persistence::not_persisted) {
        EXPECT_EQ(count, 0) << token << ": " << outcome.error->message;
      }
    }
    if (settings.enable_idempotence) {
      EXPECT_TRUE(std::ranges::is_sorted(there)) << "records out of order";
    }
  }

  [[nodiscard]] MonotonicTime now() const { return executor.clock().now(); }

  SimulatedExecutor executor;
  SimulatedNetwork network;
  PostingMailbox mailbox;
  FixedResolver resolver;
  Random random;
  Logger log{std::make_shared<MemoryLogSink>(), "producer"};
  ProducerSettings settings;
  Outcomes outcomes;
  std::unique_ptr<mock::Cluster> cluster;
  std::unique_ptr<ProducerClient> producer;
};

}  // namespace millrace::client
