module;
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

module millrace.client.producer;

import millrace.base;
import millrace.client.core;
import millrace.runtime;

namespace millrace::client {

namespace {

bool has_outcome(const Batch& batch) {
  return batch.state == BatchState::succeeded || batch.state == BatchState::failed;
}

}  // namespace

// "orders-3: NOT_ENOUGH_REPLICAS after 3 tries in 30.0 s; not persisted; broker 2: ..."
ClientError Sender::describe(const Partition& partition, const Batch& batch,
                             ClientError error) const {
  if (batch.may_be_persisted) error.persistence = Persistence::unknown;
  const double seconds =
      std::chrono::duration<double>(executor_.clock().now() - batch.created()).count();
  const std::string_view what = error.failure == Failure::broker_said
                                    ? protocol::name_of(error.code)
                                    : name_of(error.failure);
  std::string message =
      formatted("{}-{}: {} after {} {} in {:.1f} s; {}", partition.topic.name(),
                partition.index.value(), what, batch.attempts,
                batch.attempts == 1 ? "try" : "tries", seconds, name_of(error.persistence));
  if (batch.last_broker != no_broker) {
    error.broker = batch.last_broker;
    message += formatted("; broker {}", batch.last_broker.value());
    message += error.message.empty() ? "" : ": ";
  } else if (!error.message.empty()) {
    message += "; ";
  }
  error.message = message + error.message;
  return error;
}

void Sender::retry(Partition& partition, Batch& batch, const ClientError& why) {
  if (batch.is_reported) {
    give_back(&batch);
    return;
  }
  if (why.persistence != Persistence::not_persisted) batch.may_be_persisted = true;
  if (batch.attempts > settings_.retries || is_stopped_) {
    fail(partition, batch, why);
    return;
  }
  accumulator_.hindered(
      formatted("{}-{}: {}", partition.topic.name(), partition.index.value(), to_string(why)));
  ++counters_.batches_retried;
  meters_.retried(partition.topic.name(), batch.record_count(), executor_.clock().now());
  batch.state = BatchState::waiting;
  batch.error = std::make_unique<ClientError>(why);
  batch.not_before =
      executor_.clock().now() + backoff_after(static_cast<std::uint32_t>(batch.attempts),
                                              settings_.common.retry_range(), random_);
}

void Sender::fail(Partition& partition, Batch& batch, const ClientError& why) {
  if (batch.is_reported) {
    give_back(&batch);
    return;
  }
  batch.error = std::make_unique<ClientError>(describe(partition, batch, why));
  batch.state = BatchState::failed;
  if (transactor_ != nullptr) return transactor_->lost(*batch.error, batch.has_sequence);
  if (!batch.has_sequence || batch.error->persistence == Persistence::unknown) return;
  // Its numbers are missing now. Others that have numbers keep them: one before it may be there
  // already, and to one behind it the broker will say that something is missing.
  for (const Batch* other = partition.batches.first(); other != nullptr; other = other->next) {
    if (other->has_sequence && !has_outcome(*other)) return;
  }
  partition.must_renumber = true;
}

void Sender::split(Partition& partition, Batch& batch) {
  // Batches of this topic grow no more to what its brokers refuse.
  std::atomic<std::size_t>& most = partition.topic.batch_bytes_most;
  most = std::min(most.load(), std::max(settings_.batch_size, batch.plain_bytes() / 2));
  if (batch.is_reported) {
    give_back(&batch);
    return;
  }
  if (batch.may_be_persisted && is_idempotent()) {
    // The broker would not recognise the parts of what it may have as a whole.
    fail(partition, batch,
         broker_error(ErrorCode::message_too_large, batch.last_broker,
                      "an earlier try of this batch may have been taken"));
    return;
  }
  ++counters_.batches_split;
  meters_.splits.record(1, executor_.clock().now());
  // Its place in the list is kept while its memory goes to the parts.
  Batch* const next = batch.next;
  BatchList before;
  while (partition.batches.first() != &batch) before.push(partition.batches.pop());
  static_cast<void>(partition.batches.pop());
  check(partition.batches.first() == next, "the batches behind a split stay");
  BatchList parts = sealer_.split(&batch, accumulator_.pool);
  before.append(parts);
  before.append(partition.batches);
  partition.batches = before;
}

bool Sender::is_head(const Partition& partition, const Batch& batch) {
  const Batch* at = partition.batches.first();
  while (at != &batch && has_outcome(*at)) at = at->next;
  return at == &batch;
}

void Sender::gap(Partition& partition, Batch& batch, const ClientError& why) {
  if (!batch.is_reported && !partition.must_renumber && is_head(partition, batch) &&
      partition.sequences.is_current(batch.assigned)) {
    partition.must_renumber = true;
    // The broker lacks what was before it, so it did not take this one in an earlier try either.
    batch.may_be_persisted = false;
  }
  retry(partition, batch, why);
}

void Sender::renumber(Partition& partition) {
  partition.must_renumber = false;
  ++counters_.epochs_begun;
  partition.sequences.bump();
  // Epochs of this id are used up.
  if (partition.sequences.needs_id()) producer_id_ = no_producer_id;
  for (Batch* batch = partition.batches.first(); batch != nullptr; batch = batch->next) {
    batch->has_sequence = false;
  }
}

std::string Sender::cause_of_delay(const Partition& partition) const {
  const auto leader = metadata_.known_leader(partition.topic.name(), partition.index);
  if (!leader) return "; the partition has no leader";
  if (transactor_ == nullptr && is_idempotent() && producer_id_ == no_producer_id)
    return "; no producer id: " + id_error_;
  const auto node = nodes_.find(leader->broker);
  if (node == nodes_.end() || node->second.last_error.empty()) return "";
  return "; " + node->second.last_error;
}

void Sender::expire(Partition& partition, MonotonicTime now) {
  // In order of age: those that are late are the first.
  for (Batch* batch = partition.batches.first(); batch != nullptr;) {
    if (batch->created() + settings_.delivery_timeout > now) return;
    Batch* const next = batch->next;
    if (!has_outcome(*batch)) {
      const bool was_in_flight = batch->state == BatchState::in_flight;
      if (was_in_flight) batch->may_be_persisted = true;
      ClientError late = client_error(Failure::timed_out, "delivery.timeout.ms has passed");
      late.message += batch->error != nullptr ? "; before: " + batch->error->message
                                              : cause_of_delay(partition);
      fail(partition, *batch, late);
      if (was_in_flight) {
        // The request still views its bytes: they stay until it ends.
        batch->is_reported = true;
      }
    }
    batch = next;
  }
}

void Sender::give_back(Batch* batch) {
  ChunkList chunks;
  Batch::end(batch, chunks);
  accumulator_.pool.give_back(chunks);
}

void Sender::report(Partition& partition) {
  while (Batch* batch = partition.batches.first()) {
    if (!has_outcome(*batch)) return;
    static_cast<void>(partition.batches.pop());
    report(partition, *batch);
    partition.reported += static_cast<std::uint64_t>(batch->record_count());
    if (!batch->is_reported) give_back(batch);
  }
}

void Sender::report(Partition& partition, Batch& batch) {
  const auto records = static_cast<std::uint64_t>(batch.record_count());
  const bool is_delivered = batch.state == BatchState::succeeded;
  (is_delivered ? counters_.records_delivered : counters_.records_failed) += records;
  if (!is_delivered) {
    meters_.failed(partition.topic.name(), batch.record_count(), executor_.clock().now());
  }
  DeliveryReport report{.topic = partition.topic.name(), .partition = partition.index};
  if (!is_delivered) report.error = batch.error.get();
  batch.for_each_receipt([&](const Receipt& receipt) {
    report.timestamp =
        batch.log_append_time == no_timestamp ? batch.timestamp_of(receipt) : batch.log_append_time;
    if (is_delivered && batch.base_offset != no_offset) {
      report.offset = batch.base_offset.plus(receipt.record_index);
    }
    receipt.sink->delivered(receipt.token, report);
  });
}

void Sender::drop_unsent() {
  const ClientError why = transactor_->why_dropped();
  for (Partition* partition : active_) {
    partition->take(partition->batches, true);
    for (Batch* batch = partition->batches.first(); batch != nullptr; batch = batch->next) {
      if (batch->state == BatchState::waiting) fail(*partition, *batch, why);
    }
    report(*partition);
  }
}

std::size_t Sender::requests_under_way() const {
  std::size_t count = 0;
  for (const auto& [broker, node] : nodes_) count += node.in_flight;
  return count;
}

void Sender::fail_all(const ClientError& why) {
  std::vector<Topic*> topics = accumulator_.topics.all();
  for (Topic* topic : topics) {
    for (std::int32_t i = 0; i < topic->partition_count(); ++i) {
      Partition& partition = topic->partition(PartitionIndex{i});
      partition.take(partition.batches, true);
      for (Batch* batch = partition.batches.first(); batch != nullptr; batch = batch->next) {
        if (has_outcome(*batch)) continue;
        const bool was_in_flight = batch->state == BatchState::in_flight;
        if (was_in_flight) batch->may_be_persisted = true;
        fail(partition, *batch, why);
        if (was_in_flight) batch->is_reported = true;
      }
      report(partition);
    }
  }
}

}  // namespace millrace::client
