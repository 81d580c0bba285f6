module;
#include <cstddef>
#include <string>
#include <utility>

module millrace.groups;

import millrace.base;

namespace millrace::groups {

void Coordinator::on(RequestId id, LeaveRequest& request) {
  LeaveReply reply;
  if (request.group.empty()) {
    reply.error = ErrorCode::invalid_group_id;
    return answer_now(id, std::move(reply));
  }
  Group* const group = find(request.group);
  if (group == nullptr) {
    reply.error = ErrorCode::unknown_member_id;
    return answer(id, std::move(reply));
  }
  const std::size_t members_before = group->members().size();
  for (LeavingMember& leaving : request.members) {
    const ErrorCode error = leave(*group, leaving);
    reply.members.push_back({std::move(leaving.member_id), std::move(leaving.instance_id), error});
  }
  // One rebalance for all who left together. Where members are joining anyway, one who was told its
  // id and leaves is no longer waited for.
  if (group->is(GroupState::preparing_rebalance)) {
    complete_join_if_all_joined(*group);
  } else if (group->members().size() != members_before) {
    prepare_rebalance(*group);
  }
  answer(*group, id, std::move(reply));
  settle(*group);
}

ErrorCode Coordinator::leave(Group& group, const LeavingMember& leaving) {
  // An operator may know the instance only.
  if (leaving.member_id.empty()) {
    const std::string* const member = group.static_member(leaving.instance_id);
    if (member == nullptr) return ErrorCode::unknown_member_id;
    remove_member(group, group.member(*member));
    return ErrorCode::none;
  }
  if (group.is_pending(leaving.member_id)) {
    timers_.cancel({group.id(), TimerKind::member, leaving.member_id});
    group.remove(leaving.member_id);
    return ErrorCode::none;
  }
  const ErrorCode error = group.validate(leaving.member_id, leaving.instance_id);
  if (error == ErrorCode::none) remove_member(group, group.member(leaving.member_id));
  return error;
}

}  // namespace millrace::groups
