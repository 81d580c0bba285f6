module;
#include <algorithm>
#include <chrono>
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

// Segments that were rolled and are not durable yet. Each has what was known of the producers.
constexpr std::size_t unsettled_rolls_max = 64;

}  // namespace

Log::Log(LogContext& context, LogOpening opening)
    : context_(context),
      partition_(std::move(opening.partition)),
      directory_(std::move(opening.directory)),
      config_(opening.config),
      producers_(context.producers),
      start_(opening.log_start),
      recovery_point_(opening.recovery_point),
      tail_(context.tails),
      writer_start_(*this),
      deletions_(context.segments.executor, [this](const StorageError& error) {
        context_.segments.log.warning("{}", noted(error).message);
      }) {}

Log::~Log() {
  check(closed_ && background_.running() == 0, "a log is closed before it goes");
}

StorageResult<void> Log::usable() const {
  if (closed_) return storage_failure(StorageFault::invalid, directory_ + " is closed");
  return online();
}

// To be asked again after waiting for a lock: whoever had it may have found that the device failed.
StorageResult<void> Log::online() const {
  if (offline_) return storage_failure(StorageFault::offline, directory_ + " is offline");
  return {};
}

StorageError Log::noted(StorageError error) {
  if (planted(Planted::failure_not_noted)) return error;
  if (error.fault == StorageFault::offline && !offline_) {
    offline_ = true;
    deletions_.stop();
    context_.segments.log.error("{} goes offline: {}", directory_, error.message);
    context_.keeper.went_offline(*this, error);
  }
  return error;
}

Log::Cutting::Cutting(Log& log) : log_(log) {
  log_.changed_ = true;
  log_.forget_places();
}

Log::Cutting::~Cutting() {
  log_.forget_places();
}

void Log::report(const StorageError& error) {
  static_cast<void>(noted(error));
}

std::uint64_t Log::size_bytes() const {
  std::uint64_t sum = 0;
  for (const auto& segment : segments_) sum += segment->bytes();
  return sum;
}

void Log::set_high_watermark(Offset offset) {
  check(offset <= end_, "the high watermark is at most the end of the log");
  high_watermark_ = offset;
  producers_.high_watermark_moved(offset);
}

Offset Log::last_stable_offset() const {
  const auto unstable = producers_.first_unstable_offset();
  // Of a transaction the first records may be deleted.
  return unstable ? std::max(start_, std::min(*unstable, high_watermark_)) : high_watermark_;
}

void Log::expire_producers() {
  static_cast<void>(producers_.remove_expired(context_.segments.executor.clock().wall_now(),
                                              config_.producer_expiration.count()));
}

// The segment that holds the offset, or would.
std::size_t Log::segment_index(Offset offset) const {
  const auto after =
      std::upper_bound(segments_.begin(), segments_.end(), offset,
                       [](Offset wanted, const auto& segment) { return wanted < segment->base(); });
  return after == segments_.begin() ? 0 : static_cast<std::size_t>(after - segments_.begin()) - 1;
}

Offset Log::segment_end(std::size_t index) const {
  return index + 1 < segments_.size() ? segments_[index + 1]->base() : end_;
}

// --- Rolling ---

Task<StorageResult<void>> Log::roll() {
  const auto guard = co_await changes_.lock();
  if (auto usable_now = usable(); !usable_now) co_return usable_now;
  if (active().empty()) co_return StorageResult<void>();
  auto done = co_await roll_locked(end_);
  if (!done) co_return failure(noted(done.error()));
  co_return done;
}

