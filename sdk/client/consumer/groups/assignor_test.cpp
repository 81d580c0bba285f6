// Also proves sticky.cpp, types.cppm.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

import millrace.base;
import millrace.client.consumer.groups;
import millrace.client.core;
import millrace.runtime;

namespace millrace::client {
namespace {

using Topics = std::vector<AssignableTopic>;
using Members = std::vector<Subscriber>;

constexpr AssignorKind all_strategies[] = {AssignorKind::range, AssignorKind::round_robin,
                                           AssignorKind::sticky, AssignorKind::cooperative_sticky};

Subscriber member(std::string id, std::vector<std::string> topics, Partitions owned = {},
                  std::int32_t generation = -1) {
  Subscriber subscriber;
  subscriber.member_id = std::move(id);
  subscriber.topics = std::move(topics);
  subscriber.owned = std::move(owned);
  subscriber.generation = Generation(generation);
  return subscriber;
}

TopicPartition place(std::string topic, std::int32_t partition) {
  return {std::move(topic), PartitionIndex(partition)};
}

struct Group {
  Topics topics;
  Members members;
};

// Groups of all kinds, from a seed.
Group random_group(Random& random, bool alike) {
  Group group;
  const std::uint64_t topics = 1 + random.below(5);
  for (std::uint64_t i = 0; i < topics; ++i) {
    group.topics.push_back(
        {"topic-" + std::to_string(i), static_cast<std::int32_t>(random.below(13)), {}});
  }
  const std::uint64_t members = 1 + random.below(8);
  for (std::uint64_t i = 0; i < members; ++i) {
    Subscriber one = member("member-" + std::to_string(i), {});
    for (const AssignableTopic& topic : group.topics) {
      if (alike || random.chance(0.6)) one.topics.push_back(topic.name);
    }
    if (random.chance(0.1)) one.topics.push_back("a topic that does not exist");
    if (random.chance(0.2)) one.instance_id = "static-" + std::to_string(i);
    group.members.push_back(std::move(one));
  }
  return group;
}

// All join again, holding what they were given.
void hold(Members& members, const Assignments& assignments, Generation generation) {
  for (Subscriber& one : members) {
    const auto given = assignments.find(one.member_id);
    if (given == assignments.end()) continue;
    one.owned = given->second;
    one.generation = generation;
  }
}

std::map<TopicPartition, std::string> owners(const Assignments& assignments) {
  std::map<TopicPartition, std::string> result;
  for (const auto& [id, partitions] : assignments) {
    for (const TopicPartition& partition : partitions) {
      EXPECT_TRUE(result.emplace(partition, id).second)
          << to_string(partition) << " is given to two members";
    }
  }
  return result;
}

std::set<TopicPartition> wanted(const Group& group) {
  std::set<TopicPartition> all;
  for (const AssignableTopic& topic : group.topics) {
    const bool anyone = std::ranges::any_of(group.members, [&](const Subscriber& one) {
      return std::ranges::find(one.topics, topic.name) != one.topics.end();
    });
    for (std::int32_t i = 0; anyone && i < topic.partitions; ++i) all.insert(place(topic.name, i));
  }
  return all;
}

void expect_valid(const Group& group, const Assignments& assignments, bool complete) {
  ASSERT_EQ(assignments.size(), group.members.size());
  const auto owner = owners(assignments);
  for (const auto& [partition, id] : owner) {
    const auto who = std::ranges::find(group.members, id, &Subscriber::member_id);
    ASSERT_NE(who, group.members.end());
    EXPECT_NE(std::ranges::find(who->topics, partition.topic), who->topics.end())
        << id << " does not subscribe to " << partition.topic;
  }
  const std::set<TopicPartition> all = wanted(group);
  for (const auto& [partition, id] : owner) EXPECT_TRUE(all.contains(partition));
  if (complete) EXPECT_EQ(owner.size(), all.size()) << "not every partition has an owner";
}

// No single partition can go to a member that has two fewer.
void expect_balanced(const Group& group, const Assignments& assignments) {
  for (const auto& [from, partitions] : assignments) {
    for (const Subscriber& to : group.members) {
      if (assignments.at(to.member_id).size() + 2 > partitions.size()) continue;
      for (const TopicPartition& partition : partitions) {
        EXPECT_EQ(std::ranges::find(to.topics, partition.topic), to.topics.end())
            << to_string(partition) << " of " << from << " belongs to " << to.member_id;
      }
    }
  }
}

TEST(Assignors, give_every_partition_to_one_subscriber_of_its_topic) {
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    const Group group = random_group(random, random.chance(0.5));
    for (const AssignorKind strategy : all_strategies) {
      SCOPED_TRACE(name_of(strategy));
      expect_valid(group, assign(strategy, group.topics, group.members), true);
    }
  }
}

TEST(Assignors, do_not_depend_on_the_order_in_which_members_are_named) {
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    Group group = random_group(random, false);
    for (const AssignorKind strategy : all_strategies) {
      const Assignments first = assign(strategy, group.topics, group.members);
      std::ranges::reverse(group.members);
      std::ranges::reverse(group.topics);
      EXPECT_EQ(assign(strategy, group.topics, group.members), first);
    }
  }
}

TEST(StickyAssignor, is_balanced_whatever_members_held_before) {
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    Group group = random_group(random, random.chance(0.5));
    for (Subscriber& one : group.members) {
      one.generation = Generation(static_cast<std::int32_t>(random.below(3)));
      for (std::uint64_t i = random.below(12); i > 0; --i) {
        one.owned.push_back(place("topic-" + std::to_string(random.below(6)),
                                  static_cast<std::int32_t>(random.below(14)) - 1));
      }
    }
    const Assignments assignments = assign(AssignorKind::sticky, group.topics, group.members);
    expect_valid(group, assignments, true);
    expect_balanced(group, assignments);
  }
}

