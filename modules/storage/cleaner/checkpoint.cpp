module;
#include <coroutine>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

module millrace.storage.cleaner;

namespace millrace::storage {

Task<StorageResult<void>> CleanerCheckpoint::load() {
  const auto entries = co_await load_offset_checkpoint(files_, directory_, cleaner_checkpoint_name);
  ends_.clear();
  if (!entries) {
    if (entries.error().fault == StorageFault::not_found) co_return StorageResult<void>();
    co_return failure(entries.error());
  }
  for (const PartitionOffset& entry : *entries) ends_[entry.partition] = entry.offset;
  co_return StorageResult<void>();
}

Offset CleanerCheckpoint::cleaned_end(const TopicPartition& partition) const {
  const auto found = ends_.find(partition);
  return found == ends_.end() ? no_offset : found->second;
}

Task<StorageResult<void>> CleanerCheckpoint::save_cleaned_end(const Log& log, Offset end) {
  ends_[log.partition()] = end;
  co_return co_await save();
}

Task<StorageResult<void>> CleanerCheckpoint::forget(TopicPartition partition) {
  if (ends_.erase(partition) == 0) co_return StorageResult<void>();
  co_return co_await save();
}

// One file at a time; the last one to be written has all that was asked for before.
Task<StorageResult<void>> CleanerCheckpoint::save() {
  const auto guard = co_await saving_.lock();
  std::vector<PartitionOffset> entries;
  for (const auto& [partition, end] : ends_) entries.push_back({partition, end});
  co_return co_await save_offset_checkpoint(files_, directory_, cleaner_checkpoint_name, entries);
}

}  // namespace millrace::storage
