module;
#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <climits>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

module millrace.runtime.files;

namespace millrace::files {
namespace {

static_assert(pieces_per_call <= IOV_MAX);

// What the disk is asked for at a time when something is read in.
constexpr std::uint64_t read_in_ahead = mebibyte;

// Machines differ; none has smaller ones.
constexpr std::uint64_t memory_page_bytes_min = 4 * kibibyte;
[[nodiscard]] std::uint64_t memory_page_bytes() {
  static const auto bytes = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  return bytes;
}

// A path as the system wants it: ended by a zero, and so without one inside.
class CPath {
 public:
  explicit CPath(std::string_view path) {
    if (path.size() >= text_.size()) {
      error_ = ENAMETOOLONG;
    } else if (path.find('\0') != std::string_view::npos) {
      error_ = EINVAL;
    } else {
      std::copy(path.begin(), path.end(), text_.begin());
      text_[path.size()] = '\0';
    }
  }
  [[nodiscard]] int error() const { return error_; }
  [[nodiscard]] const char* get() const { return text_.data(); }

 private:
  std::array<char, PATH_MAX> text_;
  int error_ = 0;
};

// Calls again while a signal interrupts.
template <class Call>
auto uninterrupted(Call call) {
  for (;;) {
    const auto result = call();
    if (result != -1 || errno != EINTR) return result;
  }
}

void set_result(IoOperation& operation, int result) {
  if (result == -1) fail(operation, errno);
}

[[nodiscard]] int flags_of(OpenMode mode) {
  switch (mode) {
    case OpenMode::read:
      return O_RDONLY;
    case OpenMode::read_write:
      return O_RDWR;
    case OpenMode::create:
      return O_RDWR | O_CREAT;
    case OpenMode::create_new:
      return O_RDWR | O_CREAT | O_EXCL;
    case OpenMode::create_truncated:
      return O_RDWR | O_CREAT | O_TRUNC;
  }
  return O_RDONLY;
}

[[nodiscard]] EntryKind kind_of(mode_t mode) {
  if (S_ISREG(mode)) return EntryKind::file;
  return S_ISDIR(mode) ? EntryKind::directory : EntryKind::other;
}

// Without O_NOATIME, the first read after each write notes its time, and waits for the journal of
// the file system to do so. The system allows it to the owner of the file only.
void open_file(IoOperation& operation, const char* path) {
  const int flags = flags_of(operation.mode_) | O_CLOEXEC | O_NOCTTY;
  const auto open_with = [&](int more) {
    return uninterrupted([&] { return ::open(path, flags | more, file_mode); });
  };
  int& descriptor = operation.hold_.descriptor;
  descriptor = open_with(O_NOATIME);
  if (descriptor == -1 && errno == EPERM) descriptor = open_with(0);
  set_result(operation, descriptor);
}

void close_file(IoOperation& operation) {
  // An interrupted close has closed.
  if (::close(operation.hold_.descriptor) == -1 && errno != EINTR) fail(operation, errno);
}

void read_file(IoOperation& operation) {
  std::size_t& done = operation.hold_.done;
  while (done < operation.buffer_.size()) {
    const MutableBytes rest = operation.buffer_.subspan(done);
    const ssize_t count = uninterrupted([&] {
      return ::pread(operation.hold_.descriptor, rest.data(), rest.size(),
                     static_cast<off_t>(operation.position_ + done));
    });
    if (count == -1) return fail(operation, errno);
    if (count == 0) break;
    done += static_cast<std::size_t>(count);
  }
  operation.value_ = done;
}

// Where bytes go that nobody wants.
[[nodiscard]] int nowhere() {
  static const int descriptor =
      uninterrupted([] { return ::open("/dev/null", O_WRONLY | O_CLOEXEC); });
  return descriptor;
}

// Sends nowhere: what a disk has to give is then in memory for others, and nothing was copied.
void read_in_file(IoOperation& operation) {
  const int file = operation.hold_.descriptor;
  std::uint64_t left = operation.length_;
  auto position = static_cast<off_t>(operation.position_);
  for (std::uint64_t asked_for = 0; left > 0;) {
    if (asked_for == 0) {
      asked_for = std::min<std::uint64_t>(left, read_in_ahead);
      // The disk begins with all of this at once. If it cannot, the calls below say why.
      static_cast<void>(
          ::posix_fadvise(file, position, static_cast<off_t>(asked_for), POSIX_FADV_WILLNEED));
    }
    const ssize_t count =
        uninterrupted([&] { return ::sendfile(nowhere(), file, &position, asked_for); });
    if (count == -1) return fail(operation, errno);
    if (count == 0) return;
    left -= static_cast<std::uint64_t>(count);
    asked_for -= static_cast<std::uint64_t>(count);
  }
}

void write_file(IoOperation& operation) {
  const std::size_t total = total_size(operation.pieces_);
  std::size_t& done = operation.hold_.done;
  std::array<iovec, pieces_per_call> vectors;
  while (done < total) {
    const std::size_t count = gather(operation.pieces_, done, vectors);
    const ssize_t written = uninterrupted([&] {
      return ::pwritev(operation.hold_.descriptor, vectors.data(), static_cast<int>(count),
                       static_cast<off_t>(operation.position_ + done));
    });
    if (written == -1) return fail(operation, errno);
    if (written == 0) return fail(operation, EIO);
    done += static_cast<std::size_t>(written);
  }
}

void punch_file(IoOperation& operation) {
  if (operation.length_ == 0) return;
  set_result(operation, uninterrupted([&] {
               return ::fallocate(
                   operation.hold_.descriptor, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                   static_cast<off_t>(operation.position_), static_cast<off_t>(operation.length_));
             }));
}

void set_time_of_file(IoOperation& operation) {
  const std::chrono::milliseconds time(operation.time_.value());
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
  const std::chrono::nanoseconds rest = time - seconds;
  timespec written{};
  written.tv_sec = seconds.count();
  written.tv_nsec = rest.count();
  const timespec times[] = {{.tv_sec = 0, .tv_nsec = UTIME_OMIT}, written};
  set_result(operation,
             uninterrupted([&] { return ::futimens(operation.hold_.descriptor, times); }));
}

void size_of_file(IoOperation& operation) {
  struct stat status{};
  if (uninterrupted([&] { return ::fstat(operation.hold_.descriptor, &status); }) == -1) {
    return fail(operation, errno);
  }
  operation.value_ = static_cast<std::uint64_t>(status.st_size);
}

// A lock of the open file: it keeps out other open files of this process, and the locks of a
// process that most programs use, Java's among them. Those would not keep us out of a file twice.
void lock_file(IoOperation& operation) {
  struct flock whole_file{};
  whole_file.l_type = F_WRLCK;
  whole_file.l_whence = SEEK_SET;
  const int result =
      uninterrupted([&] { return ::fcntl(operation.hold_.descriptor, F_OFD_SETLK, &whole_file); });
  // Both mean that another holds it.
  if (result == -1) fail(operation, errno == EACCES ? EAGAIN : errno);
}

void write_back(WriteBackOperation& operation) {
  const auto call = [&](ByteRange range, unsigned flags) {
    if (range.length == 0) return true;
    const int result =
        ::sync_file_range(operation.hold_.descriptor, static_cast<off_t>(range.position),
                          static_cast<off_t>(range.length), flags);
    if (result == 0) return true;
    // Some file systems cannot; then the kernel writes back when it likes.
    if (errno != ENOSYS && errno != ESPIPE) fail(operation, errno);
    return false;
  };
  if (!call(operation.begin, SYNC_FILE_RANGE_WRITE)) return;
  call(operation.finish_before, SYNC_FILE_RANGE_WAIT_BEFORE);
}

void status_of(IoOperation& operation, const char* path) {
  struct stat status{};
  if (uninterrupted([&] { return ::stat(path, &status); }) == -1) return fail(operation, errno);
  operation.status_.kind = kind_of(status.st_mode);
  operation.status_.size = static_cast<std::uint64_t>(status.st_size);
  operation.status_.modified =
      Timestamp(std::int64_t{status.st_mtim.tv_sec} * 1'000 + status.st_mtim.tv_nsec / 1'000'000);
}

void rename_path(IoOperation& operation, const char* path) {
  const CPath target(operation.second_path_);
  if (target.error() != 0) return fail(operation, target.error());
  if (::rename(path, target.get()) == 0) return;
  // Both mean a directory that is not empty; file systems differ.
  fail(operation, errno == EEXIST ? ENOTEMPTY : errno);
}

[[nodiscard]] EntryKind kind_of(const dirent& entry, int directory) {
  if (entry.d_type == DT_REG) return EntryKind::file;
  if (entry.d_type == DT_DIR) return EntryKind::directory;
  if (entry.d_type != DT_UNKNOWN) return EntryKind::other;
  struct stat status{};
  const int known = ::fstatat(directory, entry.d_name, &status, AT_SYMLINK_NOFOLLOW);
  return known == 0 ? kind_of(status.st_mode) : EntryKind::other;
}

void list_directory(IoOperation& operation, const char* path) {
  DIR* directory = nullptr;
  const auto opened = [&] { return (directory = ::opendir(path)) == nullptr ? -1 : 0; };
  if (uninterrupted(opened) == -1) return fail(operation, errno);
  for (;;) {
    errno = 0;
    const dirent* entry = ::readdir(directory);
    if (entry == nullptr) break;
    const std::string_view name(entry->d_name);
    if (name == "." || name == "..") continue;
    operation.entries_.push_back({std::string(name), kind_of(*entry, ::dirfd(directory))});
  }
  if (errno != 0) fail(operation, errno);
  ::closedir(directory);
  // In no order that anybody could come to rely on but this one.
  std::sort(operation.entries_.begin(), operation.entries_.end(),
            [](const DirectoryEntry& a, const DirectoryEntry& b) { return a.name < b.name; });
}

void sync_path(IoOperation& operation, const char* path) {
  const int directory =
      uninterrupted([&] { return ::open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC); });
  if (directory == -1) return fail(operation, errno);
  if (::fsync(directory) == -1) fail_sync(operation, errno);
  ::close(directory);
}

void free_bytes_of(IoOperation& operation, const char* path) {
  struct statvfs status{};
  if (uninterrupted([&] { return ::statvfs(path, &status); }) == -1) return fail(operation, errno);
  operation.value_ = std::uint64_t{status.f_bavail} * std::uint64_t{status.f_frsize};
}

void perform_on_path(IoOperation& operation) {
  const CPath path(operation.path_);
  if (path.error() != 0) return fail(operation, path.error());
  switch (operation.kind_) {
    case IoKind::open:
      return open_file(operation, path.get());
    case IoKind::status:
      return status_of(operation, path.get());
    case IoKind::rename:
      return rename_path(operation, path.get());
    case IoKind::remove:
      return set_result(operation, ::unlink(path.get()));
    case IoKind::make_directory:
      return set_result(operation, ::mkdir(path.get(), directory_mode));
    case IoKind::remove_directory:
      set_result(operation, ::rmdir(path.get()));
      if (operation.error_.number == EEXIST) fail(operation, ENOTEMPTY);
      return;
    case IoKind::list:
      return list_directory(operation, path.get());
    case IoKind::sync_directory:
      return sync_path(operation, path.get());
    case IoKind::free_bytes:
      return free_bytes_of(operation, path.get());
    default:
      check(false, "an operation on a path");
  }
}

}  // namespace

std::size_t total_size(std::span<const ByteView> pieces) {
  std::size_t total = 0;
  for (const ByteView piece : pieces) total += piece.size();
  return total;
}

void fail(IoOperation& operation, int error_number) {
  const bool is_write = operation.kind_ == IoKind::write;
  operation.failed_ = true;
  operation.error_ = IoError{fault_of(error_number), error_number, name_of(operation.kind_),
                             is_write ? operation.hold_.done : 0};
}

void fail_sync(IoOperation& operation, int error_number) {
  fail(operation, error_number);
  if (operation.error_.fault != IoFault::invalid) operation.error_.fault = IoFault::failed;
}

std::size_t gather(std::span<const ByteView> pieces, std::size_t done, std::span<iovec> vectors) {
  std::size_t count = 0;
  for (ByteView piece : pieces) {
    const std::size_t skipped = std::min(done, piece.size());
    done -= skipped;
    piece = piece.subspan(skipped);
    if (piece.empty()) continue;
    if (count == vectors.size()) break;
    // The system wants it without const, and does not write to it.
    vectors[count++] = iovec{const_cast<std::byte*>(piece.data()), piece.size()};
  }
  return count;
}

void perform(IoOperation& operation) {
  if (operation.kind_ == write_back_kind) {
    return write_back(static_cast<WriteBackOperation&>(operation));
  }
  switch (operation.kind_) {
    case IoKind::close:
      return close_file(operation);
    case IoKind::read:
      return read_file(operation);
    case IoKind::read_in:
      return read_in_file(operation);
    case IoKind::write:
      return write_file(operation);
    case IoKind::sync_data:
      if (::fdatasync(operation.hold_.descriptor) == -1) fail_sync(operation, errno);
      return;
    case IoKind::set_size:
      return set_result(operation, uninterrupted([&] {
                          return ::ftruncate(operation.hold_.descriptor,
                                             static_cast<off_t>(operation.position_));
                        }));
    case IoKind::punch:
      return punch_file(operation);
    case IoKind::set_time:
      return set_time_of_file(operation);
    case IoKind::file_size:
      return size_of_file(operation);
    case IoKind::lock:
      return lock_file(operation);
    default:
      return perform_on_path(operation);
  }
}

std::uint64_t times_asleep() {
  rusage usage{};
  check(::getrusage(RUSAGE_THREAD, &usage) == 0, "a thread knows its own usage");
  return static_cast<std::uint64_t>(usage.ru_nvcsw);
}

CachedRead read_cached(IoOperation& operation) {
  std::size_t& done = operation.hold_.done;
  while (done < operation.buffer_.size()) {
    const MutableBytes rest = operation.buffer_.subspan(done);
    const iovec vector{rest.data(), rest.size()};
    const ssize_t count = uninterrupted([&] {
      return ::preadv2(operation.hold_.descriptor, &vector, 1,
                       static_cast<off_t>(operation.position_ + done), RWF_NOWAIT);
    });
    if (count == -1) {
      // Whatever else is wrong, the blocking call will say it.
      return errno == EAGAIN ? CachedRead::would_block : CachedRead::unsupported;
    }
    if (count == 0) break;
    done += static_cast<std::size_t>(count);
  }
  operation.value_ = done;
  return CachedRead::ended;
}

// A read that is not to wait would tell of single bytes. But it begins to read what is missing, and
// on a fast disk has it before it gives up: each byte that was looked at seemed to be there, and
// what lay between them was not. A mapping that nobody touches changes nothing.
bool is_cached(const IoOperation& operation) {
  if (operation.length_ == 0) return true;
  if (operation.length_ > cached_probe_bytes_max) return false;
  const std::uint64_t page = memory_page_bytes();
  const std::uint64_t before = operation.position_ % page;
  const auto length = static_cast<std::size_t>(before + operation.length_);
  void* const mapping = ::mmap(nullptr, length, PROT_NONE, MAP_SHARED, operation.hold_.descriptor,
                               static_cast<off_t>(operation.position_ - before));
  if (mapping == MAP_FAILED) return false;
  std::array<unsigned char, cached_probe_bytes_max / memory_page_bytes_min + 2> pages;
  const bool known = ::mincore(mapping, length, pages.data()) == 0;
  check(::munmap(mapping, length) == 0, "what was mapped is unmapped");
  const auto looked_at = std::span(pages).first((length + page - 1) / page);
  const auto is_here = [](unsigned char state) { return (state & 1) != 0; };
  return known && std::all_of(looked_at.begin(), looked_at.end(), is_here);
}

}  // namespace millrace::files
