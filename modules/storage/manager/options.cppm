// What the managers of a server are told by its configuration.
module;
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

export module millrace.storage.manager:options;

import millrace.base;
import millrace.config;
import millrace.storage.cleaner;
import millrace.storage.log;
import millrace.storage.producers;
import millrace.storage.segment;
import :scrubber;

export namespace millrace::storage {

// Kafka has the name producer.id.expiration.check.interval.ms for it and does not tell of it.
inline constexpr Milliseconds producer_expiration_check_interval = std::chrono::minutes(10);

// The names in the comments are Kafka's. The defaults too.
struct ManagerOptions {
  std::vector<std::string> directories;                    // log.dirs
  std::size_t recovery_threads = 2;                        // num.recovery.threads.per.data.dir
  Milliseconds retention_check = std::chrono::minutes(5);  // log.retention.check.interval.ms
  Milliseconds flush_check = Milliseconds::max();          // log.flush.scheduler.interval.ms
  Milliseconds recovery_point_interval =
      std::chrono::minutes(1);  // log.flush.offset.checkpoint.interval.ms
  Milliseconds log_start_interval =
      std::chrono::minutes(1);  // log.flush.start.offset.checkpoint.interval.ms
  Milliseconds high_watermark_interval =
      std::chrono::seconds(5);  // replica.high.watermark.checkpoint.interval.ms
  Milliseconds producer_check = producer_expiration_check_interval;
  std::uint64_t reserve_bytes = 256 * mebibyte;         // millrace.disk.reserve.bytes
  std::uint64_t scrub_bytes_per_second = 8 * mebibyte;  // millrace.scrub.bytes.per.second
  bool cleans = true;                                   // log.cleaner.enable
  std::size_t cleaner_buffer_bytes = dedupe_buffer_bytes_default;  // log.cleaner.dedupe.buffer.size
  double cleaner_bytes_per_second = IoThrottle::unlimited;  // log.cleaner.io.max.bytes.per.second
  Milliseconds cleaner_backoff = std::chrono::seconds(15);  // log.cleaner.backoff.ms
  Milliseconds scrub_pass_interval = scrub_pass_interval_default;
  // For all shards together.
  std::size_t open_files_max = 4 * open_files_max_default;
  std::size_t index_cache_bytes = 4 * index_cache_bytes_default;
};

[[nodiscard]] ManagerOptions manager_options(const config::ServerConfig& config);

// A topic's settings, as a log needs them: its own over those of the server, which
// config::make_topic_config() has put together. Some are of the server only.
[[nodiscard]] LogConfig log_config(const config::ServerConfig& server,
                                   const config::TopicConfig& topic);

}  // namespace millrace::storage
