// Records come in.
module;
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

module millrace.mock;

import millrace.base;
import millrace.protocol.api;
import millrace.protocol.batch;
import millrace.protocol.compression;
import millrace.protocol.produce;
import millrace.protocol.transactions;
import millrace.protocol.wire;
import millrace.runtime;
import millrace.runtime.streams;
import millrace.storage.producers;
import :asked;
import :faults;
import :handlers;
import :options;
import :state;
import :transaction_desk;

namespace millrace::mock {
namespace {

using protocol::ProduceRequest;
using protocol::ProduceResponse;
using WireAnswer = ProduceResponse::PartitionProduceResponse;

constexpr std::int16_t zstd_from = 7;
// From the first version whose records join the transaction by themselves.
constexpr std::int16_t implicit_from = 12;
constexpr std::int16_t topic_ids_from = 13;
constexpr std::int16_t hints_from = 10;
constexpr std::int16_t acks_all = -1;
constexpr std::int64_t timestamp_after_max_ms = 3'600'000;

ErrorCode code_of(storage::ProducerVerdict verdict) {
  using storage::ProducerVerdict;
  switch (verdict) {
    case ProducerVerdict::accepted:
    case ProducerVerdict::duplicate:
      return ErrorCode::none;
    case ProducerVerdict::out_of_order_sequence_number:
      return ErrorCode::out_of_order_sequence_number;
    case ProducerVerdict::invalid_producer_epoch:
      return ErrorCode::invalid_producer_epoch;
    case ProducerVerdict::transaction_coordinator_fenced:
      return ErrorCode::transaction_coordinator_fenced;
    case ProducerVerdict::invalid_transaction_state:
      return ErrorCode::invalid_txn_state;
    case ProducerVerdict::too_many_producers:
      return ErrorCode::policy_violation;
  }
  return ErrorCode::unknown_server_error;
}

protocol::ValidationOptions rules_of(const Topic& topic, const Asked& asked) {
  protocol::ValidationOptions rules;
  rules.batch_bytes_max = static_cast<std::size_t>(
      topic.number("max.message.bytes", static_cast<std::int64_t>(message_bytes_max_default)));
  rules.require_keys = topic.setting_has("cleanup.policy", "compact");
  rules.zstd_allowed = asked.version() >= zstd_from;
  rules.now = asked.state.clock().wall_now();
  if (topic.setting_has("message.timestamp.type", "LogAppendTime")) {
    rules.timestamp_type = protocol::TimestampType::log_append_time;
  }
  rules.timestamp_after_max = std::chrono::milliseconds(
      topic.number("message.timestamp.after.max.ms", timestamp_after_max_ms));
  return rules;
}

// One request; parts are handled in its order.
class Producing {
 public:
  Producing(Asked& asked, const ProduceRequest& message) : asked_(asked), message_(message) {}

  Answer run() {
    ProduceResponse response;
    std::vector<ProduceResponse::TopicProduceResponse> topics;
    for (const auto& in : message_.topic_data) {
      const bool by_id = asked_.version() >= topic_ids_from;
      Topic* const topic = by_id ? asked_.state.find(in.topic_id) : asked_.state.find(in.name);
      const ErrorCode unknown =
          by_id ? ErrorCode::unknown_topic_id : ErrorCode::unknown_topic_or_partition;
      std::vector<WireAnswer> parts;
      for (const auto& part : in.partition_data) {
        WireAnswer told;
        told.index = part.index;
        told.base_offset = no_offset.value();
        const ErrorCode error = topic == nullptr ? unknown : append(*topic, part, told);
        if (error != ErrorCode::none) failed_ = true;
        told.error_code = number_of(error);
        parts.push_back(told);
      }
      topics.push_back(
          {.name = in.name, .topic_id = in.topic_id, .partition_responses = keep(parts, asked_)});
    }
    if (message_.acks == 0) return {failed_ ? AnswerKind::close : AnswerKind::none};
    response.responses = keep(topics, asked_);
    if (asked_.version() >= hints_from) response.node_endpoints = keep(endpoints_, asked_);
    return answer(asked_, response);
  }

 private:
  ErrorCode append(Topic& topic, const ProduceRequest::PartitionProduceData& in, WireAnswer& told) {
    if (asked_.planted != ErrorCode::none) return asked_.planted;
    if (message_.acks < acks_all || message_.acks > 1) return ErrorCode::invalid_required_acks;
    Partition* const partition = topic.find(in.index);
    if (partition == nullptr) return ErrorCode::unknown_topic_or_partition;
    if (partition->leader != asked_.broker) return redirect(*partition, told);
    const auto enough = topic.number("min.insync.replicas", 1);
    if (message_.acks == acks_all && std::cmp_less(partition->in_sync.size(), enough)) {
      return ErrorCode::not_enough_replicas;
    }
    protocol::Decompressor decompressor;
    protocol::RecordReader reader(decompressor);
    const auto rules = rules_of(topic, asked_);
    const auto valid = protocol::validate_batch(in.records.bytes(), rules, reader);
    if (!valid) {
      told.error_message = keep(protocol::sentence(valid.error()), asked_);
      return static_cast<ErrorCode>(protocol::kafka_error_code(valid.error().error));
    }
    return append(topic, *partition, *valid, rules, told);
  }

