// A broker's storage on a simulated machine, for tests: one partition in one log directory, with
// checkpoint files that survive a power cut as the real ones do.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "read_records.hpp"

import millrace.storage.log;

namespace millrace::storage {

inline constexpr std::string_view test_root = "/data";
inline constexpr std::string_view test_directory = "/data/orders-0";

// Keeps the checkpoints of the one log.
class TestKeeper final : public DirectoryKeeper {
 public:
  explicit TestKeeper(FileSystem& files) : files_(files) {}

  Task<StorageResult<void>> save_recovery_point(const Log& log) override {
    const std::vector<PartitionOffset> entries{{log.partition(), log.recovery_point()}};
    co_return co_await save_offset_checkpoint(files_, std::string(test_root),
                                              recovery_point_checkpoint_name, entries);
  }
  Task<StorageResult<void>> save_log_start(const Log& log) override {
    const std::vector<PartitionOffset> entries{{log.partition(), log.start()}};
    co_return co_await save_offset_checkpoint(files_, std::string(test_root),
                                              log_start_checkpoint_name, entries);
  }
  void went_offline(const Log&, const StorageError& error) override {
    offline.push_back(error.message);
  }

  std::vector<std::string> offline;

 private:
  FileSystem& files_;
};

// What a process has in common for its logs; a new one for each life.
struct Process {
  Process(SimulatedDisk& disk, SimulatedExecutor& simulated, SimulatedFileOptions options,
          Logger log)
      : executor(simulated),
        files(disk, simulated, options),
        keeper(files),
        segments{executor, files, open_files, index_cache, buffers, decompressor, std::move(log)},
        context{segments, producers, keeper} {}

  SimulatedExecutor& executor;
  SimulatedFileSystem files;
  OpenFiles open_files{files, 8};
  IndexCache index_cache{files, open_files, 32 * kibibyte};
  BufferPool buffers;
  protocol::Decompressor decompressor;
  ProducerBudget producers;
  // Given to `context` by tests that want it: others read from files.
  TailMemory tails{4 * tail_chunk_bytes};
  TestKeeper keeper;
  SegmentContext segments;
  LogContext context;
};

// Lines that a test may look at.
class TestLog final : public LogSink {
 public:
  void write(LogLevel, std::string_view, std::string_view message) override {
    lines.emplace_back(message);
  }
  [[nodiscard]] bool says(std::string_view part) const {
    for (const std::string& line : lines) {
      if (line.find(part) != std::string::npos) return true;
    }
    return false;
  }
  std::vector<std::string> lines;
};

struct TestBatch {
  std::vector<std::string> values;
  Timestamp timestamp{1'000};
  ProducerId producer = no_producer_id;
  ProducerEpoch epoch = no_producer_epoch;
  Sequence sequence = no_sequence;
  bool transactional = false;
  // The end of a transaction, instead of values.
  std::optional<protocol::ControlRecordType> marker = std::nullopt;
  // For replicated batches.
  Offset base_offset{0};
  LeaderEpoch leader_epoch{0};
  // One record this much later than the one before.
  std::int64_t timestamp_step = 0;
  protocol::Codec codec = protocol::Codec::none;
};

inline std::vector<std::byte> encode(const TestBatch& test) {
  BufferPool pool;
  protocol::BatchStorage records(pool);
  protocol::BatchStorage compressed(pool);
  protocol::Compressor compressor;
  protocol::BatchBuilder builder(records, compressed, compressor);
  protocol::BatchOptions options;
  options.base_offset = test.base_offset;
  options.leader_epoch = test.leader_epoch;
  options.producer = {test.producer, test.epoch, test.sequence};
  options.transactional = test.transactional || test.marker;
  options.control = test.marker.has_value();
  options.compression = protocol::CompressionOptions(test.codec);
  builder.start(options);
  Timestamp timestamp = test.timestamp;
  const auto add = [&](ByteView key, ByteView value) {
    protocol::RecordInput record;
    record.key = key;
    record.value = value;
    record.timestamp = timestamp;
    timestamp = timestamp.plus(test.timestamp_step);
    EXPECT_TRUE(builder.append(record).has_value());
  };
  if (test.marker) {
    const auto key = protocol::encode_control_record_key(*test.marker);
    const auto value = protocol::encode_end_transaction_marker(protocol::CoordinatorEpoch(0));
    add(key, value);
  }
  for (const std::string& value : test.values) add({}, as_bytes(value));
  const auto bytes = builder.finish();
  EXPECT_TRUE(bytes.has_value());
  return {bytes->begin(), bytes->end()};
}

class LogMachine {
 public:
  explicit LogMachine(std::uint64_t seed, SimulatedFileOptions options = {})
      : executor(seed), disk(seed), options_(options) {
    options_.seed = seed;
    start_process();
    run(make_directories());
    disk.sync_all();
  }
  ~LogMachine() {
    if (log) run(discard(std::move(log)));
    stop_process();
  }

