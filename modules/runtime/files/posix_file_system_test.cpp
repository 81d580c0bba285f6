// What both file systems share: lost bytes, the order of syncs, what is done in place, early
// write-back. Also proves thread_pool_file_system.cppm.
#include <gtest/gtest.h>

#include <cerrno>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

// These import modules: they come after all that includes standard headers.
#include "failing_calls.hpp"
#include "test_support.hpp"

namespace millrace {
namespace {

using namespace std::chrono_literals;

// Each test is a coroutine on files of its own.
class PosixFiles : public testing::TestWithParam<FileSystemKind> {
 protected:
  void start(FileSystemOptions options = {}, std::size_t pool_threads = 4) {
    real_ = std::make_unique<RealFiles>(
        RealFilesSetup{.kind = GetParam(), .options = options, .pool_threads = pool_threads});
  }
  [[nodiscard]] PosixFileSystem& files() { return real_->files(); }
  [[nodiscard]] FileSystemCounters counters() { return files().counters(); }

  Task<FileHandle> open(std::string name = "file") {
    const std::string path = directory_.path(name);
    co_return (co_await files().open(path, OpenMode::create)).value();
  }
  Task<IoResult<void>> append(FileHandle file, std::uint64_t position, std::size_t bytes) {
    const std::string text(bytes, 'x');
    const ByteView piece = as_bytes(text);
    co_return co_await files().write(file, position, std::span(&piece, 1));
  }
  Task<void> sync(FileHandle file, IoResult<void>& result) {
    result = co_await files().sync_data(file);
    ++ended_;
  }
  Task<void> close(FileHandle file, IoResult<void>& result) {
    result = co_await files().close(file);
    ++ended_;
  }
  // A sync is a call in the pool, or a completion of the ring.
  [[nodiscard]] LibraryCall sync_call() const {
    return GetParam() == FileSystemKind::io_uring ? LibraryCall::ring_completion
                                                  : LibraryCall::fdatasync;
  }
  static void expect_lost(const IoResult<void>& result, int error_number) {
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().fault, IoFault::failed);
    EXPECT_EQ(result.error().number, error_number);
  }

