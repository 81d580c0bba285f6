module;
#include <algorithm>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

module millrace.broker.partitions.data;

import millrace.base;
import millrace.broker.connections;
import millrace.broker.partitions;
import millrace.protocol.fetch;
import millrace.runtime;
import millrace.security;
import millrace.storage.log;
import :answer;
import :arena_lease;
import :data_requests;
import :scatter;

// ListOffsets and OffsetForLeaderEpoch.
namespace millrace::broker {

namespace {

// Timestamps that are none: Kafka's names.
constexpr std::int64_t latest = -1;
constexpr std::int64_t earliest = -2;
constexpr std::int64_t max_timestamp = -3;
constexpr std::int64_t earliest_local = -4;
constexpr std::int64_t latest_tiered = -5;
constexpr std::int64_t earliest_pending_upload = -6;

// Of ListOffsets: from here on answers tell the leader epoch of the offset.
constexpr std::int16_t first_version_with_epoch = 4;

constexpr std::int8_t read_committed = 1;
constexpr std::int32_t debugging_replica = -2;

// The first version that knows the timestamp.
[[nodiscard]] std::optional<std::int16_t> first_version_with(std::int64_t timestamp) {
  switch (timestamp) {
    case latest:
    case earliest:
      return std::int16_t{1};
    case max_timestamp:
      return std::int16_t{7};
    case earliest_local:
      return std::int16_t{8};
    case latest_tiered:
      return std::int16_t{9};
    case earliest_pending_upload:
      return std::int16_t{11};
    default:
      return timestamp < 0 ? std::nullopt : std::optional(std::int16_t{0});
  }
}

struct OffsetQuery : PartitionQuery {
  std::int64_t timestamp = 0;
  // Who asks: a reader of committed records, any consumer, or a replica.
  enum class Reader : std::uint8_t { committed, consumer, replica } reader = Reader::consumer;

