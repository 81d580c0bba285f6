module;
#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

module millrace.storage.manager;

import millrace.config;
import :options;

namespace millrace::storage {

namespace {

[[nodiscard]] std::uint64_t bytes_of(config::ByteCount count) {
  return static_cast<std::uint64_t>(count.value());
}

}  // namespace

ManagerOptions manager_options(const config::ServerConfig& config) {
  ManagerOptions options;
  options.directories = config::log_directories(config);
  options.recovery_threads =
      static_cast<std::size_t>(config.get<"num.recovery.threads.per.data.dir">());
  options.retention_check = config.get<"log.retention.check.interval.ms">();
  options.flush_check = config.get<"log.flush.scheduler.interval.ms">();
  options.recovery_point_interval = config.get<"log.flush.offset.checkpoint.interval.ms">();
  options.log_start_interval = config.get<"log.flush.start.offset.checkpoint.interval.ms">();
  options.high_watermark_interval = config.get<"replica.high.watermark.checkpoint.interval.ms">();
  options.cleans = config.get<"log.cleaner.enable">();
  options.cleaner_buffer_bytes =
      static_cast<std::size_t>(bytes_of(config.get<"log.cleaner.dedupe.buffer.size">()));
  options.cleaner_bytes_per_second = config.get<"log.cleaner.io.max.bytes.per.second">();
  options.cleaner_backoff = config.get<"log.cleaner.backoff.ms">();
  options.reserve_bytes = bytes_of(config.get<"millrace.disk.reserve.bytes">());
  options.scrub_bytes_per_second = bytes_of(config.get<"millrace.scrub.bytes.per.second">());
  return options;
}

LogConfig log_config(const config::ServerConfig& server, const config::TopicConfig& topic) {
  // Kafka's way of saying: never, and: without a limit.
  constexpr std::int64_t never = std::numeric_limits<std::int64_t>::max();
  LogConfig log;
  log.segment_bytes = bytes_of(topic.get<"segment.bytes">());
  log.segment_age_max = topic.get<"segment.ms">();
  log.segment_jitter_max = topic.get<"segment.jitter.ms">();
  log.segment_index_bytes = bytes_of(topic.get<"segment.index.bytes">());
  log.index_interval_bytes =
      static_cast<std::uint32_t>(bytes_of(topic.get<"index.interval.bytes">()));
  log.deletes = topic.get<"cleanup.policy">().has("delete");
  log.compacts = topic.get<"cleanup.policy">().has("compact");
  log.retention.reset();
  if (topic.get<"retention.ms">().count() >= 0) log.retention = topic.get<"retention.ms">();
  log.retention_bytes.reset();
  if (topic.get<"retention.bytes">().value() >= 0) {
    log.retention_bytes = bytes_of(topic.get<"retention.bytes">());
  }
  log.file_delete_delay = topic.get<"file.delete.delay.ms">();
  log.delete_retention = topic.get<"delete.retention.ms">();
  log.dirty_ratio_min = topic.get<"min.cleanable.dirty.ratio">();
  log.compaction_lag_min = topic.get<"min.compaction.lag.ms">();
  log.compaction_lag_max.reset();
  if (topic.get<"max.compaction.lag.ms">().count() != never) {
    log.compaction_lag_max = topic.get<"max.compaction.lag.ms">();
    // What is written to is not compacted: it is closed in time, as in Kafka.
    if (log.compacts) {
      log.segment_age_max = std::min(log.segment_age_max, *log.compaction_lag_max);
    }
  }
  if (topic.get<"flush.messages">() != never) {
    log.flush_records = static_cast<std::uint64_t>(topic.get<"flush.messages">());
  }
  if (topic.get<"flush.ms">().count() != never) log.flush_interval = topic.get<"flush.ms">();
  log.producer_expiration = server.get<"producer.id.expiration.ms">();
  return log;
}

}  // namespace millrace::storage
