// Records go out, and what is known of their offsets.
module;
#include <algorithm>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

module millrace.mock;

import millrace.base;
import millrace.protocol.api;
import millrace.protocol.fetch;
import millrace.protocol.wire;
import millrace.runtime;
import millrace.runtime.streams;
import millrace.storage.producers;
import :asked;
import :faults;
import :fetch_sessions;
import :handlers;
import :partition_log;
import :state;
import :waiting;

namespace millrace::mock {
namespace {

using protocol::FetchRequest;
using protocol::FetchResponse;
using WirePart = FetchResponse::PartitionData;

constexpr std::int8_t read_committed = 1;
constexpr std::int16_t topic_ids_from = 13;
constexpr std::int16_t hints_from = 12;
constexpr std::int16_t endpoints_from = 16;

// Whether the leader that a client knows is the one that there is.
ErrorCode compare(std::int32_t epoch_of_client, const Partition& partition) {
  if (epoch_of_client < 0) return ErrorCode::none;
  if (epoch_of_client < partition.epoch.value()) return ErrorCode::fenced_leader_epoch;
  if (epoch_of_client > partition.epoch.value()) return ErrorCode::unknown_leader_epoch;
  return ErrorCode::none;
}

// What one look at the logs gives for one request. It has views of the logs, so it is encoded
// before anything else happens; it takes nothing of the arena, because a request that waits looks
// often.
class Look {
 public:
  Look(Asked& asked, const FetchRequest& message)
      : asked_(asked),
        reads_committed_(message.isolation_level == read_committed),
        left_(static_cast<std::size_t>(std::max(message.max_bytes, 0))) {
    for (const auto& in : message.topics) {
      const bool by_id = asked.version() >= topic_ids_from;
      const Topic* const topic = by_id ? asked.state.find(in.topic_id) : asked.state.find(in.topic);
      const ErrorCode unknown =
          by_id ? ErrorCode::unknown_topic_id : ErrorCode::unknown_topic_or_partition;
      auto& parts = parts_.emplace_back();
      for (const auto& part : in.partitions) {
        WirePart told;
        told.partition_index = part.partition;
        told.high_watermark = no_offset.value();
        told.records = protocol::Records(protocol::empty_bytes);
        ErrorCode error = asked.planted;
        if (error == ErrorCode::none) error = topic == nullptr ? unknown : take(*topic, part, told);
        if (error != ErrorCode::none) urgent_ = true;
        told.error_code = number_of(error);
        parts.push_back(told);
      }
      topics_.push_back({.topic = in.topic,
                         .topic_id = in.topic_id,
                         .partitions = std::span<const WirePart>(parts)});
    }
  }

  // Whether the answer need not wait for more.
  [[nodiscard]] bool is_enough(std::int32_t bytes_min) const {
    return urgent_ || std::cmp_greater_equal(bytes_, bytes_min);
  }

  Answer encode(const FetchSessions::Turn& turn) {
    FetchResponse response;
    response.session_id = turn.id;
    if (turn.session) tell(*turn.session, turn.is_incremental);
    response.responses = std::span<const FetchResponse::FetchableTopicResponse>(topics_);
    if (asked_.version() >= endpoints_from) {
      response.node_endpoints = std::span<const FetchResponse::NodeEndpoint>(endpoints_);
    }
    return answer(asked_, response);
  }

 private:
  void tell(FetchSession& session, bool news_only) {
    for (std::size_t i = 0; i < topics_.size(); ++i) {
      std::erase_if(parts_[i], [&](const WirePart& part) {
        return !session.tell(topics_[i], part) && news_only;
      });
      topics_[i].partitions = std::span<const WirePart>(parts_[i]);
    }
    std::erase_if(topics_, [](const auto& topic) { return topic.partitions.size() == 0; });
  }

