// Files by blocking system calls on the threads of a pool: for kernels and containers that forbid
// io_uring.
module;
#include <coroutine>

export module millrace.runtime.files:thread_pool_file_system;

import millrace.base;
import millrace.runtime;
import :file_pool;
import :posix_file_system;

export namespace millrace {

// One for each shard; loop and pool outlive it.
class ThreadPoolFileSystem final : public PosixFileSystem {
 public:
  ThreadPoolFileSystem(EventLoop& loop, FilePool& pool, const FileSystemOptions& options = {})
      : PosixFileSystem(loop, pool, options) {}

 private:
  void carry_out(IoOperation& operation, Reason /*reason*/) override {
    carry_out_in_pool(operation);
  }
};

}  // namespace millrace
