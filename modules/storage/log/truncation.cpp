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

// Where a shortage cannot be waited for.
[[nodiscard]] StorageError in_the_middle(StorageError error) {
  if (is_shortage(error.fault)) error.fault = StorageFault::offline;
  return error;
}

}  // namespace

Task<StorageResult<void>> Log::truncate(Offset offset) {
  const auto guard = co_await changes_.lock();
  if (auto usable_now = usable(); !usable_now) co_return usable_now;
  if (offset >= end_) co_return StorageResult<void>();
  const auto settling = co_await settling_.lock();
  if (auto online_now = online(); !online_now) co_return online_now;
  const bool nothing_left = offset <= start_ && offset < segments_.front()->base();
  auto done = nothing_left ? co_await restart_locked(offset) : co_await truncate_locked(offset);
  if (!done) co_return failure(noted(done.error()));
  co_return done;
}

Task<StorageResult<void>> Log::restart_at(Offset offset) {
  const auto guard = co_await changes_.lock();
  if (auto usable_now = usable(); !usable_now) co_return usable_now;
  const auto settling = co_await settling_.lock();
  if (auto online_now = online(); !online_now) co_return online_now;
  auto done = co_await restart_locked(offset);
  if (!done) co_return failure(noted(done.error()));
  co_return done;
}

// What readers have found, and what they are finding, may not be there any more.
void Log::forget_places() {
  ++version_;
  positions_.clear();
  tail_.clear();
}

// Before anything changes: after a crash what is cut, and what is then written in its place, must
// be looked at.
Task<StorageResult<void>> Log::lower_recovery_point(Offset offset) {
  if (recovery_point_ <= offset) co_return StorageResult<void>();
  const Offset before = std::exchange(recovery_point_, offset);
  if (planted(Planted::recovery_point_not_lowered)) co_return StorageResult<void>();
  auto saved = co_await context_.keeper.save_recovery_point(*this);
  // The file may have the higher one still: who cuts later must lower it again.
  if (!saved) recovery_point_ = before;
  co_return saved;
}

// What a cut cannot be finished without is asked for while nothing has changed: descriptors of the
// files, which are kept open, and of the directory.
Task<StorageResult<void>> Log::ask_for_files(std::shared_ptr<Segment> segment,
                                             std::vector<OpenFiles::Lease>& files) {
  if (segment) {
    auto opened = co_await segment->open_for_cut();
    if (!opened) co_return failure(opened.error());
    files = std::move(*opened);
  }
  if (const auto listed = co_await snapshot_offsets(); !listed) co_return failure(listed.error());
  co_return co_await sync_names();
}

// The first batch that goes. No CRC covers its offsets: what lies around it must bear them out, or
// records before the offset could go, or some behind it stay.
Task<StorageResult<std::optional<BatchPlace>>> Log::first_to_cut(std::size_t index, Offset offset) {
  using Found = StorageResult<std::optional<BatchPlace>>;
  const std::shared_ptr<Segment> segment = segments_[index];
  const auto from = co_await segment->well_before(offset);
  if (!from) co_return failure(from.error());
  const auto lease = co_await segment->open_log();
  if (!lease) co_return failure(lease.error());
  SegmentContext& context = context_.segments;
  BatchWalker walker(context.files, context.buffers, lease->handle(), segment->log_path(), *from,
                     segment->bytes());
  BatchOrder order = *from == 0 ? BatchOrder(segment->base()) : BatchOrder();
  std::optional<BatchPlace> before;
  std::optional<BatchPlace> found;
  for (;;) {
    const auto place = co_await walker.next();
    if (!place) co_return failure(place.error());
    if (!*place) break;
    const auto misplaced = co_await segment->misplaced(order, (*place)->position, (*place)->header);
    if (!misplaced) co_return failure(misplaced.error());
    if (*misplaced) co_return failure(damage(*segment, **misplaced));
    // What the one behind a gap says of it was right.
    if (found) co_return Found(found);
    if ((*place)->header.last_offset() < offset) {
      before = **place;
      continue;
    }
    found = **place;
    if (auto whole = co_await segment->check_batch(*found); !whole) {
      co_return failure(whole.error());
    }
    if (!order.behind_gap()) co_return Found(found);
    if (!before) continue;
    if (auto whole = co_await segment->check_batch(*before); !whole) {
      co_return failure(whole.error());
    }
  }
  if (const auto misplaced = order.end(segment_end(index))) {
    co_return failure(damage(*segment, *misplaced));
  }
  co_return Found(found);
}

