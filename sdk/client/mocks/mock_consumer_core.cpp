#include "mock_consumer_core.hpp"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace millrace::inline v1 {

namespace {

using Partitions = std::vector<TopicPartition>;

Error misuse(std::string sentence) {
  return Error({.code = ErrorCode::invalid_request, .origin = Origin::configuration},
               std::move(sentence));
}

std::string name_of(const TopicPartition& partition) {
  return partition.topic + "-" + std::to_string(partition.partition);
}

}  // namespace

std::size_t MockConsumer::Implementation::Log::index_of(std::int64_t offset) const {
  const auto found = std::ranges::lower_bound(records, offset, {}, &OwnedRecord::offset);
  return static_cast<std::size_t>(found - records.begin());
}

FoundOffset MockConsumer::Implementation::Log::find(Timestamp time) const {
  const auto found = std::ranges::find_if(
      records, [time](const OwnedRecord& record) { return record.timestamp >= time; });
  if (found == records.end()) return {};
  return {.offset = found->offset, .timestamp = found->timestamp};
}

// --- With the lock held. ---

std::optional<Error> MockConsumer::Implementation::refusal() const {
  if (!is_closed_) return std::nullopt;
  return Error({.code = ErrorCode::unknown_server_error, .is_fatal = true},
               "the consumer is closed");
}

std::optional<Error> MockConsumer::Implementation::not_assigned(
    const TopicPartition& partition) const {
  if (auto refused = refusal()) return refused;
  if (positions_.contains(partition)) return std::nullopt;
  return misuse(name_of(partition) + " is not assigned");
}

const MockConsumer::Implementation::Log& MockConsumer::Implementation::log_of(
    const TopicPartition& partition) const {
  static const Log empty;
  const auto found = logs_.find(partition);
  return found == logs_.end() ? empty : found->second;
}

Result<std::int64_t> MockConsumer::Implementation::find_position(const TopicPartition& partition) {
  std::optional<std::int64_t>& position = positions_.at(partition);
  const Log& log = log_of(partition);
  const auto committed = committed_.find(partition);
  if (!position && committed != committed_.end()) position = committed->second;
  const bool is_lost = position && (*position < log.begin || *position > log.end);
  if (position && !is_lost) return *position;
  switch (options_.offset_reset) {
    case OffsetReset::earliest:
      position = log.begin;
      return *position;
    case OffsetReset::latest:
      position = log.end;
      return *position;
    case OffsetReset::none:
      break;
  }
  if (is_lost)
    return Error({.code = ErrorCode::offset_out_of_range, .origin = Origin::broker},
                 name_of(partition) + " has no offset " + std::to_string(*position) +
                     ", and auto.offset.reset is none: seek");
  return misuse(name_of(partition) +
                " has no committed offset, and auto.offset.reset is none: seek");
}

std::optional<Error> MockConsumer::Implementation::find_positions() {
  for (const auto& [partition, position] : positions_)
    if (const auto found = find_position(partition); !found) return found.error();
  return std::nullopt;
}

std::vector<OwnedRecord> MockConsumer::Implementation::take() {
  std::vector<OwnedRecord> taken;
  for (auto& [partition, position] : positions_) {
    if (paused_.contains(partition)) continue;
    const Log& log = log_of(partition);
    for (std::size_t index = log.index_of(*position); index < log.records.size(); ++index) {
      if (taken.size() == options_.max_poll_records) return taken;
      taken.push_back(log.records[index]);
      position = taken.back().offset + 1;
    }
  }
  return taken;
}

Result<void> MockConsumer::Implementation::commit_now(const Offsets* offsets) {
  if (auto refused = refusal()) return *std::move(refused);
  if (!commit_errors_.empty()) {
    Error error = std::move(commit_errors_.front());
    commit_errors_.pop_front();
    return error;
  }
  Offsets made;
  if (offsets != nullptr) {
    made = *offsets;
  } else {
    for (const auto& [partition, position] : positions_)
      if (position) made[partition] = *position;
  }
  for (const auto& [partition, offset] : made) committed_[partition] = offset;
  commits_.push_back(std::move(made));
  return {};
}

void MockConsumer::Implementation::drop(const TopicPartition& partition) {
  positions_.erase(partition);
  paused_.erase(partition);
}

// --- Rebalances. ---

void MockConsumer::Implementation::tell(Lock& lock, const RebalanceHandler& handler,
                                        const Partitions& partitions) {
  if (!handler || partitions.empty()) return;
  const RebalanceHandler called = handler;
  lock.unlock();
  called(partitions);
  lock.lock();
}

void MockConsumer::Implementation::revoke_all(Lock& lock) {
  Partitions had;
  for (const auto& [partition, position] : positions_) had.push_back(partition);
  if (is_in_group()) tell(lock, on_revoked, had);
  positions_.clear();
  paused_.clear();
}

