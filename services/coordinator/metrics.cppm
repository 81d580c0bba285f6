// What a coordinator counts and shows of its groups.
module;
#include <array>
#include <cstddef>
#include <cstdint>
#include <tuple>

export module millrace.coordinator:metrics;

import millrace.base;
import millrace.groups;
import millrace.telemetry;

export namespace millrace::coordinator {

// How much there is, of all partitions that are loaded.
struct Figures {
  std::int64_t partitions = 0;
  std::int64_t loaded_partitions = 0;
  // By the number of the state.
  std::array<std::int64_t, static_cast<std::size_t>(groups::GroupState::dead)> groups{};
  std::int64_t members = 0;
  std::int64_t offsets = 0;
  std::int64_t state_bytes = 0;
};

// Of one process; on the shard that coordinates. docs/metrics.md lists them.
class Metrics {
 public:
  // A definition that another one contradicts is a bug and stops the process.
  Metrics(telemetry::Registry& registry, telemetry::ShardIndex shard);

  void show(const Figures& figures);

  telemetry::Counter sessions;
  telemetry::Counter loads;
  telemetry::Counter failed_loads;
  telemetry::DurationHistogram load_time;
  telemetry::Counter commits;
  telemetry::Counter appends;
  telemetry::Counter failed_appends;

 private:
  telemetry::Gauge partitions_;
  telemetry::Gauge loaded_partitions_;
  std::array<telemetry::Gauge, std::tuple_size_v<decltype(Figures::groups)>> groups_;
  telemetry::Gauge members_;
  telemetry::Gauge offsets_;
  telemetry::Gauge state_bytes_;
};

}  // namespace millrace::coordinator
