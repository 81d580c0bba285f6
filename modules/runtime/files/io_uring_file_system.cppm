// Files through io_uring, the kernel's own queue of operations.
module;
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <memory>

export module millrace.runtime.files:io_uring_file_system;

import millrace.base;
import millrace.runtime;
import :file_pool;
import :operation_queue;
import :posix_file_system;

export namespace millrace {

// Whether the kernel lets this process use io_uring with all that is needed here; the error says
// what is missing.
[[nodiscard]] Result<void> probe_io_uring();

// One for each shard, with a ring of its own; loop and pool outlive it. Reads and syncs go through
// the ring: what waits for a disk holds no thread of ours. Operations are submitted together, once
// in a turn of the loop. The rest goes to the pool: the kernel would use threads of its own for it,
// and buffered writes also tell there how long they really took.
class IoUringFileSystem final : public PosixFileSystem {
 public:
  // Fails like probe_io_uring(), or when the process runs out of descriptors or memory.
  [[nodiscard]] static Result<std::unique_ptr<IoUringFileSystem>> make(
      EventLoop& loop, FilePool& pool, const FileSystemOptions& options = {});
  ~IoUringFileSystem() override;

 private:
  friend Result<void> probe_io_uring();
  struct Ring;
  class Retry;

  IoUringFileSystem(EventLoop& loop, FilePool& pool, const FileSystemOptions& options,
                    std::unique_ptr<Ring> ring);

  void carry_out(IoOperation& operation, Reason reason) override;
  void enqueue(IoOperation& operation);
  // False if the kernel takes no more now.
  [[nodiscard]] bool prepare(IoOperation& operation);
  // What the kernel does not take now is tried again a little later.
  void submit();
  // Takes what has ended and prepares what waits.
  void turn();
  // Whether the operation has its result; else it waits for the rest.
  [[nodiscard]] bool completed(IoOperation& operation, int result);

  std::unique_ptr<Ring> ring_;
  std::size_t in_ring_max_;
  std::size_t in_ring_ = 0;
  files::OperationQueue waiting_;
  RecurringCallback submit_soon_;
};

}  // namespace millrace
