// The operations of FileSystem as system calls. What is awkward about these calls ends here:
// interruptions, short writes, their limit of pieces, the many meanings of an errno.
module;
#include <sys/uio.h>

#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <span>

export module millrace.runtime.files:system_calls;

import millrace.base;
import millrace.runtime;

export namespace millrace::files {

inline constexpr unsigned file_mode = 0640;
inline constexpr unsigned directory_mode = 0750;

// Pieces that one system call takes; Linux allows 1024. They lie on the stack of the caller.
inline constexpr std::size_t pieces_per_call = 256;

// Bytes of a file.
struct ByteRange {
  std::uint64_t position = 0;
  std::uint64_t length = 0;
};

// The one kind of operation that is ours alone: sends a range of a file on its way to the disk, and
// waits until an earlier one has arrived.
inline constexpr IoKind write_back_kind{io_kinds};
struct WriteBackOperation : IoOperation {
  explicit WriteBackOperation(FileSystem& system) : IoOperation(system, write_back_kind) {}
  ByteRange begin;
  ByteRange finish_before;
};

[[nodiscard]] std::size_t total_size(std::span<const ByteView> pieces);

// The result of the operation is this error.
void fail(IoOperation& operation, int error_number);
// The same when a call to sync has failed: the kernel forgets the pages that it could not write, so
// bytes are lost whatever the errno is, also when only space was missing or a signal came. Calling
// again would succeed and tell nothing.
void fail_sync(IoOperation& operation, int error_number);

// As many pieces as fit into `vectors`, without their first `done` bytes. Returns their number.
[[nodiscard]] std::size_t gather(std::span<const ByteView> pieces, std::size_t done,
                                 std::span<iovec> vectors);

// Carries the operation out and sets its result. Blocks as long as the system likes; from any
// thread. For operations on files, hold_.descriptor is set; `open` gives its descriptor there.
void perform(IoOperation& operation);

// How often this thread went to sleep. A call that took long while this did not change was only
// kept from a processor by other threads; the disk had no part in it.
[[nodiscard]] std::uint64_t times_asleep();

enum class CachedRead : std::uint8_t { ended, would_block, unsupported };
// Reads what is in memory, without blocking.
[[nodiscard]] CachedRead read_cached(IoOperation& operation);

// Ranges that are longer are not probed, because that would take long.
inline constexpr std::uint64_t cached_probe_bytes_max = 8 * mebibyte;

// Whether the range of the operation can be sent without waiting for a disk, as all of it is in
// memory. What reaches beyond the end of the file may be said to be missing. Neither blocks
// nor reads anything.
[[nodiscard]] bool is_cached(const IoOperation& operation);

}  // namespace millrace::files
