module;
#include <algorithm>
#include <chrono>
#include <iterator>
#include <string>
#include <string_view>

module millrace.client.consumer.groups;

import millrace.base;
import millrace.client.core;
import millrace.runtime;

namespace millrace::client {

std::string_view name_of(MemberPhase phase) {
  switch (phase) {
    case MemberPhase::out:
      return "out";
    case MemberPhase::unjoined:
      return "unjoined";
    case MemberPhase::joining:
      return "joining";
    case MemberPhase::sharing:
      return "sharing out";
    case MemberPhase::syncing:
      return "syncing";
    case MemberPhase::stable:
      return "stable";
    case MemberPhase::too_slow:
      return "too slow";
    case MemberPhase::failed:
      return "failed";
  }
  return "?";
}

bool GroupMember::subscribe_to_matching(const std::string&, MonotonicTime) {
  return false;
}

Partitions without(const Partitions& all, const Partitions& some) {
  Partitions rest;
  std::ranges::set_difference(all, some, std::back_inserter(rest));
  return rest;
}

MemberProblem polled_too_late(const std::string& group_id, Duration allowed) {
  return {
      ErrorCode::unknown_member_id, false,
      formatted("group {}: the application did not poll for longer than max.poll.interval.ms "
                "({} ms), so this member has left the group; poll more often, take fewer records "
                "at once (max.poll.records), or allow more time",
                group_id, std::chrono::duration_cast<std::chrono::milliseconds>(allowed).count())};
}

}  // namespace millrace::client
