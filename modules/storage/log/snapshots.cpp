module;
#include <algorithm>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "../segment/planted.hpp"

module millrace.storage.log;

namespace millrace::storage {

using protocol::BatchHeader;

namespace {

// Passes batches of a segment that end at or after `from` and begin before `to` to `use`, until it
// says that it is enough.
template <class Use>
Task<StorageResult<void>> for_each_batch(SegmentContext& context, Segment& segment, Offset from,
                                         Offset to, Use use) {
  const auto first = co_await segment.find(from, segment.bytes());
  if (!first) co_return failure(first.error());
  if (!*first) co_return StorageResult<void>();
  const auto lease = co_await segment.open_log();
  if (!lease) co_return failure(lease.error());
  BatchScanner scanner(context.files, context.buffers, lease->handle(), segment.log_path(),
                       (*first)->position, segment.bytes(), ScanDepth::headers);
  for (;;) {
    const auto more = co_await scanner.fill();
    if (!more) co_return failure(more.error());
    if (!*more) break;
    while (const auto scanned = scanner.next()) {
      if (scanned->batch.header().base_offset >= to) co_return StorageResult<void>();
      use(scanned->batch);
    }
    co_await yield(context.executor);
  }
  if (scanner.end() != ScanEnd::complete) {
    co_return failure(damage(segment, scanner.position(), scanner.reason()));
  }
  co_return StorageResult<void>();
}

}  // namespace

std::optional<CompletedTransaction> add_to_producers(ProducerStates& producers,
                                                     const protocol::BatchView& batch,
                                                     protocol::Decompressor& decompressor) {
  const BatchHeader& header = batch.header();
  if (!header.has_producer_id()) return std::nullopt;
  if (!header.attributes.is_control()) {
    // A batch that compaction left empty still says where its producer was.
    producers.update(producer_batch(header));
    return std::nullopt;
  }
  const auto marker = transaction_marker(batch, decompressor);
  return marker ? producers.update(*marker) : std::nullopt;
}

Task<StorageResult<std::vector<Offset>>> Log::snapshot_offsets() {
  const auto entries = co_await context_.segments.files.list(directory_);
  if (!entries) co_return storage_failure(entries.error(), directory_);
  std::vector<Offset> offsets;
  for (const DirectoryEntry& entry : *entries) {
    const auto name = parse_segment_file_name(entry.name);
    if (name && name->kind == SegmentFileKind::producer_snapshot &&
        name->stage == FileStage::current &&
        name->base_offset < Offset(std::numeric_limits<std::int64_t>::max())) {
      offsets.push_back(name->base_offset);
    }
  }
  std::sort(offsets.begin(), offsets.end());
  co_return offsets;
}

Task<StorageResult<void>> Log::remove_snapshot(Offset offset) {
  co_return co_await remove_file_if_there(
      context_.segments.files,
      path_in(directory_, segment_file_name(offset, SegmentFileKind::producer_snapshot)));
}

Task<StorageResult<void>> Log::remove_snapshots_above(Offset offset, Offset but) {
  if (planted(Planted::snapshots_kept_above_cut)) co_return StorageResult<void>();
  const auto snapshots = co_await snapshot_offsets();
  if (!snapshots) co_return failure(snapshots.error());
  bool removed = false;
  for (const Offset snapshot : *snapshots) {
    if (snapshot <= offset || snapshot == but) continue;
    if (auto gone = co_await remove_snapshot(snapshot); !gone) co_return gone;
    removed = true;
  }
  if (snapshot_end_ > offset) snapshot_end_ = no_offset;
  if (!removed) co_return StorageResult<void>();
  co_return co_await sync_names();
}

Task<StorageResult<void>> Log::load_snapshot(ProducerStates& producers, Offset offset) {
  const auto entries = co_await load_producer_snapshot(context_.segments.files, directory_, offset);
  if (!entries) co_return failure(entries.error());
  producers.restore(*entries, context_.segments.executor.clock().wall_now(),
                    config_.producer_expiration.count());
  co_return StorageResult<void>();
}

Task<StorageResult<Offset>> Log::restore_producers(ProducerStates& producers, Offset at_most) {
  const auto snapshots = co_await snapshot_offsets();
  if (!snapshots) co_return failure(snapshots.error());
  producers.clear();
  for (auto it = snapshots->rbegin(); it != snapshots->rend(); ++it) {
    if (*it > at_most) continue;
    const auto loaded = co_await load_snapshot(producers, *it);
    if (loaded) {
      snapshot_end_ = *it;
      co_return StorageResult<Offset>(*it);
    }
    if (is_unread(loaded.error())) co_return failure(loaded.error());
    context_.segments.log.warning("{}; an older snapshot is used", loaded.error().message);
    if (const auto removed = co_await remove_snapshot(*it); !removed) {
      co_return failure(removed.error());
    }
  }
  snapshot_end_ = no_offset;
  co_return StorageResult<Offset>(segments_.front()->base());
}

Task<StorageResult<void>> Log::replay_producers(ProducerStates& producers, Offset from, Offset to) {
  if (from >= to) co_return StorageResult<void>();
  for (std::size_t i = segment_index(from); i < segments_.size(); ++i) {
    const std::shared_ptr<Segment> segment = segments_[i];
    if (segment->base() >= to) break;
    const auto use = [&](const protocol::BatchView& batch) {
      if (batch.header().base_offset < from) return;
      static_cast<void>(add_to_producers(producers, batch, context_.segments.decompressor));
    };
    auto done = co_await for_each_batch(context_.segments, *segment, from, to, use);
    if (!done) co_return done;
  }
  co_return StorageResult<void>();
}

// Which transactions were aborted in a segment follows from its markers and from what was open when
// it began.
Task<StorageResult<std::vector<AbortedTransaction>>> Log::aborted_by_records(
    std::shared_ptr<Segment> segment) {
  const auto snapshots = co_await snapshot_offsets();
  if (!snapshots) co_return failure(snapshots.error());
  ProducerBudget unlimited(std::numeric_limits<std::size_t>::max(),
                           std::numeric_limits<std::size_t>::max());
  ProducerStates producers(unlimited);
  Offset from = segments_.front()->base();
  for (auto it = snapshots->rbegin(); it != snapshots->rend(); ++it) {
    if (*it > segment->base()) continue;
    const auto entries = co_await load_producer_snapshot(context_.segments.files, directory_, *it);
    if (!entries && is_unread(entries.error())) co_return failure(entries.error());
    if (!entries) continue;
    // Nobody expires: it is about the past.
    producers.restore(*entries, Timestamp(0), std::numeric_limits<std::int64_t>::max());
    from = *it;
    break;
  }
  std::vector<AbortedTransaction> aborted;
  const std::vector<std::shared_ptr<Segment>> segments(
      segments_.begin() + static_cast<std::ptrdiff_t>(segment_index(from)), segments_.end());
  for (const auto& each : segments) {
    if (each->base() > segment->base()) break;
    const auto use = [&](const protocol::BatchView& batch) {
      if (batch.header().base_offset < from) return;
      const auto completed = add_to_producers(producers, batch, context_.segments.decompressor);
      if (completed && completed->aborted && each == segment) {
        aborted.push_back({completed->producer, completed->first_offset, completed->last_offset,
                           completed->last_stable_offset});
      }
    };
    auto done = co_await for_each_batch(context_.segments, *each, from,
                                        Offset(std::numeric_limits<std::int64_t>::max()), use);
    if (!done) co_return failure(done.error());
  }
  co_return aborted;
}

Task<StorageResult<void>> Log::rebuild_transactions(std::shared_ptr<Segment> segment) {
  const auto aborted = co_await aborted_by_records(segment);
  if (!aborted) co_return failure(aborted.error());
  co_return co_await segment->set_aborted(*aborted);
}

bool Log::is_abort_marker(const protocol::BatchView& batch) const {
  if (!batch.header().attributes.is_control()) return false;
  const auto marker = transaction_marker(batch, context_.segments.decompressor);
  return marker && marker->aborts;
}

Task<StorageResult<std::size_t>> Log::repair_aborted(std::shared_ptr<Segment> segment,
                                                     std::vector<Offset> markers) {
  using Repaired = StorageResult<std::size_t>;
  const std::uint64_t version = version_;
  constexpr Offset any_end{std::numeric_limits<std::int64_t>::max()};
  std::vector<AbortedTransaction> known;
  const auto collected = co_await segment->collect_aborted(segment->base(), any_end, known);
  if (!collected) {
    if (collected.error().fault != StorageFault::corrupt) {
      co_return failure(noted(collected.error()));
    }
    known.clear();
  }
  const auto has = [&](Offset marker) {
    return std::ranges::any_of(known, [&](const auto& each) { return each.last_offset == marker; });
  };
  if (collected && std::ranges::all_of(markers, has)) co_return Repaired(0);
  // A marker may have ended a transaction without records: then nothing is to be remembered.
  auto all = co_await aborted_by_records(segment);
  if (!all) co_return failure(noted(all.error()));
  const auto lacking = static_cast<std::size_t>(
      std::ranges::count_if(*all, [&](const auto& each) { return !has(each.last_offset); }));
  if (collected && lacking == 0) co_return Repaired(0);
  // What compaction has left no record of stays.
  for (const AbortedTransaction& each : known) {
    const bool found = std::ranges::any_of(
        *all, [&](const auto& other) { return other.last_offset == each.last_offset; });
    if (!found) all->push_back(each);
  }
  std::ranges::sort(*all, {}, &AbortedTransaction::last_offset);
  const auto guard = co_await settling_.lock();
  if (const auto online_now = online(); !online_now) co_return failure(online_now.error());
  if (version != version_ || segment->removed()) co_return Repaired(0);
  if (const auto set = co_await segment->set_aborted(*all); !set) {
    co_return failure(noted(set.error()));
  }
  co_return Repaired(std::max<std::size_t>(lacking, 1));
}

}  // namespace millrace::storage
