module;
#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

module millrace.client.consumer;

import millrace.base;
import millrace.client.core;

namespace millrace::client {
namespace {

bool is_at_end(const PartitionProgress& partition) {
  return partition.need == PositionNeed::nothing && partition.high_watermark &&
         partition.position >= *partition.high_watermark && partition.buffered.empty();
}

bool is_watched(const PartitionProgress& partition) {
  return !partition.is_paused && partition.need != PositionNeed::policy;
}

}  // namespace

std::vector<TopicPartition> Watchdog::suspects(MonotonicTime now) const {
  std::vector<TopicPartition> names;
  for (const auto& [name, partition] : positions_.all()) {
    if (is_watched(partition) && partition.need == PositionNeed::nothing &&
        partition.buffered.empty() && now - partition.heard >= stall_after) {
      names.push_back(name);
    }
  }
  return names;
}

std::string Watchdog::reason(const PartitionProgress& partition, MonotonicTime now) const {
  if (partition.need == PositionNeed::committed) return "the offset of its group is not known";
  if (partition.need == PositionNeed::reset) return "the offset to begin at is not known";
  if (!partition.buffered.empty()) return "its records are here, and the application does not poll";
  if (partition.problem) return "its error is here, and the application does not poll";
  if (!metadata_.known_leader(partition.name->topic, partition.name->partition)) {
    return "it has no leader that is known";
  }
  if (partition.failures > 0) {
    return formatted("{} requests for it have failed in a row", partition.failures);
  }
  if (partition.last_stable && partition.last_stable < partition.high_watermark &&
      partition.position >= *partition.last_stable) {
    return "a transaction that began here is not ended";
  }
  if (partition.fetching_from != no_broker) {
    return formatted("broker {} does not give its records", partition.fetching_from);
  }
  return partition.not_before > now ? "it waits after a failure" : "it is not asked for";
}

std::vector<StalledPartition> Watchdog::stalled() const {
  std::vector<StalledPartition> still;
  for (const StalledPartition& found : stalled_) {
    const PartitionProgress* partition = positions_.find(found.partition);
    if (partition != nullptr && is_watched(*partition) && partition->advanced == found.since) {
      still.push_back(found);
    }
  }
  return still;
}

void Watchdog::look(MonotonicTime now) {
  stalled_.clear();
  for (auto& [name, partition] : positions_.all()) {
    if (!is_watched(partition) || is_at_end(partition)) {
      partition.advanced = now;
      partition.was_reported = false;
    }
    if (now - partition.advanced < stall_after) continue;
    StalledPartition stalled{name, Positions::has_place(partition) ? partition.position : no_offset,
                             partition.high_watermark.value_or(no_offset), partition.advanced,
                             reason(partition, now)};
    if (!std::exchange(partition.was_reported, true)) {
      logger_.warning("{} does not advance: at offset {} of {} for {} s: {}", to_string(name),
                      stalled.position, stalled.end,
                      std::chrono::duration_cast<std::chrono::seconds>(now - stalled.since).count(),
                      stalled.why);
    }
    stalled_.push_back(std::move(stalled));
  }
}

}  // namespace millrace::client
