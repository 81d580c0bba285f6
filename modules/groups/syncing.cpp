module;
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "planted.hpp"

module millrace.groups;

import millrace.base;

namespace millrace::groups {
namespace {

// Clients of old versions do not say what they agreed on.
bool differs(const std::optional<std::string>& said, const std::optional<std::string>& agreed) {
  return said && said != agreed;
}

SyncReply assigned(const Group& group, const Member& member) {
  return {ErrorCode::none, group.protocol_type(), group.protocol_name(), member.assignment};
}

SyncReply refused(ErrorCode error) {
  SyncReply reply;
  reply.error = error;
  return reply;
}

}  // namespace

void Coordinator::on(RequestId id, SyncRequest& request) {
  if (request.group.empty()) return answer_now(id, refused(ErrorCode::invalid_group_id));
  Group* const found = find(request.group);
  if (found == nullptr) return answer(id, refused(ErrorCode::unknown_member_id));
  Group& group = *found;
  if (const ErrorCode error = refusal_of(group, request); error != ErrorCode::none) {
    return answer(group, id, refused(error));
  }
  Member& member = group.member(request.member_id);
  group.set_pending_sync(member, false);
  if (!group.any_pending_sync()) timers_.cancel({group.id(), TimerKind::sync, ""});
  if (group.is(GroupState::stable)) return answer(group, id, assigned(group, member));
  // The last one waits, as with joins.
  if (const auto before = std::exchange(member.sync, id)) {
    answer(group, *before, refused(ErrorCode::rebalance_in_progress));
  }
  if (group.is_leader(member.id) || planted(Planted::anyone_assigns))
    take_assignments(group, request);
  settle(group);
}

ErrorCode Coordinator::refusal_of(const Group& group, const SyncRequest& request) const {
  const ErrorCode error = group.validate(request.member_id, request.instance_id);
  if (error != ErrorCode::none) return error;
  const bool is_old = request.generation != group.generation();
  if (is_old && !planted(Planted::sync_of_old_generation)) return ErrorCode::illegal_generation;
  if (differs(request.protocol_type, group.protocol_type()) ||
      differs(request.protocol_name, group.protocol_name())) {
    return ErrorCode::inconsistent_group_protocol;
  }
  if (group.is(GroupState::preparing_rebalance)) return ErrorCode::rebalance_in_progress;
  return ErrorCode::none;
}

// Whom the leader has forgotten gets nothing. The group is stable from here on; that it is, members
// learn when it is committed.
void Coordinator::take_assignments(Group& group, SyncRequest& request) {
  std::map<std::string_view, OwnedBytes*> assignments;
  for (MemberAssignment& assignment : request.assignments) {
    // What others are given takes no memory, however many they are.
    if (group.find(assignment.member_id) == nullptr) continue;
    assignments[assignment.member_id] = &assignment.assignment;
  }
  std::vector<std::string> members;
  for (const auto& [id, member] : group.members()) members.push_back(id);
  for (const std::string& id : members) {
    const auto place = assignments.find(id);
    group.assign(group.member(id),
                 place == assignments.end() ? OwnedBytes{} : std::move(*place->second));
  }
  group.enter(GroupState::stable, now_.wall);
  if (store(group)) return answer_syncs(group, ErrorCode::none);
  // It does not fit into a record. They try again, perhaps with fewer members.
  for (const std::string& id : members) group.assign(group.member(id), {});
  answer_syncs(group, ErrorCode::unknown_server_error);
  prepare_rebalance(group);
}

// To all who wait. Their sessions begin anew: while they waited, none could end.
void Coordinator::answer_syncs(Group& group, ErrorCode error) {
  std::vector<std::string> members;
  for (const auto& [id, member] : group.members()) {
    if (member.sync) members.push_back(id);
  }
  for (const std::string& id : members) {
    Member& member = group.member(id);
    const RequestId request = *std::exchange(member.sync, std::nullopt);
    answer(group, request, error == ErrorCode::none ? assigned(group, member) : refused(error));
    start_session(group, member);
  }
}

void Coordinator::on(RequestId id, HeartbeatRequest& request) {
  const auto reply = [&](ErrorCode error) { answer_now(id, HeartbeatReply{error}); };
  if (request.group.empty()) return reply(ErrorCode::invalid_group_id);
  Group* const group = find(request.group);
  if (group == nullptr) return reply(ErrorCode::unknown_member_id);
  const ErrorCode error = group->validate(request.member_id, request.instance_id);
  if (error != ErrorCode::none) return reply(error);
  const bool is_old = request.generation != group->generation();
  if (is_old && !planted(Planted::heartbeat_of_old_generation)) {
    return reply(ErrorCode::illegal_generation);
  }
  start_session(*group, group->member(request.member_id));
  reply(group->is(GroupState::preparing_rebalance) ? ErrorCode::rebalance_in_progress
                                                   : ErrorCode::none);
}

}  // namespace millrace::groups
