#include "trial.hpp"

namespace millrace::storage::crash {

CleaningBounds Trial::cleaning_bounds() const {
  const Log& log = *machine_.log;
  const auto segments = log.segments();
  CleaningBounds bounds;
  for (const auto& segment : segments) bounds.segments.push_back(segment->base());
  bounds.start = log.start();
  bounds.from = machine_.process->cleaner.cleaned_end(log);
  if (bounds.from < log.start() || bounds.from > log.end()) bounds.from = log.start();
  for (const auto& segment : segments) {
    if (segment->base() <= log.recovery_point()) bounds.to = segment->base();
  }
  bounds.to = std::min(bounds.to, log.last_stable_offset());
  bounds.to = std::max(bounds.from, bounds.to);
  bounds.begun = machine_.executor.clock().wall_now();
  bounds.tombstones_kept_ms = machine_.config.delete_retention.count();
  return bounds;
}

namespace {

// Whether a closed segment has something that was never cleaned.
[[nodiscard]] bool is_dirty(const Log& log, const CleaningBounds& bounds) {
  const auto segments = log.segments();
  for (std::size_t i = 0; i + 1 < segments.size(); ++i) {
    if (segments[i]->base() < bounds.to && segments[i + 1]->base() > bounds.from &&
        segments[i]->bytes() > 0 && bounds.from < bounds.to) {
      return true;
    }
  }
  return false;
}

}  // namespace

// The cleaner says itself what failed.
Task<StorageResult<void>> Trial::clean(Cleaned& cleaned) {
  Log& log = *machine_.log;
  Cleaner& cleaner = machine_.process->cleaner;
  const CleaningBounds bounds = cleaning_bounds();
  if (!is_dirty(log, bounds)) co_return StorageResult<void>();
  trace("  from {} to {} at {}", bounds.from, bounds.to, bounds.begun);
  cleaned = Cleaned::in_part;
  // What decided transactions is below the high watermark too.
  cleaned_to_ = std::max({cleaned_to_, bounds.to, log.last_stable_offset()});
  const auto end = std::lower_bound(bounds.segments.begin(), bounds.segments.end(), bounds.to);
  if (end != bounds.segments.end()) cleaned_to_ = std::max(cleaned_to_, *end);
  model_.will_clean(bounds);
  if (co_await cleaner.clean_dirtiest()) {
    cleaned = Cleaned::whole;
    co_return StorageResult<void>();
  }
  if (const auto reason = cleaner.uncleanable(log)) {
    co_return storage_failure(StorageFault::corrupt, *reason);
  }
  if (log.offline()) co_return storage_failure(StorageFault::offline, "the log is offline");
  if (cleaner.counters().failed_passes == 0) {
    co_return storage_failure(StorageFault::invalid, "nothing was cleaned");
  }
  const bool no_space = options_.trouble == Trouble::space;
  co_return storage_failure(no_space ? StorageFault::no_space : StorageFault::limit,
                            "cleaning is tried again later");
}

// Cleans the log as its cleaner would: of each key the last value stays.
void Trial::compact() {
  Log& log = *machine_.log;
  log.set_high_watermark(model_.end());
  if (!is_dirty(log, cleaning_bounds()) && random_.chance(0.3)) {
    // What was appended last is closed and durable first.
    if (change(log.roll()) == Outcome::ended) return;
    machine_.executor.run_until_idle();
    if (!well()) {
      static_cast<void>(survived());
      return;
    }
  }
  Cleaned cleaned = Cleaned::nothing;
  if (change(clean(cleaned)) == Outcome::ended) return;
  if (cleaned == Cleaned::nothing) {
    static_cast<void>(survived());
    return;
  }
  ++changes_;
  ++coverage_.cleaned;
  compare(cleaned == Cleaned::whole ? Expected::cleaned : Expected::partly_cleaned, Offset(0));
}

namespace {

struct Snapshot {
  Offset at{0};
  std::vector<ProducerSnapshotEntry> producers;
};

// The newest in the log's directory; that of no producers at 0 without one.
Task<Snapshot> newest_snapshot(FileSystem& files) {
  const std::string directory(log_directory);
  const auto entries = co_await files.list(directory);
  if (!entries) differ("the log's directory cannot be listed");
  std::optional<Offset> newest;
  for (const DirectoryEntry& entry : *entries) {
    const auto name = parse_segment_file_name(entry.name);
    const bool is_snapshot = name && name->kind == SegmentFileKind::producer_snapshot &&
                             name->stage == FileStage::current;
    if (is_snapshot && (!newest || *newest < name->base_offset)) newest = name->base_offset;
  }
  if (!newest) co_return Snapshot();
  auto producers = co_await load_producer_snapshot(files, directory, *newest);
  if (!producers) differ("the snapshot at {}: {}", *newest, producers.error().message);
  co_return Snapshot{.at = *newest, .producers = *std::move(producers)};
}

}  // namespace

// A log that was cut knows its producers from the newest snapshot that is left, and from the
// batches behind it: what was cleaned away of those is forgotten. Exactly this, and nothing else.
// Of the snapshot, which a recovery may have made again, the model says whether it may be so.
void Trial::forget_what_a_cut_forgets() {
  const bool is_in_cleaned = model_.end() < cleaned_to_;
  // What is left of what was cleaned is then in the last segment, and read again at each cut there.
  was_cut_in_cleaned_ = was_cut_in_cleaned_ || is_in_cleaned;
  if (!was_cut_in_cleaned_) return;
  if (is_in_cleaned) ++coverage_.cut_into_cleaned;
  cleaned_to_ = std::min(cleaned_to_, model_.end());
  end_trouble();
  const std::uint64_t planned = cut_step_;
  machine_.disk.cut_power_at(0, 0);
  machine_.drain();
  if (!well()) return;
  const Snapshot snapshot = machine_.wait(newest_snapshot(machine_.process->files));
  trace("  the producers are those of the snapshot at {}", snapshot.at);
  Comparison comparison(machine_, model_, random_);
  comparison.require_producers(
      model_.producers_after(snapshot.producers, snapshot.at),
      formatted("after a cut at {}, with a snapshot at {},", model_.end(), snapshot.at));
  if (model_.forget_cleaned_behind(snapshot.at)) ++coverage_.cuts_that_forgot;
  comparison.compare_producers();
  if (planned <= machine_.disk.steps()) return;
  cut_step_ = planned;
  machine_.disk.cut_power_at(planned, random_.next());
}

// What takes the place of what is cut is not clean.
Task<StorageResult<void>> Trial::cut(Offset end, Task<StorageResult<void>> change) {
  const Log& log = *machine_.log;
  Cleaner& cleaner = machine_.process->cleaner;
  if (auto told = co_await cleaner.cut(log, end); !told) co_return told;
  if (auto done = co_await std::move(change); !done) co_return done;
  co_return co_await cleaner.cut(log, end);
}

}  // namespace millrace::storage::crash
