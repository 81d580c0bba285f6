module;
#include <string_view>
#include <utility>

module millrace.broker.partitions.data;

import millrace.base;
import millrace.protocol.api;
import millrace.telemetry;
import :metrics;

namespace millrace::broker {

namespace {

[[nodiscard]] telemetry::Counter counter(telemetry::Registry& registry, telemetry::ShardIndex shard,
                                         std::string_view name, std::string_view help) {
  auto made = registry.add<telemetry::Counter>({.name = name, .help = help}, shard);
  check(made.has_value(), "the metrics of data requests are well formed");
  return std::move(*made);
}

[[nodiscard]] telemetry::Family<telemetry::Counter> failures(telemetry::Registry& registry) {
  auto made = registry.add<telemetry::Counter>(
      {.name = "millrace_produce_failures_total",
       .help = "Partitions of produce requests that were answered with an error.",
       .labels = {"error"}});
  check(made.has_value(), "the metrics of data requests are well formed");
  return *made;
}

}  // namespace

DataMetrics::DataMetrics(telemetry::Registry& registry, telemetry::ShardIndex shard)
    : produced_bytes(counter(registry, shard, "millrace_produced_bytes_total",
                             "Batches that clients have produced, as they came.")),
      produced_records(counter(registry, shard, "millrace_produced_records_total",
                               "Records that clients have produced.")),
      produced_batches(counter(registry, shard, "millrace_produced_batches_total",
                               "Batches that clients have produced.")),
      recompressed_batches(
          counter(registry, shard, "millrace_recompressed_batches_total",
                  "Batches that were compressed anew because compression.type asks for it.")),
      check_pauses(
          counter(registry, shard, "millrace_produce_check_pauses_total",
                  "How often the check of batches paused, so that others had their turn.")),
      failures_(failures(registry)),
      shard_(shard) {}

void DataMetrics::count_failure(protocol::ErrorCode code) {
  auto found = failures_by_code_.find(code);
  if (found == failures_by_code_.end()) {
    found = failures_by_code_.emplace(code, failures_.of(shard_, {protocol::name_of(code)})).first;
  }
  found->second.add();
}

}  // namespace millrace::broker
