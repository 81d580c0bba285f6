module;
#include <algorithm>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <regex>
#include <string>
#include <utility>
#include <vector>

module millrace.client.consumer;

import millrace.base;
import millrace.client.consumer.groups;
import millrace.client.core;
import millrace.runtime;
import millrace.runtime.streams;

namespace millrace::client {
namespace {

// How long a commit of its own may take at least: auto.commit.interval.ms may be shorter than the
// way to the broker.
constexpr Duration own_commit_patience_min = std::chrono::seconds{5};

}  // namespace

void ConsumerClient::wake() {
  is_woken_ = true;
  fetcher_.arrivals().wake_all();
}

Task<ClientResult<FetchedRecords>> ConsumerClient::poll(MonotonicTime deadline) {
  if (subscription_ == Subscription::none && !is_closed_) {
    co_return failure(client_error(Failure::bad_argument,
                                   "nothing to poll: subscribe to topics or assign partitions"));
  }
  measure_begin();
  struct Noting {
    ~Noting() {
      client.measure_end();
      client.note_readiness();
    }
    ConsumerClient& client;
  };
  const Noting noting{*this};
  FetchedRecords records;
  // As many as the last time, most likely.
  records.reserve(taken_last_);
  for (;;) {
    if (is_closed_) {
      co_return failure(client_error(Failure::closed, "the consumer is closed"));
    }
    if (std::exchange(is_woken_, false)) {
      co_return failure(client_error(Failure::wakened, "the poll was ended by wake()"));
    }
    if (driver_ && subscription_ != Subscription::partitions) {
      if (driver_->member().polled(now())) driver_->wake();
    }
    commit_if_due();
    co_await tell_changes();
    if (auto error = problem()) co_return failure(std::move(*error));
    const auto taken = fetcher_.take(static_cast<std::size_t>(settings_.max_poll_records), records);
    if (!taken) co_return failure(taken.error());
    polled_ = now();
    if (*taken > 0) {
      taken_last_ = *taken;
      has_given_ = true;
    }
    if (*taken > 0 || now() >= deadline) co_return records;
    // While changes were told nobody waited here who could be woken.
    if (is_closed_ || is_woken_) continue;
    static_cast<void>(co_await fetcher_.arrivals().wait(next_look(deadline)));
  }
}

// A poll that waits is a poll all the time.
MonotonicTime ConsumerClient::next_look(MonotonicTime deadline) const {
  MonotonicTime next = std::min(deadline, now() + settings_.max_poll_interval / 2);
  if (settings_.enable_auto_commit && coordinator_ && commit_due_ > now()) {
    next = std::min(next, commit_due_);
  }
  return next;
}

std::optional<ClientError> ConsumerClient::problem() {
  if (driver_ && subscription_ != Subscription::partitions) {
    if (auto found = driver_->member().take_problem(now())) {
      driver_->wake();
      ClientError error = broker_error(found->code, no_broker, std::move(found->sentence));
      error.fatal = found->is_fatal;
      if (found->code == ErrorCode::fenced_instance_id) error.failure = Failure::fenced;
      if (found->code == ErrorCode::unknown_member_id) error.failure = Failure::not_in_group;
      if (found->code == ErrorCode::unsupported_version) {
        error.failure = Failure::unsupported_version;
      }
      return error;
    }
  }
  for (const auto& [name, partition] : positions_.all()) {
    if (partition.need != PositionNeed::policy) continue;
    if (partition.lost) return *partition.lost;
    return client_error(Failure::bad_argument,
                        formatted("{} has no committed offset, and auto.offset.reset is none: seek",
                                  to_string(name)));
  }
  if (topic_problem_) {
    // It may be allowed by and by.
    metadata_.invalidate();
    return std::exchange(topic_problem_, std::nullopt);
  }
  return std::exchange(position_problem_, std::nullopt);
}

// --- Rebalances. ---

Task<void> ConsumerClient::tell_changes() {
  if (!driver_ || subscription_ == Subscription::partitions) co_return;
  while (const auto change = driver_->member().change()) {
    driver_->member().telling();
    co_await tell(*change);
    driver_->member().told(*change, now());
    driver_->wake();
  }
}

Task<void> ConsumerClient::tell(const MembershipChange& change) {
  const MonotonicTime begun = now();
  const auto measured = [&](Meter& meter) {
    if (listener_ != nullptr) meter.record(milliseconds_of(now() - begun), now());
  };
  switch (change.kind) {
    case MembershipChange::Kind::assigned:
      for (const TopicPartition& name : change.partitions) add_position(name);
      if (listener_ != nullptr) co_await listener_->assigned(change.partitions);
      measured(meters_.tell_assigned);
      note_needs();
      co_return;
    case MembershipChange::Kind::revoked:
      co_await commit_before_revoking(change.partitions);
      if (listener_ != nullptr) co_await listener_->revoked(change.partitions);
      measured(meters_.tell_revoked);
      break;
    case MembershipChange::Kind::lost:
      if (listener_ != nullptr) co_await listener_->lost(change.partitions);
      measured(meters_.tell_lost);
      break;
  }
  coordinator_->release(change.partitions);
  for (const TopicPartition& name : change.partitions) positions_.remove(name);
  fetcher_.pump();
}

Task<void> ConsumerClient::commit_before_revoking(const Partitions& partitions) {
  if (!settings_.enable_auto_commit) co_return;
  CommittedOffsets offsets = consumed();
  std::erase_if(offsets, [&](const auto& entry) {
    return std::ranges::find(partitions, entry.first) == partitions.end();
  });
  co_await commit_in_background(std::move(offsets), no_deadline);
}

// --- Commits. ---

CommittedOffsets ConsumerClient::consumed() const {
  CommittedOffsets offsets;
  for (const Positions::Place& place : positions_.consumed()) {
    offsets[place.partition] = {place.offset, place.epoch, ""};
  }
  return offsets;
}

void ConsumerClient::commit_if_due() {
  if (!settings_.enable_auto_commit || !coordinator_ || is_committing_ || now() < commit_due_) {
    return;
  }
  commit_due_ = now() + settings_.auto_commit_interval;
  has_given_ = false;
  CommittedOffsets offsets = consumed();
  if (!offsets.empty()) tasks_.start(commit_in_background(std::move(offsets), no_deadline));
}

// A commit of its own that fails is followed by another one; meanwhile it is said in the log.
Task<void> ConsumerClient::commit_in_background(CommittedOffsets offsets, MonotonicTime deadline) {
  is_committing_ = true;
  const std::size_t count = offsets.size();
  const Duration patience = std::max(settings_.auto_commit_interval, own_commit_patience_min);
  const auto committed = co_await commit(std::move(offsets), std::min(deadline, now() + patience));
  is_committing_ = false;
  const bool is_lost = !committed && committed.error().failure != Failure::closed &&
                       committed.error().failure != Failure::aborted;
  if (is_lost) {
    // A loop that polls only when it is told to is told of this one, too.
    has_given_ = true;
    commit_due_ = std::max(commit_due_, now() + settings_.common.retry_backoff);
  }
  note_readiness();
  // A poll that waits has looked when the next was due, and found this one under way.
  if (is_commit_due()) fetcher_.arrivals().wake_all();
  // A later one of its own may have taken its place.
  if (is_lost) {
    logger_.warning("group {}: the offsets of {} partitions were not committed: {}",
                    settings_.group_id, count, to_string(committed.error()));
  }
}

Task<ClientResult<void>> ConsumerClient::commit(MonotonicTime deadline) {
  const MonotonicTime begun = now();
  auto committed = co_await commit(consumed(), deadline);
  meters_.committing += now() - begun;
  co_return committed;
}

Task<ClientResult<void>> ConsumerClient::commit(CommittedOffsets offsets, MonotonicTime deadline) {
  if (!coordinator_) {
    co_return failure(client_error(Failure::bad_argument, "to commit, set group.id"));
  }
  if (offsets.empty()) co_return ClientResult<void>();
  const Membership as = membership();
  const bool by_group = subscription_ != Subscription::partitions;
  if (by_group && as.member_id.empty()) {
    co_return failure(
        client_error(Failure::not_in_group,
                     formatted("group {}: this consumer is no member now; nothing was committed",
                               settings_.group_id)));
  }
  const CommittedOffsets told = committed_ ? offsets : CommittedOffsets();
  auto committed = co_await coordinator_->commit(std::move(offsets), as, deadline);
  if (committed && committed_) committed_(told);
  if (!committed && by_group && committed.error().failure == Failure::broker_said) {
    driver_->member().commit_answered(committed.error().code, as.generation, now());
    driver_->wake();
  }
  co_return committed;
}

}  // namespace millrace::client
