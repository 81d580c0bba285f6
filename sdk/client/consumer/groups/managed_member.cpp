module;
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <iterator>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

module millrace.client.consumer.groups;

import millrace.base;
import millrace.client.core;
import millrace.runtime;

namespace millrace::client {

ManagedMember::ManagedMember(ManagedOptions options, Random random)
    : options_(std::move(options)),
      random_(random),
      backoff_(options_.backoff, Random(random_.next())),
      id_(new_id()) {}

std::string ManagedMember::new_id() {
  Uuid id;
  store_big_endian(id.bytes.data(), random_.next());
  store_big_endian(id.bytes.data() + sizeof(std::uint64_t), random_.next());
  return to_string(id);
}

std::string_view ManagedMember::member_id() const {
  return epoch_ > joining_epoch ? std::string_view(id_) : std::string_view();
}

bool ManagedMember::is_settled() const {
  return phase_ == MemberPhase::stable && !under_way_ && !is_changed_ && !is_telling_ &&
         !must_acknowledge_ && !names_missing_;
}

// --- From the application. ---

void ManagedMember::begin(MonotonicTime now) {
  if (phase_ != MemberPhase::out && phase_ != MemberPhase::failed) {
    tells_topics_ = true;
    return;
  }
  phase_ = MemberPhase::unjoined;
  problem_.reset();
  last_poll_ = now;
}

void ManagedMember::subscribe(std::vector<std::string> topics, MonotonicTime now) {
  std::ranges::sort(topics);
  const auto repeated = std::ranges::unique(topics);
  topics.erase(repeated.begin(), repeated.end());
  const bool takes_part = phase_ != MemberPhase::out && phase_ != MemberPhase::failed;
  if (takes_part && !pattern_ && topics == topics_) return;
  topics_ = std::move(topics);
  pattern_.reset();
  begin(now);
}

bool ManagedMember::subscribe_to_matching(const std::string& pattern, MonotonicTime now) {
  const bool takes_part = phase_ != MemberPhase::out && phase_ != MemberPhase::failed;
  if (takes_part && pattern_ == pattern) return true;
  topics_.clear();
  pattern_ = pattern;
  begin(now);
  return true;
}

std::optional<Leave> ManagedMember::leave(std::string_view reason) {
  std::optional<Leave> request;
  if (may_be_known_) request = Leave{id_, std::string(reason)};
  ignore_answer_ = under_way_;
  is_void_ = is_telling_;
  phase_ = MemberPhase::out;
  topics_.clear();
  pattern_.reset();
  owned_.clear();
  owned_topics_.clear();
  lose_membership();
  is_lost_ = false;
  problem_.reset();
  return request;
}

bool ManagedMember::polled(MonotonicTime now) {
  last_poll_ = now;
  if (phase_ != MemberPhase::too_slow) return false;
  phase_ = MemberPhase::unjoined;
  return true;
}

// A topic that was deleted and made anew has another id: its partitions are others.
Partitions ManagedMember::to_give_up() const {
  Partitions gone;
  std::ranges::copy_if(owned_, std::back_inserter(gone), [&](const TopicPartition& partition) {
    if (!std::ranges::binary_search(target_.partitions, partition)) return true;
    return target_.topics.at(partition.topic) != owned_topics_.at(partition.topic);
  });
  return gone;
}

std::optional<MembershipChange> ManagedMember::change() const {
  using Kind = MembershipChange::Kind;
  if (is_telling_) return std::nullopt;
  if (is_lost_ && !owned_.empty()) return MembershipChange{Kind::lost, owned_};
  if (!is_changed_) return std::nullopt;
  if (Partitions gone = to_give_up(); !gone.empty()) {
    return MembershipChange{Kind::revoked, std::move(gone)};
  }
  return MembershipChange{Kind::assigned, without(target_.partitions, owned_)};
}

void ManagedMember::telling() {
  is_telling_ = true;
  being_told_ = target_;
  told_version_ = target_version_;
}

void ManagedMember::told(const MembershipChange& change, MonotonicTime now) {
  is_telling_ = false;
  last_poll_ = now;
  if (std::exchange(is_void_, false)) {
    is_lost_ = false;
    return;
  }
  if (change.kind != MembershipChange::Kind::assigned) {
    owned_ = without(owned_, change.partitions);
    std::erase_if(owned_topics_, [&](const auto& topic) {
      return std::ranges::find(owned_, topic.first, &TopicPartition::topic) == owned_.end();
    });
    is_lost_ = is_lost_ && !owned_.empty();
    return;
  }
  owned_.insert(owned_.end(), change.partitions.begin(), change.partitions.end());
  std::ranges::sort(owned_);
  for (const TopicPartition& partition : change.partitions) {
    owned_topics_[partition.topic] = being_told_.topics.at(partition.topic);
  }
  is_lost_ = is_lost_ && !owned_.empty();
  // What the broker said meanwhile is told first, and then acknowledged.
  if (told_version_ != target_version_) return;
  is_changed_ = false;
  must_acknowledge_ = epoch_ > joining_epoch;
}

std::optional<MemberProblem> ManagedMember::take_problem(MonotonicTime now) {
  if (!problem_) return std::nullopt;
  if (problem_->is_fatal) return problem_;
  not_before_ = now + options_.backoff.longest;
  return std::exchange(problem_, std::nullopt);
}

void ManagedMember::commit_answered(ErrorCode error, Generation generation, MonotonicTime now) {
  // What is said of an older epoch is true of that only.
  if (phase_ != MemberPhase::stable || generation != epoch_) return;
  switch (error) {
    case ErrorCode::not_coordinator:
    case ErrorCode::coordinator_not_available:
      return coordinator_lost(now);
    case ErrorCode::unknown_member_id:
    case ErrorCode::fenced_member_epoch:
    case ErrorCode::stale_member_epoch:
    case ErrorCode::fenced_instance_id:
      // The next heartbeat finds out.
      heartbeat_due_ = now;
      return;
    default:
      return;
  }
}

// --- What to do next. ---

bool ManagedMember::has_poll_expired(MonotonicTime now) const {
  return now - last_poll_ > options_.max_poll_interval;
}

std::optional<Leave> ManagedMember::give_up_for_not_polling() {
  std::optional<Leave> left;
  if (may_be_known_ && coordinator_known_) {
    left = Leave{id_, "the application has not polled for max.poll.interval.ms"};
  }
  lose_membership();
  phase_ = MemberPhase::too_slow;
  problem_ = polled_too_late(options_.group_id, options_.max_poll_interval);
  return left;
}

ManagedStep ManagedMember::next(MonotonicTime now) {
  check(!under_way_, "a member asks one thing at a time");
  if (phase_ == MemberPhase::out || phase_ == MemberPhase::failed ||
      phase_ == MemberPhase::too_slow || problem_) {
    return Rest{no_deadline};
  }
  if (has_poll_expired(now)) {
    auto left = give_up_for_not_polling();
    if (!left) return Rest{no_deadline};
    under_way_ = true;
    return *std::move(left);
  }
  const MonotonicTime poll_end = last_poll_ + options_.max_poll_interval + Duration{1};
  if (not_before_ > now) return Rest{std::min(not_before_, poll_end)};
  if (!coordinator_known_) {
    under_way_ = true;
    return FindCoordinator{};
  }
  if (phase_ == MemberPhase::unjoined) {
    // It holds nothing when it joins.
    if (is_telling_ || (is_lost_ && !owned_.empty())) return Rest{poll_end};
    return heartbeat(now);
  }
  if (must_acknowledge_ || tells_topics_ || now >= heartbeat_due_) return heartbeat(now);
  MonotonicTime until = std::min(heartbeat_due_, poll_end);
  if (names_missing_) {
    if (now >= names_due_) {
      names_due_ = now + options_.backoff.longest;
      return FindNames{};
    }
    until = std::min(until, names_due_);
  }
  return Rest{until};
}

GroupHeartbeat ManagedMember::heartbeat(MonotonicTime now) {
  const bool joins = phase_ == MemberPhase::unjoined;
  const bool tells_all = tells_all_ || joins;
  GroupHeartbeat beat;
  beat.epoch = joins ? joining_epoch : epoch_;
  beat.member_id = id_;
  if (tells_all) {
    beat.rebalance_timeout = options_.max_poll_interval;
    beat.rack = options_.rack;
    beat.assignor = options_.assignor;
  }
  if (tells_all || tells_topics_) {
    beat.topics = topics_;
    // An empty one takes back an earlier one.
    if (pattern_ || !joins) beat.pattern = pattern_.value_or("");
  }
  // While the application is being told, it holds neither the one nor the other.
  const bool is_between = is_telling_ || is_changed_;
  if (joins || must_acknowledge_ || (tells_all && !is_between)) beat.owned = owned_by_id();
  if (joins) {
    phase_ = MemberPhase::joining;
    may_be_known_ = true;
  }
  tells_all_ = tells_topics_ = must_acknowledge_ = false;
  heartbeat_due_ = now + interval_;
  under_way_ = true;
  return beat;
}

PartitionsById ManagedMember::owned_by_id() const {
  PartitionsById ids;
  for (const TopicPartition& partition : owned_) {
    ids[owned_topics_.at(partition.topic)].push_back(partition.partition);
  }
  return ids;
}

}  // namespace millrace::client