// `base` is the end of the log, or, if the last segment is empty, behind it: the next batch lies so
// far away that the empty segment could not hold it.
Task<StorageResult<void>> Log::roll_locked(Offset base) {
  if (active().has_rest()) {
    if (auto cut = co_await active().cut_back(); !cut) co_return cut;
  }
  const Timestamp now = context_.segments.executor.clock().wall_now();
  auto segment = std::make_shared<Segment>(context_.segments, directory_, base, now);
  const bool leaves_gap = base != end_ || cut_since_append_;
  if (leaves_gap) {
    if (auto flushed = co_await flush_locked(); !flushed) co_return flushed;
  }
  if (auto created = co_await segment->create(); !created) co_return created;
  if (leaves_gap) {
    // It tells recovery that nothing is missing before the new segment.
    const auto settling = co_await settling_.lock();
    if (auto online_now = online(); !online_now) co_return online_now;
    auto saved = co_await save_producer_snapshot(context_.segments.files, directory_, base,
                                                 producers_.snapshot_entries());
    if (!saved) {
      if (saved.error().fault == StorageFault::offline) co_return failure(noted(saved.error()));
      auto taken_back = co_await take_back(*segment);
      co_return failure(taken_back ? saved.error() : noted(taken_back.error()));
    }
    snapshot_end_ = base;
  }
  ++names_made_;
  changed_ = true;
  const std::shared_ptr<Segment> sealed = segments_.back();
  segments_.push_back(std::move(segment));
  roll_jitter_ = next_jitter();
  if (sealed->empty()) co_return co_await remove_empty(sealed);
  sealed->finish();
  unsettled_.push_back({sealed, end_, producers_.snapshot_entries()});
  start_settling();
  if (unsettled_.size() <= unsettled_rolls_max) co_return StorageResult<void>();
  // Whoever appends faster than the disk makes segments durable waits for it.
  const auto settling = co_await settling_.lock();
  StorageResult<void> done = online();
  if (done) done = co_await settle_down_to(unsettled_rolls_max);
  if (done) co_return done;
  // Without space or descriptors they wait after all.
  if (is_shortage(done.error().fault)) co_return StorageResult<void>();
  co_return failure(noted(done.error()));
}

// Where it stays the new one goes: another batch may belong into the old one.
Task<StorageResult<void>> Log::remove_empty(std::shared_ptr<Segment> empty) {
  auto removed = co_await remove_segments(segments_.size() - 2, 1);
  const bool stays = segments_.size() > 1 && segments_[segments_.size() - 2] == empty;
  if (removed || removed.error().fault == StorageFault::offline || !stays) co_return removed;
  const std::shared_ptr<Segment> fresh = segments_.back();
  segments_.pop_back();
  roll_jitter_ = next_jitter();
  snapshot_end_ = no_offset;
  const auto taken_back = co_await take_back(*fresh);
  co_return failure(taken_back ? removed.error() : noted(taken_back.error()));
}

// Else a start would find it as the last segment, whatever is appended to the one before, and
// believe the snapshot that may be there. Both are gone for good before anything is appended.
Task<StorageResult<void>> Log::take_back(const Segment& segment) {
  co_await context_.segments.open_files.forget(segment.log_path());
  auto removed = co_await remove_file_if_there(context_.segments.files, segment.log_path());
  if (removed) removed = co_await remove_snapshot(segment.base());
  names_needed_ = ++names_made_;
  if (removed) co_return removed;
  co_return storage_failure(StorageFault::offline, removed.error().message);
}

// Spreads the rolls of partitions that were made at the same time; the same for every life of a
// partition's segment. At most the age itself, as in Kafka.
Milliseconds Log::next_jitter() const {
  const auto most = std::min(config_.segment_jitter_max, config_.segment_age_max).count();
  if (most <= 0) return Milliseconds(0);
  Random random(static_cast<std::uint64_t>(active().base().value()) * 0x9e3779b97f4a7c15u +
                static_cast<std::uint64_t>(partition_.partition.value()) +
                std::hash<std::string>{}(partition_.topic));
  return Milliseconds(random.below(static_cast<std::uint64_t>(most)));
}

// --- Making durable ---

// Appending goes on meanwhile.
Task<StorageResult<void>> Log::flush() {
  const auto guard = co_await settling_.lock();
  if (auto usable_now = usable(); !usable_now) co_return usable_now;
  auto done = co_await flush_locked();
  if (!done) co_return failure(noted(done.error()));
  co_return done;
}

