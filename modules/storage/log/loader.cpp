module;
#include <algorithm>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "../segment/planted.hpp"

module millrace.storage.log;

import :loader;

namespace millrace::storage {

using protocol::BatchHeader;
using protocol::BatchView;

namespace {

// Segments that were recovered and are not durable yet.
constexpr std::size_t unsettled_max = 8;

}  // namespace

Task<StorageResult<std::unique_ptr<Log>>> Log::open(LogContext& context, LogOpening opening) {
  const bool clean = opening.clean;
  RecoveryProgress unheard;
  RecoveryProgress& progress = opening.progress != nullptr ? *opening.progress : unheard;
  std::unique_ptr<Log> log(new Log(context, std::move(opening)));
  LogLoader loader(*log, progress);
  if (const auto loaded = co_await loader.load(clean); !loaded) {
    if (loaded.error().fault == StorageFault::offline) log->deletions_.stop();
    co_await log->abandon();
    co_return failure(loaded.error());
  }
  co_return std::move(log);
}

SegmentContext& LogLoader::context() const {
  return log_.context_.segments;
}

Task<StorageResult<void>> LogLoader::load(bool clean) {
  if (auto listed = co_await list(); !listed) co_return listed;
  if (auto removed = co_await remove_leftovers(); !removed) co_return removed;
  if (auto opened = co_await open_segments(); !opened) co_return opened;
  if (auto loaded = co_await load_epochs(); !loaded) co_return loaded;
  log_.start_ = std::max(log_.start_, log_.segments_.front()->base());
  // A recovery point behind the beginning of the last segment was not written by a clean stop.
  const bool plausible = log_.recovery_point_ > log_.active().base() ||
                         (log_.recovery_point_ == log_.active().base() && log_.active().empty());
  if (auto done = clean && plausible ? co_await trust() : co_await recover(); !done) co_return done;
  log_.end_ = std::max(log_.end_, log_.active().base());
  if (auto found = co_await look_for_aborted(); !found) co_return found;
  if (log_.start_ > log_.end_) {
    // Records were deleted, and after them the end of the log was lost. Offsets below the start are
    // not given again: what had them would count as deleted.
    auto restarted = co_await log_.restart_locked(log_.start_);
    if (!restarted) co_return restarted;
  }
  log_.flushed_end_ = std::min(log_.recovery_point_, log_.end_);
  log_.high_watermark_ = log_.start_;
  log_.roll_jitter_ = log_.next_jitter();
  static_cast<void>(log_.epochs_.truncate_from_end(log_.end_));
  static_cast<void>(log_.epochs_.truncate_from_start(log_.start_));
  if (!std::ranges::equal(log_.epochs_.entries(), epochs_found_)) {
    if (auto saved = co_await log_.save_epochs(); !saved) co_return saved;
  }
  if (changed_names_) {
    const auto synced = co_await context().files.sync_directory(log_.directory_);
    if (!synced) co_return storage_failure(synced.error(), log_.directory_);
  }
  if (!log_.unsettled_.empty()) log_.start_settling();
  co_return StorageResult<void>();
}

Task<StorageResult<void>> LogLoader::open_segments() {
  std::map<Offset, SegmentSizes> found;
  for (const std::string& name : names_) {
    const auto parsed = parse_segment_file_name(name);
    if (parsed && parsed->kind == SegmentFileKind::log)
      found.emplace(parsed->base_offset, SegmentSizes());
  }
  // Records were deleted below the start before their segments were. One that alone tells who wrote
  // last stays until retention finds it.
  while (found.size() > 1 && std::next(found.begin())->first <= log_.start_ &&
         was_settled(std::next(found.begin())->first)) {
    const Offset base = found.begin()->first;
    found.erase(found.begin());
    for (const SegmentFileKind kind :
         {SegmentFileKind::log, SegmentFileKind::offset_index, SegmentFileKind::time_index,
          SegmentFileKind::transaction_index}) {
      if (auto removed = co_await remove(segment_file_name(base, kind)); !removed)
        co_return removed;
    }
  }
  for (const std::string& name : names_) {
    const auto parsed = parse_segment_file_name(name);
    if (!parsed || parsed->kind == SegmentFileKind::producer_snapshot) continue;
    const auto segment = found.find(parsed->base_offset);
    if (segment == found.end()) {
      if (auto removed = co_await remove(name); !removed) co_return removed;
      continue;
    }
    const std::string path = path_in(log_.directory_, name);
    const auto status = co_await context().files.status(path);
    if (!status) co_return storage_failure(status.error(), path);
    SegmentSizes& sizes = segment->second;
    if (parsed->kind == SegmentFileKind::log) sizes.log = status->size;
    if (parsed->kind == SegmentFileKind::offset_index) sizes.offset_index = status->size;
    if (parsed->kind == SegmentFileKind::time_index) sizes.time_index = status->size;
    if (parsed->kind == SegmentFileKind::transaction_index) sizes.transaction_index = status->size;
  }
  const Timestamp now = context().executor.clock().wall_now();
  for (const auto& [base, sizes] : found) {
    log_.segments_.push_back(
        std::make_shared<Segment>(context(), log_.directory_, base, now, sizes));
  }
  if (!log_.segments_.empty()) co_return StorageResult<void>();
  log_.segments_.push_back(std::make_shared<Segment>(context(), log_.directory_, log_.start_, now));
  ++log_.names_made_;
  co_return co_await log_.segments_.back()->create();
}

Task<StorageResult<void>> LogLoader::load_epochs() {
  auto entries = co_await load_leader_epoch_checkpoint(context().files, log_.directory_);
  if (entries) {
    epochs_found_ = *entries;
    log_.epochs_ = LeaderEpochCache(std::move(*entries));
    // A log with records that says nothing of its leaders has lost the file, or what was in it.
    if (!log_.epochs_.empty() || log_.size_bytes() == 0) co_return StorageResult<void>();
  } else if (entries.error().fault == StorageFault::not_found) {
    if (log_.size_bytes() == 0) co_return StorageResult<void>();
  } else if (entries.error().fault != StorageFault::corrupt) {
    co_return failure(entries.error());
  }
  context().log.warning("{}: the leader epochs are made again from the log{}", log_.directory_,
                        entries ? "" : ": " + entries.error().message);
  for (const auto& segment : log_.segments_) {
    const auto lease = co_await segment->open_log();
    if (!lease) co_return failure(lease.error());
    BatchScanner scanner(context().files, context().buffers, lease->handle(), segment->log_path(),
                         0, segment->bytes(), ScanDepth::headers);
    for (;;) {
      const auto more = co_await scanner.fill();
      if (!more) co_return failure(more.error());
      if (!*more) break;
      while (const auto scanned = scanner.next()) {
        const BatchHeader& header = scanned->batch.header();
        const auto latest = log_.epochs_.latest();
        // Damage to the first offset of a file is noticed later, by whoever reads there.
        if (header.leader_epoch >= LeaderEpoch(0) && header.base_offset >= segment->base() &&
            (!latest || header.leader_epoch > latest->epoch)) {
          static_cast<void>(log_.epochs_.assign(header.leader_epoch, header.base_offset));
        }
      }
      co_await yield(context().executor);
    }
  }
  co_return StorageResult<void>();
}

// After a clean stop: the recovery point is the end, and a snapshot has the producers as of then.
Task<StorageResult<void>> LogLoader::trust() {
  log_.end_ = log_.recovery_point_;
  const std::string name = segment_file_name(log_.end_, SegmentFileKind::producer_snapshot);
  if (std::binary_search(names_.begin(), names_.end(), name)) {
    const auto loaded = co_await log_.load_snapshot(log_.producers_, log_.end_);
    if (loaded) log_.snapshot_end_ = log_.end_;
    if (loaded || loaded.error().fault == StorageFault::offline) co_return loaded;
  }
  // None is there, or it cannot be read: an older one may do.
  const auto from = co_await log_.restore_producers(log_.producers_, log_.end_);
  if (!from) co_return failure(from.error());
  co_return co_await log_.replay_producers(log_.producers_, *from, log_.end_);
}

// --- Recovery ---

LogLoader::~LogLoader() {
  progress_.left_bytes -= left_bytes_;
}

void LogLoader::will_check(std::uint64_t bytes) {
  left_bytes_ += bytes;
  progress_.left_bytes += bytes;
}

void LogLoader::has_checked(std::uint64_t bytes) {
  // The file may have grown longer than what was found of it: it is counted all the same.
  const std::uint64_t expected = std::min(bytes, left_bytes_);
  left_bytes_ -= expected;
  progress_.left_bytes -= expected;
  progress_.checked_bytes += bytes;
}

Task<StorageResult<void>> LogLoader::recover() {
  // Closing makes durable what is found, and flushing the names of the files.
  log_.changed_ = true;
  ++log_.names_made_;
  std::size_t first = log_.segment_index(log_.recovery_point_);
  // A segment that ends at the recovery point may have been rolled just then: of its indexes the
  // last entries may be missing, or what was cut.
  const bool rolled_there = first > 0 && log_.segments_[first]->base() == log_.recovery_point_;
  if (rolled_there && !planted(Planted::time_index_without_last_entry)) --first;
  const Offset from = std::max(log_.recovery_point_, log_.segments_[first]->base());
  std::uint64_t bytes = 0;
  for (std::size_t i = first; i < log_.segments_.size(); ++i) bytes += log_.segments_[i]->bytes();
  const auto position = co_await start_of_scan(*log_.segments_[first], from);
  if (!position) co_return failure(position.error());
  will_check(bytes - *position);
  const Offset scan_from = next_;
  const auto snapshot = co_await log_.restore_producers(log_.producers_, scan_from);
  if (!snapshot) co_return failure(snapshot.error());
  if (auto done = co_await log_.replay_producers(log_.producers_, *snapshot, scan_from); !done)
    co_return done;
  producers_from_ = std::max(*snapshot, scan_from);
  knows_producers_before_ = log_.snapshot_end_ != no_offset || scan_from == Offset(0);
  static_cast<void>(log_.epochs_.truncate_from_end(scan_from));
  if (const auto latest = log_.epochs_.latest()) epoch_ = latest->epoch;
  // What the scan adds to an index is not durable, even where the records are.
  const bool lowered = scan_from < from || log_.recovery_point_ > scan_from;
  if (lowered) log_.recovery_point_ = scan_from;
  for (std::size_t i = first; i < log_.segments_.size(); ++i) {
    const Offset base = log_.segments_[i]->base();
    // Below the start nothing is missing that was not deleted.
    const bool complete = base <= log_.start_ || was_settled(base);
    if (i > first && base != next_ && !(base > next_ && complete)) {
      auto dropped = co_await drop_from(i, "the segment at offset " + std::to_string(base.value()) +
                                               " does not follow the last one, which ends at " +
                                               std::to_string(next_.value()));
      if (!dropped) co_return dropped;
      break;
    }
    if (i > first) {
      if (auto recalled = co_await recall_producers(base); !recalled) co_return recalled;
      // As after a roll.
      log_.segments_[i - 1]->finish();
      log_.unsettled_.push_back({log_.segments_[i - 1], base, log_.producers_.snapshot_entries()});
    }
    // What is known of the producers at each roll does not gather in memory. Without space or
    // descriptors they wait after all.
    const auto settled = co_await log_.settle_down_to(unsettled_max);
    if (!settled && !is_shortage(settled.error().fault)) co_return settled;
    next_ = std::max(next_, base);
    const auto whole = co_await recover_segment(i, i == first ? *position : 0);
    if (!whole) co_return failure(whole.error());
    const bool records_lost = !*whole && log_.segment_end(i) > log_.start_;
    if (records_lost && i + 1 < log_.segments_.size()) {
      auto dropped = co_await drop_from(i + 1, "the segment before them was cut");
      if (!dropped) co_return dropped;
    }
  }
  log_.end_ = next_;
  if (auto removed = co_await log_.remove_snapshots_above(log_.end_); !removed) co_return removed;
  if (log_.recovery_point_ <= log_.end_ && !lowered) co_return StorageResult<void>();
  log_.recovery_point_ = std::min(log_.recovery_point_, log_.end_);
  co_return co_await log_.context_.keeper.save_recovery_point(log_);
}

// Compaction leaves gaps between segments; a crash leaves one where the end of a file was lost. A
// snapshot of the producers at the beginning of a segment was made when all before it was durable:
// then nothing was lost there.
bool LogLoader::was_settled(Offset base) const {
  if (planted(Planted::gap_taken_for_compaction)) return true;
  return has_file(segment_file_name(base, SegmentFileKind::producer_snapshot));
}

// What compaction left of the segments before does not tell all of their producers: a transaction
// whose marker is gone would be open again. The snapshot was made before that. Where nothing is
// known of those before the scan, the transactions that it finds fit only what it finds of them.
Task<StorageResult<void>> LogLoader::recall_producers(Offset base) {
  const bool told = knows_producers_before_ && base > producers_from_ && was_settled(base);
  if (!told) co_return StorageResult<void>();
  const auto loaded = co_await log_.load_snapshot(log_.producers_, base);
  if (loaded || Log::is_unread(loaded.error())) co_return loaded;
  // What was read is all there is to know where the snapshot is damaged.
  context().log.warning("{}; the batches tell the producers", loaded.error().message);
  co_return StorageResult<void>();
}

// Where the batch begins that the recovery point lies before, as the index says. What lies before
// is durable, its index entries too; should they be wrong, the whole segment is scanned.
Task<StorageResult<std::uint64_t>> LogLoader::start_of_scan(Segment& segment, Offset from) {
  using Found = StorageResult<std::uint64_t>;
  next_ = segment.base();
  const auto from_the_beginning = [&]() -> Task<Found> {
    next_ = segment.base();
    // What is left of the indexes after another crash is not to be believed.
    auto lowered = co_await log_.lower_recovery_point(segment.base());
    if (!lowered) co_return failure(lowered.error());
    auto cut = co_await segment.forget_indexes();
    if (!cut) co_return failure(cut.error());
    auto again = co_await segment.start_again_at(0, segment.base());
    if (!again) co_return failure(again.error());
    co_return Found(0);
  };
  if (from <= segment.base()) co_return co_await from_the_beginning();
  const auto sane =
      co_await segment.indexes_are_sane(Offset(std::numeric_limits<std::int64_t>::max()));
  if (!sane) co_return failure(sane.error());
  // Both were durable up to the recovery point: with one comes the other.
  const bool lost = segment.offset_index().entries() > 0 && segment.time_index().entries() == 0;
  const bool aborted_lost = segment.transaction_index().missing();
  if (!*sane || lost || aborted_lost) co_return co_await from_the_beginning();
  const std::uint64_t size = segment.bytes();
  const auto place = co_await segment.find(from, size);
  if (!place) {
    if (place.error().fault != StorageFault::corrupt) co_return failure(place.error());
    co_return co_await from_the_beginning();
  }
  const std::uint64_t position = *place ? (*place)->position : size;
  const Offset offset = *place ? std::min(from, (*place)->header.base_offset) : from;
  if (*place) {
    const auto leads_there = co_await batches_lead_to(segment, from, position);
    if (!leads_there) co_return failure(leads_there.error());
    if (!*leads_there) co_return co_await from_the_beginning();
  } else {
    // Nothing was written behind the recovery point; or what was before it is not there any more.
    const auto last = co_await segment.find(from.plus(-1), size);
    if (!last && last.error().fault != StorageFault::corrupt) co_return failure(last.error());
    // Compaction may have taken the last ones of a segment that is finished.
    const bool leads_there = last && (*last ? (*last)->end() == size : was_settled(from));
    if (!leads_there) co_return co_await from_the_beginning();
  }
  if (auto cut = co_await segment.cut_indexes(offset); !cut) co_return failure(cut.error());
  if (auto again = co_await segment.start_again_at(position, offset); !again) {
    if (again.error().fault != StorageFault::corrupt) co_return failure(again.error());
    co_return co_await from_the_beginning();
  }
  next_ = segment.next_offset();
  co_return Found(position);
}

// Whether the offsets ascend up to the batch at a position, which is the first to end at or behind
// `from`: no checksum covers the offsets of a batch, and one that lost its own was passed over when
// that was looked for. Gaps are what compaction leaves.
Task<StorageResult<bool>> LogLoader::batches_lead_to(Segment& segment, Offset from,
                                                     std::uint64_t position) {
  using Leads = StorageResult<bool>;
  const auto begin = co_await segment.well_before(from);
  if (!begin && begin.error().fault == StorageFault::corrupt) co_return Leads(false);
  if (!begin) co_return failure(begin.error());
  const auto lease = co_await segment.open_log();
  if (!lease) co_return failure(lease.error());
  BatchWalker walker(context().files, context().buffers, lease->handle(), segment.log_path(),
                     *begin, segment.bytes());
  BatchOrder order = *begin == 0 ? BatchOrder(segment.base()) : BatchOrder();
  for (;;) {
    const auto place = co_await walker.next();
    if (!place && place.error().fault == StorageFault::corrupt) co_return Leads(false);
    if (!place) co_return failure(place.error());
    if (!*place) co_return Leads(false);
    const auto misplaced = co_await segment.misplaced(order, (*place)->position, (*place)->header);
    if (!misplaced) co_return failure(misplaced.error());
    if (*misplaced) co_return Leads(false);
    if ((*place)->position >= position) co_return Leads(true);
  }
}

bool LogLoader::follows(const BatchHeader& header, Offset base) const {
  return header.base_offset >= next_ && header.last_offset() >= base &&
         header.leader_epoch >= epoch_ &&
         header.last_offset().since(base) <= std::numeric_limits<std::int32_t>::max();
}

void LogLoader::add(Segment& segment, const BatchView& batch) {
  const BatchHeader& header = batch.header();
  if (header.leader_epoch > epoch_) {
    epoch_ = header.leader_epoch;
    static_cast<void>(log_.epochs_.assign(epoch_, header.base_offset));
  }
  segment.added(header, planted(Planted::offset_index_left_empty)
                            ? std::numeric_limits<std::uint32_t>::max()
                            : log_.config_.index_interval_bytes);
  next_ = header.last_offset().next();
  if (header.base_offset < producers_from_) return;
  const auto completed = add_to_producers(log_.producers_, batch, context().decompressor);
  if (completed && completed->aborted && !planted(Planted::transaction_index_left_empty)) {
    segment.add_aborted({completed->producer, completed->first_offset, completed->last_offset,
                         completed->last_stable_offset});
  }
}

// Checks the batches of a segment from a position on. False if it was cut.
Task<StorageResult<bool>> LogLoader::recover_segment(std::size_t index, std::uint64_t position) {
  using Whole = StorageResult<bool>;
  const std::shared_ptr<Segment> segment = log_.segments_[index];
  const auto lease = co_await segment->open_log();
  if (!lease) co_return failure(lease.error());
  const auto size = co_await context().files.file_size(lease->handle());
  if (!size) co_return storage_failure(size.error(), segment->log_path());
  // What is in the file may not be on the disk.
  segment->set_log_dirty();
  if (position == 0) {
    if (auto cut = co_await segment->forget_indexes(); !cut) co_return failure(cut.error());
    if (auto again = co_await segment->start_again_at(0, segment->base()); !again) {
      co_return failure(again.error());
    }
  }
  BatchScanner scanner(context().files, context().buffers, lease->handle(), segment->log_path(),
                       position, *size, ScanDepth::crc);
  std::string reason;
  std::uint64_t counted = position;
  while (reason.empty()) {
    const auto more = co_await scanner.fill();
    if (!more) co_return failure(more.error());
    if (!*more) break;
    while (const auto scanned = scanner.next()) {
      const BatchHeader& header = scanned->batch.header();
      if (!follows(header, segment->base())) {
        reason = "the batch at offset " + std::to_string(header.base_offset.value()) +
                 " of leader epoch " + std::to_string(header.leader_epoch.value()) +
                 " cannot follow what is before it";
        break;
      }
      add(*segment, scanned->batch);
    }
    has_checked(scanner.position() - std::exchange(counted, scanner.position()));
    if (segment->should_save_indexes()) {
      if (auto saved = co_await segment->save_indexes(); !saved) co_return failure(saved.error());
    }
    co_await yield(context().executor);
  }
  log_.recovery_.scanned_bytes += segment->bytes() - position;
  if (reason.empty() && scanner.end() != ScanEnd::complete) reason = scanner.reason();
  if (segment->bytes() == *size) co_return Whole(true);
  const std::uint64_t cut = *size - segment->bytes();
  log_.recovery_.cut_bytes += cut;
  context().log.warning("{} is cut by {} bytes at position {}: {}", segment->log_path(), cut,
                        segment->bytes(), reason);
  // Else, after a crash, what lies behind the gap would seem to be settled.
  if (auto removed = co_await log_.remove_snapshots_above(next_); !removed) {
    co_return failure(removed.error());
  }
  if (auto done = co_await segment->cut_back(); !done) co_return failure(done.error());
  co_return Whole(false);
}

Task<StorageResult<void>> LogLoader::drop_from(std::size_t index, std::string reason) {
  for (std::size_t i = index; i < log_.segments_.size(); ++i) {
    log_.recovery_.cut_bytes += log_.segments_[i]->bytes();
  }
  const std::size_t count = log_.segments_.size() - index;
  log_.recovery_.dropped_segments += count;
  context().log.warning("{}: {} segments from offset {} on are dropped: {}", log_.directory_, count,
                        log_.segments_[index]->base().value(), reason);
  // As where a segment is cut.
  const Offset before = log_.segments_[index]->base().plus(-1);
  if (auto removed = co_await log_.remove_snapshots_above(before); !removed) co_return removed;
  co_return co_await log_.remove_segments(index, count);
}

}  // namespace millrace::storage
