// Transactions: who may have one, what belongs to it, how it ends.
module;
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

module millrace.mock;

import millrace.base;
import millrace.groups;
import millrace.protocol.api;
import millrace.protocol.transactions;
import millrace.protocol.wire;
import millrace.runtime;
import :asked;
import :faults;
import :group_desk;
import :group_words;
import :handlers;
import :state;
import :transaction_desk;

namespace millrace::mock {
namespace {

// From these versions on clients know PRODUCER_FENCED.
constexpr std::int16_t init_knows_fenced_from = 4;
constexpr std::int16_t others_know_fenced_from = 2;
// Later ones are for brokers.
constexpr std::int16_t add_partitions_of_clients_max = 3;
// Of the second transaction protocol: transactions grow by what is written, and each has an epoch.
constexpr std::int16_t implicit_offsets_from = 5;
constexpr std::int16_t bumping_end_from = 5;

bool is_here(Asked& asked, std::string_view key) {
  return asked.state.coordinator_of(key) == asked.broker;
}

ErrorCode told(ErrorCode error, std::int16_t version, std::int16_t knows_fenced_from) {
  if (error == ErrorCode::producer_fenced && version < knows_fenced_from) {
    return ErrorCode::invalid_producer_epoch;
  }
  return error;
}

// The error of a request to the coordinator of a transactional id.
ErrorCode refusal_of(Asked& asked, std::string_view id, std::int64_t producer, std::int16_t epoch) {
  if (asked.planted != ErrorCode::none) return asked.planted;
  if (!is_here(asked, id)) return ErrorCode::not_coordinator;
  const ErrorCode error =
      asked.transactions.refusal_of(id, ProducerId(producer), ProducerEpoch(epoch));
  return told(error, asked.version(), others_know_fenced_from);
}

groups::CommitRequest read_commit(const protocol::TxnOffsetCommitRequest& in, Asked& asked,
                                  bool with_topics) {
  groups::CommitRequest out;
  out.group = in.group_id;
  out.generation = groups::Generation(in.generation_id);
  out.member_id = in.member_id;
  out.instance_id = owned(in.group_instance_id);
  if (!with_topics) return out;
  for (const auto& topic : in.topics) {
    const Topic* const known = asked.state.find(topic.name);
    groups::CommittedTopic row{std::string(topic.name), {}, {}};
    for (const auto& part : topic.partitions) {
      if (known == nullptr || known->find(part.partition_index) == nullptr) continue;
      row.partitions.push_back({PartitionIndex(part.partition_index), Offset(part.committed_offset),
                                LeaderEpoch(part.committed_leader_epoch),
                                std::string(part.committed_metadata)});
    }
    if (!row.partitions.empty()) out.topics.push_back(std::move(row));
  }
  return out;
}

// What the transaction commits for its groups; an error where one does not take it any more.
Task<std::optional<ErrorCode>> commit_offsets(Asked& asked, Transactional& transaction) {
  const auto offsets = transaction.offsets;
  for (const auto& [group, request] : offsets) {
    const auto replied = co_await ask_anywhere<groups::CommitReply>(asked, request);
    if (!replied) co_return std::nullopt;
    if (replied->error != ErrorCode::none) co_return ErrorCode::transaction_abortable;
  }
  co_return ErrorCode::none;
}

// The error of an end, and whether there is anything to end.
struct Ending {
  ErrorCode error = ErrorCode::none;
  bool is_done = false;
};

Ending ending_of(Asked& asked, const protocol::EndTxnRequest& message) {
  const bool bumps = asked.version() >= bumping_end_from;
  const std::string_view id = message.transactional_id;
  ErrorCode error = refusal_of(asked, id, message.producer_id, message.producer_epoch);
  const Transactional* const transaction = asked.transactions.find(id);
  const auto wanted = message.committed ? TransactionPhase::committed : TransactionPhase::aborted;
  if (bumps && error == ErrorCode::producer_fenced && transaction->phase == wanted &&
      transaction->epoch == ProducerEpoch(message.producer_epoch).next()) {
    return {ErrorCode::none, true};  // asked again
  }
  if (error != ErrorCode::none) return {error};
  if (transaction->phase == TransactionPhase::ongoing) return {};
  if (!bumps && transaction->phase == wanted) return {ErrorCode::none, true};
  if (bumps && !message.committed) return {};
  return {ErrorCode::invalid_txn_state};
}

}  // namespace

Answer init_transactional(const protocol::InitProducerIdRequest& message, Asked& asked) {
  protocol::InitProducerIdResponse response;
  response.producer_id = no_producer_id.value();
  response.producer_epoch = no_producer_epoch.value();
  ErrorCode error = asked.planted;
  if (error == ErrorCode::none && !is_here(asked, message.transactional_id)) {
    error = ErrorCode::not_coordinator;
  }
  if (error == ErrorCode::none && message.transaction_timeout_ms <= 0) {
    error = ErrorCode::invalid_transaction_timeout;
  }
  if (error == ErrorCode::none) {
    const auto owner = asked.transactions.take(
        message.transactional_id, ProducerId(message.producer_id),
        ProducerEpoch(message.producer_epoch), message.transaction_timeout_ms);
    error = told(owner.error, asked.version(), init_knows_fenced_from);
    response.producer_id = owner.producer.value();
    response.producer_epoch = owner.epoch.value();
    asked.changed = true;
  }
  response.error_code = number_of(error);
  return answer(asked, response);
}

Answer add_partitions_to_txn(Asked& asked) {
  protocol::AddPartitionsToTxnRequest message;
  if (!read(message, asked) || asked.version() > add_partitions_of_clients_max) return {};
  const std::string_view id = message.v3_and_below_transactional_id;
  const ErrorCode refusal =
      refusal_of(asked, id, message.v3_and_below_producer_id, message.v3_and_below_producer_epoch);
  bool all_known = true;
  for (const auto& topic : message.v3_and_below_topics) {
    const Topic* const known = asked.state.find(topic.name);
    for (const std::int32_t index : topic.partitions) {
      all_known = all_known && known != nullptr && known->find(index) != nullptr;
    }
  }
  using Response = protocol::AddPartitionsToTxnResponse;
  std::vector<Response::AddPartitionsToTxnTopicResult> topics;
  for (const auto& topic : message.v3_and_below_topics) {
    const Topic* const known = asked.state.find(topic.name);
    std::vector<Response::AddPartitionsToTxnPartitionResult> parts;
    for (const std::int32_t index : topic.partitions) {
      ErrorCode error = refusal;
      const bool is_there = known != nullptr && known->find(index) != nullptr;
      if (error == ErrorCode::none && !is_there) error = ErrorCode::unknown_topic_or_partition;
      // All or none.
      if (error == ErrorCode::none && !all_known) error = ErrorCode::operation_not_attempted;
      if (error == ErrorCode::none) {
        asked.transactions.add(*asked.transactions.find(id), topic.name, PartitionIndex(index));
      }
      parts.push_back({.partition_index = index, .partition_error_code = number_of(error)});
    }
    topics.push_back({.name = topic.name, .results_by_partition = keep(parts, asked)});
  }
  Response response;
  response.results_by_topic_v3_and_below = keep(topics, asked);
  return answer(asked, response);
}

Answer add_offsets_to_txn(Asked& asked) {
  protocol::AddOffsetsToTxnRequest message;
  if (!read(message, asked)) return {};
  const ErrorCode error =
      refusal_of(asked, message.transactional_id, message.producer_id, message.producer_epoch);
  if (error == ErrorCode::none) {
    asked.transactions.add_group(*asked.transactions.find(message.transactional_id));
  }
  protocol::AddOffsetsToTxnResponse response;
  response.error_code = number_of(error);
  return answer(asked, response);
}

Task<Answer> txn_offset_commit(Asked& asked) {
  protocol::TxnOffsetCommitRequest message;
  if (!read(message, asked)) co_return Answer{};
  // The group says whether it would take them of this member.
  const auto asked_group = co_await ask<groups::CommitReply>(asked, message.group_id,
                                                             read_commit(message, asked, false));
  if (!asked_group) co_return Answer{};
  ErrorCode refusal = asked_group->error;
  Transactional* const transaction = asked.transactions.find(message.transactional_id);
  if (refusal == ErrorCode::none) {
    refusal =
        asked.transactions.refusal_of(message.transactional_id, ProducerId(message.producer_id),
                                      ProducerEpoch(message.producer_epoch));
    if (refusal == ErrorCode::producer_fenced) refusal = ErrorCode::invalid_producer_epoch;
  }
  const bool is_implicit = asked.version() >= implicit_offsets_from;
  if (refusal == ErrorCode::none && !is_implicit &&
      transaction->phase != TransactionPhase::ongoing) {
    refusal = ErrorCode::invalid_txn_state;
  }
  if (refusal == ErrorCode::none) {
    asked.transactions.add(*transaction, read_commit(message, asked, true));
  }
  using Response = protocol::TxnOffsetCommitResponse;
  std::vector<Response::TxnOffsetCommitResponseTopic> topics;
  for (const auto& topic : message.topics) {
    const Topic* const known = asked.state.find(topic.name);
    std::vector<Response::TxnOffsetCommitResponsePartition> parts;
    for (const auto& part : topic.partitions) {
      ErrorCode error = refusal;
      if (error == ErrorCode::none &&
          (known == nullptr || known->find(part.partition_index) == nullptr)) {
        error = ErrorCode::unknown_topic_or_partition;
      }
      parts.push_back({.partition_index = part.partition_index, .error_code = number_of(error)});
    }
    topics.push_back({.name = topic.name, .partitions = keep(parts, asked)});
  }
  Response response;
  response.topics = keep(topics, asked);
  co_return answer(asked, response);
}

Task<Answer> end_txn(Asked& asked) {
  protocol::EndTxnRequest message;
  if (!read(message, asked)) co_return Answer{};
  Ending ending = ending_of(asked, message);
  Transactional* const transaction = asked.transactions.find(message.transactional_id);
  if (ending.error == ErrorCode::none && !ending.is_done && message.committed) {
    const auto error = co_await commit_offsets(asked, *transaction);
    if (!error) co_return Answer{};
    ending.error = *error;
  }
  if (ending.error == ErrorCode::none && !ending.is_done) {
    asked.transactions.end(*transaction, message.committed, asked.version() >= bumping_end_from);
    asked.changed = true;
  }
  protocol::EndTxnResponse response;
  response.error_code = number_of(ending.error);
  if (ending.error == ErrorCode::none && asked.version() >= bumping_end_from) {
    response.producer_id = transaction->producer.value();
    response.producer_epoch = transaction->epoch.value();
  }
  co_return answer(asked, response);
}

}  // namespace millrace::mock
