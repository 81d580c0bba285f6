// What files cost through each file system, beside plain system calls in a loop: the floor.
//   files_bench [--directory=PATH] [--rounds=N] [--stall-seconds=N] [--only=TEXT]
// Each line is the median of N rounds, in which floor and candidates take turns; "x" is the ratio
// to the floor. CPU time counts all threads, those of the kernel that work for this process too.
#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// This one imports the module: it comes after all that includes standard headers.
#include "files_bench.hpp"

namespace millrace::bench {
namespace {

constexpr std::size_t read_file_bytes = 64 * mebibyte;

[[nodiscard]] double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

// With early write-back after so many bytes.
[[nodiscard]] Way writing_back(std::size_t mib) {
  Way way{"thread_pool, write-back of " + std::to_string(mib) + " MiB",
          FileSystemKind::thread_pool,
          {}};
  way.options.in_place.write_back_bytes = mib * mebibyte;
  return way;
}

[[nodiscard]] std::vector<Way> all_ways() {
  FileSystemOptions handed_over;
  handed_over.in_place.reads = false;
  handed_over.in_place.writes = false;
  FileSystemOptions no_write_back;
  no_write_back.in_place.write_back_bytes = std::size_t{1} << 60;
  no_write_back.in_place.write_back_bytes_max = std::size_t{1} << 61;
  FileSystemOptions always;
  always.in_place.slow_write = std::chrono::hours(1);
  always.in_place.write_back_bytes_max = std::size_t{1} << 60;
  std::vector<Way> all{{"thread_pool", FileSystemKind::thread_pool, {}},
                       {"thread_pool, no write-back", FileSystemKind::thread_pool, no_write_back},
                       {"thread_pool, always in place", FileSystemKind::thread_pool, always},
                       {"thread_pool, nothing in place", FileSystemKind::thread_pool, handed_over}};
  if (probe_io_uring()) {
    all.push_back({"io_uring", FileSystemKind::io_uring, {}});
    all.push_back({"io_uring, nothing in place", FileSystemKind::io_uring, handed_over});
  }
  return all;
}

[[nodiscard]] std::vector<Way> ways_of(const Case& what) {
  std::vector<Way> ways = all_ways();
  const bool appends_much =
      !what.reads && !what.sync && what.operations * what.bytes > 64 * mebibyte;
  if (!appends_much) return ways;
  for (const std::size_t mib : {1U, 4U, 64U}) ways.push_back(writing_back(mib));
  return ways;
}

class Bench {
 public:
  explicit Bench(Settings settings) : settings_(std::move(settings)) {}
  void run();

 private:
  // Something that carries out a case.
  struct Candidate {
    std::string name;
    std::function<void()> run;
    std::vector<double> wall;
    std::vector<double> cpu;
    FileSystemCounters counters;
  };

  void run_case(const Case& what);
  void begin_round(const Case& what) const;
  void plain(const Case& what) const;
  [[nodiscard]] Task<void> all(FileSystem& files, const Case& what) const;
  [[nodiscard]] Task<void> some(FileSystem& files, const Case& what,
                                const std::vector<FileHandle>& handles, std::size_t first) const;

