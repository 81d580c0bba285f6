// The partitions of a broker on a simulated machine, for tests: several shards on one executor, a
// disk that survives the lives of the broker, and the metadata that it follows.
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

import millrace.base;
import millrace.broker.partitions;
import millrace.config;
import millrace.metadata;
import millrace.protocol.api;
import millrace.protocol.batch;
import millrace.protocol.compression;
import millrace.runtime;
import millrace.runtime.shard;
import millrace.storage.files;
import millrace.storage.log;
import millrace.storage.manager;
import millrace.telemetry;

namespace millrace::broker {

inline constexpr BrokerId test_broker{1};
inline constexpr BrokerId other_broker{2};

// A topic made anew has another number.
inline Uuid topic_id_of(std::string_view name, std::uint8_t number = 1) {
  Uuid id;
  for (std::size_t i = 0; i < name.size(); ++i) id.bytes[i % 15] ^= static_cast<std::byte>(name[i]);
  id.bytes[15] = static_cast<std::byte>(number);
  return id;
}

struct BatchOf {
  std::vector<std::string> values = {"v"};
  std::string key = {};
  protocol::ProducerState producer = {};
  protocol::Codec codec = protocol::Codec::none;
  Timestamp timestamp{1'000};
  bool transactional = false;
  bool control = false;
  Offset base_offset{0};
};

inline std::vector<std::byte> batch_of(const BatchOf& wanted) {
  BufferPool pool;
  protocol::BatchStorage records(pool);
  protocol::BatchStorage compressed(pool);
  protocol::Compressor compressor;
  protocol::BatchBuilder builder(records, compressed, compressor);
  protocol::BatchOptions options;
  options.compression = protocol::CompressionOptions(wanted.codec);
  options.producer = wanted.producer;
  options.transactional = wanted.transactional;
  options.control = wanted.control;
  options.base_offset = wanted.base_offset;
  options.batch_bytes_max = 8 * mebibyte;
  builder.start(options);
  for (const std::string& value : wanted.values) {
    protocol::RecordInput record;
    if (!wanted.key.empty()) record.key = as_bytes(wanted.key);
    record.value = as_bytes(value);
    record.timestamp = wanted.timestamp;
    EXPECT_TRUE(builder.append(record).has_value());
  }
  const auto bytes = builder.finish();
  EXPECT_TRUE(bytes.has_value());
  return {bytes->begin(), bytes->end()};
}

class TestObserver final : public storage::DirectoryObserver {
 public:
  void directory_failed(const storage::LogDirectory&) override { ++failed; }
  void all_directories_failed() override {}
  int failed = 0;
};

struct TopicOf {
  std::string name = "orders";
  std::int32_t partitions = 1;
  BrokerId leader = test_broker;
  std::vector<BrokerId> replicas = {test_broker};
  std::vector<BrokerId> isr = {test_broker};
  LeaderEpoch epoch{3};
  std::uint8_t number = 1;
  std::vector<std::pair<std::string, std::string>> settings = {};
};

struct ChangeOf {
  std::optional<std::vector<BrokerId>> replicas = {};
  std::optional<std::vector<BrokerId>> isr = {};
  std::optional<BrokerId> leader = {};
};

// What lives as long as a process.
struct BrokerLife {
  BrokerLife(SimulatedDisk& disk, SimulatedExecutor& executor, const SimulatedFileOptions& options,
             std::uint32_t shard_count, std::shared_ptr<const config::ServerConfig> server,
             const std::shared_ptr<MemoryLogSink>& lines)
      : files(disk, executor, options),
        registry(shard_count),
        shards(executor, registry, shard_count),
        random(options.seed + 7919 * disk.steps()) {
    std::vector<HostShard> host_shards;
    for (std::uint32_t i = 0; i < shard_count; ++i) {
      pools.push_back(std::make_unique<BufferPool>());
      host_shards.push_back({&shards.at(ShardIndex(i)), &files, pools.back().get()});
    }
    host = std::make_unique<PartitionHost>(
        host_shards,
        HostOptions{test_broker, server, storage::manager_options(*server), 1,
                    [this] { ++opening_went_on; }},
        random, registry, observer, Logger(lines, "test"));
  }

