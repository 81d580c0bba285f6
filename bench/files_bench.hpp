// What the parts of files_bench share.
#pragma once

#include <sys/resource.h>
#include <sys/time.h>
#include <unistd.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

import millrace.runtime.files;
import millrace.runtime.shard;

namespace millrace::bench {

struct Settings {
  std::string directory = "/var/tmp";
  std::size_t rounds = 5;
  std::size_t stall_seconds = 6;
  std::string only;

  [[nodiscard]] bool wants(const std::string& name) const {
    return name.find(only) != std::string::npos;
  }
  [[nodiscard]] std::string path(std::size_t file) const {
    return directory + "/millrace-files-bench-" + std::to_string(::getpid()) + '-' +
           std::to_string(file);
  }
};

// A benchmark has no use for what fails.
inline void must(bool succeeded, const char* what) {
  if (succeeded) return;
  std::perror(what);
  std::exit(1);
}

struct Sample {
  double wall_ns = 0;
  double cpu_ns = 0;
};

// Of all threads, those of the kernel that work for this process too.
[[nodiscard]] inline double cpu_ns() {
  rusage usage{};
  must(::getrusage(RUSAGE_SELF, &usage) == 0, "getrusage");
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

// Operations of one case: how many, how large, how many at a time, on how many files.
struct Case {
  std::string name;
  std::size_t operations = 0;
  std::size_t bytes = 0;
  std::size_t outstanding = 1;
  std::size_t files = 1;
  bool sync = false;      // after each write
  bool reads = false;     // else it writes
  bool uncached = false;  // the file is not in memory
};

// One way to do files: a file system with these options.
struct Way {
  std::string name;
  FileSystemKind kind;
  FileSystemOptions options;
};

// Buffered writes through a ring, without a file system of ours: what they would cost there.
void write_through_ring(const Case& what, const Settings& settings);

// How long a shard is away from its loop while appends saturate the disk and cold files are read.
void run_stalls(const Settings& settings, const std::vector<Way>& ways);

}  // namespace millrace::bench
