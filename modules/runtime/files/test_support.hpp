// Real files for tests: a directory of one's own, a loop, a pool and a file system over them.
#pragma once

#include <sys/statfs.h>

#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

import millrace.runtime.files;
import millrace.runtime.shard;

namespace millrace {

// Empty, of the test alone, and removed with all that is in it.
class TemporaryDirectory {
 public:
  explicit TemporaryDirectory(
      const std::string& below = std::filesystem::temp_directory_path().string()) {
    std::string pattern = (std::filesystem::path(below) / "millrace-files-XXXXXX").string();
    check(::mkdtemp(pattern.data()) != nullptr, "a test can make a directory");
    path_ = pattern;
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  ~TemporaryDirectory() { std::filesystem::remove_all(path_); }

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::string path(std::string_view name) const {
    return path_ + '/' + std::string(name);
  }

 private:
  std::string path_;
};

inline constexpr const char* tmpfs_directory = "/dev/shm";
inline constexpr long tmpfs_magic = 0x01021994;
[[nodiscard]] inline bool has_tmpfs() {
  struct statfs status{};
  return ::statfs(tmpfs_directory, &status) == 0 && status.f_type == tmpfs_magic;
}

struct RealFilesSetup {
  FileSystemKind kind = FileSystemKind::thread_pool;
  FileSystemOptions options;
  std::size_t pool_threads = 4;
};

// A file system and what it stands on, for one thread.
class RealFiles {
 public:
  explicit RealFiles(const RealFilesSetup& setup)
      : pool_(FilePool::start(clock_, {.threads = setup.pool_threads}).value()),
        loop_(ShardLoop::make(clock_).value()),
        files_(make_file_system(setup.kind, *loop_, *pool_, setup.options).value()) {}

  [[nodiscard]] PosixFileSystem& files() { return *files_; }
  [[nodiscard]] ShardLoop& loop() { return *loop_; }
  [[nodiscard]] FilePool& pool() { return *pool_; }
  [[nodiscard]] const Clock& clock() const { return clock_; }

 private:
  SystemClock clock_;
  std::unique_ptr<FilePool> pool_;
  std::unique_ptr<ShardLoop> loop_;
  std::unique_ptr<PosixFileSystem> files_;
};

[[nodiscard]] inline FileSystemOptions nothing_in_place() {
  FileSystemOptions options;
  options.in_place.reads = false;
  options.in_place.writes = false;
  return options;
}

}  // namespace millrace
