module;
#include <algorithm>
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
bool ClassicMember::take_answer() {
  under_way_ = false;
  return !std::exchange(ignore_answer_, false);
}

void ClassicMember::back_off(MonotonicTime now) {
  not_before_ = now + backoff_.next();
}

void ClassicMember::coordinator_lost(MonotonicTime now) {
  coordinator_known_ = false;
  back_off(now);
}

// It is nobody any more; what it holds is lost.
void ClassicMember::lose_membership() {
  ++times_ended_;
  member_id_.clear();
  generation_ = no_generation;
  is_leader_ = false;
  share_out_.reset();
  shares_.clear();
  target_.reset();
  // What is being told to be assigned is lost as well, once it is told.
  is_lost_ = is_telling_ || !owned_.empty();
}

void ClassicMember::fail(ErrorCode code, std::string sentence) {
  phase_ = MemberPhase::failed;
  problem_ = MemberProblem{code, true, std::move(sentence)};
}

void ClassicMember::found_coordinator(ErrorCode error, MonotonicTime now) {
  if (!take_answer()) return;
  if (error == ErrorCode::none) {
    coordinator_known_ = true;
    return;
  }
  back_off(now);
  if (!traits_of(error).retriable) membership_error(error, now);
}

void ClassicMember::unanswered(MonotonicTime now) {
  if (!take_answer()) return;
  coordinator_lost(now);
  // Whether it was done is not known. Asking again finds out: the coordinator knows the member.
  if (phase_ == MemberPhase::joining || phase_ == MemberPhase::syncing) {
    phase_ = MemberPhase::unjoined;
    rejoin_ = true;
  }
}

// What an answer says about the membership, whatever was asked.
void ClassicMember::membership_error(ErrorCode error, MonotonicTime now) {
  switch (error) {
    case ErrorCode::none:
      return;
    case ErrorCode::rebalance_in_progress:
      return request_rejoin("the group is rebalancing");
    case ErrorCode::not_coordinator:
    case ErrorCode::coordinator_not_available:
      return coordinator_lost(now);
    case ErrorCode::coordinator_load_in_progress:
    case ErrorCode::request_timed_out:
    case ErrorCode::network_exception:
      return back_off(now);
    case ErrorCode::unknown_member_id:
      lose_membership();
      phase_ = MemberPhase::unjoined;
      return request_rejoin("the coordinator does not know it any more");
    case ErrorCode::illegal_generation: {
      // The coordinator may still know it by its id. With another one the next rebalance would wait
      // for the member that it was, until the session of that one ends.
      std::string id = std::move(member_id_);
      lose_membership();
      member_id_ = std::move(id);
      phase_ = MemberPhase::unjoined;
      return request_rejoin("the group has gone on without it");
    }
    case ErrorCode::fenced_instance_id:
      lose_membership();
      return fail(error, formatted("group {}: another member with the group.instance.id {} has "
                                   "taken its place",
                                   options_.group_id, options_.instance_id.value_or("")));
    default:
      lose_membership();
      phase_ = MemberPhase::unjoined;
      rejoin_ = true;
      problem_ = MemberProblem{error, false,
                               formatted("group {}: the coordinator refuses this member with {}",
                                         options_.group_id, protocol::name_of(error))};
  }
}

void ClassicMember::joined(const JoinAnswer& answer, MonotonicTime now) {
  if (!take_answer()) return;
  if (answer.error != ErrorCode::none) {
    phase_ = MemberPhase::unjoined;
    rejoin_ = true;
    if (answer.error == ErrorCode::member_id_required) {
      member_id_ = answer.member_id;
      return;
    }
    if (answer.error == ErrorCode::rebalance_in_progress) return back_off(now);
    const std::string reason = rejoin_reason_;
    membership_error(answer.error, now);
    if (phase_ == MemberPhase::unjoined && not_before_ <= now) back_off(now);
    rejoin_reason_ = reason;
    return;
  }
  const auto strategy = std::ranges::find(options_.strategies, answer.protocol_name,
                                          [](AssignorKind kind) { return name_of(kind); });
  if (strategy == options_.strategies.end()) {
    lose_membership();
    return membership_error(ErrorCode::inconsistent_group_protocol, now);
  }
  backoff_.reset();
  member_id_ = answer.member_id;
  generation_ = answer.generation;
  strategy_ = *strategy;
  is_leader_ = answer.leader == answer.member_id;
  phase_ = MemberPhase::syncing;
  if (is_leader_ && !answer.skip_assignment) lead(answer, strategy_);
}

