module;
#include <algorithm>
#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

module millrace.client.consumer.groups;

import millrace.base;
import millrace.client.core;
import millrace.runtime;

namespace millrace::client {

// False: whoever asked has left since.
bool ManagedMember::take_answer() {
  under_way_ = false;
  return !std::exchange(ignore_answer_, false);
}

void ManagedMember::back_off(MonotonicTime now) {
  not_before_ = now + backoff_.next();
}

void ManagedMember::coordinator_lost(MonotonicTime now) {
  coordinator_known_ = false;
  tells_all_ = true;
  back_off(now);
}

// It is nobody any more; what it holds is lost.
void ManagedMember::lose_membership() {
  ++times_ended_;
  epoch_ = no_generation;
  may_be_known_ = false;
  tells_all_ = true;
  tells_topics_ = false;
  must_acknowledge_ = false;
  names_missing_ = false;
  is_changed_ = false;
  target_ = {};
  ++target_version_;
  assigned_.clear();
  // What is being told to be assigned is lost as well, once it is told.
  is_lost_ = is_telling_ || !owned_.empty();
}

void ManagedMember::fail(ErrorCode code, std::string_view why, std::string_view said) {
  lose_membership();
  phase_ = MemberPhase::failed;
  problem_ = MemberProblem{
      code, true,
      formatted("group {}: {}{}{}", options_.group_id, why, said.empty() ? "" : ": ", said)};
}

void ManagedMember::found_coordinator(ErrorCode error, MonotonicTime now) {
  if (!take_answer()) return;
  if (error == ErrorCode::none) {
    coordinator_known_ = true;
    return;
  }
  back_off(now);
  if (!traits_of(error).retriable) refused({.error = error}, false, now);
}

void ManagedMember::unanswered(MonotonicTime now) {
  if (!take_answer()) return;
  coordinator_lost(now);
  // Whether it was done is not known. Asking again finds out: the coordinator knows the member.
  if (phase_ == MemberPhase::joining) phase_ = MemberPhase::unjoined;
}

void ManagedMember::not_offered() {
  if (!take_answer()) return;
  may_be_known_ = false;
  fail(ErrorCode::unsupported_version,
       "the broker does not offer group.protocol=consumer; set group.protocol=classic", "");
}

void ManagedMember::left() {
  static_cast<void>(take_answer());
}

void ManagedMember::heartbeat_answered(const GroupHeartbeatAnswer& answer, const TopicNames& names,
                                       MonotonicTime now) {
  if (!take_answer()) return;
  const bool was_joining = phase_ == MemberPhase::joining;
  if (answer.error != ErrorCode::none) {
    if (was_joining) phase_ = MemberPhase::unjoined;
    tells_all_ = true;
    return refused(answer, was_joining, now);
  }
  backoff_.reset();
  phase_ = MemberPhase::stable;
  epoch_ = answer.epoch;
  interval_ = std::max(answer.interval, managed_heartbeat_interval_min);
  heartbeat_due_ = now + interval_;
  if (!answer.assignment) return;
  if (!was_joining && *answer.assignment == assigned_) return;
  assigned_ = *answer.assignment;
  // Even where nothing changes for the application: the broker is told that it is so.
  is_changed_ = true;
  ++target_version_;
  names_due_ = now;
  know(names);
}

void ManagedMember::know(const TopicNames& names) {
  if (phase_ == MemberPhase::out || (!is_changed_ && !names_missing_)) return;
  NamedPartitions named;
  names_missing_ = false;
  for (const auto& [id, partitions] : assigned_) {
    std::optional<std::string> name = names(id);
    if (!name) {
      const auto held =
          std::ranges::find(owned_topics_, id, [](const auto& t) { return t.second; });
      // What it holds keeps its name, whatever became of the topic.
      if (held != owned_topics_.end()) name = held->first;
    }
    if (!name) {
      names_missing_ = true;
      continue;
    }
    // Of two topics of one name one is deleted; the broker's next answer is without it.
    if (!named.topics.emplace(*name, id).second) continue;
    for (const PartitionIndex partition : partitions) {
      named.partitions.push_back({*name, partition});
    }
  }
  std::ranges::sort(named.partitions);
  if (named.partitions == target_.partitions && named.topics == target_.topics) return;
  target_ = std::move(named);
  is_changed_ = true;
  ++target_version_;
}

// What an answer says about the membership.
void ManagedMember::refused(const GroupHeartbeatAnswer& answer, bool was_joining,
                            MonotonicTime now) {
  const std::string_view said = answer.sentence;
  switch (answer.error) {
    case ErrorCode::not_coordinator:
    case ErrorCode::coordinator_not_available:
      return coordinator_lost(now);
    case ErrorCode::coordinator_load_in_progress:
    case ErrorCode::request_timed_out:
    case ErrorCode::network_exception:
      return back_off(now);
    case ErrorCode::fenced_member_epoch:
    case ErrorCode::unknown_member_id:
      lose_membership();
      phase_ = MemberPhase::unjoined;
      // The broker takes it for somebody whose answer was lost: it is another one then.
      if (was_joining) id_ = new_id();
      return back_off(now);
    case ErrorCode::fenced_instance_id:
      return fail(answer.error,
                  formatted("another member with the group.instance.id {} has taken its place",
                            options_.instance_id.value_or("")),
                  said);
    case ErrorCode::unreleased_instance_id:
      return fail(answer.error,
                  formatted("another member has the group.instance.id {}; it is free when that one "
                            "leaves or its session ends",
                            options_.instance_id.value_or("")),
                  said);
    case ErrorCode::unsupported_assignor:
      return fail(answer.error,
                  formatted("the broker has no assignor {} (group.remote.assignor)",
                            options_.assignor.value_or("")),
                  said);
    case ErrorCode::group_max_size_reached:
      return fail(answer.error, "it has as many members as the broker allows", said);
    case ErrorCode::invalid_regular_expression:
      return fail(answer.error,
                  formatted("the broker cannot read the pattern {}", pattern_.value_or("")), said);
    case ErrorCode::unsupported_version:
      return fail(answer.error,
                  "the broker does not offer group.protocol=consumer; set group.protocol=classic",
                  said);
    case ErrorCode::group_id_not_found:
    case ErrorCode::inconsistent_group_protocol:
      return fail(answer.error, "there is a group of this name of another kind", said);
    case ErrorCode::invalid_request:
      return fail(answer.error, "the broker refuses the heartbeat of this member", said);
    // It is a member, and may not know all of the topics.
    case ErrorCode::topic_authorization_failed:
      break;
    default:
      lose_membership();
      phase_ = MemberPhase::unjoined;
  }
  problem_ = MemberProblem{
      answer.error, false,
      formatted("group {}: the coordinator refuses this member with {}{}{}", options_.group_id,
                protocol::name_of(answer.error), said.empty() ? "" : ": ", said)};
}

}  // namespace millrace::client
