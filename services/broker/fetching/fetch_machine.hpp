// A broker's partitions on a simulated machine with several shards, and fetches of them as clients
// send them.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "../noting_quotas.hpp"

import millrace.base;
import millrace.broker.connections;
import millrace.broker.fetching;
import millrace.broker.partitions;
import millrace.config;
import millrace.metadata;
import millrace.protocol.api;
import millrace.protocol.batch;
import millrace.protocol.compression;
import millrace.protocol.fetch;
import millrace.protocol.framing;
import millrace.runtime;
import millrace.runtime.shard;
import millrace.runtime.streams;
import millrace.security;
import millrace.storage.files;
import millrace.storage.log;
import millrace.storage.manager;
import millrace.storage.producers;
import millrace.telemetry;

namespace millrace::broker {

inline constexpr BrokerId test_broker{1};
inline constexpr std::int16_t version_by_name = 11;
inline constexpr std::int16_t version_13 = 13;  // the first with topic ids
inline constexpr std::int16_t version_by_id = 17;

inline Uuid topic_id_of(std::string_view name) {
  Uuid id;
  for (std::size_t i = 0; i < name.size() && i < id.bytes.size(); ++i) {
    id.bytes[i] = static_cast<std::byte>(name[i]);
  }
  return id;
}

// What a client asks for.
struct Ask {
  std::string topic = "orders";
  std::int32_t partition = 0;
  std::int64_t offset = 0;
  std::int32_t bytes_max = mebibyte;
  std::int32_t leader_epoch = -1;
  std::int32_t last_fetched_epoch = -1;
};
struct FetchAsk {
  std::vector<Ask> wanted = {};
  std::vector<Ask> forgotten = {};
  std::int16_t version = version_by_id;
  std::int32_t wait_ms = 0;
  std::int32_t bytes_min = 1;
  std::int32_t bytes_max = 50 * mebibyte;
  std::int8_t isolation = 0;
  std::int32_t session = 0;
  std::int32_t epoch = -1;
  std::uint64_t connection = 1;
};

// What it reads in the answer.
struct Told {
  std::string topic;  // by name or id
  std::int32_t partition = 0;
  ErrorCode error = ErrorCode::none;
  std::int64_t high_watermark = -1;
  std::int64_t last_stable = -1;
  std::int64_t log_start = -1;
  std::vector<std::string> values;
  std::size_t markers = 0;  // control batches, which are no values
  // Producer and first offset of each; nothing where the list is null.
  std::optional<std::vector<std::pair<std::int64_t, std::int64_t>>> aborted;
  std::int32_t leader = -1;
  std::int64_t diverging_end = -1;
};
struct FetchTold {
  bool closed = false;
  ErrorCode error = ErrorCode::none;
  std::int32_t throttle_ms = 0;
  std::int32_t session = 0;
  std::vector<Told> partitions;
  std::vector<std::string> endpoints;
};

class TestObserver final : public storage::DirectoryObserver {
 public:
  void directory_failed(const storage::LogDirectory&) override {}
  void all_directories_failed() override {}
};

class Refusing final : public security::Authorizer {
 public:
  bool authorize(const security::Session&, security::Operation operation,
                 security::ResourceType type, std::string_view name) override {
    return operation != security::Operation::read || type != security::ResourceType::topic ||
           name != "secret";
  }
  bool restricts() const override { return true; }
};

class FetchMachine {
 public:
  explicit FetchMachine(std::uint64_t seed, std::uint32_t shard_count = 3)
      : executor(seed),
        disk(seed),
        files(disk, executor, {.seed = seed}),
        registry(shard_count),
        shards(executor, registry, shard_count),
        random(seed) {
    session->listener = "PLAINTEXT";
    auto loaded =
        config::make_server_config({{.kind = config::SourceKind::file,
                                     .file = "test",
                                     .entries = {{"log.dirs", "/data"}, {"node.id", "1"}}}},
                                   {}, nullptr);
    EXPECT_TRUE(loaded.has_value()) << loaded.error().text();
    server = std::make_shared<const config::ServerConfig>(std::move(loaded->config));
    std::vector<HostShard> host_shards;
    for (std::uint32_t i = 0; i < shard_count; ++i) {
      pools.push_back(std::make_unique<BufferPool>());
      host_shards.push_back({&shards.at(ShardIndex(i)), &files, pools.back().get()});
    }
    host = std::make_unique<PartitionHost>(
        host_shards, HostOptions{test_broker, server, storage::manager_options(*server), seed},
        random, registry, observer, Logger(lines, "test"));
    run(open());
    for (std::uint32_t i = 0; i < shard_count; ++i) {
      grounds.push_back({&shards.at(ShardIndex(i)).loop(), &files, host->partitions()[i]});
    }
    for (std::uint32_t i = 0; i < shard_count; ++i) {
      fetches.push_back(std::make_unique<FetchRequests>(
          FetchContext{shards.at(ShardIndex(i)), grounds, *pools[i], authorizer, quotas,
                       std::uint64_t{50} * mebibyte, 100, seed + i}));
    }
  }
  ~FetchMachine() {
    for (auto& fetch : fetches) run(fetch->stop());
    fetches.clear();
    run(close());
  }
  FetchMachine(const FetchMachine&) = delete;
  FetchMachine& operator=(const FetchMachine&) = delete;

