// Transactions of a MockProducer.
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "mock_producer_core.hpp"

namespace millrace::inline v1 {

namespace {

Error misuse(std::string sentence) {
  return Error({.code = ErrorCode::invalid_request, .origin = Origin::configuration},
               std::move(sentence));
}

template <class T>
Future<Result<T>> done(Result<T> outcome) {
  detail::Promise<Result<T>> promise;
  Future<Result<T>> future = promise.future();
  promise.set(std::move(outcome));
  return future;
}

}  // namespace

std::vector<OwnedRecord>& MockProducer::Implementation::taken() {
  return has_transaction() ? uncommitted_ : history_;
}

// Of a transaction, which lacks the record from now on.
void MockProducer::Implementation::lost(const Error& why) {
  if (!has_transaction()) return;
  if (why.is_fatal()) {
    if (!broken_) broken_ = why;
    return;
  }
  if (must_abort_) return;
  must_abort_ =
      Error({.code = why.code(), .origin = why.origin(), .needs_abort = true}, why.message());
}

void MockProducer::Implementation::drop_transaction() {
  phase_ = Phase::ready;
  must_abort_.reset();
  uncommitted_.clear();
  uncommitted_offsets_.clear();
}

std::optional<Error> MockProducer::Implementation::refusal_of(TransactionCall call) {
  if (auto ended = end()) return ended;
  if (!options_.is_transactional) return misuse("this producer has no transactions");
  auto& errors = planned_[call];
  if (errors.empty()) return std::nullopt;
  Error error = std::move(errors.front());
  errors.pop_front();
  if (error.is_fatal()) broken_ = error;
  if (error.needs_abort() && has_transaction()) must_abort_ = error;
  return error;
}

std::optional<Error> MockProducer::Implementation::not_open(std::uint64_t transaction) const {
  if (transaction != number_) return misuse("this transaction has ended");
  if (!has_transaction()) return misuse("no transaction is open");
  return std::nullopt;
}

std::optional<Error> MockProducer::Implementation::try_init() {
  if (auto refused = refusal_of(TransactionCall::init)) return refused;
  if (phase_ == Phase::without_id) phase_ = Phase::ready;
  return std::nullopt;
}

MockProducer::Implementation::Done MockProducer::Implementation::init(std::chrono::milliseconds) {
  const std::lock_guard lock(mutex_);
  if (auto refused = try_init()) return done<void>(*std::move(refused));
  return done<void>({});
}

Future<Result<std::uint64_t>> MockProducer::Implementation::begin(std::chrono::milliseconds) {
  const std::lock_guard lock(mutex_);
  if (phase_ == Phase::without_id) {
    if (auto refused = try_init()) return done<std::uint64_t>(*std::move(refused));
  }
  if (auto refused = refusal_of(TransactionCall::begin)) {
    return done<std::uint64_t>(*std::move(refused));
  }
  if (has_transaction()) return done<std::uint64_t>(misuse("begin: a transaction is open"));
  phase_ = Phase::open;
  return done<std::uint64_t>(++number_);
}

MockProducer::Implementation::Done MockProducer::Implementation::send_offsets(
    std::uint64_t transaction, const GroupMembership& group, const Offsets& offsets,
    std::chrono::milliseconds) {
  const std::lock_guard lock(mutex_);
  if (auto refused = not_open(transaction)) return done<void>(*std::move(refused));
  if (group.group_id.empty()) return done<void>(misuse("offsets are those of a group"));
  if (must_abort_) return done<void>(*must_abort_);
  if (phase_ == Phase::ending) return done<void>(ending_error());
  if (auto refused = refusal_of(TransactionCall::send_offsets)) {
    return done<void>(*std::move(refused));
  }
  if (!offsets.empty()) uncommitted_offsets_.push_back({group, offsets});
  return done<void>({});
}

// Waits for nobody: what is on its way is delivered.
Result<void> MockProducer::Implementation::try_commit(std::uint64_t transaction) {
  {
    const std::lock_guard lock(mutex_);
    if (auto refused = not_open(transaction)) return *std::move(refused);
    phase_ = Phase::ending;
  }
  complete_all();
  const std::lock_guard lock(mutex_);
  if (auto refused = not_open(transaction)) return *std::move(refused);
  if (must_abort_) return *must_abort_;
  if (auto refused = refusal_of(TransactionCall::commit)) return *std::move(refused);
  history_.insert(history_.end(), uncommitted_.begin(), uncommitted_.end());
  committed_offsets_.insert(committed_offsets_.end(), uncommitted_offsets_.begin(),
                            uncommitted_offsets_.end());
  ++commit_count_;
  drop_transaction();
  return {};
}

Result<void> MockProducer::Implementation::try_abort(std::uint64_t transaction) {
  {
    const std::lock_guard lock(mutex_);
    if (auto refused = not_open(transaction)) return *std::move(refused);
    if (auto refused = refusal_of(TransactionCall::abort)) return *std::move(refused);
    // Nothing is sent any more while those that wait are told.
    if (!must_abort_) {
      must_abort_ = Error({.code = ErrorCode::invalid_txn_state, .needs_abort = true},
                          "the transaction is being aborted");
    }
  }
  fail_all(Error({.code = ErrorCode::transaction_abortable}, "its transaction was aborted"));
  const std::lock_guard lock(mutex_);
  if (auto refused = not_open(transaction)) return *std::move(refused);
  ++abort_count_;
  drop_transaction();
  return {};
}

MockProducer::Implementation::Done MockProducer::Implementation::commit(std::uint64_t transaction,
                                                                        std::chrono::milliseconds) {
  return done<void>(try_commit(transaction));
}

MockProducer::Implementation::Done MockProducer::Implementation::abort(std::uint64_t transaction,
                                                                       std::chrono::milliseconds) {
  return done<void>(try_abort(transaction));
}

std::vector<OwnedRecord> MockProducer::Implementation::uncommitted() const {
  const std::lock_guard lock(mutex_);
  return uncommitted_;
}

std::vector<SentOffsets> MockProducer::Implementation::committed_offsets() const {
  const std::lock_guard lock(mutex_);
  return committed_offsets_;
}

std::vector<SentOffsets> MockProducer::Implementation::uncommitted_offsets() const {
  const std::lock_guard lock(mutex_);
  return uncommitted_offsets_;
}

std::size_t MockProducer::Implementation::commit_count() const {
  const std::lock_guard lock(mutex_);
  return commit_count_;
}

std::size_t MockProducer::Implementation::abort_count() const {
  const std::lock_guard lock(mutex_);
  return abort_count_;
}

bool MockProducer::Implementation::is_in_transaction() const {
  const std::lock_guard lock(mutex_);
  return has_transaction();
}

void MockProducer::Implementation::fail_next_call(TransactionCall call, Error error) {
  const std::lock_guard lock(mutex_);
  planned_[call].push_back(std::move(error));
}

}  // namespace millrace::inline v1
