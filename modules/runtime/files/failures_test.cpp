// Every system call fails in every way, below each file system. Also proves failing_calls.cpp.
#include <gtest/gtest.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <iterator>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// These import modules: they come after all that includes standard headers.
#include "../file_system_conformance.hpp"
#include "failing_calls.hpp"
#include "test_support.hpp"

namespace millrace {
namespace {

struct Way {
  int error_number;
  IoFault fault;
};

// What a file system can say, and what follows from it.
constexpr Way ways[] = {
    {EIO, IoFault::failed},
    {ENXIO, IoFault::failed},
    {ENODEV, IoFault::failed},
    {ETIMEDOUT, IoFault::failed},
    {ESTALE, IoFault::failed},
    {EUCLEAN, IoFault::failed},
    {EBADMSG, IoFault::failed},
    {ENOTCONN, IoFault::failed},
    {ENOSPC, IoFault::no_space},
    {EDQUOT, IoFault::no_space},
    {EFBIG, IoFault::no_space},
    {ENOENT, IoFault::not_found},
    {EEXIST, IoFault::already_exists},
    {EACCES, IoFault::denied},
    {EPERM, IoFault::denied},
    {EROFS, IoFault::denied},
    {EMFILE, IoFault::too_many_open},
    {ENFILE, IoFault::too_many_open},
    {ENOMEM, IoFault::too_many_open},
    {ENOTEMPTY, IoFault::not_empty},
    {EBADF, IoFault::invalid},
    {EBUSY, IoFault::invalid},
    {EINVAL, IoFault::invalid},
    {EISDIR, IoFault::invalid},
    {ELOOP, IoFault::invalid},
    {ENAMETOOLONG, IoFault::invalid},
    {ENOTDIR, IoFault::invalid},
    {EOPNOTSUPP, IoFault::invalid},
    {EXDEV, IoFault::invalid},
};

class RealUnderTest final : public FileSystemUnderTest {
 public:
  explicit RealUnderTest(const RealFilesSetup& setup) : real_(setup) {}

  FileSystem& files() override { return real_.files(); }
  Executor& executor() override { return real_.loop(); }
  std::string directory() const override { return directory_.path(); }
  void run(Task<void> task) override { real_.loop().run(std::move(task)); }

 private:
  TemporaryDirectory directory_;
  RealFiles real_;
};

[[nodiscard]] std::vector<FileSystemCase> cases() {
  std::vector<FileSystemCase> all;
  const auto add = [&](std::string name, RealFilesSetup setup) {
    all.push_back({std::move(name), [setup] { return std::make_unique<RealUnderTest>(setup); }});
  };
  add("thread_pool", {.kind = FileSystemKind::thread_pool, .options = {}});
  add("thread_pool_nothing_in_place",
      {.kind = FileSystemKind::thread_pool, .options = nothing_in_place()});
  if (!probe_io_uring()) return all;
  add("io_uring", {.kind = FileSystemKind::io_uring, .options = {}});
  add("io_uring_nothing_in_place",
      {.kind = FileSystemKind::io_uring, .options = nothing_in_place()});
  return all;
}

[[nodiscard]] std::ptrdiff_t open_descriptors() {
  return std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {});
}

class EveryCall : public FileSystemConformance {
 protected:
  using Run = std::function<IoResult<void>()>;

  void SetUp() override {
    FileSystemConformance::SetUp();
    make_file("file", "contents");
    ASSERT_TRUE(succeeds(make_directory("folder")));
    ASSERT_TRUE(succeeds(make_directory("spare")));
  }

