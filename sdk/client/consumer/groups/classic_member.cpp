module;
#include <algorithm>
#include <chrono>
#include <cstddef>
#include <iterator>
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

ClassicMember::ClassicMember(MemberOptions options, Random random)
    : options_(std::move(options)),
      backoff_(options_.backoff, random),
      cooperative_(std::ranges::all_of(options_.strategies, is_cooperative)) {
  check(!options_.strategies.empty(), "a member of a group has a strategy");
}

// --- From the application. ---

void ClassicMember::subscribe(std::vector<std::string> topics, MonotonicTime now) {
  std::ranges::sort(topics);
  const auto repeated = std::ranges::unique(topics);
  topics.erase(repeated.begin(), repeated.end());
  const bool is_new = phase_ == MemberPhase::out || phase_ == MemberPhase::failed;
  if (!is_new && topics == topics_) return;
  topics_ = std::move(topics);
  if (!is_new) return request_rejoin("the subscription has changed");
  phase_ = MemberPhase::unjoined;
  problem_.reset();
  last_poll_ = now;
  request_rejoin("it joins for the first time");
}

std::optional<Leave> ClassicMember::leave(std::string_view reason) {
  std::optional<Leave> request;
  // A static member may come back; it is out when its session ends.
  if (!member_id_.empty() && !options_.instance_id) {
    request = Leave{member_id_, std::string(reason)};
  }
  ignore_answer_ = under_way_;
  is_void_ = is_telling_;
  phase_ = MemberPhase::out;
  topics_.clear();
  owned_.clear();
  lose_membership();
  is_lost_ = false;
  problem_.reset();
  rejoin_ = false;
  return request;
}

bool ClassicMember::polled(MonotonicTime now) {
  last_poll_ = now;
  if (phase_ != MemberPhase::too_slow) return false;
  phase_ = MemberPhase::unjoined;
  request_rejoin("the application polls again");
  return true;
}

Partitions ClassicMember::to_give_up_before_joining() const {
  if (!wants_join()) return {};
  if (!cooperative_) return owned_;
  Partitions unwanted;
  std::ranges::copy_if(owned_, std::back_inserter(unwanted), [&](const TopicPartition& partition) {
    return !std::ranges::binary_search(topics_, partition.topic);
  });
  return unwanted;
}

std::optional<MembershipChange> ClassicMember::change() const {
  using Kind = MembershipChange::Kind;
  if (is_telling_) return std::nullopt;
  if (is_lost_ && !owned_.empty()) return MembershipChange{Kind::lost, owned_};
  if (target_) {
    if (Partitions gone = without(owned_, *target_); !gone.empty()) {
      return MembershipChange{Kind::revoked, std::move(gone)};
    }
    return MembershipChange{Kind::assigned, without(*target_, owned_)};
  }
  if (Partitions gone = to_give_up_before_joining(); !gone.empty()) {
    return MembershipChange{Kind::revoked, std::move(gone)};
  }
  return std::nullopt;
}

void ClassicMember::told(const MembershipChange& change, MonotonicTime now) {
  is_telling_ = false;
  last_poll_ = now;
  if (std::exchange(is_void_, false)) {
    is_lost_ = false;
    return;
  }
  if (change.kind != MembershipChange::Kind::assigned) {
    owned_ = without(owned_, change.partitions);
    is_lost_ = is_lost_ && !owned_.empty();
    // Who gets them learns it from the next rebalance.
    if (target_) request_rejoin("it has given up partitions that others are to get");
    return;
  }
  owned_.insert(owned_.end(), change.partitions.begin(), change.partitions.end());
  std::ranges::sort(owned_);
  target_.reset();
  is_lost_ = is_lost_ && !owned_.empty();
}

std::optional<MemberProblem> ClassicMember::take_problem(MonotonicTime now) {
  if (!problem_) return std::nullopt;
  if (problem_->is_fatal) return problem_;
  not_before_ = now + options_.backoff.longest;
  return std::exchange(problem_, std::nullopt);
}

void ClassicMember::request_rejoin(std::string_view reason) {
  if (phase_ == MemberPhase::out || phase_ == MemberPhase::failed) return;
  rejoin_ = true;
  rejoin_reason_ = reason;
}

// --- What to do next. ---

bool ClassicMember::wants_join() const {
  return phase_ == MemberPhase::unjoined || (phase_ == MemberPhase::stable && rejoin_);
}

bool ClassicMember::has_poll_expired(MonotonicTime now) const {
  return now - last_poll_ > options_.max_poll_interval;
}

MemberStep ClassicMember::next(MonotonicTime now) {
  check(!under_way_, "a member asks one thing at a time");
  if (phase_ == MemberPhase::out || phase_ == MemberPhase::failed ||
      phase_ == MemberPhase::too_slow || problem_) {
    return Rest{no_deadline};
  }
  if (has_poll_expired(now)) {
    std::optional<Leave> left;
    if (!member_id_.empty() && !options_.instance_id && coordinator_known_) {
      left = Leave{member_id_, "the application has not polled for max.poll.interval.ms"};
    }
    lose_membership();
    phase_ = MemberPhase::too_slow;
    problem_ = polled_too_late(options_.group_id, options_.max_poll_interval);
    if (!left) return Rest{no_deadline};
    under_way_ = true;
    return *left;
  }
  const MonotonicTime poll_end = last_poll_ + options_.max_poll_interval + Duration{1};
  if (not_before_ > now) return Rest{std::min(not_before_, poll_end)};
  if (!coordinator_known_) {
    under_way_ = true;
    return FindCoordinator{};
  }
  if (phase_ == MemberPhase::sharing) return *share_out_;
  if (phase_ == MemberPhase::syncing) {
    under_way_ = true;
    return Sync{generation_, member_id_, strategy_, std::exchange(shares_, {})};
  }
  const bool must_tell_first =
      is_telling_ || (is_lost_ && !owned_.empty()) || !to_give_up_before_joining().empty();
  if (wants_join() && !must_tell_first) return join(now);
  return phase_ == MemberPhase::stable ? while_stable(now) : Rest{poll_end};
}

MemberStep ClassicMember::join(MonotonicTime now) {
  Join request;
  request.member_id = member_id_;
  request.reason = rejoin_reason_;
  // An assignment that was not told is not taken: the next one follows.
  target_.reset();
  for (const AssignorKind strategy : options_.strategies) {
    Subscriber subscriber;
    subscriber.topics = topics_;
    subscriber.rack = options_.rack;
    // Who gives everything up before it joins only says what it would like to have again.
    subscriber.owned = strategy == AssignorKind::sticky ? remembered_ : owned_;
    subscriber.generation = cooperative_ ? generation_ : remembered_generation_;
    auto encoded = encode_subscription(subscriber, strategy);
    if (!encoded) {
      fail(ErrorCode::invalid_topic_exception, encoded.error().message);
      return Rest{no_deadline};
    }
    request.protocols.emplace_back(strategy, std::move(*encoded));
  }
  rejoin_ = false;
  phase_ = MemberPhase::joining;
  under_way_ = true;
  heard_ = now;
  return request;
}

MemberStep ClassicMember::while_stable(MonotonicTime now) {
  const MonotonicTime poll_end = last_poll_ + options_.max_poll_interval + Duration{1};
  if (now - heard_ > options_.session_timeout) {
    // Perhaps it is another one by now.
    coordinator_lost(now);
    heard_ = now;
    return Rest{not_before_};
  }
  if (now < heartbeat_due_) return Rest{std::min(heartbeat_due_, poll_end)};
  under_way_ = true;
  return Heartbeat{generation_, member_id_};
}

}  // namespace millrace::client