  SimulatedFileSystem files;
  telemetry::Registry registry;
  SimulatedShards shards;
  Random random;
  TestObserver observer;
  std::vector<std::unique_ptr<BufferPool>> pools;
  std::size_t opening_went_on = 0;
  std::unique_ptr<PartitionHost> host;
};

class BrokerMachine {
 public:
  explicit BrokerMachine(std::uint64_t seed, std::uint32_t shard_count = 3)
      : executor(seed), disk(seed), shard_count(shard_count) {
    files.seed = seed;
    set_server({});
  }
  virtual ~BrokerMachine() {
    if (life) kill();
  }
  BrokerMachine(const BrokerMachine&) = delete;
  BrokerMachine& operator=(const BrokerMachine&) = delete;

  SimulatedExecutor executor;
  SimulatedDisk disk;
  SimulatedFileOptions files;
  std::uint32_t shard_count;
  std::string directories = "/data";  // counts from set_server() on
  std::shared_ptr<const config::ServerConfig> server;
  std::shared_ptr<MemoryLogSink> lines = std::make_shared<MemoryLogSink>();
  std::shared_ptr<const metadata::Image> image = metadata::empty_image();
  std::vector<LeadershipChange> leadership;
  std::unique_ptr<BrokerLife> life;

  void set_server(std::vector<config::PropertyEntry> entries) {
    entries.push_back({"log.dirs", directories});
    entries.push_back({"node.id", "1"});
    config::Layer layer;
    layer.entries = std::move(entries);
    auto loaded = config::make_server_config({std::move(layer)}, {}, nullptr);
    ASSERT_TRUE(loaded.has_value()) << loaded.error().text();
    server = std::make_shared<const config::ServerConfig>(std::move(loaded->config));
  }

  void run(Task<void> task) {
    const auto ended = executor.run(std::move(task));
    ASSERT_TRUE(ended.has_value()) << ended.error().message << disk.dump();
  }
  template <class T>
  T wait(Task<T> task) {
    auto ended = executor.run(std::move(task));
    EXPECT_TRUE(ended.has_value()) << ended.error().message << disk.dump();
    return std::move(*ended);
  }
  [[nodiscard]] bool says(std::string_view part) const {
    for (const auto& line : lines->lines()) {
      if (line.message.find(part) != std::string::npos) return true;
    }
    return false;
  }

  // --- Lives ---

  // Opens the directories, and with `follows` all that the metadata say.
  storage::StorageResult<storage::OpeningReport> start(bool follows = true) {
    life = std::make_unique<BrokerLife>(disk, executor, files, shard_count, server, lines);
    life->host->on_leadership(
        [this](const LeadershipChange& change) { leadership.push_back(change); });
    auto opened = wait(life->host->open("test-cluster"));
    if (!opened) return opened;
    started();
    if (follows) {
      follow_all();
      static_cast<void>(wait(life->host->caught_up()));
    }
    return opened;
  }
  Applied follow_all() {
    metadata::Delta everything;
    everything.everything = true;
    return wait(life->host->apply(image, everything));
  }
  void stop() {
    stopping();
    const auto stopped = wait(life->host->stop(BrokerEpoch(5)));
    EXPECT_TRUE(stopped.has_value()) << stopped.error().message;
    life.reset();
  }
  void power_cut(std::uint64_t seed) {
    disk.power_cut(seed);
    end_of_life();
  }
  void kill() {
    life->files.kill(files.seed);
    end_of_life();
  }

  // --- The cluster ---