  template <class T>
  static IoResult<void> without_value(const IoResult<T>& result) {
    if (!result) return failure(result.error());
    return {};
  }
  // On a file that is open before, and closed after.
  Run on_file(std::function<IoResult<void>(FileHandle)> run) {
    return [this, run = std::move(run)]() -> IoResult<void> {
      const FileHandle file = opened("file", OpenMode::read_write);
      arm();
      auto result = run(file);
      armed_.reset();
      static_cast<void>(close(file));  // it may tell what was lost
      return result;
    };
  }
  Run on_path(std::function<IoResult<void>()> run) {
    return [this, run = std::move(run)]() -> IoResult<void> {
      arm();
      auto result = run();
      armed_.reset();
      return result;
    };
  }
  // The calls fail from here on.
  void arm() {
    armed_ = std::make_unique<FailingCalls>();
    for (const LibraryCall call : calls_) armed_->fail(call, error_number_, times_);
  }

  // Says what the operation named `operation` answers when these calls fail.
  using Expected = std::function<IoFault(const Way&)>;
  void expect_errors(
      std::string_view operation, std::vector<LibraryCall> calls, const Run& run,
      const Expected& expected = [](const Way& way) { return way.fault; }, int times = 1) {
    SCOPED_TRACE(operation);
    calls_ = std::move(calls);
    times_ = times;
    const auto descriptors = open_descriptors();
    for (const Way& way : ways) {
      error_number_ = way.error_number;
      const IoResult<void> result = run();
      EXPECT_TRUE(fails_with(result, expected(way))) << "errno " << way.error_number;
      if (result) continue;
      EXPECT_EQ(result.error().operation, operation);
      EXPECT_EQ(result.error().number, way.error_number);
      EXPECT_EQ(result.error().done, 0);
    }
    EXPECT_EQ(open_descriptors(), descriptors);
    EXPECT_EQ(contents("file"), "contents");
  }
  void expect_that_interruptions_do_not_matter(std::vector<LibraryCall> calls, const Run& run) {
    calls_ = std::move(calls);
    times_ = 3;
    error_number_ = EINTR;
    EXPECT_TRUE(succeeds(run()));
  }

  Run reading() {
    return on_file([this](FileHandle file) { return without_value(read(file, 0, 8)); });
  }
  Run writing() {
    return on_file([this](FileHandle file) { return write(file, 0, "contents"); });
  }
  Run syncing() {
    return on_file([this](FileHandle file) { return sync_data(file); });
  }
  Run opening() {
    return on_path([this]() -> IoResult<void> {
      const auto file = open("file", OpenMode::read);
      if (!file) return failure(file.error());
      return close(*file);
    });
  }

