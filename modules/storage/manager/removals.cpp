module;
#include <algorithm>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

module millrace.storage.manager;

import :removals;

namespace millrace::storage {

namespace {

// What lacked descriptors or memory is tried again so much later.
constexpr Duration shortage_delay = std::chrono::minutes(1);

}  // namespace

Removals::Removals(Executor& executor, FileSystem& files, Logger log, Failed failed)
    : executor_(executor),
      files_(files),
      log_(std::move(log)),
      failed_(std::move(failed)),
      due_(*this) {}

Removals::Due::Due(Removals& r)
    : Timer([](Timer& self) {
        Removals& all = static_cast<Due&>(self).removals;
        all.tasks_.start(all.remove_due());
      }),
      removals(r) {}

void Removals::add(std::string path, Duration delay) {
  waiting_.push_back({std::move(path), executor_.clock().now() + delay});
  arm();
}

void Removals::arm() {
  if (stopped_ || removing_ || waiting_.empty()) return;
  const auto first =
      std::min_element(waiting_.begin(), waiting_.end(),
                       [](const Waiting& a, const Waiting& b) { return a.when < b.when; });
  executor_.arm(due_, first->when);
}

Task<void> Removals::remove_due() {
  removing_ = true;
  for (;;) {
    const MonotonicTime now = executor_.clock().now();
    const auto due = std::find_if(waiting_.begin(), waiting_.end(),
                                  [now](const Waiting& waiting) { return waiting.when <= now; });
    if (stopped_ || due == waiting_.end()) break;
    const std::string path = std::move(due->path);
    waiting_.erase(due);
    const auto removed = co_await remove(path);
    if (removed) {
      log_.info("{} is removed", path);
    } else if (is_shortage(removed.error().fault)) {
      log_.warning("{} is removed later: {}", path, removed.error().message);
      waiting_.push_back({path, now + shortage_delay});
    } else {
      log_.warning("{} is left until the next start: {}", path, removed.error().message);
      if (removed.error().fault == StorageFault::offline) {
        // Nothing more is tried there.
        waiting_.clear();
        failed_(removed.error());
      }
    }
  }
  removing_ = false;
  arm();
}

Task<StorageResult<void>> Removals::remove(std::string path) {
  const auto entries = co_await files_.list(path);
  if (!entries) co_return storage_failure(entries.error(), path);
  for (const DirectoryEntry& entry : *entries) {
    if (stopped_) co_return storage_failure(StorageFault::invalid, "the server stops");
    auto removed = co_await remove_file_if_there(files_, path_in(path, entry.name));
    if (!removed) co_return removed;
  }
  const auto removed = co_await files_.remove_directory(path);
  if (!removed) co_return storage_failure(removed.error(), path);
  co_return StorageResult<void>();
}

Task<void> Removals::stop() {
  stopped_ = true;
  if (due_.armed()) executor_.cancel(due_);
  co_await tasks_.wait();
}

}  // namespace millrace::storage
