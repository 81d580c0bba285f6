// What client_calls_fuzz has clients do, one file each.
#pragma once

#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "damaging_network.hpp"

// The imports come after all that includes standard headers.
import millrace.client.core;
import millrace.mock;

namespace millrace::fuzz {

inline constexpr std::int32_t partition_count = 2;

// A cluster with a topic "orders", and the way to it.
class Surroundings {
 public:
  explicit Surroundings(Input& input)
      : seed(input.byte()), executor(seed, Timestamp(1'000'000)), damage(input) {
    // A client that asks without a pause does not let time pass.
    executor.steps_max = 3'000'000;
    auto started = mock::Cluster::start(executor, network, {.brokers = 2, .seed = seed});
    check(started.has_value(), "a mock starts on a simulated network");
    cluster = *std::move(started);
    check(cluster->create_topic("orders", {.partitions = partition_count}).has_value(),
          "a topic is made");
    for (const std::int32_t broker : {1, 2}) {
      damaging.stand_before(cluster->address(BrokerId(broker)));
    }
  }
  // Clients have closed.
  ~Surroundings() {
    run(damaging.close());
    run(cluster->close());
    // Attempts to connect that no client waits for end by their timeouts.
    executor.advance(std::chrono::minutes{1});
    executor.run_until_idle();
  }
  Surroundings(const Surroundings&) = delete;
  Surroundings& operator=(const Surroundings&) = delete;

  void run(Task<void> task) {
    check(executor.run(std::move(task)).has_value(), "every call of a client ends");
  }
  [[nodiscard]] MonotonicTime now() const { return executor.clock().now(); }
  // As a client that is in a hurry.
  void prepare(client::CommonSettings& settings) const {
    settings.bootstrap = {{"127.0.0.1", cluster->address(BrokerId(1)).port}};
    settings.client_id = "fuzz";
    settings.request_timeout = std::chrono::seconds{1};
    settings.metadata_max_age = std::chrono::seconds{10};
    settings.answer_bytes_max = mebibyte;
  }
  [[nodiscard]] Logger log() const { return Logger(std::make_shared<MemoryLogSink>(), "fuzz"); }

  std::uint8_t seed;
  SimulatedExecutor executor;
  SimulatedNetwork network{executor, {.seed = seed}};
  client::FixedResolver resolver{executor};
  Damage damage;
  DamagingNetwork damaging{network, damage};
  std::unique_ptr<mock::Cluster> cluster;
};

// Each takes what it does from the input, and leaves the rest to damage.
void consume(Input& input);
void produce(Input& input);
void administer(Input& input);

}  // namespace millrace::fuzz
