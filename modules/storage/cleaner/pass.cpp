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

module millrace.storage.cleaner;

import :grouping;

namespace millrace::storage {

using protocol::BatchFailure;

namespace {

// How long a pass that is throttled goes without looking whether it was cancelled.
constexpr Duration throttle_step = std::chrono::milliseconds(100);

// How many bytes were written of what was given.
using Used = std::optional<std::size_t>;
constexpr Used enough = std::nullopt;

StorageError read_failure(const ReadError& error, const std::string& directory) {
  if (error.fault == ReadFault::storage) return error.storage;
  return {StorageFault::invalid, directory + ": the log begins later by now", std::nullopt};
}

}  // namespace

CleaningRange cleaning_range(const Log& log, Offset cleaned_end, std::optional<Offset> limit) {
  CleaningRange range;
  const auto segments = log.segments();
  // An end that the log does not have was of another log: all is to be looked at.
  range.from = cleaned_end < log.start() || cleaned_end > log.end() ? log.start() : cleaned_end;
  // Only whole segments can be replaced, and only durable ones: the recovery point may lie in the
  // middle of one that was rolled just now.
  Offset durable_end = segments.front()->base();
  for (std::size_t i = 1; i < segments.size() && segments[i]->base() <= log.recovery_point(); ++i) {
    durable_end = segments[i]->base();
  }
  range.to = std::min(log.last_stable_offset(), durable_end);
  if (limit) range.to = std::min(range.to, *limit);
  range.to = std::max(range.to, range.from);
  for (std::size_t i = 0; i + 1 < segments.size(); ++i) {
    if (segments[i]->base() >= range.to) break;
    const bool is_clean = segments[i + 1]->base() <= range.from;
    (is_clean ? range.clean_bytes : range.dirty_bytes) += segments[i]->bytes();
  }
  if (range.from == range.to) {
    range.clean_bytes += std::exchange(range.dirty_bytes, 0);
  }
  return range;
}

CleaningPass::CleaningPass(const CleaningContext& context, Log& log, const CleaningRange& range,
                           KeyOffsets& keys)
    : context_(context),
      log_(log),
      range_(range),
      keys_(keys),
      walk_(context.segments.decompressor),
      segments_(log.segments().begin(), log.segments().end()),
      version_(log.version()) {
  report_.cleaned_end = range.from;
}

Offset CleaningPass::end_of(std::size_t index) const {
  return segments_[index + 1]->base();
}

bool CleaningPass::log_changed() const {
  const auto segments = log_.segments();
  const auto& next = segments_[next_];
  return log_.version() != version_ ||
         std::find(segments.begin(), segments.end(), next) == segments.end();
}

Task<StorageResult<PassReport>> CleaningPass::run() {
  Executor& executor = context_.segments.executor;
  keys_.plan(static_cast<std::uint64_t>(range_.to.since(range_.from)));
  while (keys_.take_part()) co_await yield(executor);
  auto done = co_await map_keys();
  report_.keys = keys_.size();
  if (done && !cancelled_) done = co_await clean_segments();
  while (keys_.release_part()) co_await yield(executor);
  if (!done) co_return failure(done.error());
  report_.cancelled = cancelled_;
  if (filter_) report_.counts = filter_->counts();
  if (cancelled_) report_.cleaned_end = range_.from;
  co_return report_;
}

// Lets others run when enough was done, and waits as the throttle says.
Task<void> CleaningPass::pause(std::uint64_t bytes) {
  slice_io_ += bytes;
  slice_ += bytes + walk_.walked_bytes() - std::exchange(walked_, walk_.walked_bytes());
  if (slice_ < cleaning_slice_bytes) co_return;
  slice_ = 0;
  Executor& executor = context_.segments.executor;
  const MonotonicTime until =
      context_.throttle.after(std::exchange(slice_io_, 0), executor.clock().now());
  co_await yield(executor);
  while (!cancelled_ && executor.clock().now() < until) {
    co_await sleep_until(executor, std::min(until, executor.clock().now() + throttle_step));
  }
}

Task<StorageResult<void>> CleaningPass::map_keys() {
  KeyMapper mapper(keys_, transactions_, walk_, range_.from, range_.to);
  bool has_room = true;
  for (std::size_t i = 0; i + 1 < segments_.size() && has_room && !cancelled_; ++i) {
    if (segments_[i]->base() >= range_.to) break;
    if (end_of(i) <= range_.from) continue;
    const auto mapped = co_await map_segment(*segments_[i], end_of(i), mapper);
    if (!mapped) co_return failure(mapped.error());
    has_room = *mapped;
  }
  if (has_room) mapper.finish();
  report_.cleaned_end = mapper.mapped_end();
  co_return StorageResult<void>();
}

// Passes the batches of a segment, from a position on, to `use`, each checked. False if `use` had
// enough or the pass was cancelled.
template <class Use>
Task<StorageResult<bool>> CleaningPass::walk(Segment& segment, std::uint64_t position,
                                             BatchOrder order, Offset end, Use& use) {
  const auto lease = co_await segment.open_log();
  if (!lease) co_return failure(lease.error());
  SegmentContext& context = context_.segments;
  BatchScanner scanner(context.files, context.buffers, lease->handle(), segment.log_path(),
                       position, segment.bytes(), ScanDepth::crc);
  for (;;) {
    const auto more = co_await scanner.fill();
    if (!more) co_return failure(more.error());
    if (!*more) break;
    while (const auto scanned = scanner.next()) {
      auto misplaced = co_await log_.check_place(segment, order, *scanned);
      if (!misplaced) co_return failure(misplaced.error());
      if (*misplaced) co_return failure(damage(segment, **misplaced));
      const std::size_t read = scanned->batch.bytes().size();
      const StorageResult<Used> used = co_await use(*scanned);
      if (!used) co_return failure(used.error());
      if (!*used) co_return StorageResult<bool>(false);
      report_.bytes_read += read;
      co_await pause(read + **used);
      if (cancelled_) co_return StorageResult<bool>(false);
    }
  }
  if (scanner.end() != ScanEnd::complete) {
    co_return failure(damage(segment, scanner.position(), scanner.reason()));
  }
  if (const auto misplaced = order.end(end)) co_return failure(damage(segment, *misplaced));
  co_return StorageResult<bool>(true);
}

Task<StorageResult<bool>> CleaningPass::map_segment(Segment& segment, Offset end,
                                                    KeyMapper& mapper) {
  using Room = StorageResult<bool>;
  const Offset from = std::max(segment.base(), range_.from);
  const auto aborted = co_await log_.aborted(from, end);
  if (!aborted) co_return failure(read_failure(aborted.error(), log_.directory()));
  transactions_.expect(*aborted);
  // From its beginning all batches are seen, whatever became of their offsets.
  std::uint64_t position = 0;
  BatchOrder order(segment.base());
  if (from > segment.base()) {
    const auto begin = co_await segment.find(from, segment.bytes());
    if (!begin) co_return failure(begin.error());
    if (!*begin) co_return Room(true);
    position = (*begin)->position;
    order = BatchOrder();
  }
  bool has_room = true;
  const auto use = [&](const ScannedBatch& scanned) -> Task<StorageResult<Used>> {
    if (scanned.batch.header().base_offset >= range_.to) co_return StorageResult<Used>(enough);
    const auto added = mapper.add(scanned.batch);
    if (!added) {
      co_return failure(damage(segment, scanned.position, protocol::sentence(added.error())));
    }
    has_room = *added;
    co_return StorageResult<Used>(has_room ? Used(0) : enough);
  };
  const auto walked = co_await walk(segment, position, order, end, use);
  if (!walked) co_return failure(walked.error());
  co_return Room(has_room);
}

Task<StorageResult<void>> CleaningPass::clean_segments() {
  const CleaningRules rules{report_.cleaned_end, range_.to,
                            context_.segments.executor.clock().wall_now(),
                            log_.config().delete_retention.count()};
  transactions_ = CleanedTransactions();
  filter_.emplace(keys_, transactions_, log_.producers(), rules, walk_, context_.segments.buffers,
                  context_.compressor);
  while (last_ + 1 < segments_.size() && segments_[last_]->base() < report_.cleaned_end) ++last_;
  while (next_ < last_ && !cancelled_) {
    if (auto cleaned = co_await clean_group(); !cleaned) co_return cleaned;
  }
  co_return StorageResult<void>();
}

Task<StorageResult<void>> CleaningPass::clean_group() {
  CleanedSegment cleaned(context_.segments, log_.directory(), segments_[next_]->base(),
                         log_.config().index_interval_bytes);
  const auto group = co_await clean_into(cleaned);
  // One that would be as it is stays.
  const bool takes_place = group && !cancelled_ && (group->changed || group->count > 1);
  StorageResult<void> done;
  if (!group) done = failure(group.error());
  if (takes_place) {
    const auto changed = co_await last_change(group->count);
    if (!changed) done = failure(changed.error());
    if (done) done = co_await cleaned.finish(*changed);
    if (done) done = co_await put_in_place(group->count);
  }
  if (!done || !takes_place) {
    const auto discarded = co_await cleaned.discard();
    if (done && !discarded) done = failure(discarded.error());
  }
  if (!done || cancelled_) co_return done;
  for (std::size_t i = next_; i < next_ + group->count; ++i) {
    report_.bytes_before += segments_[i]->bytes();
  }
  report_.bytes_after += takes_place ? cleaned.bytes() : segments_[next_]->bytes();
  report_.segments += group->count;
  next_ += group->count;
  if (takes_place) {
    report_.replaced += group->count;
    report_.bytes_written += cleaned.bytes();
  }
  co_return done;
}

// For retention a segment without timestamps is as old as the last change of its file. As in Kafka,
// cleaning is none.
Task<StorageResult<std::optional<Timestamp>>> CleaningPass::last_change(std::size_t count) {
  std::optional<Timestamp> latest;
  for (std::size_t i = next_; i < next_ + count; ++i) {
    const std::string path = segments_[i]->log_path();
    const auto status = co_await context_.segments.files.status(path);
    // What was deleted meanwhile is not replaced.
    if (!status && status.error().fault == IoFault::not_found) continue;
    if (!status) co_return storage_failure(status.error(), path);
    latest = std::max(latest, std::optional(status->modified));
  }
  co_return StorageResult<std::optional<Timestamp>>(latest);
}

Task<StorageResult<void>> CleaningPass::put_in_place(std::size_t count) {
  const auto begin = segments_.begin() + static_cast<std::ptrdiff_t>(next_);
  auto done = co_await log_.replace_segments(
      std::vector<std::shared_ptr<Segment>>(begin, begin + static_cast<std::ptrdiff_t>(count)),
      version_);
  // The version is odd while the log is changed, and even again afterwards.
  if (done) version_ += 2;
  co_return done;
}

bool CleaningPass::joins(const CleanedSegment& cleaned, std::size_t index) const {
  const Segment& segment = *segments_[index];
  const SegmentExtent before{segments_[next_]->base(), segment.base(), cleaned.bytes(),
                             cleaned.offset_index_bytes(), cleaned.time_index_bytes()};
  const SegmentExtent next{segment.base(), end_of(index), segment.bytes(),
                           segment.offset_index().entries() * offset_index_entry_bytes,
                           segment.time_index().entries() * time_index_entry_bytes};
  return can_join(before, next, {log_.config().segment_bytes, log_.config().segment_index_bytes});
}

Task<StorageResult<CleaningPass::Group>> CleaningPass::clean_into(CleanedSegment& cleaned) {
  Group group;
  if (const auto created = co_await cleaned.create(); !created) co_return failure(created.error());
  for (std::size_t i = next_; i < last_ && !cancelled_; ++i) {
    if (group.count > 0 && !joins(cleaned, i)) break;
    const auto changed = co_await clean_segment(cleaned, *segments_[i], end_of(i));
    if (!changed) co_return failure(changed.error());
    group.changed = group.changed || *changed;
    ++group.count;
  }
  if (group.count > 1) {
    if (auto reaches = co_await reach(cleaned, segments_[next_ + group.count - 1]->base());
        !reaches) {
      co_return failure(reaches.error());
    }
  }
  co_return StorageResult<Group>(group);
}

// A start that finishes what a crash has interrupted learns from the last batch of the new segment
// which of the old ones it is made from. Where nothing is left of the last ones the header of their
// last batch says it.
Task<StorageResult<void>> CleaningPass::reach(CleanedSegment& cleaned, Offset last_base) {
  if (cleaned.end() > last_base || !last_read_ || last_read_->last_offset() < last_base) {
    co_return StorageResult<void>();
  }
  const auto bytes = protocol::emptied_batch(*last_read_);
  const auto header = protocol::read_batch_header(bytes);
  check(header.has_value(), "an emptied batch is a batch");
  co_return co_await cleaned.add(bytes, *header);
}

Task<StorageResult<bool>> CleaningPass::clean_segment(CleanedSegment& cleaned, Segment& segment,
                                                      Offset end) {
  bool changed = false;
  const auto aborted = co_await log_.aborted(segment.base(), end);
  if (!aborted) co_return failure(read_failure(aborted.error(), log_.directory()));
  transactions_.expect(*aborted);
  const auto use = [&](const ScannedBatch& scanned) -> Task<StorageResult<Used>> {
    const auto filtered = filter_->filter(scanned.batch);
    if (!filtered) {
      co_return failure(damage(segment, scanned.position, protocol::sentence(filtered.error())));
    }
    last_read_ = scanned.batch.header();
    if (filtered->fate != BatchFate::copied) changed = true;
    if (!filtered->bytes.empty()) {
      const auto added = co_await cleaned.add(filtered->bytes, filtered->header);
      if (!added) co_return failure(added.error());
    }
    co_return StorageResult<Used>(filtered->bytes.size());
  };
  const auto walked = co_await walk(segment, 0, BatchOrder(segment.base()), end, use);
  if (!walked) co_return failure(walked.error());
  if (!*walked) co_return StorageResult<bool>(changed);
  for (const AbortedTransaction& transaction : transactions_.take_needed()) {
    cleaned.add_aborted(transaction);
  }
  co_return StorageResult<bool>(changed);
}

}  // namespace millrace::storage
