module;
#include <algorithm>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "../segment/planted.hpp"

module millrace.storage.log;

namespace millrace::storage {

namespace {

// The log file comes last: as long as it has its old name, everything is as before.
constexpr SegmentFileKind indexes_then_log[] = {
    SegmentFileKind::offset_index, SegmentFileKind::time_index, SegmentFileKind::transaction_index,
    SegmentFileKind::log};

Task<StorageResult<void>> rename_all(SegmentContext& context, const std::string& directory,
                                     Offset base, FileStage from, FileStage to) {
  for (const SegmentFileKind kind : indexes_then_log) {
    if (kind == SegmentFileKind::log && !planted(Planted::swap_before_sync)) {
      // Names reach the disk in any order unless they are made to keep one.
      const auto synced = co_await context.files.sync_directory(directory);
      if (!synced) co_return storage_failure(synced.error(), directory);
    }
    const std::string old_path = path_in(directory, segment_file_name(base, kind, from));
    const std::string new_path = path_in(directory, segment_file_name(base, kind, to));
    const auto renamed = co_await context.files.rename(old_path, new_path);
    co_await context.open_files.forget(old_path);
    const bool needed = kind == SegmentFileKind::log;
    if (!renamed && (needed || renamed.error().fault != IoFault::not_found)) {
      co_return storage_failure(renamed.error(), old_path);
    }
  }
  const auto synced = co_await context.files.sync_directory(directory);
  // The log file has its new name: a start would go by it, whatever became of the log meanwhile.
  // For lack of a descriptor, too.
  if (!synced) {
    co_return storage_failure(StorageFault::offline, describe(synced.error(), directory));
  }
  co_return StorageResult<void>();
}

// Of an attempt that ended before the log file had its name. They are not those of this one.
Task<StorageResult<void>> remove_swapped_indexes(FileSystem& files, const std::string& directory,
                                                 Offset base) {
  for (const SegmentFileKind kind : indexes_then_log) {
    if (kind == SegmentFileKind::log) continue;
    auto removed = co_await remove_file_if_there(
        files, path_in(directory, segment_file_name(base, kind, FileStage::swap)));
    if (!removed) co_return removed;
  }
  co_return StorageResult<void>();
}

Task<StorageResult<SegmentSizes>> sizes_of(FileSystem& files, const std::string& directory,
                                           Offset base) {
  SegmentSizes sizes;
  for (const SegmentFileKind kind : indexes_then_log) {
    const std::string path = path_in(directory, segment_file_name(base, kind));
    const auto status = co_await files.status(path);
    if (!status && status.error().fault == IoFault::not_found && kind != SegmentFileKind::log) {
      continue;
    }
    if (!status) co_return storage_failure(status.error(), path);
    if (kind == SegmentFileKind::log) sizes.log = status->size;
    if (kind == SegmentFileKind::offset_index) sizes.offset_index = status->size;
    if (kind == SegmentFileKind::time_index) sizes.time_index = status->size;
    if (kind == SegmentFileKind::transaction_index) sizes.transaction_index = status->size;
  }
  co_return sizes;
}

// Of what comes after a replacement that is done.
StorageResult<void> unless_offline(StorageError error) {
  if (error.fault == StorageFault::offline) return failure(std::move(error));
  return {};
}

}  // namespace

Task<StorageResult<void>> Log::replace_segments(std::vector<std::shared_ptr<Segment>> replaced,
                                                std::uint64_t version) {
  const auto guard = co_await changes_.lock();
  if (auto usable_now = usable(); !usable_now) co_return usable_now;
  const auto first =
      std::search(segments_.begin(), segments_.end(), replaced.begin(), replaced.end());
  // Others may have had the lock before: what they wrote in the place of a cut is not in the new
  // one.
  const bool there = version == version_ && !replaced.empty() && first != segments_.end() &&
                     segments_.end() - first > std::ssize(replaced);
  if (!there) {
    co_return storage_failure(
        StorageFault::invalid,
        directory_ + ": the segments to be replaced are not there as they were");
  }
  const std::size_t index = static_cast<std::size_t>(first - segments_.begin());
  if (segment_end(index + replaced.size() - 1) > recovery_point_) {
    co_return storage_failure(StorageFault::invalid,
                              directory_ + ": the segments to be replaced are not durable yet");
  }
  const auto settling = co_await settling_.lock();
  if (auto online_now = online(); !online_now) co_return online_now;
  // A start settles segments again: not into the files of the one that takes their place.
  const Offset end = segment_end(index + replaced.size() - 1);
  while (!unsettled_.empty() && unsettled_.front().end <= end) {
    if (const auto settled = co_await settle_first(); !settled) {
      co_return failure(noted(settled.error()));
    }
  }
  const Offset base = replaced.front()->base();
  const auto done = co_await replace_locked(index, std::move(replaced));
  if (done) {
    // The producers as of where segments began that are gone: nobody asks for them any more. What
    // cannot be removed now is found by the next replacement.
    const auto snapshots = co_await snapshot_offsets();
    if (!snapshots) co_return unless_offline(noted(snapshots.error()));
    for (const Offset snapshot : *snapshots) {
      if (snapshot <= base || snapshot >= end || snapshot == snapshot_end_) continue;
      if (const auto gone = co_await remove_snapshot(snapshot); !gone) {
        co_return unless_offline(noted(gone.error()));
      }
    }
    co_return done;
  }
  StorageError error = done.error();
  // In the middle only a start can tell what the names of the files mean, whatever was lacking.
  if (version != version_) error.fault = StorageFault::offline;
  co_return failure(noted(std::move(error)));
}

Task<StorageResult<void>> Log::replace_locked(std::size_t index,
                                              std::vector<std::shared_ptr<Segment>> replaced) {
  const Offset base = replaced.front()->base();
  SegmentContext& context = context_.segments;
  if (auto removed = co_await remove_swapped_indexes(context.files, directory_, base); !removed) {
    co_return removed;
  }
  // From here on a start finishes the replacement.
  if (auto ready =
          co_await rename_all(context, directory_, base, FileStage::cleaned, FileStage::swap);
      !ready) {
    co_return ready;
  }
  const Cutting cutting(*this);
  // As long as the old log file is there, the indexes beside it are the old ones; without it they
  // are the new ones. So a start tells them apart.
  for (const auto& old : replaced) {
    if (auto renamed = co_await old->rename_indexes_to_deleted(); !renamed) co_return renamed;
  }
  if (auto synced = co_await sync_names(); !synced) co_return synced;
  for (const auto& old : replaced) {
    if (auto renamed = co_await old->rename_log_to_deleted(); !renamed) co_return renamed;
  }
  if (auto synced = co_await sync_names(); !synced) co_return synced;
  if (auto taken =
          co_await rename_all(context, directory_, base, FileStage::swap, FileStage::current);
      !taken) {
    co_return taken;
  }
  const auto sizes = co_await sizes_of(context.files, directory_, base);
  if (!sizes) co_return failure(sizes.error());
  auto segment = std::make_shared<Segment>(context, directory_, base,
                                           context.executor.clock().wall_now(), *sizes);
  const auto place = segments_.begin() + static_cast<std::ptrdiff_t>(index);
  segments_.erase(place + 1, place + std::ssize(replaced));
  segments_[index] = std::move(segment);
  for (auto& old : replaced) deletions_.add(std::move(old), config_.file_delete_delay);
  co_return StorageResult<void>();
}

}  // namespace millrace::storage
