// A server's storage on a simulated machine, for tests: its log directories and the managers of one
// or more shards, all on one simulated thread.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "../log/read_records.hpp"

import millrace.storage.manager;

namespace millrace::storage {

inline constexpr std::string_view test_root = "/data";
inline const TopicPartition orders_0{"orders", PartitionIndex(0)};
inline const TopicPartition orders_1{"orders", PartitionIndex(1)};

inline Uuid test_topic_id(std::uint8_t number) {
  Uuid id;
  id.bytes[0] = std::byte{0x10};
  id.bytes[15] = std::byte{number};
  return id;
}

// A batch of one record with this value.
inline std::vector<std::byte> test_batch(std::string_view value, std::string_view key = {}) {
  BufferPool pool;
  protocol::BatchStorage records(pool);
  protocol::BatchStorage compressed(pool);
  protocol::Compressor compressor;
  protocol::BatchBuilder builder(records, compressed, compressor);
  builder.start({});
  protocol::RecordInput record;
  record.value = as_bytes(value);
  if (!key.empty()) record.key = as_bytes(key);
  record.timestamp = Timestamp(1'000);
  EXPECT_TRUE(builder.append(record).has_value());
  const auto bytes = builder.finish();
  EXPECT_TRUE(bytes.has_value());
  return {bytes->begin(), bytes->end()};
}

class TestObserver final : public DirectoryObserver {
 public:
  void directory_failed(const LogDirectory& directory) override {
    failed.push_back(directory.path());
  }
  void all_directories_failed() override { ++all_failed; }

  std::vector<std::string> failed;
  int all_failed = 0;
};

// One shard of a process.
struct TestShard {
  TestShard(Executor& executor, FileSystem& files, Crossing& crossing, std::uint32_t index,
            std::uint32_t count, LogDirectories& directories, const ManagerOptions& options,
            telemetry::Registry& registry, const Logger& log, std::uint64_t seed)
      : manager({executor, files, buffers, decompressor, crossing, ShardIndex(index), ShardIndex(0),
                 count, registry, log, seed,
                 [this](const Corruption& corruption) { corruptions.push_back(corruption); },
                 [this] { ++opening_went_on; }},
                directories, options) {}

  std::vector<Corruption> corruptions;
  std::size_t opening_went_on = 0;

  BufferPool buffers;
  protocol::Decompressor decompressor;
  LogManager manager;
};

// What lives as long as a process; a new one for each life.
struct TestProcess {
  TestProcess(SimulatedDisk& disk, SimulatedExecutor& executor,
              const SimulatedFileOptions& simulated, const ManagerOptions& options,
              std::uint32_t shard_count, const Logger& log)
      : files(disk, executor, simulated),
        // Other ids in each life.
        random(simulated.seed + 7919 * disk.steps()),
        registry(shard_count),
        directories(executor, files, crossing, random, options.directories, log, observer) {
    for (std::uint32_t i = 0; i < shard_count; ++i) {
      shards.push_back(std::make_unique<TestShard>(executor, files, crossing, i, shard_count,
                                                   directories, options, registry, log,
                                                   random.next()));
    }
  }

  SimulatedFileSystem files;
  SameThread crossing;
  Random random;
  telemetry::Registry registry;
  TestObserver observer;
  LogDirectories directories;
  std::vector<std::unique_ptr<TestShard>> shards;
};

class ManagerMachine {
 public:
  explicit ManagerMachine(std::uint64_t seed, std::vector<std::string> directories = {"/data"},
                          std::uint32_t shard_count = 1)
      : executor(seed), disk(seed), shards_(shard_count) {
    files.seed = seed;
    options.directories = std::move(directories);
    owner = {"test-cluster", BrokerId(1)};
  }
  ~ManagerMachine() {
    if (process) end_of_process();
  }

  SimulatedExecutor executor;
  SimulatedDisk disk;
  SimulatedFileOptions files;
  ManagerOptions options;
  DirectoryOwner owner;
  LogConfig config;
  std::shared_ptr<MemoryLogSink> lines = std::make_shared<MemoryLogSink>();
  std::unique_ptr<TestProcess> process;
  OpeningReport report;

  [[nodiscard]] LogManager& manager(std::size_t shard = 0) {
    return process->shards[shard]->manager;
  }
  [[nodiscard]] LogDirectories& directories() { return process->directories; }
  [[nodiscard]] bool says(std::string_view part) const {
    for (const auto& line : lines->lines()) {
      if (line.message.find(part) != std::string::npos) return true;
    }
    return false;
  }

  // Runs a coroutine to its end and gives its result.
  template <class T>
  T wait(Task<T> task) {
    auto ended = executor.run(std::move(task));
    EXPECT_TRUE(ended) << ended.error().message << '\n' << disk.dump();
    return std::move(*ended);
  }

  void run(Task<void> task) {
    const auto ended = executor.run(std::move(task));
    EXPECT_TRUE(ended) << ended.error().message << '\n' << disk.dump();
  }

  // The server starts.
  StorageResult<void> start() {
    process = std::make_unique<TestProcess>(disk, executor, files, options, shards_,
                                            Logger(lines, "test"));
    auto opened = wait(process->directories.open(owner));
    if (!opened) return opened;
    report = {};
    for (std::uint32_t i = 0; i < shards_; ++i) {
      const auto part = wait(manager(i).open(
          [this, i](const TopicPartition& partition) { return shard_of(partition) == i; },
          [this](const std::string&) { return config; }));
      report.opened += part.opened;
      report.failed += part.failed;
      report.recovered += part.recovered;
      report.scanned_bytes += part.scanned_bytes;
    }
    return {};
  }
  // It stops in order.
  StorageResult<void> stop(BrokerEpoch epoch = BrokerEpoch(7)) {
    std::vector<bool> clean(options.directories.size(), true);
    for (const auto& shard : process->shards) {
      const std::vector<bool> of_shard = wait(shard->manager.stop());
      for (std::size_t i = 0; i < clean.size(); ++i) clean[i] = clean[i] && of_shard[i];
    }
    auto closed = wait(process->directories.close(std::move(clean), epoch));
    process.reset();
    return closed;
  }
  // It goes away without a stop: the power was cut, or it is about to be.
  void end_of_process() {
    if (process->files.alive()) process->files.kill(files.seed);
    executor.run_until_idle();
    static_cast<void>(stop().has_value());
  }
  void power_cut(std::uint64_t seed) {
    disk.power_cut(seed);
    end_of_process();
  }

  [[nodiscard]] std::uint32_t shard_of(const TopicPartition& partition) const {
    return static_cast<std::uint32_t>(partition.partition.value()) % shards_;
  }
  [[nodiscard]] LogManager& manager_of(const TopicPartition& partition) {
    return manager(shard_of(partition));
  }

  StorageResult<void> create(const TopicPartition& partition, const Uuid& id = test_topic_id(1),
                             Novelty novelty = Novelty::is_new) {
    const auto made = wait(manager_of(partition).create(partition, id, config, novelty));
    if (!made) return failure(made.error());
    return {};
  }
  StorageResult<void> remove(const TopicPartition& partition) {
    return wait(manager_of(partition).remove(partition));
  }
  AppendResult append(const TopicPartition& partition, std::string_view value,
                      AppendOrigin origin = AppendOrigin::client) {
    return append_to(partition, test_batch(value), origin);
  }
  AppendResult append_keyed(const TopicPartition& partition, std::string_view key,
                            std::string_view value) {
    return append_to(partition, test_batch(value, key), AppendOrigin::client);
  }
  // Behind the server's back.
  bool replace_file(std::string path, std::string text) {
    return wait(write_file(std::move(path), std::move(text)));
  }
  // The values of all records.
  std::vector<std::string> values(const TopicPartition& partition) {
    const auto log = manager_of(partition).find(partition);
    if (!log) return {"(no log)"};
    return wait(read_all(log));
  }

 private:
  AppendResult append_to(const TopicPartition& partition, std::vector<std::byte> batch,
                         AppendOrigin origin) {
    auto log = manager_of(partition).find(partition);
    if (log) return wait(append_batch(std::move(log), std::move(batch), origin));
    AppendError error;
    error.message = "there is no log";
    return failure(std::move(error));
  }
  Task<bool> write_file(std::string path, std::string text) {
    SimulatedFileSystem behind(disk, executor);
    const auto file = co_await behind.open(path, OpenMode::create_truncated);
    if (!file) co_return false;
    const ByteView piece = as_bytes(text);
    const auto written = co_await behind.write(*file, 0, std::span(&piece, 1));
    co_return co_await behind.close(*file) && written;
  }
  static Task<AppendResult> append_batch(std::shared_ptr<Log> log, std::vector<std::byte> batch,
                                         AppendOrigin origin) {
    LeaderAppend append;
    append.batch = batch;
    append.epoch = LeaderEpoch(0);
    append.origin = origin;
    co_return co_await log->append(append);
  }
  static Task<std::vector<std::string>> read_all(std::shared_ptr<Log> log) {
    std::vector<TestRecord> found;
    co_await read_records(*log, log->start(), log->end(), 10'000, found);
    co_return values_of(found);
  }

  std::uint32_t shards_;
};

}  // namespace millrace::storage
