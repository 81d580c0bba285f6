// How operations of the storage fail.
module;
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>

export module millrace.storage.files:error;

import millrace.base;
import millrace.runtime;

export namespace millrace::storage {

// What the caller has to do about it.
enum class StorageFault : std::uint8_t {
  offline,         // the device cannot be trusted: take the log directory offline, retry nothing
  no_space,        // cut back what was written in part; there may be space later
  corrupt,         // the bytes are not what the format allows: rebuild the file, or report it
  not_found,       // no such file or directory
  already_exists,  // a file or directory is there that should not be
  locked,          // another process uses the log directory
  limit,           // descriptors or memory are short just now, or a limit of ours was reached
  invalid,         // a name or a request that can never be right
};

[[nodiscard]] std::string_view name_of(StorageFault fault);

// A failure and a sentence that names the file. `io` is there where the operating system refused.
struct StorageError {
  StorageFault fault = StorageFault::invalid;
  std::string message;
  std::optional<IoError> io;
};

template <class T>
using StorageResult = Result<T, StorageError>;

[[nodiscard]] StorageFault storage_fault(IoFault fault);

// The failure of an operation on `path`.
[[nodiscard]] StorageError storage_error(const IoError& error, std::string_view path);

// There may be enough again later: of space, of descriptors, of memory. The device is well.
[[nodiscard]] constexpr bool is_shortage(StorageFault fault) {
  return fault == StorageFault::no_space || fault == StorageFault::limit;
}

// The failure to sync a directory. For lack of a descriptor nothing was tried; anything else means
// that names may be lost.
[[nodiscard]] StorageError directory_sync_error(const IoError& error, std::string_view path);

// `co_return storage_failure(done.error(), path);`
[[nodiscard]] inline tl::unexpected<StorageError> storage_failure(const IoError& error,
                                                                  std::string_view path) {
  return tl::unexpected<StorageError>(storage_error(error, path));
}
[[nodiscard]] inline tl::unexpected<StorageError> storage_failure(StorageFault fault,
                                                                  std::string message) {
  return tl::unexpected<StorageError>(StorageError{fault, std::move(message), std::nullopt});
}

}  // namespace millrace::storage
