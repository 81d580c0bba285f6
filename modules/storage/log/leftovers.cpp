module;
#include <algorithm>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

module millrace.storage.log;

import :loader;

namespace millrace::storage {

Task<StorageResult<void>> LogLoader::list() {
  const auto entries = co_await context().files.list(log_.directory_);
  if (!entries) co_return storage_failure(entries.error(), log_.directory_);
  names_.clear();
  for (const DirectoryEntry& entry : *entries) {
    if (entry.kind != EntryKind::file) continue;
    const auto parsed = parse_segment_file_name(entry.name);
    if (parsed && parsed->base_offset == Offset(std::numeric_limits<std::int64_t>::max())) {
      context().log.warning("{} is left alone: no record has such an offset",
                            path_in(log_.directory_, entry.name));
      continue;
    }
    names_.push_back(entry.name);
  }
  std::sort(names_.begin(), names_.end());
  co_return StorageResult<void>();
}

Task<StorageResult<void>> LogLoader::remove(const std::string& name) {
  changed_names_ = true;
  co_return co_await remove_file_if_there(context().files, path_in(log_.directory_, name));
}

// What was going on when the process ended, as the names of the files tell. A log file with the
// suffix `.swap` is complete, and so are its indexes: it takes its place. Without it, what was
// cleaned is thrown away.
Task<StorageResult<void>> LogLoader::remove_leftovers() {
  std::vector<Offset> swaps;
  for (const std::string& name : names_) {
    const auto parsed = parse_segment_file_name(name);
    if (parsed && parsed->stage == FileStage::swap && parsed->kind == SegmentFileKind::log) {
      swaps.push_back(parsed->base_offset);
    }
  }
  for (const std::string& name : std::vector<std::string>(names_)) {
    const auto parsed = parse_segment_file_name(name);
    const bool temporary = name.ends_with(temporary_suffix);
    if (!temporary && (!parsed || parsed->stage == FileStage::current)) continue;
    if (parsed && parsed->stage == FileStage::swap &&
        std::find(swaps.begin(), swaps.end(), parsed->base_offset) != swaps.end()) {
      continue;
    }
    if (auto removed = co_await remove(name); !removed) co_return removed;
  }
  for (const Offset base : swaps) {
    if (auto finished = co_await finish_swap(base); !finished) co_return finished;
  }
  if (!changed_names_) co_return StorageResult<void>();
  co_return co_await list();
}

// The offset behind the last batch of a log file.
Task<StorageResult<Offset>> LogLoader::end_of(const std::string& path) {
  const auto lease = co_await context().open_files.acquire(path);
  if (!lease) co_return failure(lease.error());
  const auto size = co_await context().files.file_size(lease->handle());
  if (!size) co_return storage_failure(size.error(), path);
  BatchWalker walker(context().files, context().buffers, lease->handle(), path, 0, *size);
  Offset end{0};
  for (;;) {
    const auto place = co_await walker.next();
    if (!place) co_return failure(place.error());
    if (!*place) co_return StorageResult<Offset>(end);
    end = (*place)->header.last_offset().next();
  }
}

Task<StorageResult<void>> LogLoader::finish_swap(Offset base) {
  const std::string log_name = segment_file_name(base, SegmentFileKind::log, FileStage::swap);
  const auto end = co_await end_of(path_in(log_.directory_, log_name));
  if (!end) co_return failure(end.error());
  co_await context().open_files.forget(path_in(log_.directory_, log_name));
  context().log.info("{}: the cleaned segment {} takes the place of what it was made from",
                     log_.directory_, base.value());
  // As long as the old log file is there, the indexes beside it are the old ones; without it they
  // are the new ones.
  const std::string old_log = segment_file_name(base, SegmentFileKind::log);
  const bool has_old_log = std::binary_search(names_.begin(), names_.end(), old_log);
  for (const std::string& name : names_) {
    const auto parsed = parse_segment_file_name(name);
    if (!parsed || parsed->stage != FileStage::current || name == old_log ||
        parsed->kind == SegmentFileKind::producer_snapshot || parsed->base_offset < base) {
      continue;
    }
    if (parsed->base_offset == base ? !has_old_log : parsed->base_offset >= *end) continue;
    if (auto removed = co_await remove(name); !removed) co_return removed;
  }
  if (has_old_log) {
    if (auto synced = co_await log_.sync_names(); !synced) co_return synced;
    if (auto removed = co_await remove(old_log); !removed) co_return removed;
    if (auto synced = co_await log_.sync_names(); !synced) co_return synced;
  }
  // The log file at last: as long as it has the suffix this is done again.
  for (const SegmentFileKind kind : {SegmentFileKind::offset_index, SegmentFileKind::time_index,
                                     SegmentFileKind::transaction_index, SegmentFileKind::log}) {
    if (kind == SegmentFileKind::log) {
      const auto synced = co_await context().files.sync_directory(log_.directory_);
      if (!synced) co_return storage_failure(synced.error(), log_.directory_);
    }
    const std::string from =
        path_in(log_.directory_, segment_file_name(base, kind, FileStage::swap));
    const std::string to = path_in(log_.directory_, segment_file_name(base, kind));
    const auto renamed = co_await context().files.rename(from, to);
    if (!renamed && renamed.error().fault != IoFault::not_found) {
      co_return storage_failure(renamed.error(), from);
    }
  }
  changed_names_ = true;
  co_return StorageResult<void>();
}

// Where the other indexes of a segment are missing, its transaction index may be missing too. They
// are made again when they are used, and then nothing would tell any more.
Task<StorageResult<void>> LogLoader::look_for_aborted() {
  const std::vector<std::shared_ptr<Segment>> segments(log_.segments_.begin(),
                                                       log_.segments_.end());
  for (const auto& segment : segments) {
    if (!segment->transaction_index().missing()) continue;
    context().log.warning("{}: indexes are missing; its aborted transactions are looked for",
                          segment->log_path());
    const auto rebuilt = co_await log_.rebuild_transactions(segment);
    // Who asks for them is told of the damage.
    if (!rebuilt && rebuilt.error().fault == StorageFault::corrupt) continue;
    if (!rebuilt) co_return rebuilt;
    changed_names_ = true;
  }
  co_return StorageResult<void>();
}

}  // namespace millrace::storage
