module;
#include <algorithm>
#include <cstddef>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "planted.hpp"

module millrace.groups;

import millrace.base;

namespace millrace::groups {
namespace {

JoinReply refused(ErrorCode error, std::string member_id) {
  JoinReply reply;
  reply.error = error;
  reply.member_id = std::move(member_id);
  return reply;
}

}  // namespace

void Coordinator::on(RequestId id, JoinRequest& request) {
  if (const ErrorCode error = refusal_of(request); error != ErrorCode::none) {
    return answer_now(id, refused(error, request.member_id));
  }
  Group* found = find(request.group);
  if (found == nullptr) {
    if (!request.member_id.empty()) {
      return answer(id, refused(ErrorCode::unknown_member_id, request.member_id));
    }
    if (!has_room_for_group()) return answer(id, refused(ErrorCode::policy_violation, ""));
    found = &create(request.group);
  }
  Group& group = *found;
  const Member* const known = group.find(request.member_id);
  const std::size_t bytes_before = known == nullptr ? 0 : bytes_of(known->protocols);
  const std::size_t bytes = bytes_of(request.protocols);
  if (bytes > bytes_before &&
      state_bytes_ + others_bytes_ + bytes - bytes_before > options_.state_bytes_max) {
    answer(group, id, refused(ErrorCode::policy_violation, request.member_id));
  } else if (!accepts(group, request)) {
    // Who does not come in again does not stay, either.
    if (Member* const member = group.find(request.member_id); member != nullptr) {
      remove_member(group, *member);
      rebalance(group);
    }
    answer(group, id, refused(ErrorCode::group_max_size_reached, ""));
  } else if (request.member_id.empty()) {
    join_new(group, id, request);
  } else {
    join_again(group, id, request);
  }
  settle(group);
}

ErrorCode Coordinator::refusal_of(const JoinRequest& request) const {
  if (request.group.empty() || request.group.size() > stored_string_bytes_max) {
    return ErrorCode::invalid_group_id;
  }
  if (request.session_timeout < options_.session_timeout_min ||
      request.session_timeout > options_.session_timeout_max) {
    return ErrorCode::invalid_session_timeout;
  }
  // What the format of the records cannot hold.
  const bool storable = request.client_id.size() <= member_id_prefix_bytes_max &&
                        request.instance_id.value_or("").size() <= member_id_prefix_bytes_max &&
                        request.client_host.size() <= stored_string_bytes_max &&
                        request.protocol_type.size() <= stored_string_bytes_max &&
                        request.protocols.size() <= member_protocols_max &&
                        std::ranges::all_of(request.protocols, [](const Protocol& protocol) {
                          return protocol.name.size() <= stored_string_bytes_max;
                        });
  if (!storable) return ErrorCode::invalid_request;
  std::set<std::string_view> names;
  const bool distinct = std::ranges::all_of(request.protocols, [&names](const Protocol& protocol) {
    return names.insert(protocol.name).second;
  });
  if (!distinct || bytes_of(request.protocols) > options_.member_bytes_max) {
    return ErrorCode::invalid_request;
  }
  return ErrorCode::none;
}

bool Coordinator::accepts(Group& group, const JoinRequest& request) const {
  const Member* const member = group.find(request.member_id);
  // One that is replaced makes the group no larger.
  if (request.member_id.empty()) {
    const std::string* const instance = group.static_member(request.instance_id);
    if (instance != nullptr) return true;
  }
  switch (group.state()) {
    case GroupState::preparing_rebalance:
      // Who waits counts: members that do not come back make room.
      return (member != nullptr && member->join) || group.awaiting_join() < options_.group_size_max;
    case GroupState::completing_rebalance:
    case GroupState::stable:
      return member != nullptr || group.members().size() < options_.group_size_max;
    case GroupState::empty:
    case GroupState::dead:
      break;
  }
  return true;
}

void Coordinator::join_new(Group& group, RequestId id, const JoinRequest& request) {
  if (!group.supports(request.protocol_type, request.protocols)) {
    return answer(group, id, refused(ErrorCode::inconsistent_group_protocol, ""));
  }
  std::string member_id =
      member_id_of(request.instance_id.value_or(request.client_id), request.random);
  if (group.find(member_id) != nullptr || group.is_pending(member_id)) {
    // The random bytes came before: another try has others.
    return answer(group, id, refused(ErrorCode::coordinator_not_available, ""));
  }
  if (const std::string* const old_id = group.static_member(request.instance_id)) {
    return rejoin_static(group, id, request, std::string(*old_id), std::move(member_id));
  }
  if (request.instance_id || !request.member_id_required) {
    return add_member(group, id, request, std::move(member_id));
  }
  if (group.pending().size() >= options_.pending_members_max) {
    return answer(group, id, refused(ErrorCode::group_max_size_reached, ""));
  }
  // It is to come again with its id, so that a client that tries again and again is one member.
  group.add_pending(member_id);
  set_timer(group, TimerKind::member, member_id, request.session_timeout);
  answer(group, id, refused(ErrorCode::member_id_required, std::move(member_id)));
}

void Coordinator::join_again(Group& group, RequestId id, const JoinRequest& request) {
  const auto refuse = [&](ErrorCode error) {
    answer(group, id, refused(error, request.member_id));
  };
  if (!group.supports(request.protocol_type, request.protocols)) {
    return refuse(ErrorCode::inconsistent_group_protocol);
  }
  if (group.is_pending(request.member_id)) {
    // A static member never had to come again.
    if (request.instance_id) return refuse(ErrorCode::unknown_server_error);
    return add_member(group, id, request, request.member_id);
  }
  const ErrorCode error = group.validate(request.member_id, request.instance_id);
  if (error != ErrorCode::none) return refuse(error);
  Member& member = group.member(request.member_id);
  const bool unchanged = member.protocols == request.protocols;
  switch (group.state()) {
    case GroupState::preparing_rebalance:
      return update_member(group, member, id, request);
    case GroupState::completing_rebalance:
      // The same again: the first answer was lost.
      if (unchanged) return answer(group, id, joined(group, member));
      return update_member(group, member, id, request);
    case GroupState::stable:
      // A leader joins when the topics have changed, of which its metadata says nothing.
      if (group.is_leader(member.id) || !unchanged) {
        return update_member(group, member, id, request);
      } else {
        JoinReply reply = joined(group, member);
        reply.members.clear();
        return answer(group, id, std::move(reply));
      }
    case GroupState::empty:
    case GroupState::dead:
      break;
  }
  refuse(ErrorCode::unknown_member_id);
}

// The client of a static member has started anew: it keeps its assignment, and who still uses the
// old id is told that there is another.
void Coordinator::rejoin_static(Group& group, RequestId id, const JoinRequest& request,
                                const std::string& old_id, std::string new_id) {
  const std::string leader_before = group.leader().value_or("");
  Member& old_member = group.member(old_id);
  if (const auto join = group.exchange_join(old_member, std::nullopt)) {
    answer(group, *join, refused(ErrorCode::fenced_instance_id, old_id));
  }
  if (const auto sync = std::exchange(old_member.sync, std::nullopt)) {
    SyncReply reply;
    reply.error = ErrorCode::fenced_instance_id;
    answer(group, *sync, reply);
  }
  timers_.cancel({group.id(), TimerKind::member, old_id});
  Member& member = group.replace(old_id, std::move(new_id));
  group.update(member, request);
  if (planted(Planted::static_assignment_lost)) group.assign(member, {});
  start_session(group, member);
  const bool goes_on =
      group.is(GroupState::stable) && group.protocol_name() == group.selected_protocol();
  if (!goes_on || !store(group)) {
    await_join(group, member, id);
    return rebalance(group);
  }
  JoinReply reply = joined(group, member);
  if (request.may_skip_assignment) {
    reply.skip_assignment = group.is_leader(member.id);
  } else {
    // It must not think that it leads: it would assign.
    reply.leader = leader_before;
    reply.members.clear();
  }
  answer(group, id, std::move(reply));
}

void Coordinator::add_member(Group& group, RequestId id, const JoinRequest& request,
                             std::string member_id) {
  Member& member = group.add(member_of(request, std::move(member_id)), request.protocol_type);
  member.is_new = true;
  if (group.is(GroupState::preparing_rebalance) && group.rebalancing_from == GroupState::empty) {
    group.newcomer = true;
  }
  group.exchange_join(member, id);
  set_timer(group, TimerKind::member, member.id, options_.new_member_join_timeout);
  rebalance(group);
}

void Coordinator::update_member(Group& group, Member& member, RequestId id,
                                const JoinRequest& request) {
  group.update(member, request);
  await_join(group, member, id);
  rebalance(group);
}

// One join of a member waits, the last one: the connection of an earlier one is gone, or its client
// joins again when it reads this answer.
void Coordinator::await_join(Group& group, Member& member, RequestId id) {
  if (const auto before = group.exchange_join(member, id)) {
    answer(group, *before, refused(ErrorCode::rebalance_in_progress, member.id));
  }
}

JoinReply Coordinator::joined(const Group& group, const Member& member) {
  JoinReply reply;
  reply.generation = group.generation();
  reply.protocol_type = group.protocol_type();
  reply.protocol_name = group.protocol_name();
  reply.leader = group.leader().value_or("");
  reply.member_id = member.id;
  if (group.is_leader(member.id)) reply.members = group.joined_members();
  return reply;
}

}  // namespace millrace::groups
