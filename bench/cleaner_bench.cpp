// What cleaning a compacted log costs: 1 GB of records of 100 bytes in batches of 16 KiB, of a
// million keys, on a real disk. Says how long it takes, what becomes of the log, and how long
// others on the shard waited at the longest. `--mb=N`, `--keys=N`, `--codec=NAME`, `--dir=PATH`,
// `--files=auto|io_uring|thread_pool`.
#include <time.h>

#include <algorithm>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "real_logs.hpp"

import millrace.storage.cleaner;

namespace {

using namespace millrace;
using namespace millrace::storage::bench;
using namespace millrace::storage;

constexpr std::size_t batch_bytes = 16 * kibibyte;
constexpr std::size_t key_bytes = 16;
constexpr std::size_t value_bytes = 84;

struct Options {
  std::uint64_t megabytes = 1000;
  std::uint64_t keys = 1'000'000;
  protocol::Codec codec = protocol::Codec::none;
  std::string directory = "/tmp";
  std::string files = "auto";
};

Options options_of(int count, char** arguments) {
  Options options;
  for (int i = 1; i < count; ++i) {
    const std::string_view argument = arguments[i];
    const auto value = [&](std::string_view name) -> std::optional<std::string> {
      if (!argument.starts_with(name)) return std::nullopt;
      return std::string(argument.substr(name.size()));
    };
    if (const auto text = value("--mb=")) {
      options.megabytes = std::stoull(*text);
    } else if (const auto keys = value("--keys=")) {
      options.keys = std::stoull(*keys);
    } else if (const auto codec = value("--codec=")) {
      const auto parsed = protocol::parse_codec(*codec);
      must(parsed.has_value(), "no such codec");
      options.codec = *parsed;
    } else if (const auto directory = value("--dir=")) {
      options.directory = *directory;
    } else if (const auto files = value("--files=")) {
      options.files = *files;
    } else {
      must(false, "unknown argument: " + std::string(argument));
    }
  }
  return options;
}

class BatchMaker {
 public:
  explicit BatchMaker(const Options& options) : options_(options), random_(1) {}

  [[nodiscard]] std::vector<std::byte> next() {
    protocol::BatchOptions batch;
    batch.compression = protocol::CompressionOptions(options_.codec);
    builder_.start(batch);
    do {
      std::string key = std::to_string(random_.below(options_.keys));
      key.insert(0, key_bytes - key.size(), '0');
      std::string value = std::to_string(++records_);
      value.resize(value_bytes, 'v');
      const auto appended = builder_.append({.key = as_bytes(key),
                                             .value = as_bytes(value),
                                             .timestamp = Timestamp(1'700'000'000'000)});
      must(appended.has_value(), "append to batch");
    } while (builder_.size_bytes() + 120 <= batch_bytes);
    const auto finished = builder_.finish();
    must(finished.has_value(), "finish batch");
    return {finished->begin(), finished->end()};
  }

