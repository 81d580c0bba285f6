#include <gtest/gtest.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <array>
#include <cerrno>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <iterator>
#include <memory>
#include <span>
#include <string>
#include <vector>

// These import modules: they come after all that includes standard headers.
#include "child_process.hpp"
#include "failing_calls.hpp"
#include "test_support.hpp"

namespace millrace {
namespace {

// As container runtimes do it: this system call fails from now on.
[[nodiscard]] bool forbid(unsigned system_call, unsigned error_number) {
  std::array program = {
      sock_filter BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      sock_filter BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, system_call, 0, 1),
      sock_filter BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error_number),
      sock_filter BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog filter{program.size(), program.data()};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

[[nodiscard]] int choose_where_it_is_forbidden(unsigned system_call, unsigned error_number,
                                               const std::string& expected) {
  if (!forbid(system_call, error_number)) return child_not_permitted;
  const auto choice = choose_file_system(FileSystemSetting::automatic);
  if (!choice || choice->kind != FileSystemKind::thread_pool) return child_fails("no pool");
  if (choice->reason.find(expected) == std::string::npos) {
    return child_fails(choice->reason.c_str());
  }
  if (choose_file_system(FileSystemSetting::io_uring)) return child_fails("it was chosen");
  return child_succeeded;
}

class IoUring : public testing::Test {
 protected:
  void SetUp() override {
    if (const auto probed = probe_io_uring(); !probed) GTEST_SKIP() << probed.error().message;
  }
  void start(FileSystemOptions options) {
    real_ = std::make_unique<RealFiles>(
        RealFilesSetup{.kind = FileSystemKind::io_uring, .options = options});
  }
  // Reads a byte at each of so many positions, at the same time.
  void read_many(std::size_t count) {
    const auto test = [&]() -> Task<void> {
      const std::string path = directory_.path("file");
      const auto file = (co_await real_->files().open(path, OpenMode::create)).value();
      const std::string text(count, 'x');
      const ByteView piece = as_bytes(text);
      EXPECT_TRUE(co_await real_->files().write(file, 0, std::span(&piece, 1)));
      std::size_t right = 0;
      const auto one = [&](std::uint64_t at) -> Task<void> {
        std::byte byte{};
        const auto read = co_await real_->files().read(file, at, MutableBytes(&byte, 1));
        if (read && *read == 1 && byte == std::byte{'x'}) ++right;
      };
      TaskGroup group;
      for (std::size_t i = 0; i < count; ++i) group.start(one(i));
      co_await group.wait();
      EXPECT_EQ(right, count);
      EXPECT_TRUE(co_await real_->files().close(file));
    };
    real_->loop().run(test());
  }

  TemporaryDirectory directory_;
  std::unique_ptr<RealFiles> real_;
};

TEST_F(IoUring, is_not_chosen_where_a_ring_may_not_be_made) {
  const auto child = [] {
    return choose_where_it_is_forbidden(SYS_io_uring_setup, EPERM, "io_uring_setup: Operation");
  };
  EXPECT_EQ(run_in_child(child), child_succeeded);
}

TEST_F(IoUring, is_not_chosen_where_a_ring_may_not_be_used) {
  const auto child = [] {
    return choose_where_it_is_forbidden(SYS_io_uring_enter, ENOSYS, "io_uring_enter: Function");
  };
  EXPECT_EQ(run_in_child(child), child_succeeded);
}

TEST_F(IoUring, is_not_chosen_where_its_end_cannot_be_waited_for) {
  const auto child = [] {
    return choose_where_it_is_forbidden(SYS_io_uring_register, EACCES, "io_uring");
  };
  EXPECT_EQ(run_in_child(child), child_succeeded);
}

TEST_F(IoUring, takes_more_operations_than_one_submission_or_the_ring_holds) {
  start(nothing_in_place());
  read_many(3000);
  EXPECT_EQ(real_->files().counters().to_ring, 3000);
}

TEST_F(IoUring, submits_the_operations_of_a_turn_together) {
  start(nothing_in_place());
  FailingCalls calls;
  read_many(100);
  EXPECT_LT(calls.count(LibraryCall::ring_submit), 10);
}

TEST_F(IoUring, submits_again_when_the_kernel_takes_nothing_for_a_while) {
  for (const int error : {EAGAIN, EBUSY, ENOMEM, EINTR}) {
    start(nothing_in_place());
    FailingCalls calls;
    calls.fail(LibraryCall::ring_submit, error, 5);
    read_many(1000);
    EXPECT_EQ(calls.left(LibraryCall::ring_submit), 0) << error;
  }
}

TEST_F(IoUring, reads_again_what_was_interrupted) {
  for (const int error : {EINTR, EAGAIN}) {
    start(nothing_in_place());
    FailingCalls calls;
    calls.fail(LibraryCall::ring_completion, error, 50);
    read_many(100);
    EXPECT_EQ(calls.left(LibraryCall::ring_completion), 0);
  }
}

TEST_F(IoUring, refuses_a_ring_that_is_larger_than_the_kernel_makes_one) {
  SystemClock clock;
  const auto pool = FilePool::start(clock).value();
  const auto loop = ShardLoop::make(clock).value();
  FileSystemOptions options;
  options.ring_operations_max = 1U << 20;
  const auto refused = make_file_system(FileSystemKind::io_uring, *loop, *pool, options);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::limit_exceeded);
}

TEST_F(IoUring, gives_back_what_it_took_from_the_process) {
  const auto descriptors = [] {
    return std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {});
  };
  const auto before = descriptors();
  for (int i = 0; i < 5; ++i) {
    start(nothing_in_place());
    read_many(10);
    real_.reset();
  }
  EXPECT_EQ(descriptors(), before);
}

}  // namespace
}  // namespace millrace
