// Files, as everything above the runtime sees them. One interface, three implementations: io_uring,
// a pool of threads, and a simulated disk. An operation is an object in the coroutine that awaits
// it: starting one takes no memory, and it resumes on the shard that started it.
module;
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

export module millrace.runtime:file_system;

import millrace.base;

export namespace millrace {

enum class IoFault : std::uint8_t {
  not_found,
  already_exists,
  no_space,       // ENOSPC, EDQUOT, EFBIG: what was written stays; there may be space later
  failed,         // EIO and everything that means the device cannot be trusted any more
  denied,         // permissions, read-only file system
  too_many_open,  // descriptors of the process or the system
  locked,         // another process holds the lock
  not_empty,
  invalid,  // a wrong use of the interface
};

// Why an operation failed. Holds no memory; who reports it adds the path that it knows.
struct IoError {
  IoFault fault = IoFault::failed;
  int number = 0;              // errno, where there was one
  const char* operation = "";  // "write", "rename", ...
  // For writes: how many bytes of it are in the file all the same.
  std::size_t done = 0;
};

[[nodiscard]] std::string_view name_of(IoFault fault);
// What an errno means here.
[[nodiscard]] IoFault fault_of(int error_number);
// "write /data/orders-3/00000000000000000000.log: no space left (errno 28)".
[[nodiscard]] std::string describe(const IoError& error, std::string_view path);

template <class T>
using IoResult = Result<T, IoError>;

enum class EntryKind : std::uint8_t { file, directory, other };

struct DirectoryEntry {
  std::string name;
  EntryKind kind = EntryKind::other;
};

struct FileStatus {
  std::uint64_t size = 0;
  EntryKind kind = EntryKind::other;
  // When bytes or size changed last, or what set_time() said since, as far as the file system
  // remembers: after a power cut it may be an earlier time.
  Timestamp modified{0};
};

enum class OpenMode : std::uint8_t {
  read,             // must exist
  read_write,       // must exist
  create,           // read and write; made if it does not exist
  create_new,       // read and write; must not exist
  create_truncated  // read and write; emptied if it exists
};

// A number that a FileSystem gave for an open file.
using FileHandle = Strong<struct FileHandleTag, std::int32_t>;
inline constexpr FileHandle no_file{-1};

class FileSystem;

// The operations by kind; which of the members of IoOperation a kind uses stands beside it.
enum class IoKind : std::uint8_t {
  open,            // path, mode -> value: handle
  close,           // file
  read,            // file, position, buffer -> value: bytes read, fewer only at the end of the file
  read_in,         // file, position, length: what there is of it is in memory afterwards
  write,           // file, position, pieces; all or an error
  sync_data,       // file: its bytes and its size are durable afterwards
  set_size,        // file, position: the new size
  punch,           // file, position, length: reads as zeros, the blocks are free
  set_time,        // file, time: when the file changed last, instead of what the system says
  status,          // path -> status
  file_size,       // file -> value
  rename,          // path, second_path; replaces
  remove,          // path
  make_directory,  // path
  remove_directory,  // path
  list,              // path -> entries
  sync_directory,    // path: what was made, renamed and removed in it is durable afterwards
  lock,              // file, writable: exclusively, or IoFault::locked at once; ends with the file
  free_bytes,        // path -> value: what an ordinary user may still write there
};

inline constexpr std::size_t io_kinds = static_cast<std::size_t>(IoKind::free_bytes) + 1;

// "write", "sync_data", ...: what IoError calls the operation.
[[nodiscard]] const char* name_of(IoKind kind);

// What an implementation notes about an operation while it holds it.
struct IoHold {
  class IoOperation* next = nullptr;
  void* holder = nullptr;
  std::size_t done = 0;  // bytes that are read or written already
  int descriptor = -1;
  Duration waited{};  // in a system call that put its thread to sleep, where it is measured
};

// One operation from start to result. Made by the functions of FileSystem and awaited at once.
class IoOperation {
 public:
  IoOperation(FileSystem& system, IoKind kind) : kind_(kind), system_(system) {}
  IoOperation(const IoOperation&) = delete;
  IoOperation& operator=(const IoOperation&) = delete;

