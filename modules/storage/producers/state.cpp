module;
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>

module millrace.storage.producers;

import :state;

namespace millrace::storage {

namespace {

constexpr std::int32_t sequence_max = std::numeric_limits<std::int32_t>::max();

// Sequences run from 0 to 2^31-1 and then from 0 again.
bool follows(Sequence last, Sequence next) {
  if (last.value() == sequence_max) return next == Sequence(0);
  return next == last.next();
}

}  // namespace

std::string_view name_of(ProducerVerdict verdict) {
  switch (verdict) {
    case ProducerVerdict::accepted:
      return "accepted";
    case ProducerVerdict::duplicate:
      return "duplicate";
    case ProducerVerdict::out_of_order_sequence_number:
      return "out of order sequence number";
    case ProducerVerdict::invalid_producer_epoch:
      return "invalid producer epoch";
    case ProducerVerdict::transaction_coordinator_fenced:
      return "transaction coordinator fenced";
    case ProducerVerdict::invalid_transaction_state:
      return "invalid transaction state";
    case ProducerVerdict::too_many_producers:
      return "too many producers";
  }
  return "unknown";
}

ProducerBatch producer_batch(const protocol::BatchHeader& header) {
  return {.producer = header.producer.id,
          .epoch = header.producer.epoch,
          .first_sequence = header.producer.base_sequence,
          .last_sequence = header.last_sequence(),
          .first_offset = header.base_offset,
          .last_offset = header.last_offset(),
          .max_timestamp = header.max_timestamp,
          .transactional = header.attributes.is_transactional()};
}

Sequence RememberedBatch::first_sequence() const {
  return Sequence(static_cast<std::int32_t>((static_cast<std::uint32_t>(last_sequence.value()) -
                                             static_cast<std::uint32_t>(offset_delta)) &
                                            0x7fff'ffffu));
}

ProducerState::ProducerState(const ProducerSnapshotEntry& entry)
    : last_timestamp_(entry.timestamp),
      transaction_start_(entry.transaction_start),
      coordinator_epoch_(entry.coordinator_epoch),
      epoch_(entry.epoch) {
  if (entry.last_offset < Offset(0)) return;
  batches_[batch_count_++] = {.last_sequence = entry.last_sequence,
                              .offset_delta = entry.offset_delta,
                              .last_offset = entry.last_offset,
                              .timestamp = entry.timestamp};
}

ProducerCheck ProducerState::check(const ProducerBatch& batch, AppendOrigin origin) const {
  if (origin == AppendOrigin::client) {
    if (const RememberedBatch* const original = find(batch)) {
      return {ProducerVerdict::duplicate, *original};
    }
  }
  if (batch.epoch < epoch_ && origin != AppendOrigin::replication) {
    return {ProducerVerdict::invalid_producer_epoch};
  }
  if (origin == AppendOrigin::client && !is_next(batch)) {
    return {ProducerVerdict::out_of_order_sequence_number};
  }
  if (transaction_start() && !batch.transactional) {
    return {ProducerVerdict::invalid_transaction_state};
  }
  return {};
}

ProducerCheck ProducerState::check(const ProducerMarker& marker, AppendOrigin origin,
                                   std::int16_t transaction_version) const {
  // What a leader has accepted is right, also in view of what the state here has forgotten.
  if (origin == AppendOrigin::replication) return {};
  const bool bumps = transaction_version >= transaction_version_with_epoch_bump;
  bool is_fenced = bumps ? marker.epoch <= epoch_ : marker.epoch < epoch_;
  // A coordinator that did not hear that its marker was written sends it again. The highest epoch
  // cannot be bumped: there the marker of a transaction looks like a second one.
  const bool is_repeated =
      bumps && marker.epoch == epoch_ &&
      (!transaction_start() || marker.epoch.value() == std::numeric_limits<std::int16_t>::max());
  if (is_fenced && !is_repeated) return {ProducerVerdict::invalid_producer_epoch};
  if (marker.coordinator_epoch < coordinator_epoch_) {
    return {ProducerVerdict::transaction_coordinator_fenced};
  }
  return {};
}

void ProducerState::update(const ProducerBatch& batch) {
  move_to(batch.epoch);
  if (batch_count_ == remembered_batches_max) {
    std::copy(batches_.begin() + 1, batches_.end(), batches_.begin());
    --batch_count_;
  }
  batches_[batch_count_++] = {
      .last_sequence = batch.last_sequence,
      .offset_delta = static_cast<std::int32_t>(batch.last_offset.since(batch.first_offset)),
      .last_offset = batch.last_offset,
      .timestamp = batch.max_timestamp};
  last_timestamp_ = batch.max_timestamp;
  if (batch.transactional && !transaction_start()) transaction_start_ = batch.first_offset;
}

void ProducerState::update(const ProducerMarker& marker) {
  move_to(marker.epoch);
  coordinator_epoch_ = marker.coordinator_epoch;
  last_timestamp_ = marker.timestamp;
  transaction_start_ = no_offset;
}

std::optional<Offset> ProducerState::transaction_start() const {
  if (transaction_start_ < Offset(0)) return std::nullopt;
  return transaction_start_;
}

std::optional<RememberedBatch> ProducerState::last_batch() const {
  if (batch_count_ == 0) return std::nullopt;
  return batches_[batch_count_ - 1];
}

ProducerSnapshotEntry ProducerState::snapshot_entry(ProducerId producer) const {
  const RememberedBatch last = last_batch().value_or(
      RememberedBatch{.last_sequence = no_sequence, .last_offset = no_offset});
  return {.producer = producer,
          .epoch = epoch_,
          .last_sequence = last.last_sequence,
          .last_offset = last.last_offset,
          .offset_delta = last.offset_delta,
          .timestamp = last_timestamp_,
          .coordinator_epoch = coordinator_epoch_,
          .transaction_start = transaction_start_};
}

const RememberedBatch* ProducerState::find(const ProducerBatch& batch) const {
  if (batch.epoch != epoch_) return nullptr;
  for (std::size_t at = 0; at < batch_count_; ++at) {
    if (batches_[at].last_sequence == batch.last_sequence &&
        batches_[at].first_sequence() == batch.first_sequence) {
      return &batches_[at];
    }
  }
  return nullptr;
}

bool ProducerState::is_next(const ProducerBatch& batch) const {
  // Nothing is known of this producer, or nothing any more: it may be anywhere.
  if (epoch_ == no_producer_epoch) return true;
  // A new epoch counts from 0, and so does one of which only a marker has been seen.
  if (batch.epoch != epoch_ || batch_count_ == 0) return batch.first_sequence == Sequence(0);
  return follows(batches_[batch_count_ - 1].last_sequence, batch.first_sequence);
}

void ProducerState::move_to(ProducerEpoch epoch) {
  if (epoch == epoch_) return;
  epoch_ = epoch;
  batch_count_ = 0;
}

}  // namespace millrace::storage
