module;
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

module millrace.broker.partitions.data;

import millrace.base;
import millrace.broker.connections;
import millrace.broker.partitions;
import millrace.protocol.admin;
import millrace.runtime;
import millrace.security;
import millrace.storage.manager;
import :answer;
import :arena_lease;
import :data_requests;
import :scatter;

// DeleteRecords.
namespace millrace::broker {

namespace {

struct DeletionQuery : PartitionQuery {
  Offset below = no_offset;
  Offset low_watermark = no_offset;
};

Task<void> delete_below(Partition& partition, DeletionQuery& query) {
  auto deleted = co_await partition.delete_records(query.below);
  if (deleted) {
    query.low_watermark = *deleted;
  } else {
    query.fail(std::move(deleted.error()));
  }
}

}  // namespace

Task<Response> DataRequests::delete_records(Request request) {
  using Message = protocol::DeleteRecordsRequest;
  using Answer = protocol::DeleteRecordsResponse;
  ArenaLease arena(*this);
  Message message;
  if (const auto read = decode(message, request.body, request.context.version, *arena); !read) {
    co_return unreadable(request, read.error());
  }
  auto queries = queries_of<DeletionQuery>(
      *this, message.topics, &Message::DeleteRecordsTopic::name,
      &Message::DeleteRecordsTopic::partitions,
      [](DeletionQuery& query, const Message::DeleteRecordsPartition& partition) {
        query.index = PartitionIndex(partition.partition_index);
        query.below = Offset(partition.offset);
      });
  refuse_unauthorized(request, security::Operation::remove, queries);
  for (DeletionQuery& query : queries) {
    if (query.code == ErrorCode::none && storage::is_internal_topic(query.topic)) {
      query.fail(ErrorCode::invalid_topic_exception);
    }
  }
  Scatter scatter(*this, queries, &delete_below);
  co_await scatter.run();
  auto* topics = topics_of_answer<Answer::DeleteRecordsTopicResult>(
      *arena, queries, message.topics, &Message::DeleteRecordsTopic::partitions,
      &Message::DeleteRecordsTopic::name, &Answer::DeleteRecordsTopicResult::name,
      &Answer::DeleteRecordsTopicResult::partitions,
      [](Answer::DeleteRecordsPartitionResult& out, const DeletionQuery& query) {
        out.partition_index = query.index.value();
        out.error_code = static_cast<std::int16_t>(query.code);
        out.low_watermark = query.low_watermark.value();
      });
  if (topics == nullptr) co_return too_large(request);
  Answer answer;
  answer.topics = std::span<const Answer::DeleteRecordsTopicResult>(topics, message.topics.size());
  co_return respond(request.context, context_.buffers, answer);
}

}  // namespace millrace::broker
