module;
#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <regex>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

module millrace.mock;

import millrace.base;
import millrace.runtime;
import :faults;
import :managed_groups;

namespace millrace::mock {
namespace {

bool matches(const std::string& pattern, const std::string& name) {
  return !pattern.empty() && std::regex_match(name, std::regex(pattern));
}

bool is_pattern(const std::string& pattern) {
  try {
    static_cast<void>(std::regex(pattern));
    return true;
  } catch (const std::regex_error&) {
    return false;
  }
}

bool is_within(const PlacesById& some, const PlacesById& all) {
  return std::ranges::includes(all, some);
}

}  // namespace

void ManagedGroups::end_sessions(Group& group, MonotonicTime now) {
  const auto ended = std::erase_if(group.members, [&](const auto& entry) {
    return now - entry.second.heard > managed_session_timeout;
  });
  if (ended > 0) ++group.epoch;
}

ManagedReply ManagedGroups::leave(Group& group, const ManagedBeat& beat) {
  const auto found = group.members.find(beat.member_id);
  if (found == group.members.end()) {
    return {ErrorCode::unknown_member_id, "the group does not have this member"};
  }
  if (beat.epoch == epoch_to_leave_for_a_while && found->second.instance_id) {
    found->second.is_away = true;
    found->second.giving_up.clear();
  } else {
    group.members.erase(found);
    ++group.epoch;
  }
  return {.epoch = beat.epoch};
}

ManagedGroups::Member* ManagedGroups::admit(Group& group, const ManagedBeat& beat,
                                            ManagedReply& refusal) {
  if (beat.instance_id) {
    const auto same = std::ranges::find_if(group.members, [&](const auto& entry) {
      return entry.second.instance_id == beat.instance_id && entry.first != beat.member_id;
    });
    if (same != group.members.end() && beat.epoch != epoch_to_join) {
      refusal = {ErrorCode::fenced_instance_id, "another one has taken its place"};
      return nullptr;
    }
    if (same != group.members.end() && !same->second.is_away) {
      refusal = {ErrorCode::unreleased_instance_id, "it is a member"};
      return nullptr;
    }
    if (same != group.members.end()) {
      // It has what the other one had, and no member notices.
      Member& member = group.members[beat.member_id];
      member = std::move(same->second);
      group.members.erase(same);
      member.is_away = false;
      member.assigned.clear();
      member.epoch = member.epoch_before = epoch_to_join;
      return &member;
    }
  }
  const auto found = group.members.find(beat.member_id);
  if (beat.epoch == epoch_to_join) {
    if (found == group.members.end()) {
      ++group.epoch;
      Member& member = group.members[beat.member_id];
      member.instance_id = beat.instance_id;
      return &member;
    }
    found->second.assigned.clear();
    found->second.giving_up.clear();
    found->second.epoch = found->second.epoch_before = epoch_to_join;
    return &found->second;
  }
  if (found == group.members.end()) {
    refusal = {ErrorCode::unknown_member_id, "the group does not have this member"};
    return nullptr;
  }
  Member& member = found->second;
  const bool missed_an_answer =
      beat.epoch == member.epoch_before && beat.owned && is_within(*beat.owned, member.assigned);
  if (beat.epoch != member.epoch && !missed_an_answer) {
    refusal = {ErrorCode::fenced_member_epoch, "it is in another epoch"};
    return nullptr;
  }
  return &member;
}

ErrorCode ManagedGroups::subscribe(Member& member, const ManagedBeat& beat, bool& changed) {
  if (beat.assignor && *beat.assignor != "uniform" && *beat.assignor != "range") {
    return ErrorCode::unsupported_assignor;
  }
  if (beat.pattern && !is_pattern(*beat.pattern)) return ErrorCode::invalid_regular_expression;
  if (beat.topics && *beat.topics != member.topics) {
    member.topics = *beat.topics;
    changed = true;
  }
  if (beat.pattern && *beat.pattern != member.pattern) {
    member.pattern = *beat.pattern;
    changed = true;
  }
  return ErrorCode::none;
}

// As even as subscriptions allow; who has a partition keeps it where that is even, too.
void ManagedGroups::share_out(Group& group, const std::vector<KnownTopic>& topics,
                              bool members_changed) {
  std::map<std::pair<Uuid, std::int32_t>, std::vector<Member*>> wanted;
  PlacesById places;
  for (auto& [id, member] : group.members) {
    for (const KnownTopic& topic : topics) {
      if (std::ranges::find(member.topics, topic.name) == member.topics.end() &&
          !matches(member.pattern, topic.name)) {
        continue;
      }
      for (std::int32_t i = 0; i < topic.partitions; ++i) {
        wanted[{topic.id, i}].push_back(&member);
        places.insert({topic.id, i});
      }
    }
  }
  if (places != group.places && !members_changed) ++group.epoch;
  if (places == group.places && !members_changed) return;
  group.places = std::move(places);
  const std::size_t count = group.members.size();
  const std::size_t each = count == 0 ? 0 : wanted.size() / count;
  std::size_t larger = count == 0 ? 0 : wanted.size() % count;
  std::map<Member*, PlacesById> targets;
  for (auto& [place, members] : wanted) {
    const auto had = std::ranges::find_if(
        members, [&](const Member* member) { return member->target.contains(place); });
    if (had == members.end()) continue;
    PlacesById& target = targets[*had];
    if (target.size() > each || (target.size() == each && larger == 0)) continue;
    if (target.size() == each) --larger;
    target.insert(place);
    members = {};
  }
  for (const auto& [place, members] : wanted) {
    if (members.empty()) continue;
    Member* const least = *std::ranges::min_element(
        members, {}, [&](Member* member) { return targets[member].size(); });
    targets[least].insert(place);
  }
  for (auto& [id, member] : group.members) member.target = std::move(targets[&member]);
}

void ManagedGroups::advance(Group& group, Member& member) {
  if (!member.giving_up.empty()) return;
  for (const auto& place : member.assigned) {
    if (!member.target.contains(place)) member.giving_up.insert(place);
  }
  for (const auto& place : member.giving_up) member.assigned.erase(place);
  // It stays in its epoch until it says that it has given up.
  if (!member.giving_up.empty()) return;
  if (member.epoch != group.epoch) {
    member.epoch_before = member.epoch;
    member.epoch = group.epoch;
  }
  for (const auto& place : member.target) {
    const bool is_free = std::ranges::none_of(group.members, [&](const auto& entry) {
      const Member& other = entry.second;
      return &other != &member &&
             (other.assigned.contains(place) || other.giving_up.contains(place));
    });
    if (is_free) member.assigned.insert(place);
  }
}

ManagedReply ManagedGroups::heartbeat(std::string_view name, const ManagedBeat& beat,
                                      const std::vector<KnownTopic>& topics, MonotonicTime now) {
  Group& group = groups_[std::string(name)];
  const std::int32_t epoch_before = group.epoch;
  end_sessions(group, now);
  if (beat.epoch < epoch_to_join) {
    ManagedReply left = leave(group, beat);
    share_out(group, topics, group.epoch != epoch_before);
    return left;
  }
  ManagedReply reply;
  Member* const member = admit(group, beat, reply);
  if (member == nullptr) {
    share_out(group, topics, group.epoch != epoch_before);
    return reply;
  }
  bool has_changed = false;
  if (const ErrorCode refused = subscribe(*member, beat, has_changed); refused != ErrorCode::none) {
    return {refused, "refused by the mock"};
  }
  member->heard = now;
  if (has_changed && group.epoch == epoch_before) ++group.epoch;
  share_out(group, topics, group.epoch != epoch_before);
  if (beat.owned && !member->giving_up.empty()) {
    std::erase_if(member->giving_up,
                  [&](const auto& place) { return !beat.owned->contains(place); });
  }
  const PlacesById assigned_before = member->assigned;
  advance(group, *member);
  reply.epoch = member->epoch;
  const bool tells_all = beat.topics && beat.owned;
  if (tells_all || member->assigned != assigned_before) reply.assignment = member->assigned;
  return reply;
}

std::optional<ErrorCode> ManagedGroups::offsets_allowed(std::string_view name,
                                                        std::string_view member_id,
                                                        std::int32_t epoch) const {
  const auto group = groups_.find(name);
  if (group == groups_.end() || group->second.members.empty()) return std::nullopt;
  const auto found = group->second.members.find(member_id);
  if (found == group->second.members.end()) return ErrorCode::unknown_member_id;
  return found->second.epoch == epoch ? ErrorCode::none : ErrorCode::stale_member_epoch;
}

}  // namespace millrace::mock
