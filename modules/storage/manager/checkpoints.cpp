module;
#include <array>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

module millrace.storage.manager;

import :checkpoints;

namespace millrace::storage {

std::string_view file_name_of(CheckpointKind kind) {
  switch (kind) {
    case CheckpointKind::recovery_point:
      return recovery_point_checkpoint_name;
    case CheckpointKind::high_watermark:
      return replication_checkpoint_name;
    case CheckpointKind::log_start:
      return log_start_checkpoint_name;
    case CheckpointKind::cleaner:
      return cleaner_checkpoint_name;
  }
  return "";
}

Checkpoints::File::File(Checkpoints& owner, CheckpointKind kind)
    : saving([&owner, kind] { return owner.write(kind); }) {}

Checkpoints::Checkpoints(FileSystem& files, std::string directory, Logger log)
    : files_(files), directory_(std::move(directory)), log_(std::move(log)) {
  for (const CheckpointKind kind : checkpoint_kinds) {
    saved_[static_cast<std::size_t>(kind)] = std::make_unique<File>(*this, kind);
  }
}

Task<StorageResult<void>> Checkpoints::load() {
  for (const CheckpointKind kind : checkpoint_kinds) {
    const std::string_view name = file_name_of(kind);
    const auto entries = co_await load_offset_checkpoint(files_, directory_, name);
    if (entries) {
      for (const PartitionOffset& entry : *entries) table_[entry.partition][kind] = entry.offset;
      continue;
    }
    if (entries.error().fault == StorageFault::not_found) continue;
    // A file that could not be read is not a damaged one.
    if (entries.error().io) co_return failure(entries.error());
    log_.warning("{}; the file is made again", entries.error().message);
    file_of(kind).changed = true;
  }
  co_return StorageResult<void>();
}

PartitionOffsets Checkpoints::of(const TopicPartition& partition) const {
  const auto found = table_.find(partition);
  return found == table_.end() ? PartitionOffsets() : found->second;
}

bool Checkpoints::set(CheckpointKind kind, const TopicPartition& partition, Offset offset) {
  File& file = file_of(kind);
  Offset& known = table_[partition][kind];
  if (known != offset) {
    file.changed = true;
    if (offset < known) file.lowered = true;
    known = offset;
  }
  return file.lowered;
}

void Checkpoints::forget(const TopicPartition& partition) {
  const auto found = table_.find(partition);
  if (found == table_.end()) return;
  for (const CheckpointKind kind : checkpoint_kinds) {
    if (found->second[kind] != no_offset) file_of(kind).changed = true;
  }
  table_.erase(found);
}

std::size_t Checkpoints::keep_only(const std::function<bool(const TopicPartition&)>& keep) {
  std::vector<TopicPartition> gone;
  for (const auto& [partition, offsets] : table_) {
    if (!keep(partition)) gone.push_back(partition);
  }
  for (const TopicPartition& partition : gone) forget(partition);
  return gone.size();
}

Task<StorageResult<void>> Checkpoints::save(CheckpointKind kind) {
  co_return co_await file_of(kind).saving.run();
}

Task<StorageResult<void>> Checkpoints::save_changed() {
  StorageResult<void> outcome;
  for (const CheckpointKind kind : checkpoint_kinds) {
    auto saved = co_await save(kind);
    // Of a device that fails nothing else is asked, whatever was lacking before.
    if (!saved && saved.error().fault == StorageFault::offline) co_return saved;
    if (!saved && outcome) outcome = std::move(saved);
  }
  co_return outcome;
}

Task<StorageResult<void>> Checkpoints::write(CheckpointKind kind) {
  File& file = file_of(kind);
  if (!file.changed) co_return StorageResult<void>();
  std::vector<PartitionOffset> entries;
  entries.reserve(table_.size());
  for (const auto& [partition, offsets] : table_) {
    if (offsets[kind] != no_offset) entries.push_back({partition, offsets[kind]});
  }
  const bool lowered = std::exchange(file.lowered, false);
  file.changed = false;
  auto written = co_await save_offset_checkpoint(files_, directory_, file_name_of(kind), entries);
  ++writes_;
  if (!written) {
    file.changed = true;
    file.lowered = file.lowered || lowered;
  }
  co_return written;
}

}  // namespace millrace::storage