  [[nodiscard]] inline bool await_ready();
  void await_suspend(std::coroutine_handle<> awaiting) { awaiting_ = awaiting; }

  // For implementations: sets the result; resumes the waiting coroutine, which may destroy the
  // operation.
  void finish() { awaiting_.resume(); }

  IoKind kind_;
  OpenMode mode_ = OpenMode::read;
  FileHandle file_ = no_file;
  std::uint64_t position_ = 0;
  std::uint64_t length_ = 0;
  Timestamp time_{0};
  std::string_view path_;
  std::string_view second_path_;
  MutableBytes buffer_;
  std::span<const ByteView> pieces_;

  bool failed_ = false;
  IoError error_;
  std::uint64_t value_ = 0;
  FileStatus status_;
  std::vector<DirectoryEntry> entries_;
  IoHold hold_;

 protected:
  template <class T>
  [[nodiscard]] IoResult<T> result(T value) {
    if (failed_) return failure(error_);
    return value;
  }
  [[nodiscard]] IoResult<void> result() {
    if (failed_) return failure(error_);
    return {};
  }

 private:
  FileSystem& system_;
  std::coroutine_handle<> awaiting_;
};

// Operations by what they give.
struct VoidOperation : IoOperation {
  using IoOperation::IoOperation;
  IoResult<void> await_resume() { return result(); }
};
struct CountOperation : IoOperation {
  using IoOperation::IoOperation;
  IoResult<std::uint64_t> await_resume() { return result(value_); }
};
struct OpenOperation : IoOperation {
  using IoOperation::IoOperation;
  IoResult<FileHandle> await_resume() {
    return result(FileHandle(static_cast<std::int32_t>(value_)));
  }
};
struct StatusOperation : IoOperation {
  using IoOperation::IoOperation;
  IoResult<FileStatus> await_resume() { return result(status_); }
};
struct ListOperation : IoOperation {
  using IoOperation::IoOperation;
  IoResult<std::vector<DirectoryEntry>> await_resume() { return result(std::move(entries_)); }
};

// The file system of one shard; belongs to its thread. Paths, buffers and pieces that an operation
// is given stay in place until it ends; `co_await` sees to that when they are locals of the
// coroutine. Operations on one file may run at the same time and in any order: whoever needs an
// order awaits. After IoFault::failed nothing is retried: the caller takes the directory offline.
class FileSystem {
 public:
  virtual ~FileSystem() = default;

  // True if the operation has ended already; else the implementation calls finish() later.
  [[nodiscard]] virtual bool start(IoOperation& operation) = 0;

  // The descriptor of an open file, for sendfile; -1 where there is none.
  [[nodiscard]] virtual int descriptor(FileHandle file) const = 0;

