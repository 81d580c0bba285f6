module;
#include <algorithm>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "../segment/planted.hpp"

module millrace.storage.log;

namespace millrace::storage {

namespace {

// A timestamp that is so far ahead is no matter of clocks that differ: Kafka refuses such records
// by default (message.timestamp.after.max.ms).
constexpr Milliseconds timestamp_ahead_max = std::chrono::hours(1);

}  // namespace

Task<StorageResult<void>> Log::delete_below(Offset offset) {
  const auto guard = co_await changes_.lock();
  if (auto usable_now = usable(); !usable_now) co_return usable_now;
  if (offset > high_watermark_) {
    co_return storage_failure(StorageFault::invalid, "offset " + std::to_string(offset.value()) +
                                                         " is above the high watermark, " +
                                                         std::to_string(high_watermark_.value()));
  }
  if (offset <= start_) co_return StorageResult<void>();
  const auto settling = co_await settling_.lock();
  if (auto online_now = online(); !online_now) co_return online_now;
  auto done = co_await move_start(offset);
  if (!done) co_return failure(noted(done.error()));
  co_return done;
}

// First the log says where it begins, then what lies before goes: whatever of that a crash leaves
// is removed when the log is opened.
Task<StorageResult<void>> Log::move_start(Offset offset) {
  changed_ = true;
  std::size_t count = 0;
  while (count + 1 < segments_.size() && segment_end(count) <= offset) ++count;
  // Of those who wrote last in what goes, the snapshot behind it alone is left: it is durable
  // before. Without space for it the segment stays until there is, deleted as it is.
  while (count > 0 && !unsettled_.empty() && unsettled_.front().end <= segments_[count]->base()) {
    auto settled = co_await settle_first();
    if (!settled && !is_shortage(settled.error().fault)) co_return settled;
    if (!settled) count = segment_index(unsettled_.front().segment->base());
  }
  const Offset before = std::exchange(start_, offset);
  StorageResult<void> start_saved;
  if (!planted(Planted::log_start_not_saved)) {
    start_saved = co_await context_.keeper.save_log_start(*this);
  }
  if (start_saved) {
    start_unsaved_ = false;
    co_return co_await start_moved(count);
  }
  // Else asking again would succeed at once, and the records come back after a crash.
  start_ = before;
  // Where it was written and its name could not be made durable, the file is put right again.
  if (start_saved.error().fault == StorageFault::limit) start_unsaved_ = true;
  const bool full = start_saved.error().fault == StorageFault::no_space;
  if (!full || count == 0 || offset != segments_[count]->base()) co_return start_saved;
  // A disk that is full to the last byte must be able to get room: a log that was never said to
  // begin elsewhere begins with its first segment. One by one, so that a crash leaves no gap.
  // Its file goes before its indexes, for certain: back without that of transactions, it would show
  // what was aborted.
  for (; count > 0; --count) {
    if (auto gone = co_await segments_.front()->rename_log_to_deleted(); !gone) co_return gone;
    ++names_made_;
    const auto synced = co_await sync_names();
    if (!synced && synced.error().fault == StorageFault::offline) co_return synced;
    start_ = segments_[1]->base();
    if (auto moved = co_await start_moved(1); !moved) co_return moved;
  }
  co_return StorageResult<void>();
}

// So many segments lie below the new start.
Task<StorageResult<void>> Log::start_moved(std::size_t count) {
  producers_.log_start_moved(start_);
  const bool epochs_changed = epochs_.truncate_from_start(start_);
  if (count > 0) {
    if (auto removed = co_await remove_below_start(count); !removed) co_return removed;
  }
  if (!epochs_changed) co_return StorageResult<void>();
  // Not before: where the start could not be saved a crash may bring back what they are about. What
  // the file says too much is known by the start: it does not keep anything from going.
  auto saved = co_await save_epochs();
  if (!saved && !is_shortage(saved.error().fault)) co_return saved;
  co_return StorageResult<void>();
}

Task<StorageResult<void>> Log::remove_below_start(std::size_t count) {
  auto removed = co_await remove_segments(0, count);
  // What was removed before it was durable need not become so.
  const Offset first_kept = segments_.front()->base();
  recovery_point_ = std::max(recovery_point_, first_kept);
  flushed_end_ = std::max(flushed_end_, first_kept);
  if (!removed) co_return removed;
  const auto snapshots = co_await snapshot_offsets();
  if (!snapshots) co_return failure(snapshots.error());
  for (const Offset snapshot : *snapshots) {
    if (snapshot >= first_kept || snapshot == snapshot_end_) continue;
    if (auto gone = co_await remove_snapshot(snapshot); !gone) co_return gone;
  }
  co_return StorageResult<void>();
}

// As in Kafka, a segment without timestamps is as old as the last change of its file: that lasts
// when the process does not. One whose batches are too damaged to say is, too: it keeps the younger
// ones from going for a while at the most.
Task<StorageResult<Timestamp>> Log::youngest_in(Segment& segment) {
  const auto largest = co_await segment.largest_timestamp();
  if (largest && largest->timestamp >= Timestamp(0)) co_return largest->timestamp;
  if (!largest) {
    if (largest.error().fault != StorageFault::corrupt) co_return failure(largest.error());
    context_.segments.log.warning("{}; for retention it is as old as its file",
                                  largest.error().message);
  }
  const auto status = co_await context_.segments.files.status(segment.log_path());
  if (!status) co_return storage_failure(status.error(), segment.log_path());
  co_return status->modified;
}

Task<Log::Expired> Log::expired() {
  const Timestamp now = context_.segments.executor.clock().wall_now();
  std::uint64_t size = size_bytes();
  Expired found;
  for (; found.count < segments_.size(); ++found.count) {
    const std::shared_ptr<Segment> segment = segments_[found.count];
    // What is not replicated stays, and an empty last segment is no reason to make another one.
    const bool last = found.count + 1 == segments_.size();
    if (segment_end(found.count) > high_watermark_ || (last && segment->empty())) break;
    bool goes = segment_end(found.count) <= start_;
    if (!goes && config_.deletes && config_.retention_bytes) {
      goes = size - segment->bytes() >= *config_.retention_bytes;
    }
    if (!goes && config_.deletes && config_.retention) {
      const auto youngest = co_await youngest_in(*segment);
      if (!youngest) {
        found.seen = failure(youngest.error());
        break;
      }
      const std::int64_t age = now.since(*youngest);
      goes = age > config_.retention->count();
      if (-age > timestamp_ahead_max.count() && future_told_ != segment->base()) {
        future_told_ = segment->base();
        context_.segments.log.warning(
            "{} has records with timestamps in the future, up to {} ms: retention by time keeps it "
            "until then",
            segment->log_path(), youngest->value());
      }
    }
    if (!goes) break;
    size -= segment->bytes();
  }
  co_return found;
}

Task<StorageResult<void>> Log::remove_expired(std::size_t count) {
  if (count == 0) co_return StorageResult<void>();
  const auto settling = co_await settling_.lock();
  if (auto online_now = online(); !online_now) co_return online_now;
  auto moved = co_await move_start(std::max(start_, segments_[count]->base()));
  if (!moved) co_return failure(noted(moved.error()));
  co_return moved;
}

Task<StorageResult<std::size_t>> Log::apply_retention() {
  const auto guard = co_await changes_.lock();
  if (const auto usable_now = usable(); !usable_now) co_return failure(usable_now.error());
  const Expired found = co_await expired();
  std::size_t before = segments_.size();
  // The last one can only go when there is another one behind it, which takes space: those that
  // go without come first.
  const bool all = found.count == before;
  auto done = co_await remove_expired(all ? before - 1 : found.count);
  if (done && all) {
    done = co_await roll_locked(end_);
    if (done) {
      ++before;
      done = co_await remove_expired(segments_.size() - 1);
    }
  }
  const std::size_t removed = before - segments_.size();
  if (done) done = found.seen;
  if (done) co_return StorageResult<std::size_t>(removed);
  const StorageError error = noted(done.error());
  if (removed == 0 || error.fault == StorageFault::offline) co_return failure(error);
  context_.segments.log.warning("{}: retention could not remove all that it should: {}", directory_,
                                error.message);
  co_return StorageResult<std::size_t>(removed);
}

}  // namespace millrace::storage
