// What a controller shows of itself and of the cluster.
module;

export module millrace.controller:metrics;

import millrace.base;
import millrace.metadata;
import millrace.telemetry;

export namespace millrace::controller {

// The numbers of one controller. On the shard that made it.
struct ControllerMetrics {
  telemetry::Gauge leads;
  telemetry::Gauge brokers;
  telemetry::Gauge fenced_brokers;
  telemetry::Gauge topics;
  telemetry::Gauge partitions;
  telemetry::Gauge log_end;
  telemetry::Gauge reserve_missing;
  telemetry::Gauge waits_for_space;
  telemetry::DurationHistogram sync_time;
  telemetry::Counter snapshots;

  [[nodiscard]] static Result<ControllerMetrics> create(telemetry::Registry& registry,
                                                        telemetry::ShardIndex shard);
  void show(const metadata::Image& image);
};

}  // namespace millrace::controller
