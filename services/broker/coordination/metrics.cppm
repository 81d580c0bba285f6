// What the broker's end of its coordinator counts.
module;
#include <cstdint>

export module millrace.broker.coordination:metrics;

import millrace.base;
import millrace.telemetry;

export namespace millrace::broker {

// Of one gateway; on its shard. docs/metrics.md lists them.
struct GatewayMetrics {
  // A definition that another one contradicts is a bug and stops the process.
  GatewayMetrics(telemetry::Registry& registry, telemetry::ShardIndex shard);

  telemetry::Gauge connected;
  telemetry::Gauge partitions;
  telemetry::Gauge waiting;
  telemetry::Counter sessions;
  telemetry::Counter silences;
  telemetry::Counter unavailable;
  telemetry::Counter late_answers;
  telemetry::Counter refused_appends;
  telemetry::Counter failed_appends;
};

}  // namespace millrace::broker
