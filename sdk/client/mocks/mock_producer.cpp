#include "millrace/mock/mock_producer.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "mock_producer_core.hpp"

namespace millrace::inline v1 {

MockProducer::MockProducer(MockProducerOptions options)
    : implementation_(std::make_unique<Implementation>(std::move(options))) {}

MockProducer::MockProducer(MockProducer&&) noexcept = default;

MockProducer& MockProducer::operator=(MockProducer&& other) noexcept {
  std::swap(implementation_, other.implementation_);
  return *this;
}

MockProducer::~MockProducer() {
  if (implementation_) static_cast<void>(implementation_->close(Producer::closing_time_max));
}

Future<Result<Delivery>> MockProducer::send(const Record& record, WhenFull when_full) {
  return implementation_->send(record, when_full);
}

Result<void> MockProducer::post(const Record& record, std::uint64_t tag, WhenFull) {
  return implementation_->post(record, tag);
}

Future<Result<void>> MockProducer::when_room(const Record&) {
  return implementation_->when_room();
}

void MockProducer::on_delivery(DeliveryHandler handler) {
  implementation_->on_delivery(std::move(handler));
}

Result<void> MockProducer::flush(std::chrono::milliseconds time) {
  return implementation_->flush(time);
}

Result<void> MockProducer::close(std::chrono::milliseconds time) {
  return implementation_->close(time);
}

Result<std::int32_t> MockProducer::partition_count(std::string_view topic,
                                                   std::chrono::milliseconds) {
  return implementation_->partition_count(topic);
}

std::vector<OwnedRecord> MockProducer::history() const {
  return implementation_->history();
}

Result<void> MockProducer::init_transactions(std::chrono::milliseconds time) {
  return implementation_->init(time).get();
}

Transaction MockProducer::begin(std::chrono::milliseconds time) {
  const auto number = implementation_->begin(time).get();
  if (!number) return Transaction(nullptr, 0, number.error());
  return Transaction(implementation_.get(), *number, {});
}

std::vector<OwnedRecord> MockProducer::uncommitted() const {
  return implementation_->uncommitted();
}

std::vector<SentOffsets> MockProducer::committed_offsets() const {
  return implementation_->committed_offsets();
}

std::vector<SentOffsets> MockProducer::uncommitted_offsets() const {
  return implementation_->uncommitted_offsets();
}

std::size_t MockProducer::commit_count() const {
  return implementation_->commit_count();
}

std::size_t MockProducer::abort_count() const {
  return implementation_->abort_count();
}

bool MockProducer::is_in_transaction() const {
  return implementation_->is_in_transaction();
}

void MockProducer::fail_next_call(TransactionCall call, Error error) {
  implementation_->fail_next_call(call, std::move(error));
}

void MockProducer::clear_history() {
  implementation_->clear_history();
}

std::size_t MockProducer::waiting() const {
  return implementation_->waiting();
}

std::size_t MockProducer::flush_count() const {
  return implementation_->flush_count();
}

bool MockProducer::is_closed() const {
  return implementation_->is_closed();
}

bool MockProducer::complete_next() {
  return implementation_->complete_next();
}

bool MockProducer::fail_next(Error error) {
  return implementation_->fail_next(error);
}

void MockProducer::refuse_next(Error error, std::size_t times) {
  implementation_->refuse_next(std::move(error), times);
}

void MockProducer::set_full(bool is_full) {
  implementation_->set_full(is_full);
}

void MockProducer::fence() {
  implementation_->fence();
}

}  // namespace millrace::inline v1
