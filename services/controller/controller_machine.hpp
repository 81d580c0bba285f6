// A controller on a simulated disk, which may lose its power at any time.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

import millrace.base;
import millrace.config;
import millrace.controller;
import millrace.protocol.admin;
import millrace.runtime;
import millrace.telemetry;

namespace millrace::controller {

inline std::shared_ptr<const config::ServerConfig> default_server() {
  auto made = config::make_server_config({}, {}, nullptr);
  return std::make_shared<const config::ServerConfig>(std::move(made)->config);
}

class ControllerMachine {
 public:
  explicit ControllerMachine(std::uint64_t seed, std::uint64_t snapshot_after_bytes = mebibyte)
      : executor(seed), disk(seed), snapshot_after_bytes_(snapshot_after_bytes), random_(seed) {
    boot();
    EXPECT_TRUE(run(make_directory(*files_)));
    disk.sync_all();
  }
  ~ControllerMachine() {
    if (quorum) stop();
  }

  SimulatedExecutor executor;
  SimulatedDisk disk;
  std::unique_ptr<Quorum> quorum;
  std::unique_ptr<Service> service;
  std::optional<Error> failure;
  std::optional<Duration> snapshot_interval;
  std::uint64_t reserve_bytes = 0;

  template <class T>
  T run(Task<T> task) {
    auto ended = executor.run(std::move(task));
    EXPECT_TRUE(ended) << ended.error().message;
    return std::move(ended.value());
  }
  [[nodiscard]] SimulatedFileSystem& files() { return *files_; }

  // A process starts, and leads.
  Result<void> try_start() {
    failure.reset();
    auto opened = run(Quorum::open(executor, *files_, options(), log,
                                   [this](const Error& error) { failure = error; }));
    if (!opened) return millrace::failure(opened.error());
    quorum = *std::move(opened);
    quorum->start();
    service = std::make_unique<Service>(*quorum, executor, server, log);
    return {};
  }
  void start() {
    const auto started = try_start();
    ASSERT_TRUE(started) << started.error().message;
    ASSERT_TRUE(run(quorum->wait_until_leading(soon())));
  }
  void stop() {
    ASSERT_TRUE(executor.run(quorum->stop()));
    executor.run_until_idle();
    service.reset();
    quorum.reset();
  }
  // What is not durable is gone, in part.
  void power_cut(std::uint64_t seed) {
    stop();
    disk.power_cut(seed);
    boot();
  }
  void boot() {
    executor.run_until_idle();
    files_.reset();
    files_ = std::make_unique<SimulatedFileSystem>(disk, executor, SimulatedFileOptions{});
  }

  [[nodiscard]] MonotonicTime soon() const {
    return executor.clock().now() + std::chrono::minutes{1};
  }
  template <class Reply>
  Reply ask(metadata::Request request) {
    return std::get<Reply>(run(quorum->ask(std::move(request))));
  }
  metadata::RegisterBroker registration(int id) {
    metadata::RegisterBroker request;
    request.cluster_id = quorum->image()->cluster_id();
    request.broker.id = BrokerId(id);
    request.broker.incarnation.bytes[0] = std::byte{1};
    return request;
  }
  void start_broker(int id) {
    const auto reply = ask<metadata::RegisterBrokerReply>(registration(id));
    ASSERT_TRUE(reply.outcome.ok()) << reply.outcome.message;
    metadata::Heartbeat heartbeat;
    heartbeat.broker = BrokerId(id);
    heartbeat.epoch = reply.epoch;
    heartbeat.applied = quorum->image()->offset();
    heartbeat.want_fence = false;
    EXPECT_FALSE(ask<metadata::HeartbeatReply>(heartbeat).is_fenced);
  }
  metadata::CreateTopics creation(std::string name, int partitions = 1) {
    metadata::NewTopic topic;
    topic.name = std::move(name);
    topic.partitions = partitions;
    metadata::CreateTopics request;
    request.topics.push_back(std::move(topic));
    return request;
  }
  metadata::Outcome create(std::string name, int partitions = 1) {
    return ask<metadata::CreateTopicsReply>(creation(std::move(name), partitions))
        .topics.at(0)
        .outcome;
  }
  QuorumOptions options() {
    QuorumOptions options;
    options.directory = "/metadata";
    options.self = raft::NodeId(1);
    options.metadata = metadata::options_from(server);
    options.random = [this] { return random_.next(); };
    options.store = {.segment_bytes = 4096, .reserve_bytes = reserve_bytes};
    options.snapshot_after_bytes = snapshot_after_bytes_;
    options.snapshot_interval = snapshot_interval;
    options.metrics = &metrics_;
    return options;
  }
  [[nodiscard]] std::size_t count_logged(std::string_view text) const {
    std::size_t count = 0;
    for (const MemoryLogSink::Line& line : sink->lines()) {
      if (line.message.find(text) != std::string::npos) ++count;
    }
    return count;
  }
  [[nodiscard]] bool logged(std::string_view text) const { return count_logged(text) > 0; }

  std::shared_ptr<const config::ServerConfig> server = default_server();
  std::shared_ptr<MemoryLogSink> sink = std::make_shared<MemoryLogSink>();
  Logger log{sink, "controller"};
  telemetry::Registry registry{1};

 private:
  static Task<bool> make_directory(FileSystem& files) {
    const auto made = co_await files.make_directory("/metadata");
    co_return made.has_value();
  }

  ControllerMetrics metrics_ =
      ControllerMetrics::create(registry, telemetry::ShardIndex(0)).value();
  std::uint64_t snapshot_after_bytes_;
  Random random_;
  std::unique_ptr<SimulatedFileSystem> files_;
};

}  // namespace millrace::controller
