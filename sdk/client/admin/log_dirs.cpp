// The log directories of brokers, and in which of them replicas are.
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
import millrace.runtime.streams;
import :admin_client;
import :rounds;
import :state;
import :types;

namespace millrace::client {
namespace {

using protocol::AlterReplicaLogDirsRequest;
using protocol::AlterReplicaLogDirsResponse;
using protocol::DescribeLogDirsRequest;
using protocol::DescribeLogDirsResponse;

std::optional<std::int64_t> if_told(std::int64_t bytes) {
  return bytes < 0 ? std::nullopt : std::optional(bytes);
}

LogDir directory_of(const DescribeLogDirsResponse::DescribeLogDirsResult& in) {
  LogDir out;
  out.path = in.log_dir;
  out.error = code_of(in.error_code);
  out.total_bytes = if_told(in.total_bytes);
  out.usable_bytes = if_told(in.usable_bytes);
  out.cordoned = in.is_cordoned;
  for (const auto& topic : in.topics) {
    for (const auto& part : topic.partitions) {
      out.partitions.push_back({{std::string(topic.name), PartitionIndex(part.partition_index)},
                                part.partition_size,
                                part.offset_lag,
                                part.is_future_key});
    }
  }
  return out;
}

std::string named(const ReplicaPlace& place) {
  return formatted("{} on broker {}", to_string(place.partition), place.broker);
}

ReplicaLogDirs place_in(const std::vector<LogDir>& directories, const TopicPartition& partition) {
  ReplicaLogDirs out;
  for (const LogDir& directory : directories) {
    for (const LogDirPartition& replica : directory.partitions) {
      if (replica.partition != partition) continue;
      (replica.is_future ? out.future : out.current) = directory.path;
      (replica.is_future ? out.future_offset_lag : out.offset_lag) = replica.offset_lag;
    }
  }
  return out;
}

// A replica that is in none of the directories may be in one of which the broker cannot tell.
void settle_from(Item<ReplicaPlace, ReplicaLogDirs>& item, const std::vector<LogDir>& directories) {
  ReplicaLogDirs place = place_in(directories, item.key.partition);
  const auto unknown = std::ranges::find_if(
      directories, [](const LogDir& directory) { return directory.error != ErrorCode::none; });
  if (!place.current.empty() || unknown == directories.end()) {
    item.settle(std::move(place));
    return;
  }
  item.fail_for_good(broker_error(unknown->error, item.key.broker,
                                  formatted("the log directory {}", unknown->path)));
}

template <class Value>
Task<void> to_brokers_of(AdminClient::State& state, Items<ReplicaPlace, Value>& items,
                         MonotonicTime deadline) {
  co_await state.to_known_brokers(items, deadline);
  for (auto* const item : items) {
    item->target = item->key.broker;
    if (item->failed_this_round || state.brokers.knows(item->key.broker)) continue;
    item->fail_for_good(AdminClient::State::no_such_broker(item->key.broker));
  }
}

// What one broker has: of the topics, or of all where they are null.
Task<ClientResult<std::vector<LogDir>>> directories_of(
    AdminClient::State& state, BrokerId broker,
    Array<DescribeLogDirsRequest::DescribableLogDirTopic> topics, MonotonicTime deadline) {
  DescribeLogDirsRequest request;
  request.topics = topics;
  auto reply = co_await state.send(broker, request, CallOptions{.deadline = deadline});
  if (!reply) co_return failure(std::move(reply.error()));
  if (code_of(reply->message.error_code) != ErrorCode::none) {
    co_return failure(refused(reply->message.error_code, broker, "the log directories"));
  }
  std::vector<LogDir> directories;
  for (const auto& in : reply->message.results) directories.push_back(directory_of(in));
  co_return directories;
}

// The request for replicas of one broker, by directory and topic. Stays in place.
class Moves {
 public:
  void add(const std::string& directory, const TopicPartition& partition) {
    numbers_[directory][partition.topic].push_back(partition.partition.value());
  }
  [[nodiscard]] AlterReplicaLogDirsRequest request() {
    topics_.reserve(numbers_.size());
    for (const auto& [directory, topics] : numbers_) {
      auto& rows = topics_.emplace_back();
      for (const auto& [name, indexes] : topics) {
        rows.push_back({.name = name, .partitions = view_of(indexes)});
      }
      directories_.push_back({.path = directory, .topics = view_of(rows)});
    }
    AlterReplicaLogDirsRequest request;
    request.dirs = view_of(directories_);
    return request;
  }

