module;
#include <algorithm>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

module millrace.client.consumer;

import millrace.base;
import millrace.client.consumer.groups;
import millrace.client.core;
import millrace.protocol.groups;
import millrace.protocol.metadata;
import millrace.runtime;

namespace millrace::client {

using protocol::ErrorCode;
using protocol::OffsetCommitRequest;
using protocol::OffsetFetchRequest;

namespace {

// From these on all brokers that this client works with speak a request in one shape; the last ones
// know topics by their ids only.
constexpr std::int16_t find_coordinator_version_min = 4;
constexpr std::int16_t offset_fetch_version_min = 8;
constexpr std::int16_t offset_fetch_version_max = 9;
constexpr std::int16_t offset_commit_version_max = 9;
// The first one that can say who a static member is.
constexpr std::int16_t offset_commit_version_static = 7;

// Commits and fetches of offsets by members with epochs.
constexpr std::int16_t epoch_version_min = 9;

// The member has a newer one, or is about to hear of it.
bool is_of_earlier_epoch(ErrorCode error) {
  return error == ErrorCode::stale_member_epoch || error == ErrorCode::fenced_member_epoch;
}

bool is_about_coordinator(ErrorCode error) {
  return error == ErrorCode::not_coordinator || error == ErrorCode::coordinator_not_available;
}

struct AskedCommit {
  std::map<std::string_view, std::vector<OffsetCommitRequest::OffsetCommitRequestPartition>> topics;
  std::vector<OffsetCommitRequest::OffsetCommitRequestTopic> items;
  OffsetCommitRequest message;
};

void fill(AskedCommit& asked, const CommittedOffsets& offsets) {
  for (const auto& [name, committed] : offsets) {
    OffsetCommitRequest::OffsetCommitRequestPartition item;
    item.partition_index = name.partition.value();
    item.committed_offset = committed.offset.value();
    item.committed_leader_epoch = committed.leader_epoch.value();
    item.committed_metadata = committed.metadata;
    asked.topics[name.topic].push_back(item);
  }
  for (const auto& [topic, partitions] : asked.topics) {
    auto& item = asked.items.emplace_back();
    item.name = topic;
    item.partitions = std::span(std::as_const(partitions));
  }
  asked.message.topics = std::span(std::as_const(asked.items));
}

}  // namespace

Task<ClientResult<BrokerId>> GroupCoordinator::look_up(MonotonicTime deadline) {
  const protocol::String key = settings_.group_id;
  protocol::FindCoordinatorRequest request;
  request.coordinator_keys = {&key, 1};
  CallOptions options;
  options.deadline = deadline;
  options.version_min = find_coordinator_version_min;
  options.lane = Lane::coordination;
  auto reply = co_await brokers_.call_any(request, options);
  if (!reply) co_return failure(std::move(reply.error()));
  if (reply->message.coordinators.size() != 1) {
    co_return failure(client_error(Failure::malformed_answer,
                                   "FindCoordinator was answered for another number of groups",
                                   Persistence::not_persisted, reply->broker));
  }
  const auto& found = reply->message.coordinators[0];
  if (const ErrorCode error = protocol::error_code_from(found.error_code);
      error != ErrorCode::none) {
    co_return failure(broker_error(error, reply->broker,
                                   formatted("the coordinator of group {} is not known", key)));
  }
  if (found.node_id < 0 || found.port <= 0 || found.port > 65'535) {
    co_return failure(client_error(Failure::malformed_answer,
                                   formatted("the coordinator of group {} has no address", key),
                                   Persistence::not_persisted, reply->broker));
  }
  const BrokerId broker(found.node_id);
  brokers_.learn({broker, {std::string(found.host), Port(static_cast<std::uint16_t>(found.port))}});
  known_ = broker;
  co_return broker;
}

Task<ClientResult<BrokerId>> GroupCoordinator::find(MonotonicTime deadline) {
  Backoff backoff(settings_.common.retry_range(), Random(1));
  for (;;) {
    if (known_) co_return *known_;
    auto found = co_await look_up(deadline);
    if (found || !found.error().retriable) co_return found;
    const MonotonicTime next = executor_.clock().now() + backoff.next();
    if (next >= deadline) co_return found;
    if (auto paused = co_await pause_until(next); !paused) co_return failure(paused.error());
  }
}

Task<ClientResult<void>> GroupCoordinator::pause_until(MonotonicTime time) {
  if (!is_stopped_) static_cast<void>(co_await stopping_.wait(time));
  if (is_stopped_) co_return failure(client_error(Failure::closed, "the consumer is closed"));
  co_return ClientResult<void>();
}

void GroupCoordinator::note(const ClientError& error) {
  if (error.failure != Failure::broker_said || is_about_coordinator(error.code)) lose();
}

Task<ClientResult<void>> GroupCoordinator::commit(CommittedOffsets offsets, Membership membership,
                                                  MonotonicTime deadline) {
  if (offsets.empty()) co_return ClientResult<void>();
  const std::uint64_t number = ++commits_;
  for (const auto& [name, committed] : offsets) last_commits_[name] = number;
  ++commits_under_way_;
  auto committed =
      co_await commit_numbered(number, std::move(offsets), std::move(membership), deadline);
  if (--commits_under_way_ == 0) last_commits_.clear();
  co_return committed;
}

void GroupCoordinator::release(const std::vector<TopicPartition>& partitions) {
  if (commits_under_way_ == 0) return;
  ++commits_;
  for (const TopicPartition& name : partitions) last_commits_[name] = commits_;
}

ClientResult<Membership> GroupCoordinator::still(const Membership& begun) const {
  if (!current_) return begun;
  Membership now = current_();
  if (!begun.member_id.empty() && (now.member_id.empty() || now.times_ended != begun.times_ended)) {
    return failure(client_error(Failure::not_in_group,
                                formatted("group {}: this consumer is no member any more; "
                                          "nothing was committed",
                                          settings_.group_id)));
  }
  return now;
}

Task<ClientResult<void>> GroupCoordinator::commit_numbered(std::uint64_t number,
                                                           CommittedOffsets offsets,
                                                           Membership membership,
                                                           MonotonicTime deadline) {
  Backoff backoff(settings_.common.retry_range(), Random(2));
  std::size_t left_out = 0;
  for (;;) {
    const auto broker = co_await find(deadline);
    if (!broker) co_return failure(broker.error());
    const auto as = still(membership);
    if (!as) co_return failure(as.error());
    // An earlier place does not come after a later one.
    left_out += std::erase_if(
        offsets, [&](const auto& entry) { return last_commits_.at(entry.first) != number; });
    auto committed = ClientResult<void>();
    if (!offsets.empty()) committed = co_await commit_once(*broker, offsets, *as, deadline);
    if (committed && left_out > 0) {
      ClientError error = client_error(
          Failure::aborted,
          formatted("group {}: the offsets of {} partitions were not committed: they were "
                    "committed anew or taken away meanwhile",
                    settings_.group_id, left_out));
      error.code = ErrorCode::none;
      co_return failure(std::move(error));
    }
    if (committed) co_return committed;
    note(committed.error());
    const bool was_overtaken = current_ && is_of_earlier_epoch(committed.error().code);
    const MonotonicTime next = executor_.clock().now() + backoff.next();
    // During a rebalance nothing is taken, however often it is tried.
    if ((!committed.error().retriable && !was_overtaken) || next >= deadline ||
        committed.error().code == ErrorCode::rebalance_in_progress) {
      co_return committed;
    }
    if (auto paused = co_await pause_until(next); !paused) co_return failure(paused.error());
  }
}

Task<ClientResult<void>> GroupCoordinator::commit_once(BrokerId broker,
                                                       const CommittedOffsets& offsets,
                                                       const Membership& membership,
                                                       MonotonicTime deadline) {
  AskedCommit asked;
  fill(asked, offsets);
  asked.message.group_id = settings_.group_id;
  asked.message.generation_id_or_member_epoch = membership.generation.value();
  asked.message.member_id = membership.member_id;
  CallOptions options;
  options.deadline = deadline;
  options.version_max = offset_commit_version_max;
  options.lane = Lane::coordination;
  if (!settings_.group_instance_id.empty()) {
    asked.message.group_instance_id = settings_.group_instance_id;
    options.version_min = offset_commit_version_static;
  }
  if (current_ && !membership.member_id.empty()) options.version_min = epoch_version_min;
  const MonotonicTime begun = executor_.clock().now();
  auto reply = co_await brokers_.call(broker, asked.message, options);
  if (!reply) co_return failure(std::move(reply.error()));
  const MonotonicTime now = executor_.clock().now();
  meters_.commit.record(milliseconds_of(now - begun), now);
  std::optional<ClientError> worst;
  for (const auto& topic : reply->message.topics) {
    for (const auto& data : topic.partitions) {
      const ErrorCode error = protocol::error_code_from(data.error_code);
      if (error == ErrorCode::none) continue;
      const TopicPartition name{std::string(topic.name), PartitionIndex(data.partition_index)};
      ClientError found = broker_error(error, broker,
                                       formatted("group {}: the offset of {} was not committed",
                                                 settings_.group_id, to_string(name)));
      if (!worst || (worst->retriable && !found.retriable)) worst = std::move(found);
    }
  }
  if (worst) co_return failure(std::move(*worst));
  co_return ClientResult<void>();
}

Task<ClientResult<CommittedOffsets>> GroupCoordinator::committed(std::vector<TopicPartition> of,
                                                                 MonotonicTime deadline) {
  auto found = co_await committed_of_some(std::move(of), deadline);
  if (!found) co_return failure(std::move(found.error()));
  if (!found->refused.empty()) co_return failure(std::move(found->refused.begin()->second));
  co_return std::move(found->offsets);
}

Task<ClientResult<GroupCoordinator::Found>> GroupCoordinator::committed_of_some(
    std::vector<TopicPartition> of, MonotonicTime deadline) {
  if (of.empty()) co_return Found{};
  Backoff backoff(settings_.common.retry_range(), Random(3));
  for (;;) {
    const auto broker = co_await find(deadline);
    if (!broker) co_return failure(broker.error());
    auto fetched = co_await fetch_once(*broker, of, deadline);
    if (fetched) co_return fetched;
    note(fetched.error());
    const MonotonicTime next = executor_.clock().now() + backoff.next();
    // A member that is not known any more asks as nobody, until it has joined again.
    const bool was_overtaken = current_ && (is_of_earlier_epoch(fetched.error().code) ||
                                            fetched.error().code == ErrorCode::unknown_member_id);
    if ((!fetched.error().retriable && !was_overtaken) || next >= deadline) co_return fetched;
    if (auto paused = co_await pause_until(next); !paused) co_return failure(paused.error());
  }
}

Task<ClientResult<GroupCoordinator::Found>> GroupCoordinator::fetch_once(
    BrokerId broker, const std::vector<TopicPartition>& of, MonotonicTime deadline) {
  std::map<std::string_view, std::vector<std::int32_t>> topics;
  for (const TopicPartition& name : of) topics[name.topic].push_back(name.partition.value());
  std::vector<OffsetFetchRequest::OffsetFetchRequestTopics> items;
  for (const auto& [topic, partitions] : topics) {
    auto& item = items.emplace_back();
    item.name = topic;
    item.partition_indexes = std::span(std::as_const(partitions));
  }
  OffsetFetchRequest::OffsetFetchRequestGroup group;
  group.group_id = settings_.group_id;
  group.topics = std::span(std::as_const(items));
  const Membership as = current_ ? current_() : Membership();
  if (!as.member_id.empty()) {
    group.member_id = as.member_id;
    group.member_epoch = as.generation.value();
  }
  OffsetFetchRequest request;
  request.groups = {&group, 1};
  request.require_stable = settings_.isolation_level == IsolationLevel::read_committed;
  CallOptions options;
  options.deadline = deadline;
  options.version_min = as.member_id.empty() ? offset_fetch_version_min : epoch_version_min;
  options.version_max = offset_fetch_version_max;
  options.lane = Lane::coordination;
  auto reply = co_await brokers_.call(broker, request, options);
  if (!reply) co_return failure(std::move(reply.error()));
  Found found;
  const auto refused = [&](std::int16_t code, const std::string& what) {
    return broker_error(protocol::error_code_from(code), broker,
                        formatted("group {}: {} cannot be read", settings_.group_id, what));
  };
  for (const auto& answered : reply->message.groups) {
    if (answered.error_code != 0) {
      co_return failure(refused(answered.error_code, "the committed offsets"));
    }
    for (const auto& topic : answered.topics) {
      for (const auto& data : topic.partitions) {
        TopicPartition name{std::string(topic.name), PartitionIndex(data.partition_index)};
        if (data.error_code != 0) {
          ClientError error =
              refused(data.error_code, "the committed offset of " + to_string(name));
          if (error.code != ErrorCode::topic_authorization_failed)
            co_return failure(std::move(error));
          found.refused.emplace(std::move(name), std::move(error));
          continue;
        }
        if (data.committed_offset < 0) continue;
        found.offsets[std::move(name)] = {Offset(data.committed_offset),
                                          LeaderEpoch(data.committed_leader_epoch),
                                          std::string(data.metadata)};
      }
    }
  }
  co_return found;
}

}  // namespace millrace::client