  SimulatedExecutor executor;
  SimulatedDisk disk;
  LogConfig config;
  TopicPartition partition{"orders", PartitionIndex(0)};
  std::unique_ptr<Process> process;
  std::unique_ptr<Log> log;
  std::shared_ptr<TestLog> lines = std::make_shared<TestLog>();

  // Runs a coroutine to its end and gives its result.
  template <class T>
  T wait(Task<T> task) {
    std::optional<T> value;
    run(store(std::move(task), value));
    return std::move(value.value());
  }
  void run(Task<void> task) {
    const auto ended = executor.run(std::move(task));
    ASSERT_TRUE(ended) << ended.error().message << '\n' << disk.dump();
  }

  StorageResult<void> open(bool clean = false) {
    auto opened = wait(open_log(clean));
    if (!opened) return failure(opened.error());
    log = std::move(*opened);
    return {};
  }
  StorageResult<void> close() {
    auto closed = wait(log->close());
    if (closed) wait_ok(process->keeper.save_recovery_point(*log));
    log.reset();
    return closed;
  }
  // The log as after a stop in order and a start.
  void reopen() {
    ASSERT_TRUE(close());
    restart();
    const auto opened = open(true);
    ASSERT_TRUE(opened) << opened.error().message;
  }
  // A new process, with the files as they are.
  void restart() {
    stop_process();
    start_process();
  }
  // The power goes away; a new process finds what is left.
  void power_cut(std::uint64_t seed) {
    disk.power_cut(seed);
    end_of_process();
  }
  // The same after the disk has cut the power by itself, or died otherwise.
  void end_of_process() {
    executor.run_until_idle();
    if (log) run(discard(std::move(log)));
    restart();
  }
  // The process is killed and the machine goes on.
  void kill(std::uint64_t seed) {
    process->files.kill(seed);
    end_of_process();
  }

  AppendResult append(const TestBatch& test, LeaderEpoch epoch = LeaderEpoch(0),
                      AppendOrigin origin = AppendOrigin::client) {
    auto bytes = encode(test);
    return wait(append_bytes(bytes, epoch, origin));
  }
  AppendResult replicate(std::vector<std::byte> bytes) { return wait(replicate_bytes(bytes)); }

  // Begins a coroutine beside others; its result is there when it has ended.
  template <class T>
  std::shared_ptr<const std::optional<T>> start(Task<T> task) {
    auto value = std::make_shared<std::optional<T>>();
    running_.start(keep(std::move(task), value));
    return value;
  }
  // Until all that was begun has ended.
  void finish_started() {
    executor.run_until_idle();
    while (running_.running() > 0) ASSERT_TRUE(executor.advance_to_next_timer()) << "deadlock";
  }
  Task<AppendResult> append_task(const TestBatch& test, LeaderEpoch epoch = LeaderEpoch(0)) {
    return append_owned(encode(test), epoch, AppendOrigin::client);
  }
  Task<AppendResult> replicate_task(std::vector<std::byte> bytes) {
    co_return co_await log->replicate(bytes);
  }

  // --- Files behind the log's back ---

