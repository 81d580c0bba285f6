// Managers on shards that are threads, with real files. Also proves crossing.cppm.
#include <gtest/gtest.h>
#include <unistd.h>

#include <coroutine>
#include <cstddef>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

// It imports modules: after all that includes standard headers.
#include "manager_machine.hpp"

import millrace.runtime.files;
import millrace.runtime.shard;

namespace millrace::storage {
namespace {

class SilentObserver final : public DirectoryObserver {
 public:
  void directory_failed(const LogDirectory&) override { ++failed; }
  void all_directories_failed() override { ++failed; }
  int failed = 0;
};

// What one shard has; made and used on its thread.
struct Seat {
  Seat(Shard& shard, FilePool& pool, FileSystemKind kind)
      : files(make_file_system(kind, shard.loop(), pool).value()), crossing(shard) {}

  std::unique_ptr<PosixFileSystem> files;
  ShardCrossing crossing;
  BufferPool buffers;
  protocol::Decompressor decompressor;
  std::unique_ptr<LogManager> manager;
};

// With both implementations of file I/O.
class ManagersOnShards : public ::testing::TestWithParam<FileSystemKind> {
 protected:
  static constexpr std::uint32_t count = 3;

  ManagersOnShards() {
    root = std::filesystem::path(::testing::TempDir()) /
           ("millrace-manager-" + std::to_string(::getpid()));
    std::filesystem::remove_all(root);
    options.directories = {(root / "one").string(), (root / "two").string()};
    // The machine that runs tests may be short of space.
    options.reserve_bytes = 0;
  }
  ~ManagersOnShards() override { std::filesystem::remove_all(root); }

  static std::uint32_t shard_of(const TopicPartition& partition) {
    return static_cast<std::uint32_t>(partition.partition.value()) % count;
  }

  void start() {
    pool = std::move(FilePool::start(clock).value());
    registry = std::make_unique<telemetry::Registry>(count);
    ShardsOptions wanted;
    wanted.count = count;
    shards = std::move(Shards::start(clock, *registry, wanted).value());
    const FileSystemKind kind = GetParam();
    seats.resize(count);
    for (std::uint32_t i = 0; i < count; ++i) {
      shards->run_on(ShardIndex(i),
                     [&](Shard& shard) { seats[i] = std::make_unique<Seat>(shard, *pool, kind); });
    }
    const Logger log(lines, "test");
    const auto opened = shards->run_on(ShardIndex(0), [&](Shard& shard) {
      directories =
          std::make_unique<LogDirectories>(shard.loop(), *seats[0]->files, seats[0]->crossing,
                                           random, options.directories, log, observer);
      return directories->open({"cluster", BrokerId(1)});
    });
    ASSERT_TRUE(opened) << opened.error().message;
    for (std::uint32_t i = 0; i < count; ++i) {
      report.opened += shards
                           ->run_on(ShardIndex(i),
                                    [&, i](Shard& shard) {
                                      make_manager(shard, i, log);
                                      return seats[i]->manager->open(
                                          [i](const TopicPartition& p) { return shard_of(p) == i; },
                                          [this](const std::string&) { return config; });
                                    })
                           .opened;
    }
  }
  void make_manager(Shard& shard, std::uint32_t i, const Logger& log) {
    Seat& seat = *seats[i];
    seat.manager = std::make_unique<LogManager>(
        ManagerContext{shard.loop(), *seat.files, seat.buffers, seat.decompressor, seat.crossing,
                       ShardIndex(i), ShardIndex(0), count, *registry, log, 1, nullptr},
        *directories, options);
  }
  void stop() {
    std::vector<bool> clean(options.directories.size(), true);
    for (std::uint32_t i = 0; i < count; ++i) {
      const auto of_shard =
          shards->run_on(ShardIndex(i), [&](Shard&) { return seats[i]->manager->stop(); });
      for (std::size_t d = 0; d < clean.size(); ++d) clean[d] = clean[d] && of_shard[d];
    }
    const auto closed = shards->run_on(
        ShardIndex(0), [&](Shard&) { return directories->close(clean, BrokerEpoch(3)); });
    EXPECT_EQ(closed.has_value(), !expects_failure);
    for (std::uint32_t i = 0; i < count; ++i) {
      shards->run_on(ShardIndex(i), [&](Shard&) { seats[i]->manager.reset(); });
    }
    shards->run_on(ShardIndex(0), [&](Shard&) { directories.reset(); });
    for (std::uint32_t i = 0; i < count; ++i) {
      shards->run_on(ShardIndex(i), [&](Shard&) { seats[i].reset(); });
    }
    shards->stop();
    shards.reset();
    registry.reset();
    pool->stop();
  }
  // All partitions of one shard are made at once.
  Task<std::size_t> create_all(std::uint32_t shard, std::int32_t partitions) {
    TaskGroup tasks;
    std::size_t made = 0;
    const auto one = [&](std::int32_t index) -> Task<void> {
      const auto log = co_await seats[shard]->manager->create(
          {"t", PartitionIndex(index)}, Uuid{{std::byte{1}}}, config, Novelty::is_new);
      if (log) ++made;
    };
    for (std::int32_t i = 0; i < partitions; ++i) {
      if (shard_of({"t", PartitionIndex(i)}) == shard) tasks.start(one(i));
    }
    co_await tasks.wait();
    co_return made;
  }

