module;
#include <cstdint>
#include <string_view>
#include <utility>

module millrace.controller;

import millrace.base;
import millrace.telemetry;

namespace millrace::controller {

Result<ControllerMetrics> ControllerMetrics::create(telemetry::Registry& registry,
                                                    telemetry::ShardIndex shard) {
  const auto gauge = [&](std::string_view name, std::string_view help) {
    return registry.add<telemetry::Gauge>({.name = name, .help = help}, shard);
  };
  auto leads = gauge("millrace_controller_leads", "1 if this controller leads.");
  auto brokers = gauge("millrace_controller_brokers", "Brokers that are registered.");
  auto fenced = gauge("millrace_controller_fenced_brokers",
                      "Registered brokers that do not serve: starting, stopped or silent.");
  auto topics = gauge("millrace_controller_topics", "Topics of the cluster.");
  auto partitions = gauge("millrace_controller_partitions", "Partitions of all topics.");
  auto log_end = gauge("millrace_controller_log_applied",
                       "Index of the last entry of the metadata log that counts here.");
  auto reserve_missing = gauge("millrace_controller_log_reserve_missing",
                               "1 while nothing is kept for when the disk is full.");
  auto waits_for_space = gauge("millrace_controller_log_waits_for_space",
                               "1 while nothing can be written because the disk is full.");
  auto sync_time = registry.add<telemetry::DurationHistogram>(
      {.name = "millrace_controller_log_write_seconds",
       .help = "How long it took to make entries of the metadata log durable."},
      shard);
  auto snapshots =
      registry.add<telemetry::Counter>({.name = "millrace_controller_snapshots_total",
                                        .help = "Snapshots of the metadata that were written."},
                                       shard);
  for (const auto* made : {&leads, &brokers, &fenced, &topics, &partitions, &log_end,
                           &reserve_missing, &waits_for_space}) {
    if (!*made) return failure(made->error());
  }
  if (!sync_time) return failure(sync_time.error());
  if (!snapshots) return failure(snapshots.error());
  return ControllerMetrics{*std::move(leads),           *std::move(brokers),
                           *std::move(fenced),          *std::move(topics),
                           *std::move(partitions),      *std::move(log_end),
                           *std::move(reserve_missing), *std::move(waits_for_space),
                           *std::move(sync_time),       *std::move(snapshots)};
}

void ControllerMetrics::show(const metadata::Image& image) {
  std::int64_t fenced_count = 0;
  image.for_each_broker(
      [&](const metadata::Broker& broker) { fenced_count += broker.fenced ? 1 : 0; });
  brokers.set(static_cast<std::int64_t>(image.broker_count()));
  fenced_brokers.set(fenced_count);
  topics.set(static_cast<std::int64_t>(image.topic_count()));
  partitions.set(static_cast<std::int64_t>(image.partition_count()));
  log_end.set(image.offset().value());
}

}  // namespace millrace::controller
