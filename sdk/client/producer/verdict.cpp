module;
#include <cstdint>

module millrace.client.producer;

import millrace.client.core;
import millrace.protocol.api;

namespace millrace::client {

Verdict verdict_of(ErrorCode code, const BatchFacts& batch) {
  switch (code) {
    case ErrorCode::none:
      return Verdict::delivered;
    case ErrorCode::duplicate_sequence_number:
      return batch.is_idempotent ? Verdict::was_there : Verdict::failed;
    case ErrorCode::message_too_large:
    case ErrorCode::record_list_too_large:
      return batch.record_count > 1 ? Verdict::split : Verdict::failed;
    default:
      break;
  }
  if (batch.is_transactional) {
    // What is missing waits for its own retry, and whether that fails is not known yet.
    if (code == ErrorCode::out_of_order_sequence_number && !batch.is_head) return Verdict::retry;
    const Consequence consequence = consequence_of(TransactionStep::produce, code);
    if (is_passing(consequence)) return Verdict::retry;
    const bool breaks_all = consequence == Consequence::fatal || consequence == Consequence::fenced;
    return breaks_all ? Verdict::failed_fatal : Verdict::failed;
  }
  switch (code) {
    case ErrorCode::out_of_order_sequence_number:
    case ErrorCode::unknown_producer_id:
    case ErrorCode::invalid_producer_epoch:
      return batch.is_idempotent ? Verdict::gap : Verdict::failed;
    case ErrorCode::cluster_authorization_failed:
    case ErrorCode::producer_fenced:
      return Verdict::failed_fatal;
    default:
      break;
  }
  return traits_of(code).retriable ? Verdict::retry : Verdict::failed;
}

}  // namespace millrace::client
