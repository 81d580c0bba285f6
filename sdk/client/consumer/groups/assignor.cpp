module;
#include <algorithm>
#include <cstddef>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

module millrace.client.consumer.groups;

import millrace.base;
import millrace.client.core;

namespace millrace::client {
GroupIndex::GroupIndex(std::span<const AssignableTopic> topics,
                       std::span<const Subscriber> members) {
  for (const Subscriber& member : members) members_.push_back(&member);
  // A static member keeps its place when it comes back under another id.
  std::ranges::sort(members_, {}, [](const Subscriber* member) {
    const bool is_dynamic = !member->instance_id.has_value();
    const std::string_view name = is_dynamic ? member->member_id : *member->instance_id;
    return std::tuple(is_dynamic, name, std::string_view(member->member_id));
  });
  for (const AssignableTopic& topic : topics) {
    if (topic.partitions > 0) topics_.push_back(&topic);
  }
  std::ranges::sort(topics_, {}, &AssignableTopic::name);
  subscribers_.resize(topics_.size());
  for (std::size_t member = 0; member < members_.size(); ++member) {
    for (const std::string& name : members_[member]->topics) {
      const auto topic = find_topic(name);
      if (!topic) continue;
      auto& subscribers = subscribers_[*topic];
      if (subscribers.empty() || subscribers.back() != member) subscribers.push_back(member);
    }
  }
}

bool GroupIndex::subscribes(std::size_t member, std::size_t topic) const {
  return std::ranges::binary_search(subscribers_[topic], member);
}

std::optional<std::size_t> GroupIndex::find_topic(std::string_view name) const {
  const auto place = std::ranges::lower_bound(topics_, name, {}, [](const AssignableTopic* topic) {
    return std::string_view(topic->name);
  });
  if (place == topics_.end() || (*place)->name != name) return std::nullopt;
  return static_cast<std::size_t>(place - topics_.begin());
}

Assignments GroupIndex::nothing_assigned() const {
  Assignments assignments;
  for (const Subscriber* member : members_) assignments[member->member_id];
  return assignments;
}

Assignments assign_round_robin(const GroupIndex& group) {
  Assignments assignments = group.nothing_assigned();
  const std::size_t members = group.members().size();
  std::size_t next = 0;
  for (std::size_t topic = 0; topic < group.topics().size(); ++topic) {
    if (group.subscribers(topic).empty()) continue;
    const AssignableTopic& all = *group.topics()[topic];
    for (std::int32_t partition = 0; partition < all.partitions; ++partition) {
      while (!group.subscribes(next, topic)) next = (next + 1) % members;
      assignments[group.members()[next]->member_id].push_back(
          {all.name, PartitionIndex(partition)});
      next = (next + 1) % members;
    }
  }
  return assignments;
}

Assignments assign(AssignorKind strategy, std::span<const AssignableTopic> topics,
                   std::span<const Subscriber> members) {
  const GroupIndex group(topics, members);
  Assignments assignments;
  switch (strategy) {
    case AssignorKind::range:
      assignments = assign_ranges(group);
      break;
    case AssignorKind::round_robin:
      assignments = assign_round_robin(group);
      break;
    case AssignorKind::sticky:
      assignments = assign_sticky(group);
      break;
    case AssignorKind::cooperative_sticky:
      assignments = assign_sticky(group);
      withhold_moving(group, assignments);
      break;
  }
  for (auto& [member, partitions] : assignments) std::ranges::sort(partitions);
  return assignments;
}

}  // namespace millrace::client