  ErrorCode take(const Topic& topic, const FetchRequest::FetchPartition& in, WirePart& told) {
    const Partition* const partition = topic.find(in.partition);
    if (partition == nullptr) return ErrorCode::unknown_topic_or_partition;
    if (partition->leader != asked_.broker) return redirect(*partition, told);
    const ErrorCode stale = compare(in.current_leader_epoch, *partition);
    if (stale != ErrorCode::none) {
      return stale == ErrorCode::fenced_leader_epoch ? redirect(*partition, told, stale) : stale;
    }
    const PartitionLog& log = partition->log;
    told.high_watermark = log.end().value();
    const Offset stable = partition->last_stable_offset();
    told.last_stable_offset = stable.value();
    told.log_start_offset = log.start().value();
    const Offset offset(in.fetch_offset);
    if (in.last_fetched_epoch >= 0) {
      const auto end = log.end_of(LeaderEpoch(in.last_fetched_epoch));
      if (end.end < offset || end.epoch.value() < in.last_fetched_epoch) {
        told.diverging_epoch = {.epoch = end.epoch.value(), .end_offset = end.end.value()};
        urgent_ = true;
        return ErrorCode::none;
      }
    }
    if (offset < log.start() || offset > log.end()) return ErrorCode::offset_out_of_range;
    const auto wanted = static_cast<std::size_t>(std::max(in.partition_max_bytes, 0));
    // The first records of an answer are given however large they are.
    auto& pieces = pieces_.emplace_back(log.read(offset, std::min(wanted, left_), bytes_ == 0,
                                                 reads_committed_ ? stable : log.end()));
    if (reads_committed_) told.aborted_transactions = aborted_from(*partition, offset);
    if (pieces.empty()) return ErrorCode::none;
    told.records = protocol::Records(std::span<const protocol::RecordChunk>(pieces));
    bytes_ += told.records.size();
    left_ -= std::min(left_, told.records.size());
    return ErrorCode::none;
  }

  // Those that end at the offset or behind it.
  protocol::Array<FetchResponse::AbortedTransaction> aborted_from(const Partition& partition,
                                                                  Offset offset) {
    auto& rows = aborted_.emplace_back();
    for (const storage::CompletedTransaction& transaction : partition.aborted) {
      if (transaction.last_offset < offset) continue;
      rows.push_back({.producer_id = transaction.producer.value(),
                      .first_offset = transaction.first_offset.value()});
    }
    return std::span<const FetchResponse::AbortedTransaction>(rows);
  }

  ErrorCode redirect(const Partition& partition, WirePart& told,
                     ErrorCode error = ErrorCode::not_leader_or_follower) {
    if (asked_.version() < hints_from) return error;
    told.current_leader = {.leader_id = partition.leader.value(),
                           .leader_epoch = partition.epoch.value()};
    if (const Broker* const leader = asked_.state.broker(partition.leader)) {
      endpoints_.push_back({.node_id = leader->id.value(),
                            .host = leader->host,
                            .port = leader->address.port.value(),
                            .rack = protocol::null_string});
    }
    return error;
  }

