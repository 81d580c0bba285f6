module;
#include <algorithm>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

module millrace.storage.cleaner;

namespace millrace::storage {

Cleaner::Cleaner(SegmentContext& context, protocol::Compressor& compressor, CleanerKeeper& keeper,
                 const CleanerOptions& options)
    : context_(context),
      compressor_(compressor),
      keeper_(keeper),
      options_(options),
      throttle_(options.io_bytes_per_second_max) {}

void Cleaner::add(Log& log, Offset cleaned_end) {
  check(!logs_.contains(&log), "a log is added once");
  // What was cut off since, by recovery for instance, is not clean when it comes again.
  logs_.emplace(&log, std::make_shared<Entry>(log, std::min(cleaned_end, log.end())));
}

void Cleaner::stop() {
  stopped_ = true;
  if (running_ != nullptr) running_->cancel();
}

Task<void> Cleaner::remove(const Log& log) {
  const std::shared_ptr<Entry> entry = find(log);
  if (!entry) co_return;
  if (running_log_ == &log) running_->cancel();
  const auto guard = co_await entry->use.lock();
  if (entry->gone) co_return;
  entry->gone = true;
  if (entry->uncleanable) --counters_.uncleanable_logs;
  logs_.erase(&log);
}

Task<StorageResult<void>> Cleaner::cut(const Log& log, Offset end) {
  const std::shared_ptr<Entry> entry = find(log);
  if (!entry) co_return StorageResult<void>();
  if (running_log_ == &log) running_->cancel();
  const auto guard = co_await entry->use.lock();
  if (entry->gone) co_return StorageResult<void>();
  if (entry->cleaned_end <= end && !entry->unsaved) co_return StorageResult<void>();
  entry->cleaned_end = std::min(entry->cleaned_end, end);
  auto saved = co_await keeper_.save_cleaned_end(log, entry->cleaned_end);
  entry->unsaved = !saved;
  co_return saved;
}

std::shared_ptr<Cleaner::Entry> Cleaner::find(const Log& log) const {
  const auto found = logs_.find(&log);
  return found == logs_.end() ? nullptr : found->second;
}

std::optional<std::string> Cleaner::uncleanable(const Log& log) const {
  const auto entry = find(log);
  return entry ? entry->uncleanable : std::nullopt;
}

Offset Cleaner::cleaned_end(const Log& log) const {
  const auto entry = find(log);
  return entry ? entry->cleaned_end : no_offset;
}

// Logs come and go meanwhile, but for the one that is looked at.
Task<Cleaner::Chosen> Cleaner::dirtiest() {
  Chosen chosen;
  auto place = logs_.begin();
  while (!stopped_ && place != logs_.end()) {
    const Log* const key = place->first;
    const std::shared_ptr<Entry> entry = place->second;
    ++place;
    if (entry->use.locked()) continue;
    const Log& log = entry->log;
    if (!log.config().compacts || log.offline() || entry->uncleanable) continue;
    const CleaningRange all = cleaning_range(log, entry->cleaned_end);
    if (all.dirty_bytes == 0) continue;
    const std::uint64_t version = log.version();
    {
      const auto guard = co_await entry->use.lock();
      const CompactionLag lag = co_await compaction_lag(context_, log, all);
      const double ratio = cleaning_range(log, entry->cleaned_end, lag.cleanable_end).dirty_ratio();
      const bool is_dirty = lag.is_overdue || ratio > log.config().dirty_ratio_min;
      if (is_dirty && ratio > chosen.dirty_ratio) {
        chosen = {entry, version, lag.cleanable_end, ratio};
      }
    }
    place = logs_.upper_bound(key);
  }
  co_return chosen;
}

Task<bool> Cleaner::clean_dirtiest() {
  const auto guard = co_await cleaning_.lock();
  for (;;) {
    const Chosen chosen = co_await dirtiest();
    if (stopped_ || !chosen.entry) co_return false;
    Entry& entry = *chosen.entry;
    // Another one is chosen if this one goes, or was cut: what was found out is not true any more.
    if (entry.gone || entry.use.locked() || entry.log.version() != chosen.version) continue;
    const auto use = co_await entry.use.lock();
    co_return co_await clean(entry, cleaning_range(entry.log, entry.cleaned_end, chosen.limit));
  }
}

Task<bool> Cleaner::clean(Entry& entry, const CleaningRange& range) {
  Log& log = entry.log;
  KeyOffsets keys(options_.seed + passes_begun_++, options_.dedupe_buffer_bytes);
  CleaningPass pass({context_, compressor_, throttle_}, log, range, keys);
  running_ = &pass;
  running_log_ = &log;
  const auto report = co_await pass.run();
  running_ = nullptr;
  running_log_ = nullptr;
  if (!report) {
    failed(entry, pass, report.error());
    co_return false;
  }
  count(*report);
  if (report->cancelled) co_return false;
  context_.log.info("{}: cleaned up to offset {}: {} of {} records stay, {} bytes became {}",
                    log.directory(), report->cleaned_end.value(), report->counts.records_kept,
                    report->counts.records_read, report->bytes_before, report->bytes_after);
  if (report->counts.records_without_key > 0) {
    context_.log.warning("{}: {} records without a key were dropped, as in every compacted topic",
                         log.directory(), report->counts.records_without_key);
  }
  entry.cleaned_end = report->cleaned_end;
  const auto saved = co_await keeper_.save_cleaned_end(log, entry.cleaned_end);
  entry.unsaved = entry.unsaved && !saved;
  if (!saved) {
    failed(entry, pass, saved.error());
    co_return false;
  }
  ++counters_.passes;
  co_return true;
}

void Cleaner::count(const PassReport& report) {
  counters_.records_read += report.counts.records_read;
  counters_.records_kept += report.counts.records_kept;
  counters_.bytes_read += report.bytes_read;
  counters_.bytes_written += report.bytes_written;
}

void Cleaner::failed(Entry& entry, const CleaningPass& pass, const StorageError& error) {
  Log& log = entry.log;
  ++counters_.failed_passes;
  if (error.fault == StorageFault::offline) {
    log.report(error);
    return;
  }
  // A limit of the operating system is a lack of descriptors; one of ours will not go away.
  const bool passes_by = error.fault == StorageFault::no_space ||
                         (error.fault == StorageFault::limit && error.io.has_value());
  if (passes_by || pass.log_changed() || log.offline()) {
    context_.log.warning("{}: cleaning is tried again later: {}", log.directory(), error.message);
    return;
  }
  entry.uncleanable = error.message;
  ++counters_.uncleanable_logs;
  context_.log.error("{} is not cleaned any more: {}", log.directory(), error.message);
}

}  // namespace millrace::storage
