// What the requests for the data of partitions measure.
module;
#include <cstddef>
#include <map>

export module millrace.broker.partitions.data:metrics;

import millrace.base;
import millrace.protocol.api;
import millrace.telemetry;

export namespace millrace::broker {

// Of one shard; a member of what counts there. docs/metrics.md lists them.
class DataMetrics {
 public:
  // A definition that another one contradicts is a bug and stops the process.
  DataMetrics(telemetry::Registry& registry, telemetry::ShardIndex shard);

  // A partition of a produce request was answered with this error.
  void count_failure(protocol::ErrorCode code);

  telemetry::Counter produced_bytes;
  telemetry::Counter produced_records;
  telemetry::Counter produced_batches;
  telemetry::Counter recompressed_batches;
  telemetry::Counter check_pauses;

 private:
  telemetry::Family<telemetry::Counter> failures_;
  telemetry::ShardIndex shard_;
  // There are as many as Kafka has codes.
  std::map<protocol::ErrorCode, telemetry::Counter> failures_by_code_;
};

}  // namespace millrace::broker
