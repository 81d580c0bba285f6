module;
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

module millrace.client.producer;

import millrace.base;
import millrace.client.core;
import millrace.protocol.produce;
import millrace.runtime;

namespace millrace::client {

Task<void> Sender::send(BrokerId broker, std::unique_ptr<OutgoingProduce> request) {
  CallOptions options;
  options.version_min = request->version_min();
  options.version_max = request->version_max();
  options.may_wait_for_connection = false;
  const MonotonicTime begun = executor_.clock().now();
  const auto ended = [&] {
    --nodes_[broker].in_flight;
    for (const OutgoingProduce::Item& item : request->items()) {
      --item.partition->in_flight;
      item.batch->last_broker = broker;
    }
  };
  if (settings_.acks == Acks::none) {
    const auto written = co_await brokers_.call_without_answer(broker, request->message(), options);
    ended();
    if (written) {
      nodes_[broker].unreachable_since.reset();
      nodes_[broker].has_taken_unanswered = true;
    }
    if (!written) not_answered(*request, written.error());
    protocol::ProduceResponse::PartitionProduceResponse nothing_said;
    nothing_said.base_offset = no_offset.value();
    for (const OutgoingProduce::Item& item : request->items()) {
      if (written) answered(item, broker, nothing_said);
    }
  } else {
    const auto reply = co_await brokers_.call(broker, request->message(), options);
    ended();
    if (reply) {
      const MonotonicTime now = executor_.clock().now();
      nodes_[broker].unreachable_since.reset();
      meters_.latency.record(milliseconds_of(now - begun), now);
      meters_.throttle.record(reply->message.throttle_time_ms, now);
      answered(broker, *request, reply->message, reply->version);
    } else {
      not_answered(*request, reply.error());
    }
  }
  // Callbacks of the program come last: they may send.
  for (const OutgoingProduce::Item& item : request->items()) report(*item.partition);
  request->clear();
  spare_requests_.push_back(std::move(request));
  if (is_stopped_) progress_.wake_all();
  signal_.set();
}

void Sender::answered(BrokerId broker, const OutgoingProduce& request,
                      const protocol::ProduceResponse& answer, std::int16_t version) {
  ProduceAnswers answers(answer, version);
  for (const OutgoingProduce::Item& item : request.items()) {
    const auto* partition = answers.find(item);
    if (partition == nullptr) {
      retry(*item.partition, *item.batch,
            client_error(Failure::malformed_answer, "the answer leaves the partition out",
                         Persistence::unknown, broker));
      continue;
    }
    if (partition->error_code != 0) follow_hint(item, answer, *partition);
    answered(item, broker, *partition);
  }
}

void Sender::answered(const OutgoingProduce::Item& item, BrokerId broker,
                      const protocol::ProduceResponse::PartitionProduceResponse& answer) {
  Partition& partition = *item.partition;
  Batch& batch = *item.batch;
  if (batch.is_reported) {
    give_back(&batch);
    return;
  }
  const ErrorCode code = protocol::error_code_from(answer.error_code);
  const Verdict verdict =
      verdict_of(code, {.record_count = batch.record_count(),
                        .is_idempotent = is_idempotent(),
                        .is_transactional = transactor_ != nullptr,
                        .is_head = code == ErrorCode::none || is_head(partition, batch)});
  const auto error = [&] { return broker_error(code, broker, std::string(answer.error_message)); };
  if (verdict != Verdict::delivered && traits_of(code).refresh_metadata) metadata_.invalidate();
  switch (verdict) {
    case Verdict::delivered:
    case Verdict::was_there:
      batch.base_offset = verdict == Verdict::delivered ? Offset(answer.base_offset) : no_offset;
      batch.log_append_time = Timestamp(answer.log_append_time_ms);
      batch.state = BatchState::succeeded;
      if (batch.has_sequence) partition.sequences.taken(batch.assigned);
      return;
    case Verdict::retry:
      return retry(partition, batch, error());
    case Verdict::split:
      return split(partition, batch);
    case Verdict::gap:
      return gap(partition, batch, error());
    case Verdict::failed:
      return fail(partition, batch, error());
    case Verdict::failed_fatal:
      fail(partition, batch, error());
      return fail_for_good(transactor_ != nullptr && transactor_->error() ? *transactor_->error()
                                                                          : error());
  }
}

void Sender::follow_hint(const OutgoingProduce::Item& item, const protocol::ProduceResponse& answer,
                         const protocol::ProduceResponse::PartitionProduceResponse& partition) {
  if (partition.current_leader.leader_id < 0) return;
  const BrokerId leader{partition.current_leader.leader_id};
  std::optional<BrokerEndpoint> endpoint;
  for (const auto& node : answer.node_endpoints) {
    if (node.node_id != leader.value() || node.port <= 0 || node.port > 65535) continue;
    endpoint = BrokerEndpoint{
        leader, {std::string(node.host), Port(static_cast<std::uint16_t>(node.port))}};
  }
  metadata_.apply_leader_hint(item.partition->topic.name(), item.partition->index, leader,
                              LeaderEpoch(partition.current_leader.leader_epoch), endpoint);
}

void Sender::not_answered(const OutgoingProduce& request, const ClientError& error) {
  const bool may_be_retried =
      error.failure != Failure::closed && error.failure != Failure::unsupported_version &&
      error.failure != Failure::bad_argument && error.failure != Failure::record_too_large;
  if (may_be_retried) metadata_.invalidate();
  for (const OutgoingProduce::Item& item : request.items()) {
    if (may_be_retried) {
      retry(*item.partition, *item.batch, error);
    } else {
      if (error.persistence != Persistence::not_persisted) item.batch->may_be_persisted = true;
      fail(*item.partition, *item.batch, error);
    }
  }
}

}  // namespace millrace::client
