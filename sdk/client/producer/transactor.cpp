// What a program asks of its transactions, and the gate for records.
module;
#include <atomic>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

module millrace.client.producer;

import millrace.base;
import millrace.client.core;
import millrace.runtime;
import millrace.runtime.streams;

namespace millrace::client {
namespace {

constexpr std::string_view transaction_feature = "transaction.version";
constexpr std::int16_t implicit_from = 2;
// The first version of Produce whose records join a transaction by themselves.
constexpr std::int16_t produce_implicit_version = 12;

ClientError closed() {
  return client_error(Failure::closed, "the producer was closed", Persistence::unknown);
}

}  // namespace

Transactor::Transactor(const ProducerSettings& settings, Executor& executor, Brokers& brokers,
                       Sender& sender, Waker& waker, Random random)
    : settings_(settings),
      executor_(executor),
      brokers_(brokers),
      sender_(sender),
      waker_(waker),
      random_(random),
      coordinators_(brokers),
      changed_(executor),
      pauses_(executor) {
  tell_gate();
}

std::optional<ClientError> Transactor::enter() {
  // Whoever closes the gate sees who is inside, or who comes sees that it is closed.
  inside_.fetch_add(1, std::memory_order_seq_cst);
  if (is_open_.load(std::memory_order_seq_cst)) return std::nullopt;
  leave();
  const std::scoped_lock lock(mutex_);
  return refusal_;
}

void Transactor::refused(const ClientError& why) {
  {
    const std::scoped_lock lock(mutex_);
    if (!refused_) refused_ = why;
  }
  waker_.wake();
}

void Transactor::take_refused() {
  std::optional<ClientError> why;
  {
    const std::scoped_lock lock(mutex_);
    why = std::exchange(refused_, std::nullopt);
  }
  if (!why || why->failure == Failure::closed) return;
  state_.failed(Consequence::abort, *std::move(why));
  tell_gate();
}

void Transactor::leave() {
  const bool is_last = inside_.fetch_sub(1, std::memory_order_seq_cst) == 1;
  if (is_last && !is_open_.load(std::memory_order_seq_cst)) waker_.wake();
}

void Transactor::tell_gate() {
  const bool has_reason =
      state_.phase() == TransactionPhase::must_abort || state_.phase() == TransactionPhase::broken;
  {
    const std::scoped_lock lock(mutex_);
    refusal_ = has_reason ? *state_.error()
                          : client_error(Failure::bad_argument,
                                         "transactional.id is set and no transaction is open: "
                                         "records are sent between begin() and commit()");
  }
  is_open_.store(state_.phase() == TransactionPhase::open, std::memory_order_seq_cst);
}

TransactionProtocol Transactor::protocol() const {
  const auto coordinator = coordinators_.known(CoordinatorKind::transaction);
  const auto versions = coordinator ? brokers_.known_versions(*coordinator) : nullptr;
  if (versions == nullptr) return state_.protocol();
  return versions->feature_level(transaction_feature) >= implicit_from
             ? TransactionProtocol::implicit
             : TransactionProtocol::named;
}

TransactionOf Transactor::current() const {
  const std::string_view id = settings_.transactional_id;
  if (state_.protocol() == TransactionProtocol::named) return {id, 0, produce_implicit_version - 1};
  return {id, produce_implicit_version};
}

Task<ClientResult<void>> Transactor::init(MonotonicTime deadline) {
  const Stopwatch stopwatch(executor_.clock(), times_.init);
  while (state_.phase() == TransactionPhase::taking_id && !is_stopped_) {
    if (!co_await changed_.wait(deadline)) {
      co_return failure(client_error(Failure::timed_out, "the transactional id is being taken"));
    }
  }
  if (is_stopped_) co_return failure(closed());
  if (state_.phase() == TransactionPhase::broken) co_return failure(*state_.error());
  if (state_.phase() != TransactionPhase::without_id) co_return ClientResult<void>();
  co_return co_await take_id(deadline);
}

Task<ClientResult<void>> Transactor::begin(MonotonicTime deadline) {
  auto has_id = co_await init(deadline);
  if (!has_id) co_return has_id;
  const Stopwatch stopwatch(executor_.clock(), times_.begin);
  while (state_.is_ending() && !is_stopped_) {
    if (!co_await changed_.wait(deadline)) {
      co_return failure(client_error(Failure::timed_out, "the transaction before is being ended"));
    }
  }
  if (is_stopped_) co_return failure(closed());
  take_refused();
  auto begun = state_.begin(protocol());
  if (begun) has_joined_ = false;
  tell_gate();
  co_return begun;
}

Task<ClientResult<void>> Transactor::commit(MonotonicTime deadline) {
  const Stopwatch stopwatch(executor_.clock(), times_.commit);
  if (auto told = state_.tell_end(TransactionPhase::committing)) co_return *std::move(told);
  if (is_stopped_) co_return failure(closed());
  auto begun = state_.begin_commit();
  if (!begun) co_return begun;
  begin_finish();
  const std::uint64_t number = state_.number();
  while (state_.number() == number && state_.phase() == TransactionPhase::committing) {
    if (is_stopped_) co_return failure(closed());
    if (!co_await changed_.wait(deadline)) {
      co_return failure(client_error(
          Failure::timed_out,
          "the transaction is being committed; whether it was, commit() tells when called again",
          Persistence::unknown));
    }
  }
  if (state_.number() != number) co_return ClientResult<void>();
  if (state_.error()) co_return failure(*state_.error());
  state_.told_end();
  co_return ClientResult<void>();
}

Task<ClientResult<void>> Transactor::abort(MonotonicTime deadline) {
  const Stopwatch stopwatch(executor_.clock(), times_.abort);
  if (auto told = state_.tell_end(TransactionPhase::aborting)) co_return *std::move(told);
  if (is_stopped_) co_return failure(closed());
  auto begun = state_.begin_abort();
  if (!begun) co_return begun;
  begin_finish();
  const std::uint64_t number = state_.number();
  while (state_.number() == number && state_.phase() == TransactionPhase::aborting) {
    if (is_stopped_) co_return failure(closed());
    if (!co_await changed_.wait(deadline)) {
      co_return failure(client_error(Failure::timed_out, "the transaction is being aborted"));
    }
  }
  if (state_.phase() == TransactionPhase::broken) co_return failure(*state_.error());
  if (state_.number() == number) state_.told_end();
  co_return ClientResult<void>();
}

Task<void> Transactor::close(MonotonicTime deadline) {
  if (state_.begin_abort()) begin_finish();
  while (state_.is_ending() && !is_stopped_) {
    if (!co_await changed_.wait(deadline)) co_return;
  }
}

void Transactor::stop() {
  is_stopped_ = true;
  pauses_.wake_all();
  changed_.wake_all();
}

bool Transactor::admits(Partition& partition) {
  if (!state_.may_send()) return false;
  if (state_.protocol() == TransactionProtocol::named &&
      partition.joined_transaction != state_.number()) {
    if (std::exchange(partition.asked_transaction, state_.number()) != state_.number()) {
      joining_.push_back(&partition);
    }
    return false;
  }
  if (!partition.sequences.is_current({state_.id(), state_.epoch(), no_sequence})) {
    partition.sequences.begin(state_.id(), state_.epoch());
  }
  state_.started();
  return true;
}

void Transactor::join() {
  if (joining_.empty() || std::exchange(is_adding_, true)) return;
  tasks_.start(add_partitions());
}

ClientError Transactor::why_dropped() const {
  ClientError error = client_error(Failure::aborted, "its transaction was aborted");
  if (!state_.error()) return error;
  error.needs_abort = state_.error()->needs_abort;
  error.message = "its transaction can only be aborted: " + to_string(*state_.error());
  return error;
}

void Transactor::lost(const ClientError& why, bool has_sequence) {
  if (why.failure == Failure::closed) return;
  if (has_sequence && state_.protocol() == TransactionProtocol::named) state_.must_renew();
  Consequence consequence = Consequence::abort;
  if (why.failure == Failure::broker_said) {
    consequence = consequence_of(TransactionStep::produce, why.code);
    if (is_passing(consequence)) consequence = Consequence::abort;
  }
  state_.failed(consequence, why);
  tell_gate();
  sender_.wake();
}

}  // namespace millrace::client
