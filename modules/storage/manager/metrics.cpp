module;
#include <cstddef>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

module millrace.storage.manager;

import millrace.telemetry;
import :metrics;

namespace millrace::storage {

namespace {

using telemetry::Combination;
using telemetry::Definition;

constexpr std::size_t directories_max = 1000;

template <class Handle>
[[nodiscard]] Handle made(telemetry::Registry& registry, const Definition& definition,
                          ShardIndex shard,
                          std::initializer_list<std::string_view> label_values = {}) {
  auto handle = registry.add<Handle>(definition, shard, label_values);
  check(handle.has_value(), "the metrics of a manager are well formed");
  return std::move(*handle);
}

[[nodiscard]] telemetry::Counter counter(telemetry::Registry& registry, ShardIndex shard,
                                         std::string_view name, std::string_view help) {
  return made<telemetry::Counter>(registry, {.name = name, .help = help}, shard);
}

[[nodiscard]] telemetry::DurationHistogram durations(telemetry::Registry& registry,
                                                     ShardIndex shard, std::string_view name,
                                                     std::string_view help) {
  return made<telemetry::DurationHistogram>(registry, {.name = name, .help = help}, shard);
}

template <class Handle>
[[nodiscard]] Handle made_of(telemetry::Registry& registry, std::string_view name,
                             std::string_view help, ShardIndex shard, std::string_view directory,
                             Combination combination = Combination::sum) {
  return made<Handle>(registry,
                      {.name = name,
                       .help = help,
                       .labels = {"directory"},
                       .series_max = directories_max,
                       .combination = combination},
                      shard, {directory});
}

}  // namespace

DirectoryMetrics ManagerMetrics::of_directory(std::string_view path) const {
  using telemetry::Counter;
  using telemetry::Gauge;
  return {made_of<Gauge>(registry_, "millrace_log_partitions", "Partitions in a log directory.",
                         shard_, path),
          made_of<Gauge>(registry_, "millrace_log_failed_partitions",
                         "Partitions of a log directory that could not be opened.", shard_, path),
          made_of<Gauge>(registry_, "millrace_log_size_bytes",
                         "Size of all records of a log directory, looked at every few seconds.",
                         shard_, path),
          made_of<Gauge>(registry_, "millrace_log_directory_free_bytes",
                         "What may still be written to the disk of a log directory.", shard_, path,
                         Combination::maximum),
          made_of<Gauge>(registry_, "millrace_log_directory_offline",
                         "1 if the device of a log directory has failed and nothing there is used.",
                         shard_, path, Combination::maximum),
          made_of<Counter>(registry_, "millrace_log_refused_appends_total",
                           "Batches that were refused so that the reserve of a disk stays free.",
                           shard_, path)};
}

ManagerMetrics::ManagerMetrics(telemetry::Registry& registry, ShardIndex shard)
    : registry_(registry),
      shard_(shard),
      opening(
          made<telemetry::DurationGauge>(registry,
                                         {.name = "millrace_log_opening_seconds",
                                          .help = "How long it took to open all logs at the start.",
                                          .combination = Combination::maximum},
                                         shard)),
      recovered_bytes(
          counter(registry, shard, "millrace_log_recovered_bytes_total",
                  "Records that were checked at the start because the last stop was not orderly.")),
      cut_bytes(counter(registry, shard, "millrace_log_recovery_cut_bytes_total",
                        "What was cut off at the start because it was not whole.")),
      removed_segments(
          counter(registry, shard, "millrace_log_retention_segments_total",
                  "Segments that were removed because of their age or the size of their log.")),
      flushes(durations(registry, shard, "millrace_log_flush_seconds",
                        "How long it took to sync a log that flush.ms wants synced.")),
      checkpoints(durations(registry, shard, "millrace_log_checkpoint_seconds",
                            "How long it took to save the checkpoint files of all directories.")),
      cleaner_passes(counter(registry, shard, "millrace_cleaner_passes_total",
                             "How often a log was cleaned.")),
      cleaner_failed_passes(counter(registry, shard, "millrace_cleaner_failed_passes_total",
                                    "Cleanings of a log that failed.")),
      cleaner_read_bytes(
          counter(registry, shard, "millrace_cleaner_read_bytes_total", "What cleaning read.")),
      cleaner_written_bytes(
          counter(registry, shard, "millrace_cleaner_written_bytes_total", "What cleaning wrote.")),
      cleaner_read_records(counter(registry, shard, "millrace_cleaner_read_records_total",
                                   "Records that cleaning looked at.")),
      cleaner_kept_records(counter(registry, shard, "millrace_cleaner_kept_records_total",
                                   "Records that cleaning kept.")),
      cleaner_failed_logs(made<telemetry::Gauge>(
          registry,
          {.name = "millrace_cleaner_failed_logs",
           .help = "Logs that are not cleaned any more because something is wrong with them."},
          shard)),
      scrubbed_bytes(counter(registry, shard, "millrace_scrub_bytes_total",
                             "Stored records that were read again to find damage.")),
      scrub_passes(counter(registry, shard, "millrace_scrub_passes_total",
                           "How often all segments of a shard were read again.")),
      corruptions(counter(registry, shard, "millrace_scrub_corruptions_total",
                          "Segments that were found to be damaged, each time they are found.")) {}

}  // namespace millrace::storage