void MockConsumer::Implementation::tell_changes(Lock& lock) {
  while (is_in_group() && !planned_.empty()) {
    const std::optional<Partitions> planned = std::move(planned_.front());
    planned_.pop_front();
    if (planned) ++generation_;
    is_out_ = !planned;
    Partitions gone;
    for (const auto& [partition, position] : positions_)
      if (!planned || std::ranges::find(*planned, partition) == planned->end())
        gone.push_back(partition);
    if (planned) {
      tell(lock, on_revoked, gone);
      for (const TopicPartition& partition : gone) drop(partition);
    } else {
      for (const TopicPartition& partition : gone) drop(partition);
      tell(lock, on_lost, gone);
      continue;
    }
    Partitions added;
    for (const TopicPartition& partition : *planned)
      if (positions_.try_emplace(partition).second) added.push_back(partition);
    tell(lock, on_assigned, added);
  }
}

// --- Polls. ---

std::optional<Result<Records>> MockConsumer::Implementation::look(Lock& lock) {
  if (auto refused = refusal()) return *std::move(refused);
  if (kind_ == Kind::nothing)
    return misuse("nothing to poll: subscribe to topics or assign partitions");
  if (std::exchange(is_woken_, false))
    return Error({.code = ErrorCode::unknown_server_error, .is_retriable = true},
                 "the poll was ended by wake()");
  if (!poll_errors_.empty()) {
    Error error = std::move(poll_errors_.front());
    poll_errors_.pop_front();
    return error;
  }
  tell_changes(lock);
  if (auto refused = refusal()) return *std::move(refused);
  if (auto error = find_positions()) return *std::move(error);
  std::vector<OwnedRecord> taken = take();
  if (taken.empty()) return std::nullopt;
  return Records::of(std::move(taken));
}

Result<Records> MockConsumer::Implementation::poll(std::chrono::milliseconds time) {
  Lock lock(mutex_);
  if (std::exchange(is_polling_, true))
    return misuse("another poll() or next() of this consumer is under way");
  if (!at_polls_.empty()) {
    const std::function<void()> called = std::move(at_polls_.front());
    at_polls_.pop_front();
    lock.unlock();
    called();
    lock.lock();
  }
  if (options_.auto_commit && !is_closed_ && kind_ != Kind::nothing) {
    if (auto committed = commit_now(nullptr); !committed) {
      is_polling_ = false;
      return std::move(committed).error();
    }
  }
  const auto deadline = std::chrono::steady_clock::now() +
                        std::clamp<std::chrono::milliseconds>(
                            time, std::chrono::milliseconds::zero(), std::chrono::hours(24));
  std::optional<Result<Records>> found = look(lock);
  for (bool is_over = !options_.waits; !found && !is_over; found = look(lock))
    is_over = changed_.wait_until(lock, deadline) == std::cv_status::timeout;
  is_polling_ = false;
  if (!found) return Records();
  return *std::move(found);
}

Future<Result<Records>> MockConsumer::Implementation::next() {
  detail::Promise<Result<Records>> promise;
  Future<Result<Records>> future = promise.future();
  {
    Lock lock(mutex_);
    if (std::exchange(is_polling_, true)) {
      lock.unlock();
      promise.set(misuse("another poll() or next() of this consumer is under way"));
      return future;
    }
    waiting_ = std::move(promise);
  }
  changed();
  return future;
}

// Whoever changes something looks on behalf of the one who waits: one at a time, and again while
// something has changed meanwhile.
void MockConsumer::Implementation::changed() {
  Lock lock(mutex_);
  changed_.notify_all();
  has_news_ = true;
  if (!waiting_ || is_looking_) return;
  is_looking_ = true;
  std::optional<Result<Records>> found;
  while (!found && std::exchange(has_news_, false)) found = look(lock);
  is_looking_ = false;
  if (!found) return;
  detail::Promise<Result<Records>> promise = *std::exchange(waiting_, std::nullopt);
  is_polling_ = false;
  lock.unlock();
  promise.set(*std::move(found));
}

Result<void> MockConsumer::Implementation::wake() {
  {
    const Lock lock(mutex_);
    if (auto refused = refusal()) return *std::move(refused);
    is_woken_ = true;
  }
  changed();
  return {};
}

Result<void> MockConsumer::Implementation::unsubscribe() {
  Lock lock(mutex_);
  if (auto refused = refusal()) return *std::move(refused);
  revoke_all(lock);
  kind_ = Kind::nothing;
  is_out_ = false;
  names_.clear();
  planned_.clear();
  return {};
}

Result<void> MockConsumer::Implementation::close() {
  Result<void> closed;
  {
    Lock lock(mutex_);
    if (is_closed_) return {};
    if (options_.auto_commit && kind_ != Kind::nothing) closed = commit_now(nullptr);
    revoke_all(lock);
    is_closed_ = true;
  }
  changed();
  return closed;
}

}  // namespace millrace::inline v1