 private:
  std::map<std::string, std::map<std::string, std::vector<std::int32_t>>> numbers_;
  std::vector<std::vector<AlterReplicaLogDirsRequest::AlterReplicaLogDirTopic>> topics_;
  std::vector<AlterReplicaLogDirsRequest::AlterReplicaLogDir> directories_;
};

const AlterReplicaLogDirsResponse::AlterReplicaLogDirPartitionResult* moved_row(
    const AlterReplicaLogDirsResponse& message, const TopicPartition& partition) {
  for (const auto& topic : message.results) {
    if (topic.topic_name != partition.topic) continue;
    for (const auto& row : topic.partitions) {
      if (row.partition_index == partition.partition.value()) return &row;
    }
  }
  return nullptr;
}

}  // namespace

Task<Outcomes<BrokerId, std::vector<LogDir>>> AdminClient::describe_log_dirs(
    std::vector<BrokerId> brokers, AdminOptions options) {
  const MonotonicTime deadline = state_->deadline_of(options);
  const auto ask = [&](BrokerId broker) {
    return directories_of(*state_, broker,
                          Array<DescribeLogDirsRequest::DescribableLogDirTopic>::null(), deadline);
  };
  co_return co_await state_->ask_brokers<std::vector<LogDir>>(
      std::move(brokers), GoneBroker::is_an_error, deadline, ask);
}

Task<Outcomes<ReplicaPlace, ReplicaLogDirs>> AdminClient::describe_replica_log_dirs(
    std::vector<ReplicaPlace> replicas, AdminOptions options) {
  const MonotonicTime deadline = state_->deadline_of(options);
  using Open = Items<ReplicaPlace, ReplicaLogDirs>;
  const auto route = [&](Open& items) { return to_brokers_of(*state_, items, deadline); };
  const auto ask = [&](BrokerId broker, Open& items) -> Task<ClientResult<void>> {
    std::map<std::string, std::vector<std::int32_t>> numbers;
    for (const auto* const item : items) {
      numbers[item->key.partition.topic].push_back(item->key.partition.partition.value());
    }
    std::vector<DescribeLogDirsRequest::DescribableLogDirTopic> rows;
    for (const auto& [name, indexes] : numbers) {
      rows.push_back({.topic = name, .partitions = view_of(indexes)});
    }
    const auto directories = co_await directories_of(*state_, broker, view_of(rows), deadline);
    if (!directories) co_return failure(directories.error());
    for (auto* const item : items) settle_from(*item, *directories);
    co_return ClientResult<void>();
  };
  co_return co_await in_rounds<ReplicaPlace, ReplicaLogDirs>(std::move(replicas),
                                                             state_->rounds(deadline), route, ask);
}

Task<Outcomes<ReplicaPlace, void>> AdminClient::alter_replica_log_dirs(
    std::vector<std::pair<ReplicaPlace, std::string>> places, AdminOptions options) {
  const MonotonicTime deadline = state_->deadline_of(options);
  using Open = Items<ReplicaPlace, void>;
  const auto route = [&](Open& items) { return to_brokers_of(*state_, items, deadline); };
  const auto ask = [&](BrokerId broker, Open& items) -> Task<ClientResult<void>> {
    Moves moves;
    for (const auto* const item : items) {
      moves.add(places[item->place].second, item->key.partition);
    }
    const AlterReplicaLogDirsRequest request = moves.request();
    auto reply = co_await state_->send(broker, request, CallOptions{.deadline = deadline});
    if (!reply) co_return failure(std::move(reply.error()));
    for (auto* const item : items) {
      settle_by(*item, moved_row(reply->message, item->key.partition), broker, named(item->key),
                [&](const auto&) { item->settle(); });
    }
    co_return ClientResult<void>();
  };
  std::vector<ReplicaPlace> keys;
  for (const auto& [place, directory] : places) keys.push_back(place);
  co_return co_await in_rounds<ReplicaPlace, void>(std::move(keys), state_->rounds(deadline), route,
                                                   ask);
}

}  // namespace millrace::client
