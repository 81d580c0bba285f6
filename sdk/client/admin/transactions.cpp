// Transactions, as operators see and end them.
module;
#include <algorithm>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

module millrace.client.admin;

import millrace.base;
import millrace.client.core;
import millrace.protocol;
import millrace.runtime;
import millrace.runtime.streams;
import :admin_client;
import :rounds;
import :state;
import :types;

namespace millrace::client {
namespace {

using protocol::DescribeTransactionsRequest;
using protocol::DescribeTransactionsResponse;
using protocol::InitProducerIdRequest;
using protocol::ListTransactionsRequest;
using protocol::WriteTxnMarkersRequest;

constexpr std::int16_t durations_from = 1;
constexpr std::int16_t patterns_from = 2;

std::string named(const std::string& id) {
  return formatted("transactional id {}", id);
}

std::string itself(const std::string& id) {
  return id;
}

DescribedTransaction transaction_of(const DescribeTransactionsResponse::TransactionState& in,
                                    BrokerId broker) {
  DescribedTransaction out;
  out.state = in.transaction_state;
  out.coordinator = broker;
  out.producer = ProducerId(in.producer_id);
  out.epoch = ProducerEpoch(in.producer_epoch);
  out.timeout = std::chrono::milliseconds(in.transaction_timeout_ms);
  if (in.transaction_start_time_ms >= 0) out.started = Timestamp(in.transaction_start_time_ms);
  for (const auto& topic : in.topics) {
    for (const std::int32_t partition : topic.partitions) {
      out.partitions.push_back({std::string(topic.topic), PartitionIndex(partition)});
    }
  }
  return out;
}

}  // namespace

Task<ClientResult<ListedTransactions>> AdminClient::list_transactions(TransactionsFilter filter,
                                                                      AdminOptions options) {
  const MonotonicTime deadline = state_->deadline_of(options);
  auto brokers = co_await state_->all_brokers(deadline);
  if (!brokers) co_return failure(std::move(brokers.error()));
  const auto states = views_of(filter.states);
  std::vector<std::int64_t> producers;
  for (const ProducerId producer : filter.producers) producers.push_back(producer.value());
  ListTransactionsRequest request;
  request.state_filters = view_of(states);
  request.producer_id_filters = view_of(producers);
  CallOptions call{.deadline = deadline};
  if (filter.running_for) {
    call.version_min = durations_from;
    request.duration_filter =
        std::chrono::duration_cast<std::chrono::milliseconds>(*filter.running_for).count();
  }
  if (filter.id_pattern) {
    call.version_min = patterns_from;
    request.transactional_id_pattern = *filter.id_pattern;
  }
  using Value = std::vector<ListedTransaction>;
  const auto ask = [&](BrokerId broker) -> Task<ClientResult<Value>> {
    auto reply = co_await state_->send(broker, request, call);
    if (!reply) co_return failure(std::move(reply.error()));
    const auto& in = reply->message;
    if (code_of(in.error_code) != ErrorCode::none) {
      co_return failure(refused(in.error_code, broker, "the transactions of the broker"));
    }
    if (!in.unknown_state_filters.empty()) {
      co_return failure(client_error(
          Failure::bad_argument, formatted("broker {} knows no state {} of transactions", broker,
                                           in.unknown_state_filters[0])));
    }
    Value listed;
    for (const auto& row : in.transaction_states) {
      listed.push_back({std::string(row.transactional_id), ProducerId(row.producer_id),
                        std::string(row.transaction_state), broker});
    }
    co_return listed;
  };
  ListedTransactions out;
  for (auto& [broker, listed] : co_await state_->ask_brokers<Value>(
           *std::move(brokers), GoneBroker::has_nothing, deadline, ask)) {
    if (!listed) {
      out.errors.push_back(std::move(listed.error()));
      continue;
    }
    std::ranges::move(*listed, std::back_inserter(out.transactions));
  }
  std::ranges::sort(out.transactions, {}, &ListedTransaction::id);
  co_return out;
}

Task<Outcomes<std::string, DescribedTransaction>> AdminClient::describe_transactions(
    std::vector<std::string> ids, AdminOptions options) {
  const MonotonicTime deadline = state_->deadline_of(options);
  using Open = Items<std::string, DescribedTransaction>;
  const auto route = [&](Open& items) {
    return state_->to_coordinators(items, deadline, itself, CoordinatorOf::transaction);
  };
  const auto ask = [&](BrokerId broker, Open& items) -> Task<ClientResult<void>> {
    std::vector<protocol::String> names;
    for (const auto* const item : items) names.emplace_back(item->key);
    DescribeTransactionsRequest request;
    request.transactional_ids = view_of(names);
    auto reply = co_await state_->send(broker, request, CallOptions{.deadline = deadline});
    if (!reply) co_return failure(std::move(reply.error()));
    using Row = DescribeTransactionsResponse::TransactionState;
    for (auto* const item : items) {
      settle_by(*item,
                row_named(reply->message.transaction_states, item->key, &Row::transactional_id),
                broker, named(item->key),
                [&](const Row& row) { item->settle(transaction_of(row, broker)); });
    }
    co_return ClientResult<void>();
  };
  co_return co_await in_rounds<std::string, DescribedTransaction>(
      std::move(ids), state_->rounds(deadline), route, ask);
}

Task<ClientResult<void>> AdminClient::abort_transaction(HangingTransaction transaction,
                                                        AdminOptions options) {
  const MonotonicTime deadline = state_->deadline_of(options);
  const MonotonicTime begun = state_->executor.clock().now();
  using Open = Items<TopicPartition, void>;
  const auto route = [&](Open& items) {
    return state_->to_leaders(
        items, begun, deadline,
        [](const TopicPartition& key) -> const TopicPartition& { return key; });
  };
  const auto ask = [&](BrokerId broker, Open& items) -> Task<ClientResult<void>> {
    const std::int32_t number = transaction.partition.partition.value();
    const WriteTxnMarkersRequest::WritableTxnMarkerTopic topic{.name = transaction.partition.topic,
                                                               .partition_indexes = {&number, 1}};
    WriteTxnMarkersRequest::WritableTxnMarker marker;
    marker.producer_id = transaction.producer.value();
    marker.producer_epoch = transaction.epoch.value();
    marker.transaction_result = false;
    marker.topics = {&topic, 1};
    marker.coordinator_epoch = transaction.coordinator_epoch;
    WriteTxnMarkersRequest request;
    request.markers = {&marker, 1};
    auto reply = co_await state_->send(broker, request, CallOptions{.deadline = deadline});
    if (!reply) co_return failure(std::move(reply.error()));
    const auto& markers = reply->message.markers;
    const bool told = !markers.empty() && !markers[0].topics.empty();
    settle_by(*items.front(), told ? row_at(markers[0].topics[0].partitions, 0) : nullptr, broker,
              to_string(transaction.partition), [&](const auto&) { items.front()->settle(); });
    co_return ClientResult<void>();
  };
  auto outcomes = co_await in_rounds<TopicPartition, void>(
      std::vector<TopicPartition>{transaction.partition}, state_->rounds(deadline), route, ask);
  co_return std::move(outcomes.front().second);
}

Task<Outcomes<std::string, FencedProducer>> AdminClient::fence_producers(
    std::vector<std::string> ids, AdminOptions options) {
  const MonotonicTime deadline = state_->deadline_of(options);
  using Open = Items<std::string, FencedProducer>;
  const auto route = [&](Open& items) {
    return state_->to_coordinators(items, deadline, itself, CoordinatorOf::transaction);
  };
  const auto ask = [&](BrokerId broker, Open& items) -> Task<ClientResult<void>> {
    // The request has room for one.
    for (auto* const item : items) {
      InitProducerIdRequest request;
      request.transactional_id = item->key;
      request.transaction_timeout_ms = state_->milliseconds_until(deadline);
      auto reply = co_await state_->send(broker, request, CallOptions{.deadline = deadline});
      if (!reply) co_return failure(std::move(reply.error()));
      settle_by(*item, &reply->message, broker, named(item->key), [&](const auto& in) {
        item->settle(FencedProducer{ProducerId(in.producer_id), ProducerEpoch(in.producer_epoch)});
      });
    }
    co_return ClientResult<void>();
  };
  co_return co_await in_rounds<std::string, FencedProducer>(std::move(ids),
                                                            state_->rounds(deadline), route, ask);
}

}  // namespace millrace::client
