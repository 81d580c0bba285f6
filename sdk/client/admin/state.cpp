module;
#include <algorithm>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

module millrace.client.admin;

import millrace.base;
import millrace.client.core;
import millrace.protocol;
import millrace.runtime;
import millrace.runtime.streams;
import :admin_client;
import :state;
import :types;

namespace millrace::client {
namespace {

using protocol::DescribeClusterRequest;
using protocol::FindCoordinatorRequest;
using protocol::MetadataRequest;
using protocol::MetadataResponse;

// From here on asking for a topic need not create it.
constexpr std::int16_t no_creation_from = 4;
constexpr std::int16_t authorized_operations_from = 8;
// The last version with one key, which every broker speaks.
constexpr std::int16_t one_key_until = 3;
// From here on a coordinator is that of a group or of a transactional id.
constexpr std::int16_t kinds_of_keys_from = 1;

ClientError controllers_know_no_topics() {
  return client_error(Failure::unsupported_version,
                      "controllers do not tell of topics; bootstrap.servers names brokers, which "
                      "do");
}

}  // namespace

SeenTopic seen_topic(const MetadataResponse::MetadataResponseTopic& in) {
  SeenTopic out;
  out.error = code_of(in.error_code);
  out.topic = {.name = std::string(in.name),
               .id = in.topic_id,
               .internal = in.is_internal,
               .partitions = {},
               .authorized_operations = operations_of(in.topic_authorized_operations)};
  for (const auto& partition : in.partitions) {
    out.topic.partitions.push_back({.index = PartitionIndex(partition.partition_index),
                                    .error = code_of(partition.error_code),
                                    .leader = BrokerId(partition.leader_id),
                                    .leader_epoch = LeaderEpoch(partition.leader_epoch),
                                    .replicas = broker_ids(partition.replica_nodes),
                                    .isr = broker_ids(partition.isr_nodes),
                                    .offline = broker_ids(partition.offline_replicas)});
  }
  std::ranges::sort(out.topic.partitions, {}, &PartitionView::index);
  return out;
}

AdminClient::AdminClient(const AdminSettings& settings, Executor& executor, Network& network,
                         Resolver& resolver, Logger logger, Random random)
    : state_(std::make_unique<State>(settings, executor, network, resolver, logger, random)) {}

AdminClient::~AdminClient() = default;

Task<void> AdminClient::close(MonotonicTime deadline) {
  state_->pauses.end();
  co_await state_->brokers.close(deadline);
}

std::int32_t AdminClient::State::milliseconds_until(MonotonicTime deadline) const {
  const Duration left =
      std::min(deadline - executor.clock().now(), settings.common.request_timeout);
  const auto whole = std::chrono::duration_cast<std::chrono::milliseconds>(left).count();
  return static_cast<std::int32_t>(std::clamp<std::int64_t>(whole, 1, 0x7fff'ffff));
}

Task<ClientResult<SeenTopics>> AdminClient::State::look(
    std::optional<std::vector<std::string>> topics, MonotonicTime deadline,
    bool authorized_operations) {
  if (settings.asks_controllers) {
    if (!topics || !topics->empty()) co_return failure(controllers_know_no_topics());
    if (auto looked = co_await look_at_controllers(deadline); !looked)
      co_return failure(std::move(looked.error()));
    co_return SeenTopics();
  }
  MetadataRequest request;
  request.allow_auto_topic_creation = false;
  request.include_topic_authorized_operations = authorized_operations;
  std::vector<MetadataRequest::MetadataRequestTopic> rows;
  if (topics) {
    for (const std::string& name : *topics) rows.push_back({.topic_id = {}, .name = name});
    request.topics = view_of(rows);
  } else {
    request.topics = Array<MetadataRequest::MetadataRequestTopic>::null();
  }
  auto reply = co_await brokers.call_any(
      request, CallOptions{.deadline = deadline,
                           .version_min = authorized_operations ? authorized_operations_from
                                                                : no_creation_from});
  if (!reply) co_return failure(std::move(reply.error()));
  if (const ErrorCode error = code_of(reply->message.error_code); error != ErrorCode::none) {
    co_return failure(broker_error(error, reply->broker, "the cluster was not described"));
  }
  std::vector<BrokerEndpoint> endpoints;
  for (const auto& broker : reply->message.brokers) {
    endpoints.push_back(
        {BrokerId(broker.node_id),
         {std::string(broker.host), Port(static_cast<std::uint16_t>(broker.port))}});
  }
  note(endpoints, BrokerId(reply->message.controller_id));
  SeenTopics told;
  for (const auto& topic : reply->message.topics) {
    told.insert_or_assign(std::string(topic.name), seen_topic(topic));
  }
  co_return told;
}

Task<ClientResult<void>> AdminClient::State::look_at_controllers(MonotonicTime deadline) {
  DescribeClusterRequest request;
  request.endpoint_type = endpoint_type();
  const CallOptions call{.deadline = deadline, .version_min = endpoint_types_from};
  auto reply = explained(co_await brokers.call_any(request, call), request.api_key, call);
  if (!reply) co_return failure(std::move(reply.error()));
  const auto& in = reply->message;
  if (code_of(in.error_code) != ErrorCode::none) {
    co_return failure(refused(in.error_code, reply->broker, "the controllers", in.error_message));
  }
  if (in.endpoint_type != request.endpoint_type) {
    co_return failure(broker_error(ErrorCode::mismatched_endpoint_type, reply->broker,
                                   "bootstrap.controllers names a broker"));
  }
  std::vector<BrokerEndpoint> endpoints;
  for (const auto& one : in.brokers) {
    endpoints.push_back({BrokerId(one.broker_id),
                         {std::string(one.host), Port(static_cast<std::uint16_t>(one.port))}});
  }
  note(endpoints, BrokerId(in.controller_id));
  if (controller == no_broker) {
    co_return failure(broker_error(ErrorCode::not_controller, reply->broker,
                                   "no controller is active that it knows"));
  }
  co_return ClientResult<void>();
}

void AdminClient::State::note(const std::vector<BrokerEndpoint>& endpoints, BrokerId active) {
  // A broker that has just started may know none.
  if (!endpoints.empty()) {
    brokers.update(endpoints);
    present.clear();
    for (const BrokerEndpoint& endpoint : endpoints) present.push_back(endpoint.id);
  }
  controller = brokers.knows(active) ? active : no_broker;
}

Task<ClientResult<SeenTopics>> AdminClient::State::look_until(
    std::optional<std::vector<std::string>> topics, MonotonicTime deadline) {
  // One item, which is the whole picture.
  const auto anywhere = [](Items<int, SeenTopics>&) -> Task<void> { co_return; };
  const auto ask = [&](BrokerId, Items<int, SeenTopics>& items) -> Task<ClientResult<void>> {
    auto looked = co_await look(topics, deadline);
    if (!looked) co_return failure(std::move(looked.error()));
    items.front()->settle(*std::move(looked));
    co_return ClientResult<void>();
  };
  auto outcomes = co_await in_rounds<int, SeenTopics>({0}, rounds(deadline), anywhere, ask);
  co_return std::move(outcomes.front().second);
}

ClientResult<BrokerId> AdminClient::State::leader_of(const SeenTopics& seen,
                                                     const TopicPartition& partition) {
  const auto topic = seen.find(partition.topic);
  const ErrorCode error =
      topic == seen.end() ? ErrorCode::unknown_topic_or_partition : topic->second.error;
  if (error != ErrorCode::none) {
    return failure(broker_error(error, no_broker, formatted("topic {}", partition.topic)));
  }
  for (const PartitionView& view : topic->second.topic.partitions) {
    if (view.index != partition.partition) continue;
    if (view.leader != no_broker) return view.leader;
    return failure(broker_error(ErrorCode::leader_not_available, no_broker, to_string(partition)));
  }
  return failure(
      broker_error(ErrorCode::unknown_topic_or_partition, no_broker, to_string(partition)));
}

Task<ClientResult<std::vector<BrokerId>>> AdminClient::State::all_brokers(MonotonicTime deadline) {
  const auto looked = co_await look_until(std::vector<std::string>(), deadline);
  if (!looked) co_return failure(looked.error());
  co_return present;
}

Task<ClientResult<BrokerId>> AdminClient::State::find_coordinator(CoordinatorOf of,
                                                                  std::string name,
                                                                  MonotonicTime deadline) {
  FindCoordinatorRequest request;
  request.key = name;
  request.key_type = static_cast<std::int8_t>(of);
  auto reply = co_await brokers.call_any(
      request, CallOptions{.deadline = deadline,
                           .version_min = static_cast<std::int16_t>(
                               of == CoordinatorOf::group ? 0 : kinds_of_keys_from),
                           .version_max = one_key_until});
  if (!reply) co_return failure(std::move(reply.error()));
  const auto& found = reply->message;
  if (code_of(found.error_code) != ErrorCode::none) {
    const std::string what =
        of == CoordinatorOf::group ? named_group(name) : formatted("transactional id {}", name);
    co_return failure(refused(found.error_code, reply->broker, formatted("coordinator of {}", what),
                              found.error_message));
  }
  const BrokerId id(found.node_id);
  brokers.learn({id, {std::string(found.host), Port(static_cast<std::uint16_t>(found.port))}});
  co_return id;
}

std::string AdminClient::State::not_supported(protocol::ApiKey api,
                                              const CallOptions& options) const {
  const std::string_view name = protocol::name_of(api);
  if (settings.asks_controllers) {
    return formatted("the controller does not support {}; bootstrap.servers names brokers", name);
  }
  if (options.version_min == 0) return formatted("the broker does not support {}", name);
  return formatted("the broker does not support {} from version {} on", name, options.version_min);
}

ClientError AdminClient::State::no_such_broker(BrokerId broker) {
  return client_error(Failure::unknown_broker, formatted("the cluster has no broker {}", broker));
}

AuthorizedOperations operations_of(std::int32_t bits) {
  constexpr std::int32_t not_told = std::numeric_limits<std::int32_t>::min();
  constexpr int bits_max = 31;
  if (bits == not_told) return std::nullopt;
  std::vector<AclOperation> operations;
  for (int bit = 0; bit < bits_max; ++bit) {
    if ((static_cast<std::uint32_t>(bits) >> bit & 1U) != 0) {
      operations.push_back(static_cast<AclOperation>(bit));
    }
  }
  return operations;
}

std::vector<BrokerId> broker_ids(const Array<std::int32_t>& numbers) {
  std::vector<BrokerId> ids;
  for (const std::int32_t number : numbers) ids.emplace_back(number);
  return ids;
}

std::vector<protocol::String> views_of(const std::vector<std::string>& texts) {
  return {texts.begin(), texts.end()};
}

std::vector<std::string> texts_of(const Array<protocol::String>& views) {
  return {views.begin(), views.end()};
}

std::string named_group(const std::string& group) {
  return formatted("group {}", group);
}

}  // namespace millrace::client
