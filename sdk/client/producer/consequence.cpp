module;
#include <algorithm>
#include <cstdint>

module millrace.client.producer;

import millrace.base;
import millrace.client.core;
import millrace.protocol.api;

namespace millrace::client {
namespace {

struct Row {
  TransactionStep step;
  ErrorCode code;
  Consequence consequence;
};

// What all requests have in common.
struct CommonRow {
  ErrorCode code;
  Consequence consequence;
};
constexpr CommonRow common_rows[] = {
    {ErrorCode::none, Consequence::none},
    {ErrorCode::concurrent_transactions, Consequence::wait},
    {ErrorCode::coordinator_load_in_progress, Consequence::retry},
    {ErrorCode::not_coordinator, Consequence::find_coordinator},
    {ErrorCode::coordinator_not_available, Consequence::find_coordinator},
    {ErrorCode::transaction_abortable, Consequence::abort},
    {ErrorCode::topic_authorization_failed, Consequence::abort},
    {ErrorCode::group_authorization_failed, Consequence::abort},
    {ErrorCode::unknown_producer_id, Consequence::renew},
    {ErrorCode::invalid_producer_id_mapping, Consequence::renew},
    {ErrorCode::invalid_producer_epoch, Consequence::fenced},
    {ErrorCode::producer_fenced, Consequence::fenced},
    {ErrorCode::transactional_id_authorization_failed, Consequence::fatal},
    {ErrorCode::cluster_authorization_failed, Consequence::fatal},
    {ErrorCode::invalid_transaction_timeout, Consequence::fatal},
    {ErrorCode::invalid_txn_state, Consequence::fatal},
    {ErrorCode::unsupported_version, Consequence::fatal},
    {ErrorCode::unsupported_for_message_format, Consequence::fatal},
};

// Where one request differs.
constexpr Row special_rows[] = {
    // Nobody can be asked that another broker would know better.
    {TransactionStep::find_coordinator, ErrorCode::not_coordinator, Consequence::retry},
    {TransactionStep::find_coordinator, ErrorCode::coordinator_not_available, Consequence::retry},
    // The id that was known has expired: who asks for a new epoch of it was forgotten.
    {TransactionStep::take_id, ErrorCode::unknown_producer_id, Consequence::fatal},
    {TransactionStep::take_id, ErrorCode::invalid_producer_id_mapping, Consequence::fatal},
    // Others of the same request were refused: these say why.
    {TransactionStep::add_partitions, ErrorCode::operation_not_attempted, Consequence::abort},
    // This consumer is no member any more, or not of this generation: others do its work.
    {TransactionStep::commit_offsets, ErrorCode::unknown_member_id, Consequence::abort},
    {TransactionStep::commit_offsets, ErrorCode::illegal_generation, Consequence::abort},
    {TransactionStep::commit_offsets, ErrorCode::fenced_instance_id, Consequence::abort},
    {TransactionStep::commit_offsets, ErrorCode::stale_member_epoch, Consequence::abort},
    {TransactionStep::commit_offsets, ErrorCode::fenced_member_epoch, Consequence::abort},
    {TransactionStep::commit_offsets, ErrorCode::rebalance_in_progress, Consequence::abort},
    {TransactionStep::commit_offsets, ErrorCode::group_id_not_found, Consequence::abort},
    // The partition may have seen the transaction time out: whether the producer was shut out, its
    // coordinator says.
    {TransactionStep::produce, ErrorCode::invalid_producer_epoch, Consequence::renew},
    {TransactionStep::produce, ErrorCode::out_of_order_sequence_number, Consequence::renew},
};

}  // namespace

Consequence consequence_of(TransactionStep step, ErrorCode code) {
  const auto* const special = std::ranges::find_if(
      special_rows, [&](const Row& row) { return row.step == step && row.code == code; });
  if (special != std::ranges::end(special_rows)) return special->consequence;
  const auto* const common = std::ranges::find(common_rows, code, &CommonRow::code);
  if (common != std::ranges::end(common_rows)) return common->consequence;
  if (traits_of(code).retriable) return Consequence::retry;
  // Of what is being written: a transaction that lacks it cannot be committed. After the rest
  // nobody knows what is.
  switch (step) {
    case TransactionStep::add_partitions:
    case TransactionStep::add_offsets:
    case TransactionStep::commit_offsets:
    case TransactionStep::produce:
      return Consequence::abort;
    case TransactionStep::find_coordinator:
    case TransactionStep::take_id:
    case TransactionStep::end:
      return Consequence::fatal;
  }
  check(false, "a step is one of its enumeration");
  return Consequence::fatal;
}

Consequence consequence_of(TransactionStep step, const ClientError& error) {
  if (error.failure == Failure::broker_said) return consequence_of(step, error.code);
  return error.retriable ? Consequence::retry : Consequence::fatal;
}

}  // namespace millrace::client