 private:
  Options options_;
  Random random_;
  std::uint64_t records_ = 0;
  BufferPool pool_;
  protocol::BatchStorage record_storage_{pool_};
  protocol::BatchStorage compressed_{pool_};
  protocol::Compressor compressor_;
  protocol::BatchBuilder builder_{record_storage_, compressed_, compressor_};
};

Task<void> fill(Log& log, BatchMaker& maker, std::uint64_t bytes) {
  while (log.size_bytes() < bytes) {
    std::vector<std::byte> batch = maker.next();
    LeaderAppend append;
    append.batch = batch;
    append.epoch = LeaderEpoch(0);
    const auto appended = co_await log.append(append);
    must(appended.has_value(), "append");
  }
  must((co_await log.roll()).has_value(), "roll");
  must((co_await log.flush()).has_value(), "flush");
  log.set_high_watermark(log.end());
}

Duration cpu_of_thread() {
  timespec time{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

// How long others on the shard wait for their turn. On a machine that does other things too the
// part of it that the shard worked says more.
struct Waits {
  Duration longest{};
  Duration longest_work{};
};

Task<void> wait_for_turns(Executor& executor, const bool& ended, Waits& waits) {
  constexpr Duration interval = std::chrono::milliseconds(1);
  MonotonicTime before = executor.clock().now();
  Duration work_before = cpu_of_thread();
  while (!ended) {
    co_await sleep_until(executor, before + interval);
    const MonotonicTime now = executor.clock().now();
    const Duration work = cpu_of_thread();
    waits.longest = std::max(waits.longest, now - before - interval);
    waits.longest_work = std::max(waits.longest_work, work - work_before);
    before = now;
    work_before = work;
  }
}

Task<void> clean(Cleaner& cleaner, bool& cleaned, bool& ended) {
  cleaned = co_await cleaner.clean_dirtiest();
  ended = true;
}

class NoCleanerKeeper final : public CleanerKeeper {
 public:
  Task<StorageResult<void>> save_cleaned_end(const Log&, Offset) override {
    co_return StorageResult<void>();
  }
};

void report(const char* what, const Cleaner& cleaner, const CleanerCounters& before,
            const Sample& sample, const Waits& waits, std::uint64_t bytes_before,
            std::uint64_t bytes_after) {
  const CleanerCounters& after = cleaner.counters();
  const double seconds = sample.wall_ns / 1e9;
  const auto read = after.records_read - before.records_read;
  const auto mb = [](std::uint64_t bytes) { return static_cast<double>(bytes) / 1e6; };
  std::printf(
      "%s: %.2f s (CPU %.2f s), %.0f MB/s of log, %.2f million records/s; %.0f MB became %.0f MB, "
      "%llu of %llu records stay; read %.0f MB, wrote %.0f MB; longest wait of others %.1f ms, "
      "longest work in one %.1f ms\n",
      what, seconds, sample.cpu_ns / 1e9, mb(bytes_before) / seconds,
      static_cast<double>(read) / 1e6 / seconds, mb(bytes_before), mb(bytes_after),
      static_cast<unsigned long long>(after.records_kept - before.records_kept),
      static_cast<unsigned long long>(read), mb(after.bytes_read - before.bytes_read),
      mb(after.bytes_written - before.bytes_written),
      static_cast<double>(waits.longest.count()) / 1e6,
      static_cast<double>(waits.longest_work.count()) / 1e6);
}

void run(const Options& options) {
  RealLogs logs(options.directory, options.files);
  LogConfig config;
  config.segment_bytes = 128 * mebibyte;
  config.compacts = true;
  config.deletes = false;
  config.file_delete_delay = std::chrono::milliseconds(0);
  auto log = logs.open(0, config, false);
  BatchMaker maker(options);
  protocol::Compressor compressor;
  NoCleanerKeeper keeper;
  Cleaner cleaner(logs.segments(), compressor, keeper, {.seed = 1});
  cleaner.add(*log, no_offset);
  const std::uint64_t bytes = options.megabytes * 1'000'000;
  for (const char* what : {"the first time", "with twice as much behind it"}) {
    const bool first = log->size_bytes() == 0;
    logs.loop().run(fill(*log, maker, log->size_bytes() + (first ? bytes : log->size_bytes() * 2)));
    const std::uint64_t bytes_before = log->size_bytes();
    const CleanerCounters before = cleaner.counters();
    bool cleaned = false;
    bool ended = false;
    Waits waits;
    const Sample sample = measured(logs.clock(), [&] {
      std::vector<Task<void>> tasks;
      tasks.push_back(clean(cleaner, cleaned, ended));
      tasks.push_back(wait_for_turns(logs.loop(), ended, waits));
      logs.loop().run(run_all(std::move(tasks)));
    });
    must(cleaned, "the log was cleaned");
    report(what, cleaner, before, sample, waits, bytes_before, log->size_bytes());
  }
  logs.loop().run(cleaner.remove(*log));
  logs.close(std::move(log));
}

}  // namespace

int main(int count, char** arguments) {
  run(options_of(count, arguments));
  return 0;
}
