// Which file system a process uses.
module;
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

export module millrace.runtime.files:choice;

import millrace.base;
import millrace.config;
import millrace.runtime;
import :file_pool;
import :posix_file_system;

export namespace millrace {

enum class FileSystemKind : std::uint8_t { io_uring, thread_pool };
[[nodiscard]] std::string_view name_of(FileSystemKind kind);

// What the operator wants: the best that works here, or one of them by name.
enum class FileSystemSetting : std::uint8_t { automatic, io_uring, thread_pool };
// millrace.file.io
[[nodiscard]] FileSystemSetting file_system_setting_of(const config::ServerConfig& config);
// "auto", "io_uring" or "thread_pool".
[[nodiscard]] Result<FileSystemSetting> file_system_setting_from_string(std::string_view text);

struct FileSystemChoice {
  FileSystemKind kind = FileSystemKind::thread_pool;
  std::string reason;  // for the log: "file I/O: io_uring, which this kernel offers"
};

// For the start of a process: tries what the kernel allows. Fails only when the setting names what
// does not work here.
[[nodiscard]] Result<FileSystemChoice> choose_file_system(FileSystemSetting setting);

// For each shard. Loop and pool outlive it.
[[nodiscard]] Result<std::unique_ptr<PosixFileSystem>> make_file_system(
    FileSystemKind kind, EventLoop& loop, FilePool& pool, const FileSystemOptions& options = {});

}  // namespace millrace
