module;
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "hooks.hpp"
#include "millrace/event_queue.hpp"
#include "millrace/future.hpp"
#include "millrace/interceptors.hpp"
#include "millrace/partitioner.hpp"
#include "millrace/producer.hpp"
#include "millrace/result.hpp"

module millrace.client.bridge.producer;

import millrace.base;
import millrace.client.core;
import millrace.client.producer;
import millrace.client.bridge;

namespace millrace::client {

namespace {

v1::HookFailures::Warn warn_in(const Logger& log) {
  return [log](const std::string& sentence) { log.warning("{}", sentence); };
}

v1::BytesView outer(std::optional<ByteView> bytes) {
  return bytes ? public_bytes(*bytes) : v1::BytesView();
}

}  // namespace

ProducerHooks::ProducerHooks(Logger log, std::shared_ptr<v1::EventQueue> events)
    : log_(std::move(log)),
      events_(std::move(events)),
      partitioner_failures_(warn_in(log_)),
      interceptors_(warn_in(log_)) {}

void ProducerHooks::set_handler(v1::DeliveryHandler handler) {
  handler_ = handler ? std::make_shared<const v1::DeliveryHandler>(std::move(handler)) : nullptr;
}

void ProducerHooks::pass(v1::OutgoingRecord& record) const {
  interceptors_.each("ProducerInterceptor::on_send",
                     [&](v1::ProducerInterceptor& one) { one.on_send(record); });
}

void ProducerHooks::refused(const v1::Record& record, const ClientError& why) const {
  const Outcome outcome = public_error(why);
  interceptors_.each("ProducerInterceptor::on_acknowledgement", [&](v1::ProducerInterceptor& one) {
    one.on_acknowledgement({record.topic, record.partition.value_or(-1), outcome});
  });
}

std::optional<ClientError> ProducerHooks::refusal() const {
  if (events_ == nullptr || events_->waiting() < v1::EventQueue::waiting_max) [[likely]]
    return std::nullopt;
  return client_error(Failure::buffer_full,
                      "outcomes wait for EventQueue::dispatch(), and there is no room for more");
}

ClientResult<std::optional<PartitionIndex>> ProducerHooks::choose(
    const RecordToSend& record, std::int32_t partition_count,
    std::span<const std::int32_t> available) {
  std::optional<std::int32_t> chosen;
  const auto thrown = partitioner_failures_.call("the partitioner", [&] {
    chosen = partitioner_({.topic = record.topic,
                           .key = outer(record.key),
                           .value = outer(record.value),
                           .partition_count = partition_count,
                           .available = available});
  });
  if (thrown)
    return failure(client_error(Failure::bad_argument,
                                "the partitioner of the application threw: " + *thrown));
  if (!chosen) return std::optional<PartitionIndex>();
  return std::optional(PartitionIndex(*chosen));
}

ProducerHooks::Outcome ProducerHooks::outcome_of(const DeliveryReport& report) const {
  const auto outcome = [&]() -> Outcome {
    if (report.error != nullptr) return public_delivery_error(*report.error);
    v1::Delivery delivery{.partition = report.partition.value(), .offset = report.offset.value()};
    if (report.timestamp != no_timestamp)
      delivery.timestamp = v1::Timestamp(std::chrono::milliseconds(report.timestamp.value()));
    return delivery;
  }();
  interceptors_.each("ProducerInterceptor::on_acknowledgement", [&](v1::ProducerInterceptor& one) {
    one.on_acknowledgement({report.topic, report.partition.value(), outcome});
  });
  return outcome;
}

void ProducerHooks::tell(std::uint64_t tag, const DeliveryReport& report) const {
  if (handler_ == nullptr) {
    if (!interceptors_.empty()) static_cast<void>(outcome_of(report));
    if (report.error != nullptr) log_.error("{}", report.error->message);
    return;
  }
  if (events_ == nullptr) {
    (*handler_)(tag, outcome_of(report));
    return;
  }
  v1::detail::Promise<Outcome> told;
  told.complete_on(events_);
  told.future().then(
      [handler = handler_, tag](const Outcome& outcome) { (*handler)(tag, outcome); });
  told.set(outcome_of(report));
}

}  // namespace millrace::client
