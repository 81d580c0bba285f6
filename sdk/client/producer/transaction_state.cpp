module;
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

module millrace.client.producer;

import millrace.base;
import millrace.client.core;

namespace millrace::client {
namespace {

const char* why_not(TransactionPhase phase) {
  switch (phase) {
    case TransactionPhase::without_id:
      return "the producer has not taken its transactional id yet";
    case TransactionPhase::taking_id:
      return "the producer is taking its transactional id";
    case TransactionPhase::ready:
      return "no transaction is open";
    case TransactionPhase::open:
      return "a transaction is open";
    case TransactionPhase::committing:
      return "the transaction is being committed";
    case TransactionPhase::aborting:
      return "the transaction is being aborted";
    case TransactionPhase::must_abort:
      return "the transaction can only be aborted";
    case TransactionPhase::broken:
      return "the producer can do nothing more";
  }
  check(false, "a phase is one of its enumeration");
  return "";
}

}  // namespace

ClientError TransactionState::refusal(const char* wish) const {
  if (phase_ == TransactionPhase::broken) return *error_;
  if (phase_ == TransactionPhase::must_abort) return *error_;
  ClientError error =
      client_error(Failure::bad_argument, std::string(wish) + ": " + why_not(phase_));
  // These pass by themselves.
  error.retriable = is_ending() || phase_ == TransactionPhase::taking_id;
  return error;
}

ClientResult<void> TransactionState::begin_taking_id() {
  if (phase_ != TransactionPhase::without_id) return failure(refusal("init"));
  phase_ = TransactionPhase::taking_id;
  return {};
}

void TransactionState::took_id(ProducerId id, ProducerEpoch epoch, TransactionProtocol protocol) {
  check(phase_ == TransactionPhase::taking_id, "an id that was asked for comes");
  id_ = id;
  epoch_ = epoch;
  protocol_ = protocol;
  phase_ = TransactionPhase::ready;
}

void TransactionState::took_none() {
  if (phase_ == TransactionPhase::taking_id) phase_ = TransactionPhase::without_id;
}

void TransactionState::renewed(ProducerId id, ProducerEpoch epoch) {
  id_ = id;
  epoch_ = epoch;
  needs_renewal_ = false;
}

ClientResult<void> TransactionState::begin(TransactionProtocol protocol) {
  if (phase_ != TransactionPhase::ready) return failure(refusal("begin"));
  phase_ = TransactionPhase::open;
  protocol_ = protocol;
  is_started_ = false;
  error_.reset();
  untold_end_.reset();
  ++number_;
  return {};
}

ClientResult<void> TransactionState::begin_commit() {
  if (phase_ == TransactionPhase::committing) return {};
  if (phase_ != TransactionPhase::open) return failure(refusal("commit"));
  phase_ = TransactionPhase::committing;
  return {};
}

ClientResult<void> TransactionState::begin_abort() {
  if (phase_ == TransactionPhase::aborting) return {};
  if (phase_ != TransactionPhase::open && phase_ != TransactionPhase::must_abort) {
    return failure(refusal("abort"));
  }
  phase_ = TransactionPhase::aborting;
  return {};
}

void TransactionState::ended() {
  if (!is_ending()) return;
  untold_end_ = phase_;
  phase_ = TransactionPhase::ready;
}

std::optional<ClientResult<void>> TransactionState::tell_end(TransactionPhase wished) {
  const auto end = std::exchange(untold_end_, std::nullopt);
  if (!end) return std::nullopt;
  if (*end == wished) return ClientResult<void>();
  return failure(client_error(Failure::bad_argument, *end == TransactionPhase::committing
                                                         ? "the transaction was committed"
                                                         : "the transaction was aborted"));
}

void TransactionState::ended(ProducerId id, ProducerEpoch epoch) {
  renewed(id, epoch);
  ended();
}

void TransactionState::failed(Consequence consequence, ClientError error) {
  if (phase_ == TransactionPhase::broken || is_passing(consequence)) return;
  if (consequence == Consequence::renew) needs_renewal_ = true;
  if (consequence == Consequence::fenced || consequence == Consequence::fatal) {
    error.fatal = true;
    error.retriable = false;
    if (consequence == Consequence::fenced) error.failure = Failure::fenced;
    error_ = std::move(error);
    phase_ = TransactionPhase::broken;
    return;
  }
  // What is being aborted loses nothing.
  if (!may_send()) return;
  error.needs_abort = true;
  error.retriable = false;
  error_ = std::move(error);
  phase_ = TransactionPhase::must_abort;
}

}  // namespace millrace::client
