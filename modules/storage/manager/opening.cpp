// Opening the logs that are there.
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

module millrace.storage.manager;

import :keeper;
import :log_manager;

namespace millrace::storage {

// What goes on while logs are opened.
struct LogManager::Opening {
  struct Directory {
    std::vector<FoundPartition> found;
    std::size_t next = 0;
  };
  explicit Opening(Executor& executor)
      : began(executor.clock().now()),
        progress(executor, std::chrono::duration_cast<Milliseconds>(opening_progress_interval)) {}

  std::vector<Directory> directories;
  std::size_t partitions = 0;
  MonotonicTime began;
  OpeningReport report;
  RecoveryProgress recovery;
  Ticker progress;
  // What was done when it was told last: logs, and bytes of those that had begun.
  std::pair<std::size_t, std::uint64_t> told;
};

namespace {

[[nodiscard]] double seconds(Duration duration) {
  return std::chrono::duration<double>(duration).count();
}

}  // namespace

Task<OpeningReport> LogManager::open(Belongs belongs, ConfigOf config_of) {
  open_ = true;
  config_of_ = std::move(config_of);
  Opening opening(context_.executor);
  opening.directories.resize(keepers_.size());
  co_await context_.crossing.run(context_.home, [&]() -> Task<void> {
    directories_.add_user(context_.shard, *this);
    for (std::uint32_t i = 0; i < directories_.count(); ++i) {
      LogDirectory& directory = directories_.at(DirectoryIndex(i));
      keepers_[i]->clean = directory.clean();
      if (!directory.online()) continue;
      opening.directories[i].found = directory.take_found(belongs);
    }
    co_return;
  });
  for (const Opening::Directory& each : opening.directories) {
    opening.partitions += each.found.size();
  }
  TaskGroup directories;
  for (std::uint32_t i = 0; i < keepers_.size(); ++i) {
    directories.start(open_directory(opening, DirectoryIndex(i)));
  }
  TaskGroup progress;
  progress.start(tell_progress(opening));
  co_await directories.wait();
  opening.progress.stop();
  co_await progress.wait();
  const OpeningReport& report = opening.report;
  context_.log.info(
      "{} logs are open, {} of them checked ({} bytes read, {} cut off), {} failed, in {:.1f} s",
      report.opened, report.recovered, report.scanned_bytes, report.cut_bytes, report.failed,
      seconds(context_.executor.clock().now() - opening.began));
  if (report.recovered > 0) {
    const auto saved = co_await save(checkpoint_kinds_of_logs);
    if (!saved) context_.log.warning("{}", saved.error().message);
  }
  const Duration took = context_.executor.clock().now() - opening.began;
  metrics_.opening.set(took);
  metrics_.recovered_bytes.add(report.scanned_bytes);
  metrics_.cut_bytes.add(report.cut_bytes);
  co_await look_at_space();
  start_housekeeping();
  co_return report;
}

Task<void> LogManager::tell_progress(Opening& opening) {
  while (co_await opening.progress.next()) {
    const std::size_t done = opening.report.opened + opening.report.failed;
    const RecoveryProgress& recovery = opening.recovery;
    context_.log.info(
        "opening logs: {} are done and {} left; of what has begun {} bytes are checked and {} are "
        "not; {:.0f} s so far",
        done, opening.partitions - done, recovery.checked_bytes, recovery.left_bytes,
        seconds(context_.executor.clock().now() - opening.began));
    const std::pair now_done(done, recovery.checked_bytes);
    if (std::exchange(opening.told, now_done) != now_done && context_.opening_goes_on) {
      context_.opening_goes_on();
    }
  }
}

Task<void> LogManager::open_directory(Opening& opening, DirectoryIndex directory) {
  Opening::Directory& all = opening.directories[directory.value()];
  const std::size_t count = all.found.size();
  std::size_t at_a_time = clean_openings_max;
  if (!keeper(directory).clean && count > 0) {
    // The shards share the number; each has one at least, for nobody else opens its logs.
    const std::size_t shards = context_.shard_count;
    at_a_time = std::max<std::size_t>(1, (options_.recovery_threads + shards - 1) / shards);
    context_.log.info("{} was not left in order: {} logs are checked, {} at a time",
                      keeper(directory).path, count, at_a_time);
  }
  TaskGroup workers;
  for (std::size_t i = 0; i < std::min(at_a_time, count); ++i) {
    workers.start(open_next(opening, directory));
  }
  co_await workers.wait();
  // What a device that failed meanwhile has is still known to be there, and not made anew
  // elsewhere.
  for (; all.next < count; ++all.next) {
    Hosted& hosted = hosted_[all.found[all.next].partition];
    hosted.directory = directory;
    hosted.told = all.found[all.next].offsets;
    hosted.failure = std::make_unique<StorageError>(*keeper(directory).failed);
    ++opening.report.failed;
  }
  all.found = {};
  keeper(directory).in_order = !keeper(directory).failed;
}

Task<void> LogManager::open_next(Opening& opening, DirectoryIndex directory) {
  Opening::Directory& all = opening.directories[directory.value()];
  while (all.next < all.found.size() && !keeper(directory).failed) {
    const FoundPartition& found = all.found[all.next++];
    co_await open_one(opening, directory, found);
    if (all.next % logs_per_slice == 0) co_await yield(context_.executor);
  }
}

Task<void> LogManager::open_one(Opening& opening, DirectoryIndex directory,
                                const FoundPartition& found) {
  const bool clean = keeper(directory).clean;
  Hosted& hosted = hosted_[found.partition];
  hosted.directory = directory;
  hosted.told = found.offsets;
  const auto topic_id =
      co_await read_topic_id(path_in(keeper(directory).path, to_string(found.partition)));
  if (topic_id) hosted.topic_id = *topic_id;
  StorageResult<std::shared_ptr<Log>> log;
  if (topic_id) {
    log = co_await open_log(found.partition, directory, found.offsets,
                            config_of_(found.partition.topic), clean, &opening.recovery);
  } else {
    hosted.failure = std::make_unique<StorageError>(topic_id.error());
    log = failure(topic_id.error());
    if (topic_id.error().fault == StorageFault::offline)
      fail_directory(directory, topic_id.error());
  }
  OpeningReport& report = opening.report;
  if (!log) {
    ++report.failed;
    context_.log.error("{} cannot be opened: {}", to_string(found.partition), log.error().message);
    co_return;
  }
  const RecoveryReport& recovery = (*log)->recovery();
  ++report.opened;
  if (!clean) ++report.recovered;
  report.scanned_bytes += recovery.scanned_bytes;
  report.cut_bytes += recovery.cut_bytes;
  report.dropped_segments += recovery.dropped_segments;
}

Task<StorageResult<Uuid>> LogManager::read_topic_id(std::string directory) {
  const auto metadata = co_await load_partition_metadata(context_.files, directory);
  if (metadata) co_return StorageResult<Uuid>(metadata->topic_id);
  const StorageFault fault = metadata.error().fault;
  // It is not there where the process ended while the partition was made, or in old directories.
  if (fault == StorageFault::not_found) co_return StorageResult<Uuid>(Uuid{});
  if (metadata.error().io) co_return failure(metadata.error());
  context_.log.warning("{}; the file is made again when the topic is known",
                       metadata.error().message);
  co_return StorageResult<Uuid>(Uuid{});
}

Task<StorageResult<std::shared_ptr<Log>>> LogManager::open_log(TopicPartition partition,
                                                               DirectoryIndex directory,
                                                               PartitionOffsets offsets,
                                                               LogConfig config, bool clean,
                                                               RecoveryProgress* progress) {
  const auto or_zero = [&](CheckpointKind kind) { return std::max(offsets[kind], Offset(0)); };
  LogOpening opening;
  opening.directory = path_in(keeper(directory).path, to_string(partition));
  opening.partition = partition;
  opening.config = config;
  opening.log_start = or_zero(CheckpointKind::log_start);
  opening.recovery_point = or_zero(CheckpointKind::recovery_point);
  opening.clean = clean;
  opening.progress = progress;
  auto opened = co_await Log::open(keeper(directory).context, std::move(opening));
  Hosted& hosted = hosted_.at(partition);
  if (!opened) {
    hosted.failure = std::make_unique<StorageError>(opened.error());
    if (opened.error().fault == StorageFault::offline) fail_directory(directory, opened.error());
    co_return failure(opened.error());
  }
  hosted.failure.reset();
  hosted.log = std::move(*opened);
  Log& log = *hosted.log;
  log.set_high_watermark(
      std::clamp(or_zero(CheckpointKind::high_watermark), log.start(), log.end()));
  hosted.flushed = context_.executor.clock().now();
  note_config(hosted, config);
  // Another log of the directory met the failure meanwhile.
  if (keeper(directory).failed) log.report(*keeper(directory).failed);
  co_return hosted.log;
}

}  // namespace millrace::storage