Task<StorageResult<void>> Log::truncate_locked(Offset offset) {
  const std::size_t last = segment_index(offset);
  const std::shared_ptr<Segment> segment = segments_[last];
  const auto place = co_await first_to_cut(last, offset);
  if (!place) co_return failure(place.error());
  // A batch is kept whole or not at all.
  const Offset end = *place ? std::min(offset, (*place)->header.base_offset) : offset;
  const std::uint64_t position = *place ? (*place)->position : segment->bytes();
  // The producers as of the new end, while a log that cannot be read may still stay as it is.
  ProducerStates producers(context_.producers);
  const Offset snapshot_end = snapshot_end_;
  const auto from = co_await restore_producers(producers, end);
  StorageResult<void> ready;
  if (!from) ready = failure(from.error());
  if (from) ready = co_await replay_producers(producers, *from, end);
  std::vector<OpenFiles::Lease> files;
  if (ready) ready = co_await ask_for_files(segment, files);
  if (!ready) {
    snapshot_end_ = snapshot_end;
    co_return ready;
  }
  const Cutting cutting(*this);
  if (auto lowered = co_await lower_recovery_point(end); !lowered) co_return lowered;
  // Half a cut is none. A shortage that begins just now leaves files of which only a start can tell
  // what they mean.
  if (const auto done = co_await cut(last, position, end, producers); !done) {
    co_return failure(in_the_middle(done.error()));
  }
  // What is in memory is right again before something can be lacking space.
  if (start_unsaved_) {
    if (auto saved = co_await save_start(); !saved) co_return saved;
  }
  if (!epochs_unsaved_) co_return StorageResult<void>();
  co_return co_await save_epochs();
}

Task<StorageResult<void>> Log::cut(std::size_t last, std::uint64_t position, Offset end,
                                   ProducerStates& producers) {
  // A snapshot of what is cut would be believed after records took its place.
  if (auto removed = co_await remove_snapshots_above(end); !removed) co_return removed;
  std::erase_if(unsettled_, [&](const Unsettled& waiting) { return waiting.end > end; });
  if (last + 1 < segments_.size()) {
    auto removed = co_await remove_segments(last + 1, segments_.size() - last - 1);
    if (!removed) co_return removed;
  }
  if (auto done = co_await segments_[last]->truncate(position, end); !done) co_return done;
  end_ = end;
  cut_since_append_ = true;
  flushed_end_ = std::min(flushed_end_, end);
  high_watermark_ = std::min(high_watermark_, end);
  if (start_ > end && !planted(Planted::lower_start_not_saved)) start_unsaved_ = true;
  start_ = std::min(start_, end);
  if (epochs_.truncate_from_end(end)) epochs_unsaved_ = true;
  producers_.swap(producers);
  producers_.high_watermark_moved(high_watermark_);
  co_return StorageResult<void>();
}

Task<StorageResult<void>> Log::restart_locked(Offset offset) {
  std::vector<OpenFiles::Lease> files;
  const std::shared_ptr<Segment> there = segments_[segment_index(offset)];
  auto asked = co_await ask_for_files(there->base() == offset ? there : nullptr, files);
  if (!asked) co_return asked;
  const Cutting cutting(*this);
  // Until the old segments are gone for good they are the log, to be looked at from the beginning:
  // without their epochs, which none of the new records may be held against.
  auto lowered = co_await lower_recovery_point(std::min(segments_.front()->base(), offset));
  if (!lowered) co_return lowered;
  const LeaderEpochCache epochs = epochs_;
  const bool cleared = epochs_.clear();
  auto ready = cleared ? co_await save_epochs() : StorageResult<void>();
  std::shared_ptr<Segment> fresh;
  if (ready) {
    auto made = co_await segment_at(offset);
    if (made) fresh = *made;
    if (!made) ready = failure(made.error());
  }
  if (!ready) {
    epochs_ = epochs;
    epochs_unsaved_ = epochs_unsaved_ || cleared;
    co_return ready;
  }
  // The new segment is there: from here on it goes on or only a start can put the names in order.
  if (const auto done = co_await restart_with(std::move(fresh), offset); !done) {
    co_return failure(in_the_middle(done.error()));
  }
  start_unsaved_ = true;
  co_return co_await save_start();
}