  TemporaryDirectory directory_;
  std::unique_ptr<RealFiles> real_;
  int ended_ = 0;
};

TEST_P(PosixFiles, after_a_failed_sync_every_write_sync_and_close_fails) {
  start();
  FailingCalls calls;
  const auto test = [&]() -> Task<void> {
    const FileHandle file = co_await open();
    EXPECT_TRUE(co_await append(file, 0, 100));
    calls.fail(sync_call(), ENOSPC);
    expect_lost(co_await files().sync_data(file), ENOSPC);
    expect_lost(co_await files().sync_data(file), ENOSPC);
    expect_lost(co_await append(file, 100, 10), ENOSPC);
    EXPECT_EQ((co_await files().file_size(file)).value(), 100);
    const FileHandle other = co_await open("other");
    EXPECT_TRUE(co_await append(other, 0, 100));
    EXPECT_TRUE(co_await files().sync_data(other));
    EXPECT_TRUE(co_await files().close(other));
    expect_lost(co_await files().close(file), ENOSPC);
    EXPECT_EQ(files().open_files(), 0);
  };
  real_->loop().run(test());
}

TEST_P(PosixFiles, syncs_that_are_asked_for_together_fail_together) {
  start();
  FailingCalls calls;
  std::vector<IoResult<void>> results(4);
  const auto test = [&]() -> Task<void> {
    const FileHandle file = co_await open();
    calls.fail(sync_call(), EIO);
    TaskGroup group;
    for (auto& result : results) group.start(sync(file, result));
    co_await group.wait();
    expect_lost(co_await files().close(file), EIO);
  };
  real_->loop().run(test());
  for (const auto& result : results) expect_lost(result, EIO);
}

TEST_P(PosixFiles, syncs_that_wait_for_another_are_one_call) {
  start();
  FailingCalls calls;
  std::vector<IoResult<void>> results(10);
  const auto test = [&]() -> Task<void> {
    const FileHandle file = co_await open();
    const std::size_t before = calls.count(sync_call());
    TaskGroup group;
    for (auto& result : results) group.start(sync(file, result));
    co_await group.wait();
    EXPECT_EQ(calls.count(sync_call()) - before, 2);
    EXPECT_TRUE(co_await files().close(file));
  };
  real_->loop().run(test());
  for (const auto& result : results) EXPECT_TRUE(result);
}

TEST_P(PosixFiles, a_file_is_closed_after_the_last_operation_that_holds_it) {
  start(nothing_in_place());
  FailingCalls calls;
  IoResult<void> written;
  IoResult<void> closed;
  const auto test = [&]() -> Task<void> {
    const FileHandle file = co_await open();
    calls.gate(LibraryCall::pwritev).close();
    const auto write = [&]() -> Task<void> {
      written = co_await append(file, 0, 10);
      ++ended_;
    };
    TaskGroup group;
    group.start(write());
    calls.gate(LibraryCall::pwritev).wait_for(1);
    group.start(close(file, closed));
    EXPECT_EQ(files().descriptor(file), -1);
    const FileHandle other = co_await open("other");
    EXPECT_EQ(ended_, 0);
    EXPECT_EQ(calls.count(LibraryCall::close), 0);
    calls.gate(LibraryCall::pwritev).open();
    co_await group.wait();
    EXPECT_TRUE(co_await files().close(other));
  };
  real_->loop().run(test());
  EXPECT_TRUE(written);
  EXPECT_TRUE(closed);
  EXPECT_EQ(std::filesystem::file_size(directory_.path("file")), 10);
}

TEST_P(PosixFiles, appended_bytes_are_sent_to_the_disk_early) {
  FileSystemOptions options;
  options.in_place.write_back_bytes = 1000;
  start(options);
  FailingCalls calls;
  const auto test = [&]() -> Task<void> {
    const FileHandle file = co_await open();
    EXPECT_TRUE(co_await append(file, 0, 999));
    EXPECT_EQ(counters().write_backs, 0);
    EXPECT_TRUE(co_await append(file, 999, 1));
    EXPECT_EQ(counters().write_backs, 1);
    EXPECT_TRUE(co_await files().close(file));
    EXPECT_EQ(calls.count(LibraryCall::sync_file_range), 1);
  };
  real_->loop().run(test());
}

TEST_P(PosixFiles, after_a_failed_write_back_the_bytes_are_lost) {
  FileSystemOptions options;
  options.in_place.write_back_bytes = 1000;
  start(options);
  FailingCalls calls;
  IoResult<void> synced;
  const auto test = [&]() -> Task<void> {
    const FileHandle file = co_await open();
    calls.fail(LibraryCall::sync_file_range, EIO);
    calls.gate(LibraryCall::sync_file_range).close();
    EXPECT_TRUE(co_await append(file, 0, 1000));
    calls.gate(LibraryCall::sync_file_range).wait_for(1);
    // The kernel would tell the error to whichever asks first.
    TaskGroup group;
    group.start(sync(file, synced));
    EXPECT_EQ(ended_, 0);
    calls.gate(LibraryCall::sync_file_range).open();
    co_await group.wait();
    expect_lost(synced, EIO);
    EXPECT_EQ(calls.count(sync_call()), 0);
    expect_lost(co_await append(file, 1000, 1), EIO);
    expect_lost(co_await files().close(file), EIO);
    EXPECT_EQ(counters().write_backs_failed, 1);
  };
  real_->loop().run(test());
}

TEST_P(PosixFiles, no_write_back_begins_beside_a_sync) {
  FileSystemOptions options;
  options.in_place.write_back_bytes = 1000;
  start(options);
  IoResult<void> synced;
  const auto test = [&]() -> Task<void> {
    const FileHandle file = co_await open();
    TaskGroup group;
    group.start(sync(file, synced));
    const bool began_beside_it = ended_ == 0;
    EXPECT_TRUE(co_await append(file, 0, 5000));
    if (began_beside_it && ended_ == 0) EXPECT_EQ(counters().write_backs, 0);
    co_await group.wait();
    EXPECT_TRUE(co_await append(file, 5000, 1000));
    EXPECT_EQ(counters().write_backs, 1);
    EXPECT_TRUE(co_await files().close(file));
  };
  real_->loop().run(test());
}

TEST_P(PosixFiles, a_file_system_may_end_before_its_early_write_back) {
  FileSystemOptions options;
  options.in_place.write_back_bytes = 1000;
  options.pool_operations_max = 1;
  start(options);
  FailingCalls calls;
  calls.gate(LibraryCall::sync_file_range).close();
  const auto test = [&]() -> Task<void> {
    for (const std::string name : {"one", "two", "three"}) {
      const FileHandle file = co_await open(name);
      EXPECT_TRUE(co_await append(file, 0, 1000));
    }
  };
  real_->loop().run(test());
  calls.gate(LibraryCall::sync_file_range).wait_for(1);
  std::thread disk([&] { calls.gate(LibraryCall::sync_file_range).open(); });
  real_.reset();
  disk.join();
  EXPECT_EQ(calls.count(LibraryCall::sync_file_range), 3);
}

TEST_P(PosixFiles, after_a_slow_write_writes_are_handed_over_for_a_while) {
  FileSystemOptions options;
  options.in_place.slow_write = 1ms;
  options.in_place.slow_period_min = 1h;
  options.in_place.slow_period_max = 1h;
  start(options);
  FailingCalls calls;
  const auto test = [&]() -> Task<void> {
    const FileHandle file = co_await open();
    EXPECT_TRUE(co_await append(file, 0, 10));
    const std::uint64_t to_pool = counters().to_pool;
    EXPECT_EQ(counters().writes_in_place, 1);
    calls.write_milliseconds = 3;
    EXPECT_TRUE(co_await append(file, 10, 10));
    calls.write_milliseconds = 0;
    EXPECT_EQ(counters().slow_writes, 1);
    EXPECT_EQ(counters().writes_in_place, 2);
    EXPECT_TRUE(co_await append(file, 20, 10));
    EXPECT_EQ(counters().writes_in_place, 2);
    EXPECT_EQ(counters().to_pool, to_pool + 1);
    EXPECT_TRUE(co_await files().close(file));
  };
  real_->loop().run(test());
}

TEST_P(PosixFiles, large_writes_and_those_that_the_disk_does_not_keep_up_with_are_handed_over) {
  FileSystemOptions options;
  options.in_place.write_bytes_max = 100;
  options.in_place.write_back_bytes = 1'000'000;
  options.in_place.write_back_bytes_max = 250;
  start(options);
  const auto test = [&]() -> Task<void> {
    const FileHandle file = co_await open();
    EXPECT_TRUE(co_await append(file, 0, 101));
    EXPECT_EQ(counters().writes_in_place, 0);
    EXPECT_TRUE(co_await append(file, 101, 100));
    EXPECT_TRUE(co_await append(file, 201, 100));
    EXPECT_EQ(counters().writes_in_place, 2);
    EXPECT_TRUE(co_await append(file, 301, 1));
    EXPECT_EQ(counters().writes_in_place, 2);
    EXPECT_TRUE(co_await files().close(file));
  };
  real_->loop().run(test());
}

TEST_P(PosixFiles, what_a_turn_has_no_time_for_comes_in_later_turns) {
  FileSystemOptions options;
  options.in_place.turn_max = 1ns;
  start(options);
  constexpr std::size_t count = 50;
  const auto test = [&]() -> Task<void> {
    const FileHandle file = co_await open();
    const std::uint64_t turns = real_->loop().turns();
    TaskGroup group;
    const auto one = [&](std::uint64_t i) -> Task<void> {
      EXPECT_TRUE(co_await append(file, i * 10, 10));
    };
    for (std::uint64_t i = 0; i < count; ++i) group.start(one(i));
    co_await group.wait();
    EXPECT_GE(real_->loop().turns() - turns, count - 1);
    EXPECT_EQ(counters().writes_in_place, count);
    EXPECT_EQ((co_await files().file_size(file)).value(), count * 10);
    EXPECT_TRUE(co_await files().close(file));
  };
  real_->loop().run(test());
}

TEST_P(PosixFiles, a_write_does_not_block_the_shard_behind_a_change_in_the_pool) {
  start();
  FailingCalls calls;
  const auto test = [&]() -> Task<void> {
    const FileHandle file = co_await open();
    calls.gate(LibraryCall::ftruncate).close();
    const auto cut = [&]() -> Task<void> {
      EXPECT_TRUE(co_await files().set_size(file, 0));
      ++ended_;
    };
    const auto write = [&]() -> Task<void> {
      EXPECT_TRUE(co_await append(file, 0, 10));
      EXPECT_EQ(ended_, 1);
    };
    TaskGroup group;
    group.start(cut());
    calls.gate(LibraryCall::ftruncate).wait_for(1);
    group.start(write());
    const FileHandle other = co_await open("other");
    EXPECT_TRUE(co_await append(other, 0, 10));
    EXPECT_EQ(ended_, 0);
    calls.gate(LibraryCall::ftruncate).open();
    co_await group.wait();
    EXPECT_TRUE(co_await files().close(other));
    EXPECT_TRUE(co_await files().close(file));
  };
  real_->loop().run(test());
  EXPECT_EQ(std::filesystem::file_size(directory_.path("file")), 10);
}

TEST_P(PosixFiles, no_more_files_are_opened_than_the_table_holds) {
  FileSystemOptions options;
  options.open_files_max = 2;
  start(options);
  const auto test = [&]() -> Task<void> {
    const FileHandle one = co_await open("one");
    const FileHandle two = co_await open("two");
    const std::string path = directory_.path("three");
    const auto refused = co_await files().open(path, OpenMode::create);
    EXPECT_FALSE(refused);
    if (!refused) EXPECT_EQ(refused.error().fault, IoFault::too_many_open);
    EXPECT_FALSE(std::filesystem::exists(path));
    EXPECT_TRUE(co_await files().close(one));
    const FileHandle three = co_await open("three");
    EXPECT_TRUE(co_await files().close(two));
    EXPECT_TRUE(co_await files().close(three));
  };
  real_->loop().run(test());
}

TEST_P(PosixFiles, a_descriptor_is_that_of_the_file) {
  start();
  const auto test = [&]() -> Task<void> {
    const FileHandle file = co_await open();
    const int descriptor = files().descriptor(file);
    const auto link = "/proc/self/fd/" + std::to_string(descriptor);
    EXPECT_EQ(std::filesystem::read_symlink(link), directory_.path("file"));
    EXPECT_TRUE(co_await files().close(file));
    EXPECT_EQ(files().descriptor(file), -1);
  };
  real_->loop().run(test());
}

[[nodiscard]] std::vector<FileSystemKind> kinds() {
  if (!probe_io_uring()) return {FileSystemKind::thread_pool};
  return {FileSystemKind::thread_pool, FileSystemKind::io_uring};
}

INSTANTIATE_TEST_SUITE_P(Real, PosixFiles, testing::ValuesIn(kinds()),
                         [](const auto& info) { return std::string(name_of(info.param)); });

}  // namespace
}  // namespace millrace
