// Files that are read and written whole.
module;
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

export module millrace.storage.files:small_file;

import millrace.base;
import millrace.runtime;
import :error;

export namespace millrace::storage {

// "/data" and "x" give "/data/x".
[[nodiscard]] std::string path_in(std::string_view directory, std::string_view name);

// All bytes of a file. More than `bytes_max`: StorageFault::limit, and nothing is read.
[[nodiscard]] Task<StorageResult<std::vector<std::byte>>> read_file(FileSystem& files,
                                                                    std::string path,
                                                                    std::size_t bytes_max);

// Gives the file `name` in `directory` new contents: written to `<name>.tmp`, synced, renamed over
// the old one; then the directory is synced. After a crash at any point the file has its old or its
// new contents; after success it has the new ones for ever. Two calls for one file do not overlap:
// the caller sees to that. `contents` stays in place until the end.
[[nodiscard]] Task<StorageResult<void>> replace_file(FileSystem& files, std::string directory,
                                                     std::string name, ByteView contents);

// Removes a file, whether or not it is there. The directory is not synced.
[[nodiscard]] Task<StorageResult<void>> remove_file_if_there(FileSystem& files, std::string path);

}  // namespace millrace::storage
