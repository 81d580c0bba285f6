module;
#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "planted.hpp"

module millrace.groups;

import millrace.base;

namespace millrace::groups {

// Something about the members has changed.
void Coordinator::rebalance(Group& group) {
  if (group.is(GroupState::preparing_rebalance)) {
    complete_join_if_all_joined(group);
  } else {
    prepare_rebalance(group);
  }
}

void Coordinator::prepare_rebalance(Group& group) {
  // Who waits for an assignment that will not come is to join again.
  if (group.is(GroupState::completing_rebalance)) {
    answer_syncs(group, ErrorCode::rebalance_in_progress);
  }
  timers_.cancel({group.id(), TimerKind::sync, ""});
  group.rebalancing_from = group.state();
  group.enter(GroupState::preparing_rebalance, now_.wall);
  if (group.rebalancing_from == GroupState::empty) {
    // The first member of a group is seldom the only one: more time for the others.
    group.newcomer = false;
    group.delay_remaining = std::max(group.rebalance_timeout() - options_.initial_rebalance_delay,
                                     Milliseconds::zero());
    set_timer(group, TimerKind::join, "", options_.initial_rebalance_delay);
  } else if (group.all_have_joined()) {
    complete_join(group);
  } else if (!planted(Planted::rebalance_without_end)) {
    set_timer(group, TimerKind::join, "", group.rebalance_timeout());
  }
}

// As long as others come the delay goes on, up to the rebalance timeout in all.
void Coordinator::extend_first_rebalance(Group& group) {
  if (!group.newcomer || group.delay_remaining == Milliseconds::zero()) {
    return complete_join(group);
  }
  group.newcomer = false;
  const Milliseconds delay = std::min(options_.initial_rebalance_delay, group.delay_remaining);
  group.delay_remaining =
      std::max(group.delay_remaining - options_.initial_rebalance_delay, Milliseconds::zero());
  set_timer(group, TimerKind::join, "", delay);
}

void Coordinator::complete_join_if_all_joined(Group& group) {
  if (group.is(GroupState::preparing_rebalance) && group.rebalancing_from != GroupState::empty &&
      group.all_have_joined()) {
    complete_join(group);
  }
}

void Coordinator::complete_join(Group& group) {
  timers_.cancel({group.id(), TimerKind::join, ""});
  // Static members may come back within their session; others are out.
  std::vector<std::string> late;
  for (const auto& [id, member] : group.members()) {
    if (planted(Planted::late_member_kept)) break;
    if (!member.join && !member.instance_id) late.push_back(id);
  }
  for (const std::string& id : late) remove_member(group, group.member(id));
  if (!group.elect_joined_leader() && !group.members().empty()) {
    // Nobody to assign: sessions end, or somebody comes. No longer the first rebalance.
    group.rebalancing_from = GroupState::preparing_rebalance;
    const Milliseconds wait = std::max(group.rebalance_timeout(), rebalance_retry_min);
    return set_timer(group, TimerKind::join, "", wait);
  }
  group.begin_generation(now_.wall);
  if (group.members().empty()) {
    // Of a group that was never stored there is nothing to write.
    if (group.is_stored) check(store(group), "a group without members fits into a record");
    return;
  }
  std::vector<std::string> members;
  for (const auto& [id, member] : group.members()) members.push_back(id);
  for (const std::string& id : members) {
    Member& member = group.member(id);
    if (const auto join = group.exchange_join(member, std::nullopt)) {
      answer(group, *join, joined(group, member));
    }
    start_session(group, member);
    member.is_new = false;
    group.set_pending_sync(member, true);
  }
  if (planted(Planted::assignment_without_end)) return;
  set_timer(group, TimerKind::sync, "", group.rebalance_timeout());
}

void Coordinator::expire_pending_sync(Group& group) {
  std::vector<std::string> late;
  for (const auto& [id, member] : group.members()) {
    if (member.is_pending_sync) late.push_back(id);
  }
  if (late.empty()) return;
  for (const std::string& id : late) remove_member(group, group.member(id));
  prepare_rebalance(group);
}

void Coordinator::expire_session(Group& group, const std::string& member_id) {
  if (planted(Planted::silent_member_kept)) return;
  if (group.is_pending(member_id)) {
    group.remove(member_id);
    return complete_join_if_all_joined(group);
  }
  Member* const member = group.find(member_id);
  check(member != nullptr, "a session of a member that is gone");
  // Who waits for us is not late. One that never got its id, however, cannot show that it lives.
  if (!member->is_new && (member->join || member->sync)) return;
  remove_member(group, *member);
  rebalance(group);
}

void Coordinator::remove_member(Group& group, Member& member) {
  if (const auto join = group.exchange_join(member, std::nullopt)) {
    JoinReply reply;
    reply.error = ErrorCode::unknown_member_id;
    answer(group, *join, std::move(reply));
  }
  if (const auto sync = std::exchange(member.sync, std::nullopt)) {
    SyncReply reply;
    reply.error = ErrorCode::unknown_member_id;
    answer(group, *sync, std::move(reply));
  }
  const std::string id = member.id;
  timers_.cancel({group.id(), TimerKind::member, id});
  group.remove(id);
}

void Coordinator::start_session(const Group& group, const Member& member) {
  set_timer(group, TimerKind::member, member.id, member.session_timeout);
}

void Coordinator::set_timer(const Group& group, TimerKind kind, const std::string& member,
                            Milliseconds in) {
  timers_.set({group.id(), kind, member}, now_.monotonic + in);
}

}  // namespace millrace::groups
