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

module millrace.storage.log;

namespace millrace::storage {

Task<StorageResult<void>> Log::truncate(Offset offset) {
  const auto guard = co_await changes_.lock();
  if (auto usable_now = usable(); !usable_now) co_return usable_now;
  if (offset >= end_) co_return StorageResult<void>();
  const bool nothing_left = offset <= start_ && offset < segments_.front()->base();
  auto done = nothing_left ? co_await restart_locked(offset) : co_await truncate_locked(offset);
  if (!done) co_return failure(noted(done.error()));
  co_return done;
}

Task<StorageResult<void>> Log::restart_at(Offset offset) {
  const auto guard = co_await changes_.lock();
  if (auto usable_now = usable(); !usable_now) co_return usable_now;
  auto done = co_await restart_locked(offset);
  if (!done) co_return failure(noted(done.error()));
  co_return done;
}

// Before anything changes: after a crash what is cut, and what is then written in its place, must
// be looked at.
Task<StorageResult<void>> Log::lower_recovery_point(Offset offset) {
  if (recovery_point_ <= offset) co_return StorageResult<void>();
  recovery_point_ = offset;
  co_return co_await context_.keeper.save_recovery_point(*this);
}

Task<StorageResult<void>> Log::truncate_locked(Offset offset) {
  const auto settling = co_await settling_.lock();
  const std::size_t last = segment_index(offset);
  const std::shared_ptr<Segment> segment = segments_[last];
  const auto place = co_await segment->find(offset, segment->bytes());
  if (!place) co_return failure(place.error());
  // A batch is kept whole or not at all.
  const Offset end = *place ? std::min(offset, (*place)->header.base_offset) : offset;
  const std::uint64_t position = *place ? (*place)->position : segment->bytes();
  changed_ = true;
  ++version_;
  positions_.clear();
  tail_.clear();
  if (auto lowered = co_await lower_recovery_point(end); !lowered) co_return lowered;
  // A snapshot of what is cut would be believed after records took its place.
  if (auto removed = co_await remove_snapshots_above(end); !removed) co_return removed;
  std::erase_if(unsettled_, [&](const Unsettled& waiting) { return waiting.end > end; });
  if (last + 1 < segments_.size()) {
    auto removed = co_await remove_segments(last + 1, segments_.size() - last - 1);
    if (!removed) co_return removed;
  }
  if (auto cut = co_await segment->truncate(position, end); !cut) co_return cut;
  end_ = end;
  flushed_end_ = std::min(flushed_end_, end);
  start_ = std::min(start_, end);
  high_watermark_ = std::min(high_watermark_, end);
  if (epochs_.truncate_from_end(end)) {
    if (auto saved = co_await save_epochs(); !saved) co_return saved;
  }
  const auto from = co_await restore_producers(end);
  if (!from) co_return failure(from.error());
  co_return co_await replay_producers(*from, end);
}

Task<StorageResult<void>> Log::restart_locked(Offset offset) {
  const auto settling = co_await settling_.lock();
  changed_ = true;
  ++version_;
  positions_.clear();
  tail_.clear();
  // Until the old segments are gone for good they are the log, to be looked at from the beginning.
  auto lowered = co_await lower_recovery_point(std::min(segments_.front()->base(), offset));
  if (!lowered) co_return lowered;
  if (auto removed = co_await remove_snapshots_above(Offset(-1)); !removed) co_return removed;
  unsettled_.clear();
  const Timestamp now = context_.segments.executor.clock().wall_now();
  std::vector<std::shared_ptr<Segment>> removed(segments_.begin(), segments_.end());
  for (const auto& old : removed) {
    if (auto renamed = co_await old->rename_to_deleted(); !renamed) co_return renamed;
  }
  segments_.assign(1, std::make_shared<Segment>(context_.segments, directory_, offset, now));
  if (auto created = co_await segments_.back()->create(); !created) co_return created;
  const auto synced = co_await context_.segments.files.sync_directory(directory_);
  if (!synced) {
    co_return storage_failure(StorageFault::offline, describe(synced.error(), directory_));
  }
  for (auto& old : removed) deletions_.add(std::move(old), config_.file_delete_delay);
  start_ = end_ = flushed_end_ = high_watermark_ = offset;
  recovery_point_ = offset;
  snapshot_end_ = no_offset;
  producers_.clear();
  if (epochs_.clear()) {
    if (auto saved = co_await save_epochs(); !saved) co_return saved;
  }
  co_return co_await context_.keeper.save_log_start(*this);
}

// Takes segments out of the log: durably, when it succeeds. Their bytes are freed later.
Task<StorageResult<void>> Log::remove_segments(std::size_t first, std::size_t count) {
  const auto begin = segments_.begin() + static_cast<std::ptrdiff_t>(first);
  std::vector<std::shared_ptr<Segment>> removed(begin, begin + static_cast<std::ptrdiff_t>(count));
  for (const auto& segment : removed) {
    if (auto renamed = co_await segment->rename_to_deleted(); !renamed) co_return renamed;
  }
  const auto synced = co_await context_.segments.files.sync_directory(directory_);
  if (!synced) {
    co_return storage_failure(StorageFault::offline, describe(synced.error(), directory_));
  }
  const auto gone = segments_.begin() + static_cast<std::ptrdiff_t>(first);
  segments_.erase(gone, gone + static_cast<std::ptrdiff_t>(count));
  for (auto& segment : removed) deletions_.add(std::move(segment), config_.file_delete_delay);
  co_return StorageResult<void>();
}

}  // namespace millrace::storage