// With changes_ or settling_ locked: nothing is cut.
Task<StorageResult<void>> Log::flush_locked() {
  const Offset end = end_;
  if (flushed_end_ == end && !names_dirty()) co_return StorageResult<void>();
  // From the oldest on, so that what is durable has no gap; a clean one may lie behind a dirty one.
  const std::vector<std::shared_ptr<Segment>> dirty(
      segments_.begin() + static_cast<std::ptrdiff_t>(segment_index(
                              planted(Planted::flush_of_the_last_only) ? end : flushed_end_)),
      segments_.end());
  for (const auto& segment : dirty) {
    if (auto synced = co_await segment->sync_log(); !synced) co_return synced;
  }
  if (names_dirty() && !planted(Planted::directory_not_synced)) {
    // Another flush that begins meanwhile waits for the disk as well.
    if (auto synced = co_await sync_names(); !synced) co_return synced;
  }
  flushed_end_ = std::max(flushed_end_, end);
  co_return StorageResult<void>();
}

Task<StorageResult<void>> Log::sync_names() {
  const std::uint64_t made = names_made_;
  const auto synced = co_await context_.segments.files.sync_directory(directory_);
  if (!synced) co_return failure(directory_sync_error(synced.error(), directory_));
  names_durable_ = std::max(names_durable_, made);
  co_return StorageResult<void>();
}

void Log::start_settling() {
  if (settling_started_) return;
  settling_started_ = true;
  background_.start(settle());
}

// Makes what was rolled durable, so that a start after a crash need not read it.
Task<void> Log::settle() {
  while (!unsettled_.empty() && !offline_) {
    const auto guard = co_await settling_.lock();
    if (unsettled_.empty() || offline_) break;
    const auto done = co_await settle_first();
    if (done) continue;
    const StorageError error = noted(done.error());
    // The next roll, checkpoint() or closing goes on with it, if there is then what it lacked.
    context_.segments.log.warning("{}: a segment that was rolled is not durable yet: {}",
                                  directory_, error.message);
    break;
  }
  settling_started_ = false;
}

Task<StorageResult<void>> Log::settle_first() {
  // A copy: the list grows when the log rolls meanwhile.
  const Unsettled first = unsettled_.front();
  if (!planted(Planted::recovery_point_before_data)) {
    if (auto synced = co_await first.segment->sync_log(); !synced) co_return synced;
  }
  if (auto saved = co_await save_producer_snapshot(context_.segments.files, directory_, first.end,
                                                   first.producers);
      !saved) {
    co_return saved;
  }
  snapshot_end_ = std::max(snapshot_end_, first.end);
  if (auto synced = co_await first.segment->sync_indexes(); !synced) co_return synced;
  if (auto synced = co_await sync_names(); !synced) co_return synced;
  flushed_end_ = std::max(flushed_end_, first.end);
  recovery_point_ = std::max(recovery_point_, first.end);
  unsettled_.erase(unsettled_.begin());
  co_return StorageResult<void>();
}

// Until so many wait at the most. With settling_ locked, or while the log is opened.
Task<StorageResult<void>> Log::settle_down_to(std::size_t left) {
  while (unsettled_.size() > left) {
    if (auto settled = co_await settle_first(); !settled) co_return settled;
  }
  co_return StorageResult<void>();
}

