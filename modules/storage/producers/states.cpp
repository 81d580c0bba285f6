module;
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <utility>
#include <vector>

module millrace.storage.producers;

import :state;
import :states;

namespace millrace::storage {

namespace {

const ProducerState unknown_producer;

bool is_expired(const ProducerState& state, Timestamp now, std::int64_t expiration_ms) {
  // Timestamps are the clients', who may send anything.
  const Timestamp last = std::max(state.last_timestamp(), no_timestamp);
  return !state.transaction_start() && last <= now && now.since(last) >= expiration_ms;
}

}  // namespace

ProducerBudget::~ProducerBudget() {
  check(count_ == 0, "the budget of producers outlives the partitions");
}

ProducerStates::~ProducerStates() {
  clear();
}

ProducerCheck ProducerStates::check(const ProducerBatch& batch, AppendOrigin origin) const {
  const ProducerState* const known = find(batch.producer);
  if (known != nullptr) return known->check(batch, origin);
  if (origin == AppendOrigin::client && !budget_.has_room(size(), 0)) {
    return {ProducerVerdict::too_many_producers};
  }
  return unknown_producer.check(batch, origin);
}

ProducerCheck ProducerStates::check(const ProducerMarker& marker, AppendOrigin origin,
                                    std::int16_t transaction_version) const {
  const ProducerState* const known = find(marker.producer);
  return (known != nullptr ? *known : unknown_producer).check(marker, origin, transaction_version);
}

void ProducerStates::update(const ProducerBatch& batch) {
  ProducerState& state = state_of(batch.producer);
  const bool was_open = state.transaction_start().has_value();
  state.update(batch);
  if (!was_open && state.transaction_start()) open_.emplace(batch.first_offset, batch.producer);
}

std::optional<CompletedTransaction> ProducerStates::update(const ProducerMarker& marker) {
  ProducerState& state = state_of(marker.producer);
  const std::optional<Offset> start = state.transaction_start();
  state.update(marker);
  // A marker without data before it changes nothing that a reader sees.
  if (!start) return std::nullopt;
  open_.erase({*start, marker.producer});
  const CompletedTransaction completed = {
      .producer = marker.producer,
      .first_offset = *start,
      .last_offset = marker.offset,
      .last_stable_offset = open_.empty() ? marker.offset.next() : open_.begin()->first,
      .aborted = marker.aborts};
  wait_for_replication(completed);
  return completed;
}

std::optional<Offset> ProducerStates::first_undecided_offset() const {
  if (open_.empty()) return std::nullopt;
  return open_.begin()->first;
}

std::optional<Offset> ProducerStates::first_unstable_offset() const {
  const std::optional<Offset> undecided = first_undecided_offset();
  if (unreplicated_.empty()) return undecided;
  const Offset unreplicated = unreplicated_.begin()->first;
  return undecided ? std::min(*undecided, unreplicated) : unreplicated;
}

void ProducerStates::high_watermark_moved(Offset high_watermark) {
  while (!unreplicated_.empty() && unreplicated_.begin()->second < high_watermark) {
    unreplicated_.erase(unreplicated_.begin());
  }
}

void ProducerStates::log_start_moved(Offset log_start) {
  high_watermark_moved(log_start);
}

std::size_t ProducerStates::remove_expired(Timestamp now, std::int64_t expiration_ms) {
  const std::size_t removed = std::erase_if(producers_, [now, expiration_ms](const auto& entry) {
    return is_expired(entry.second, now, expiration_ms);
  });
  budget_.count_ -= removed;
  return removed;
}

void ProducerStates::swap(ProducerStates& other) {
  millrace::check(&budget_ == &other.budget_, "producers of one budget change places");
  producers_.swap(other.producers_);
  open_.swap(other.open_);
  unreplicated_.swap(other.unreplicated_);
}

void ProducerStates::clear() {
  budget_.count_ -= producers_.size();
  producers_.clear();
  open_.clear();
  unreplicated_.clear();
}

std::vector<ProducerSnapshotEntry> ProducerStates::snapshot_entries() const {
  std::vector<ProducerSnapshotEntry> entries;
  entries.reserve(producers_.size());
  for (const auto& [producer, state] : producers_) {
    entries.push_back(state.snapshot_entry(producer));
  }
  return entries;
}

void ProducerStates::restore(std::span<const ProducerSnapshotEntry> entries, Timestamp now,
                             std::int64_t expiration_ms) {
  clear();
  for (const ProducerSnapshotEntry& entry : entries) {
    const ProducerState state(entry);
    if (is_expired(state, now, expiration_ms)) continue;
    state_of(entry.producer) = state;
    if (const auto start = state.transaction_start()) open_.emplace(*start, entry.producer);
  }
}

const ProducerState* ProducerStates::find(ProducerId producer) const {
  const auto found = producers_.find(producer);
  return found == producers_.end() ? nullptr : &found->second;
}

std::optional<Timestamp> ProducerStates::oldest_open_transaction() const {
  std::optional<Timestamp> oldest;
  for (const auto& [start, producer] : open_) {
    const Timestamp last = find(producer)->last_timestamp();
    oldest = oldest ? std::min(*oldest, last) : last;
  }
  return oldest;
}

ProducerState& ProducerStates::state_of(ProducerId producer) {
  const auto [at, is_new] = producers_.try_emplace(producer);
  if (is_new) ++budget_.count_;
  return at->second;
}

void ProducerStates::wait_for_replication(const CompletedTransaction& transaction) {
  // Markers come in the order of their offsets, so this one is the last of all. It covers every
  // transaction that began after its own.
  unreplicated_.erase(unreplicated_.lower_bound(transaction.first_offset), unreplicated_.end());
  if (unreplicated_.size() == unreplicated_transactions_max) {
    std::prev(unreplicated_.end())->second = transaction.last_offset;
  } else {
    unreplicated_.emplace_hint(unreplicated_.end(), transaction.first_offset,
                               transaction.last_offset);
  }
}

}  // namespace millrace::storage
