#include "failing_calls.hpp"

#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <thread>

namespace millrace {
namespace {

std::atomic<FailingCalls*> in_effect = nullptr;

// Whether the call fails, with errno set.
[[nodiscard]] bool interrupted(FailingCalls& calls) {
  int left = calls.interruptions.load();
  while (left > 0 && !calls.interruptions.compare_exchange_weak(left, left - 1)) {
  }
  if (left > 0) errno = EINTR;
  return left > 0;
}

[[nodiscard]] bool fails(std::atomic<int>& error) {
  const int number = error.exchange(0);
  if (number != 0) errno = number;
  return number != 0;
}

}  // namespace

FailingCalls::FailingCalls() {
  in_effect = this;
}

FailingCalls::~FailingCalls() {
  in_effect = nullptr;
}

}  // namespace millrace

extern "C" {

ssize_t pwritev(int file, const iovec* pieces, int count, off_t position) {
  if (auto* calls = millrace::in_effect.load()) {
    ++calls->writes;
    if (millrace::interrupted(*calls) || millrace::fails(calls->write_error)) return -1;
    if (const int wait = calls->write_milliseconds; wait > 0) {
      std::this_thread::sleep_for(std::chrono::milliseconds(wait));
    }
    const std::size_t most = calls->bytes_max;
    if (count > 0 && pieces[0].iov_len > most) {
      return ::syscall(SYS_pwrite64, file, pieces[0].iov_base, most, position);
    }
    if (most != static_cast<std::size_t>(-1)) count = std::min(count, 1);
  }
  return ::syscall(SYS_pwritev, file, pieces, count, position, 0);
}

ssize_t pread(int file, void* buffer, std::size_t bytes, off_t position) {
  if (auto* calls = millrace::in_effect.load()) {
    if (millrace::interrupted(*calls)) return -1;
    bytes = std::min(bytes, calls->bytes_max.load());
  }
  return ::syscall(SYS_pread64, file, buffer, bytes, position);
}

int fdatasync(int file) {
  if (auto* calls = millrace::in_effect.load()) {
    ++calls->syncs;
    calls->sync_gate.pass();
    if (millrace::interrupted(*calls) || millrace::fails(calls->sync_error)) return -1;
  }
  return static_cast<int>(::syscall(SYS_fdatasync, file));
}

int sync_file_range(int file, off64_t position, off64_t bytes, unsigned flags) {
  if (auto* calls = millrace::in_effect.load()) {
    ++calls->write_backs;
    calls->write_back_gate.pass();
    if (millrace::interrupted(*calls) || millrace::fails(calls->write_back_error)) return -1;
  }
  return static_cast<int>(::syscall(SYS_sync_file_range, file, position, bytes, flags));
}

}  // extern "C"
