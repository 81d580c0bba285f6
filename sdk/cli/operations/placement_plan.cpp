module;
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "millrace/admin_topics.hpp"
#include "millrace/records.hpp"

module millrace.cli.operations;

import millrace.cli.frame;
import millrace.cli.session;

namespace millrace::cli {
namespace {

// How much each broker has.
struct Load {
  std::map<std::int32_t, std::int64_t> replicas;
  std::map<std::int32_t, std::int64_t> leaders;

  void add(const Replicas& brokers, std::int64_t sign) {
    for (const std::int32_t broker : brokers) replicas[broker] += sign;
    if (!brokers.empty()) leaders[brokers.front()] += sign;
  }
};

Load load_of(const Placement& placement) {
  Load load;
  for (const auto& [partition, replicas] : placement) load.add(replicas, 1);
  return load;
}

// The one with the fewest replicas that has none of this partition; the first of equal ones.
std::optional<std::int32_t> least_loaded(const Load& load, const std::set<std::int32_t>& brokers,
                                         const Replicas& taken) {
  std::optional<std::int32_t> best;
  std::int64_t fewest = 0;
  for (const std::int32_t broker : brokers) {
    if (std::ranges::find(taken, broker) != taken.end()) continue;
    const auto found = load.replicas.find(broker);
    const std::int64_t count = found == load.replicas.end() ? 0 : found->second;
    if (!best || count < fewest) {
      best = broker;
      fewest = count;
    }
  }
  return best;
}

// Puts the one first that leads the fewest.
void choose_leader(Load& load, Replicas& replicas) {
  const auto best = std::ranges::min_element(
      replicas, {}, [&](std::int32_t broker) { return load.leaders[broker]; });
  std::rotate(replicas.begin(), best, best + 1);
}

// The placement was asked for before the partitions.
Failure just_created(const v1::TopicPartition& partition) {
  return {.code = "PARTITION_IS_NEW",
          .message = joined(name_of(partition), " has only just been created"),
          .hint = "the same command again will know it"};
}

Failure too_few(const v1::TopicPartition& partition, std::size_t wanted, std::size_t brokers) {
  return {.code = "TOO_FEW_BROKERS",
          .message = joined(name_of(partition), " needs ",
                            counted(static_cast<std::int64_t>(wanted), "replica"), ", and there ",
                            brokers == 1 ? "is " : "are ",
                            counted(static_cast<std::int64_t>(brokers), "broker"), " for that")};
}

}  // namespace

Placement after_moves(Placement placement, const std::vector<v1::OngoingReassignment>& ongoing) {
  for (const v1::OngoingReassignment& move : ongoing) {
    const auto found = placement.find(move.partition);
    if (found == placement.end()) continue;
    found->second = move.replicas;
    std::erase_if(found->second, [&](std::int32_t broker) {
      return std::ranges::find(move.removing, broker) != move.removing.end();
    });
  }
  return placement;
}

std::variant<Placement, Failure> plan_drain(const Placement& now,
                                            const std::set<std::int32_t>& brokers,
                                            std::int32_t leaving) {
  std::set<std::int32_t> others = brokers;
  others.erase(leaving);
  Load load = load_of(now);
  Placement changes;
  for (const auto& [partition, replicas] : now) {
    const auto found = std::ranges::find(replicas, leaving);
    if (found == replicas.end()) continue;
    const auto instead = least_loaded(load, others, replicas);
    if (!instead) return too_few(partition, replicas.size(), others.size());
    load.add(replicas, -1);
    Replicas after = replicas;
    const bool has_led = after.front() == leaving;
    std::ranges::replace(after, leaving, *instead);
    if (has_led) choose_leader(load, after);
    load.add(after, 1);
    changes[partition] = std::move(after);
  }
  return changes;
}

std::variant<Placement, Failure> plan_spread(const Placement& now,
                                             const std::vector<v1::TopicPartition>& which,
                                             const std::vector<std::int32_t>& targets,
                                             std::optional<std::size_t> factor) {
  const std::set<std::int32_t> brokers(targets.begin(), targets.end());
  for (const v1::TopicPartition& partition : which)
    if (!now.contains(partition)) return just_created(partition);
  Load load = load_of(now);
  for (const v1::TopicPartition& partition : which) load.add(now.at(partition), -1);
  Placement changes;
  for (const v1::TopicPartition& partition : which) {
    const Replicas& before = now.at(partition);
    const std::size_t wanted = factor.value_or(before.size());
    if (brokers.size() < wanted) return too_few(partition, wanted, brokers.size());
    // What may stay stays: each replica that moves is copied over the network.
    Replicas after;
    for (const std::int32_t broker : before)
      if (brokers.contains(broker) && after.size() < wanted) after.push_back(broker);
    while (after.size() < wanted) {
      const auto next = least_loaded(load, brokers, after);
      if (!next) return too_few(partition, wanted, brokers.size());
      after.push_back(*next);
    }
    choose_leader(load, after);
    load.add(after, 1);
    if (after != before) changes[partition] = std::move(after);
  }
  return changes;
}

}  // namespace millrace::cli
