module;
#include <cstddef>
#include <map>
#include <set>
#include <span>
#include <utility>
#include <vector>

module millrace.storage.cleaner;

import millrace.base;
import millrace.protocol.batch;
import millrace.storage.index;

namespace millrace::storage {

using protocol::BatchError;
using protocol::BatchHeader;
using protocol::BatchResult;
using protocol::ControlRecordType;

void CleanedTransactions::expect(std::span<const AbortedTransaction> aborted) {
  for (const AbortedTransaction& transaction : aborted) {
    coming_.emplace(std::pair(transaction.first_offset, transaction.producer), transaction);
  }
}

void CleanedTransactions::begin_up_to(Offset offset) {
  while (!coming_.empty() && coming_.begin()->first.first <= offset) {
    const AbortedTransaction& transaction = coming_.begin()->second;
    // One that reaches over several segments is expected once for each.
    aborted_.emplace(transaction.producer, Aborted{transaction});
    coming_.erase(coming_.begin());
  }
}

bool CleanedTransactions::is_aborted(const BatchHeader& batch) {
  begin_up_to(batch.last_offset());
  if (!batch.attributes.is_transactional()) return false;
  const auto found = aborted_.find(batch.producer.id);
  if (found == aborted_.end()) {
    committed_.insert(batch.producer.id);
    return false;
  }
  found->second.has_batches = true;
  return true;
}

BatchResult<bool> CleanedTransactions::is_spent(const BatchHeader& marker, ControlRecordType type) {
  begin_up_to(marker.last_offset());
  if (type == ControlRecordType::commit) return committed_.erase(marker.producer.id) == 0;
  if (type != ControlRecordType::abort) return false;
  const auto found = aborted_.find(marker.producer.id);
  if (found == aborted_.end()) {
    if (!committed_.contains(marker.producer.id)) return true;
    return protocol::batch_failure(BatchError::control_record_invalid);
  }
  const Aborted ended = found->second;
  aborted_.erase(found);
  if (ended.has_batches) needed_.push_back(ended.transaction);
  return !ended.has_batches;
}

}  // namespace millrace::storage
