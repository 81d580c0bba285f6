// What a log costs beside plain system calls in a loop: the floor. Real files, one thread.
//   log_bench [--directory=PATH] [--rounds=N] [--only=TEXT] [--files=auto|io_uring|thread_pool]
// Floor and log take turns; each line is the median of N rounds, after one that does not count:
// memory that a virtual machine touches for the first time is slow. For the same reason files stay
// until the end: 30 GB with 5 rounds. CPU time counts all threads.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "real_logs.hpp"

import millrace.runtime.files;
import millrace.storage.log;

namespace {

using namespace millrace;
using namespace millrace::storage::bench;
using namespace millrace::storage;

struct Settings {
  std::string directory = "/var/tmp";
  std::size_t rounds = 5;
  std::string only;
  std::string files = "auto";
};

class Bench {
 public:
  explicit Bench(const Settings& settings)
      : settings_(settings), logs_(settings.directory, settings.files) {}

  void run();

 private:
  // With `at_end` both write all of it to the disk, and pay for that: without, the kernel writes
  // later and in its own threads what the floor leaves behind.
  enum class Flush { never, each, at_end };
  struct Appending {
    std::size_t batch_bytes = 0;
    std::size_t batches = 0;
    std::size_t outstanding = 1;
    std::size_t partitions = 1;
    Flush flush = Flush::never;
  };

  [[nodiscard]] bool wanted(std::string_view name) const {
    return std::string(name).find(settings_.only) != std::string::npos;
  }
  void append_row(std::string_view name, const Appending& what);
  [[nodiscard]] Sample append_floor(const Appending& what);
  [[nodiscard]] Sample append_log(const Appending& what);
  [[nodiscard]] Task<void> producer(std::vector<std::unique_ptr<Log>>& logs, const Appending& what,
                                    std::size_t first);
  void reading_rows();
  [[nodiscard]] Task<void> fill(Log& log, std::uint64_t bytes);
  [[nodiscard]] Task<void> find_ranges(Log& log, std::size_t count, bool sequential);
  [[nodiscard]] Task<void> find_times(Log& log, std::size_t count);
  void read_headers(std::size_t count);
  [[nodiscard]] double crc_ns_per_gib();

