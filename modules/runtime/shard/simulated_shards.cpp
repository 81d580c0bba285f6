module;
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

module millrace.runtime.shard;

import millrace.base;
import millrace.runtime;
import millrace.telemetry;

namespace millrace {

Result<void> SimulatedLoop::watch(Watch&, int) {
  return failure(ErrorKind::unsupported, "a simulation has no descriptors");
}

void SimulatedLoop::unwatch(Watch&) {
  check(false, "a simulation has no descriptors");
}

SimulatedShards::SimulatedShards(SimulatedExecutor& executor, telemetry::Registry& registry,
                                 std::uint32_t count)
    : loop_(executor) {
  for (std::uint32_t i = 0; i < count; ++i) {
    auto metrics = CallMetrics::create(registry, ShardIndex(i));
    check(metrics.has_value(), "a simulation names its metrics as a process does");
    shards_.push_back(std::make_unique<Shard>(ShardIndex(i), loop_, nullptr, shards_, count,
                                              std::move(*metrics)));
  }
}

}  // namespace millrace