Task<StorageResult<void>> Log::restart_with(std::shared_ptr<Segment> fresh, Offset offset) {
  auto told = co_await tell_of_no_producers(offset);
  if (!told) co_return failure(told.error());
  const Offset kept = *told ? offset : no_offset;
  if (auto removed = co_await remove_snapshots_above(Offset(-1), kept); !removed) {
    co_return removed;
  }
  if (segments_[segment_index(offset)] == fresh) {
    if (auto done = co_await fresh->truncate(0, offset); !done) co_return done;
  }
  unsettled_.clear();
  std::vector<std::shared_ptr<Segment>> removed(segments_.begin(), segments_.end());
  std::erase(removed, fresh);
  for (const auto& old : removed) {
    if (auto renamed = co_await old->rename_to_deleted(); !renamed) co_return renamed;
  }
  segments_.assign(1, std::move(fresh));
  if (auto synced = co_await sync_names(); !synced) co_return synced;
  for (auto& old : removed) deletions_.add(std::move(old), config_.file_delete_delay);
  start_ = end_ = flushed_end_ = high_watermark_ = offset;
  recovery_point_ = offset;
  snapshot_end_ = kept;
  producers_.clear();
  co_return StorageResult<void>();
}

// Where all there is lies below the start, which is durable: a start that finds old segments once
// more is told not to look at them. Without their snapshots they would tell of some producers, and
// of those wrongly. Without space they are looked at.
Task<StorageResult<bool>> Log::tell_of_no_producers(Offset start) {
  if (start != start_ || end_ >= start) co_return StorageResult<bool>(false);
  const auto saved =
      co_await save_producer_snapshot(context_.segments.files, directory_, start, {});
  if (!saved && !is_shortage(saved.error().fault)) co_return failure(saved.error());
  co_return StorageResult<bool>(saved.has_value());
}

// Else what is appended from here on would count as deleted after the next start. Without space
// this comes before the next append.
Task<StorageResult<void>> Log::save_start() {
  auto saved = co_await context_.keeper.save_log_start(*this);
  if (saved) start_unsaved_ = false;
  co_return saved;
}

// One that begins at the offset: that of the log, or a new one.
Task<StorageResult<std::shared_ptr<Segment>>> Log::segment_at(Offset offset) {
  using Made = StorageResult<std::shared_ptr<Segment>>;
  const std::shared_ptr<Segment> there = segments_[segment_index(offset)];
  if (there->base() == offset) co_return Made(there);
  const Timestamp now = context_.segments.executor.clock().wall_now();
  auto segment = std::make_shared<Segment>(context_.segments, directory_, offset, now);
  if (auto created = co_await segment->create(); !created) co_return failure(created.error());
  ++names_made_;
  co_return Made(std::move(segment));
}

// Takes segments out of the log: durably, when it succeeds. Their bytes are freed later. After a
// shortage the first ones, or all, are out, and may be back after a crash.
Task<StorageResult<void>> Log::remove_segments(std::size_t first, std::size_t count) {
  const auto begin = segments_.begin() + static_cast<std::ptrdiff_t>(first);
  std::vector<std::shared_ptr<Segment>> removed(begin, begin + static_cast<std::ptrdiff_t>(count));
  StorageResult<void> done;
  for (std::size_t i = 0; i < count && done; ++i) {
    done = co_await removed[i]->rename_to_deleted();
    if (!done) removed.resize(i);
  }
  if (!done && done.error().fault == StorageFault::offline) co_return done;
  if (!planted(Planted::removal_not_synced)) {
    auto synced = co_await sync_names();
    if (!synced && synced.error().fault == StorageFault::offline) co_return synced;
    // It is made up for by whoever syncs next.
    if (!synced) ++names_made_;
    if (done) done = std::move(synced);
  }
  const auto gone = segments_.begin() + static_cast<std::ptrdiff_t>(first);
  segments_.erase(gone, gone + std::ssize(removed));
  for (auto& segment : removed) deletions_.add(std::move(segment), config_.file_delete_delay);
  co_return done;
}

}  // namespace millrace::storage