  [[nodiscard]] static std::string path(std::int64_t base, SegmentFileKind kind,
                                        FileStage stage = FileStage::current) {
    return path_in(test_directory, segment_file_name(Offset(base), kind, stage));
  }
  [[nodiscard]] std::string contents(std::string_view path) const {
    return disk.contents(path).value_or("no such file");
  }
  [[nodiscard]] bool has_file(std::string_view path) const {
    return disk.contents(path).has_value();
  }
  void write_file(std::string path, std::string text) {
    run(write_bytes(std::move(path), std::move(text)));
  }
  void remove_file(std::string path) { run(remove(std::move(path))); }

  // All records from an offset up to an end, read through as many slices as it takes.
  std::vector<TestRecord> records(Offset from, Offset to, std::uint64_t bytes_max = 1'000) {
    std::vector<TestRecord> found;
    run(read_records(*log, from, to, bytes_max, found));
    return found;
  }
  std::vector<TestRecord> records() { return records(log->start(), log->end()); }

 private:
  void start_process() {
    process = std::make_unique<Process>(disk, executor, options_, Logger(lines, "test"));
  }
  void stop_process() {
    executor.run_until_idle();
    run(close_files());
    process.reset();
  }
  Task<void> close_files() { co_await process->open_files.close_all(); }
  Task<void> discard(std::unique_ptr<Log> gone) { co_await gone->abandon(); }
  template <class T>
  static Task<void> store(Task<T> task, std::optional<T>& value) {
    value.emplace(co_await std::move(task));
  }
  void wait_ok(Task<StorageResult<void>> task) {
    const auto done = wait(std::move(task));
    EXPECT_TRUE(done) << done.error().message;
  }
  Task<void> make_directories() {
    EXPECT_TRUE(co_await process->files.make_directory(test_root));
    EXPECT_TRUE(co_await process->files.make_directory(test_directory));
  }
  Task<StorageResult<Offset>> checkpoint(std::string_view name) {
    const auto entries =
        co_await load_offset_checkpoint(process->files, std::string(test_root), name);
    if (!entries && entries.error().fault == StorageFault::not_found) co_return Offset(0);
    if (!entries) co_return failure(entries.error());
    co_return entries->empty() ? Offset(0) : entries->front().offset;
  }
  Task<StorageResult<std::unique_ptr<Log>>> open_log(bool clean) {
    LogOpening opening;
    opening.directory = std::string(test_directory);
    opening.partition = partition;
    opening.config = config;
    const auto recovery_point = co_await checkpoint(recovery_point_checkpoint_name);
    if (!recovery_point) co_return failure(recovery_point.error());
    const auto start = co_await checkpoint(log_start_checkpoint_name);
    if (!start) co_return failure(start.error());
    opening.recovery_point = *recovery_point;
    opening.log_start = *start;
    opening.clean = clean;
    co_return co_await Log::open(process->context, std::move(opening));
  }
  template <class T>
  static Task<void> keep(Task<T> task, std::shared_ptr<std::optional<T>> value) {
    value->emplace(co_await std::move(task));
  }
  Task<AppendResult> append_owned(std::vector<std::byte> bytes, LeaderEpoch epoch,
                                  AppendOrigin origin) {
    co_return co_await append_bytes(bytes, epoch, origin);
  }
  Task<void> write_bytes(std::string path, std::string text) {
    const auto file = co_await process->files.open(path, OpenMode::create_truncated);
    EXPECT_TRUE(file) << path;
    if (!file) co_return;
    const ByteView piece = as_bytes(text);
    EXPECT_TRUE(co_await process->files.write(*file, 0, std::span(&piece, 1)));
    EXPECT_TRUE(co_await process->files.close(*file));
  }
  Task<void> remove(std::string path) { EXPECT_TRUE(co_await process->files.remove(path)) << path; }
  Task<AppendResult> append_bytes(std::vector<std::byte>& bytes, LeaderEpoch epoch,
                                  AppendOrigin origin) {
    LeaderAppend append;
    append.batch = bytes;
    append.epoch = epoch;
    append.origin = origin;
    co_return co_await log->append(append);
  }
  Task<AppendResult> replicate_bytes(std::vector<std::byte>& bytes) {
    co_return co_await log->replicate(bytes);
  }

  SimulatedFileOptions options_;
  TaskGroup running_;
};

}  // namespace millrace::storage
