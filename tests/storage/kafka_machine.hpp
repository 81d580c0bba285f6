// A simulated machine with a log directory that Kafka wrote, whose partitions are opened as logs.
#pragma once

#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "log_machine.hpp"

import millrace.storage.log;

namespace millrace::storage {

// What is missing of the log directory when it is opened.
enum class Missing : std::uint8_t {
  nothing,
  indexes,     // of offsets and timestamps
  all_derived  // what can be made again from the batches: all indexes, producers, leader epochs
};

// Keeps the checkpoints of all partitions of the directory.
class KafkaKeeper final : public DirectoryKeeper {
 public:
  explicit KafkaKeeper(FileSystem& files) : files_(files) {}

  Task<StorageResult<void>> load() {
    const std::pair<Points*, std::string_view> kinds[] = {
        {&recovery_points, recovery_point_checkpoint_name},
        {&log_starts, log_start_checkpoint_name}};
    for (const auto& [points, name] : kinds) {
      const auto entries =
          co_await load_offset_checkpoint(files_, std::string(DumpMachine::root), name);
      if (!entries) co_return failure(entries.error());
      for (const PartitionOffset& entry : *entries) (*points)[entry.partition] = entry.offset;
    }
    co_return StorageResult<void>();
  }
  Task<StorageResult<void>> save_recovery_point(const Log& log) override {
    recovery_points[log.partition()] = log.recovery_point();
    co_return co_await save(recovery_points, recovery_point_checkpoint_name);
  }
  Task<StorageResult<void>> save_log_start(const Log& log) override {
    log_starts[log.partition()] = log.start();
    co_return co_await save(log_starts, log_start_checkpoint_name);
  }
  void went_offline(const Log&, const StorageError& error) override {
    ADD_FAILURE() << error.message;
  }

  using Points = std::map<TopicPartition, Offset>;
  Points recovery_points;
  Points log_starts;

 private:
  Task<StorageResult<void>> save(const Points& points, std::string_view name) {
    std::vector<PartitionOffset> entries;
    for (const auto& [partition, offset] : points) entries.push_back({partition, offset});
    co_return co_await save_offset_checkpoint(files_, std::string(DumpMachine::root), name,
                                              entries);
  }

  FileSystem& files_;
};

class FailOnError final : public LogSink {
 public:
  void write(LogLevel level, std::string_view, std::string_view message) override {
    if (level >= LogLevel::error) ADD_FAILURE() << message;
  }
};

class KafkaMachine : public DumpMachine {
 public:
  KafkaMachine(std::string_view name, Missing without)
      : golden(golden::read_golden_log(name)),
        missing(without),
        clean(name == "clean" && missing != Missing::all_derived) {
    remove_missing();
    load(golden);
    const auto loaded = wait(keeper.load());
    EXPECT_TRUE(loaded) << loaded.error().message;
    if (missing == Missing::all_derived) keeper.recovery_points.clear();
  }
  ~KafkaMachine() {
    if (log) end(log->abandon());
    end(open_files.close_all());
  }

  void open(const golden::GoldenPartition& partition) {
    const auto name = parse_partition_directory_name(partition.directory);
    ASSERT_TRUE(name) << partition.directory;
    LogOpening opening;
    opening.directory = path_in(root, partition.directory);
    opening.partition = name->partition;
    opening.config = config_of(name->partition.topic);
    opening.recovery_point = keeper.recovery_points[name->partition];
    opening.log_start = keeper.log_starts[name->partition];
    opening.clean = clean;
    auto opened = wait(Log::open(context, std::move(opening)));
    ASSERT_TRUE(opened) << partition.directory << ": " << opened.error().message;
    log = std::move(*opened);
    log->set_high_watermark(log->end());
  }
  void close() {
    const auto closed = wait(log->close());
    ASSERT_TRUE(closed) << closed.error().message;
    const auto saved = wait(keeper.save_recovery_point(*log));
    ASSERT_TRUE(saved) << saved.error().message;
    log.reset();
  }
  // As after an orderly stop.
  void stop() {
    end(open_files.close_all());
    write_file(path_in(root, clean_shutdown_name), format_clean_shutdown(BrokerEpoch(7)));
  }

