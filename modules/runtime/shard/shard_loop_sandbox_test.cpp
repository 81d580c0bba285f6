// Kernels and sandboxes that do not have all that the loop would like. Also proves shard_loop.cpp.
#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdlib>
#include <memory>

import millrace.runtime.shard;

namespace millrace {
namespace {

using namespace std::chrono_literals;

// From now on the system call fails with this errno, in this thread.
bool forbid(unsigned call, unsigned error_number) {
  std::array<sock_filter, 4> filter = {{
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error_number),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  }};
  const sock_fprog program{.len = filter.size(), .filter = filter.data()};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) == 0;
}

// In a process of its own, which has the filter for good.
int turn_without(unsigned call, unsigned error_number) {
  if (!forbid(call, error_number)) return 2;
  const SystemClock clock;
  const auto loop = ShardLoop::make(clock).value();
  const MonotonicTime until = clock.now() + 20ms;
  const auto sleep = [&]() -> Task<void> {
    co_await sleep_until(*loop, until);
    co_await yield(*loop);
  };
  loop->run(sleep());
  if (clock.now() < until) return 3;
  return loop->turns() < 20 ? 0 : 4;  // it slept, and did not try again and again
}

TEST(ShardLoopDeathTest, turns_where_waiting_in_nanoseconds_is_not_to_be_had) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  for (const int error_number : {ENOSYS, EPERM}) {
    EXPECT_EXIT(std::_Exit(turn_without(SYS_epoll_pwait2, static_cast<unsigned>(error_number))),
                testing::ExitedWithCode(0), "");
  }
}

int is_not_made_without(unsigned call) {
  if (!forbid(call, EMFILE)) return 2;
  const SystemClock clock;
  const auto made = ShardLoop::make(clock);
  return !made && made.error().kind == ErrorKind::io ? 0 : 1;
}

TEST(ShardLoopDeathTest, it_does_not_start_without_descriptors) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  for (const unsigned call : {unsigned{SYS_epoll_create1}, unsigned{SYS_eventfd2}}) {
    EXPECT_EXIT(std::_Exit(is_not_made_without(call)), testing::ExitedWithCode(0), "");
  }
}

}  // namespace
}  // namespace millrace
