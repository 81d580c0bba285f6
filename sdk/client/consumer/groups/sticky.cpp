module;
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <numeric>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

module millrace.client.consumer.groups;

import millrace.base;
import millrace.client.core;

namespace millrace::client {
namespace {

constexpr std::size_t nobody = static_cast<std::size_t>(-1);

// Who says to hold a partition.
struct Claim {
  std::size_t owner = nobody;
  Generation generation = no_generation;
  std::size_t claims = 0;
};

// For each topic and partition. The newest generation is believed; of two that claim the same in
// the same generation neither is.
using Claims = std::vector<std::vector<Claim>>;

Claims claims_of(const GroupIndex& group) {
  Claims claims(group.topics().size());
  for (std::size_t topic = 0; topic < claims.size(); ++topic) {
    claims[topic].resize(static_cast<std::size_t>(group.topics()[topic]->partitions));
  }
  for (std::size_t member = 0; member < group.members().size(); ++member) {
    const Subscriber& subscriber = *group.members()[member];
    for (const TopicPartition& owned : subscriber.owned) {
      const auto topic = group.find_topic(owned.topic);
      const auto partition = static_cast<std::size_t>(owned.partition.value());
      if (!topic || owned.partition.value() < 0 || partition >= claims[*topic].size()) continue;
      Claim& claim = claims[*topic][partition];
      if (claim.claims++ == 0 || subscriber.generation > claim.generation) {
        claim.owner = member;
        claim.generation = subscriber.generation;
      } else if (subscriber.generation == claim.generation && claim.owner != member) {
        claim.owner = nobody;
      }
    }
  }
  return claims;
}

// Partitions on their way to an even share. What a member held before lies at the front of its list
// of a topic, what it got now at the back: whatever must go is taken from the back.
class Balance {
 public:
  explicit Balance(const GroupIndex& group)
      : group_(group), load_(group.members().size()), held_(group.members().size()) {}

  void give(std::size_t member, std::size_t topic, std::int32_t partition) {
    held_[member][topic].push_back(partition);
    ++load_[member];
  }
  // To the subscriber that has least.
  void give_to_least(std::size_t topic, std::int32_t partition) {
    give(least_loaded(topic), topic, partition);
  }
  // Until no single partition can go from a member to another that has at least two fewer. Each
  // move lowers the sum of squares, so this ends.
  void even_out() {
    while (const auto move = find_move()) {
      auto& from = held_[move->from][move->topic];
      const std::int32_t partition = from.back();
      from.pop_back();
      --load_[move->from];
      give(move->to, move->topic, partition);
    }
  }
  [[nodiscard]] Assignments assignments() const {
    Assignments result = group_.nothing_assigned();
    for (std::size_t member = 0; member < held_.size(); ++member) {
      Partitions& partitions = result[group_.members()[member]->member_id];
      for (const auto& [topic, held] : held_[member]) {
        for (const std::int32_t partition : held) {
          partitions.push_back({group_.topics()[topic]->name, PartitionIndex(partition)});
        }
      }
    }
    return result;
  }

 private:
  struct Move {
    std::size_t from = 0;
    std::size_t to = 0;
    std::size_t topic = 0;
  };

  [[nodiscard]] std::size_t least_loaded(std::size_t topic) const {
    return *std::ranges::min_element(group_.subscribers(topic), {},
                                     [&](std::size_t member) { return load_[member]; });
  }
  // From the member with most that has something to give.
  [[nodiscard]] std::optional<Move> find_move() const {
    std::vector<std::size_t> by_load(load_.size());
    std::iota(by_load.begin(), by_load.end(), std::size_t{0});
    std::ranges::stable_sort(by_load, std::ranges::greater(),
                             [&](std::size_t member) { return load_[member]; });
    for (const std::size_t from : by_load) {
      if (load_[from] < load_[by_load.back()] + 2) return std::nullopt;
      std::optional<Move> best;
      for (const auto& [topic, held] : held_[from]) {
        if (held.empty()) continue;
        const std::size_t to = least_loaded(topic);
        if (load_[to] + 2 > load_[from]) continue;
        if (!best || load_[to] < load_[best->to]) best = Move{from, to, topic};
      }
      if (best) return best;
    }
    return std::nullopt;
  }

  const GroupIndex& group_;
  std::vector<std::size_t> load_;
  std::vector<std::map<std::size_t, std::vector<std::int32_t>>> held_;
};

}  // namespace

Assignments assign_sticky(const GroupIndex& group) {
  const Claims claims = claims_of(group);
  Balance balance(group);
  std::vector<std::pair<std::size_t, std::int32_t>> free;
  for (std::size_t topic = 0; topic < claims.size(); ++topic) {
    if (group.subscribers(topic).empty()) continue;
    for (std::size_t i = 0; i < claims[topic].size(); ++i) {
      const std::size_t owner = claims[topic][i].owner;
      const auto partition = static_cast<std::int32_t>(i);
      if (owner != nobody && group.subscribes(owner, topic)) {
        balance.give(owner, topic, partition);
      } else {
        free.emplace_back(topic, partition);
      }
    }
  }
  // Those for which there is least choice come first.
  std::ranges::stable_sort(
      free, {}, [&](const auto& place) { return group.subscribers(place.first).size(); });
  for (const auto& [topic, partition] : free) balance.give_to_least(topic, partition);
  balance.even_out();
  return balance.assignments();
}

void withhold_moving(const GroupIndex& group, Assignments& assignments) {
  const Claims claims = claims_of(group);
  for (std::size_t member = 0; member < group.members().size(); ++member) {
    std::erase_if(assignments[group.members()[member]->member_id],
                  [&](const TopicPartition& given) {
                    const auto partition = static_cast<std::size_t>(given.partition.value());
                    const Claim& claim = claims[*group.find_topic(given.topic)][partition];
                    return claim.claims > 0 && claim.owner != member;
                  });
  }
}

}  // namespace millrace::client
