// How long a shard stands still while writes saturate the disk and a reader drains cold segments
// with sendfile, as a consumer that is far behind does.
//   log_stalls [--directory=PATH] [--gigabytes=N] [--files=auto|io_uring|thread_pool]
// A stall is the time between two turns of the loop in which it did not wait for anything. What of
// it the thread waited for a processor, or had none though it neither waited nor slept (the host
// ran something else, or the system served the disk), is not its doing and told apart. What no
// program is spared shows a thread beside it that does nothing but sleep for a millisecond.
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
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
  std::uint64_t gigabytes = 10;
  std::string files = "auto";
};

constexpr std::size_t batch_bytes = 16 * kibibyte;
constexpr std::size_t writers = 4;
constexpr std::size_t outstanding_per_writer = 16;
constexpr std::uint64_t slice_bytes = mebibyte;

// How long this thread ran, and how long it was ready to run while other threads did.
struct Scheduled {
  Duration ran;
  Duration waited;
  long times_asleep = 0;
};
[[nodiscard]] Scheduled scheduled() {
  std::ifstream file("/proc/thread-self/schedstat");
  std::int64_t ran = 0;
  std::int64_t waited = 0;
  must(static_cast<bool>(file >> ran >> waited), "schedstat");
  rusage usage{};
  ::getrusage(RUSAGE_THREAD, &usage);
  return {Duration(ran), Duration(waited), usage.ru_nvcsw};
}

// The longest turn of a millisecond. What the thread neither ran nor waited for a processor, it
// slept in a system call, if it slept at all; else it was stopped without a part in it.
struct Turn {
  Duration took;
  Duration waited;
  Duration asleep;
  Duration stopped;
};

// How late a thread is that only sleeps, each time.
class Sleeper {
 public:
  explicit Sleeper(const Clock& clock)
      : thread_([this, &clock] {
          while (!done_.load()) {
            const MonotonicTime due = clock.now() + Milliseconds(1);
            std::this_thread::sleep_for(Milliseconds(1));
            late_.push_back(clock.now() - due);
          }
        }) {}
  Sleeper(const Sleeper&) = delete;
  Sleeper& operator=(const Sleeper&) = delete;
  ~Sleeper() {
    if (thread_.joinable()) static_cast<void>(end());
  }

  [[nodiscard]] std::vector<Duration> end() {
    done_.store(true);
    thread_.join();
    return std::move(late_);
  }

 private:
  std::atomic<bool> done_ = false;
  std::vector<Duration> late_;
  std::thread thread_;
};

void print_quantiles(const char* name, std::vector<Duration> taken) {
  std::sort(taken.begin(), taken.end());
  const auto quantile = [&](double part) {
    const auto at = static_cast<std::size_t>(static_cast<double>(taken.size() - 1) * part);
    return static_cast<double>(taken[at].count()) / 1e6;
  };
  std::printf("%-33s p50 %.3f ms, p99 %.3f ms, p99.9 %.3f ms, longest %.3f ms\n", name,
              quantile(0.5), quantile(0.99), quantile(0.999), quantile(1));
}

class Stalls {
 public:
  explicit Stalls(const Settings& settings)
      : settings_(settings), logs_(settings.directory, settings.files) {}

  void run();

 private:
  [[nodiscard]] Task<void> fill(Log& log, std::uint64_t bytes);
  void make_cold(std::size_t number);
  [[nodiscard]] Task<void> append_until_done(Log& log);
  [[nodiscard]] Task<void> trim(Log& log);
  [[nodiscard]] Task<void> drain(Log& log);
  [[nodiscard]] Task<void> watch_turns();
  template <class Take>
  void print(const char* name, Take take);
  [[nodiscard]] Task<void> all(Log& cold, std::vector<std::unique_ptr<Log>>& written);

  Settings settings_;
  RealLogs logs_;
  bool done_ = false;
  std::uint64_t written_bytes_ = 0;
  std::uint64_t read_bytes_ = 0;
  std::vector<Turn> turns_;
};

Task<void> Stalls::fill(Log& log, std::uint64_t bytes) {
  std::vector<std::byte> batch = make_batch(batch_bytes);
  for (std::uint64_t written = 0; written < bytes; written += batch.size()) {
    LeaderAppend append;
    append.batch = batch;
    append.epoch = LeaderEpoch(0);
    must((co_await log.append(append)).has_value(), "append");
  }
}

void Stalls::make_cold(std::size_t number) {
  for (const auto& entry : std::filesystem::directory_iterator(logs_.directory(number))) {
    const int file = ::open(entry.path().c_str(), O_RDONLY | O_CLOEXEC);
    must(file >= 0 && ::posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED) == 0, "fadvise");
    ::close(file);
  }
}

Task<void> Stalls::append_until_done(Log& log) {
  std::vector<std::byte> batch = make_batch(batch_bytes);
  while (!done_) {
    LeaderAppend append;
    append.batch = batch;
    append.epoch = LeaderEpoch(0);
    const auto appended = co_await log.append(append);
    must(appended.has_value(), appended ? "" : appended.error().message);
    written_bytes_ += batch.size();
  }
}

// The disk is not to become full.
Task<void> Stalls::trim(Log& log) {
  while (!done_) {
    log.set_high_watermark(log.end());
    must((co_await log.apply_retention()).has_value(), "retention");
    co_await sleep_until(logs_.loop(), logs_.clock().now() + std::chrono::seconds(1));
  }
}

