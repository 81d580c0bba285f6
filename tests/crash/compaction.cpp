#include "trial.hpp"

namespace millrace::storage::crash {

Task<StorageResult<void>> Trial::write_file(std::string path, ByteView contents) {
  FileSystem& files = machine_.process->files;
  const auto file = co_await files.open(path, OpenMode::create_truncated);
  if (!file) co_return storage_failure(file.error(), path);
  const std::array pieces{contents};
  const auto written = co_await files.write(*file, 0, pieces);
  if (!written) co_return storage_failure(written.error(), path);
  const auto synced = co_await files.sync_data(*file);
  if (!synced) co_return storage_failure(synced.error(), path);
  const auto closed = co_await files.close(*file);
  if (!closed) co_return storage_failure(closed.error(), path);
  co_return StorageResult<void>();
}

// What a cleaner leaves before the log takes it: complete files with the suffix `.cleaned`.
Task<StorageResult<void>> Trial::write_cleaned(Offset base, std::vector<BatchPtr> batches,
                                               std::vector<AbortedTransaction> aborted) {
  GrowingIndex offsets(offset_index_entry_bytes);
  GrowingIndex times(time_index_entry_bytes);
  GrowingIndex transactions(transaction_index_entry_bytes);
  Bytes bytes;
  TimestampOffset youngest{no_timestamp, base};
  std::uint32_t indexed = 0;
  for (const BatchPtr& batch : batches) {
    const auto position = static_cast<std::uint32_t>(bytes.size());
    if (batch->header.max_timestamp > youngest.timestamp) {
      youngest = {batch->header.max_timestamp, batch->last()};
    }
    if (position - indexed > machine_.config.index_interval_bytes) {
      indexed = position;
      const bool fits = add_offset_entry(offsets, base, {batch->last(), position}) &&
                        add_time_entry(times, base, youngest);
      check(fits, "a cleaned segment spans no more than those that it was made from");
    }
    bytes.insert(bytes.end(), batch->bytes.begin(), batch->bytes.end());
  }
  check(add_time_entry(times, base, youngest), "a cleaned segment spans no more than before");
  for (const AbortedTransaction& transaction : aborted) {
    add_transaction_entry(transactions, transaction);
  }
  const auto path = [&](SegmentFileKind kind) {
    return path_in(log_directory, segment_file_name(base, kind, FileStage::cleaned));
  };
  auto done = co_await write_file(path(SegmentFileKind::log), bytes);
  if (done) done = co_await write_file(path(SegmentFileKind::offset_index), offsets.bytes());
  if (done) done = co_await write_file(path(SegmentFileKind::time_index), times.bytes());
  if (done && !transactions.empty()) {
    done = co_await write_file(path(SegmentFileKind::transaction_index), transactions.bytes());
  }
  co_return done;
}

Task<StorageResult<void>> Trial::replace(std::vector<std::shared_ptr<Segment>> replaced,
                                         std::vector<BatchPtr> kept,
                                         std::vector<AbortedTransaction> aborted) {
  const Offset base = replaced.front()->base();
  const std::uint64_t version = machine_.log->version();
  auto written = co_await write_cleaned(base, std::move(kept), std::move(aborted));
  if (!written) co_return written;
  co_return co_await machine_.log->replace_segments(std::move(replaced), version);
}

// Preferably one whose transaction index is not empty: it cannot be made again from it alone.
std::size_t Trial::first_to_compact(std::size_t usable) {
  const auto segments = machine_.log->segments();
  if (!model_.aborted().empty() && random_.chance(0.7)) {
    const Offset marker = model_.aborted()[random_.below(model_.aborted().size())].last_offset;
    for (std::size_t i = 0; i < usable; ++i) {
      if (segments[i]->base() <= marker && marker < segments[i + 1]->base()) return i;
    }
  }
  return random_.below(usable);
}

// Drops some batches of some closed segments that are durable, and puts one in their place.
// Batches of producers and markers stay: what is known of them is compared exactly.
void Trial::compact() {
  const auto segments = machine_.log->segments();
  std::size_t usable = 0;
  while (usable + 1 < segments.size() &&
         segments[usable + 1]->base() <= machine_.log->recovery_point()) {
    ++usable;
  }
  if (usable == 0) return;
  const std::size_t first = first_to_compact(usable);
  const std::size_t count = 1 + random_.below(std::min<std::size_t>(usable - first, 3));
  std::vector<std::shared_ptr<Segment>> replaced(
      segments.begin() + static_cast<std::ptrdiff_t>(first),
      segments.begin() + static_cast<std::ptrdiff_t>(first + count));
  const Offset base = replaced.front()->base();
  const Offset end = segments[first + count]->base();
  std::vector<BatchPtr> kept;
  std::vector<std::size_t> dropped;
  for (std::size_t i = model_.index_of(base); i < model_.entries().size(); ++i) {
    const BatchPtr& batch = model_.entries()[i].batch;
    if (batch->base() >= end) break;
    if (model_.entries()[i].gone) continue;
    if (!batch->header.has_producer_id() && random_.chance(0.4)) {
      dropped.push_back(i);
    } else {
      kept.push_back(batch);
    }
  }
  // A segment without a batch is possible, and rare.
  if (kept.empty() && random_.chance(0.8)) return;
  ++changes_;
  for (const std::size_t i : dropped) model_.will_remove(i);
  std::vector<AbortedTransaction> aborted;
  for (const AbortedTransaction& transaction : model_.aborted()) {
    if (transaction.last_offset >= base && transaction.last_offset < end) {
      aborted.push_back(transaction);
    }
  }
  trace("  {} segments from {} to {}, {} of {} batches go", count, base, end, dropped.size(),
        dropped.size() + kept.size());
  const Outcome outcome = change(replace(std::move(replaced), std::move(kept), std::move(aborted)));
  if (outcome == Outcome::ended) return;
  if (outcome == Outcome::refused) {
    model_.settled();
    return compare(false, Offset(0));
  }
  model_.compaction_ended();
  static_cast<void>(survived());
}

}  // namespace millrace::storage::crash
