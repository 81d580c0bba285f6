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
    if (!settled && settled.error().fault != StorageFault::no_space) co_return settled;
    if (!settled) count = segment_index(unsettled_.front().segment->base());
  }
  const Offset first_kept = segments_[count]->base();
  const Offset before = std::exchange(start_, offset);
  StorageResult<void> start_saved;
  if (!planted(Planted::log_start_not_saved)) {
    start_saved = co_await context_.keeper.save_log_start(*this);
  }
  if (!start_saved) {
    // Else asking again would succeed at once, and the records come back after a crash.
    start_ = before;
    co_return start_saved;
  }
  start_unsaved_ = false;
  producers_.log_start_moved(offset);
  if (epochs_.truncate_from_start(offset)) {
    if (auto saved = co_await save_epochs(); !saved) co_return saved;
  }
  if (count == 0) co_return StorageResult<void>();
  std::erase_if(unsettled_, [&](const Unsettled& waiting) { return waiting.end <= first_kept; });
  if (auto removed = co_await remove_segments(0, count); !removed) co_return removed;
  const auto snapshots = co_await snapshot_offsets();
  if (!snapshots) co_return failure(snapshots.error());
  for (const Offset snapshot : *snapshots) {
    if (snapshot >= first_kept || snapshot == snapshot_end_) continue;
    if (auto removed = co_await remove_snapshot(snapshot); !removed) co_return removed;
  }
  // What was removed before it was durable need not become so.
  recovery_point_ = std::max(recovery_point_, first_kept);
  flushed_end_ = std::max(flushed_end_, first_kept);
  co_return StorageResult<void>();
}

// How many segments, from the oldest on, retention does not keep.
Task<StorageResult<std::size_t>> Log::retention_count() {
  const Timestamp now = context_.segments.executor.clock().wall_now();
  std::uint64_t size = size_bytes();
  std::size_t count = 0;
  for (; count < segments_.size(); ++count) {
    const std::shared_ptr<Segment> segment = segments_[count];
    // What is not replicated stays, and an empty last segment is no reason to make another one.
    if (segment_end(count) > high_watermark_ || segment->empty()) break;
    bool goes = segment_end(count) <= start_;
    if (!goes && config_.deletes && config_.retention_bytes) {
      goes = size - segment->bytes() >= *config_.retention_bytes;
    }
    if (!goes && config_.deletes && config_.retention) {
      const auto largest = co_await segment->largest_timestamp();
      if (!largest) co_return failure(largest.error());
      const Timestamp youngest =
          largest->timestamp >= Timestamp(0) ? largest->timestamp : segment->opened_at();
      goes = now.since(youngest) > config_.retention->count();
    }
    if (!goes) break;
    size -= segment->bytes();
  }
  co_return StorageResult<std::size_t>(count);
}

Task<StorageResult<std::size_t>> Log::apply_retention() {
  const auto guard = co_await changes_.lock();
  if (const auto usable_now = usable(); !usable_now) co_return failure(usable_now.error());
  const auto count = co_await retention_count();
  if (!count) co_return failure(noted(count.error()));
  if (*count == 0) co_return StorageResult<std::size_t>(0);
  if (*count == segments_.size()) {
    if (const auto rolled = co_await roll_locked(end_); !rolled) {
      co_return failure(noted(rolled.error()));
    }
  }
  const auto settling = co_await settling_.lock();
  if (const auto online_now = online(); !online_now) co_return failure(online_now.error());
  const Offset start = std::max(start_, segments_[*count]->base());
  if (const auto moved = co_await move_start(start); !moved) {
    co_return failure(noted(moved.error()));
  }
  co_return StorageResult<std::size_t>(*count);
}

}  // namespace millrace::storage