  ErrorCode append(const Topic& topic, Partition& partition, const protocol::ValidBatch& valid,
                   const protocol::ValidationOptions& rules, WireAnswer& told) {
    protocol::BatchHeader header = valid.batch.header();
    if (header.attributes.is_transactional()) {
      const ErrorCode refusal = join_transaction(topic, partition, header);
      if (refusal != ErrorCode::none) return refusal;
    }
    told.log_start_offset = partition.log.start().value();
    if (header.has_producer_id()) {
      const auto checked =
          partition.producers.check(placed(header, partition), storage::AppendOrigin::client);
      if (checked.verdict == storage::ProducerVerdict::duplicate) {
        told.base_offset = checked.original.first_offset().value();
        return ErrorCode::none;
      }
      if (!checked.accepted()) return code_of(checked.verdict);
    }
    const ByteView bytes = valid.batch.bytes();
    State& state = asked_.state;
    if (state.stored_bytes + bytes.size() > state.options().stored_bytes_max) {
      return ErrorCode::kafka_storage_error;
    }
    std::vector<std::byte> batch(bytes.begin(), bytes.end());
    if (valid.must_rewrite_timestamps) {
      protocol::rewrite_timestamps(batch, rules.timestamp_type, valid.max_timestamp);
      header.max_timestamp = valid.max_timestamp;
    }
    if (header.has_producer_id()) partition.producers.update(placed(header, partition));
    state.stored_bytes += batch.size();
    told.base_offset = partition.log.append(std::move(batch), header, partition.epoch).value();
    if (rules.timestamp_type == protocol::TimestampType::log_append_time) {
      told.log_append_time_ms = rules.now.value();
    }
    asked_.changed = true;
    return ErrorCode::none;
  }

  // What is written becomes part of the transaction, or must have been named before.
  ErrorCode join_transaction(const Topic& topic, const Partition& partition,
                             const protocol::BatchHeader& header) {
    if (message_.transactional_id.data() == nullptr) return ErrorCode::invalid_txn_state;
    TransactionDesk& desk = asked_.transactions;
    const ErrorCode refusal =
        desk.refusal_of(message_.transactional_id, header.producer.id, header.producer.epoch);
    if (refusal == ErrorCode::producer_fenced) return ErrorCode::invalid_producer_epoch;
    if (refusal != ErrorCode::none) return refusal;
    Transactional& transaction = *desk.find(message_.transactional_id);
    if (asked_.version() >= implicit_from) {
      desk.add(transaction, topic.name, partition.index);
    } else if (!transaction.partitions.contains({topic.name, partition.index.value()})) {
      return ErrorCode::invalid_txn_state;
    }
    return ErrorCode::none;
  }

  // The batch at the offsets that it would get.
  static storage::ProducerBatch placed(const protocol::BatchHeader& header,
                                       const Partition& partition) {
    protocol::BatchHeader at = header;
    at.base_offset = partition.log.end();
    return storage::producer_batch(at);
  }

  ErrorCode redirect(const Partition& partition, WireAnswer& told) {
    if (asked_.version() < hints_from) return ErrorCode::not_leader_or_follower;
    told.current_leader = {.leader_id = partition.leader.value(),
                           .leader_epoch = partition.epoch.value()};
    if (const Broker* const leader = asked_.state.broker(partition.leader)) {
      endpoints_.push_back({.node_id = leader->id.value(),
                            .host = leader->host,
                            .port = leader->address.port.value(),
                            .rack = protocol::null_string});
    }
    return ErrorCode::not_leader_or_follower;
  }

  Asked& asked_;
  const ProduceRequest& message_;
  std::vector<ProduceResponse::NodeEndpoint> endpoints_;
  bool failed_ = false;
};

}  // namespace

Answer produce(Asked& asked) {
  ProduceRequest message;
  if (!read(message, asked)) return {};
  return Producing(asked, message).run();
}

Answer init_producer_id(Asked& asked) {
  protocol::InitProducerIdRequest message;
  if (!read(message, asked)) return {};
  if (message.transactional_id.data() != nullptr) return init_transactional(message, asked);
  protocol::InitProducerIdResponse response;
  response.producer_id = no_producer_id.value();
  response.producer_epoch = no_producer_epoch.value();
  response.error_code = number_of(asked.planted);
  if (asked.planted == ErrorCode::none) {
    response.producer_id = asked.state.new_producer_id().value();
    response.producer_epoch = 0;
  }
  return answer(asked, response);
}

}  // namespace millrace::mock
