#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <span>
#include <string>
#include <string_view>
#include <vector>

// These import modules: they come after all that includes standard headers.
#include "child_process.hpp"
#include "failing_calls.hpp"
#include "test_support.hpp"

namespace millrace {
namespace {

// Operations are carried out here without one.
class NoFileSystem final : public FileSystem {
 public:
  bool start(IoOperation& /*operation*/) override { return true; }
  int descriptor(FileHandle /*file*/) const override { return -1; }
};

struct Operation : IoOperation {
  Operation(FileSystem& system, IoKind kind, int descriptor) : IoOperation(system, kind) {
    hold_.descriptor = descriptor;
  }
  Operation& perform() {
    files::perform(*this);
    return *this;
  }
};

class SystemCalls : public testing::Test {
 protected:
  SystemCalls() {
    descriptor_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    check(descriptor_ >= 0, "a test can open a file");
  }
  ~SystemCalls() override { ::close(descriptor_); }

  [[nodiscard]] std::string contents() const {
    std::ifstream file(path_, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  [[nodiscard]] Operation operation(IoKind kind) { return {files_, kind, descriptor_}; }

  NoFileSystem files_;
  TemporaryDirectory directory_;
  std::string path_ = directory_.path("file");
  int descriptor_ = -1;
};

TEST(Gather, gives_the_pieces_that_are_left) {
  const std::array pieces = {as_bytes("one"), ByteView{}, as_bytes("two"), as_bytes("three")};
  const auto gathered = [&](std::size_t done, std::size_t room) {
    std::vector<iovec> vectors(room);
    const std::size_t count = files::gather(pieces, done, vectors);
    std::string text;
    for (const iovec& vector : std::span(vectors).first(count)) {
      text += std::string(static_cast<const char*>(vector.iov_base), vector.iov_len) + '|';
    }
    return text;
  };
  EXPECT_EQ(gathered(0, 4), "one|two|three|");
  EXPECT_EQ(gathered(2, 4), "e|two|three|");
  EXPECT_EQ(gathered(3, 4), "two|three|");
  EXPECT_EQ(gathered(10, 4), "e|");
  EXPECT_EQ(gathered(11, 4), "");
  EXPECT_EQ(gathered(1, 2), "ne|two|");
}

TEST_F(SystemCalls, a_write_goes_on_after_interruptions_and_short_writes) {
  FailingCalls calls;
  calls.fail(LibraryCall::pwritev, EINTR, 3);
  calls.bytes_max = 4;
  const std::array pieces = {as_bytes("hello, "), as_bytes("w"), as_bytes("orld")};
  auto write = operation(IoKind::write);
  write.pieces_ = pieces;
  write.position_ = 2;
  EXPECT_FALSE(write.perform().failed_);
  EXPECT_EQ(contents(), std::string("\0\0hello, world", 14));
  EXPECT_EQ(write.hold_.done, 12);
  EXPECT_EQ(calls.left(LibraryCall::pwritev), 0);
}

TEST_F(SystemCalls, a_read_goes_on_after_interruptions_and_short_reads) {
  const std::string text = "some text in a file";
  ASSERT_EQ(::write(descriptor_, text.data(), text.size()), static_cast<ssize_t>(text.size()));
  FailingCalls calls;
  calls.fail(LibraryCall::pread, EINTR, 2);
  calls.bytes_max = 3;
  std::string back(100, '?');
  auto read = operation(IoKind::read);
  read.buffer_ = {reinterpret_cast<std::byte*>(back.data()), back.size()};
  read.position_ = 5;
  EXPECT_FALSE(read.perform().failed_);
  EXPECT_EQ(read.value_, text.size() - 5);
  EXPECT_EQ(back.substr(0, text.size() - 5), text.substr(5));
}

TEST_F(SystemCalls, a_failed_write_tells_how_much_of_it_is_in_the_file) {
  FailingCalls calls;
  calls.bytes_max = 4;
  const std::array pieces = {as_bytes("hello, world")};
  auto write = operation(IoKind::write);
  write.pieces_ = pieces;
  write.hold_.done = 4;  // as if the first call had been short
  calls.fail(LibraryCall::pwritev, ENOSPC);
  EXPECT_TRUE(write.perform().failed_);
  EXPECT_EQ(write.error_.fault, IoFault::no_space);
  EXPECT_EQ(write.error_.number, ENOSPC);
  EXPECT_EQ(write.error_.done, 4);
  EXPECT_STREQ(write.error_.operation, "write");
}

TEST_F(SystemCalls, a_failed_sync_is_not_called_again) {
  for (const int error : {EIO, EINTR, EAGAIN}) {
    FailingCalls calls;
    calls.fail(LibraryCall::fdatasync, error);
    auto sync = operation(IoKind::sync_data);
    EXPECT_TRUE(sync.perform().failed_);
    EXPECT_EQ(sync.error_.fault, IoFault::failed);
    EXPECT_EQ(calls.count(LibraryCall::fdatasync), 1);
  }
}

TEST_F(SystemCalls, a_sync_without_space_has_lost_bytes) {
  for (const int error : {ENOSPC, EDQUOT, EFBIG}) {
    FailingCalls calls;
    calls.fail(LibraryCall::fdatasync, error);
    auto sync = operation(IoKind::sync_data);
    EXPECT_TRUE(sync.perform().failed_);
    EXPECT_EQ(sync.error_.fault, IoFault::failed) << error;
    EXPECT_EQ(sync.error_.number, error);
  }
}

TEST_F(SystemCalls, write_back_begins_one_range_and_waits_for_another) {
  FailingCalls calls;
  files::WriteBackOperation write_back(files_);
  write_back.hold_.descriptor = descriptor_;
  write_back.begin = {100, 50};
  files::perform(write_back);
  EXPECT_FALSE(write_back.failed_);
  EXPECT_EQ(calls.count(LibraryCall::sync_file_range), 1);
  write_back.finish_before = {0, 100};
  files::perform(write_back);
  EXPECT_FALSE(write_back.failed_);
  EXPECT_EQ(calls.count(LibraryCall::sync_file_range), 3);
}

TEST_F(SystemCalls, a_file_system_that_cannot_write_back_early_is_no_failure) {
  for (const int error : {ENOSYS, ESPIPE}) {
    FailingCalls calls;
    calls.fail(LibraryCall::sync_file_range, error);
    files::WriteBackOperation write_back(files_);
    write_back.hold_.descriptor = descriptor_;
    write_back.begin = {0, 50};
    files::perform(write_back);
    EXPECT_FALSE(write_back.failed_);
  }
}

TEST_F(SystemCalls, a_failed_write_back_tells_its_error) {
  FailingCalls calls;
  calls.fail(LibraryCall::sync_file_range, EIO);
  files::WriteBackOperation write_back(files_);
  write_back.hold_.descriptor = descriptor_;
  write_back.begin = {0, 50};
  files::perform(write_back);
  EXPECT_TRUE(write_back.failed_);
  EXPECT_EQ(write_back.error_.number, EIO);
}

TEST_F(SystemCalls, a_path_with_a_zero_in_it_is_invalid) {
  auto status = operation(IoKind::status);
  status.path_ = std::string_view("/tmp\0/x", 7);
  EXPECT_TRUE(status.perform().failed_);
  EXPECT_EQ(status.error_.fault, IoFault::invalid);
  auto rename = operation(IoKind::rename);
  rename.path_ = path_;
  rename.second_path_ = std::string_view("/tmp\0/x", 7);
  EXPECT_TRUE(rename.perform().failed_);
  EXPECT_EQ(rename.error_.fault, IoFault::invalid);
  EXPECT_TRUE(std::filesystem::exists(path_));
}

TEST_F(SystemCalls, a_path_that_no_system_takes_is_invalid) {
  const std::string long_path(100'000, '/');
  auto status = operation(IoKind::status);
  status.path_ = long_path;
  EXPECT_TRUE(status.perform().failed_);
  EXPECT_EQ(status.error_.number, ENAMETOOLONG);
  EXPECT_EQ(status.error_.fault, IoFault::invalid);
}

TEST_F(SystemCalls, a_list_is_sorted_and_tells_other_kinds) {
  ASSERT_EQ(::mkfifo(directory_.path("a-pipe").c_str(), 0600), 0);
  std::filesystem::create_symlink(path_, directory_.path("z-link"));
  std::filesystem::create_directory(directory_.path("b-folder"));
  auto list = operation(IoKind::list);
  list.path_ = directory_.path();
  EXPECT_FALSE(list.perform().failed_);
  std::string seen;
  for (const DirectoryEntry& entry : list.entries_) {
    seen += entry.name + ':' + std::to_string(static_cast<int>(entry.kind)) + ' ';
  }
  EXPECT_EQ(seen, "a-pipe:2 b-folder:1 file:0 z-link:2 ");
}

TEST_F(SystemCalls, new_files_and_directories_are_not_for_everybody_and_not_for_children) {
  const mode_t before = ::umask(0);
  auto open = operation(IoKind::open);
  const std::string name = directory_.path("new");
  open.path_ = name;
  open.mode_ = OpenMode::create_new;
  EXPECT_FALSE(open.perform().failed_);
  auto make = operation(IoKind::make_directory);
  const std::string folder = directory_.path("folder");
  make.path_ = folder;
  EXPECT_FALSE(make.perform().failed_);
  ::umask(before);
  struct stat status{};
  ASSERT_EQ(::stat(name.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0640);
  ASSERT_EQ(::stat(folder.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0750);
  EXPECT_NE(::fcntl(open.hold_.descriptor, F_GETFD) & FD_CLOEXEC, 0);
  ::close(open.hold_.descriptor);
}

TEST_F(SystemCalls, a_thread_that_sleeps_knows_it) {
  const std::uint64_t before = files::times_asleep();
  ::usleep(1000);
  EXPECT_GT(files::times_asleep(), before);
}

// The system takes a part of the write and refuses the rest.
int write_past_the_limit(const std::string& path) {
  std::signal(SIGXFSZ, SIG_IGN);
  const rlimit limit{10'000, 10'000};
  if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) return child_fails("setrlimit");
  const int file = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
  NoFileSystem none;
  const std::string text(16'384, 'x');
  const std::array pieces = {as_bytes(text)};
  Operation write(none, IoKind::write, file);
  write.pieces_ = pieces;
  if (!write.perform().failed_) return child_fails("the write succeeded");
  if (write.error_.number != EFBIG) return child_fails("not EFBIG");
  if (write.error_.fault != IoFault::no_space) return child_fails("not a lack of space");
  return write.error_.done == 10'000 ? child_succeeded : child_fails("not the bytes written");
}

TEST_F(SystemCalls, a_write_across_the_limit_of_file_sizes_is_done_in_part) {
  EXPECT_EQ(run_in_child([this] { return write_past_the_limit(path_); }), child_succeeded);
  EXPECT_EQ(contents().size(), 10'000);
}

// What other programs do, Java's FileChannel among them: a lock of the process over all bytes.
[[nodiscard]] int lock_as_others_do(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
  struct flock lock{};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  return ::fcntl(file, F_SETLK, &lock);
}

// Of what is not, nothing is read: not even so that the next look finds it.
TEST_F(SystemCalls, what_is_in_memory_in_part_only_is_not_taken_for_there) {
  struct statfs status{};
  ASSERT_EQ(::fstatfs(descriptor_, &status), 0);
  if (status.f_type == tmpfs_magic) GTEST_SKIP() << "all files of this file system are in memory";
  const std::string text(mebibyte, 'x');
  const ByteView piece = as_bytes(text);
  Operation write = operation(IoKind::write);
  write.pieces_ = std::span(&piece, 1);
  ASSERT_FALSE(write.perform().failed_);
  const auto is_cached = [&](std::uint64_t position, std::uint64_t length) {
    Operation read = operation(IoKind::read_in);
    read.position_ = position;
    read.length_ = length;
    return files::is_cached(read);
  };
  EXPECT_TRUE(is_cached(0, mebibyte));
  EXPECT_TRUE(is_cached(4'097, mebibyte - 4'097));
  EXPECT_TRUE(is_cached(7, 0));
  ASSERT_EQ(::fdatasync(descriptor_), 0);
  ASSERT_EQ(::posix_fadvise(descriptor_, 0, 0, POSIX_FADV_DONTNEED), 0);
  ASSERT_EQ(::posix_fadvise(descriptor_, 0, 0, POSIX_FADV_RANDOM), 0);
  for (std::size_t at = 0; at <= mebibyte; at += 128 * kibibyte) {
    for (int i = 0; i < 3; ++i) EXPECT_FALSE(is_cached(0, mebibyte)) << at;
    const std::size_t looked_at = std::min<std::size_t>(at, mebibyte - 1);
    char byte{};
    ASSERT_EQ(::pread(descriptor_, &byte, 1, static_cast<off_t>(looked_at)), 1);
    EXPECT_TRUE(is_cached(looked_at, 1));
  }
  EXPECT_FALSE(is_cached(0, mebibyte)) << "what lies between";
  Operation read = operation(IoKind::read_in);
  read.length_ = mebibyte;
  ASSERT_FALSE(read.perform().failed_);
  EXPECT_TRUE(is_cached(0, mebibyte));
}

TEST_F(SystemCalls, a_lock_keeps_out_programs_that_lock_their_process) {
  ASSERT_FALSE(operation(IoKind::lock).perform().failed_);
  const auto other = [this] {
    if (lock_as_others_do(path_) == 0) return child_fails("it has the lock too");
    return errno == EAGAIN || errno == EACCES ? child_succeeded : child_fails("not locked");
  };
  EXPECT_EQ(run_in_child(other), child_succeeded);
  ::close(std::exchange(descriptor_, ::open(path_.c_str(), O_RDWR | O_CLOEXEC)));
  const auto other_again = [this] {
    return lock_as_others_do(path_) == 0 ? child_succeeded : child_fails("the lock stayed");
  };
  EXPECT_EQ(run_in_child(other_again), child_succeeded);
}

TEST_F(SystemCalls, programs_that_lock_their_process_keep_a_lock_out) {
  ASSERT_EQ(lock_as_others_do(path_), 0);
  const auto ours = [this] {
    NoFileSystem none;
    Operation lock(none, IoKind::lock, ::open(path_.c_str(), O_RDWR | O_CLOEXEC));
    if (!lock.perform().failed_) return child_fails("it has the lock too");
    return lock.error_.fault == IoFault::locked ? child_succeeded : child_fails("not locked");
  };
  EXPECT_EQ(run_in_child(ours), child_succeeded);
}

TEST_F(SystemCalls, two_of_our_processes_keep_each_other_out) {
  ASSERT_FALSE(operation(IoKind::lock).perform().failed_);
  const auto ours = [this] {
    NoFileSystem none;
    Operation lock(none, IoKind::lock, ::open(path_.c_str(), O_RDWR | O_CLOEXEC));
    if (!lock.perform().failed_) return child_fails("it has the lock too");
    return lock.error_.fault == IoFault::locked ? child_succeeded : child_fails("not locked");
  };
  EXPECT_EQ(run_in_child(ours), child_succeeded);
}

}  // namespace
}  // namespace millrace
