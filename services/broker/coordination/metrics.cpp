module;
#include <string_view>
#include <utility>

module millrace.broker.coordination;

import millrace.base;
import millrace.telemetry;
import :metrics;

namespace millrace::broker {
namespace {

template <class Handle>
[[nodiscard]] Handle made(telemetry::Registry& registry, telemetry::ShardIndex shard,
                          std::string_view name, std::string_view help) {
  auto handle = registry.add<Handle>({.name = name, .help = help}, shard);
  check(handle.has_value(), "the metrics of the gateway are well formed");
  return *std::move(handle);
}

constexpr auto gauge = made<telemetry::Gauge>;
constexpr auto counter = made<telemetry::Counter>;

}  // namespace

GatewayMetrics::GatewayMetrics(telemetry::Registry& registry, telemetry::ShardIndex shard)
    : connected(gauge(registry, shard, "millrace_gateway_connected",
                      "1 while the coordinator of this broker is there.")),
      partitions(gauge(registry, shard, "millrace_gateway_partitions",
                       "Partitions of __consumer_offsets that this broker leads.")),
      waiting(gauge(registry, shard, "millrace_gateway_waiting_requests",
                    "Requests about groups that wait for the coordinator, joins among them.")),
      sessions(counter(registry, shard, "millrace_gateway_sessions_total",
                       "Coordinators that connected, the same one several times.")),
      silences(counter(registry, shard, "millrace_gateway_silences_total",
                       "Coordinators that were given up because they said nothing.")),
      unavailable(counter(registry, shard, "millrace_gateway_unavailable_total",
                          "Requests that were answered COORDINATOR_NOT_AVAILABLE.")),
      late_answers(counter(registry, shard, "millrace_gateway_late_answers_total",
                           "Answers of the coordinator that nobody waited for any more.")),
      refused_appends(counter(registry, shard, "millrace_gateway_refused_appends_total",
                              "Appends of a coordinator whose partition had to be read anew.")),
      failed_appends(counter(registry, shard, "millrace_gateway_failed_appends_total",
                             "Appends of the coordinator that did not get into the log.")) {}

}  // namespace millrace::broker
