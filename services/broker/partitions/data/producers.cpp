module;
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <set>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

module millrace.broker.partitions.data;

import millrace.base;
import millrace.broker.connections;
import millrace.broker.partitions;
import millrace.protocol.transactions;
import millrace.runtime;
import millrace.security;
import millrace.storage.log;
import millrace.storage.producers;
import :answer;
import :arena_lease;
import :data_requests;
import :scatter;

// DescribeProducers.
namespace millrace::broker {

namespace {

using ActiveProducer = protocol::DescribeProducersResponse::ProducerState;

struct ProducerQuery : PartitionQuery {
  std::vector<ActiveProducer> producers;
};

Task<void> list_producers(Partition& partition, ProducerQuery& query) {
  const storage::ProducerStates& states = partition.log().producers();
  query.producers.reserve(states.size());
  for (const auto& [id, state] : states.all()) {
    ActiveProducer& producer = query.producers.emplace_back();
    producer.producer_id = id.value();
    producer.producer_epoch = state.epoch().value();
    if (const auto last = state.last_batch()) producer.last_sequence = last->last_sequence.value();
    producer.last_timestamp = state.last_timestamp().value();
    producer.coordinator_epoch = state.coordinator_epoch().value();
    producer.current_txn_start_offset = state.transaction_start().value_or(no_offset).value();
  }
  co_return;
}

// Four bytes that name a partition again would be answered with all its producers.
void refuse_repeated(std::vector<ProducerQuery>& queries) {
  std::set<std::pair<std::string_view, PartitionIndex>> seen;
  for (ProducerQuery& query : queries) {
    if (seen.emplace(query.topic, query.index).second) continue;
    query.code = ErrorCode::invalid_request;
    query.message = "the request names this partition before";
  }
}

}  // namespace

Task<Response> DataRequests::describe_producers(Request request) {
  using Message = protocol::DescribeProducersRequest;
  using Answer = protocol::DescribeProducersResponse;
  ArenaLease arena(*this);
  Message message;
  if (const auto read = decode(message, request.body, request.context.version, *arena); !read) {
    co_return unreadable(request, read.error());
  }
  auto queries = queries_of<ProducerQuery>(
      *this, message.topics, &Message::TopicRequest::name,
      &Message::TopicRequest::partition_indexes,
      [](ProducerQuery& query, std::int32_t index) { query.index = PartitionIndex(index); });
  refuse_repeated(queries);
  refuse_unauthorized(request, security::Operation::read, queries);
  Scatter scatter(*this, queries, &list_producers);
  co_await scatter.run();
  auto* topics = topics_of_answer<Answer::TopicResponse>(
      *arena, queries, message.topics, &Message::TopicRequest::partition_indexes,
      &Message::TopicRequest::name, &Answer::TopicResponse::name,
      &Answer::TopicResponse::partitions,
      [](Answer::PartitionResponse& out, const ProducerQuery& query) {
        out.partition_index = query.index.value();
        out.error_code = static_cast<std::int16_t>(query.code);
        if (!query.message.empty()) out.error_message = query.message;
        out.active_producers = std::span<const ActiveProducer>(query.producers);
      });
  if (topics == nullptr) co_return too_large(request);
  Answer answer;
  answer.topics = std::span<const Answer::TopicResponse>(topics, message.topics.size());
  co_return respond(request.context, context_.buffers, answer);
}

}  // namespace millrace::broker
