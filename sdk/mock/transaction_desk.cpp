module;
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

module millrace.mock;

import millrace.base;
import millrace.groups;
import millrace.protocol.api;
import millrace.protocol.batch;
import millrace.protocol.compression;
import millrace.runtime;
import millrace.runtime.streams;
import millrace.storage.producers;
import :faults;
import :partition_log;
import :state;
import :transaction_desk;

namespace millrace::mock {
namespace {

constexpr protocol::CoordinatorEpoch coordinator_epoch{0};

}  // namespace

TransactionDesk::Owner TransactionDesk::take(std::string_view id, ProducerId known,
                                             ProducerEpoch known_epoch, std::int32_t timeout_ms) {
  const auto found = all_.try_emplace(std::string(id)).first;
  Transactional& transaction = found->second;
  if (known != no_producer_id && known == transaction.producer &&
      known_epoch == transaction.renewed_from) {
    return {ErrorCode::none, transaction.producer, transaction.epoch};  // asked again
  }
  if (known != no_producer_id &&
      (known != transaction.producer || known_epoch != transaction.epoch)) {
    return {.error = ErrorCode::producer_fenced};
  }
  transaction.timeout_ms = timeout_ms;
  if (transaction.producer == no_producer_id) {
    transaction.producer = state_.new_producer_id();
    transaction.epoch = ProducerEpoch(0);
  } else if (transaction.phase == TransactionPhase::ongoing) {
    end(transaction, false, true);
  } else {
    bump(transaction);
  }
  transaction.phase = TransactionPhase::empty;
  transaction.renewed_from = known_epoch;
  return {ErrorCode::none, transaction.producer, transaction.epoch};
}

Transactional* TransactionDesk::find(std::string_view id) {
  const auto found = all_.find(id);
  return found == all_.end() ? nullptr : &found->second;
}

ErrorCode TransactionDesk::refusal_of(std::string_view id, ProducerId producer,
                                      ProducerEpoch epoch) {
  const Transactional* const transaction = find(id);
  if (transaction == nullptr || transaction->producer != producer) {
    return ErrorCode::invalid_producer_id_mapping;
  }
  return transaction->epoch == epoch ? ErrorCode::none : ErrorCode::producer_fenced;
}

void TransactionDesk::add(Transactional& transaction, std::string_view topic,
                          PartitionIndex partition) {
  transaction.phase = TransactionPhase::ongoing;
  transaction.partitions.emplace(topic, partition.value());
}

void TransactionDesk::add(Transactional& transaction, groups::CommitRequest offsets) {
  transaction.phase = TransactionPhase::ongoing;
  const auto [entry, is_new] = transaction.offsets.try_emplace(offsets.group);
  if (is_new) {
    entry->second = std::move(offsets);
    return;
  }
  // The last word on a partition counts: it stands behind.
  for (groups::CommittedTopic& topic : offsets.topics) {
    entry->second.topics.push_back(std::move(topic));
  }
}

void TransactionDesk::bump(Transactional& transaction) {
  transaction.renewed_from = no_producer_epoch;
  if (transaction.epoch.value() == std::numeric_limits<std::int16_t>::max() - 1) {
    transaction.producer = state_.new_producer_id();
    transaction.epoch = ProducerEpoch(0);
  } else {
    transaction.epoch = transaction.epoch.next();
  }
}

void TransactionDesk::end(Transactional& transaction, bool commits, bool bumps) {
  const ProducerEpoch marked = bumps ? transaction.epoch.next() : transaction.epoch;
  for (const auto& [name, index] : transaction.partitions) {
    Topic* const topic = state_.find(name);
    Partition* const partition = topic == nullptr ? nullptr : topic->find(index);
    if (partition != nullptr) mark(*partition, transaction, commits, marked, bumps);
  }
  transaction.partitions.clear();
  transaction.offsets.clear();
  transaction.phase = commits ? TransactionPhase::committed : TransactionPhase::aborted;
  if (bumps) bump(transaction);
}

void TransactionDesk::mark(Partition& partition, const Transactional& transaction, bool commits,
                           ProducerEpoch epoch, bool bumps) {
  const Timestamp now = state_.clock().wall_now();
  const storage::ProducerMarker marker{.producer = transaction.producer,
                                       .epoch = epoch,
                                       .coordinator_epoch = coordinator_epoch,
                                       .offset = partition.log.end(),
                                       .timestamp = now,
                                       .aborts = !commits};
  const std::int16_t version = bumps ? storage::transaction_version_with_epoch_bump : 0;
  const auto checked =
      partition.producers.check(marker, storage::AppendOrigin::coordinator, version);
  check(checked.accepted(), "the mock marks what it let in");
  BufferPool pool;
  protocol::BatchStorage plain(pool);
  protocol::BatchStorage compressed(pool);
  protocol::Compressor compressor;
  protocol::BatchBuilder builder(plain, compressed, compressor);
  builder.start({.producer = {transaction.producer, epoch, no_sequence},
                 .transactional = true,
                 .control = true});
  const auto type =
      commits ? protocol::ControlRecordType::commit : protocol::ControlRecordType::abort;
  const auto added = builder.append_end_transaction_marker(type, coordinator_epoch, now);
  check(added.has_value(), "a marker is a batch");
  const auto batch = builder.finish();
  check(batch.has_value(), "a marker is a batch");
  const auto header = protocol::read_batch_header(*batch);
  check(header.has_value(), "a batch that was built has a header");
  state_.stored_bytes += batch->size();
  partition.log.append({batch->begin(), batch->end()}, *header, partition.epoch);
  const auto completed = partition.producers.update(marker);
  if (completed && completed->aborted) partition.aborted.push_back(*completed);
}

}  // namespace millrace::mock
