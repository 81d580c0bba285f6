// Large appends are sent to the disk early, so that dirty pages never pile up until the kernel
// makes writers wait for the disk.
module;
#include <algorithm>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <span>

export module millrace.runtime.files:write_back;

import millrace.base;
import millrace.runtime;
import :system_calls;

export namespace millrace::files {

// What was written to one open file and is not on its way to the disk. At most one write-back of a
// file runs at a time: it begins the newest range and waits for the range before it, so that at
// most two ranges of a file are on their way. Belongs to the open file.
class WriteBack {
 public:
  void wrote(std::uint64_t position, std::size_t bytes) {
    if (waiting_bytes_ == 0) {
      begin_ = position;
      end_ = position;
    }
    waiting_bytes_ += bytes;
    begin_ = std::min(begin_, position);
    end_ = std::max(end_, position + bytes);
  }

  // Bytes that wait for a write-back to begin: many, when the disk does not keep up.
  [[nodiscard]] std::uint64_t waiting_bytes() const { return waiting_bytes_; }
  [[nodiscard]] bool running() const { return running_; }

  // The write-back begins.
  void begin(WriteBackOperation& operation) {
    check(!running_, "one write-back of a file runs at a time");
    operation.begin = {begin_, end_ - begin_};
    operation.finish_before = on_the_way_;
    on_the_way_ = operation.begin;
    waiting_bytes_ = 0;
    running_ = true;
  }
  void ended() { running_ = false; }
  // A sync begins: it sends everything to the disk.
  void left_to_sync() {
    waiting_bytes_ = 0;
    on_the_way_ = {};
  }

 private:
  std::uint64_t begin_ = 0;
  std::uint64_t end_ = 0;
  std::uint64_t waiting_bytes_ = 0;
  ByteRange on_the_way_;
  bool running_ = false;
};

}  // namespace millrace::files