  // To the partition of that number, many at a time; how many were answered.
  Task<std::size_t> append_to(std::uint32_t shard, std::size_t batches) {
    const auto log =
        seats[shard]->manager->find({"t", PartitionIndex(static_cast<std::int32_t>(shard))});
    TaskGroup tasks;
    std::size_t answered = 0;
    const auto one = [&]() -> Task<void> {
      std::vector<std::byte> bytes = test_batch(std::string(1'000, 'v'));
      LeaderAppend append;
      append.batch = bytes;
      append.epoch = LeaderEpoch(0);
      if (co_await log->append(append)) ++answered;
    };
    for (std::size_t i = 0; i < batches; ++i) tasks.start(one());
    co_await tasks.wait();
    EXPECT_EQ(log->flushed_end(), log->end());
    EXPECT_GT(log->segments().size(), 3u);
    co_return answered;
  }
  Task<std::size_t> records_of(std::uint32_t shard) {
    const auto log =
        seats[shard]->manager->find({"t", PartitionIndex(static_cast<std::int32_t>(shard))});
    std::vector<TestRecord> found;
    co_await read_records(*log, log->start(), log->end(), 5'000, found);
    std::size_t whole = 0;
    for (const TestRecord& record : found) whole += record.value == std::string(1'000, 'v') ? 1 : 0;
    co_return whole;
  }

  SystemClock clock;
  Random random{1};
  SilentObserver observer;
  std::shared_ptr<MemoryLogSink> lines = std::make_shared<MemoryLogSink>();
  std::filesystem::path root;
  ManagerOptions options;
  LogConfig config;
  OpeningReport report;
  bool expects_failure = false;
  std::unique_ptr<FilePool> pool;
  std::unique_ptr<telemetry::Registry> registry;
  std::unique_ptr<Shards> shards;
  std::vector<std::unique_ptr<Seat>> seats;
  std::unique_ptr<LogDirectories> directories;
};

TEST_P(ManagersOnShards, share_directories_and_find_all_again) {
  start();
  std::size_t made = 0;
  for (std::uint32_t i = 0; i < count; ++i) {
    made += shards->run_on(ShardIndex(i), [&](Shard&) { return create_all(i, 30); });
  }
  EXPECT_EQ(made, 30u);
  for (std::uint32_t i = 0; i < count; ++i) {
    const auto saved = shards->run_on(
        ShardIndex(i), [&](Shard&) { return seats[i]->manager->save(checkpoint_kinds_of_logs); });
    EXPECT_TRUE(saved);
  }
  stop();
  start();
  EXPECT_EQ(report.opened, 30u);
  EXPECT_EQ(observer.failed, 0);
  for (std::uint32_t i = 0; i < count; ++i) EXPECT_EQ(seats[i]->manager->count(), 10u);
  const auto removed = shards->run_on(
      ShardIndex(1), [&](Shard&) { return seats[1]->manager->remove({"t", PartitionIndex(1)}); });
  EXPECT_TRUE(removed);
  stop();
}

TEST_P(ManagersOnShards, another_server_is_kept_out) {
  start();
  const auto opened = shards->run_on(ShardIndex(0), [&](Shard& shard) -> Task<StorageResult<void>> {
    LogDirectories other(shard.loop(), *seats[0]->files, seats[0]->crossing, random,
                         options.directories, Logger(lines, "other"), observer);
    auto outcome = co_await other.open({"cluster", BrokerId(1)});
    static_cast<void>(co_await other.close({}, BrokerEpoch(4)));
    co_return outcome;
  });
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().fault, StorageFault::locked);
  stop();
}

TEST_P(ManagersOnShards, a_directory_that_fails_on_one_fails_on_all) {
  start();
  for (std::uint32_t i = 0; i < count; ++i) {
    EXPECT_EQ(shards->run_on(ShardIndex(i), [&](Shard&) { return create_all(i, 12); }), 4u);
  }
  // The second shard meets the failure.
  shards->run_on(ShardIndex(1), [&](Shard&) {
    seats[1]
        ->manager->find({"t", PartitionIndex(1)})
        ->report({StorageFault::offline, "the device failed", std::nullopt});
  });
  // A call to each shard from home comes behind the news.
  shards->run_on(ShardIndex(1), [&](Shard&) -> Task<void> {
    co_await seats[1]->crossing.run(ShardIndex(0), []() -> Task<void> { co_return; });
  });
  shards->run_on(ShardIndex(0), [&](Shard&) -> Task<void> {
    for (std::uint32_t i = 0; i < count; ++i) {
      co_await seats[0]->crossing.run(ShardIndex(i), []() -> Task<void> { co_return; });
    }
  });
  std::size_t offline = 0;
  for (std::uint32_t i = 0; i < count; ++i) {
    offline += shards->run_on(ShardIndex(i), [&](Shard&) {
      std::size_t sum = 0;
      for (const auto& log : seats[i]->manager->logs()) sum += log->offline() ? 1 : 0;
      return sum;
    });
  }
  EXPECT_EQ(offline, 6u);
  EXPECT_EQ(observer.failed, 1);
  expects_failure = true;
  stop();
}

TEST_P(ManagersOnShards, give_back_what_was_appended_before_a_stop) {
  config.segment_bytes = 20'000;
  config.flush_records = 1;
  start();
  for (std::uint32_t i = 0; i < count; ++i) {
    EXPECT_EQ(shards->run_on(ShardIndex(i), [&](Shard&) { return create_all(i, 3); }), 1u);
    EXPECT_EQ(shards->run_on(ShardIndex(i), [&](Shard&) { return append_to(i, 100); }), 100u);
  }
  stop();
  start();
  EXPECT_EQ(report.opened, 3u);
  for (std::uint32_t i = 0; i < count; ++i) {
    EXPECT_EQ(shards->run_on(ShardIndex(i), [&](Shard&) { return records_of(i); }), 100u);
  }
  stop();
}

std::vector<FileSystemKind> kinds() {
  std::vector<FileSystemKind> all{FileSystemKind::thread_pool};
  if (probe_io_uring()) all.push_back(FileSystemKind::io_uring);
  return all;
}

INSTANTIATE_TEST_SUITE_P(Files, ManagersOnShards, ::testing::ValuesIn(kinds()),
                         [](const auto& info) { return std::string(name_of(info.param)); });

}  // namespace
}  // namespace millrace::storage
