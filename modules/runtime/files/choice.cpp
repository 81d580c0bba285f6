module;
#include <memory>
#include <string>
#include <string_view>
#include <utility>

module millrace.runtime.files;

import millrace.config;

namespace millrace {

std::string_view name_of(FileSystemKind kind) {
  return kind == FileSystemKind::io_uring ? "io_uring" : "thread_pool";
}

FileSystemSetting file_system_setting_of(const config::ServerConfig& config) {
  const auto wanted = config.get<"millrace.file.io">();
  if (wanted == "uring") return FileSystemSetting::io_uring;
  if (wanted == "threads") return FileSystemSetting::thread_pool;
  return FileSystemSetting::automatic;
}

Result<FileSystemSetting> file_system_setting_from_string(std::string_view text) {
  if (text == "auto") return FileSystemSetting::automatic;
  if (text == "io_uring") return FileSystemSetting::io_uring;
  if (text == "thread_pool") return FileSystemSetting::thread_pool;
  return failure(ErrorKind::invalid_argument,
                 formatted("file I/O is auto, io_uring or thread_pool, not \"{}\"", text));
}

Result<FileSystemChoice> choose_file_system(FileSystemSetting setting) {
  if (setting == FileSystemSetting::thread_pool) {
    return FileSystemChoice{FileSystemKind::thread_pool, "file I/O: thread_pool, as configured"};
  }
  const Result<void> probed = probe_io_uring();
  if (setting == FileSystemSetting::automatic) {
    if (probed) {
      return FileSystemChoice{FileSystemKind::io_uring,
                              "file I/O: io_uring, which this kernel offers"};
    }
    return FileSystemChoice{FileSystemKind::thread_pool,
                            formatted("file I/O: thread_pool, for io_uring does not work here: {}",
                                      probed.error().message)};
  }
  if (!probed) {
    return failure(ErrorKind::unsupported,
                   formatted("file I/O is configured as io_uring, which does not work here: {}",
                             probed.error().message));
  }
  return FileSystemChoice{FileSystemKind::io_uring, "file I/O: io_uring, as configured"};
}

Result<std::unique_ptr<PosixFileSystem>> make_file_system(FileSystemKind kind, EventLoop& loop,
                                                          FilePool& pool,
                                                          const FileSystemOptions& options) {
  if (kind == FileSystemKind::thread_pool) {
    return std::make_unique<ThreadPoolFileSystem>(loop, pool, options);
  }
  auto made = IoUringFileSystem::make(loop, pool, options);
  if (!made) return failure(std::move(made.error()));
  return std::move(*made);
}

}  // namespace millrace
