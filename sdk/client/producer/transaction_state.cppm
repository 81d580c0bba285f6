// Where a transactional producer stands.
module;
#include <cstdint>
#include <optional>

export module millrace.client.producer:transaction_state;

import millrace.base;
import millrace.client.core;
import :consequence;

export namespace millrace::client {

// The first protocol names each partition to the coordinator before it is written to. In the second
// one (transaction.version 2) what is written joins the transaction by itself, and each has an
// epoch of its own, so that nothing of an old one reaches a new one.
enum class TransactionProtocol : std::uint8_t { named, implicit };

enum class TransactionPhase : std::uint8_t {
  without_id,
  taking_id,
  ready,
  open,
  committing,
  aborting,
  must_abort,  // something of it is lost
  broken,      // for good
};

// A pure machine: what was asked for and heard goes in, what may be done is read off. Refused calls
// say why and change nothing. A value of the client's thread.
class TransactionState {
 public:
  // --- The id. ---
  [[nodiscard]] ClientResult<void> begin_taking_id();
  void took_id(ProducerId id, ProducerEpoch epoch, TransactionProtocol protocol);
  // Nobody gave one yet.
  void took_none();
  // After an abort: the same, under an epoch that nothing was written in.
  void renewed(ProducerId id, ProducerEpoch epoch);

  // --- A transaction. ---
  [[nodiscard]] ClientResult<void> begin(TransactionProtocol protocol);
  // Something of it goes to a broker.
  void started() { is_started_ = true; }
  // Also while it is being committed already, if the answer did not come in time.
  [[nodiscard]] ClientResult<void> begin_commit();
  [[nodiscard]] ClientResult<void> begin_abort();
  // By the coordinator, or because nothing of it had left.
  void ended();
  void ended(ProducerId id, ProducerEpoch epoch);
  // What became of the transaction that ended last, for who asked for `wished` before and was not
  // told in time; once, until the next begins. Nothing: there is nothing to tell.
  [[nodiscard]] std::optional<ClientResult<void>> tell_end(TransactionPhase wished);
  void told_end() { untold_end_.reset(); }

  // Something failed. What is told first counts; only what breaks all counts more.
  void failed(Consequence consequence, ClientError error);
  // An id or epoch in which nothing was lost is needed before the next transaction.
  void must_renew() { needs_renewal_ = true; }

  [[nodiscard]] TransactionPhase phase() const { return phase_; }
  // Whether records of the open transaction may go out.
  [[nodiscard]] bool may_send() const {
    return phase_ == TransactionPhase::open || phase_ == TransactionPhase::committing;
  }
  // Whether what has not gone out is to be dropped.
  [[nodiscard]] bool drops() const {
    return phase_ == TransactionPhase::aborting || phase_ == TransactionPhase::must_abort;
  }
  [[nodiscard]] bool is_ending() const {
    return phase_ == TransactionPhase::committing || phase_ == TransactionPhase::aborting;
  }
  [[nodiscard]] bool is_started() const { return is_started_; }
  [[nodiscard]] bool needs_renewal() const { return needs_renewal_; }
  [[nodiscard]] ProducerId id() const { return id_; }
  [[nodiscard]] ProducerEpoch epoch() const { return epoch_; }
  [[nodiscard]] TransactionProtocol protocol() const { return protocol_; }
  // Which transaction of this producer it is, from 1.
  [[nodiscard]] std::uint64_t number() const { return number_; }
  // Why it must be aborted, or is broken.
  [[nodiscard]] const std::optional<ClientError>& error() const { return error_; }

 private:
  [[nodiscard]] ClientError refusal(const char* wish) const;

  TransactionPhase phase_ = TransactionPhase::without_id;
  ProducerId id_ = no_producer_id;
  ProducerEpoch epoch_ = no_producer_epoch;
  TransactionProtocol protocol_ = TransactionProtocol::named;
  std::uint64_t number_ = 0;
  bool is_started_ = false;
  bool needs_renewal_ = false;
  std::optional<TransactionPhase> untold_end_;  // committing or aborting, which it was
  std::optional<ClientError> error_;
};

}  // namespace millrace::client
