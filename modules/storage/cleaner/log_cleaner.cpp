module;
#include <algorithm>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <map>
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
  logs_.emplace(&log, std::pair(&log, State{std::min(cleaned_end, log.end()), std::nullopt}));
}

Task<void> Cleaner::remove(const Log& log) {
  if (running_log_ == &log) running_->cancel();
  const auto guard = co_await cleaning_.lock();
  const auto found = logs_.find(&log);
  if (found == logs_.end()) co_return;
  if (found->second.second.uncleanable) --counters_.uncleanable_logs;
  logs_.erase(found);
}

Task<StorageResult<void>> Cleaner::cut(const Log& log, Offset end) {
  if (running_log_ == &log) running_->cancel();
  const auto guard = co_await cleaning_.lock();
  const auto found = logs_.find(&log);
  if (found == logs_.end()) co_return StorageResult<void>();
  State& state = found->second.second;
  if (state.cleaned_end <= end && !state.unsaved) co_return StorageResult<void>();
  state.cleaned_end = std::min(state.cleaned_end, end);
  auto saved = co_await keeper_.save_cleaned_end(log, state.cleaned_end);
  state.unsaved = !saved;
  co_return saved;
}

std::optional<std::string> Cleaner::uncleanable(const Log& log) const {
  const auto found = logs_.find(&log);
  return found == logs_.end() ? std::nullopt : found->second.second.uncleanable;
}

Offset Cleaner::cleaned_end(const Log& log) const {
  const auto found = logs_.find(&log);
  return found == logs_.end() ? no_offset : found->second.second.cleaned_end;
}

// Logs may be added while one is looked at, and none goes.
Task<Cleaner::Chosen> Cleaner::dirtiest() {
  Chosen chosen{logs_.end(), no_offset};
  for (auto place = logs_.begin(); place != logs_.end(); ++place) {
    const auto& [log, state] = place->second;
    if (!log->config().compacts || log->offline() || state.uncleanable) continue;
    const CleaningRange all = cleaning_range(*log, state.cleaned_end);
    if (all.dirty_bytes == 0) continue;
    const CompactionLag lag = co_await compaction_lag(context_, *log, all);
    const double ratio = cleaning_range(*log, state.cleaned_end, lag.cleanable_end).dirty_ratio();
    const bool is_dirty = lag.is_overdue || ratio > log->config().dirty_ratio_min;
    if (is_dirty && ratio > chosen.dirty_ratio) chosen = {place, lag.cleanable_end, ratio};
  }
  co_return chosen;
}

Task<bool> Cleaner::clean_dirtiest() {
  const auto guard = co_await cleaning_.lock();
  const Chosen chosen = co_await dirtiest();
  if (chosen.place == logs_.end()) co_return false;
  auto& [log, state] = chosen.place->second;
  co_return co_await clean(*log, state, cleaning_range(*log, state.cleaned_end, chosen.limit));
}

Task<bool> Cleaner::clean(Log& log, State& state, const CleaningRange& range) {
  KeyOffsets keys(options_.seed + passes_begun_++, options_.dedupe_buffer_bytes);
  CleaningPass pass({context_, compressor_, throttle_}, log, range, keys);
  running_ = &pass;
  running_log_ = &log;
  const auto report = co_await pass.run();
  running_ = nullptr;
  running_log_ = nullptr;
  if (!report) {
    failed(log, state, pass, report.error());
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
  state.cleaned_end = report->cleaned_end;
  const auto saved = co_await keeper_.save_cleaned_end(log, state.cleaned_end);
  state.unsaved = state.unsaved && !saved;
  if (!saved) {
    failed(log, state, pass, saved.error());
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

void Cleaner::failed(Log& log, State& state, const CleaningPass& pass, const StorageError& error) {
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
  state.uncleanable = error.message;
  ++counters_.uncleanable_logs;
  context_.log.error("{} is not cleaned any more: {}", log.directory(), error.message);
}

}  // namespace millrace::storage