  Applied change(const std::vector<metadata::Record>& records) {
    metadata::ImageBuilder builder(image);
    for (const metadata::Record& record : records) {
      EXPECT_TRUE(builder.apply(record).has_value());
    }
    auto [next, delta] = builder.take();
    image = next;
    return life ? wait(life->host->apply(image, delta)) : Applied{};
  }
  Applied make_topic(const TopicOf& topic) {
    const Uuid id = topic_id_of(topic.name, topic.number);
    std::vector<metadata::Record> records;
    records.push_back(metadata::TopicRecord{topic.name, id, topic.name.starts_with("__")});
    for (std::int32_t i = 0; i < topic.partitions; ++i) {
      metadata::Partition partition;
      partition.index = PartitionIndex(i);
      partition.replicas = topic.replicas;
      partition.isr = topic.isr;
      partition.leader = topic.leader;
      partition.leader_epoch = topic.epoch;
      records.push_back(metadata::PartitionRecord{id, partition});
    }
    for (const auto& [name, value] : topic.settings) {
      records.push_back(
          metadata::ConfigRecord{metadata::ConfigKind::topic, topic.name, name, value});
    }
    return change(records);
  }
  Applied remove_topic(std::string_view name, std::uint8_t number = 1) {
    return change({metadata::RemoveTopicRecord{topic_id_of(name, number)}});
  }
  Applied set(const std::string& topic, const std::string& name, const std::string& value) {
    return change({metadata::ConfigRecord{metadata::ConfigKind::topic, topic, name, value}});
  }
  Applied change_partition(std::string_view topic, std::int32_t index, const ChangeOf& change_of) {
    metadata::PartitionChangeRecord record;
    record.topic = topic_id_of(topic);
    record.partition = PartitionIndex(index);
    record.replicas = change_of.replicas;
    record.isr = change_of.isr;
    record.leader = change_of.leader;
    return change({record});
  }

  // --- Partitions ---

  [[nodiscard]] Partitions& partitions_of(std::string_view topic, std::int32_t index = 0) {
    return *life->host->partitions()[shard_of(topic, PartitionIndex(index), shard_count).value()];
  }
  [[nodiscard]] Partition& partition(std::string_view topic, std::int32_t index = 0) {
    Partition* found = partitions_of(topic, index).find(topic, PartitionIndex(index));
    check(found != nullptr, "the partition is here");
    return *found;
  }
  [[nodiscard]] ErrorCode leader_code(std::string_view topic, std::int32_t index = 0,
                                      LeaderEpoch epoch = no_leader_epoch) {
    const auto led = partitions_of(topic, index).leader(topic, PartitionIndex(index), epoch);
    return led ? ErrorCode::none : led.error();
  }
  [[nodiscard]] ErrorCode leader_code(const Uuid& id, std::string_view topic,
                                      std::int32_t index = 0) {
    const auto led = partitions_of(topic, index).leader(id, PartitionIndex(index));
    return led ? ErrorCode::none : led.error();
  }
  storage::AppendResult append(Partition& to, const BatchOf& wanted) {
    return wait(append_to(to, batch_of(wanted)));
  }
  static Task<storage::AppendResult> append_to(Partition& to, std::vector<std::byte> batch) {
    const auto kept = to.shared_from_this();
    storage::LeaderAppend append;
    append.batch = batch;
    append.epoch = to.leader_epoch();
    auto appended = co_await to.log().append(append);
    to.appended();
    co_return appended;
  }
  // The values of all records below the high watermark.
  std::vector<std::string> values(Partition& of) { return wait(read_all(of)); }

 protected:
  virtual void started() {}
  virtual void stopping() {}

 private:
  void end_of_life() {
    executor.run_until_idle();
    stopping();
    static_cast<void>(wait(life->host->stop(BrokerEpoch(5))).has_value());
    life.reset();
    leadership.clear();
  }
  static Task<std::vector<std::string>> read_all(Partition& of) {
    std::vector<std::string> found;
    protocol::Decompressor decompressor;
    Offset from = of.log_start();
    while (from < of.high_watermark()) {
      const auto read = co_await of.read_internal(of.leader_epoch(), from, 1 << 20);
      EXPECT_TRUE(read.has_value()) << read.error().message;
      if (!read || read->bytes.empty()) break;
      protocol::BatchSplitter splitter(read->bytes);
      for (protocol::BatchView batch; splitter.next(batch);) {
        EXPECT_TRUE(batch.crc_matches());
        protocol::RecordReader reader(decompressor);
        EXPECT_TRUE(reader.open(batch).has_value());
        for (protocol::RecordView record; reader.next(record);) {
          if (record.offset >= from) found.emplace_back(as_text(record.value));
        }
        from = batch.header().last_offset().next();
      }
    }
    co_return found;
  }
};

}  // namespace millrace::broker
