#include "failing_calls.hpp"

#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <liburing.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdarg>
#include <cstddef>
#include <thread>

namespace millrace {
namespace {

std::atomic<FailingCalls*> in_effect = nullptr;

[[nodiscard]] bool fails(LibraryCall call) {
  FailingCalls* calls = in_effect.load();
  return calls != nullptr && calls->fails(call);
}

[[nodiscard]] std::size_t bytes_max() {
  FailingCalls* calls = in_effect.load();
  return calls == nullptr ? static_cast<std::size_t>(-1) : calls->bytes_max.load();
}

// The function that the program would have without this file.
template <class Function>
[[nodiscard]] Function* real(Function* /*ours*/, const char* name) {
  return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

}  // namespace

FailingCalls::FailingCalls() {
  in_effect = this;
}

FailingCalls::~FailingCalls() {
  in_effect = nullptr;
}

void FailingCalls::fail(LibraryCall call, int error_number, int times, int after) {
  state(call).before = after;
  state(call).error_number = error_number;
  state(call).failures = times;
}

bool FailingCalls::fails(LibraryCall call) {
  State& of_call = state(call);
  ++of_call.calls;
  if (call != LibraryCall::ring_completion) of_call.gate.pass();
  if (of_call.before.load() > 0) {
    --of_call.before;
    return false;
  }
  int left = of_call.failures.load();
  while (left > 0 && !of_call.failures.compare_exchange_weak(left, left - 1)) {
  }
  if (left > 0) errno = of_call.error_number;
  return left > 0;
}

}  // namespace millrace

extern "C" {

using millrace::LibraryCall;

int open(const char* path, int flags, ...) {
  if (millrace::fails(LibraryCall::open)) return -1;
  va_list more;
  va_start(more, flags);
  const mode_t mode = (flags & O_CREAT) != 0 ? va_arg(more, mode_t) : 0;
  va_end(more);
  return static_cast<int>(::syscall(SYS_openat, AT_FDCWD, path, flags, mode));
}

// A close that fails has closed all the same.
int close(int file) {
  const auto result = static_cast<int>(::syscall(SYS_close, file));
  return millrace::fails(LibraryCall::close) ? -1 : result;
}

ssize_t pread(int file, void* buffer, std::size_t bytes, off_t position) {
  if (millrace::fails(LibraryCall::pread)) return -1;
  return ::syscall(SYS_pread64, file, buffer, std::min(bytes, millrace::bytes_max()), position);
}

ssize_t preadv2(int file, const iovec* pieces, int count, off_t position, int flags) {
  if (millrace::fails(LibraryCall::preadv2)) return -1;
  if (count != 1) return ::syscall(SYS_preadv2, file, pieces, count, position, 0, flags);
  const iovec piece{pieces->iov_base, std::min(pieces->iov_len, millrace::bytes_max())};
  return ::syscall(SYS_preadv2, file, &piece, 1, position, 0, flags);
}

int mincore(void* begin, std::size_t bytes, unsigned char* pages) noexcept {
  if (millrace::fails(LibraryCall::mincore)) return -1;
  return static_cast<int>(::syscall(SYS_mincore, begin, bytes, pages));
}

ssize_t sendfile(int to, int file, off_t* position, std::size_t bytes) noexcept {
  if (millrace::fails(LibraryCall::sendfile)) return -1;
  return ::syscall(SYS_sendfile, to, file, position, std::min(bytes, millrace::bytes_max()));
}

ssize_t pwritev(int file, const iovec* pieces, int count, off_t position) {
  if (millrace::fails(LibraryCall::pwritev)) return -1;
  if (auto* calls = millrace::in_effect.load()) {
    if (const int wait = calls->write_milliseconds; wait > 0) {
      std::this_thread::sleep_for(std::chrono::milliseconds(wait));
    }
  }
  const std::size_t most = millrace::bytes_max();
  if (count > 0 && most != static_cast<std::size_t>(-1)) {
    const std::size_t bytes = std::min(pieces[0].iov_len, most);
    return ::syscall(SYS_pwrite64, file, pieces[0].iov_base, bytes, position);
  }
  return ::syscall(SYS_pwritev, file, pieces, count, position, 0);
}

int fdatasync(int file) {
  if (millrace::fails(LibraryCall::fdatasync)) return -1;
  return static_cast<int>(::syscall(SYS_fdatasync, file));
}

int fsync(int file) {
  if (millrace::fails(LibraryCall::fsync)) return -1;
  return static_cast<int>(::syscall(SYS_fsync, file));
}

int sync_file_range(int file, off64_t position, off64_t bytes, unsigned flags) {
  if (millrace::fails(LibraryCall::sync_file_range)) return -1;
  return static_cast<int>(::syscall(SYS_sync_file_range, file, position, bytes, flags));
}

int ftruncate(int file, off_t size) noexcept {
  if (millrace::fails(LibraryCall::ftruncate)) return -1;
  return static_cast<int>(::syscall(SYS_ftruncate, file, size));
}

int fallocate(int file, int mode, off_t position, off_t length) {
  if (millrace::fails(LibraryCall::fallocate)) return -1;
  return static_cast<int>(::syscall(SYS_fallocate, file, mode, position, length));
}

int futimens(int file, const timespec times[2]) noexcept {
  if (millrace::fails(LibraryCall::futimens)) return -1;
  return static_cast<int>(::syscall(SYS_utimensat, file, nullptr, times, 0));
}

int fcntl(int file, int command, ...) {
  va_list more;
  va_start(more, command);
  void* const argument = va_arg(more, void*);
  va_end(more);
  if (millrace::fails(LibraryCall::fcntl)) return -1;
  return static_cast<int>(::syscall(SYS_fcntl, file, command, argument));
}

int fstat(int file, struct stat* status) noexcept {
  if (millrace::fails(LibraryCall::fstat)) return -1;
  return static_cast<int>(::syscall(SYS_fstat, file, status));
}

int stat(const char* path, struct stat* status) noexcept {
  if (millrace::fails(LibraryCall::stat)) return -1;
  return static_cast<int>(::syscall(SYS_newfstatat, AT_FDCWD, path, status, 0));
}

int statvfs(const char* path, struct statvfs* status) noexcept {
  if (millrace::fails(LibraryCall::statvfs)) return -1;
  return millrace::real(&statvfs, "statvfs")(path, status);
}

int rename(const char* from, const char* to) noexcept {
  if (millrace::fails(LibraryCall::rename)) return -1;
  return static_cast<int>(::syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0));
}

int unlink(const char* path) noexcept {
  if (millrace::fails(LibraryCall::unlink)) return -1;
  return static_cast<int>(::syscall(SYS_unlinkat, AT_FDCWD, path, 0));
}

int mkdir(const char* path, mode_t mode) noexcept {
  if (millrace::fails(LibraryCall::mkdir)) return -1;
  return static_cast<int>(::syscall(SYS_mkdirat, AT_FDCWD, path, mode));
}

int rmdir(const char* path) noexcept {
  if (millrace::fails(LibraryCall::rmdir)) return -1;
  return static_cast<int>(::syscall(SYS_unlinkat, AT_FDCWD, path, AT_REMOVEDIR));
}

DIR* opendir(const char* path) {
  return millrace::fails(LibraryCall::opendir) ? nullptr
                                               : millrace::real(&opendir, "opendir")(path);
}

dirent* readdir(DIR* directory) {
  return millrace::fails(LibraryCall::readdir) ? nullptr
                                               : millrace::real(&readdir, "readdir")(directory);
}

int io_uring_submit(io_uring* ring) {
  if (millrace::fails(LibraryCall::ring_submit)) return -errno;
  return millrace::real(&io_uring_submit, "io_uring_submit")(ring);
}

// Changes what the kernel says of operations that it has carried out.
unsigned io_uring_peek_batch_cqe(io_uring* ring, io_uring_cqe** entries, unsigned most) {
  const unsigned count =
      millrace::real(&io_uring_peek_batch_cqe, "io_uring_peek_batch_cqe")(ring, entries, most);
  for (unsigned i = 0; i < count; ++i) {
    int& result = entries[i]->res;
    if (millrace::fails(LibraryCall::ring_completion)) {
      result = -errno;
    } else if (result > 0 && static_cast<std::size_t>(result) > millrace::bytes_max()) {
      result = static_cast<int>(millrace::bytes_max());
    }
  }
  return count;
}

}  // extern "C"