  Settings settings_;
  SystemClock clock_;
};

// Spread over the file without an order that readahead would see.
[[nodiscard]] std::uint64_t read_position(const Case& what, std::size_t operation) {
  const std::size_t blocks = read_file_bytes / what.bytes;
  return operation * 2654435761U % blocks * what.bytes;
}

void fill(int file) {
  const std::vector<std::byte> block(mebibyte, std::byte{7});
  for (std::size_t at = 0; at < read_file_bytes; at += block.size()) {
    must(::pwrite(file, block.data(), block.size(), static_cast<off_t>(at)) > 0, "pwrite");
  }
}

void Bench::begin_round(const Case& what) const {
  for (std::size_t i = 0; i < what.files; ++i) {
    const int file = ::open(settings_.path(i).c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    must(file >= 0, "open");
    if (!what.reads) {
      must(::ftruncate(file, 0) == 0, "ftruncate");
    } else if (::lseek(file, 0, SEEK_END) != static_cast<off_t>(read_file_bytes)) {
      fill(file);
    }
    must(::fsync(file) == 0, "fsync");
    if (what.uncached) must(::posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED) == 0, "fadvise");
    ::close(file);
  }
}

void Bench::plain(const Case& what) const {
  std::vector<int> files;
  for (std::size_t i = 0; i < what.files; ++i) {
    files.push_back(::open(settings_.path(i).c_str(), O_RDWR | O_CLOEXEC));
  }
  std::vector<std::byte> block(what.bytes, std::byte{1});
  std::vector<off_t> ends(what.files, 0);
  for (std::size_t i = 0; i < what.operations; ++i) {
    const std::size_t n = i % what.files;
    if (what.reads) {
      const auto position = static_cast<off_t>(read_position(what, i));
      must(::pread(files[n], block.data(), block.size(), position) > 0, "pread");
      continue;
    }
    must(::pwrite(files[n], block.data(), block.size(), ends[n]) > 0, "pwrite");
    ends[n] += static_cast<off_t>(block.size());
    if (what.sync) must(::fdatasync(files[n]) == 0, "fdatasync");
  }
  for (const int file : files) ::close(file);
}

Task<void> Bench::some(FileSystem& files, const Case& what, const std::vector<FileHandle>& handles,
                       std::size_t first) const {
  std::vector<std::byte> block(what.bytes, std::byte{1});
  const ByteView piece(block);
  for (std::size_t i = first; i < what.operations; i += what.outstanding) {
    const FileHandle file = handles[i % what.files];
    if (what.reads) {
      must((co_await files.read(file, read_position(what, i), block)).has_value(), "read");
      continue;
    }
    const std::uint64_t position = i / what.files * what.bytes;
    must((co_await files.write(file, position, std::span(&piece, 1))).has_value(), "write");
    if (what.sync) must((co_await files.sync_data(file)).has_value(), "sync_data");
  }
}

Task<void> Bench::all(FileSystem& files, const Case& what) const {
  std::vector<FileHandle> handles;
  for (std::size_t i = 0; i < what.files; ++i) {
    const std::string name = settings_.path(i);
    handles.push_back((co_await files.open(name, OpenMode::read_write)).value());
  }
  TaskGroup group;
  for (std::size_t i = 0; i < what.outstanding; ++i) group.start(some(files, what, handles, i));
  co_await group.wait();
  for (const FileHandle file : handles) must((co_await files.close(file)).has_value(), "close");
}

void Bench::run_case(const Case& what) {
  if (!settings_.wants(what.name)) return;
  const auto pool = FilePool::start(clock_).value();
  const auto loop = ShardLoop::make(clock_).value();
  std::vector<std::unique_ptr<PosixFileSystem>> systems;
  std::vector<Candidate> candidates(1);
  candidates[0] = {"system calls in a loop", [&] { plain(what); }, {}, {}, {}};
  for (const Way& way : ways_of(what)) {
    systems.push_back(make_file_system(way.kind, *loop, *pool, way.options).value());
    PosixFileSystem& files = *systems.back();
    candidates.push_back({way.name, [&] { loop->run(all(files, what)); }, {}, {}, {}});
  }
  if (!what.reads && !what.sync && probe_io_uring()) {
    candidates.push_back(
        {"writes in a ring", [&] { write_through_ring(what, settings_); }, {}, {}, {}});
  }
  for (std::size_t round = 0; round < settings_.rounds; ++round) {
    for (Candidate& candidate : candidates) {
      begin_round(what);
      const Sample sample = measured(clock_, candidate.run);
      candidate.wall.push_back(sample.wall_ns / static_cast<double>(what.operations));
      candidate.cpu.push_back(sample.cpu_ns / static_cast<double>(what.operations));
    }
  }
  std::printf("\n%s\n", what.name.c_str());
  const double floor_wall = median(candidates[0].wall);
  const double floor_cpu = median(candidates[0].cpu);
  for (const Candidate& candidate : candidates) {
    const double wall = median(candidate.wall);
    const double cpu = median(candidate.cpu);
    std::printf("  %-32s %9.2f us x %5.2f  %9.2f us CPU x %5.2f\n", candidate.name.c_str(),
                wall / 1e3, wall / floor_wall, cpu / 1e3, cpu / floor_cpu);
  }
  std::fflush(stdout);
  for (std::size_t i = 0; i < what.files; ++i) ::unlink(settings_.path(i).c_str());
}

void Bench::run() {
  const std::vector<Case> cases{
      {.name = "append 16 KiB, 1 outstanding", .operations = 8192, .bytes = 16384},
      {.name = "append 16 KiB, 16 outstanding",
       .operations = 8192,
       .bytes = 16384,
       .outstanding = 16},
      {.name = "append 200 bytes, 1 outstanding", .operations = 50'000, .bytes = 200},
      {.name = "append 200 bytes, 64 outstanding",
       .operations = 50'000,
       .bytes = 200,
       .outstanding = 64},
      {.name = "append 16 KiB to 64 files, 64 outstanding",
       .operations = 8192,
       .bytes = 16384,
       .outstanding = 64,
       .files = 64},
      {.name = "append 200 bytes and fdatasync, 1 outstanding",
       .operations = 200,
       .bytes = 200,
       .sync = true},
      {.name = "append 200 bytes and fdatasync, 64 outstanding on one file",
       .operations = 1280,
       .bytes = 200,
       .outstanding = 64,
       .sync = true},
      {.name = "append 200 bytes and fdatasync, 64 outstanding on 64 files",
       .operations = 1280,
       .bytes = 200,
       .outstanding = 64,
       .files = 64,
       .sync = true},
      {.name = "read 16 KiB from memory, 1 outstanding",
       .operations = 50'000,
       .bytes = 16384,
       .reads = true},
      {.name = "read 4 KiB at random from the disk, 1 outstanding",
       .operations = 1000,
       .bytes = 4096,
       .reads = true,
       .uncached = true},
      {.name = "read 4 KiB at random from the disk, 32 outstanding",
       .operations = 4000,
       .bytes = 4096,
       .outstanding = 32,
       .reads = true,
       .uncached = true},
  };
  for (const Case& what : cases) run_case(what);
  std::vector<Way> ways = all_ways();
  for (const std::size_t mib : {1U, 4U, 64U}) ways.push_back(writing_back(mib));
  run_stalls(settings_, ways);
}

// What stands behind `name=` in the argument; null if it is another argument.
[[nodiscard]] const char* value_of(const char* argument, std::string_view name) {
  return std::string_view(argument).starts_with(name) ? argument + name.size() : nullptr;
}

}  // namespace
}  // namespace millrace::bench

int main(int count, char** arguments) {
  using namespace millrace::bench;
  Settings settings;
  for (const char* argument : std::span(arguments + 1, arguments + count)) {
    if (const char* directory = value_of(argument, "--directory=")) {
      settings.directory = directory;
    } else if (const char* rounds = value_of(argument, "--rounds=")) {
      settings.rounds = std::max(1UL, std::strtoul(rounds, nullptr, 10));
    } else if (const char* seconds = value_of(argument, "--stall-seconds=")) {
      settings.stall_seconds = std::strtoul(seconds, nullptr, 10);
    } else if (const char* only = value_of(argument, "--only=")) {
      settings.only = only;
    } else if (value_of(argument, "--benchmark_") == nullptr) {  // those are for the others
      std::fprintf(stderr, "unknown argument: %s\n", argument);
      return 2;
    }
  }
  Bench(std::move(settings)).run();
}
