module;
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

module millrace.client.consumer.groups;

import millrace.base;
import millrace.client.core;

namespace millrace::client {
namespace {

using RackSet = std::set<std::string_view>;

// One topic while it is shared out among its subscribers, each of whom may have `least_` partitions
// and the first few to take more than that one above it.
class TopicShare {
 public:
  TopicShare(const GroupIndex& group, std::size_t topic, Assignments& assignments)
      : group_(&group),
        topic_(group.topics()[topic]),
        members_(group.subscribers(topic)),
        assignments_(&assignments),
        taken_(members_.size()),
        is_free_(static_cast<std::size_t>(topic_->partitions), true),
        least_(is_free_.size() / members_.size()),
        extras_(is_free_.size() % members_.size()) {
    racks_.resize(is_free_.size());
    for (std::size_t i = 0; i < std::min(racks_.size(), topic_->racks.size()); ++i) {
      racks_[i].insert(topic_->racks[i].begin(), topic_->racks[i].end());
    }
  }

  [[nodiscard]] const std::vector<std::size_t>& members() const { return members_; }
  [[nodiscard]] std::size_t partitions() const { return is_free_.size(); }
  // How many more partitions the subscriber (counted among those of the topic) may have.
  [[nodiscard]] std::size_t room(std::size_t member) const {
    const std::size_t most = least_ + (extras_ > 0 ? 1 : 0);
    return most > taken_[member] ? most - taken_[member] : 0;
  }
  // Who says no rack can read from any.
  [[nodiscard]] bool is_near(std::size_t member, std::size_t partition) const {
    const auto& rack = group_->members()[members_[member]]->rack;
    return !rack || racks_[partition].contains(*rack);
  }
  // Racks matter where some member has a partition in its rack, and the partitions differ.
  [[nodiscard]] bool racks_matter() const {
    RackSet all;
    for (const RackSet& racks : racks_) all.insert(racks.begin(), racks.end());
    const bool any_near = std::ranges::any_of(members_, [&](std::size_t member) {
      const auto& rack = group_->members()[member]->rack;
      return rack && all.contains(*rack);
    });
    return any_near &&
           !std::ranges::all_of(racks_, [&](const RackSet& racks) { return racks == all; });
  }

  void give(std::size_t member, std::size_t partition) {
    is_free_[partition] = false;
    if (++taken_[member] == least_ + 1) --extras_;
    (*assignments_)[group_->members()[members_[member]]->member_id].push_back(
        {topic_->name, PartitionIndex(static_cast<std::int32_t>(partition))});
  }
  // Each member takes what is free, from the front, as far as it has room.
  void give_ranges(bool near_only) {
    for (std::size_t member = 0; member < members_.size(); ++member) {
      std::size_t count = room(member);
      for (std::size_t i = 0; i < is_free_.size() && count > 0; ++i) {
        if (!is_free_[i] || (near_only && !is_near(member, i))) continue;
        give(member, i);
        --count;
      }
    }
  }

 private:
  const GroupIndex* group_;
  const AssignableTopic* topic_;
  const std::vector<std::size_t>& members_;
  Assignments* assignments_;
  std::vector<std::size_t> taken_;
  std::vector<bool> is_free_;
  std::vector<RackSet> racks_;
  std::size_t least_;
  std::size_t extras_;
};

// Topics with the same subscribers and as many partitions: whoever gets a partition of one gets
// that of the others, so that what belongs together stays together.
using CoPartitioned = std::vector<TopicShare*>;

void give_together(const CoPartitioned& topics) {
  const std::size_t members = topics.front()->members().size();
  const auto suits = [&](std::size_t member, std::size_t partition) {
    return std::ranges::all_of(topics, [&](const TopicShare* topic) {
      return topic->room(member) > 0 && topic->is_near(member, partition);
    });
  };
  for (std::size_t partition = 0; partition < topics.front()->partitions(); ++partition) {
    for (std::size_t member = 0; member < members; ++member) {
      if (!suits(member, partition)) continue;
      for (TopicShare* topic : topics) topic->give(member, partition);
      break;
    }
  }
}

}  // namespace

Assignments assign_ranges(const GroupIndex& group) {
  Assignments assignments = group.nothing_assigned();
  std::vector<TopicShare> shares;
  for (std::size_t topic = 0; topic < group.topics().size(); ++topic) {
    if (!group.subscribers(topic).empty()) shares.emplace_back(group, topic, assignments);
  }
  if (std::ranges::any_of(shares, [](const TopicShare& s) { return s.racks_matter(); })) {
    std::map<std::pair<std::vector<std::size_t>, std::size_t>, CoPartitioned> together;
    for (TopicShare& share : shares) {
      together[{share.members(), share.partitions()}].push_back(&share);
    }
    for (const auto& [key, topics] : together) {
      if (topics.size() > 1) {
        give_together(topics);
      } else if (topics.front()->racks_matter()) {
        topics.front()->give_ranges(true);
      }
    }
  }
  for (TopicShare& share : shares) share.give_ranges(false);
  return assignments;
}

}  // namespace millrace::client