TEST(StickyAssignor, moves_nothing_when_nothing_changed) {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    Group group = random_group(random, random.chance(0.5));
    const Assignments first = assign(AssignorKind::sticky, group.topics, group.members);
    hold(group.members, first, Generation(1));
    EXPECT_EQ(assign(AssignorKind::sticky, group.topics, group.members), first);
    EXPECT_EQ(assign(AssignorKind::cooperative_sticky, group.topics, group.members), first);
  }
}

TEST(StickyAssignor, moves_only_what_a_newcomer_gets_among_equal_members) {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    Group group = random_group(random, true);
    const auto before = assign(AssignorKind::sticky, group.topics, group.members);
    hold(group.members, before, Generation(1));
    Subscriber newcomer = group.members.front();
    newcomer.member_id = "newcomer";
    newcomer.instance_id.reset();
    newcomer.owned.clear();
    newcomer.generation = no_generation;
    group.members.push_back(newcomer);
    const auto after = assign(AssignorKind::sticky, group.topics, group.members);
    expect_valid(group, after, true);
    expect_balanced(group, after);
    const auto owner = owners(after);
    for (const auto& [id, held] : before) {
      for (const TopicPartition& partition : held) {
        EXPECT_TRUE(owner.at(partition) == id || owner.at(partition) == "newcomer")
            << to_string(partition) << " went from " << id << " to " << owner.at(partition);
      }
    }
  }
}

TEST(StickyAssignor, takes_nothing_from_those_who_stay_when_one_leaves) {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    Group group = random_group(random, true);
    if (group.members.size() < 2) continue;
    const auto before = assign(AssignorKind::sticky, group.topics, group.members);
    hold(group.members, before, Generation(1));
    group.members.pop_back();
    const auto after = assign(AssignorKind::sticky, group.topics, group.members);
    expect_balanced(group, after);
    for (const Subscriber& one : group.members) {
      for (const TopicPartition& partition : before.at(one.member_id)) {
        EXPECT_TRUE(std::ranges::binary_search(after.at(one.member_id), partition));
      }
    }
  }
}

TEST(StickyAssignor, believes_the_newer_generation_and_neither_of_two_equal_claims) {
  const Topics topics = {{"t", 2, {}}};
  const Members members = {
      member("a", {"t"}, {place("t", 0), place("t", 1)}, 4),
      member("b", {"t"}, {place("t", 0), place("t", 1)}, 5),
  };
  const auto sticky = assign(AssignorKind::sticky, topics, members);
  EXPECT_EQ(sticky.at("a").size(), 1u);
  EXPECT_EQ(sticky.at("b").size(), 1u);

  Members equal = members;
  equal[0].generation = Generation(5);
  const auto careful = assign(AssignorKind::cooperative_sticky, topics, equal);
  EXPECT_TRUE(careful.at("a").empty());
  EXPECT_TRUE(careful.at("b").empty());
}

TEST(CooperativeStickyAssignor, never_gives_away_what_another_holds_and_ends_where_sticky_would) {
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    Group group = random_group(random, random.chance(0.5));
    Assignments held = assign(AssignorKind::cooperative_sticky, group.topics, group.members);
    hold(group.members, held, Generation(1));
    // Members come, go, and change their minds.
    if (random.chance(0.5)) group.members.erase(group.members.begin());
    for (std::uint64_t i = random.below(3); i > 0; --i) {
      group.members.push_back(member("new-" + std::to_string(i), {group.topics[0].name}));
    }
    if (!group.members.empty() && random.chance(0.5)) group.members.back().topics = {"topic-1"};
    int rounds = 0;
    for (bool moved = true; moved && rounds < 4; ++rounds) {
      const auto next = assign(AssignorKind::cooperative_sticky, group.topics, group.members);
      expect_valid(group, next, false);
      moved = false;
      for (const auto& [partition, id] : owners(next)) {
        for (const Subscriber& other : group.members) {
          EXPECT_TRUE(other.member_id == id ||
                      std::ranges::find(other.owned, partition) == other.owned.end())
              << to_string(partition) << " is given to " << id << " while " << other.member_id
              << " holds it";
        }
      }
      for (const Subscriber& one : group.members) moved |= next.at(one.member_id) != one.owned;
      hold(group.members, next, Generation(rounds + 2));
      held = next;
    }
    EXPECT_LT(rounds, 4) << "the group does not settle";
    if (!group.members.empty()) {
      expect_valid(group, held, true);
      expect_balanced(group, held);
    }
  }
}

TEST(StickyAssignor, shares_a_large_group_out_evenly) {
  Group group;
  group.topics = {{"big", 5'000, {}}, {"small", 7, {}}};
  for (int i = 0; i < 300; ++i) {
    group.members.push_back(member("m" + std::to_string(i), {"big", "small"}));
  }
  const auto assignments = assign(AssignorKind::sticky, group.topics, group.members);
  for (const auto& [id, partitions] : assignments) {
    EXPECT_GE(partitions.size(), 5'007u / 300);
    EXPECT_LE(partitions.size(), 5'007u / 300 + 1);
  }
}

TEST(Assignors, of_a_group_without_members_give_nothing) {
  for (const AssignorKind strategy : all_strategies) {
    EXPECT_TRUE(assign(strategy, Topics{{"t", 3, {}}}, Members{}).empty());
  }
}

}  // namespace
}  // namespace millrace::client