  void run(Task<void> task) {
    const auto ended = executor.run(std::move(task));
    EXPECT_TRUE(ended.has_value()) << ended.error().message;
  }
  template <class T>
  T wait(Task<T> task) {
    auto ended = executor.run(std::move(task));
    EXPECT_TRUE(ended.has_value()) << ended.error().message;
    return std::move(*ended);
  }

  // --- The cluster ---

  // A topic whose partitions this broker leads, but those that `elsewhere` leads.
  void make_topic(const std::string& name, std::int32_t partitions, BrokerId leader = test_broker) {
    metadata::ImageBuilder builder(image);
    EXPECT_TRUE(builder.apply(metadata::TopicRecord{name, topic_id_of(name), false}).has_value());
    for (std::int32_t i = 0; i < partitions; ++i) {
      metadata::Partition partition;
      partition.index = PartitionIndex(i);
      partition.replicas = partition.isr = {leader};
      partition.leader = leader;
      partition.leader_epoch = LeaderEpoch(3);
      EXPECT_TRUE(
          builder.apply(metadata::PartitionRecord{topic_id_of(name), partition}).has_value());
    }
    follow(builder);
  }
  void remove_topic(const std::string& name) {
    metadata::ImageBuilder builder(image);
    EXPECT_TRUE(builder.apply(metadata::RemoveTopicRecord{topic_id_of(name)}).has_value());
    follow(builder);
  }

  [[nodiscard]] Partition& partition(const std::string& topic, std::int32_t index) {
    const ShardIndex shard =
        shard_of(topic, PartitionIndex(index), static_cast<std::uint32_t>(fetches.size()));
    Partition* found = host->partitions()[shard.value()]->find(topic, PartitionIndex(index));
    check(found != nullptr, "the partition is there");
    return *found;
  }
  // One batch for each value.
  void append(const std::string& topic, std::int32_t index, std::vector<std::string> values) {
    run(append_all(partition(topic, index), std::move(values)));
  }
  Task<void> append_all(Partition& to, std::vector<std::string> values) {
    for (const std::string& value : values) {
      co_await append_batch(to, batch_of(value));
    }
  }
  static Task<void> append_batch(Partition& to, std::vector<std::byte> batch,
                                 storage::AppendOrigin origin = storage::AppendOrigin::client) {
    storage::LeaderAppend append;
    append.batch = batch;
    append.epoch = to.leader_epoch();
    append.origin = origin;
    const auto appended = co_await to.log().append(append);
    EXPECT_TRUE(appended.has_value());
    to.appended();
  }

