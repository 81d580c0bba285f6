// What a manager does by itself, every so often.
module;
#include <algorithm>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

module millrace.storage.manager;

import :keeper;
import :log_manager;

namespace millrace::storage {

using LogPointer = std::shared_ptr<Log>;

Housekeeping::Housekeeping(Executor& executor, const ManagerOptions& options)
    : retention(executor, std::min(first_retention_delay, options.retention_check)),
      flush(executor, options.flush_check),
      producers(executor, options.producer_check),
      recovery_points(executor, options.recovery_point_interval),
      log_starts(executor, options.log_start_interval),
      high_watermarks(executor, options.high_watermark_interval),
      space(executor, space_interval),
      figures(executor, figures_interval),
      cleaner(executor, options.cleaner_backoff) {}

void Housekeeping::stop() {
  for (Ticker* ticker : {&retention, &flush, &producers, &recovery_points, &log_starts,
                         &high_watermarks, &space, &figures, &cleaner}) {
    ticker->stop();
  }
}

void LogManager::start_housekeeping() {
  tasks_.start(every(housekeeping_.retention, &LogManager::apply_retention));
  tasks_.start(every(housekeeping_.flush, &LogManager::flush_due));
  tasks_.start(every(housekeeping_.producers, &LogManager::expire_producers));
  tasks_.start(every(housekeeping_.recovery_points, &LogManager::note_recovery_points));
  tasks_.start(every(housekeeping_.log_starts, &LogManager::note_log_starts));
  tasks_.start(every(housekeeping_.high_watermarks, &LogManager::note_high_watermarks));
  tasks_.start(every(housekeeping_.space, &LogManager::look_at_space));
  tasks_.start(every(housekeeping_.figures, &LogManager::publish));
  if (options_.cleans) tasks_.start(every(housekeeping_.cleaner, &LogManager::clean));
  tasks_.start(scrubber_.run());
}

Task<void> LogManager::every(Ticker& ticker, Task<void> (LogManager::*work)()) {
  while (co_await ticker.next()) co_await (this->*work)();
}

LogPointer LogManager::next_log(const TopicPartition* after) const {
  auto place = after == nullptr ? hosted_.begin() : hosted_.upper_bound(*after);
  while (place != hosted_.end() && !place->second.log) ++place;
  return place == hosted_.end() ? nullptr : place->second.log;
}

// The next one of those who go through all logs together.
Task<LogPointer> LogManager::next_log(Walk& walk) {
  if (++walk.count % logs_per_slice == 0) co_await yield(context_.executor);
  if (stopping_) co_return nullptr;
  LogPointer log = next_log(walk.last ? &*walk.last : nullptr);
  if (log) walk.last = log->partition();
  co_return log;
}

void LogManager::warn(const Log& log, const StorageError& error) const {
  // An offline directory has been told of.
  if (error.fault != StorageFault::offline) {
    context_.log.warning("{}: {}", log.directory(), error.message);
  }
}

// --- Retention ---

Task<void> LogManager::apply_retention() {
  housekeeping_.retention.set_interval(options_.retention_check);
  Walk walk;
  TaskGroup workers;
  // Those who move the start of their log at the same time share the write of a checkpoint file.
  for (std::size_t i = 0; i < retentions_max; ++i) workers.start(apply_retention_to_next(walk));
  co_await workers.wait();
}

Task<void> LogManager::apply_retention_to_next(Walk& walk) {
  while (const LogPointer log = co_await next_log(walk)) {
    if (log->offline()) continue;
    const auto removed = co_await log->apply_retention();
    if (removed) {
      metrics_.removed_segments.add(*removed);
    } else {
      warn(*log, removed.error());
    }
  }
}

// --- Flushing ---

void LogManager::note_config(Hosted& hosted, const LogConfig& config) {
  if (options_.cleans && config.compacts && !hosted.cleaned) {
    hosted.cleaned = true;
    cleaner_.add(*hosted.log, hosted.told[CheckpointKind::cleaner]);
  }
  plan_flush(hosted);
  if (!config.flush_interval || *config.flush_interval >= housekeeping_.flush.interval()) return;
  housekeeping_.flush.set_interval(*config.flush_interval);
  housekeeping_.flush.wake_now();
}

void LogManager::plan_flush(Hosted& hosted) {
  const auto place = [&] { return std::pair(*hosted.flush_due, hosted.log->partition()); };
  if (hosted.flush_due) flushes_.erase(place());
  hosted.flush_due.reset();
  const auto& interval = hosted.log->config().flush_interval;
  // Longer ones mean: never.
  if (!interval || *interval >= Ticker::interval_max) return;
  hosted.flush_due = hosted.flushed + std::max(*interval, Milliseconds(1));
  flushes_.insert(place());
}

// Of many logs only those are looked at whose time has come.
Task<void> LogManager::flush_due() {
  const MonotonicTime began = context_.executor.clock().now();
  for (std::size_t count = 1; !flushes_.empty() && flushes_.begin()->first <= began; ++count) {
    if (count % logs_per_slice == 0) co_await yield(context_.executor);
    if (stopping_) co_return;
    if (flushes_.empty()) break;
    const auto [due, partition] = *flushes_.begin();
    flushes_.erase(flushes_.begin());
    const auto hosted = hosted_.find(partition);
    if (hosted == hosted_.end() || hosted->second.flush_due != due) continue;
    hosted->second.flush_due.reset();
    const LogPointer log = hosted->second.log;
    if (!log || log->offline()) continue;
    const MonotonicTime now = context_.executor.clock().now();
    hosted->second.flushed = now;
    plan_flush(hosted->second);
    if (log->flushed_end() >= log->end()) continue;
    const auto flushed = co_await log->flush();
    metrics_.flushes.record(context_.executor.clock().now() - now);
    if (!flushed) warn(*log, flushed.error());
  }
}

Task<void> LogManager::expire_producers() {
  Walk walk;
  while (const LogPointer log = co_await next_log(walk)) log->expire_producers();
}

// --- Checkpoint files ---

Task<void> LogManager::note(CheckpointKind kind) {
  const MonotonicTime began = context_.executor.clock().now();
  const auto saved = co_await save(std::span(&kind, 1));
  metrics_.checkpoints.record(context_.executor.clock().now() - began);
  if (!saved && saved.error().fault != StorageFault::offline) {
    context_.log.warning("{}", saved.error().message);
  }
}

Task<void> LogManager::note_recovery_points() {
  co_await try_failed_again();
  Walk walk;
  while (const LogPointer log = co_await next_log(walk)) {
    if (log->offline()) continue;
    const auto done = co_await log->checkpoint();
    if (!done) warn(*log, done.error());
  }
  co_await note(CheckpointKind::recovery_point);
}

Task<void> LogManager::note_log_starts() {
  co_await note(CheckpointKind::log_start);
}

Task<void> LogManager::note_high_watermarks() {
  co_await note(CheckpointKind::high_watermark);
}

// A log that could not be opened for lack of space or descriptors may be opened later.
Task<void> LogManager::try_failed_again() {
  std::vector<TopicPartition> failed;
  for (const auto& [partition, hosted] : hosted_) {
    if (hosted.failure && !keeper(hosted.directory).failed) failed.push_back(partition);
  }
  for (const TopicPartition& partition : failed) {
    const auto turn = co_await turns_.wait(partition);
    const auto hosted = hosted_.find(partition);
    if (stopping_ || hosted == hosted_.end() || hosted->second.log) continue;
    const auto opened = co_await adopt(partition, Uuid{}, config_of_(partition.topic));
    if (opened) context_.log.info("{} is open now", to_string(partition));
  }
}

// --- Compaction ---

void LogManager::set_options(const ManagerOptions& options) {
  cleaner_.set_io_rate(options.cleaner_bytes_per_second / context_.shard_count);
  cleaner_.set_dedupe_buffer(share_of(options.cleaner_buffer_bytes, dedupe_buffer_bytes_min));
  housekeeping_.cleaner.set_interval(options.cleaner_backoff);
  clean_soon();
}

Task<void> LogManager::clean() {
  while (!stopping_ && co_await cleaner_.clean_dirtiest()) {
  }
}

Task<StorageResult<void>> LogManager::save_cleaned_end(const Log& log, Offset end) {
  const auto hosted = hosted_.find(log.partition());
  if (hosted == hosted_.end() || hosted->second.log.get() != &log) {
    co_return storage_failure(StorageFault::not_found,
                              formatted("{} is not here", to_string(log.partition())));
  }
  hosted->second.told[CheckpointKind::cleaner] = end;
  const CheckpointChange change{
      hosted->second.directory, CheckpointKind::cleaner, {log.partition(), end}};
  co_return co_await cross<StorageResult<void>>(context_.crossing, context_.home,
                                                [&] { return directories_.set(change, true); });
}

// --- Space ---

void LogManager::ask_for_space() {
  if (!looking_at_space_) housekeeping_.space.wake_now();
}

Task<void> LogManager::look_at_space() {
  looking_at_space_ = true;
  bool full = false;
  for (const auto& directory : keepers_) {
    if (directory->failed) continue;
    const auto free = co_await context_.files.free_bytes(directory->path);
    if (!free) {
      const StorageError error = storage_error(free.error(), directory->path);
      context_.log.warning("{}", error.message);
      if (error.fault == StorageFault::offline) fail_directory(directory->index(), error);
      continue;
    }
    const bool was_closed = directory->space.closed();
    directory->space.found(*free);
    if (directory->space.closed() && !was_closed) {
      context_.log.warning("{} has {} bytes free: clients' records are refused", directory->path,
                           *free);
      // What may go makes room.
      housekeeping_.retention.wake_now();
    } else if (was_closed && !directory->space.closed()) {
      context_.log.info("{} has {} bytes free", directory->path, *free);
    }
    full = full || directory->space.closed();
  }
  housekeeping_.space.set_interval(full ? full_space_interval : space_interval);
  looking_at_space_ = false;
}

// --- Figures ---

Task<void> LogManager::publish() {
  std::vector<std::int64_t> bytes(keepers_.size());
  Walk walk;
  while (const LogPointer log = co_await next_log(walk)) {
    const auto hosted = hosted_.find(log->partition());
    if (hosted == hosted_.end()) continue;
    bytes[hosted->second.directory.value()] += static_cast<std::int64_t>(log->size_bytes());
  }
  std::vector<std::int64_t> partitions(keepers_.size());
  std::vector<std::int64_t> failed(keepers_.size());
  for (const auto& [partition, hosted] : hosted_) {
    ++partitions[hosted.directory.value()];
    if (hosted.failure) ++failed[hosted.directory.value()];
  }
  for (std::size_t i = 0; i < keepers_.size(); ++i) {
    DirectoryMetrics& metrics = keepers_[i]->metrics;
    metrics.partitions.set(partitions[i]);
    metrics.failed_partitions.set(failed[i]);
    metrics.bytes.set(bytes[i]);
    metrics.free_bytes.set(static_cast<std::int64_t>(keepers_[i]->space.free_bytes()));
  }
  const CleanerCounters& cleaned = cleaner_.counters();
  metrics_.cleaner_passes.advance_to(cleaned.passes);
  metrics_.cleaner_failed_passes.advance_to(cleaned.failed_passes);
  metrics_.cleaner_read_bytes.advance_to(cleaned.bytes_read);
  metrics_.cleaner_written_bytes.advance_to(cleaned.bytes_written);
  metrics_.cleaner_read_records.advance_to(cleaned.records_read);
  metrics_.cleaner_kept_records.advance_to(cleaned.records_kept);
  metrics_.cleaner_failed_logs.set(static_cast<std::int64_t>(cleaned.uncleanable_logs));
  metrics_.scrubbed_bytes.advance_to(scrubber_.counts().bytes);
  metrics_.scrub_passes.advance_to(scrubber_.counts().passes);
  metrics_.corruptions.advance_to(scrubber_.counts().corruptions);
}

}  // namespace millrace::storage
