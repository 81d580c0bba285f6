#include "millrace/transaction.hpp"

#include <algorithm>
#include <chrono>
#include <optional>
#include <string>
#include <utility>

#include "transaction_host.hpp"

namespace millrace::inline v1 {

namespace {

Error not_open() {
  return Error({.code = ErrorCode::invalid_request, .origin = Origin::configuration},
               "this transaction takes nothing more: it was moved, or is being ended");
}

// For what was refused before anybody was asked.
template <class T>
Future<Result<T>> at_once(Error error) {
  detail::Promise<Result<T>> promise;
  Future<Result<T>> future = promise.future();
  promise.set(std::move(error));
  return future;
}

}  // namespace

Transaction::Transaction(Transaction&& other) noexcept
    : host_(std::exchange(other.host_, nullptr)),
      number_(other.number_),
      is_ending_(other.is_ending_.load()),
      begun_(std::exchange(other.begun_, not_open())) {}

Transaction& Transaction::operator=(Transaction&& other) noexcept {
  std::swap(host_, other.host_);
  std::swap(number_, other.number_);
  is_ending_ = other.is_ending_.exchange(is_ending_);
  std::swap(begun_, other.begun_);
  return *this;
}

Transaction::~Transaction() {
  // Refused where it has ended, and then nothing is left to do.
  if (host_ != nullptr) static_cast<void>(host_->abort(number_, waiting_time));
}

Future<Result<Delivery>> Transaction::send(const Record& record, WhenFull when_full) {
  if (host_ == nullptr) return at_once<Delivery>(begun_.error());
  if (is_ending_) return at_once<Delivery>(not_open());
  return host_->send(record, when_full);
}

Result<void> Transaction::send_offsets(const Consumer& consumer, const Records& batch,
                                       std::chrono::milliseconds time) {
  const auto group = consumer.membership();
  if (!group) return group.error();
  return send_offsets(*group, batch.next_offsets(), time);
}

Result<void> Transaction::send_offsets(const GroupMembership& group, const Offsets& offsets,
                                       std::chrono::milliseconds time) {
  if (host_ == nullptr) return begun_;
  if (auto refused = host_->cannot_wait()) return *std::move(refused);
  return host_->send_offsets(number_, group, offsets, time).get();
}

Future<Result<void>> Transaction::send_offsets_async(const GroupMembership& group,
                                                     const Offsets& offsets,
                                                     std::chrono::milliseconds time) {
  if (host_ == nullptr) return at_once<void>(begun_.error());
  return host_->send_offsets(number_, group, offsets, time);
}

Result<void> Transaction::commit(std::chrono::milliseconds time) {
  if (host_ == nullptr) return begun_;
  if (auto refused = host_->cannot_wait()) return *std::move(refused);
  return commit_async(time).get();
}

Future<Result<void>> Transaction::commit_async(std::chrono::milliseconds time) {
  if (host_ == nullptr) return at_once<void>(begun_.error());
  is_ending_ = true;
  return host_->commit(number_, time);
}

Result<void> Transaction::abort(std::chrono::milliseconds time) {
  if (host_ == nullptr) return begun_;
  if (auto refused = host_->cannot_wait()) return *std::move(refused);
  return abort_async(time).get();
}

Future<Result<void>> Transaction::abort_async(std::chrono::milliseconds time) {
  if (host_ == nullptr) return at_once<void>(begun_.error());
  is_ending_ = true;
  return host_->abort(number_, time);
}

// --- Of the producer. ---

Result<void> Producer::init_transactions(std::chrono::milliseconds time) {
  detail::TransactionHost& host = transactions();
  if (auto refused = host.cannot_wait()) return *std::move(refused);
  return host.init(time).get();
}

Transaction Producer::begin(std::chrono::milliseconds time) {
  detail::TransactionHost& host = transactions();
  if (auto refused = host.cannot_wait()) return Transaction(nullptr, 0, *std::move(refused));
  const auto number = host.begin(time).get();
  if (!number) return Transaction(nullptr, 0, number.error());
  return Transaction(&host, *number, {});
}

// --- Of what was received. ---

Offsets Records::first_offsets() const {
  Offsets offsets;
  for (const RecordView record : *this)
    offsets.try_emplace({std::string(record.topic()), record.partition()}, record.offset());
  return offsets;
}

Offsets Records::next_offsets() const {
  Offsets offsets;
  for (const RecordView record : *this)
    offsets.insert_or_assign({std::string(record.topic()), record.partition()},
                             record.offset() + 1);
  return offsets;
}

Result<void> Consumer::rewind(const Records& batch) {
  const auto assigned = assignment();
  if (!assigned) return assigned.error();
  for (const auto& [partition, offset] : batch.first_offsets()) {
    // What others read by now is not this consumer's to go back to.
    if (std::find(assigned->begin(), assigned->end(), partition) == assigned->end()) continue;
    if (auto sought = seek(partition, offset); !sought) return sought;
  }
  return {};
}

}  // namespace millrace::inline v1
