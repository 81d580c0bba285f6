module;
#include <algorithm>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
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
import millrace.protocol.groups;
import millrace.runtime;
import millrace.runtime.streams;

namespace millrace::client {

using protocol::ErrorCode;
using protocol::JoinGroupRequest;
using protocol::SyncGroupRequest;

namespace {

// The first versions that can say who a static member is.
constexpr std::int16_t join_version_static = 5;
constexpr std::int16_t member_version_static = 3;
// The first one that names members.
constexpr std::int16_t leave_version_min = 3;
// From this one on a coordinator gives who has no id yet one first, and at once.
constexpr std::int16_t join_version_id_first = 4;

constexpr protocol::String consumer_protocol_type = "consumer";

OwnedBytes copy_of(ByteView bytes) {
  return {bytes.begin(), bytes.end()};
}

AssignableTopic assignable(const TopicView& topic, const ClusterView& cluster) {
  AssignableTopic result{topic.name, static_cast<std::int32_t>(topic.partitions.size()), {}};
  for (const PartitionView& partition : topic.partitions) {
    auto& racks = result.racks.emplace_back();
    for (const BrokerId replica : partition.replicas) {
      const BrokerView* broker = cluster.find(replica);
      if (broker != nullptr && broker->rack) racks.push_back(*broker->rack);
    }
  }
  return result;
}

}  // namespace

MemberOptions member_options(const ConsumerSettings& settings) {
  MemberOptions options;
  options.group_id = settings.group_id;
  if (!settings.group_instance_id.empty()) options.instance_id = settings.group_instance_id;
  if (!settings.common.client_rack.empty()) options.rack = settings.common.client_rack;
  options.strategies = settings.partition_assignment_strategy;
  options.session_timeout = settings.session_timeout;
  options.heartbeat_interval = settings.heartbeat_interval;
  options.max_poll_interval = settings.max_poll_interval;
  options.backoff = settings.common.retry_range();
  return options;
}

ClassicDriver::ClassicDriver(Executor& executor, Brokers& brokers, Metadata& metadata,
                             GroupCoordinator& coordinator, const ConsumerSettings& settings,
                             ConsumerMeters& meters, Random random, Logger logger)
    : GroupDriver(executor),
      brokers_(brokers),
      metadata_(metadata),
      coordinator_(coordinator),
      settings_(settings),
      meters_(meters),
      logger_(std::move(logger)),
      member_(member_options(settings), random) {}

Task<void> ClassicDriver::run() {
  while (!is_stopped()) {
    const MemberStep step = member_.next(now());
    if (const auto* rest = std::get_if<Rest>(&step)) {
      co_await rest_until(rest->until);
    } else if (std::holds_alternative<FindCoordinator>(step)) {
      co_await find_coordinator();
    } else if (const auto* asked_join = std::get_if<Join>(&step)) {
      co_await join(*asked_join);
    } else if (const auto* task = std::get_if<ShareOut>(&step)) {
      co_await share_out(*task);
    } else if (const auto* asked_sync = std::get_if<Sync>(&step)) {
      co_await sync(*asked_sync);
    } else if (const auto* beat = std::get_if<Heartbeat>(&step)) {
      co_await heartbeat(*beat);
    } else if (const auto* leave = std::get_if<Leave>(&step)) {
      logger_.warning("group {}: leaves: {}", settings_.group_id, leave->reason);
      co_await send_leave(*leave, now() + settings_.common.request_timeout);
      member_.left();
    }
  }
}

CallOptions ClassicDriver::options(std::int16_t version_min_static) const {
  CallOptions options;
  options.lane = Lane::coordination;
  options.deadline = now() + settings_.common.request_timeout;
  if (!settings_.group_instance_id.empty()) options.version_min = version_min_static;
  return options;
}

void ClassicDriver::answer_within(CallOptions& options, Duration timeout) const {
  options.timeout = timeout;
  // Of connecting, too. It comes after the time for the answer: a connection on which an answer
  // is late is given up, where one whose caller cannot wait longer is kept.
  options.deadline = now() + timeout + settings_.common.request_timeout;
}

void ClassicDriver::failed(const ClientError& error) {
  logger_.debug("group {}: {}", settings_.group_id, to_string(error));
  coordinator_.lose();
  member_.unanswered(now());
}

Task<void> ClassicDriver::find_coordinator() {
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

Task<void> ClassicDriver::join(const Join& join) {
  JoinGroupRequest request;
  std::vector<JoinGroupRequest::JoinGroupRequestProtocol> protocols;
  for (const auto& [strategy, metadata] : join.protocols) {
    auto& item = protocols.emplace_back();
    item.name = name_of(strategy);
    item.metadata = metadata;
  }
  request.group_id = settings_.group_id;
  request.session_timeout_ms = milliseconds_on_wire(settings_.session_timeout);
  request.rebalance_timeout_ms = milliseconds_on_wire(settings_.max_poll_interval);
  request.member_id = join.member_id;
  if (!settings_.group_instance_id.empty()) {
    request.group_instance_id = settings_.group_instance_id;
  }
  request.protocol_type = consumer_protocol_type;
  request.protocols = std::span(std::as_const(protocols));
  request.reason = join.reason;
  CallOptions join_options = options(join_version_static);
  const auto broker = coordinator_.known();
  if (!broker) co_return member_.unanswered(now());
  const auto versions = co_await brokers_.versions(*broker, join_options);
  if (!versions) co_return failed(versions.error());
  const auto version = (*versions)->highest(JoinGroupRequest::api_key);
  const bool is_answered_at_once = join.member_id.empty() && settings_.group_instance_id.empty() &&
                                   version.value_or(0) >= join_version_id_first;
  // Else the answer comes when all members have joined.
  answer_within(join_options, is_answered_at_once ? settings_.common.request_timeout
                                                  : std::max(settings_.max_poll_interval,
                                                             settings_.common.request_timeout) +
                                                        join_answer_margin);
  waits_at_coordinator_ = true;
  const MonotonicTime begun = now();
  if (!rebalancing_) rebalancing_ = begun;
  auto reply = co_await brokers_.call(*broker, request, join_options);
  waits_at_coordinator_ = false;
  if (!reply) co_return failed(reply.error());
  if (reply->message.error_code == 0) meters_.join.record(milliseconds_of(now() - begun), now());
  const auto& message = reply->message;
  JoinAnswer answer;
  answer.error = protocol::error_code_from(message.error_code);
  answer.generation = Generation(message.generation_id);
  answer.protocol_name = std::string(message.protocol_name);
  answer.leader = std::string(message.leader);
  answer.member_id = std::string(message.member_id);
  answer.skip_assignment = message.skip_assignment;
  for (const auto& member : message.members) {
    auto& item = answer.members.emplace_back();
    item.member_id = std::string(member.member_id);
    if (member.group_instance_id.data() != nullptr) {
      item.instance_id = std::string(member.group_instance_id);
    }
    item.metadata = copy_of(member.metadata);
  }
  if (answer.error == ErrorCode::none) {
    logger_.info("group {}: joined generation {} as {}{}", settings_.group_id, answer.generation,
                 answer.member_id, answer.leader == answer.member_id ? ", and leads" : "");
  }
  member_.joined(answer, now());
}

Task<void> ClassicDriver::share_out(const ShareOut& task) {
  group_topics_.clear();
  for (const Subscriber& member : task.members) {
    group_topics_.insert(member.topics.begin(), member.topics.end());
  }
  for (const std::string& topic : group_topics_) metadata_.want(topic);
  const MonotonicTime deadline = now() + settings_.common.request_timeout;
  if (const auto refreshed = co_await metadata_.refresh(deadline); !refreshed) {
    co_return member_.sharing_failed(
        formatted("its leader could not read the topics: {}", refreshed.error().message), now());
  }
  const auto cluster = metadata_.view();
  std::vector<AssignableTopic> topics;
  for (const std::string& name : group_topics_) {
    if (const TopicView* topic = cluster->find(name)) {
      topics.push_back(assignable(*topic, *cluster));
    }
  }
  shared_out_ = partitions_of_group();
  member_.shared(assign(task.strategy, topics, task.members));
}

std::map<std::string, std::size_t> ClassicDriver::partitions_of_group() const {
  std::map<std::string, std::size_t> partitions;
  const auto cluster = metadata_.view();
  for (const std::string& name : group_topics_) {
    const TopicView* topic = cluster->find(name);
    if (topic != nullptr && !topic->partitions.empty()) partitions[name] = topic->partitions.size();
  }
  return partitions;
}

void ClassicDriver::cluster_changed() {
  if (!member_.is_leader() || !member_.is_stable() || partitions_of_group() == shared_out_) return;
  member_.request_rejoin("topics of the group have changed");
  wake();
}

void ClassicDriver::want_topics() {
  if (!member_.is_leader()) return;
  for (const std::string& topic : group_topics_) metadata_.want(topic);
}

Task<void> ClassicDriver::sync(const Sync& sync) {
  SyncGroupRequest request;
  std::vector<SyncGroupRequest::SyncGroupRequestAssignment> assignments;
  for (const auto& [member, assignment] : sync.assignments) {
    auto& item = assignments.emplace_back();
    item.member_id = member;
    item.assignment = assignment;
  }
  request.group_id = settings_.group_id;
  request.generation_id = sync.generation.value();
  request.member_id = sync.member_id;
  if (!settings_.group_instance_id.empty()) {
    request.group_instance_id = settings_.group_instance_id;
  }
  request.protocol_type = consumer_protocol_type;
  request.protocol_name = name_of(sync.strategy);
  request.assignments = std::span(std::as_const(assignments));
  // The answer comes when the leader has shared out. Who waits in vain joins again, and finds the
  // generation as it was; so the answer that got lost is soon asked for again.
  CallOptions sync_options = options(member_version_static);
  answer_within(sync_options, settings_.common.request_timeout);
  const auto broker = coordinator_.known();
  if (!broker) co_return member_.unanswered(now());
  waits_at_coordinator_ = true;
  const MonotonicTime begun = now();
  auto reply = co_await brokers_.call(*broker, request, sync_options);
  waits_at_coordinator_ = false;
  if (!reply) co_return failed(reply.error());
  if (reply->message.error_code == 0) {
    meters_.sync.record(milliseconds_of(now() - begun), now());
    const Duration all = now() - std::exchange(rebalancing_, std::nullopt).value_or(begun);
    meters_.rebalance.record(milliseconds_of(all), now());
    meters_.last_rebalance = now();
  } else {
    meters_.failed_rebalance.record(1, now());
  }
  member_.synced(
      {protocol::error_code_from(reply->message.error_code), copy_of(reply->message.assignment)},
      now());
}

Task<void> ClassicDriver::heartbeat(const Heartbeat& heartbeat) {
  protocol::HeartbeatRequest request;
  request.group_id = settings_.group_id;
  request.generation_id = heartbeat.generation.value();
  request.member_id = heartbeat.member_id;
  if (!settings_.group_instance_id.empty()) {
    request.group_instance_id = settings_.group_instance_id;
  }
  const auto broker = coordinator_.known();
  if (!broker) co_return member_.unanswered(now());
  const MonotonicTime begun = now();
  meters_.last_heartbeat = begun;
  auto reply = co_await brokers_.call(*broker, request, options(member_version_static));
  if (!reply) co_return failed(reply.error());
  meters_.heartbeat.record(milliseconds_of(now() - begun), now());
  member_.heartbeat_answered(protocol::error_code_from(reply->message.error_code), now());
}

Task<void> ClassicDriver::send_leave(Leave leave, MonotonicTime deadline) {
  const auto broker = coordinator_.known();
  if (!broker) co_return;
  protocol::LeaveGroupRequest::MemberIdentity identity;
  identity.member_id = leave.member_id;
  identity.reason = leave.reason;
  protocol::LeaveGroupRequest request;
  request.group_id = settings_.group_id;
  request.members = {&identity, 1};
  CallOptions leave_options;
  leave_options.deadline = deadline;
  leave_options.version_min = leave_version_min;
  leave_options.lane = waits_at_coordinator_ ? Lane::data : Lane::coordination;
  const auto reply = co_await brokers_.call(*broker, request, leave_options);
  // The session ends by itself then.
  if (!reply) {
    logger_.debug("group {}: leaving was not answered: {}", settings_.group_id,
                  to_string(reply.error()));
  }
}

}  // namespace millrace::client
