// What the managers of a server measure.
module;
#include <string>
#include <string_view>

export module millrace.storage.manager:metrics;

import millrace.base;
import millrace.telemetry;
import :crossing;

export namespace millrace::storage {

// Of one directory, as one shard counts them.
struct DirectoryMetrics {
  telemetry::Gauge partitions;
  telemetry::Gauge failed_partitions;
  telemetry::Gauge bytes;
  telemetry::Gauge free_bytes;
  telemetry::Gauge offline;
  telemetry::Counter refused_appends;
};

// Of one manager; a member of it. docs/metrics.md lists them.
class ManagerMetrics {
 public:
  // A definition that another one contradicts is a bug and stops the process.
  ManagerMetrics(telemetry::Registry& registry, ShardIndex shard);

  [[nodiscard]] DirectoryMetrics of_directory(std::string_view path) const;

 private:
  telemetry::Registry& registry_;
  ShardIndex shard_;

 public:
  telemetry::DurationGauge opening;
  telemetry::Counter recovered_bytes;
  telemetry::Counter cut_bytes;
  telemetry::Counter removed_segments;
  telemetry::DurationHistogram flushes;
  telemetry::DurationHistogram checkpoints;
  telemetry::Counter cleaner_passes;
  telemetry::Counter cleaner_failed_passes;
  telemetry::Counter cleaner_read_bytes;
  telemetry::Counter cleaner_written_bytes;
  telemetry::Counter cleaner_read_records;
  telemetry::Counter cleaner_kept_records;
  telemetry::Gauge cleaner_failed_logs;
  telemetry::Counter scrubbed_bytes;
  telemetry::Counter scrub_passes;
  telemetry::Counter corruptions;
};

}  // namespace millrace::storage
