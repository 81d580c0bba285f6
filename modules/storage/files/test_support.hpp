// What the tests of the storage share: golden files, a simulated disk with one process on it, and
// damage done to files.
#pragma once

#include <gtest/gtest.h>

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <memory>
#include <optional>
#include <span>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

import millrace.storage.files;

namespace millrace::storage {

inline std::string golden(const std::string& name) {
  std::ifstream file(std::string(MILLRACE_SOURCE_DIR) + "/tests/golden/data/storage/" + name,
                     std::ios::binary);
  EXPECT_TRUE(file) << name;
  return {std::istreambuf_iterator<char>(file), {}};
}

// The columns of each line of a golden table.
inline std::vector<std::vector<std::string>> golden_table(const std::string& name) {
  std::vector<std::vector<std::string>> rows;
  std::istringstream table(golden(name));
  for (std::string line; std::getline(table, line);) {
    std::vector<std::string> columns;
    std::istringstream cells(line);
    for (std::string cell; std::getline(cells, cell, '\t');) columns.push_back(cell);
    rows.push_back(std::move(columns));
  }
  EXPECT_FALSE(rows.empty()) << name;
  return rows;
}

// A disk with the directory /log, and a process that uses it.
class TestDisk {
 public:
  explicit TestDisk(std::uint64_t seed = 1) : executor(seed), disk(seed), seed_(seed) {
    start();
    EXPECT_TRUE(run(make_directory(*files_)));
    disk.sync_all();
  }

  SimulatedExecutor executor;
  SimulatedDisk disk;

  [[nodiscard]] SimulatedFileSystem& files() { return *files_; }

  // A new process, also after the power went away.
  void start() {
    executor.run_until_idle();
    files_.reset();
    files_ =
        std::make_unique<SimulatedFileSystem>(disk, executor, SimulatedFileOptions{.seed = seed_});
  }

  template <class T>
  T run(Task<T> task) {
    auto ended = executor.run(std::move(task));
    EXPECT_TRUE(ended) << ended.error().message;
    return std::move(ended.value());
  }

  void write(std::string_view path, std::string_view contents) {
    const auto written = run(write(*files_, path, contents));
    EXPECT_TRUE(written) << describe(written.error(), path);
  }

 private:
  static Task<IoResult<void>> make_directory(FileSystem& files) {
    co_return co_await files.make_directory("/log");
  }
  static Task<IoResult<void>> write(FileSystem& files, std::string_view path,
                                    std::string_view contents) {
    const auto file = co_await files.open(path, OpenMode::create_truncated);
    if (!file) co_return failure(file.error());
    const ByteView piece = as_bytes(contents);
    if (auto done = co_await files.write(*file, 0, std::span(&piece, 1)); !done) co_return done;
    co_return co_await files.close(*file);
  }

  std::uint64_t seed_;
  std::unique_ptr<SimulatedFileSystem> files_;
};

// Hands every text that differs from `text` in one bit to `look`.
template <class Look>
void for_each_bit_flip(const std::string& text, Look look) {
  for (std::size_t at = 0; at < text.size(); ++at) {
    for (unsigned bit = 0; bit < 8; ++bit) {
      std::string damaged = text;
      damaged[at] = static_cast<char>(static_cast<unsigned char>(damaged[at]) ^ (1u << bit));
      look(damaged);
    }
  }
}

}  // namespace millrace::storage
