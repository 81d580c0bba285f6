// Whether a poll would have to wait: for loops of the application that wait for something else.
module;
#include <algorithm>
#include <chrono>
#include <coroutine>
#include <functional>
#include <utility>

module millrace.client.consumer;

import millrace.base;
import millrace.client.consumer.groups;
import millrace.client.core;
import millrace.runtime;
import millrace.runtime.streams;

namespace millrace::client {

void ConsumerClient::on_readiness(Readiness told) {
  const bool is_first = !readiness_;
  readiness_ = std::move(told);
  if (is_first && !is_closed_) tasks_.start(tell_readiness());
  note_readiness();
}

void ConsumerClient::note_readiness() {
  if (readiness_) readiness_(is_ready());
}

Task<void> ConsumerClient::tell_readiness() {
  while (!is_closed_) {
    static_cast<void>(co_await fetcher_.arrivals().wait(next_sign_of_life()));
    note_readiness();
  }
}

// Polls come as often as if one waited all the time.
MonotonicTime ConsumerClient::next_sign_of_life() const {
  if (!driver_) return no_deadline;
  // What is due already was told, and is due again this long after it is done.
  const auto from_now = [this](MonotonicTime due, Duration interval) {
    return due > now() ? due : now() + interval;
  };
  const Duration patience = settings_.max_poll_interval / 2;
  const MonotonicTime next = from_now(polled_ + patience, patience);
  if (!settings_.enable_auto_commit) return next;
  const Duration least = std::chrono::milliseconds{1};
  return std::min(next, from_now(commit_due_, std::max(settings_.auto_commit_interval, least)));
}

bool ConsumerClient::is_commit_due() const {
  return settings_.enable_auto_commit && coordinator_ && has_given_ && !is_committing_ &&
         now() >= commit_due_;
}

bool ConsumerClient::is_ready() const {
  if (is_closed_ || is_woken_ || position_problem_ || topic_problem_ || is_commit_due()) {
    return true;
  }
  if (fetcher_.has_something()) return true;
  if (driver_ && subscription_ != Subscription::none && subscription_ != Subscription::partitions) {
    const GroupMember& member = driver_->member();
    if (member.has_problem() || member.change() ||
        now() >= polled_ + settings_.max_poll_interval / 2) {
      return true;
    }
  }
  return positions_.any_needs(PositionNeed::policy);
}

}  // namespace millrace::client