  [[nodiscard]] auto open(std::string_view path, OpenMode mode) {
    return OpenFile(*this, path, mode);
  }
  [[nodiscard]] auto close(FileHandle file) { return OnFile(*this, IoKind::close, file, 0, 0); }
  [[nodiscard]] auto read(FileHandle file, std::uint64_t position, MutableBytes buffer) {
    return Read(*this, file, position, buffer);
  }
  // Before sendfile of a range that may not be in memory: sendfile would wait for the disk. Ask for
  // what is sent next, since memory that is short of room forgets it again.
  [[nodiscard]] auto read_in(FileHandle file, std::uint64_t position, std::uint64_t length) {
    return OnFile(*this, IoKind::read_in, file, position, length);
  }
  [[nodiscard]] auto write(FileHandle file, std::uint64_t position,
                           std::span<const ByteView> pieces) {
    return Write(*this, file, position, pieces);
  }
  [[nodiscard]] auto sync_data(FileHandle file) {
    return OnFile(*this, IoKind::sync_data, file, 0, 0);
  }
  [[nodiscard]] auto set_size(FileHandle file, std::uint64_t size) {
    return OnFile(*this, IoKind::set_size, file, size, 0);
  }
  [[nodiscard]] auto punch(FileHandle file, std::uint64_t position, std::uint64_t length) {
    return OnFile(*this, IoKind::punch, file, position, length);
  }
  // Until the next change. Not durable by itself: the next sync of a size that changed saves it.
  [[nodiscard]] auto set_time(FileHandle file, Timestamp time) {
    return SetTime(*this, file, time);
  }
  [[nodiscard]] auto lock(FileHandle file) { return OnFile(*this, IoKind::lock, file, 0, 0); }
  [[nodiscard]] auto file_size(FileHandle file) { return Size(*this, file); }
  [[nodiscard]] auto status(std::string_view path) { return Status(*this, path); }
  [[nodiscard]] auto rename(std::string_view from, std::string_view to) {
    return OnPath(*this, IoKind::rename, from, to);
  }
  [[nodiscard]] auto remove(std::string_view path) {
    return OnPath(*this, IoKind::remove, path, {});
  }
  [[nodiscard]] auto make_directory(std::string_view path) {
    return OnPath(*this, IoKind::make_directory, path, {});
  }
  [[nodiscard]] auto remove_directory(std::string_view path) {
    return OnPath(*this, IoKind::remove_directory, path, {});
  }
  [[nodiscard]] auto list(std::string_view path) { return List(*this, path); }
  [[nodiscard]] auto sync_directory(std::string_view path) {
    return OnPath(*this, IoKind::sync_directory, path, {});
  }
  [[nodiscard]] auto free_bytes(std::string_view path) { return FreeBytes(*this, path); }

 protected:
  FileSystem() = default;
  FileSystem(const FileSystem&) = delete;
  FileSystem& operator=(const FileSystem&) = delete;

 private:
  struct OpenFile : OpenOperation {
    OpenFile(FileSystem& s, std::string_view path, OpenMode mode) : OpenOperation(s, IoKind::open) {
      path_ = path;
      mode_ = mode;
    }
  };
  struct OnFile : VoidOperation {
    OnFile(FileSystem& s, IoKind kind, FileHandle file, std::uint64_t position,
           std::uint64_t length)
        : VoidOperation(s, kind) {
      file_ = file;
      position_ = position;
      length_ = length;
    }
  };
  struct SetTime : VoidOperation {
    SetTime(FileSystem& s, FileHandle file, Timestamp time) : VoidOperation(s, IoKind::set_time) {
      file_ = file;
      time_ = time;
    }
  };
  struct Read : CountOperation {
    Read(FileSystem& s, FileHandle file, std::uint64_t position, MutableBytes buffer)
        : CountOperation(s, IoKind::read) {
      file_ = file;
      position_ = position;
      buffer_ = buffer;
    }
  };
  struct Write : VoidOperation {
    Write(FileSystem& s, FileHandle file, std::uint64_t position, std::span<const ByteView> pieces)
        : VoidOperation(s, IoKind::write) {
      file_ = file;
      position_ = position;
      pieces_ = pieces;
    }
  };
  struct Size : CountOperation {
    Size(FileSystem& s, FileHandle file) : CountOperation(s, IoKind::file_size) { file_ = file; }
  };
  struct FreeBytes : CountOperation {
    FreeBytes(FileSystem& s, std::string_view path) : CountOperation(s, IoKind::free_bytes) {
      path_ = path;
    }
  };
  struct Status : StatusOperation {
    Status(FileSystem& s, std::string_view path) : StatusOperation(s, IoKind::status) {
      path_ = path;
    }
  };
  struct OnPath : VoidOperation {
    OnPath(FileSystem& s, IoKind kind, std::string_view path, std::string_view second)
        : VoidOperation(s, kind) {
      path_ = path;
      second_path_ = second;
    }
  };
  struct List : ListOperation {
    List(FileSystem& s, std::string_view path) : ListOperation(s, IoKind::list) { path_ = path; }
  };
};

inline bool IoOperation::await_ready() {
  return system_.start(*this);
}

}  // namespace millrace
