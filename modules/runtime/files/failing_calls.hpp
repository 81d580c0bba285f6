// System calls that fail, are interrupted, stop half way or wait, when a test says so. The program
// that links failing_calls.cpp has these in place of the C library's.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <mutex>

namespace millrace {

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

  // So many calls fail with EINTR first.
  std::atomic<int> interruptions = 0;
  // Reads and writes end after so many bytes.
  std::atomic<std::size_t> bytes_max = static_cast<std::size_t>(-1);
  // These errors, each once.
  std::atomic<int> write_error = 0;
  std::atomic<int> sync_error = 0;
  std::atomic<int> write_back_error = 0;
  // Writes sleep so long.
  std::atomic<int> write_milliseconds = 0;
  // Syncs and write-backs wait here.
  Gate sync_gate;
  Gate write_back_gate;

  std::atomic<std::size_t> writes = 0;
  std::atomic<std::size_t> syncs = 0;
  std::atomic<std::size_t> write_backs = 0;
};

}  // namespace millrace
