module;
#include <algorithm>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

module millrace.client.consumer;

import millrace.base;
import millrace.client.core;
import millrace.protocol.fetch;
import millrace.runtime;

namespace millrace::client {

using protocol::ErrorCode;
using protocol::ListOffsetsRequest;

namespace {

// Version 1 cannot ask for what is committed only.
constexpr std::int16_t list_offsets_version_min = 2;

// A request and what it views.
struct AskedOffsets {
  std::map<std::string, std::vector<ListOffsetsRequest::ListOffsetsPartition>> topics;
  std::vector<ListOffsetsRequest::ListOffsetsTopic> items;
  ListOffsetsRequest message;
};

void fill(AskedOffsets& asked, const std::vector<TopicPartition>& of, const WantedOffsets& wanted,
          const Metadata& metadata, IsolationLevel isolation) {
  for (const TopicPartition& name : of) {
    ListOffsetsRequest::ListOffsetsPartition item;
    item.partition_index = name.partition.value();
    const auto leader = metadata.known_leader(name.topic, name.partition);
    if (leader) item.current_leader_epoch = leader->epoch.value();
    item.timestamp = wanted.at(name).value();
    asked.topics[name.topic].push_back(item);
  }
  for (const auto& [topic, partitions] : asked.topics) {
    auto& item = asked.items.emplace_back();
    item.name = topic;
    item.partitions = std::span(std::as_const(partitions));
  }
  asked.message.replica_id = -1;
  asked.message.isolation_level = static_cast<std::int8_t>(isolation);
  asked.message.topics = std::span(std::as_const(asked.items));
}

}  // namespace

Task<ClientResult<void>> OffsetLookup::ask(BrokerId broker, std::vector<TopicPartition> of,
                                           WantedOffsets& wanted, FoundOffsets& found,
                                           MonotonicTime deadline) {
  std::ranges::sort(of);
  AskedOffsets asked;
  fill(asked, of, wanted, metadata_, settings_.isolation_level);
  CallOptions options;
  options.deadline = deadline;
  options.version_min = list_offsets_version_min;
  auto reply = co_await brokers_.call(broker, asked.message, options);
  if (!reply) {
    metadata_.invalidate();
    if (reply.error().retriable) co_return ClientResult<void>();
    co_return failure(std::move(reply.error()));
  }
  ClientResult<void> refused;
  for (const auto& topic : reply->message.topics) {
    for (const auto& data : topic.partitions) {
      const TopicPartition name{std::string(topic.name), PartitionIndex(data.partition_index)};
      // What others were asked for is still theirs to tell.
      if (!std::ranges::binary_search(of, name) || !wanted.contains(name)) continue;
      const ErrorCode error = protocol::error_code_from(data.error_code);
      if (error == ErrorCode::none) {
        found[name] = {Offset(data.offset), Timestamp(data.timestamp),
                       LeaderEpoch(data.leader_epoch)};
        wanted.erase(name);
        continue;
      }
      metadata_.invalidate();
      if (!traits_of(error).retriable) {
        refused = failure(broker_error(
            error, broker, formatted("the offsets of {} cannot be listed", to_string(name))));
      }
    }
  }
  co_return refused;
}

Task<ClientResult<FoundOffsets>> OffsetLookup::find(WantedOffsets wanted, MonotonicTime deadline) {
  FoundOffsets found;
  Backoff backoff(settings_.common.retry_range(), Random(wanted.size()));
  const std::size_t all = wanted.size();
  for (;;) {
    std::map<BrokerId, std::vector<TopicPartition>> by_leader;
    for (const auto& [name, timestamp] : wanted) {
      const auto leader = co_await metadata_.leader(name, deadline);
      if (!leader) co_return failure(leader.error());
      by_leader[leader->broker].push_back(name);
    }
    for (auto& [broker, partitions] : by_leader) {
      auto asked = co_await ask(broker, std::move(partitions), wanted, found, deadline);
      if (!asked) co_return failure(std::move(asked.error()));
    }
    if (wanted.empty()) co_return found;
    const MonotonicTime next = executor_.clock().now() + backoff.next();
    if (next >= deadline) {
      co_return failure(client_error(
          Failure::timed_out,
          formatted(
              "the offsets of {} of {} partitions, {} among them, could not be listed in time",
              wanted.size(), all, to_string(wanted.begin()->first))));
    }
    if (!is_stopped_) static_cast<void>(co_await stopping_.wait(next));
    if (is_stopped_) co_return failure(client_error(Failure::closed, "the consumer is closed"));
  }
}

}  // namespace millrace::client
