// Logs on real files for benchmarks: one thread, no broker around them.
#pragma once

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

import millrace.runtime.files;
import millrace.runtime.shard;
import millrace.storage.log;

namespace millrace::storage::bench {

struct Sample {
  double wall_ns = 0;
  double cpu_ns = 0;
};

[[nodiscard]] inline double cpu_ns() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto ns = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) * 1e9 + static_cast<double>(t.tv_usec) * 1e3;
  };
  return ns(usage.ru_utime) + ns(usage.ru_stime);
}

template <class Work>
[[nodiscard]] Sample measured(const Clock& clock, Work work) {
  const double cpu = cpu_ns();
  const MonotonicTime begin = clock.now();
  work();
  const Duration wall = clock.now() - begin;
  return {static_cast<double>(wall.count()), cpu_ns() - cpu};
}

[[nodiscard]] inline Sample median(std::vector<Sample> samples) {
  const auto middle = [&](double Sample::* field) {
    std::sort(samples.begin(), samples.end(),
              [&](const Sample& a, const Sample& b) { return a.*field < b.*field; });
    return samples[samples.size() / 2].*field;
  };
  return {middle(&Sample::wall_ns), middle(&Sample::cpu_ns)};
}

inline void must(bool succeeded, std::string_view what) {
  if (succeeded) return;
  std::fprintf(stderr, "%s\n", std::string(what).c_str());
  std::exit(1);
}

class NoKeeper final : public DirectoryKeeper {
 public:
  Task<StorageResult<void>> save_recovery_point(const Log&) override {
    co_return StorageResult<void>();
  }
  Task<StorageResult<void>> save_log_start(const Log&) override { co_return StorageResult<void>(); }
  void went_offline(const Log&, const StorageError& error) override { must(false, error.message); }
};

class StandardError final : public LogSink {
 public:
  void write(LogLevel level, std::string_view, std::string_view message) override {
    if (level >= LogLevel::warning) {
      std::fprintf(stderr, "%.*s\n", static_cast<int>(message.size()), message.data());
    }
  }
};

// A batch of records of 100 bytes, as a producer sends it, of about this size.
[[nodiscard]] inline std::vector<std::byte> make_batch(std::size_t bytes) {
  BufferPool pool;
  protocol::BatchStorage records(pool);
  protocol::BatchStorage compressed(pool);
  protocol::Compressor compressor;
  protocol::BatchBuilder builder(records, compressed, compressor);
  builder.start({});
  const std::vector<std::byte> value(std::min<std::size_t>(100, bytes - 75), std::byte{0x61});
  do {
    protocol::RecordInput record;
    record.value = value;
    record.timestamp = Timestamp(1'700'000'000'000);
    must(builder.append(record).has_value(), "append to batch");
  } while (builder.size_bytes() + value.size() + 10 <= bytes);
  const auto finished = builder.finish();
  must(finished.has_value(), "finish batch");
  return {finished->begin(), finished->end()};
}

// A directory of logs that goes with its content when this ends.
class RealLogs {
 public:
  // `files` is "auto", "io_uring" or "thread_pool".
  RealLogs(const std::string& directory, const std::string& files) {
    root_ = directory + "/millrace-log-bench-" + std::to_string(::getpid());
    std::filesystem::create_directories(root_);
    loop_ = std::move(ShardLoop::make(clock_).value());
    pool_ = std::move(FilePool::start(clock_).value());
    const auto setting = file_system_setting_from_string(files);
    must(setting.has_value(), "--files is auto, io_uring or thread_pool");
    const auto choice = choose_file_system(*setting);
    must(choice.has_value(), "no such file system here");
    std::printf("%s\n", choice->reason.c_str());
    files_ = std::move(make_file_system(choice->kind, *loop_, *pool_).value());
    open_files_.emplace(*files_);
    index_cache_.emplace(*files_, *open_files_);
    segments_.emplace(SegmentContext{*loop_, *files_, *open_files_, *index_cache_, buffers_,
                                     decompressor_,
                                     Logger(std::make_shared<StandardError>(), "bench")});
    context_.emplace(LogContext{*segments_, producers_, keeper_});
  }
  ~RealLogs() {
    loop_->run(close_files());
    index_cache_.reset();
    open_files_.reset();
    files_.reset();
    pool_->stop();
    std::filesystem::remove_all(root_);
  }
  RealLogs(const RealLogs&) = delete;
  RealLogs& operator=(const RealLogs&) = delete;

  [[nodiscard]] const Clock& clock() const { return clock_; }
  [[nodiscard]] ShardLoop& loop() { return *loop_; }
  [[nodiscard]] PosixFileSystem& files() { return *files_; }
  [[nodiscard]] protocol::Decompressor& decompressor() { return decompressor_; }
  [[nodiscard]] SegmentContext& segments() { return *segments_; }
  [[nodiscard]] const std::string& root() const { return root_; }
  [[nodiscard]] std::string directory(std::size_t number) const {
    return root_ + "/bench-" + std::to_string(number);
  }

  [[nodiscard]] std::unique_ptr<Log> open(std::size_t number, const LogConfig& config, bool clean) {
    std::filesystem::create_directories(directory(number));
    LogOpening opening;
    opening.directory = directory(number);
    opening.partition = {"bench", PartitionIndex(static_cast<std::int32_t>(number))};
    opening.config = config;
    opening.clean = clean;
    auto opened = loop_->run(Log::open(*context_, std::move(opening)));
    must(opened.has_value(), opened ? "" : opened.error().message);
    return std::move(*opened);
  }
  void close(std::unique_ptr<Log> log) { must(loop_->run(log->close()).has_value(), "close"); }
  // Without making anything durable.
  void abandon(std::unique_ptr<Log> log) { loop_->run(log->abandon()); }
  void remove(std::size_t number) { set_aside(directory(number)); }
  // Removed at the end only: a virtual machine gives the memory of a removed file back to its host,
  // and whoever writes next pays for getting it again.
  void set_aside(const std::string& path) {
    std::filesystem::rename(path, root_ + "/aside-" + std::to_string(set_aside_++));
  }

 private:
  [[nodiscard]] Task<void> close_files() { co_await open_files_->close_all(); }

  SystemClock clock_;
  std::string root_;
  std::size_t set_aside_ = 0;
  std::unique_ptr<ShardLoop> loop_;
  std::unique_ptr<FilePool> pool_;
  std::unique_ptr<PosixFileSystem> files_;
  std::optional<OpenFiles> open_files_;
  std::optional<IndexCache> index_cache_;
  BufferPool buffers_;
  protocol::Decompressor decompressor_;
  ProducerBudget producers_;
  NoKeeper keeper_;
  std::optional<SegmentContext> segments_;
  std::optional<LogContext> context_;
};

inline Task<void> run_all(std::vector<Task<void>> tasks) {
  TaskGroup group;
  for (Task<void>& task : tasks) group.start(std::move(task));
  co_await group.wait();
}

}  // namespace millrace::storage::bench
