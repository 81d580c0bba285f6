#include "millrace/mock/mock_producer.hpp"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "owned_record.hpp"

import millrace.protocol.partitioner;

namespace millrace::inline v1 {

namespace {

using Outcome = Result<Delivery>;

Error closed_error() {
  return Error({.code = ErrorCode::unknown_server_error, .is_fatal = true},
               "the producer is closed");
}

Error fenced_error() {
  return Error({.code = ErrorCode::producer_fenced, .origin = Origin::broker, .is_fatal = true},
               "PRODUCER_FENCED: another producer has taken over");
}

Error late_error(std::size_t waiting) {
  return Error({.code = ErrorCode::request_timed_out,
                .origin = Origin::timeout,
                .is_retriable = true,
                .persisted = Persisted::unknown},
               std::to_string(waiting) + " records are still on their way");
}

// A record and whom to tell of it. Told outside of every lock: who is told may send.
struct Sent {
  OwnedRecord record;
  std::function<void(const Outcome&)> tell;

  void deliver() const {
    tell(Delivery{
        .partition = record.partition, .offset = record.offset, .timestamp = record.timestamp});
  }
};

}  // namespace

class MockProducer::Implementation {
 public:
  explicit Implementation(MockProducerOptions options) : options_(std::move(options)) {}

  Result<void> take(const Record& record, std::function<void(const Outcome&)> tell);
  Result<void> post(const Record& record, std::uint64_t tag);
  void on_delivery(DeliveryHandler handler);
  Result<void> flush(std::chrono::milliseconds time);
  Result<void> close(std::chrono::milliseconds time);
  Result<std::int32_t> partition_count(std::string_view topic) const;

  [[nodiscard]] std::vector<OwnedRecord> history() const;
  void clear_history();
  [[nodiscard]] std::size_t waiting() const;
  [[nodiscard]] std::size_t flush_count() const;
  [[nodiscard]] bool is_closed() const;
  bool complete_next();
  bool fail_next(const Error& error);
  void refuse_next(Error error, std::size_t times);
  void fence();

 private:
  struct Refusal {
    Error error;
    std::size_t times = 0;
  };

  // With the lock held.
  std::optional<Error> refusal();
  [[nodiscard]] std::int32_t count_of(std::string_view topic) const;
  Result<std::int32_t> partition_for(const Record& record);
  std::optional<Sent> next();

  // Without.
  void complete_all();
  void fail_all(const Error& error);

  const MockProducerOptions options_;
  mutable std::mutex mutex_;
  std::shared_ptr<const DeliveryHandler> handler_;
  std::map<TopicPartition, std::int64_t> ends_;
  std::map<std::string, std::uint32_t, std::less<>> turns_;
  std::vector<OwnedRecord> history_;
  std::deque<Sent> waiting_;
  std::deque<Refusal> refusals_;
  std::size_t flush_count_ = 0;
  bool is_closed_ = false;
  bool is_fenced_ = false;
};

std::optional<Error> MockProducer::Implementation::refusal() {
  if (is_closed_) return closed_error();
  if (is_fenced_) return fenced_error();
  if (refusals_.empty()) return std::nullopt;
  Refusal& first = refusals_.front();
  Error error = first.error;
  if (--first.times == 0) refusals_.pop_front();
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
    if (!partition) return partition.error();
    sent.record.partition = *partition;
    sent.record.offset = ends_[{sent.record.topic, *partition}]++;
    history_.push_back(sent.record);
    if (!options_.auto_complete) {
      waiting_.push_back(std::move(sent));
      return {};
    }
  }
  sent.deliver();
  return {};
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

void MockProducer::Implementation::on_delivery(DeliveryHandler handler) {
  const std::lock_guard lock(mutex_);
  handler_ = handler ? std::make_shared<const DeliveryHandler>(std::move(handler)) : nullptr;
}

std::optional<Sent> MockProducer::Implementation::next() {
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
    std::erase(history_, sent->record);
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
    if (is_closed_) return closed_error();
    if (is_fenced_) return fenced_error();
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
    is_fenced_ = true;
  }
  fail_all(fenced_error());
}

MockProducer::MockProducer(MockProducerOptions options)
    : implementation_(std::make_unique<Implementation>(std::move(options))) {}

MockProducer::MockProducer(MockProducer&&) noexcept = default;

MockProducer& MockProducer::operator=(MockProducer&& other) noexcept {
  std::swap(implementation_, other.implementation_);
  return *this;
}

MockProducer::~MockProducer() {
  if (implementation_) static_cast<void>(implementation_->close(Producer::closing_time_max));
}

Future<Outcome> MockProducer::send(const Record& record, WhenFull) {
  const auto promise = std::make_shared<detail::Promise<Outcome>>();
  Future<Outcome> future = promise->future();
  if (auto taken = implementation_->take(
          record, [promise](const Outcome& outcome) { promise->set(outcome); });
      !taken)
    promise->set(std::move(taken).error());
  return future;
}

Result<void> MockProducer::post(const Record& record, std::uint64_t tag, WhenFull) {
  return implementation_->post(record, tag);
}

void MockProducer::on_delivery(DeliveryHandler handler) {
  implementation_->on_delivery(std::move(handler));
}

Result<void> MockProducer::flush(std::chrono::milliseconds time) {
  return implementation_->flush(time);
}

Result<void> MockProducer::close(std::chrono::milliseconds time) {
  return implementation_->close(time);
}

Result<std::int32_t> MockProducer::partition_count(std::string_view topic,
                                                   std::chrono::milliseconds) {
  return implementation_->partition_count(topic);
}

std::vector<OwnedRecord> MockProducer::history() const {
  return implementation_->history();
}

void MockProducer::clear_history() {
  implementation_->clear_history();
}

std::size_t MockProducer::waiting() const {
  return implementation_->waiting();
}

std::size_t MockProducer::flush_count() const {
  return implementation_->flush_count();
}

bool MockProducer::is_closed() const {
  return implementation_->is_closed();
}

bool MockProducer::complete_next() {
  return implementation_->complete_next();
}

bool MockProducer::fail_next(Error error) {
  return implementation_->fail_next(error);
}

void MockProducer::refuse_next(Error error, std::size_t times) {
  implementation_->refuse_next(std::move(error), times);
}

void MockProducer::fence() {
  implementation_->fence();
}

}  // namespace millrace::inline v1