  std::vector<LibraryCall> calls_;
  int error_number_ = 0;
  int times_ = 1;
  std::unique_ptr<FailingCalls> armed_;
};

// In memory or not, in the pool or the ring: the error comes from whatever reads last.
TEST_P(EveryCall, of_a_read) {
  const std::vector<LibraryCall> calls{LibraryCall::preadv2, LibraryCall::pread,
                                       LibraryCall::ring_completion};
  expect_errors("read", calls, reading());
  expect_that_interruptions_do_not_matter(calls, reading());
}

TEST_P(EveryCall, of_a_read_in_place_is_made_good_by_one_that_may_wait) {
  for (const Way& way : ways) {
    calls_ = {LibraryCall::preadv2};
    error_number_ = way.error_number;
    EXPECT_TRUE(succeeds(reading()())) << way.error_number;
  }
}

TEST_P(EveryCall, of_reading_in) {
  const Run run = on_file([this](FileHandle file) { return read_in(file, 0, 8); });
  const std::vector<LibraryCall> calls{LibraryCall::mincore, LibraryCall::sendfile};
  expect_errors("read_in", calls, run);
  expect_that_interruptions_do_not_matter(calls, run);
}

// A look at the file tells that it is there.
TEST_P(EveryCall, of_reading_in_is_not_made_for_what_is_in_memory) {
  ASSERT_EQ(contents("file"), "contents");
  calls_ = {LibraryCall::sendfile};
  error_number_ = EIO;
  EXPECT_TRUE(succeeds(on_file([this](FileHandle file) { return read_in(file, 0, 8); })()));
  EXPECT_TRUE(succeeds(on_file([this](FileHandle file) { return read_in(file, 0, 100); })()))
      << "beyond its end is nothing to wait for";
  const Run too_long =
      on_file([this](FileHandle file) { return read_in(file, 0, 1024 * mebibyte); });
  EXPECT_TRUE(fails_with(too_long(), IoFault::failed)) << "what is too long is not looked at";
}

TEST_P(EveryCall, of_a_write) {
  expect_errors("write", {LibraryCall::pwritev}, writing());
  expect_that_interruptions_do_not_matter({LibraryCall::pwritev}, writing());
}

// Whatever a failed sync says, the bytes are lost; except that it was no sync at all.
TEST_P(EveryCall, of_a_sync) {
  const auto lost = [](const Way& way) {
    return way.fault == IoFault::invalid ? IoFault::invalid : IoFault::failed;
  };
  expect_errors("sync_data", {LibraryCall::fdatasync, LibraryCall::ring_completion}, syncing(),
                lost);
  const Run run = on_path([this] { return sync_directory(""); });
  expect_errors("sync_directory", {LibraryCall::fsync}, run, lost);
}

TEST_P(EveryCall, of_opening_the_directory_that_is_synced) {
  const Run run = on_path([this] { return sync_directory(""); });
  expect_errors("sync_directory", {LibraryCall::open}, run);
  expect_that_interruptions_do_not_matter({LibraryCall::open}, run);
}

TEST_P(EveryCall, of_an_open) {
  const auto as_told = [](const Way& way) { return way.fault; };
  constexpr int tries = 2;  // that of EPERM
  expect_errors("open", {LibraryCall::open}, opening(), as_told, tries);
  expect_that_interruptions_do_not_matter({LibraryCall::open}, opening());
}

// The system tells nobody but the owner of a file that its times may be left alone.
TEST_P(EveryCall, of_an_open_of_a_file_of_somebody_else_succeeds) {
  calls_ = {LibraryCall::open};
  error_number_ = EPERM;
  times_ = 1;
  EXPECT_TRUE(succeeds(opening()()));
}

TEST_P(EveryCall, of_a_close) {
  expect_errors("close", {LibraryCall::close}, opening());
  expect_that_interruptions_do_not_matter({LibraryCall::close}, opening());
}

TEST_P(EveryCall, of_a_change_of_size) {
  const Run run = on_file([this](FileHandle file) { return set_size(file, 8); });
  expect_errors("set_size", {LibraryCall::ftruncate}, run);
  expect_that_interruptions_do_not_matter({LibraryCall::ftruncate}, run);
}

TEST_P(EveryCall, of_a_punch) {
  const Run run = on_file([this](FileHandle file) { return punch(file, 100, 8); });
  expect_errors("punch", {LibraryCall::fallocate}, run);
  expect_that_interruptions_do_not_matter({LibraryCall::fallocate}, run);
}

TEST_P(EveryCall, of_a_question_for_the_size) {
  const Run run = on_file([this](FileHandle file) { return without_value(file_size(file)); });
  expect_errors("file_size", {LibraryCall::fstat}, run);
  expect_that_interruptions_do_not_matter({LibraryCall::fstat}, run);
}

TEST_P(EveryCall, of_a_change_of_time) {
  const Run run = on_file([this](FileHandle file) { return set_time(file, Timestamp(1)); });
  expect_errors("set_time", {LibraryCall::futimens}, run);
  expect_that_interruptions_do_not_matter({LibraryCall::futimens}, run);
}

TEST_P(EveryCall, of_a_lock) {
  const Run run = on_file([this](FileHandle file) { return lock(file); });
  const auto held = [](const Way& way) {
    return way.error_number == EACCES ? IoFault::locked : way.fault;
  };
  calls_ = {LibraryCall::fcntl};
  for (const Way& way : ways) {
    error_number_ = way.error_number;
    EXPECT_TRUE(fails_with(run(), held(way))) << way.error_number;
  }
  error_number_ = EAGAIN;
  EXPECT_TRUE(fails_with(run(), IoFault::locked));
  expect_that_interruptions_do_not_matter({LibraryCall::fcntl}, run);
}

TEST_P(EveryCall, of_a_question_about_a_path) {
  const Run status_of = on_path([this] { return without_value(status("file")); });
  expect_errors("status", {LibraryCall::stat}, status_of);
  expect_that_interruptions_do_not_matter({LibraryCall::stat}, status_of);
  const Run free = on_path([this] { return without_value(free_bytes("")); });
  expect_errors("free_bytes", {LibraryCall::statvfs}, free);
  expect_that_interruptions_do_not_matter({LibraryCall::statvfs}, free);
}

TEST_P(EveryCall, of_a_list) {
  const Run run = on_path([this] { return without_value(list("")); });
  expect_errors("list", {LibraryCall::opendir}, run);
  expect_that_interruptions_do_not_matter({LibraryCall::opendir}, run);
  expect_errors("list", {LibraryCall::readdir}, run);
}

TEST_P(EveryCall, of_a_change_of_names) {
  // File systems have two words for a directory that is not empty.
  calls_ = {LibraryCall::rename, LibraryCall::rmdir};
  error_number_ = EEXIST;
  const Run replace = on_path([this] { return rename("folder", "spare"); });
  EXPECT_TRUE(fails_with(replace(), IoFault::not_empty));
  const Run remove_folder = on_path([this] { return remove_directory("folder"); });
  EXPECT_TRUE(fails_with(remove_folder(), IoFault::not_empty));
  const auto but_not_that = [&](std::string_view operation, LibraryCall call, const Run& run) {
    for (const Way& way : ways) {
      if (way.error_number == EEXIST) continue;
      calls_ = {call};
      error_number_ = way.error_number;
      const IoResult<void> result = run();
      EXPECT_TRUE(fails_with(result, way.fault)) << operation << ' ' << way.error_number;
      if (!result) EXPECT_EQ(result.error().operation, operation);
    }
  };
  but_not_that("rename", LibraryCall::rename, on_path([this] { return rename("file", "other"); }));
  but_not_that("remove_directory", LibraryCall::rmdir, remove_folder);
  expect_errors("remove", {LibraryCall::unlink}, on_path([this] { return remove("file"); }));
  expect_errors("make_directory", {LibraryCall::mkdir},
                on_path([this] { return make_directory("new"); }));
  EXPECT_EQ(list("").value().size(), 3);
}

TEST_P(EveryCall, that_reads_or_writes_may_end_early) {
  const std::string text(3000, 'x');
  const FileHandle file = opened("long");
  FailingCalls calls;
  calls.bytes_max = 7;
  ASSERT_TRUE(succeeds(write(file, 5, text)));
  EXPECT_TRUE(read(file, 5, text.size() + 10).value() == text);
  EXPECT_TRUE(succeeds(read_in(file, 0, 3005)));
  EXPECT_EQ(file_size(file).value(), 3005);
  EXPECT_TRUE(succeeds(close(file)));
}

TEST_P(EveryCall, of_a_long_write_tells_what_is_in_the_file_when_there_is_no_space_for_the_rest) {
  const FileHandle file = opened("long");
  const std::vector<std::string> texts(600, std::string(10, 'x'));
  std::vector<ByteView> pieces;
  for (const std::string& text : texts) pieces.push_back(as_bytes(text));
  FailingCalls calls;
  calls.bytes_max = 10;
  calls.fail(LibraryCall::pwritev, ENOSPC, 1, 37);
  const auto result = write_pieces(file, 0, pieces);
  EXPECT_TRUE(fails_with(result, IoFault::no_space));
  EXPECT_EQ(result.error().done, 370);
  EXPECT_EQ(file_size(file).value(), 370);
  EXPECT_TRUE(succeeds(set_size(file, 0)));
  EXPECT_TRUE(succeeds(write_pieces(file, 0, pieces)));
  EXPECT_EQ(file_size(file).value(), 6000);
  EXPECT_TRUE(succeeds(close(file)));
}

INSTANTIATE_TEST_SUITE_P(Real, EveryCall, testing::ValuesIn(cases()), name_of_case);

}  // namespace
}  // namespace millrace
