module;
#include <algorithm>
#include <chrono>
#include <coroutine>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

module millrace.client.consumer;

import millrace.base;
import millrace.client.consumer.groups;
import millrace.client.core;
import millrace.protocol.consumer;
import millrace.runtime;
import millrace.runtime.streams;

namespace millrace::client {

using protocol::ConsumerGroupHeartbeatRequest;
using protocol::ConsumerGroupHeartbeatResponse;
using protocol::ErrorCode;

namespace {

// The first one in which members name themselves, and brokers find topics by a pattern.
constexpr std::int16_t heartbeat_version_min = 1;

// The words of a heartbeat, with what they view.
struct SpokenHeartbeat {
  std::vector<protocol::String> topics;
  std::vector<std::vector<std::int32_t>> partitions;
  std::vector<ConsumerGroupHeartbeatRequest::TopicPartitions> owned;
  ConsumerGroupHeartbeatRequest message;
};

void fill(SpokenHeartbeat& spoken, const GroupHeartbeat& beat) {
  ConsumerGroupHeartbeatRequest& message = spoken.message;
  message.member_id = beat.member_id;
  message.member_epoch = beat.epoch.value();
  if (beat.rack) message.rack_id = *beat.rack;
  if (beat.rebalance_timeout) {
    message.rebalance_timeout_ms = milliseconds_on_wire(*beat.rebalance_timeout);
  }
  if (beat.topics) {
    spoken.topics.assign(beat.topics->begin(), beat.topics->end());
    message.subscribed_topic_names = std::span(std::as_const(spoken.topics));
  }
  if (beat.pattern) {
    message.subscribed_topic_regex =
        beat.pattern->empty() ? protocol::empty_string : protocol::String(*beat.pattern);
  }
  if (beat.assignor) message.server_assignor = *beat.assignor;
  if (!beat.owned) return;
  spoken.partitions.reserve(beat.owned->size());
  for (const auto& [id, partitions] : *beat.owned) {
    auto& numbers = spoken.partitions.emplace_back();
    for (const PartitionIndex partition : partitions) numbers.push_back(partition.value());
    auto& item = spoken.owned.emplace_back();
    item.topic_id = id;
    item.partitions = std::span(std::as_const(numbers));
  }
  message.topic_partitions = std::span(std::as_const(spoken.owned));
}

// Null where no broker would say so.
std::optional<GroupHeartbeatAnswer> understood(const ConsumerGroupHeartbeatResponse& message) {
  GroupHeartbeatAnswer answer;
  answer.error = protocol::error_code_from(message.error_code);
  answer.sentence = std::string(message.error_message);
  answer.epoch = Generation(message.member_epoch);
  answer.interval = std::chrono::milliseconds(message.heartbeat_interval_ms);
  if (answer.error != ErrorCode::none) return answer;
  if (answer.epoch <= joining_epoch) return std::nullopt;
  if (message.assignment == nullptr) return answer;
  PartitionsById& assigned = answer.assignment.emplace();
  for (const auto& topic : message.assignment->topic_partitions) {
    if (topic.topic_id.is_zero()) return std::nullopt;
    auto& partitions = assigned[topic.topic_id];
    for (const std::int32_t partition : topic.partitions) {
      if (partition < 0) return std::nullopt;
      partitions.emplace_back(partition);
    }
  }
  for (auto& [id, partitions] : assigned) {
    std::ranges::sort(partitions);
    const auto repeated = std::ranges::unique(partitions);
    partitions.erase(repeated.begin(), repeated.end());
  }
  return answer;
}

}  // namespace

ManagedOptions managed_options(const ConsumerSettings& settings) {
  ManagedOptions options;
  options.group_id = settings.group_id;
  if (!settings.group_instance_id.empty()) options.instance_id = settings.group_instance_id;
  if (!settings.common.client_rack.empty()) options.rack = settings.common.client_rack;
  if (!settings.group_remote_assignor.empty()) options.assignor = settings.group_remote_assignor;
  options.max_poll_interval = settings.max_poll_interval;
  options.backoff = settings.common.retry_range();
  return options;
}

ManagedDriver::ManagedDriver(Executor& executor, Brokers& brokers, Metadata& metadata,
                             GroupCoordinator& coordinator, const ConsumerSettings& settings,
                             ConsumerMeters& meters, Random random, Logger logger)
    : GroupDriver(executor),
      brokers_(brokers),
      metadata_(metadata),
      coordinator_(coordinator),
      settings_(settings),
      meters_(meters),
      logger_(std::move(logger)),
      member_(managed_options(settings), random) {}

Task<void> ManagedDriver::run() {
  while (!is_stopped()) {
    const ManagedStep step = member_.next(now());
    if (const auto* rest = std::get_if<Rest>(&step)) {
      co_await rest_until(rest->until);
    } else if (std::holds_alternative<FindCoordinator>(step)) {
      co_await find_coordinator();
    } else if (std::holds_alternative<FindNames>(step)) {
      metadata_.invalidate();
    } else if (const auto* beat = std::get_if<GroupHeartbeat>(&step)) {
      co_await heartbeat(*beat);
    } else if (const auto* leave = std::get_if<Leave>(&step)) {
      logger_.warning("group {}: leaves: {}", settings_.group_id, leave->reason);
      co_await send_leave(*leave, now() + settings_.common.request_timeout);
      member_.left();
    }
  }
}

TopicNames ManagedDriver::names() const {
  return [view = metadata_.view()](const Uuid& id) -> std::optional<std::string> {
    const TopicView* topic = view->find(id);
    if (topic == nullptr) return std::nullopt;
    return topic->name;
  };
}

void ManagedDriver::cluster_changed() {
  member_.know(names());
  wake();
}

void ManagedDriver::failed(const ClientError& error) {
  logger_.debug("group {}: {}", settings_.group_id, to_string(error));
  coordinator_.lose();
  member_.unanswered(now());
}

Task<void> ManagedDriver::find_coordinator() {
  // Whoever commits may have found it already, but then it is the one that does not answer.
  coordinator_.lose();
  const auto found = co_await coordinator_.look_up(now() + settings_.common.request_timeout);
  if (found) {
    member_.found_coordinator(ErrorCode::none, now());
  } else if (found.error().failure == Failure::broker_said) {
    member_.found_coordinator(found.error().code, now());
  } else {
    failed(found.error());
  }
}

Task<void> ManagedDriver::heartbeat(const GroupHeartbeat& beat) {
  const auto broker = coordinator_.known();
  if (!broker) co_return member_.unanswered(now());
  SpokenHeartbeat spoken;
  fill(spoken, beat);
  spoken.message.group_id = settings_.group_id;
  if (!settings_.group_instance_id.empty()) {
    spoken.message.instance_id = settings_.group_instance_id;
  }
  CallOptions options;
  options.lane = Lane::coordination;
  options.deadline = now() + settings_.common.request_timeout;
  options.version_min = heartbeat_version_min;
  const MonotonicTime begun = now();
  meters_.last_heartbeat = begun;
  auto reply = co_await brokers_.call(*broker, spoken.message, options);
  if (!reply && reply.error().failure == Failure::unsupported_version) {
    co_return member_.not_offered();
  }
  if (!reply) co_return failed(reply.error());
  meters_.heartbeat.record(milliseconds_of(now() - begun), now());
  const auto answer = understood(reply->message);
  if (!answer) {
    logger_.warning("group {}: the coordinator's answer makes no sense; it is asked again",
                    settings_.group_id);
    co_return member_.unanswered(now());
  }
  const Generation before = member_.generation();
  member_.heartbeat_answered(*answer, names(), now());
  if (answer->error != ErrorCode::none) {
    logger_.debug("group {}: the coordinator answers {} {}", settings_.group_id,
                  protocol::name_of(answer->error), answer->sentence);
  } else if (member_.generation() != before) {
    logger_.info("group {}: {} is in epoch {}", settings_.group_id, beat.member_id,
                 member_.generation());
  }
  if (answer->error != ErrorCode::none && rebalancing_) {
    rebalancing_.reset();
    meters_.failed_rebalance.record(1, now());
  }
  measure(begun);
}

// From the assignment until the broker knows that it is held.
void ManagedDriver::measure(MonotonicTime begun) {
  if (!member_.is_settled()) {
    if (member_.change() && !rebalancing_) rebalancing_ = begun;
    return;
  }
  if (!rebalancing_) return;
  meters_.rebalance.record(milliseconds_of(now() - *std::exchange(rebalancing_, std::nullopt)),
                           now());
  meters_.last_rebalance = now();
}

Task<void> ManagedDriver::send_leave(Leave leave, MonotonicTime deadline) {
  const auto broker = coordinator_.known();
  if (!broker) co_return;
  ConsumerGroupHeartbeatRequest request;
  request.group_id = settings_.group_id;
  request.member_id = leave.member_id;
  request.member_epoch = leaving_epoch.value();
  if (!settings_.group_instance_id.empty()) {
    request.instance_id = settings_.group_instance_id;
    request.member_epoch = leaving_static_epoch.value();
  }
  CallOptions options;
  options.deadline = deadline;
  options.version_min = heartbeat_version_min;
  options.lane = Lane::coordination;
  const auto reply = co_await brokers_.call(*broker, request, options);
  // The session ends by itself then.
  if (!reply) {
    logger_.debug("group {}: leaving was not answered: {}", settings_.group_id,
                  to_string(reply.error()));
  } else if (reply->message.error_code != 0) {
    logger_.debug("group {}: leaving was answered with {}", settings_.group_id,
                  protocol::name_of(protocol::error_code_from(reply->message.error_code)));
  }
}

}  // namespace millrace::client
