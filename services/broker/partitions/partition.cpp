module;
#include <algorithm>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

module millrace.broker.partitions;

import millrace.metadata;
import millrace.storage.manager;
import :partition;

namespace millrace::broker {

ShardIndex shard_of(std::string_view topic, PartitionIndex partition, std::uint32_t shard_count) {
  if (shard_count == 1) return ShardIndex(0);
  // Partitions of one topic lie on the shards in turn, beginning anywhere.
  const std::size_t first = std::hash<std::string_view>{}(topic);
  return ShardIndex(static_cast<std::uint32_t>(
      (first + static_cast<std::uint32_t>(partition.value())) % shard_count));
}

// --- Failures ---

PartitionError partition_error(const storage::StorageError& error) {
  return {ErrorCode::kafka_storage_error, error.message};
}

PartitionError partition_error(const storage::ReadError& error) {
  if (error.fault == storage::ReadFault::out_of_range) return {ErrorCode::offset_out_of_range, {}};
  return partition_error(error.storage);
}

namespace {

[[nodiscard]] ErrorCode code_of(storage::ProducerVerdict verdict) {
  using enum storage::ProducerVerdict;
  switch (verdict) {
    case out_of_order_sequence_number:
      return ErrorCode::out_of_order_sequence_number;
    case invalid_producer_epoch:
      return ErrorCode::invalid_producer_epoch;
    case transaction_coordinator_fenced:
      return ErrorCode::transaction_coordinator_fenced;
    case invalid_transaction_state:
      return ErrorCode::invalid_txn_state;
    // Clients send it again later, when others may have been forgotten.
    case too_many_producers:
      return ErrorCode::kafka_storage_error;
    case accepted:
    case duplicate:
      break;
  }
  return ErrorCode::unknown_server_error;
}

}  // namespace

PartitionError partition_error(const storage::AppendError& error) {
  using enum storage::AppendFault;
  switch (error.fault) {
    case storage:
      return {ErrorCode::kafka_storage_error, error.message};
    case producer:
      return {code_of(error.verdict), error.message};
    case larger_than_segment:
      return {ErrorCode::record_list_too_large, error.message};
    case not_a_batch:
    case offsets_go_back:
      return {ErrorCode::corrupt_message, error.message};
    case old_epoch:
    case closed:
      return {ErrorCode::not_leader_or_follower, error.message};
  }
  return {};
}

// --- Waiting ---

void PartitionWaiter::cancel() {
  if (next_ == nullptr) return;
  previous_->next_ = next_;
  next_->previous_ = previous_;
  previous_ = next_ = nullptr;
}

PartitionWaiters::PartitionWaiters() : ring_([](PartitionWaiter&) {}) {
  ring_.previous_ = ring_.next_ = &ring_;
}

void PartitionWaiters::add(PartitionWaiter& waiter) {
  check(!waiter.waiting(), "a waiter waits for one partition at a time");
  waiter.next_ = &ring_;
  waiter.previous_ = ring_.previous_;
  ring_.previous_->next_ = &waiter;
  ring_.previous_ = &waiter;
}

void PartitionWaiters::call_all() {
  if (empty()) return;
  // They move to a ring of their own: each may still be cancelled by one that is called before it.
  PartitionWaiters called;
  called.ring_.next_ = ring_.next_;
  called.ring_.previous_ = ring_.previous_;
  called.ring_.next_->previous_ = &called.ring_;
  called.ring_.previous_->next_ = &called.ring_;
  ring_.previous_ = ring_.next_ = &ring_;
  while (!called.empty()) {
    PartitionWaiter& waiter = *called.ring_.next_;
    waiter.cancel();
    waiter.function_(waiter);
  }
}

namespace {

// Resumes at the next change of a partition: true; or at the deadline: false.
class NextChange : private Callback, private PartitionWaiter, private Timer {
 public:
  NextChange(Executor& executor, Partition& partition, MonotonicTime deadline)
      : Callback([](Callback& self) { static_cast<NextChange&>(self).awaiting_.resume(); }),
        PartitionWaiter([](PartitionWaiter& self) { static_cast<NextChange&>(self).on_change(); }),
        Timer([](Timer& self) { static_cast<NextChange&>(self).on_deadline(); }),
        executor_(executor),
        partition_(partition),
        deadline_(deadline) {}

  [[nodiscard]] bool await_ready() const { return executor_.clock().now() >= deadline_; }
  void await_suspend(std::coroutine_handle<> awaiting) {
    awaiting_ = awaiting;
    partition_.wait_for_change(*this);
    executor_.arm(*this, deadline_);
  }
  [[nodiscard]] bool await_resume() const { return changed_; }

