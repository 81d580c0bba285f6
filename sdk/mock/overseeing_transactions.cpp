// Transactions as operators see and end them.
module;
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

module millrace.mock;

import millrace.base;
import millrace.protocol.api;
import millrace.protocol.transactions;
import millrace.protocol.wire;
import millrace.runtime;
import millrace.storage.producers;
import :asked;
import :faults;
import :handlers;
import :state;
import :transaction_desk;

namespace millrace::mock {
namespace {

using protocol::DescribeTransactionsResponse;
using protocol::ListTransactionsResponse;

std::string_view state_of(TransactionPhase phase) {
  switch (phase) {
    case TransactionPhase::empty:
      return "Empty";
    case TransactionPhase::ongoing:
      return "Ongoing";
    case TransactionPhase::committed:
      return "CompleteCommit";
    case TransactionPhase::aborted:
      return "CompleteAbort";
  }
  return "";
}

bool is_state(std::string_view text) {
  return text == "Empty" || text == "Ongoing" || text == "PrepareCommit" ||
         text == "PrepareAbort" || text == "CompleteCommit" || text == "CompleteAbort" ||
         text == "Dead" || text == "PrepareEpochFence";
}

template <class List, class Value>
bool wants(const List& wanted, const Value& value) {
  return wanted.empty() || std::ranges::find(wanted, value) != wanted.end();
}

}  // namespace

ErrorCode TransactionDesk::end_hanging(Partition& partition, ProducerId producer,
                                       ProducerEpoch epoch, bool commits) {
  const storage::ProducerMarker marker{.producer = producer,
                                       .epoch = epoch,
                                       .coordinator_epoch = {},
                                       .offset = partition.log.end(),
                                       .timestamp = state_.clock().wall_now(),
                                       .aborts = !commits};
  constexpr std::int16_t without_bump = 0;
  const auto checked =
      partition.producers.check(marker, storage::AppendOrigin::coordinator, without_bump);
  if (!checked.accepted()) return ErrorCode::invalid_producer_epoch;
  Transactional hanging;
  hanging.producer = producer;
  hanging.epoch = epoch;
  mark(partition, hanging, commits, epoch, false);
  return ErrorCode::none;
}

Answer list_transactions(Asked& asked) {
  protocol::ListTransactionsRequest message;
  if (!read(message, asked)) return {};
  ListTransactionsResponse response;
  std::vector<protocol::String> unknown;
  for (const protocol::String state : message.state_filters) {
    if (!is_state(state)) unknown.push_back(state);
  }
  std::vector<ListTransactionsResponse::TransactionState> rows;
  for (const auto& [id, transaction] : asked.transactions.all()) {
    // A broker lists those that it coordinates.
    if (asked.planted != ErrorCode::none || asked.state.coordinator_of(id) != asked.broker ||
        !wants(message.state_filters, state_of(transaction.phase)) ||
        !wants(message.producer_id_filters, transaction.producer.value())) {
      continue;
    }
    rows.push_back({.transactional_id = id,
                    .producer_id = transaction.producer.value(),
                    .transaction_state = state_of(transaction.phase)});
  }
  response.error_code = number_of(asked.planted);
  response.unknown_state_filters = keep(unknown, asked);
  response.transaction_states = keep(rows, asked);
  return answer(asked, response);
}

Answer describe_transactions(Asked& asked) {
  protocol::DescribeTransactionsRequest message;
  if (!read(message, asked)) return {};
  std::vector<DescribeTransactionsResponse::TransactionState> rows;
  for (const protocol::String id : message.transactional_ids) {
    const Transactional* const transaction = asked.transactions.find(id);
    ErrorCode error = asked.planted;
    if (error == ErrorCode::none && asked.state.coordinator_of(id) != asked.broker) {
      error = ErrorCode::not_coordinator;
    } else if (error == ErrorCode::none && transaction == nullptr) {
      error = ErrorCode::transactional_id_not_found;
    }
    auto& row = rows.emplace_back();
    row.error_code = number_of(error);
    row.transactional_id = id;
    row.transaction_start_time_ms = -1;
    if (error != ErrorCode::none) continue;
    row.transaction_state = state_of(transaction->phase);
    row.transaction_timeout_ms = transaction->timeout_ms;
    if (transaction->phase == TransactionPhase::ongoing) row.transaction_start_time_ms = 0;
    row.producer_id = transaction->producer.value();
    row.producer_epoch = transaction->epoch.value();
    std::vector<DescribeTransactionsResponse::TopicData> topics;
    for (const auto& [topic, partition] : transaction->partitions) {
      topics.push_back({.topic = topic, .partitions = keep(std::vector{partition}, asked)});
    }
    row.topics = keep(topics, asked);
  }
  DescribeTransactionsResponse response;
  response.transaction_states = keep(rows, asked);
  return answer(asked, response);
}

Answer write_txn_markers(Asked& asked) {
  protocol::WriteTxnMarkersRequest message;
  if (!read(message, asked)) return {};
  using Response = protocol::WriteTxnMarkersResponse;
  std::vector<Response::WritableTxnMarkerResult> markers;
  for (const auto& in : message.markers) {
    std::vector<Response::WritableTxnMarkerTopicResult> topics;
    for (const auto& topic : in.topics) {
      const Topic* const known = asked.state.find(topic.name);
      std::vector<Response::WritableTxnMarkerPartitionResult> parts;
      for (const std::int32_t index : topic.partition_indexes) {
        Partition* const partition = known == nullptr ? nullptr : known->find(index);
        ErrorCode error = asked.planted;
        if (error == ErrorCode::none && partition == nullptr) {
          error = ErrorCode::unknown_topic_or_partition;
        } else if (error == ErrorCode::none && partition->leader != asked.broker) {
          error = ErrorCode::not_leader_or_follower;
        }
        if (error == ErrorCode::none) {
          error = asked.transactions.end_hanging(*partition, ProducerId(in.producer_id),
                                                 ProducerEpoch(in.producer_epoch),
                                                 in.transaction_result);
          asked.changed = true;
        }
        parts.push_back({.partition_index = index, .error_code = number_of(error)});
      }
      topics.push_back({.name = topic.name, .partitions = keep(parts, asked)});
    }
    markers.push_back({.producer_id = in.producer_id, .topics = keep(topics, asked)});
  }
  Response response;
  response.markers = keep(markers, asked);
  return answer(asked, response);
}

}  // namespace millrace::mock
