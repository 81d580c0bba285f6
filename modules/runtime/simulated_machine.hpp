// A simulated machine for tests: a disk, an executor and the file system of the process that runs
// now, driven one operation at a time. Every operation must succeed; what may fail is awaited on
// files() itself.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

import millrace.runtime;

namespace millrace {

class Machine {
 public:
  explicit Machine(std::uint64_t seed, SimulatedFileOptions options = {})
      : executor(seed), disk(seed), options_(options) {
    options_.seed = seed;
    start();
  }

  SimulatedExecutor executor;
  SimulatedDisk disk;

  [[nodiscard]] SimulatedFileSystem& files() { return *files_; }

  // The power goes away and comes back: a new process runs.
  void power_cut(std::uint64_t seed) {
    disk.power_cut(seed);
    start();
  }
  void kill(std::uint64_t seed) {
    files_->kill(seed);
    start();
  }
  // After the file system died by itself.
  void start() {
    executor.run_until_idle();
    files_.reset();
    files_ = std::make_unique<SimulatedFileSystem>(disk, executor, options_);
  }

  // The result of one operation: `start` gives it.
  template <class Start>
  auto wait(Start start) {
    using Value = decltype(start().await_resume());
    std::optional<Value> value;
    run(store(start, value));
    return std::move(value.value());
  }
  void run(Task<void> task) {
    const auto ended = executor.run(std::move(task));
    EXPECT_TRUE(ended) << ended.error().message << '\n' << disk.dump();
  }

  FileHandle open(std::string_view path, OpenMode mode = OpenMode::create) {
    const auto file = wait([&] { return files_->open(path, mode); });
    EXPECT_TRUE(file) << describe(file.error(), path);
    return file.value_or(no_file);
  }
  void write(FileHandle file, std::uint64_t position, std::string_view text) {
    const ByteView piece = as_bytes(text);
    good(wait([&] { return files_->write(file, position, std::span(&piece, 1)); }));
  }
  std::string read(FileHandle file, std::uint64_t position, std::size_t length) {
    std::string text(length, '?');
    const MutableBytes buffer(reinterpret_cast<std::byte*>(text.data()), text.size());
    const auto count = wait([&] { return files_->read(file, position, buffer); });
    good(count);
    text.resize(count.value_or(0));
    return text;
  }
  void close(FileHandle file) {
    good(wait([&] { return files_->close(file); }));
  }

  void write(std::string_view path, std::uint64_t position, std::string_view text) {
    with(path, [&](FileHandle file) { write(file, position, text); });
  }
  void sync(std::string_view path) {
    with(path, [&](FileHandle file) { good(wait([&] { return files_->sync_data(file); })); });
  }
  void set_size(std::string_view path, std::uint64_t size) {
    with(path, [&](FileHandle file) { good(wait([&] { return files_->set_size(file, size); })); });
  }
  void punch(std::string_view path, std::uint64_t position, std::uint64_t length) {
    with(path, [&](FileHandle file) {
      good(wait([&] { return files_->punch(file, position, length); }));
    });
  }
  void rename(std::string_view from, std::string_view to) {
    good(wait([&] { return files_->rename(from, to); }));
  }
  void remove(std::string_view path) {
    good(wait([&] { return files_->remove(path); }));
  }
  void make_directory(std::string_view path) {
    good(wait([&] { return files_->make_directory(path); }));
  }
  void remove_directory(std::string_view path) {
    good(wait([&] { return files_->remove_directory(path); }));
  }
  void sync_directory(std::string_view path) {
    good(wait([&] { return files_->sync_directory(path); }));
  }

 private:
  template <class Start, class Value>
  static Task<void> store(Start& start, std::optional<Value>& value) {
    value.emplace(co_await start());
  }
  template <class T>
  static void good(const IoResult<T>& result) {
    EXPECT_TRUE(result) << describe(result.error(), "");
  }
  template <class Use>
  void with(std::string_view path, Use use) {
    const FileHandle file = open(path);
    use(file);
    close(file);
  }

  SimulatedFileOptions options_;
  std::unique_ptr<SimulatedFileSystem> files_;
};

}  // namespace millrace
