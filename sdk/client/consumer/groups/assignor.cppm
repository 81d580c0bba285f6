// How the leader of a group shares out partitions: four strategies, as pure functions.
module;
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

export module millrace.client.consumer.groups:assignor;

import millrace.base;
import millrace.client.core;
import :types;

export namespace millrace::client {

// Whether members keep their partitions while they join, and give up only what goes to others.
[[nodiscard]] inline bool is_cooperative(AssignorKind strategy) {
  return strategy == AssignorKind::cooperative_sticky;
}

// A topic as assignors see it.
struct AssignableTopic {
  std::string name;
  std::int32_t partitions = 0;
  // For each partition the racks that have a replica of it; empty where racks are unknown.
  std::vector<std::vector<std::string>> racks;
};

// A member as assignors see it.
struct Subscriber {
  std::string member_id;
  std::optional<std::string> instance_id;
  std::vector<std::string> topics;
  std::optional<std::string> rack;
  // What it held when it joined, by its own word, and since which generation.
  Partitions owned;
  Generation generation = no_generation;
};

// Shares out all partitions of the topics that somebody subscribes to; a topic that is not among
// `topics` has none. The result depends on what is given only, not on its order. Every strategy
// gives a member partitions of its own topics only, and a partition to one member at most. Member
// ids are unique.
//   range: each topic in runs, by itself; racks count where they differ. Equal to Kafka's.
//   roundrobin: all partitions in turn. Equal to Kafka's.
//   sticky: as even as subscriptions allow, and as little moved as that allows.
//   cooperative-sticky: likewise, but what another member holds is given to nobody: it is free in
//   the rebalance after the one in which its holder let it go.
[[nodiscard]] Assignments assign(AssignorKind strategy, std::span<const AssignableTopic> topics,
                                 std::span<const Subscriber> members);

}  // namespace millrace::client

namespace millrace::client {

// Members and topics by number, in the order in which assignors count them.
class GroupIndex {
 public:
  GroupIndex(std::span<const AssignableTopic> topics, std::span<const Subscriber> members);

  [[nodiscard]] const std::vector<const Subscriber*>& members() const { return members_; }
  [[nodiscard]] const std::vector<const AssignableTopic*>& topics() const { return topics_; }
  // Who subscribes to the topic, ascending.
  [[nodiscard]] const std::vector<std::size_t>& subscribers(std::size_t topic) const {
    return subscribers_[topic];
  }
  [[nodiscard]] bool subscribes(std::size_t member, std::size_t topic) const;
  [[nodiscard]] std::optional<std::size_t> find_topic(std::string_view name) const;
  [[nodiscard]] Assignments nothing_assigned() const;

 private:
  std::vector<const Subscriber*> members_;      // static ones first, then by id
  std::vector<const AssignableTopic*> topics_;  // by name; those with partitions
  std::vector<std::vector<std::size_t>> subscribers_;
};

[[nodiscard]] Assignments assign_ranges(const GroupIndex& group);
[[nodiscard]] Assignments assign_round_robin(const GroupIndex& group);
[[nodiscard]] Assignments assign_sticky(const GroupIndex& group);
// Takes out of `assignments` what a member would get from another that still holds it.
void withhold_moving(const GroupIndex& group, Assignments& assignments);

}  // namespace millrace::client
