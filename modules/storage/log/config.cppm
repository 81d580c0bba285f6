// How a log behaves: the topic's settings, as the log needs them.
module;
#include <chrono>
#include <cstdint>
#include <limits>
#include <optional>

export module millrace.storage.log:config;

import millrace.base;

export namespace millrace::storage {

using Milliseconds = std::chrono::milliseconds;

// The names in the comments are Kafka's. The defaults too.
struct LogConfig {
  std::uint64_t segment_bytes = std::uint64_t{1024} * mebibyte;        // segment.bytes
  Milliseconds segment_age_max = std::chrono::hours(24 * 7);           // segment.ms
  Milliseconds segment_jitter_max{0};                                  // segment.jitter.ms
  std::uint64_t segment_index_bytes = 10 * mebibyte;                   // segment.index.bytes
  std::uint32_t index_interval_bytes = 4096;                           // index.interval.bytes
  bool deletes = true;                                                 // cleanup.policy
  bool compacts = false;                                               // cleanup.policy
  std::optional<Milliseconds> retention = std::chrono::hours(24 * 7);  // retention.ms
  std::optional<std::uint64_t> retention_bytes;                        // retention.bytes
  Milliseconds file_delete_delay = std::chrono::minutes(1);            // file.delete.delay.ms
  Milliseconds delete_retention = std::chrono::hours(24);              // delete.retention.ms
  double dirty_ratio_min = 0.5;                                        // min.cleanable.dirty.ratio
  Milliseconds compaction_lag_min{0};                                  // min.compaction.lag.ms
  std::optional<Milliseconds> compaction_lag_max;                      // max.compaction.lag.ms
  // Whoever appends waits until so many records at the most are not on the disk; without a number,
  // for none.
  std::optional<std::uint64_t> flush_records;                 // flush.messages
  std::optional<Milliseconds> flush_interval;                 // flush.ms
  Milliseconds producer_expiration = std::chrono::hours(24);  // producer.id.expiration.ms

  // Appends are made durable by us and not left to the operating system.
  [[nodiscard]] bool flushes() const { return flush_records || flush_interval; }
};

}  // namespace millrace::storage
