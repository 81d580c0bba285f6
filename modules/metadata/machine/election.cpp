module;
#include <algorithm>
#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "../planted.hpp"

module millrace.metadata.machine;

import millrace.base;

namespace millrace::metadata {
namespace {

bool contains(const std::vector<BrokerId>& brokers, BrokerId broker) {
  return std::ranges::find(brokers, broker) != brokers.end();
}

std::vector<BrokerId> staying(const Partition& partition, const ElectionRules& rules) {
  std::vector<BrokerId> isr;
  for (const BrokerId broker : partition.isr) {
    if (!rules.must_leave(broker)) isr.push_back(broker);
  }
  if (!isr.empty() || partition.isr.empty()) return isr;
  // All leave: the leader has all that was acknowledged, else the first has.
  if (planted(Planted::last_in_sync_forgotten)) return {partition.replicas.back()};
  const bool has_leader = contains(partition.isr, partition.leader);
  return {has_leader ? partition.leader : partition.isr.front()};
}

}  // namespace

std::optional<PartitionChangeRecord> elect(const Uuid& topic, const Partition& partition,
                                           const ElectionRules& rules) {
  std::vector<BrokerId> isr = staying(partition, rules);
  BrokerId leader = no_broker;
  if (contains(isr, partition.leader) && rules.may_lead(partition.leader)) {
    leader = partition.leader;
  } else {
    for (const BrokerId replica : partition.replicas) {
      if (!contains(isr, replica) || !rules.may_lead(replica)) continue;
      leader = replica;
      break;
    }
  }
  if (leader == no_broker && rules.unclean) {
    const auto found = std::ranges::find_if(partition.replicas, rules.may_lead);
    if (found != partition.replicas.end()) {
      leader = *found;
      isr = {leader};
    }
  }
  if (leader == partition.leader && isr == partition.isr) return std::nullopt;
  PartitionChangeRecord change;
  change.topic = topic;
  change.partition = partition.index;
  if (isr != partition.isr) change.isr = std::move(isr);
  if (leader != partition.leader) change.leader = leader;
  return change;
}

}  // namespace millrace::metadata
