// What every FileSystem must do, as tests over any of them. A test program links
// file_system_conformance*.cpp and names its implementations:
//   INSTANTIATE_TEST_SUITE_P(Simulated, FileSystemConformance, testing::Values(...), name_of_case);
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <ostream>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

import millrace.runtime;

namespace millrace {

// An implementation, ready for one test. Made before and destroyed after it.
class FileSystemUnderTest {
 public:
  virtual ~FileSystemUnderTest() = default;
  [[nodiscard]] virtual FileSystem& files() = 0;
  // An empty directory that exists, as an absolute path without a slash at its end.
  [[nodiscard]] virtual std::string directory() const = 0;
  // Where its operations and its clock are.
  [[nodiscard]] virtual Executor& executor() = 0;
  // Starts the task where the operations of files() run, and returns when it has ended. A task that
  // cannot end is a failure of the test.
  virtual void run(Task<void> task) = 0;
};

struct FileSystemCase {
  std::string name;
  std::function<std::unique_ptr<FileSystemUnderTest>()> make;

  friend void PrintTo(const FileSystemCase& shown, std::ostream* out) { *out << shown.name; }
};

[[nodiscard]] inline std::string name_of_case(const testing::TestParamInfo<FileSystemCase>& info) {
  return info.param.name;
}

// Each function starts one operation and waits for its end, so that tests read from top to bottom.
class FileSystemConformance : public testing::TestWithParam<FileSystemCase> {
 protected:
  void SetUp() override {
    under_test_ = GetParam().make();
    directory_ = under_test_->directory();
  }

  // `start` gives an operation or a task.
  template <class Start>
  auto wait(Start start) {
    using Value = decltype(result_type(start()));
    std::optional<Value> value;
    under_test_->run(store(start, value));
    return std::move(value.value());
  }
  void run(Task<void> task) { under_test_->run(std::move(task)); }

  [[nodiscard]] Timestamp wall_now() { return under_test_->executor().clock().wall_now(); }
  void pass(Duration time) { run(sleep(under_test_->executor(), time)); }

  [[nodiscard]] FileSystem& files() { return under_test_->files(); }
  [[nodiscard]] std::string path(std::string_view name) const {
    return directory_ + '/' + std::string(name);
  }

  IoResult<FileHandle> open(std::string_view name, OpenMode mode) {
    return wait([&, full = path(name)] { return files().open(full, mode); });
  }
  // A file that is there to be used; the test ends here if it cannot be had.
  FileHandle opened(std::string_view name, OpenMode mode = OpenMode::create) {
    return open(name, mode).value();
  }
  IoResult<void> close(FileHandle file) {
    return wait([&] { return files().close(file); });
  }
  IoResult<void> write(FileHandle file, std::uint64_t position, std::string_view text) {
    const ByteView piece = as_bytes(text);
    return wait([&] { return files().write(file, position, std::span(&piece, 1)); });
  }
  IoResult<void> write_pieces(FileHandle file, std::uint64_t position,
                              std::span<const ByteView> pieces) {
    return wait([&] { return files().write(file, position, pieces); });
  }
  // What is read, as text: shorter than asked for at the end of the file.
  IoResult<std::string> read(FileHandle file, std::uint64_t position, std::size_t length) {
    std::string text(length, '?');
    const MutableBytes buffer(reinterpret_cast<std::byte*>(text.data()), text.size());
    const auto count = wait([&] { return files().read(file, position, buffer); });
    if (!count) return failure(count.error());
    EXPECT_LE(*count, length);
    text.resize(*count);
    return text;
  }
  IoResult<void> read_in(FileHandle file, std::uint64_t position, std::uint64_t length) {
    return wait([&] { return files().read_in(file, position, length); });
  }
  IoResult<void> sync_data(FileHandle file) {
    return wait([&] { return files().sync_data(file); });
  }
  IoResult<void> set_size(FileHandle file, std::uint64_t size) {
    return wait([&] { return files().set_size(file, size); });
  }
  IoResult<void> punch(FileHandle file, std::uint64_t position, std::uint64_t length) {
    return wait([&] { return files().punch(file, position, length); });
  }
  IoResult<void> set_time(FileHandle file, Timestamp time) {
    return wait([&] { return files().set_time(file, time); });
  }
  IoResult<void> lock(FileHandle file) {
    return wait([&] { return files().lock(file); });
  }
  IoResult<std::uint64_t> file_size(FileHandle file) {
    return wait([&] { return files().file_size(file); });
  }
  IoResult<FileStatus> status(std::string_view name) {
    return wait([&, full = path(name)] { return files().status(full); });
  }
  IoResult<void> rename(std::string_view from, std::string_view to) {
    return wait([&, a = path(from), b = path(to)] { return files().rename(a, b); });
  }
  IoResult<void> remove(std::string_view name) {
    return wait([&, full = path(name)] { return files().remove(full); });
  }
  IoResult<void> make_directory(std::string_view name) {
    return wait([&, full = path(name)] { return files().make_directory(full); });
  }
  IoResult<void> remove_directory(std::string_view name) {
    return wait([&, full = path(name)] { return files().remove_directory(full); });
  }
  IoResult<std::vector<DirectoryEntry>> list(std::string_view name) {
    return wait([&, full = path(name)] { return files().list(full); });
  }
  IoResult<void> sync_directory(std::string_view name) {
    return wait([&, full = path(name)] { return files().sync_directory(full); });
  }
  IoResult<std::uint64_t> free_bytes(std::string_view name) {
    return wait([&, full = path(name)] { return files().free_bytes(full); });
  }

  // A closed file with these contents.
  void make_file(std::string_view name, std::string_view text) {
    const FileHandle file = opened(name, OpenMode::create_truncated);
    EXPECT_TRUE(succeeds(write(file, 0, text)));
    EXPECT_TRUE(succeeds(close(file)));
  }
  // All of a file that is not open.
  std::string contents(std::string_view name) {
    const FileHandle file = opened(name, OpenMode::read);
    const std::string text = read(file, 0, file_size(file).value()).value();
    EXPECT_TRUE(succeeds(close(file)));
    return text;
  }

  template <class T>
  static testing::AssertionResult succeeds(const IoResult<T>& result) {
    if (result) return testing::AssertionSuccess();
    return testing::AssertionFailure() << describe(result.error(), "");
  }
  template <class T>
  static testing::AssertionResult fails_with(const IoResult<T>& result, IoFault fault) {
    if (!result && result.error().fault == fault) return testing::AssertionSuccess();
    const std::string seen = result ? "success" : describe(result.error(), "");
    return testing::AssertionFailure() << "wanted: " << name_of(fault) << "; seen: " << seen;
  }
  static std::string text(const IoResult<std::string>& result) {
    return result ? *result : describe(result.error(), "");
  }

 private:
  template <class Operation>
    requires requires(Operation& operation) { operation.await_resume(); }
  static auto result_type(Operation&& operation) -> decltype(operation.await_resume());
  template <class T>
  static T result_type(Task<T>&& task);

  static Task<void> sleep(Executor& executor, Duration time) {
    co_await sleep_until(executor, executor.clock().now() + time);
  }
  template <class Start, class Value>
  static Task<void> store(Start& start, std::optional<Value>& value) {
    value.emplace(co_await start());
  }

  std::unique_ptr<FileSystemUnderTest> under_test_;
  std::string directory_;
};

}  // namespace millrace