  // All batches in [from, to), read through slices of so many bytes.
  std::string read(Offset from, Offset to, std::uint64_t bytes_max) {
    std::string bytes;
    while (from < to) {
      const auto slice = wait(log->read({from, to, bytes_max, true}));
      EXPECT_TRUE(slice) << slice.error().storage.message;
      if (!slice || slice->empty()) break;
      const auto loaded = wait(log->load_verified(*slice));
      EXPECT_TRUE(loaded) << loaded.error().storage.message;
      if (!loaded) break;
      bytes += as_text(loaded->bytes());
      protocol::BatchSplitter splitter(loaded->bytes());
      for (protocol::BatchView batch; splitter.next(batch);) {
        from = batch.header().last_offset().next();
      }
    }
    return bytes;
  }
  // A file of the directory, as it is now.
  [[nodiscard]] std::string contents(std::string_view directory, Offset base,
                                     SegmentFileKind kind) const {
    const std::string name = segment_file_name(base, kind);
    return disk.contents(path_in(path_in(root, directory), name)).value_or("");
  }

  golden::GoldenLog golden;  // as it was loaded
  Missing missing;
  bool clean;
  KafkaKeeper keeper{files};
  OpenFiles open_files{files, 8};
  IndexCache index_cache{files, open_files, 8 * kibibyte};
  ProducerBudget producers;
  SegmentContext segments{executor,
                          files,
                          open_files,
                          index_cache,
                          buffers,
                          decompressor,
                          Logger(std::make_shared<FailOnError>(), "kafka")};
  LogContext context{segments, producers, keeper};
  std::unique_ptr<Log> log;

 private:
  // As the topics were made: tests/golden/kafka-log.
  static LogConfig config_of(std::string_view topic) {
    LogConfig config;
    config.retention.reset();
    config.compacts = topic.starts_with("compact") || topic.starts_with("__");
    config.deletes = !config.compacts;
    config.segment_age_max = std::chrono::hours(24 * 365 * 100);
    if (topic.starts_with("__") || topic == "empty") return config;
    config.index_interval_bytes = topic == "codecs" ? 100 : 200;
    if (topic != "codecs") config.segment_bytes = 2048;
    return config;
  }
  void remove_missing() {
    std::erase_if(golden.files, [&](const auto& file) {
      const std::string& path = file.first;
      const bool index = path.ends_with(".index") || path.ends_with(".timeindex");
      // A gap that compaction left between segments is told from a loss by the snapshot behind it.
      const bool compacted = path.starts_with("compact") || path.starts_with("__");
      const bool other =
          path.ends_with(".txnindex") || (path.ends_with(".snapshot") && !compacted) ||
          path.ends_with(leader_epoch_checkpoint_name) || path.ends_with(clean_shutdown_name);
      return (missing != Missing::nothing && index) || (missing == Missing::all_derived && other);
    });
  }
  void end(Task<void> task) {
    const auto ended = executor.run(std::move(task));
    EXPECT_TRUE(ended) << ended.error().message;
  }
  void write_file(const std::string& path, std::string_view bytes) {
    end([](FileSystem& to, std::string name, std::string_view text) -> Task<void> {
      const auto file = co_await to.open(name, OpenMode::create_truncated);
      EXPECT_TRUE(file) << name;
      if (!file) co_return;
      const ByteView piece = as_bytes(text);
      EXPECT_TRUE(co_await to.write(*file, 0, std::span(&piece, 1)));
      EXPECT_TRUE(co_await to.close(*file));
    }(files, path, bytes));
  }
};

}  // namespace millrace::storage
