// The reference about the state of a coordinator.
#include <chrono>
#include <set>
#include <string>

#include "reference.hpp"

namespace millrace::groups::sim {
namespace {

// The first rebalance of a group may begin a little late.
constexpr Milliseconds join_waits_max = rebalance_timeout + std::chrono::seconds{1};

}  // namespace

void Reference::look_at(std::uint64_t coordinator, const Coordinator& state, MonotonicTime now) {
  std::size_t bytes = 0;
  for (const auto& [id, group] : state.groups()) {
    bytes += group.bytes();
    look_at_members(coordinator, group, now);
    look_at_stage(coordinator, group, now);
  }
  expect(bytes == state.state_bytes(), "bytes are counted wrongly");
  std::erase_if(stages_, [&](const auto& stage) {
    return stage.first.first != coordinator || !state.groups().contains(stage.first.second);
  });
}

void Reference::forget(std::uint64_t coordinator, const Coordinator& state) {
  std::erase_if(told_, [&](const auto& told) {
    return told.first.first == coordinator && !state.groups().contains(told.first.second.first);
  });
}

void Reference::look_at_members(std::uint64_t coordinator, const Group& group, MonotonicTime now) {
  expect(group.members().empty() == !group.leader().has_value(), "a group has no leader");
  expect(!group.is(GroupState::empty) || group.members().empty(), "an empty group has members");
  const bool is_stable = group.is(GroupState::stable);
  expect(!is_stable || (!group.members().empty() && group.protocol_name()),
         "a stable group has no members, or no protocol");
  const auto told = told_.find({coordinator, {group.id(), group.generation()}});
  std::set<std::string> instances;
  for (const auto& [id, member] : group.members()) {
    if (member.instance_id) {
      expect(instances.insert(*member.instance_id).second, "two members are one instance");
    }
    expect(!is_stable || (!member.sync && !member.join), "a request waits in a stable group");
    // A static member that comes back has a new id, under which it was not heard before.
    const MonotonicTime heard = heard_.try_emplace(id, now).first->second;
    if (member.join) {
      const MonotonicTime since = waiting_.try_emplace(*member.join, now).first->second;
      expect(now <= since + join_waits_max, "a rebalance does not end");
    }
    if (!is_stable) continue;
    const Written* generation = nullptr;
    const auto written = written_.find(group.id());
    if (written != written_.end() && written->second.contains(group.generation())) {
      generation = &written->second.at(group.generation());
    }
    const bool was_told = member.instance_id || generation != nullptr ||
                          (told != told_.end() && told->second.members.contains(id));
    expect(was_told, "a member is in a generation of which it was not told");
    const auto stage = stages_.find({coordinator, group.id()});
    MonotonicTime since = std::max(loaded_, heard);
    if (stage != stages_.end() && stage->second.state == GroupState::stable) {
      since = std::max(since, stage->second.since);
    } else {
      continue;  // it is stable from now on
    }
    expect(now <= since + session_timeout, "a silent member stays");
  }
}

void Reference::look_at_stage(std::uint64_t coordinator, const Group& group, MonotonicTime now) {
  const auto [place, is_new] =
      stages_.try_emplace({coordinator, group.id()}, Stage{group.state(), group.generation(), now});
  Stage& stage = place->second;
  expect(group.generation() >= stage.generation, "a generation comes again");
  if (is_new || stage.state != group.state() || stage.generation != group.generation()) {
    stage = {group.state(), group.generation(), now};
    return;
  }
  if (group.is(GroupState::completing_rebalance)) {
    expect(now <= stage.since + rebalance_timeout, "nobody assigns, and nothing comes of it");
  }
}

void Reference::compare(const Coordinator& state, const Coordinator& replayed) {
  expect(replayed.offsets() == state.offsets(), "the log has other offsets");
  for (const auto& [id, group] : state.groups()) {
    const auto place = replayed.groups().find(id);
    if (place == replayed.groups().end()) {
      expect(!group.is_stored && group.offsets.empty(), "a group is not in the log");
      continue;
    }
    expect(place->second.offsets == group.offsets, "the log has other offsets of a group");
    expect(place->second.is_stored == group.is_stored, "a group is stored, and is not");
    const bool is_settled = group.is(GroupState::stable) || group.is(GroupState::empty);
    if (is_settled && group.is_stored) {
      expect(*group_record(place->second) == *group_record(group), "the log has another group");
    }
  }
  for (const auto& [id, group] : replayed.groups()) {
    expect(state.groups().contains(id), "a group that is gone is in the log");
  }
}

}  // namespace millrace::groups::sim
