// Directories of partitions that are removed some time after they were deleted.
module;
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <functional>
#include <string>
#include <vector>

export module millrace.storage.manager:removals;

import millrace.base;
import millrace.runtime;
import millrace.storage.files;

export namespace millrace::storage {

// A member of its log directory, on that one's shard. Removes one directory at a time. What is not
// removed, because the process ends or a removal fails, is found by its name at the next start.
class Removals {
 public:
  // Told of a device that fails.
  using Failed = std::function<void(const StorageError&)>;

  Removals(Executor& executor, FileSystem& files, Logger log, Failed failed);
  Removals(const Removals&) = delete;
  Removals& operator=(const Removals&) = delete;

  void add(std::string path, Duration delay);
  // No other removal begins; resumes when the last one has ended.
  [[nodiscard]] Task<void> stop();

  // Directories that wait.
  [[nodiscard]] std::size_t waiting() const { return waiting_.size(); }

 private:
  struct Waiting {
    std::string path;
    MonotonicTime when;
  };
  struct Due : Timer {
    explicit Due(Removals& r);
    Removals& removals;
  };
  void arm();
  [[nodiscard]] Task<void> remove_due();
  [[nodiscard]] Task<StorageResult<void>> remove(std::string path);

  Executor& executor_;
  FileSystem& files_;
  Logger log_;
  Failed failed_;
  std::vector<Waiting> waiting_;
  bool removing_ = false;
  bool stopped_ = false;
  Due due_;
  TaskGroup tasks_;
};

}  // namespace millrace::storage