Task<StorageResult<void>> Log::checkpoint() {
  if (!unsettled_.empty() && !closed_ && !offline_) start_settling();
  if (!config_.flushes() || recovery_point_ == end_) co_return StorageResult<void>();
  std::vector<ProducerSnapshotEntry> producers;
  std::shared_ptr<Segment> segment;
  Offset end;
  std::uint64_t version = 0;
  // Most of it while appending goes on.
  if (auto flushed = co_await flush(); !flushed) co_return flushed;
  {
    const auto guard = co_await changes_.lock();
    if (auto usable_now = usable(); !usable_now) co_return usable_now;
    if (const auto flushed = co_await flush_locked(); !flushed) {
      co_return failure(noted(flushed.error()));
    }
    producers = producers_.snapshot_entries();
    segment = segments_.back();
    end = end_;
    version = version_;
  }
  const auto guard = co_await settling_.lock();
  if (auto online_now = online(); !online_now) co_return online_now;
  // What was rolled before comes first, and what was cut meanwhile does not count.
  if (!unsettled_.empty() || version != version_ || segment != segments_.back()) {
    co_return StorageResult<void>();
  }
  auto done = co_await settle_active(*segment, end, std::move(producers));
  if (!done) co_return failure(noted(done.error()));
  co_return done;
}

Task<StorageResult<void>> Log::settle_active(Segment& segment, Offset end,
                                             std::vector<ProducerSnapshotEntry> producers) {
  const Offset before = snapshot_end_;
  if (before != end) {
    if (auto saved = co_await save_producer_snapshot(context_.segments.files, directory_, end,
                                                     std::move(producers));
        !saved) {
      co_return saved;
    }
    snapshot_end_ = end;
  }
  if (auto synced = co_await segment.sync_indexes(); !synced) co_return synced;
  if (auto synced = co_await sync_names(); !synced) co_return synced;
  recovery_point_ = std::max(recovery_point_, end);
  // Those at the beginning of a segment stay as long as it does.
  if (before > segment.base() && before != end) co_return co_await remove_snapshot(before);
  co_return StorageResult<void>();
}

Task<StorageResult<void>> Log::save_epochs() {
  if (planted(Planted::epochs_not_saved)) co_return StorageResult<void>();
  const std::vector<EpochEntry> entries(epochs_.entries().begin(), epochs_.entries().end());
  auto saved = co_await save_leader_epoch_checkpoint(context_.segments.files, directory_, entries);
  epochs_unsaved_ = !saved;
  co_return saved;
}

// --- Ending ---

Task<StorageResult<void>> Log::close() {
  StorageResult<void> done;
  {
    const auto guard = co_await changes_.lock();
    // Those that were asked for before are still written.
    while (first_waiting_ != nullptr) co_await write_group();
    closed_ = true;
    if (changed_ && !offline_) done = co_await settle_all();
    if (!done) static_cast<void>(noted(done.error()));
  }
  co_await abandon();
  co_return done;
}

Task<StorageResult<void>> Log::settle_all() {
  if (start_unsaved_) {
    if (auto saved = co_await save_start(); !saved) co_return saved;
  }
  if (active().has_rest()) {
    if (auto cut = co_await active().cut_back(); !cut) co_return cut;
  }
  if (auto flushed = co_await flush_locked(); !flushed) co_return flushed;
  const auto guard = co_await settling_.lock();
  StorageResult<void> done = online();
  if (done) done = co_await settle_down_to(0);
  // An empty segment has nothing to finish, but its index files are made.
  if (done && !active().prepared()) done = co_await active().prepare();
  if (done) {
    active().finish();
    done = co_await settle_active(active(), end_, producers_.snapshot_entries());
  }
  // Before somebody else gets the lock.
  if (!done) static_cast<void>(noted(done.error()));
  co_return done;
}

Task<void> Log::abandon() {
  closed_ = true;
  // A writer that was asked for comes first, to find that nothing is written any more.
  if (writing_) co_await yield(context_.segments.executor);
  {
    // Who is at work on the files ends first: they may be renamed or removed afterwards.
    const auto guard = co_await changes_.lock();
    const auto settling = co_await settling_.lock();
  }
  co_await background_.wait();
  co_await deletions_.finish();
  // Who reads on finds nothing: another log may have the names of the files soon.
  for (const auto& segment : segments_) co_await segment->leave();
}

Task<void> Log::forget_files() {
  for (const auto& segment : segments_) co_await segment->forget_files();
}

}  // namespace millrace::storage
