// Files that are removed some time after they left the log.
module;
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

export module millrace.storage.log:deletions;

import millrace.base;
import millrace.runtime;
import millrace.storage.files;
import millrace.storage.segment;

export namespace millrace::storage {

// Segments whose files have the suffix `.deleted` and wait for file.delete.delay.ms: who reads one
// may finish. A member of its log, which it tells of failures. What is not removed, because the
// process ends or a removal fails, is removed when the log is opened next.
class Deletions {
 public:
  using Failed = std::function<void(const StorageError&)>;

  Deletions(Executor& executor, Failed failed)
      : executor_(executor), failed_(std::move(failed)), due_(*this) {}
  Deletions(const Deletions&) = delete;
  Deletions& operator=(const Deletions&) = delete;

  void add(std::shared_ptr<Segment> segment, Duration delay);
  // Removes all of them now.
  [[nodiscard]] Task<void> finish();
  // The device failed: nothing is removed any more.
  void stop();
  [[nodiscard]] std::size_t waiting() const { return waiting_.size(); }

 private:
  struct Waiting {
    std::shared_ptr<Segment> segment;
    MonotonicTime when;
  };
  struct Due : Timer {
    explicit Due(Deletions& d);
    Deletions& deletions;
  };
  [[nodiscard]] Task<void> remove_due(MonotonicTime now);
  void arm();

  Executor& executor_;
  Failed failed_;
  std::vector<Waiting> waiting_;
  bool finishing_ = false;
  bool stopped_ = false;
  Due due_;
  TaskGroup removing_;
};

}  // namespace millrace::storage