  Timestamp found_timestamp = no_timestamp;
  Offset found = no_offset;
  LeaderEpoch found_epoch = no_leader_epoch;
};

[[nodiscard]] Offset readable_end(Partition& partition, OffsetQuery::Reader reader) {
  switch (reader) {
    case OffsetQuery::Reader::committed:
      return partition.last_stable_offset();
    case OffsetQuery::Reader::consumer:
      return partition.high_watermark();
    case OffsetQuery::Reader::replica:
      break;
  }
  return partition.log_end();
}

Task<void> find_offset(Partition& partition, OffsetQuery& query) {
  const Offset end = readable_end(partition, query.reader);
  switch (query.timestamp) {
    case latest:
      query.found = end;
      query.found_epoch = partition.leader_epoch();
      co_return;
    case earliest:
    case earliest_local:
      query.found = partition.log_start();
      query.found_epoch = partition.epoch_at(query.found);
      co_return;
    // Nothing is tiered.
    case latest_tiered:
    case earliest_pending_upload:
      co_return;
    default:
      break;
  }
  const auto found = query.timestamp == max_timestamp
                         ? co_await partition.log().find_max_timestamp()
                         : co_await partition.log().find_timestamp(Timestamp(query.timestamp), end);
  if (!found) {
    query.fail(partition_error(found.error()));
    co_return;
  }
  if (!*found || (*found)->offset >= end) co_return;
  query.found_timestamp = (*found)->timestamp;
  query.found = (*found)->offset;
  query.found_epoch = partition.epoch_at(query.found);
}

// A partition that is named twice has no answer, as in Kafka.
void refuse_doubles(std::vector<OffsetQuery>& queries) {
  std::set<std::pair<std::string_view, PartitionIndex>> seen;
  std::set<std::pair<std::string_view, PartitionIndex>> doubles;
  for (const OffsetQuery& query : queries) {
    const std::pair key(query.topic, query.index);
    if (!seen.insert(key).second) doubles.insert(key);
  }
  if (doubles.empty()) return;
  for (OffsetQuery& query : queries) {
    if (doubles.contains({query.topic, query.index})) query.fail(ErrorCode::invalid_request);
  }
}

}  // namespace

Task<Response> DataRequests::list_offsets(Request request) {
  using Message = protocol::ListOffsetsRequest;
  using Answer = protocol::ListOffsetsResponse;
  ArenaLease arena(*this);
  Message message;
  const std::int16_t version = request.context.version;
  if (const auto read = decode(message, request.body, version, *arena); !read) {
    co_return unreadable(request, read.error());
  }
  const bool is_replica = message.replica_id >= 0 || message.replica_id == debugging_replica;
  const auto reader = is_replica                                  ? OffsetQuery::Reader::replica
                      : message.isolation_level == read_committed ? OffsetQuery::Reader::committed
                                                                  : OffsetQuery::Reader::consumer;
  auto queries = queries_of<OffsetQuery>(
      *this, message.topics, &Message::ListOffsetsTopic::name,
      &Message::ListOffsetsTopic::partitions,
      [&](OffsetQuery& query, const Message::ListOffsetsPartition& partition) {
        query.index = PartitionIndex(partition.partition_index);
        query.current = LeaderEpoch(partition.current_leader_epoch);
        query.timestamp = partition.timestamp;
        query.reader = reader;
        const auto known_from = first_version_with(partition.timestamp);
        if (!known_from || version < *known_from) query.fail(ErrorCode::unsupported_version);
      });
  refuse_doubles(queries);
  refuse_unauthorized(request, security::Operation::describe, queries);
  Scatter scatter(*this, queries, &find_offset);
  co_await scatter.run();
  auto* topics = topics_of_answer<Answer::ListOffsetsTopicResponse>(
      *arena, queries, message.topics, &Message::ListOffsetsTopic::partitions,
      &Message::ListOffsetsTopic::name, &Answer::ListOffsetsTopicResponse::name,
      &Answer::ListOffsetsTopicResponse::partitions,
      [version](Answer::ListOffsetsPartitionResponse& out, const OffsetQuery& query) {
        out.partition_index = query.index.value();
        out.error_code = static_cast<std::int16_t>(query.code);
        if (query.code != ErrorCode::none) return;
        out.timestamp = query.found_timestamp.value();
        out.offset = query.found.value();
        if (version >= first_version_with_epoch) out.leader_epoch = query.found_epoch.value();
      });
  if (topics == nullptr) co_return too_large(request);
  Answer answer;
  answer.topics = std::span<const Answer::ListOffsetsTopicResponse>(topics, message.topics.size());
  co_return respond(request.context, context_.buffers, answer);
}

namespace {

struct EpochQuery : PartitionQuery {
  LeaderEpoch epoch = no_leader_epoch;
  LeaderEpoch found_epoch = no_leader_epoch;
  Offset found_end = no_offset;
};

Task<void> find_end_of_epoch(Partition& partition, EpochQuery& query) {
  const auto end = partition.end_of_epoch(query.epoch);
  query.found_epoch = end.epoch;
  query.found_end = end.end_offset;
  co_return;
}

}  // namespace

Task<Response> DataRequests::offset_for_leader_epoch(Request request) {
  using Message = protocol::OffsetForLeaderEpochRequest;
  using Answer = protocol::OffsetForLeaderEpochResponse;
  ArenaLease arena(*this);
  Message message;
  if (const auto read = decode(message, request.body, request.context.version, *arena); !read) {
    co_return unreadable(request, read.error());
  }
  auto queries = queries_of<EpochQuery>(
      *this, message.topics, &Message::OffsetForLeaderTopic::topic,
      &Message::OffsetForLeaderTopic::partitions,
      [](EpochQuery& query, const Message::OffsetForLeaderPartition& partition) {
        query.index = PartitionIndex(partition.partition);
        query.current = LeaderEpoch(partition.current_leader_epoch);
        query.epoch = LeaderEpoch(partition.leader_epoch);
      });
  refuse_unauthorized(request, security::Operation::describe, queries);
  Scatter scatter(*this, queries, &find_end_of_epoch);
  co_await scatter.run();
  auto* topics = topics_of_answer<Answer::OffsetForLeaderTopicResult>(
      *arena, queries, message.topics, &Message::OffsetForLeaderTopic::partitions,
      &Message::OffsetForLeaderTopic::topic, &Answer::OffsetForLeaderTopicResult::topic,
      &Answer::OffsetForLeaderTopicResult::partitions,
      [](Answer::EpochEndOffset& out, const EpochQuery& query) {
        out.partition = query.index.value();
        out.error_code = static_cast<std::int16_t>(query.code);
        if (query.code != ErrorCode::none) return;
        out.leader_epoch = query.found_epoch.value();
        out.end_offset = query.found_end.value();
      });
  if (topics == nullptr) co_return too_large(request);
  Answer answer;
  answer.topics =
      std::span<const Answer::OffsetForLeaderTopicResult>(topics, message.topics.size());
  co_return respond(request.context, context_.buffers, answer);
}

}  // namespace millrace::broker
