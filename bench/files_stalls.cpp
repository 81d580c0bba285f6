#include <fcntl.h>
#include <sys/sendfile.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <span>
#include <string>
#include <thread>
#include <vector>

// This one imports the module: it comes after all that includes standard headers.
#include "files_bench.hpp"

namespace millrace::bench {
namespace {

constexpr std::size_t appended_files = 8;
constexpr std::size_t cold_file = appended_files;
constexpr std::uint64_t cold_bytes = 1024 * mebibyte;
constexpr std::uint64_t range_bytes = mebibyte;

// How late a timer of 1 ms is.
class Lateness {
 public:
  void add(Duration late) { ms_.push_back(static_cast<double>(late.count()) / 1e6); }
  void print(const char* name) {
    std::sort(ms_.begin(), ms_.end());
    const auto at = [&](double part) {
      return ms_[static_cast<std::size_t>(part * static_cast<double>(ms_.size() - 1))];
    };
    std::printf("%s: 99%% %.2f, 99.9%% %.2f, longest %.2f ms", name, at(0.99), at(0.999), at(1));
  }

 private:
  std::vector<double> ms_;
};

class Stalls {
 public:
  Stalls(const Settings& settings, const Way& way)
      : settings_(settings),
        pool_(FilePool::start(clock_).value()),
        loop_(ShardLoop::make(clock_).value()),
        files_(make_file_system(way.kind, *loop_, *pool_, way.options).value()),
        end_(clock_.now() + std::chrono::seconds(settings.stall_seconds)) {}

  void run(const std::string& name);

 private:
  Task<void> work();
  Task<void> beat();
  Task<void> append(FileHandle file);
  Task<void> drain();
  [[nodiscard]] bool ended() const { return clock_.now() >= end_; }

  const Settings& settings_;
  SystemClock clock_;
  std::unique_ptr<FilePool> pool_;
  std::unique_ptr<ShardLoop> loop_;
  std::unique_ptr<PosixFileSystem> files_;
  MonotonicTime end_;
  Lateness shard_;
  Lateness machine_;
  std::uint64_t appended_ = 0;
  std::uint64_t drained_ = 0;
};

Task<void> Stalls::beat() {
  while (!ended()) {
    const MonotonicTime due = clock_.now() + std::chrono::milliseconds(1);
    co_await sleep_until(*loop_, due);
    shard_.add(clock_.now() - due);
  }
}

Task<void> Stalls::append(FileHandle file) {
  const std::vector<std::byte> block(64 * kibibyte, std::byte{1});
  const ByteView piece(block);
  for (std::uint64_t at = 0; !ended(); at += block.size()) {
    must((co_await files_->write(file, at, std::span(&piece, 1))).has_value(), "write");
    appended_ += block.size();
  }
}

// As a shard answers a fetch from a cold segment: reads in, then sends.
Task<void> Stalls::drain() {
  const std::string path = settings_.path(cold_file);
  const FileHandle file = (co_await files_->open(path, OpenMode::read)).value();
  const int nowhere = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
  for (std::uint64_t at = 0; !ended(); at += range_bytes) {
    if (at == cold_bytes) at = 0;
    must((co_await files_->read_in(file, at, range_bytes)).has_value(), "read_in");
    auto position = static_cast<off_t>(at);
    const auto sent =
        ::sendfile(nowhere, files_->descriptor(file), &position, std::size_t{range_bytes});
    must(sent > 0, "sendfile");
    drained_ += static_cast<std::uint64_t>(sent);
    // The next round finds it cold again.
    ::posix_fadvise(files_->descriptor(file), static_cast<off_t>(at), range_bytes,
                    POSIX_FADV_DONTNEED);
  }
  ::close(nowhere);
  must((co_await files_->close(file)).has_value(), "close");
}

Task<void> Stalls::work() {
  std::vector<FileHandle> handles;
  for (std::size_t i = 0; i < appended_files; ++i) {
    const std::string name = settings_.path(i);
    handles.push_back((co_await files_->open(name, OpenMode::create_truncated)).value());
  }
  TaskGroup group;
  group.start(beat());
  group.start(drain());
  for (const FileHandle file : handles) group.start(append(file));
  co_await group.wait();
  for (const FileHandle file : handles) {
    must((co_await files_->close(file)).has_value(), "close");
  }
}

void Stalls::run(const std::string& name) {
  // What the machine itself adds: a thread that only sleeps.
  std::thread sleeper([&] {
    while (!ended()) {
      const MonotonicTime due = clock_.now() + std::chrono::milliseconds(1);
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
      machine_.add(clock_.now() - due);
    }
  });
  loop_->run(work());
  sleeper.join();
  const FileSystemCounters n = files_->counters();
  std::printf("  %-30s ", name.c_str());
  shard_.print("shard");
  machine_.print("; machine");
  const auto mib = [](std::uint64_t bytes) {
    return static_cast<unsigned long long>(bytes / mebibyte);
  };
  std::printf("; %llu MiB appended, %llu MiB drained; in place %llu, pool %llu, slow %llu\n",
              mib(appended_), mib(drained_), static_cast<unsigned long long>(n.writes_in_place),
              static_cast<unsigned long long>(n.to_pool),
              static_cast<unsigned long long>(n.slow_writes));
  std::fflush(stdout);
}

void make_cold_file(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  must(file >= 0, "open");
  if (::lseek(file, 0, SEEK_END) < static_cast<off_t>(cold_bytes)) {
    const std::vector<std::byte> block(range_bytes, std::byte{7});
    for (std::uint64_t at = 0; at < cold_bytes; at += block.size()) {
      must(::pwrite(file, block.data(), block.size(), static_cast<off_t>(at)) > 0, "pwrite");
    }
  }
  must(::fsync(file) == 0, "fsync");
  must(::posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED) == 0, "posix_fadvise");
  ::close(file);
}

}  // namespace

void run_stalls(const Settings& settings, const std::vector<Way>& ways) {
  const std::string name = "stalls while appends saturate the disk and a cold file is drained";
  if (!settings.wants(name) || settings.stall_seconds == 0) return;
  std::printf("\n%s\n", name.c_str());
  for (const Way& way : ways) {
    make_cold_file(settings.path(cold_file));
    Stalls(settings, way).run(way.name);
    for (std::size_t i = 0; i < appended_files; ++i) ::unlink(settings.path(i).c_str());
    ::sync();
  }
  ::unlink(settings.path(cold_file).c_str());
}

}  // namespace millrace::bench
