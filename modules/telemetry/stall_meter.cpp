module;
#include <algorithm>
#include <atomic>
#include <chrono>
#include <string>
#include <utility>

module millrace.telemetry;

import millrace.base;

namespace millrace::telemetry {

Result<StallMetrics> StallMetrics::create(Registry& registry, ShardIndex shard) {
  const std::string number = formatted("{}", shard);
  auto turns =
      registry.add<DurationHistogram>({.name = "millrace_shard_turn_seconds",
                                       .help = "How long the turns of a shard's event loop took.",
                                       .labels = {"shard"},
                                       .series_max = shards_max},
                                      shard, {number});
  if (!turns) return failure(turns.error());
  auto stalls = registry.add<Counter>(
      {.name = "millrace_shard_stalls_total",
       .help = "Turns of a shard's event loop that took longer than the stall threshold.",
       .labels = {"shard"},
       .series_max = shards_max},
      shard, {number});
  if (!stalls) return failure(stalls.error());
  auto longest = registry.add<DurationGauge>(
      {.name = "millrace_shard_turn_longest_seconds",
       .help = "The longest turn of a shard's event loop since the process started.",
       .labels = {"shard"},
       .series_max = shards_max,
       .combination = Combination::maximum},
      shard, {number});
  if (!longest) return failure(longest.error());
  auto longest_of_late = registry.add<DurationGauge>(
      {.name = "millrace_shard_turn_longest_recent_seconds",
       .help = "The longest turn of a shard's event loop in the last one to two minutes.",
       .labels = {"shard"},
       .series_max = shards_max,
       .combination = Combination::maximum},
      shard, {number});
  if (!longest_of_late) return failure(longest_of_late.error());
  return StallMetrics{std::move(*turns), std::move(*stalls), std::move(*longest),
                      std::move(*longest_of_late)};
}

StallMeter::StallMeter(StallMetrics metrics, Duration threshold)
    : metrics_(std::move(metrics)), threshold_(threshold) {
  check(threshold > Duration::zero(), "a stall takes time");
}

void StallMeter::turn_began(MonotonicTime now) {
  turn_began_.store(now.time_since_epoch().count(), std::memory_order_relaxed);
}

void StallMeter::turn_ended(MonotonicTime now) {
  const Duration::rep began = turn_began_.load(std::memory_order_relaxed);
  check(began != no_turn, "a turn that ends has begun");
  turn_began_.store(no_turn, std::memory_order_relaxed);
  const Duration took = std::max(now.time_since_epoch() - Duration(began), Duration::zero());

  metrics_.turns.record(took);
  if (took > threshold_) metrics_.stalls.add();
  metrics_.longest.raise_to(took);
  // Written so that the first period, which began before all times, does not overflow.
  if (now >= period_began_ + 2 * stall_period) {
    longest_of_last_period_ = Duration::zero();
    longest_of_period_ = Duration::zero();
    period_began_ = now;
  } else if (now >= period_began_ + stall_period) {
    longest_of_last_period_ = std::exchange(longest_of_period_, Duration::zero());
    period_began_ += stall_period;
  }
  longest_of_period_ = std::max(longest_of_period_, took);
  metrics_.longest_of_late.set(std::max(longest_of_period_, longest_of_last_period_));
}

Duration StallMeter::turn_running_for(MonotonicTime now) const {
  const Duration::rep began = turn_began_.load(std::memory_order_relaxed);
  if (began == no_turn) return Duration::zero();
  return std::max(now.time_since_epoch() - Duration(began), Duration::zero());
}

}  // namespace millrace::telemetry