Task<void> Stalls::drain(Log& log) {
  const int sink = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
  must(sink >= 0, "/dev/null");
  Offset next = log.start();
  while (next < log.end()) {
    const auto slice = co_await log.read({next, log.end(), slice_bytes, true});
    must(slice.has_value() && !slice->empty(), "read");
    must((co_await logs_.files().read_in(slice->file.handle(), slice->position, slice->length))
             .has_value(),
         "read_in");
    off_t position = static_cast<off_t>(slice->position);
    const off_t end = position + static_cast<off_t>(slice->length);
    while (position < end) {
      must(::sendfile(sink, logs_.files().descriptor(slice->file.handle()), &position,
                      static_cast<std::size_t>(end - position)) > 0,
           "sendfile");
    }
    read_bytes_ += slice->length;
    // The batches are alike.
    const std::uint64_t records =
        static_cast<std::uint64_t>(log.end().value()) * slice->length / log.size_bytes();
    next = slice->base_offset.plus(static_cast<std::int64_t>(std::max<std::uint64_t>(records, 1)));
    co_await yield(logs_.loop());
  }
  ::close(sink);
  done_ = true;
}

// Every millisecond, and after each turn that was longer: the turns are many.
Task<void> Stalls::watch_turns() {
  MonotonicTime last = logs_.clock().now();
  MonotonicTime noted = last;
  Scheduled before = scheduled();
  Duration longest{};
  while (!done_) {
    co_await yield(logs_.loop());
    const MonotonicTime now = logs_.clock().now();
    longest = std::max(longest, now - last);
    last = now;
    if (now - noted < Milliseconds(1)) continue;
    const Scheduled after = scheduled();
    const Duration waited = std::min(longest, after.waited - before.waited);
    const Duration ran = std::min(longest - waited, after.ran - before.ran);
    const Duration rest = longest - waited - ran;
    const bool slept = after.times_asleep != before.times_asleep;
    turns_.push_back(
        {longest, waited, slept ? rest : Duration::zero(), slept ? Duration::zero() : rest});
    before = after;
    noted = last = logs_.clock().now();
    longest = Duration::zero();
  }
}

Task<void> Stalls::all(Log& cold, std::vector<std::unique_ptr<Log>>& written) {
  std::vector<Task<void>> tasks;
  for (auto& log : written) {
    for (std::size_t i = 0; i < outstanding_per_writer; ++i) {
      tasks.push_back(append_until_done(*log));
    }
    tasks.push_back(trim(*log));
  }
  tasks.push_back(watch_turns());
  tasks.push_back(drain(cold));
  co_await run_all(std::move(tasks));
}

template <class Take>
void Stalls::print(const char* name, Take take) {
  std::vector<Duration> taken;
  for (const Turn& turn : turns_) taken.push_back(take(turn));
  print_quantiles(name, std::move(taken));
}

void Stalls::run() {
  auto cold = logs_.open(0, {}, false);
  logs_.loop().run(fill(*cold, settings_.gigabytes * 1'000'000'000));
  logs_.close(std::move(cold));
  ::sync();
  make_cold(0);
  cold = logs_.open(0, {}, false);
  make_cold(0);
  std::vector<std::unique_ptr<Log>> written;
  LogConfig config;
  config.retention_bytes = 1024 * mebibyte;
  config.file_delete_delay = Milliseconds(0);
  for (std::size_t i = 1; i <= writers; ++i) written.push_back(logs_.open(i, config, false));
  Sleeper sleeper(logs_.clock());
  const Sample sample = measured(logs_.clock(), [&] { logs_.loop().run(all(*cold, written)); });
  std::vector<Duration> late = sleeper.end();
  std::printf("read %.1f GB cold at %.0f MB/s, wrote %.1f GB at %.0f MB/s\n",
              static_cast<double>(read_bytes_) / 1e9,
              static_cast<double>(read_bytes_) / sample.wall_ns * 1e3,
              static_cast<double>(written_bytes_) / 1e9,
              static_cast<double>(written_bytes_) / sample.wall_ns * 1e3);
  print("longest turn of each millisecond", [](const Turn& turn) { return turn.took; });
  print("without waiting for a processor",
        [](const Turn& turn) { return turn.took - turn.waited; });
  print("without being stopped, too",
        [](const Turn& turn) { return turn.took - turn.waited - turn.stopped; });
  print("asleep in system calls", [](const Turn& turn) { return turn.asleep; });
  print_quantiles("a thread that only sleeps is late", std::move(late));
  const FileSystemCounters counters = logs_.files().counters();
  std::printf("writes in place %llu, slow ones %llu, to the pool %llu, early write-backs %llu\n",
              static_cast<unsigned long long>(counters.writes_in_place),
              static_cast<unsigned long long>(counters.slow_writes),
              static_cast<unsigned long long>(counters.to_pool),
              static_cast<unsigned long long>(counters.write_backs));
  logs_.abandon(std::move(cold));
  for (auto& log : written) logs_.abandon(std::move(log));
}

[[nodiscard]] Settings parse(int count, char** arguments) {
  Settings settings;
  for (int i = 1; i < count; ++i) {
    const std::string_view argument = arguments[i];
    if (argument.starts_with("--directory=")) {
      settings.directory = argument.substr(12);
    } else if (argument.starts_with("--gigabytes=")) {
      settings.gigabytes = std::stoul(std::string(argument.substr(12)));
    } else if (argument.starts_with("--files=")) {
      settings.files = argument.substr(8);
    } else {
      must(false, "log_stalls [--directory=PATH] [--gigabytes=N] [--files=KIND]");
    }
  }
  return settings;
}

}  // namespace

int main(int count, char** arguments) {
  Stalls stalls(parse(count, arguments));
  stalls.run();
  return 0;
}