  static std::vector<std::byte> batch_of(std::string_view value,
                                         const protocol::BatchOptions& options = {},
                                         ByteView key = {}) {
    BufferPool pool;
    protocol::BatchStorage records(pool);
    protocol::BatchStorage compressed(pool);
    protocol::Compressor compressor;
    protocol::BatchBuilder builder(records, compressed, compressor);
    builder.start(options);
    protocol::RecordInput record;
    record.key = key;
    record.value = std::as_bytes(std::span(value.data(), value.size()));
    record.timestamp = Timestamp(1'000);
    EXPECT_TRUE(builder.append(record).has_value());
    const auto bytes = builder.finish();
    EXPECT_TRUE(bytes.has_value());
    return {bytes->begin(), bytes->end()};
  }

  // --- Clients ---

  Task<FetchTold> ask(FetchAsk asked, std::uint32_t shard = 0) {
    Response response = co_await fetches[shard]->fetch(request_of(asked, shard));
    co_return read(response, asked.version);
  }
  FetchTold fetch(FetchAsk asked, std::uint32_t shard = 0) {
    return wait(ask(std::move(asked), shard));
  }

  bool garble_next = false;
  SimulatedExecutor executor;
  SimulatedDisk disk;
  SimulatedFileSystem files;
  telemetry::Registry registry;
  SimulatedShards shards;
  Random random;
  TestObserver observer;
  Refusing authorizer;
  NotingQuotas quotas;
  std::shared_ptr<MemoryLogSink> lines = std::make_shared<MemoryLogSink>();
  std::shared_ptr<security::Session> session = std::make_shared<security::Session>();
  std::shared_ptr<const config::ServerConfig> server;
  std::vector<std::unique_ptr<BufferPool>> pools;
  std::unique_ptr<PartitionHost> host;
  FetchGrounds grounds;
  std::vector<std::unique_ptr<FetchRequests>> fetches;
  std::shared_ptr<const metadata::Image> image = metadata::empty_image();

 private:
  Task<void> open() {
    const auto opened = co_await host->open("test-cluster");
    EXPECT_TRUE(opened.has_value()) << opened.error().message;
    metadata::ImageBuilder builder(image);
    for (const std::int32_t id : {1, 2}) {
      metadata::Broker broker;
      broker.id = BrokerId(id);
      broker.epoch = BrokerEpoch(id);
      broker.fenced = false;
      broker.endpoints = {{"PLAINTEXT", "host" + std::to_string(id), 9092, 0}};
      EXPECT_TRUE(builder.apply(metadata::RegisterBrokerRecord{broker}).has_value());
    }
    auto [next, delta] = builder.take();
    image = next;
    static_cast<void>(co_await host->apply(image, delta));
    static_cast<void>(co_await host->caught_up());
  }
  Task<void> close() {
    const auto stopped = co_await host->stop(BrokerEpoch(1));
    EXPECT_TRUE(stopped.has_value());
  }
  void follow(metadata::ImageBuilder& builder) {
    auto [next, delta] = builder.take();
    image = next;
    const Applied applied = wait(host->apply(image, delta));
    EXPECT_EQ(applied.failed, 0U);
  }

  Request request_of(const FetchAsk& asked, std::uint32_t shard) {
    std::vector<protocol::FetchRequest::FetchPartition> partitions(asked.wanted.size());
    std::vector<protocol::FetchRequest::FetchTopic> topics(asked.wanted.size());
    for (std::size_t i = 0; i < asked.wanted.size(); ++i) {
      const Ask& ask = asked.wanted[i];
      partitions[i].partition = ask.partition;
      partitions[i].fetch_offset = ask.offset;
      partitions[i].partition_max_bytes = ask.bytes_max;
      partitions[i].current_leader_epoch = ask.leader_epoch;
      partitions[i].last_fetched_epoch = ask.last_fetched_epoch;
      topics[i].topic = ask.topic;
      topics[i].topic_id = topic_id_of(ask.topic);
      topics[i].partitions = {&partitions[i], 1};
    }
    std::vector<protocol::FetchRequest::ForgottenTopic> forgotten(asked.forgotten.size());
    for (std::size_t i = 0; i < asked.forgotten.size(); ++i) {
      forgotten[i].topic = asked.forgotten[i].topic;
      forgotten[i].topic_id = topic_id_of(asked.forgotten[i].topic);
      forgotten[i].partitions = {&asked.forgotten[i].partition, 1};
    }
    protocol::FetchRequest message;
    message.max_wait_ms = asked.wait_ms;
    message.min_bytes = asked.bytes_min;
    message.max_bytes = asked.bytes_max;
    message.isolation_level = asked.isolation;
    message.session_id = asked.session;
    message.session_epoch = asked.epoch;
    message.topics = std::span<const protocol::FetchRequest::FetchTopic>(topics);
    message.forgotten_topics_data =
        std::span<const protocol::FetchRequest::ForgottenTopic>(forgotten);
    const auto size = measure(message, asked.version);
    EXPECT_TRUE(size.has_value());
    auto owner = std::make_shared<Buffer>(pools[shard]->acquire(size->inline_bytes));
    protocol::Writer writer(owner->bytes(), {});
    write(message, asked.version, writer);
    if (std::exchange(garble_next, false)) {
      for (std::byte& byte : owner->bytes()) byte = std::byte{0xff};
    }
    Request request;
    request.context.api = &protocol::api_info(protocol::ApiKey::fetch);
    request.context.version = asked.version;
    request.context.session = session;
    request.context.client_id = "reader";
    request.context.received = executor.clock().now();
    request.context.connection = ConnectionId(asked.connection);
    request.body = owner->bytes();
    request.frame = protocol::Frame(owner->bytes(), owner);
    return request;
  }

  static FetchTold read(const Response& response, std::int16_t version) {
    FetchTold told;
    if (response.kind() != Response::Kind::frame) {
      told.closed = true;
      return told;
    }
    std::vector<std::byte> bytes;
    response.frame().for_each_piece([&](const protocol::RecordChunk& chunk) {
      EXPECT_NE(chunk.memory, nullptr);
      bytes.insert(bytes.end(), chunk.memory, chunk.memory + chunk.size);
    });
    const ByteView frame = ByteView(bytes).subspan(frame_length_bytes);
    const auto header =
        protocol::read_response_header(frame, protocol::api_info(protocol::ApiKey::fetch), version);
    EXPECT_TRUE(header.has_value());
    protocol::Arena arena(mebibyte);
    protocol::FetchResponse message;
    EXPECT_TRUE(protocol::decode(message, header->body, version, arena).has_value());
    told.error = static_cast<ErrorCode>(message.error_code);
    told.throttle_ms = message.throttle_time_ms;
    told.session = message.session_id;
    for (const auto& topic : message.responses) {
      for (const auto& partition : topic.partitions) {
        told.partitions.push_back(told_of(topic, partition, version));
      }
    }
    for (const auto& node : message.node_endpoints) {
      told.endpoints.push_back(std::string(node.host) + ":" + std::to_string(node.port));
    }
    return told;
  }
  static Told told_of(const protocol::FetchResponse::FetchableTopicResponse& topic,
                      const protocol::FetchResponse::PartitionData& partition,
                      std::int16_t version) {
    Told told;
    told.topic = topic.topic;
    if (version >= version_13) {
      for (const std::byte byte : topic.topic_id.bytes) {
        if (byte != std::byte{}) told.topic.push_back(static_cast<char>(byte));
      }
    }
    told.partition = partition.partition_index;
    told.error = static_cast<ErrorCode>(partition.error_code);
    told.high_watermark = partition.high_watermark;
    told.last_stable = partition.last_stable_offset;
    if (!partition.aborted_transactions.is_null()) {
      told.aborted.emplace();
      for (const auto& aborted : partition.aborted_transactions) {
        told.aborted->emplace_back(aborted.producer_id, aborted.first_offset);
      }
    }
    told.log_start = partition.log_start_offset;
    told.leader = partition.current_leader.leader_id;
    told.diverging_end = partition.diverging_epoch.end_offset;
    protocol::Decompressor decompressor;
    protocol::BatchSplitter splitter(partition.records.bytes());
    for (protocol::BatchView batch; splitter.next(batch);) {
      if (batch.header().attributes.is_control()) {
        ++told.markers;
        continue;
      }
      protocol::RecordReader reader(decompressor);
      EXPECT_TRUE(reader.open(batch).has_value());
      for (protocol::RecordView record; reader.next(record);) {
        told.values.emplace_back(as_text(record.value));
      }
    }
    return told;
  }
};

}  // namespace millrace::broker