  Asked& asked_;
  bool reads_committed_;
  std::size_t left_;
  std::size_t bytes_ = 0;
  bool urgent_ = false;
  std::vector<FetchResponse::FetchableTopicResponse> topics_;
  std::vector<FetchResponse::NodeEndpoint> endpoints_;
  // They stay in place: the answer has views of them.
  std::deque<std::vector<WirePart>> parts_;
  std::deque<std::vector<protocol::RecordChunk>> pieces_;
  std::deque<std::vector<FetchResponse::AbortedTransaction>> aborted_;
};

// Errors of a fetch as a whole.
bool is_of_session(ErrorCode error) {
  return error == ErrorCode::fetch_session_id_not_found ||
         error == ErrorCode::invalid_fetch_session_epoch ||
         error == ErrorCode::fetch_session_topic_id_error;
}

Answer refused(Asked& asked, ErrorCode error) {
  FetchResponse response;
  response.error_code = number_of(error);
  return answer(asked, response);
}

struct Looked {
  ErrorCode error = ErrorCode::none;
  PartitionLog::Found found;
};

Looked look_up(const Partition& partition, std::int64_t timestamp, std::int8_t isolation) {
  constexpr std::int64_t latest = -1;
  constexpr std::int64_t earliest = -2;
  constexpr std::int64_t newest = -3;
  constexpr std::int64_t earliest_local = -4;
  const PartitionLog& log = partition.log;
  switch (timestamp) {
    case latest:
      return {
          {},
          {no_timestamp, isolation == read_committed ? partition.last_stable_offset() : log.end(),
           partition.epoch}};
    case earliest:
    case earliest_local:
      return {{}, {no_timestamp, log.start(), log.epoch_of(log.start())}};
    case newest:
      return {{}, log.newest().value_or(PartitionLog::Found{})};
    default:
      // Places in tiered storage, of which there is none.
      if (timestamp < 0) return {};
      return {{}, log.find(Timestamp(timestamp)).value_or(PartitionLog::Found{})};
  }
}

// The partition that a request about offsets means, if it may be asked here.
const Partition* led_partition(Asked& asked, const Topic* topic, std::int32_t index,
                               std::int32_t epoch_of_client, ErrorCode& error) {
  const Partition* const partition = topic == nullptr ? nullptr : topic->find(index);
  error = asked.planted;
  if (error != ErrorCode::none) return nullptr;
  if (partition == nullptr) {
    error = ErrorCode::unknown_topic_or_partition;
  } else if (partition->leader != asked.broker) {
    error = ErrorCode::not_leader_or_follower;
  } else {
    error = compare(epoch_of_client, *partition);
  }
  return error == ErrorCode::none ? partition : nullptr;
}

}  // namespace

Task<Answer> fetch(Asked& asked) {
  FetchRequest message;
  if (!read(message, asked)) co_return Answer{};
  if (is_of_session(asked.planted)) co_return refused(asked, asked.planted);
  const FetchSessions::Turn turn =
      asked.state.broker(asked.broker)
          ->fetch_sessions.take(message, asked.version() >= topic_ids_from,
                                asked.state.options().fetch_sessions);
  if (turn.error != ErrorCode::none) co_return refused(asked, turn.error);
  std::vector<WantedTopic> wanted;
  std::vector<FetchRequest::FetchTopic> topics;
  if (turn.is_incremental) {
    wanted = turn.session->wanted();
    for (const WantedTopic& topic : wanted) {
      topics.push_back({.topic = topic.topic,
                        .topic_id = topic.topic_id,
                        .partitions = std::span(topic.partitions)});
    }
    message.topics = std::span(std::as_const(topics));
  }
  const MonotonicTime deadline =
      asked.state.clock().now() + std::chrono::milliseconds(std::max(message.max_wait_ms, 0));
  for (;;) {
    {
      Look look(asked, message);
      const bool late = asked.state.clock().now() >= deadline;
      if (late || asked.waiting.ending() || look.is_enough(message.min_bytes)) {
        co_return look.encode(turn);
      }
    }
    static_cast<void>(co_await asked.waiting.wait(deadline));
  }
}

Answer list_offsets(Asked& asked) {
  protocol::ListOffsetsRequest message;
  if (!read(message, asked)) return {};
  protocol::ListOffsetsResponse response;
  std::vector<protocol::ListOffsetsResponse::ListOffsetsTopicResponse> topics;
  for (const auto& in : message.topics) {
    const Topic* const topic = asked.state.find(in.name);
    std::vector<protocol::ListOffsetsResponse::ListOffsetsPartitionResponse> parts;
    for (const auto& part : in.partitions) {
      Looked looked;
      const Partition* const partition = led_partition(asked, topic, part.partition_index,
                                                       part.current_leader_epoch, looked.error);
      if (partition != nullptr) {
        looked = look_up(*partition, part.timestamp, message.isolation_level);
      }
      parts.push_back({.partition_index = part.partition_index,
                       .error_code = number_of(looked.error),
                       .timestamp = looked.found.timestamp.value(),
                       .offset = looked.found.offset.value(),
                       .leader_epoch = looked.found.epoch.value()});
    }
    topics.push_back({.name = in.name, .partitions = keep(parts, asked)});
  }
  response.topics = keep(topics, asked);
  return answer(asked, response);
}

Answer offset_for_leader_epoch(Asked& asked) {
  protocol::OffsetForLeaderEpochRequest message;
  if (!read(message, asked)) return {};
  protocol::OffsetForLeaderEpochResponse response;
  std::vector<protocol::OffsetForLeaderEpochResponse::OffsetForLeaderTopicResult> topics;
  for (const auto& in : message.topics) {
    const Topic* const topic = asked.state.find(in.topic);
    std::vector<protocol::OffsetForLeaderEpochResponse::EpochEndOffset> parts;
    for (const auto& part : in.partitions) {
      ErrorCode error = ErrorCode::none;
      PartitionLog::EpochEnd end;
      const Partition* const partition =
          led_partition(asked, topic, part.partition, part.current_leader_epoch, error);
      if (partition != nullptr) {
        end = part.leader_epoch == partition->epoch.value()
                  ? PartitionLog::EpochEnd{partition->epoch, partition->log.end()}
                  : partition->log.end_of(LeaderEpoch(part.leader_epoch));
      }
      parts.push_back({.error_code = number_of(error),
                       .partition = part.partition,
                       .leader_epoch = end.epoch.value(),
                       .end_offset = end.end.value()});
    }
    topics.push_back({.topic = in.topic, .partitions = keep(parts, asked)});
  }
  response.topics = keep(topics, asked);
  return answer(asked, response);
}

}  // namespace millrace::mock