void ClassicMember::lead(const JoinAnswer& answer, AssignorKind strategy) {
  ShareOut task{strategy, {}};
  for (const JoinAnswer::Member& member : answer.members) {
    auto subscriber = decode_subscription(member.metadata, strategy);
    if (!subscriber) {
      problem_ =
          MemberProblem{ErrorCode::inconsistent_group_protocol, false,
                        formatted("group {}: the subscription of member {} cannot be read: {}",
                                  options_.group_id, member.member_id, subscriber.error().message)};
      phase_ = MemberPhase::unjoined;
      rejoin_ = true;
      return;
    }
    subscriber->member_id = member.member_id;
    subscriber->instance_id = member.instance_id;
    task.members.push_back(std::move(*subscriber));
  }
  share_out_ = std::move(task);
  phase_ = MemberPhase::sharing;
}

void ClassicMember::shared(const Assignments& assignments) {
  if (phase_ != MemberPhase::sharing) return;
  for (const auto& [member, partitions] : assignments) {
    auto encoded = encode_assignment(partitions);
    if (!encoded) return fail(ErrorCode::invalid_topic_exception, encoded.error().message);
    shares_.emplace_back(member, std::move(*encoded));
  }
  share_out_.reset();
  phase_ = MemberPhase::syncing;
}

void ClassicMember::sharing_failed(std::string_view why, MonotonicTime now) {
  if (phase_ != MemberPhase::sharing) return;
  share_out_.reset();
  phase_ = MemberPhase::unjoined;
  request_rejoin(why);
  back_off(now);
}

void ClassicMember::synced(const SyncAnswer& answer, MonotonicTime now) {
  if (!take_answer()) return;
  if (answer.error != ErrorCode::none) {
    phase_ = MemberPhase::unjoined;
    rejoin_ = true;
    return membership_error(answer.error, now);
  }
  auto assignment = decode_assignment(answer.assignment);
  if (!assignment) {
    phase_ = MemberPhase::unjoined;
    rejoin_ = true;
    problem_ = MemberProblem{ErrorCode::inconsistent_group_protocol, false,
                             formatted("group {}: the assignment cannot be read: {}",
                                       options_.group_id, assignment.error().message)};
    return;
  }
  adopt(std::move(*assignment), now);
}

void ClassicMember::adopt(Partitions assignment, MonotonicTime now) {
  phase_ = MemberPhase::stable;
  heard_ = now;
  heartbeat_due_ = now + options_.heartbeat_interval;
  remembered_ = assignment;
  remembered_generation_ = generation_;
  const bool is_wanted = std::ranges::all_of(assignment, [&](const TopicPartition& partition) {
    return std::ranges::binary_search(topics_, partition.topic);
  });
  // The subscription has changed since it joined.
  if (!is_wanted) return request_rejoin("it was assigned topics that it does not subscribe to");
  target_ = std::move(assignment);
}

void ClassicMember::heartbeat_answered(ErrorCode error, MonotonicTime now) {
  if (!take_answer()) return;
  heartbeat_due_ = now + options_.heartbeat_interval;
  if (error == ErrorCode::none || error == ErrorCode::rebalance_in_progress) {
    heard_ = now;
    backoff_.reset();
  }
  membership_error(error, now);
}

void ClassicMember::left() {
  static_cast<void>(take_answer());
}

void ClassicMember::commit_answered(ErrorCode error, Generation generation, MonotonicTime now) {
  // What is said of an older membership is true of that only.
  if (phase_ != MemberPhase::stable || generation != generation_) return;
  switch (error) {
    case ErrorCode::rebalance_in_progress:
    case ErrorCode::not_coordinator:
    case ErrorCode::coordinator_not_available:
    case ErrorCode::unknown_member_id:
    case ErrorCode::illegal_generation:
    case ErrorCode::fenced_instance_id:
      return membership_error(error, now);
    default:
      return;
  }
}

}  // namespace millrace::client
