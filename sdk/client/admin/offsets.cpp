// Offsets: those that groups committed, and those of partitions; the producers of partitions.
module;
#include <algorithm>
#include <coroutine>
#include <cstddef>
#include <cstdint>
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
import :admin_client;
import :rounds;
import :state;
import :types;

namespace millrace::client {
namespace {

using protocol::DescribeProducersRequest;
using protocol::ListOffsetsRequest;
using protocol::OffsetCommitRequest;
using protocol::OffsetDeleteRequest;
using protocol::OffsetFetchRequest;

// The last versions that ask about one group, and that name topics by their names.
constexpr std::int16_t one_group_until = 7;
constexpr std::int16_t names_until = 9;
constexpr std::int16_t all_offsets_from = 2;
constexpr std::int16_t isolation_from = 2;

// The first version that knows such a place.
std::int16_t known_from(OffsetSpec place) {
  if (place.value == OffsetSpec::newest.value) return 7;
  if (place.value == OffsetSpec::earliest_local.value) return 8;
  if (place.value == OffsetSpec::latest_tiered.value) return 9;
  if (place.value == OffsetSpec::earliest_pending_upload.value) return 11;
  return 0;
}

const TopicPartition& itself(const TopicPartition& partition) {
  return partition;
}

template <class Value>
std::vector<TopicPartition> keys_of(const std::vector<std::pair<TopicPartition, Value>>& pairs) {
  std::vector<TopicPartition> keys;
  for (const auto& [partition, value] : pairs) keys.push_back(partition);
  return keys;
}

// The requests' topics, with what each partition is; `part(item)` makes it. Stays in place.
template <class WireTopic, class WirePart, class Key, class Value, class Part>
struct Rows {
  Rows(const Items<Key, Value>& items, Part part) : topics(by_topic(items, itself)) {
    parts.reserve(topics.size());
    for (const auto& [name, wanted] : topics) {
      auto& own = parts.emplace_back();
      for (const auto* const item : wanted) own.push_back(part(*item));
      WireTopic& row = rows.emplace_back();
      row.name = name;
      if constexpr (requires { row.partitions; }) {
        row.partitions = view_of(own);
      } else {
        row.partition_indexes = view_of(own);
      }
    }
  }
  std::map<std::string, Items<Key, Value>> topics;
  std::vector<std::vector<WirePart>> parts;
  std::vector<WireTopic> rows;
};
template <class WireTopic, class WirePart, class Key, class Value, class Part>
auto rows_of(const Items<Key, Value>& items, Part part) {
  return Rows<WireTopic, WirePart, Key, Value, Part>(items, part);
}

// Settles each item by its row in the answer: `use(item, row)` where it has no error. While
// `patient`, a broker that does not know the partition is asked again.
template <class Value, class Topics, class Use>
void match(Items<TopicPartition, Value>& items, const Topics& topics, BrokerId broker, bool patient,
           Use use) {
  for (auto* const item : items) {
    const auto* const row = find_row(topics, item->key);
    if (row == nullptr) {
      item->fail(left_out(broker, to_string(item->key)));
    } else if (code_of(row->error_code) == ErrorCode::unknown_topic_or_partition && !patient) {
      item->fail_for_good(refused(row->error_code, broker, to_string(item->key)));
    } else if (code_of(row->error_code) != ErrorCode::none) {
      item->fail(refused(row->error_code, broker, to_string(item->key)));
    } else {
      use(*item, *row);
    }
  }
}

}  // namespace

Task<ClientResult<Outcomes<TopicPartition, CommittedOffset>>> AdminClient::list_group_offsets(
    std::string group, std::vector<TopicPartition> partitions, AdminOptions options) {
  const MonotonicTime deadline = state_->deadline_of(options);
  using Value = Outcomes<TopicPartition, CommittedOffset>;
  using Open = Items<std::string, Value>;
  const auto route = [&](Open& items) {
    return state_->to_coordinators(items, deadline, [&](const std::string& name) { return name; });
  };
  const auto ask = [&](BrokerId broker, Open& items) -> Task<ClientResult<void>> {
    std::map<std::string, std::vector<std::int32_t>> wanted;
    for (const TopicPartition& partition : partitions) {
      wanted[partition.topic].push_back(partition.partition.value());
    }
    std::vector<OffsetFetchRequest::OffsetFetchRequestTopic> rows;
    for (const auto& [name, indexes] : wanted) {
      rows.push_back({.name = name, .partition_indexes = view_of(indexes)});
    }
    OffsetFetchRequest request;
    request.group_id = group;
    request.topics = partitions.empty() ? Array<OffsetFetchRequest::OffsetFetchRequestTopic>::null()
                                        : view_of(rows);
    auto reply = co_await state_->send(
        broker, request,
        CallOptions{
            .deadline = deadline, .version_min = all_offsets_from, .version_max = one_group_until});
    if (!reply) co_return failure(std::move(reply.error()));
    const std::string what = formatted("offsets of group {}", group);
    if (code_of(reply->message.error_code) != ErrorCode::none) {
      co_return failure(refused(reply->message.error_code, broker, what));
    }
    Value offsets;
    for (const auto& topic : reply->message.topics) {
      for (const auto& part : topic.partitions) {
        TopicPartition key{std::string(topic.name), PartitionIndex(part.partition_index)};
        if (code_of(part.error_code) != ErrorCode::none) {
          ClientError error = refused(part.error_code, broker, to_string(key));
          offsets.emplace_back(std::move(key), failure(std::move(error)));
          continue;
        }
        offsets.emplace_back(
            std::move(key),
            CommittedOffset{Offset(part.committed_offset), LeaderEpoch(part.committed_leader_epoch),
                            std::string(part.metadata)});
      }
    }
    items.front()->settle(std::move(offsets));
    co_return ClientResult<void>();
  };
  auto outcomes = co_await in_rounds<std::string, Value>(std::vector<std::string>{group},
                                                         state_->rounds(deadline), route, ask);
  co_return std::move(outcomes.front().second);
}

Task<Outcomes<TopicPartition, void>> AdminClient::alter_group_offsets(
    std::string group, std::vector<std::pair<TopicPartition, CommittedOffset>> offsets,
    AdminOptions options) {
  const MonotonicTime deadline = state_->deadline_of(options);
  const MonotonicTime begun = state_->executor.clock().now();
  using Open = Items<TopicPartition, void>;
  const auto route = [&](Open& items) {
    return state_->to_coordinators(items, deadline, [&](const TopicPartition&) { return group; });
  };
  const auto ask = [&](BrokerId broker, Open& items) -> Task<ClientResult<void>> {
    using Topic = OffsetCommitRequest::OffsetCommitRequestTopic;
    using Part = OffsetCommitRequest::OffsetCommitRequestPartition;
    const auto rows = rows_of<Topic, Part>(items, [&](const auto& item) {
      const CommittedOffset& offset = offsets[item.place].second;
      Part part;
      part.partition_index = item.key.partition.value();
      part.committed_offset = offset.offset.value();
      part.committed_leader_epoch = offset.leader_epoch.value();
      part.committed_metadata = offset.metadata;
      return part;
    });
    OffsetCommitRequest request;
    request.group_id = group;
    request.topics = view_of(rows.rows);
    auto reply = co_await state_->send(
        broker, request, CallOptions{.deadline = deadline, .version_max = names_until});
    if (!reply) co_return failure(std::move(reply.error()));
    match(items, reply->message.topics, broker, state_->is_patient(begun),
          [](auto& item, const auto&) { item.settle(); });
    co_return ClientResult<void>();
  };
  co_return co_await in_rounds<TopicPartition, void>(keys_of(offsets), state_->rounds(deadline),
                                                     route, ask);
}

Task<Outcomes<TopicPartition, void>> AdminClient::delete_group_offsets(
    std::string group, std::vector<TopicPartition> partitions, AdminOptions options) {
  const MonotonicTime deadline = state_->deadline_of(options);
  const MonotonicTime begun = state_->executor.clock().now();
  using Open = Items<TopicPartition, void>;
  const auto route = [&](Open& items) {
    return state_->to_coordinators(items, deadline, [&](const TopicPartition&) { return group; });
  };
  const auto ask = [&](BrokerId broker, Open& items) -> Task<ClientResult<void>> {
    using Topic = OffsetDeleteRequest::OffsetDeleteRequestTopic;
    using Part = OffsetDeleteRequest::OffsetDeleteRequestPartition;
    const auto rows = rows_of<Topic, Part>(
        items, [](const auto& item) { return Part{item.key.partition.value()}; });
    OffsetDeleteRequest request;
    request.group_id = group;
    request.topics = view_of(rows.rows);
    auto reply = co_await state_->send(broker, request, CallOptions{.deadline = deadline});
    if (!reply) co_return failure(std::move(reply.error()));
    if (code_of(reply->message.error_code) != ErrorCode::none) {
      co_return failure(refused(reply->message.error_code, broker, formatted("group {}", group)));
    }
    match(items, reply->message.topics, broker, state_->is_patient(begun),
          [](auto& item, const auto&) { item.settle(); });
    co_return ClientResult<void>();
  };
  co_return co_await in_rounds<TopicPartition, void>(std::move(partitions),
                                                     state_->rounds(deadline), route, ask);
}

Task<Outcomes<TopicPartition, FoundOffset>> AdminClient::list_offsets(
    std::vector<std::pair<TopicPartition, OffsetSpec>> places, AdminOptions options,
    IsolationLevel isolation) {
  const MonotonicTime deadline = state_->deadline_of(options);
  const MonotonicTime begun = state_->executor.clock().now();
  using Open = Items<TopicPartition, FoundOffset>;
  const auto route = [&](Open& items) {
    return state_->to_leaders(items, begun, deadline, itself);
  };
  const auto ask = [&](BrokerId broker, Open& items) -> Task<ClientResult<void>> {
    using Topic = ListOffsetsRequest::ListOffsetsTopic;
    using Part = ListOffsetsRequest::ListOffsetsPartition;
    CallOptions call{.deadline = deadline};
    if (isolation == IsolationLevel::read_committed) call.version_min = isolation_from;
    const auto rows = rows_of<Topic, Part>(items, [&](const auto& item) {
      const OffsetSpec spec = places[item.place].second;
      call.version_min = std::max(call.version_min, known_from(spec));
      Part part;
      part.partition_index = item.key.partition.value();
      part.timestamp = spec.value;
      return part;
    });
    ListOffsetsRequest request;
    request.replica_id = no_broker.value();
    request.topics = view_of(rows.rows);
    request.timeout_ms = state_->milliseconds_until(deadline);
    request.isolation_level = static_cast<std::int8_t>(isolation);
    auto reply = co_await state_->send(broker, request, call);
    if (!reply) co_return failure(std::move(reply.error()));
    match(items, reply->message.topics, broker, state_->is_patient(begun),
          [](auto& item, const auto& row) {
            item.settle(FoundOffset{Offset(row.offset), Timestamp(row.timestamp),
                                    LeaderEpoch(row.leader_epoch)});
          });
    co_return ClientResult<void>();
  };
  co_return co_await in_rounds<TopicPartition, FoundOffset>(keys_of(places),
                                                            state_->rounds(deadline), route, ask);
}

Task<Outcomes<TopicPartition, std::vector<ActiveProducer>>> AdminClient::describe_producers(
    std::vector<TopicPartition> partitions, AdminOptions options) {
  const MonotonicTime deadline = state_->deadline_of(options);
  const MonotonicTime begun = state_->executor.clock().now();
  using Value = std::vector<ActiveProducer>;
  using Open = Items<TopicPartition, Value>;
  const auto route = [&](Open& items) {
    return state_->to_leaders(items, begun, deadline, itself);
  };
  const auto ask = [&](BrokerId broker, Open& items) -> Task<ClientResult<void>> {
    const auto rows = rows_of<DescribeProducersRequest::TopicRequest, std::int32_t>(
        items, [](const auto& item) { return item.key.partition.value(); });
    DescribeProducersRequest request;
    request.topics = view_of(rows.rows);
    auto reply = co_await state_->send(broker, request, CallOptions{.deadline = deadline});
    if (!reply) co_return failure(std::move(reply.error()));
    match(items, reply->message.topics, broker, state_->is_patient(begun),
          [](auto& item, const auto& row) {
            Value producers;
            for (const auto& in : row.active_producers) {
              producers.push_back({ProducerId(in.producer_id), in.producer_epoch,
                                   Sequence(in.last_sequence), Timestamp(in.last_timestamp),
                                   in.current_txn_start_offset < 0
                                       ? std::nullopt
                                       : std::optional(Offset(in.current_txn_start_offset)),
                                   in.coordinator_epoch});
            }
            item.settle(std::move(producers));
          });
    co_return ClientResult<void>();
  };
  co_return co_await in_rounds<TopicPartition, Value>(std::move(partitions),
                                                      state_->rounds(deadline), route, ask);
}

}  // namespace millrace::client
