// Records of a MockProducer and their outcomes.
#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "mock_producer_core.hpp"
#include "owned_record.hpp"

import millrace.protocol.partitioner;

namespace millrace::inline v1 {

namespace {

Error closed_error() {
  return Error({.code = ErrorCode::unknown_server_error, .is_fatal = true},
               "the producer is closed");
}

Error fenced_error() {
  return Error({.code = ErrorCode::producer_fenced, .origin = Origin::broker, .is_fatal = true},
               "PRODUCER_FENCED: another producer has taken over");
}

Error full_error() {
  return Error({.code = ErrorCode::request_timed_out, .is_retriable = true},
               "REQUEST_TIMED_OUT: no room for a record: the buffer is full");
}

Error late_error(std::size_t waiting) {
  return Error({.code = ErrorCode::request_timed_out,
                .origin = Origin::timeout,
                .is_retriable = true,
                .persisted = Persisted::unknown},
               std::to_string(waiting) + " records are still on their way");
}

Error aborted_error() {
  return Error({.code = ErrorCode::transaction_abortable}, "its transaction was aborted");
}

}  // namespace

// It passes by itself.
Error MockProducer::Implementation::ending_error() {
  return Error(
      {.code = ErrorCode::invalid_request, .origin = Origin::configuration, .is_retriable = true},
      "the transaction is being committed");
}

std::optional<Error> MockProducer::Implementation::end() const {
  if (is_closed_) return closed_error();
  return broken_;
}

std::optional<Error> MockProducer::Implementation::refusal() {
  if (auto ended = end()) return ended;
  if (options_.is_transactional) {
    if (must_abort_) return must_abort_;
    if (phase_ == Phase::ending) return ending_error();
    if (phase_ != Phase::open) {
      return Error({.code = ErrorCode::invalid_request, .origin = Origin::configuration},
                   "no transaction is open: records are sent between begin() and commit()");
    }
  }
  if (is_full_) {
    Error full = full_error();
    lost(full);
    return full;
  }
  if (refusals_.empty()) return std::nullopt;
  Refusal& first = refusals_.front();
  Error error = first.error;
  if (--first.times == 0) refusals_.pop_front();
  lost(error);
  return error;
}

std::int32_t MockProducer::Implementation::count_of(std::string_view topic) const {
  const auto found = options_.partitions.find(std::string(topic));
  return found == options_.partitions.end() ? 1 : std::max(found->second, 1);
}

Result<std::int32_t> MockProducer::Implementation::partition_for(const Record& record) {
  const std::int32_t count = count_of(record.topic);
  if (record.partition) {
    if (*record.partition >= 0 && *record.partition < count) return *record.partition;
    return Error({.code = ErrorCode::invalid_request, .origin = Origin::configuration},
                 "topic " + std::string(record.topic) + " has no partition " +
                     std::to_string(*record.partition) + ": it has " + std::to_string(count));
  }
  if (!record.key.is_null())
    return protocol::key_partition(protocol::Partitioner::murmur2, record.key.bytes(), count)
        .value();
  const std::uint32_t turn = turns_[std::string(record.topic)]++;
  return static_cast<std::int32_t>(turn % static_cast<std::uint32_t>(count));
}

Result<void> MockProducer::Implementation::take(const Record& record,
                                                std::function<void(const Outcome&)> tell) {
  Sent sent{.record = detail::owned_record(record), .tell = std::move(tell)};
  {
    const std::lock_guard lock(mutex_);
    if (auto refused = refusal()) return *std::move(refused);
    const Result<std::int32_t> partition = partition_for(record);
    if (!partition) {
      lost(partition.error());
      return partition.error();
    }
    sent.record.partition = *partition;
    sent.record.offset = ends_[{sent.record.topic, *partition}]++;
    taken().push_back(sent.record);
    if (!options_.auto_complete) {
      waiting_.push_back(std::move(sent));
      return {};
    }
  }
  sent.deliver();
  return {};
}

Future<Result<Delivery>> MockProducer::Implementation::send(const Record& record, WhenFull) {
  const auto promise = std::make_shared<detail::Promise<Outcome>>();
  Future<Outcome> future = promise->future();
  if (auto taken = take(record, [promise](const Outcome& outcome) { promise->set(outcome); });
      !taken)
    promise->set(std::move(taken).error());
  return future;
}

Result<void> MockProducer::Implementation::post(const Record& record, std::uint64_t tag) {
  return take(record, [this, tag](const Outcome& outcome) {
    std::shared_ptr<const DeliveryHandler> handler;
    {
      const std::lock_guard lock(mutex_);
      handler = handler_;
    }
    if (handler) (*handler)(tag, outcome);
  });
}

Future<Result<void>> MockProducer::Implementation::when_room() {
  detail::Promise<Result<void>> promise;
  Future<Result<void>> future = promise.future();
  {
    const std::lock_guard lock(mutex_);
    const auto ended = end();
    if (!ended && is_full_ && rooms_.size() < Producer::room_waiting_max) {
      rooms_.push_back(std::move(promise));
      return future;
    }
    promise.set(ended      ? Result<void>(*ended)
                : is_full_ ? Result<void>(full_error())
                           : Result<void>());
  }
  return future;
}

void MockProducer::Implementation::tell_room(const Result<void>& outcome) {
  std::vector<detail::Promise<Result<void>>> waiting;
  {
    const std::lock_guard lock(mutex_);
    waiting.swap(rooms_);
  }
  for (detail::Promise<Result<void>>& one : waiting) one.set(outcome);
}

void MockProducer::Implementation::set_full(bool is_full) {
  {
    const std::lock_guard lock(mutex_);
    is_full_ = is_full;
  }
  if (!is_full) tell_room({});
}

void MockProducer::Implementation::on_delivery(DeliveryHandler handler) {
  const std::lock_guard lock(mutex_);
  handler_ = handler ? std::make_shared<const DeliveryHandler>(std::move(handler)) : nullptr;
}

std::optional<MockProducer::Implementation::Sent> MockProducer::Implementation::next() {
  const std::lock_guard lock(mutex_);
  if (waiting_.empty()) return std::nullopt;
  Sent sent = std::move(waiting_.front());
  waiting_.pop_front();
  return sent;
}

bool MockProducer::Implementation::complete_next() {
  const auto sent = next();
  if (sent) sent->deliver();
  return sent.has_value();
}

bool MockProducer::Implementation::fail_next(const Error& error) {
  const auto sent = next();
  if (!sent) return false;
  {
    const std::lock_guard lock(mutex_);
    std::erase(taken(), sent->record);
    lost(error);
  }
  sent->tell(error);
  return true;
}

// Those that wait now: who is told may send more.
void MockProducer::Implementation::complete_all() {
  for (std::size_t left = waiting(); left > 0 && complete_next();) --left;
}

void MockProducer::Implementation::fail_all(const Error& error) {
  while (fail_next(error)) {
  }
}

Result<void> MockProducer::Implementation::flush(std::chrono::milliseconds time) {
  {
    const std::lock_guard lock(mutex_);
    if (auto ended = end()) return *std::move(ended);
    ++flush_count_;
    if (time <= std::chrono::milliseconds::zero() && !waiting_.empty())
      return late_error(waiting_.size());
  }
  complete_all();
  return {};
}

Result<void> MockProducer::Implementation::close(std::chrono::milliseconds time) {
  std::size_t left = 0;
  {
    const std::lock_guard lock(mutex_);
    if (std::exchange(is_closed_, true)) return {};
    left = waiting_.size();
    if (has_transaction()) ++abort_count_;
  }
  tell_room(closed_error());
  if (options_.is_transactional) {
    fail_all(aborted_error());
    const std::lock_guard lock(mutex_);
    drop_transaction();
    return {};
  }
  if (time > std::chrono::milliseconds::zero() || left == 0) {
    complete_all();
    return {};
  }
  fail_all(closed_error());
  return Error({.code = ErrorCode::request_timed_out,
                .origin = Origin::timeout,
                .persisted = Persisted::unknown},
               std::to_string(left) + " records could not be sent before the producer was closed");
}

Result<std::int32_t> MockProducer::Implementation::partition_count(std::string_view topic) const {
  const std::lock_guard lock(mutex_);
  if (is_closed_) return closed_error();
  return count_of(topic);
}

std::vector<OwnedRecord> MockProducer::Implementation::history() const {
  const std::lock_guard lock(mutex_);
  return history_;
}

void MockProducer::Implementation::clear_history() {
  const std::lock_guard lock(mutex_);
  history_.clear();
  committed_offsets_.clear();
}

std::size_t MockProducer::Implementation::waiting() const {
  const std::lock_guard lock(mutex_);
  return waiting_.size();
}

std::size_t MockProducer::Implementation::flush_count() const {
  const std::lock_guard lock(mutex_);
  return flush_count_;
}

bool MockProducer::Implementation::is_closed() const {
  const std::lock_guard lock(mutex_);
  return is_closed_;
}

void MockProducer::Implementation::refuse_next(Error error, std::size_t times) {
  const std::lock_guard lock(mutex_);
  if (times > 0) refusals_.push_back({std::move(error), times});
}

void MockProducer::Implementation::fence() {
  {
    const std::lock_guard lock(mutex_);
    broken_ = fenced_error();
  }
  tell_room(fenced_error());
  fail_all(fenced_error());
}

}  // namespace millrace::inline v1
