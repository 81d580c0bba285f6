// System calls that fail, are interrupted, stop half way or wait, when a test says so. The program
// that links failing_calls.cpp has these in place of those of the C library and of liburing.
#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>

namespace millrace {

enum class LibraryCall : std::uint8_t {
  open,
  close,
  pread,
  preadv2,
  mincore,
  sendfile,
  pwritev,
  fdatasync,
  fsync,
  sync_file_range,
  ftruncate,
  fallocate,
  futimens,
  fcntl,
  fstat,
  stat,
  statvfs,
  rename,
  unlink,
  mkdir,
  rmdir,
  opendir,
  readdir,
  ring_submit,
  ring_completion,  // one operation of a ring
};
inline constexpr std::size_t call_count =
    static_cast<std::size_t>(LibraryCall::ring_completion) + 1;

// A door that holds callers up while it is closed.
class Gate {
 public:
  void close() {
    const std::lock_guard lock(mutex_);
    closed_ = true;
  }
  void open() {
    {
      const std::lock_guard lock(mutex_);
      closed_ = false;
    }
    changed_.notify_all();
  }
  void pass() {
    std::unique_lock lock(mutex_);
    ++arrived_;
    changed_.notify_all();
    changed_.wait(lock, [this] { return !closed_; });
  }
  // Until so many have come to it, since the start of the test.
  void wait_for(std::size_t callers) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return arrived_ >= callers; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool closed_ = false;
  std::size_t arrived_ = 0;
};

// What the next calls do; everything is as usual after the end of this object. One at a time.
class FailingCalls {
 public:
  FailingCalls();
  ~FailingCalls();
  FailingCalls(const FailingCalls&) = delete;
  FailingCalls& operator=(const FailingCalls&) = delete;

  // The next calls of this kind fail with this errno, or those after the next `after`.
  void fail(LibraryCall call, int error_number, int times = 1, int after = 0);
  // How many failures have not been seen yet.
  [[nodiscard]] int left(LibraryCall call) { return state(call).failures; }
  [[nodiscard]] std::size_t count(LibraryCall call) { return state(call).calls; }
  // Calls of this kind pass through it. Not for completions.
  [[nodiscard]] Gate& gate(LibraryCall call) { return state(call).gate; }

  // Reads and writes end after so many bytes.
  std::atomic<std::size_t> bytes_max = static_cast<std::size_t>(-1);
  // Writes sleep so long.
  std::atomic<int> write_milliseconds = 0;

  // For the calls. Whether this one fails, with errno set.
  [[nodiscard]] bool fails(LibraryCall call);

 private:
  struct State {
    std::atomic<int> failures = 0;
    std::atomic<int> before = 0;
    std::atomic<int> error_number = 0;
    std::atomic<std::size_t> calls = 0;
    Gate gate;
  };
  [[nodiscard]] State& state(LibraryCall call) { return states_[static_cast<std::size_t>(call)]; }

  std::array<State, call_count> states_;
};

}  // namespace millrace