  Settings settings_;
  RealLogs logs_;
};

// --- Appending ---

Sample Bench::append_floor(const Appending& what) {
  std::vector<int> files;
  for (std::size_t i = 0; i < what.partitions; ++i) {
    files.push_back(::open((logs_.root() + "/floor-" + std::to_string(i)).c_str(),
                           O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  }
  const std::vector<std::byte> batch = make_batch(what.batch_bytes);
  std::uint32_t sum = 0;
  const Sample sample = measured(logs_.clock(), [&] {
    for (std::size_t i = 0; i < what.batches; ++i) {
      sum ^= crc32c(batch);
      const int file = files[i % files.size()];
      must(::write(file, batch.data(), batch.size()) == std::ssize(batch), "write");
      if (what.flush == Flush::each) must(::fdatasync(file) == 0, "fdatasync");
    }
    if (what.flush != Flush::at_end) return;
    for (const int file : files) must(::fdatasync(file) == 0, "fdatasync");
  });
  for (const int file : files) ::close(file);
  for (std::size_t i = 0; i < what.partitions; ++i) {
    logs_.set_aside(logs_.root() + "/floor-" + std::to_string(i));
  }
  must(sum != 1, "checksum");
  return sample;
}

Task<void> Bench::producer(std::vector<std::unique_ptr<Log>>& logs, const Appending& what,
                           std::size_t first) {
  std::vector<std::byte> batch = make_batch(what.batch_bytes);
  protocol::RecordReader reader(logs_.decompressor());
  protocol::ValidationOptions options;
  options.timestamp_after_max = std::chrono::milliseconds::max();
  for (std::size_t i = first; i < what.batches; i += what.outstanding) {
    // As it came from the client: offsets from 0.
    protocol::rewrite_base_offset_and_epoch(batch, Offset(0), no_leader_epoch);
    const auto valid = protocol::validate_batch(batch, options, reader);
    must(valid.has_value(), "validate");
    const LeaderAppend append =
        leader_append(batch, *valid, protocol::TimestampType::create_time, LeaderEpoch(0));
    const auto appended = co_await logs[i % logs.size()]->append(append);
    must(appended.has_value(), appended ? "" : appended.error().message);
  }
}

Sample Bench::append_log(const Appending& what) {
  LogConfig config;
  if (what.flush == Flush::each) config.flush_records = 1;
  std::vector<std::unique_ptr<Log>> logs;
  for (std::size_t i = 0; i < what.partitions; ++i) {
    logs.push_back(logs_.open(i, config, false));
  }
  const Sample sample = measured(logs_.clock(), [&] {
    std::vector<Task<void>> producers;
    for (std::size_t i = 0; i < what.outstanding; ++i) {
      producers.push_back(producer(logs, what, i));
    }
    logs_.loop().run(run_all(std::move(producers)));
    if (what.flush != Flush::at_end) return;
    for (const auto& log : logs) must(logs_.loop().run(log->flush()).has_value(), "flush");
  });
  for (std::size_t i = 0; i < what.partitions; ++i) {
    logs_.abandon(std::move(logs[i]));
    logs_.remove(i);
  }
  return sample;
}

void Bench::append_row(std::string_view name, const Appending& what) {
  if (!wanted(name)) return;
  std::vector<Sample> floor;
  std::vector<Sample> ours;
  FileSystemCounters before;
  for (std::size_t i = 0; i < settings_.rounds + 1; ++i) {
    if (i == 1) before = logs_.files().counters();
    floor.push_back(append_floor(what));
    ours.push_back(append_log(what));
  }
  const FileSystemCounters after = logs_.files().counters();
  floor.erase(floor.begin());
  ours.erase(ours.begin());
  const Sample f = median(floor);
  const Sample o = median(ours);
  const double count = static_cast<double>(what.batches);
  const double bytes = count * static_cast<double>(what.batch_bytes);
  std::printf(
      "%-34s floor %8.0f/s %7.1f MB/s %6.2f CPU s/GB   log %8.0f/s %7.1f MB/s %6.2f CPU "
      "s/GB   throughput x%.2f CPU x%.2f   %llu writes in place, %llu slow, %llu operations in the "
      "pool\n",
      std::string(name).c_str(), count / f.wall_ns * 1e9, bytes / f.wall_ns * 1e3, f.cpu_ns / bytes,
      count / o.wall_ns * 1e9, bytes / o.wall_ns * 1e3, o.cpu_ns / bytes, f.wall_ns / o.wall_ns,
      o.cpu_ns / f.cpu_ns,
      static_cast<unsigned long long>(after.writes_in_place - before.writes_in_place),
      static_cast<unsigned long long>(after.slow_writes - before.slow_writes),
      static_cast<unsigned long long>(after.to_pool - before.to_pool));
  std::fflush(stdout);
}

// --- Reading and recovering ---

constexpr std::string_view random_row = "read: offset to range, random";
constexpr std::string_view row_row = "read: offset to range, in a row";
constexpr std::string_view first_row = "read: offset to range, first time";
constexpr std::string_view time_row = "read: time to offset";
constexpr std::string_view recover_row = "recover 1 GB from the page cache";
constexpr std::size_t reading_batch_bytes = 16 * kibibyte;

Task<void> Bench::fill(Log& log, std::uint64_t bytes) {
  std::vector<std::byte> batch = make_batch(reading_batch_bytes);
  std::int64_t time = 0;
  for (std::uint64_t written = 0; written < bytes; written += batch.size()) {
    time += 10;
    LeaderAppend append;
    append.batch = batch;
    append.epoch = LeaderEpoch(0);
    // All records of a batch get its time.
    append.must_rewrite_timestamps = true;
    append.timestamp_type = protocol::TimestampType::log_append_time;
    append.max_timestamp = Timestamp(time);
    const auto appended = co_await log.append(append);
    must(appended.has_value(), "append");
  }
  log.set_high_watermark(log.end());
}

Task<void> Bench::find_ranges(Log& log, std::size_t count, bool sequential) {
  const std::uint64_t end = static_cast<std::uint64_t>(log.end().value());
  Offset next{0};
  for (std::size_t i = 0; i < count; ++i) {
    const Offset offset =
        sequential ? next : Offset(static_cast<std::int64_t>(i * 2654435761U % end));
    const auto slice = co_await log.read({offset, log.end(), mebibyte, true});
    must(slice.has_value() && !slice->empty(), "read");
    // The batches are alike.
    const std::uint64_t records =
        static_cast<std::uint64_t>(end) * slice->length / log.size_bytes();
    next = slice->base_offset.plus(static_cast<std::int64_t>(records));
    if (next >= log.end()) next = Offset(0);
  }
}

Task<void> Bench::find_times(Log& log, std::size_t count) {
  const auto last = co_await log.find_max_timestamp();
  must(last.has_value() && last->has_value(), "max timestamp");
  const std::uint64_t end = static_cast<std::uint64_t>((*last)->timestamp.value());
  for (std::size_t i = 0; i < count; ++i) {
    const Timestamp time(static_cast<std::int64_t>(i * 2654435761U % end));
    const auto found = co_await log.find_timestamp(time, log.end());
    must(found.has_value() && found->has_value(), "find_timestamp");
  }
}

// What finding an offset cannot do without: one read of a header, from the page cache.
void Bench::read_headers(std::size_t count) {
  const std::string path =
      logs_.directory(0) + '/' + segment_file_name(Offset(0), SegmentFileKind::log);
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  must(file >= 0, path);
  const std::uint64_t headers = std::filesystem::file_size(path) / reading_batch_bytes;
  std::array<std::byte, record_batch_header_bytes> header;
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint64_t position = i * 2654435761U % headers * reading_batch_bytes;
    must(::pread(file, header.data(), header.size(), static_cast<off_t>(position)) ==
             std::ssize(header),
         "pread");
  }
  ::close(file);
}

double Bench::crc_ns_per_gib() {
  std::vector<std::byte> block(mebibyte, std::byte{3});
  std::uint32_t sum = 0;
  const Sample sample = measured(logs_.clock(), [&] {
    for (int i = 0; i < 1024; ++i) sum ^= crc32c(block);
  });
  must(sum != 1, "checksum");
  return sample.wall_ns;
}

void Bench::reading_rows() {
  if (!wanted(random_row) && !wanted(row_row) && !wanted(first_row) && !wanted(time_row) &&
      !wanted(recover_row)) {
    return;
  }
  constexpr std::uint64_t bytes = std::uint64_t{1000} * mebibyte;
  auto log = logs_.open(0, {}, false);
  logs_.loop().run(fill(*log, bytes));
  const auto each = [&](std::string_view name, std::size_t count, auto work, bool anew = false) {
    if (!wanted(name)) return;
    if (!anew) logs_.loop().run(work(count));
    std::vector<Sample> samples;
    std::vector<Sample> floor;
    for (std::size_t i = 0; i < settings_.rounds; ++i) {
      if (anew) {
        logs_.close(std::move(log));
        log = logs_.open(0, {}, true);
        // The first search of an index checks it.
        logs_.loop().run(work(1));
      }
      floor.push_back(measured(logs_.clock(), [&] { read_headers(count); }));
      samples.push_back(measured(logs_.clock(), [&] { logs_.loop().run(work(count)); }));
    }
    std::printf("%-34s %8.0f ns each   pread of a random header %.0f ns\n",
                std::string(name).c_str(), median(samples).wall_ns / static_cast<double>(count),
                median(floor).wall_ns / static_cast<double>(count));
    std::fflush(stdout);
  };
  each(random_row, 100'000, [&](std::size_t count) { return find_ranges(*log, count, false); });
  each(row_row, 100'000, [&](std::size_t count) { return find_ranges(*log, count, true); });
  each(
      first_row, bytes / mebibyte - 1,
      [&](std::size_t count) { return find_ranges(*log, count, true); }, true);
  each(time_row, 20'000, [&](std::size_t count) { return find_times(*log, count); });
  const Offset end = log->end();
  logs_.close(std::move(log));
  if (wanted(recover_row)) {
    std::vector<Sample> samples;
    double crc = 0;
    for (std::size_t i = 0; i < settings_.rounds; ++i) {
      crc += crc_ns_per_gib();
      samples.push_back(measured(logs_.clock(), [&] {
        auto recovered = logs_.open(0, {}, false);
        must(recovered->end() == end, "recovered all");
        logs_.abandon(std::move(recovered));
      }));
    }
    const double gib = static_cast<double>(bytes) / static_cast<double>(1024 * mebibyte);
    std::printf("%-34s %8.2f GB/s   CRC32C alone %.2f GB/s\n", std::string(recover_row).c_str(),
                static_cast<double>(bytes) / median(samples).wall_ns,
                static_cast<double>(1024 * mebibyte) * static_cast<double>(settings_.rounds) / crc);
    std::printf("%-34s %8.3f s\n", "  each", median(samples).wall_ns / 1e9 / gib);
  }
  logs_.remove(0);
}

void Bench::run() {
  append_row("append 16 KiB, 1 waiting", {16 * kibibyte, 32'768});
  append_row("append 16 KiB, 16 waiting", {16 * kibibyte, 65'536, 16});
  append_row("append 16 KiB, 1 waiting, to the disk", {16 * kibibyte, 32'768, 1, 1, Flush::at_end});
  append_row("append 16 KiB, 16 waiting, to the disk",
             {16 * kibibyte, 65'536, 16, 1, Flush::at_end});
  append_row("append 200 B, 64 waiting", {200, 1'000'000, 64});
  append_row("append 200 B, 1 waiting", {200, 300'000});
  append_row("commit 1 partition, 64 waiting", {1024, 4'096, 64, 1, Flush::each});
  append_row("commit 64 partitions, 64 waiting", {1024, 4'096, 64, 64, Flush::each});
  reading_rows();
}

[[nodiscard]] Settings parse(int count, char** arguments) {
  Settings settings;
  for (int i = 1; i < count; ++i) {
    const std::string_view argument = arguments[i];
    const auto value = [&](std::string_view name) -> std::optional<std::string> {
      if (!argument.starts_with(name)) return std::nullopt;
      return std::string(argument.substr(name.size()));
    };
    if (const auto directory = value("--directory=")) {
      settings.directory = *directory;
    } else if (const auto rounds = value("--rounds=")) {
      settings.rounds = std::max<std::size_t>(1, std::stoul(*rounds));
    } else if (const auto only = value("--only=")) {
      settings.only = *only;
    } else if (const auto files = value("--files=")) {
      settings.files = *files;
    } else {
      must(false, "log_bench [--directory=PATH] [--rounds=N] [--only=TEXT] [--files=KIND]");
    }
  }
  return settings;
}

}  // namespace

int main(int count, char** arguments) {
  Bench bench(parse(count, arguments));
  bench.run();
  return 0;
}