 private:
  void on_change() {
    changed_ = true;
    executor_.cancel(*this);
    executor_.post(*this);
  }
  void on_deadline() {
    PartitionWaiter::cancel();
    awaiting_.resume();
  }

  Executor& executor_;
  Partition& partition_;
  MonotonicTime deadline_;
  std::coroutine_handle<> awaiting_;
  bool changed_ = false;
};

}  // namespace

void Partition::wait_for_change(PartitionWaiter& waiter) {
  waiters_.add(waiter);
}

void Partition::changed() {
  waiters_.call_all();
}

Task<ErrorCode> Partition::wait_for_high_watermark(Offset offset, MonotonicTime deadline) {
  const auto kept = shared_from_this();
  const LeaderEpoch epoch = leader_epoch_;
  while (high_watermark() < offset) {
    if (!leading_ || leader_epoch_ != epoch) co_return ErrorCode::not_leader_or_follower;
    const bool has_changed = co_await NextChange(context_.executor, *this, deadline);
    if (!has_changed && high_watermark() < offset) co_return ErrorCode::request_timed_out;
  }
  co_return ErrorCode::none;
}

// --- Where it stands ---

Partition::Partition(const PartitionContext& context, std::string topic, Uuid topic_id,
                     PartitionIndex index, std::shared_ptr<storage::Log> log,
                     std::shared_ptr<const TopicSettings> settings)
    : context_(context),
      topic_(std::move(topic)),
      topic_id_(topic_id),
      index_(index),
      log_(std::move(log)),
      settings_(std::move(settings)) {}

std::uint32_t Partition::insync_needed() const {
  return std::min(settings_->insync_replicas_min, std::max<std::uint32_t>(replica_count_, 1));
}

ErrorCode Partition::check_leader(LeaderEpoch current) const {
  if (ended_) return ErrorCode::not_leader_or_follower;
  if (log_->offline()) return ErrorCode::kafka_storage_error;
  if (current != no_leader_epoch) {
    if (current < leader_epoch_) return ErrorCode::fenced_leader_epoch;
    if (current > leader_epoch_) return ErrorCode::unknown_leader_epoch;
  }
  return leading_ ? ErrorCode::none : ErrorCode::not_leader_or_follower;
}

LeaderEpoch Partition::epoch_at(Offset offset) const {
  if (offset >= log_->end()) return leader_epoch_;
  return log_->epochs().epoch_for_offset(offset).value_or(no_leader_epoch);
}

// A leader's epoch begins with its leadership, and is in the log from its first record on.
storage::LeaderEpochCache::EpochEnd Partition::end_of_epoch(LeaderEpoch epoch) const {
  if (epoch < LeaderEpoch(0) || epoch > leader_epoch_) return {};
  const Offset end = log_->end();
  if (epoch == leader_epoch_) return {epoch, end};
  const auto latest = log_->epochs().latest();
  if (!latest) return {epoch, end};
  if (epoch > latest->epoch) return {latest->epoch, end};
  return log_->epochs().end_offset_for(epoch, end);
}

bool Partition::advance_high_watermark() {
  if (!leading_ || !alone_in_sync_ || !has_enough_replicas()) return false;
  Offset reached = log_->end();
  // With flush.messages nobody reads what a crash may still take away.
  if (const auto records = log_->config().flush_records) {
    const std::int64_t unflushed = reached.since(log_->flushed_end());
    if (static_cast<std::uint64_t>(unflushed) >= *records) {
      reached = log_->flushed_end().plus(static_cast<std::int64_t>(*records) - 1);
    }
  }
  if (reached <= log_->high_watermark()) return false;
  log_->set_high_watermark(reached);
  return true;
}

void Partition::appended() {
  if (advance_high_watermark()) changed();
}

// --- Following the metadata ---

bool Partition::follow(const metadata::Partition& partition, BrokerId self) {
  if (ended_) return false;
  const bool led = leading_;
  const LeaderEpoch epoch = leader_epoch_;
  leading_ = partition.leader == self;
  leader_epoch_ = partition.leader_epoch;
  insync_count_ = static_cast<std::uint32_t>(partition.isr.size());
  replica_count_ = static_cast<std::uint32_t>(partition.replicas.size());
  alone_in_sync_ = insync_count_ == 1 && partition.isr.front() == self;
  const bool moved = advance_high_watermark();
  const bool other_leader = led != leading_ || epoch != leader_epoch_;
  if (moved || other_leader) changed();
  return leading_ && other_leader;
}

void Partition::set_settings(std::shared_ptr<const TopicSettings> settings) {
  settings_ = std::move(settings);
  appended();
}

void Partition::end() {
  ended_ = true;
  leading_ = false;
  changed();
}

}  // namespace millrace::broker
