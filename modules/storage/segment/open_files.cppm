// A bounded number of open files for any number of partitions.
module;
#include <cstddef>
#include <cstdint>
#include <list>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

export module millrace.storage.segment:open_files;

import millrace.base;
import millrace.runtime;
import millrace.storage.files;

export namespace millrace::storage {

// Half of the descriptors that Debian grants a process by default; connections have the rest.
inline constexpr std::size_t open_files_max_default = 512;

// Opens files when they are needed and closes those that were not used for the longest time. One
// for each shard; belongs to its thread and outlives the leases. A file that could not be closed
// well has lost bytes, and is not opened again until its path is forgotten. A file is opened once
// for reading and writing. Files in use are never closed: more of them than the limit are open for
// a while if so many are in use at once.
class OpenFiles {
 private:
  struct Entry {
    std::string path;
    FileHandle handle = no_file;
    std::size_t leases = 0;
    bool forgotten = false;  // removed or renamed: closed with its last lease
  };
  using Place = std::list<Entry>::iterator;

 public:
  explicit OpenFiles(FileSystem& files, std::size_t open_max = open_files_max_default)
      : files_(files), open_max_(open_max) {}
  OpenFiles(const OpenFiles&) = delete;
  OpenFiles& operator=(const OpenFiles&) = delete;
  ~OpenFiles();

  // Keeps a file open as long as it lives.
  class Lease {
   public:
    Lease() = default;
    Lease(Lease&& other) noexcept
        : owner_(std::exchange(other.owner_, nullptr)), place_(other.place_) {}
    Lease& operator=(Lease&& other) noexcept {
      std::swap(owner_, other.owner_);
      std::swap(place_, other.place_);
      return *this;
    }
    ~Lease() {
      if (owner_ != nullptr) owner_->give_back(place_);
    }

    [[nodiscard]] FileHandle handle() const { return place_->handle; }
    [[nodiscard]] explicit operator bool() const { return owner_ != nullptr; }

   private:
    friend class OpenFiles;
    Lease(OpenFiles& owner, Place place) : owner_(&owner), place_(place) {}

    OpenFiles* owner_ = nullptr;
    Place place_;
  };

  // The open file; it is opened in `mode` if it is not open.
  [[nodiscard]] Task<StorageResult<Lease>> acquire(std::string path,
                                                   OpenMode mode = OpenMode::read_write);

  // The same, at once, if the file is open.
  [[nodiscard]] std::optional<Lease> acquire_open(std::string_view path);

  // The path does not mean this file any more: it is to be removed, renamed or replaced. Who has a
  // lease keeps the file.
  [[nodiscard]] Task<void> forget(std::string path);

  // Closes all; nothing is in use any more.
  [[nodiscard]] Task<void> close_all();

  [[nodiscard]] std::size_t open() const { return entries_.size(); }
  // More than the limit are in use: who can do without another one should.
  [[nodiscard]] bool crowded() const { return entries_.size() > open_max_; }
  [[nodiscard]] std::uint64_t close_failures() const { return close_failures_; }

 private:
  void give_back(Place place);
  [[nodiscard]] Entry take_out(Place place);
  // Closes files that are not in use, the longest unused first, until at most so many are open.
  [[nodiscard]] Task<void> close_unused(std::size_t open_wanted);
  [[nodiscard]] Task<void> close(Entry entry);

  FileSystem& files_;
  std::size_t open_max_;
  std::list<Entry> entries_;  // the most recently used first
  std::unordered_map<std::string_view, Place> by_path_;
  AsyncMutex opening_;
  std::string_view opening_path_;  // of the one that holds the mutex
  bool opening_forgotten_ = false;
  TaskGroup closing_;
  std::uint64_t close_failures_ = 0;
  std::unordered_map<std::string, IoError> lost_;  // files that could not be closed well
};

}  // namespace millrace::storage
