module;
#include <algorithm>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "../segment/planted.hpp"

module millrace.storage.manager;

import :keeper;
import :log_manager;

namespace millrace::storage {

using LogPointer = std::shared_ptr<Log>;

LogManager::LogManager(const ManagerContext& context, LogDirectories& directories,
                       ManagerOptions options)
    : context_(context),
      directories_(directories),
      options_(std::move(options)),
      metrics_(context.registry, context.shard),
      open_files_(context.files, share_of(options_.open_files_max, open_files_min)),
      index_cache_(context.files, open_files_, share_of(options_.index_cache_bytes, 0)),
      segments_{context_.executor, context_.files,        open_files_, index_cache_,
                context_.buffers,  context_.decompressor, context_.log},
      producers_(share_of(broker_producers_max_default, 1)),
      cleaner_(segments_, compressor_, *this,
               {share_of(options_.cleaner_buffer_bytes, dedupe_buffer_bytes_min),
                options_.cleaner_bytes_per_second / context.shard_count, context.seed}),
      housekeeping_(context.executor, options_),
      scrubber_(
          context.executor, context.files, context.buffers, context.log,
          {options_.scrub_bytes_per_second, options_.scrub_pass_interval, context.seed},
          [this](const TopicPartition* after) { return next_log(after); },
          [this](const Corruption& corruption) {
            if (context_.found_corruption) context_.found_corruption(corruption);
          }) {
  for (std::uint32_t i = 0; i < options_.directories.size(); ++i) {
    keepers_.push_back(std::make_unique<Keeper>(*this, DirectoryIndex(i)));
  }
}

// What is for all shards is divided among them.
std::size_t LogManager::share_of(std::size_t all, std::size_t least) const {
  return std::max(all / context_.shard_count, least);
}

LogManager::~LogManager() {
  check(!open_ && tasks_.running() == 0, "a manager is stopped before it goes");
}

// --- What is here ---

LogPointer LogManager::find(const TopicPartition& partition) const {
  const auto found = hosted_.find(partition);
  return found == hosted_.end() ? nullptr : found->second.log;
}

std::optional<StorageError> LogManager::failure_of(const TopicPartition& partition) const {
  const auto found = hosted_.find(partition);
  if (found == hosted_.end() || !found->second.failure) return std::nullopt;
  return *found->second.failure;
}

std::optional<Uuid> LogManager::topic_id_of(const TopicPartition& partition) const {
  const auto found = hosted_.find(partition);
  if (found == hosted_.end()) return std::nullopt;
  return found->second.topic_id;
}

std::vector<LogDescription> LogManager::describe() const {
  std::vector<LogDescription> all;
  all.reserve(hosted_.size());
  for (const auto& [partition, hosted] : hosted_) {
    all.push_back(
        {partition, hosted.topic_id, hosted.directory, hosted.log ? hosted.log->size_bytes() : 0});
  }
  return all;
}

std::vector<LogPointer> LogManager::logs() const {
  std::vector<LogPointer> all;
  all.reserve(hosted_.size());
  for (const auto& [partition, hosted] : hosted_) {
    if (hosted.log) all.push_back(hosted.log);
  }
  return all;
}

bool LogManager::set_config(const TopicPartition& partition, const LogConfig& config) {
  const auto found = hosted_.find(partition);
  if (found == hosted_.end() || !found->second.log) return false;
  found->second.log->set_config(config);
  note_config(found->second, config);
  return true;
}

Task<StorageResult<void>> LogManager::truncate(LogPointer log, Offset offset) {
  if (auto cut = co_await cleaner_.cut(*log, offset); !cut) co_return cut;
  if (auto truncated = co_await log->truncate(offset); !truncated) co_return truncated;
  // A pass may have begun and ended before it was the turn of the cut.
  co_return co_await cleaner_.cut(*log, offset);
}

Task<StorageResult<void>> LogManager::restart_at(LogPointer log, Offset offset) {
  if (auto cut = co_await cleaner_.cut(*log, offset); !cut) co_return cut;
  if (auto restarted = co_await log->restart_at(offset); !restarted) co_return restarted;
  co_return co_await cleaner_.cut(*log, offset);
}

// --- Making and removing ---

Task<StorageResult<LogPointer>> LogManager::create(TopicPartition partition, Uuid topic_id,
                                                   LogConfig config, Novelty novelty) {
  if (!is_topic_name(partition.topic) || partition.partition < PartitionIndex(0)) {
    co_return storage_failure(StorageFault::invalid,
                              formatted("{} is not a partition", to_string(partition)));
  }
  const auto turn = co_await turns_.wait(partition);
  if (stopping_) co_return storage_failure(StorageFault::invalid, "the server stops");
  const auto found = hosted_.find(partition);
  if (found == hosted_.end()) co_return co_await make(partition, topic_id, config, novelty);
  const Uuid known = found->second.topic_id;
  if (known == topic_id || known.is_zero() || topic_id.is_zero()) {
    co_return co_await adopt(partition, topic_id, config);
  }
  context_.log.warning(
      "{} is of the topic with id {}, which was deleted or made anew: now it is {}",
      to_string(partition), to_string(known), to_string(topic_id));
  if (const auto kept = co_await put_away(partition, PartitionDirectoryKind::stray); !kept) {
    co_return failure(kept.error());
  }
  co_return co_await make(partition, topic_id, config, Novelty::is_new);
}

Task<StorageResult<LogPointer>> LogManager::make(TopicPartition partition, Uuid topic_id,
                                                 LogConfig config, Novelty novelty) {
  const auto placed = co_await cross<StorageResult<Placement>>(
      context_.crossing, context_.home,
      [&] { return directories_.place(partition, topic_id, novelty); });
  if (!placed) co_return failure(placed.error());
  Hosted& hosted = hosted_[partition];
  hosted.directory = placed->directory;
  hosted.topic_id = topic_id;
  // It is empty: there is nothing to be recovered.
  co_return co_await open_log(partition, placed->directory, {}, config, true, nullptr);
}

// The partition is here already.
Task<StorageResult<LogPointer>> LogManager::adopt(TopicPartition partition, Uuid topic_id,
                                                  LogConfig config) {
  Hosted& hosted = hosted_.at(partition);
  if (keeper(hosted.directory).failed) co_return failure(*keeper(hosted.directory).failed);
  if (!hosted.log) {
    const auto settled = co_await cross<StorageResult<void>>(context_.crossing, context_.home, [&] {
      return directories_.settle_names(hosted.directory);
    });
    if (!settled) co_return failure(settled.error());
    const auto opened =
        co_await open_log(partition, hosted.directory, hosted.told, config, false, nullptr);
    if (!opened) co_return failure(opened.error());
  }
  if (hosted.topic_id.is_zero() && !topic_id.is_zero()) {
    const auto saved = co_await save_partition_metadata(context_.files, hosted.log->directory(),
                                                        PartitionMetadata{topic_id});
    if (!saved) {
      hosted.log->report(saved.error());
      co_return failure(saved.error());
    }
    hosted.topic_id = topic_id;
  }
  hosted.log->set_config(config);
  note_config(hosted, config);
  co_return hosted.log;
}

Task<StorageResult<void>> LogManager::remove(TopicPartition partition) {
  const auto turn = co_await turns_.wait(partition);
  if (stopping_) co_return storage_failure(StorageFault::invalid, "the server stops");
  co_return co_await put_away(partition, PartitionDirectoryKind::deleted);
}

Task<StorageResult<void>> LogManager::set_aside(TopicPartition partition) {
  const auto turn = co_await turns_.wait(partition);
  if (stopping_) co_return storage_failure(StorageFault::invalid, "the server stops");
  co_return co_await put_away(partition, PartitionDirectoryKind::stray);
}

Task<StorageResult<void>> LogManager::put_away(TopicPartition partition,
                                               PartitionDirectoryKind kind) {
  const auto found = hosted_.find(partition);
  if (found == hosted_.end()) {
    co_return storage_failure(StorageFault::not_found,
                              formatted("{} is not here", to_string(partition)));
  }
  // Nobody else takes it out of the table: that is a matter of turns.
  Hosted& hosted = found->second;
  if (hosted.cleaned) co_await cleaner_.remove(*hosted.log);
  hosted.cleaned = false;
  Duration delay = LogConfig().file_delete_delay;
  const LogPointer log = std::exchange(hosted.log, nullptr);
  if (log) {
    delay = log->config().file_delete_delay;
    co_await log->abandon();
  }
  auto done = co_await cross<StorageResult<void>>(context_.crossing, context_.home, [&] {
    return directories_.put_away(hosted.directory, partition, kind, delay);
  });
  if (log) co_await log->forget_files();
  if (done) {
    hosted_.erase(found);
  } else {
    hosted.failure = std::make_unique<StorageError>(done.error());
  }
  co_return done;
}

// --- Checkpoint files ---

// The lines of some logs, from one on, that have changed; where the next ones begin, if there are
// more.
std::optional<TopicPartition> LogManager::collect(std::span<const CheckpointKind> kinds,
                                                  const std::optional<TopicPartition>& from,
                                                  std::vector<CheckpointChange>& changes) {
  auto place = from ? hosted_.lower_bound(*from) : hosted_.begin();
  for (std::size_t i = 0; i < lines_per_slice && place != hosted_.end(); ++i, ++place) {
    auto& [partition, hosted] = *place;
    if (!hosted.log || hosted.log->offline()) continue;
    const Log& log = *hosted.log;
    for (const CheckpointKind kind : kinds) {
      const bool early = planted(Planted::checkpoint_before_data);
      const Offset now = kind == CheckpointKind::recovery_point
                             ? (early ? log.end() : log.recovery_point())
                         : kind == CheckpointKind::high_watermark ? log.high_watermark()
                                                                  : log.start();
      if (hosted.told[kind] == now) continue;
      hosted.told[kind] = now;
      changes.push_back({hosted.directory, kind, {partition, now}});
    }
  }
  if (place == hosted_.end()) return std::nullopt;
  return place->first;
}

Task<StorageResult<void>> LogManager::save(std::span<const CheckpointKind> kinds) {
  std::optional<TopicPartition> from;
  do {
    // What is collected is on its way before a log can change its mind: lines of one log reach the
    // home in their order.
    std::vector<CheckpointChange> changes;
    from = collect(kinds, from, changes);
    co_await context_.crossing.run(context_.home, [&]() -> Task<void> {
      directories_.note(changes);
      co_return;
    });
    if (from) co_await yield(context_.executor);
  } while (from);
  co_return co_await cross<StorageResult<void>>(context_.crossing, context_.home,
                                                [&] { return directories_.save(); });
}

// --- Failures ---

void LogManager::directory_failed(DirectoryIndex directory, const StorageError& error) {
  Keeper& failing = keeper(directory);
  if (failing.failed) return;
  failing.failed = error;
  failing.in_order = false;
  failing.metrics.offline.set(1);
  for (const auto& [partition, hosted] : hosted_) {
    if (hosted.directory == directory && hosted.log) hosted.log->report(error);
  }
}

void LogManager::fail_directory(DirectoryIndex directory, const StorageError& error) {
  if (keeper(directory).failed) return;
  directory_failed(directory, error);
  tasks_.start(tell_home(directory, error));
}

Task<void> LogManager::tell_home(DirectoryIndex directory, StorageError error) {
  co_await context_.crossing.run(context_.home, [&]() -> Task<void> {
    directories_.fail(directory, error);
    co_return;
  });
}

// --- Ending ---

Task<std::vector<bool>> LogManager::stop() {
  stopping_ = true;
  housekeeping_.stop();
  scrubber_.stop();
  // A pass that is going on ends early, on whichever log.
  cleaner_.stop();
  for (const LogPointer& log : logs()) co_await cleaner_.remove(*log);
  co_await tasks_.wait();
  // Whoever is making or removing a partition comes to an end first.
  while (const auto busy = turns_.any()) {
    {
      const auto turn = co_await turns_.wait(*busy);
    }
    // This runs within whoever has just given the turn up, and who has not told what came of it.
    co_await yield(context_.executor);
  }
  std::vector<TopicPartition> waiting;
  waiting.reserve(hosted_.size());
  for (const auto& [partition, hosted] : hosted_) waiting.push_back(partition);
  TaskGroup closing;
  for (std::size_t i = 0; i < closings_max; ++i) closing.start(close_next(waiting));
  co_await closing.wait();
  const auto saved = co_await save(checkpoint_kinds_of_logs);
  if (!saved) context_.log.warning("{}", saved.error().message);
  std::vector<bool> clean;
  for (const auto& each : keepers_) clean.push_back(each->in_order);
  for (const auto& [partition, hosted] : hosted_) {
    check(!hosted.log || hosted.log.use_count() == 1, "logs are given back before the end");
  }
  hosted_.clear();
  if (open_) {
    co_await context_.crossing.run(context_.home,
                                   [this]() { return directories_.remove_user(*this); });
  }
  co_await tasks_.wait();
  co_await open_files_.close_all();
  open_ = false;
  co_return clean;
}

Task<void> LogManager::close_next(std::vector<TopicPartition>& waiting) {
  while (!waiting.empty()) {
    const TopicPartition partition = std::move(waiting.back());
    waiting.pop_back();
    const Hosted& hosted = hosted_.at(partition);
    Keeper& directory = keeper(hosted.directory);
    const LogPointer& log = hosted.log;
    if (!log) {
      directory.in_order = false;
    } else if (log->offline() || planted(Planted::mark_before_flush)) {
      co_await log->abandon();
    } else if (const auto closed = co_await log->close(); !closed) {
      directory.in_order = false;
      context_.log.warning("{} is not left in order and will be checked at the next start: {}",
                           log->directory(), closed.error().message);
    }
  }
}

}  // namespace millrace::storage
