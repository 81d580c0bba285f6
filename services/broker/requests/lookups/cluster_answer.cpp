module;
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

module millrace.broker.requests.lookups;

import millrace.base;
import millrace.broker.requests.ports;
import millrace.metadata;
import millrace.protocol.api;
import millrace.protocol.metadata;
import millrace.protocol.partitioner;
import millrace.protocol.wire;

namespace millrace::broker {
namespace {

using protocol::Arena;
using protocol::DescribeClusterRequest;
using protocol::DescribeClusterResponse;
using protocol::ErrorCode;
using protocol::FindCoordinatorRequest;
using protocol::FindCoordinatorResponse;
using protocol::String;
using security::Operation;
using security::ResourceType;
using WireBroker = DescribeClusterResponse::DescribeClusterBroker;
using WireCoordinator = FindCoordinatorResponse::Coordinator;

constexpr std::int8_t endpoints_of_brokers = 1;
constexpr std::int8_t endpoints_of_controllers = 2;
constexpr std::int8_t key_of_group = 0;
constexpr std::int8_t key_of_transaction = 1;
// From this version on a request names many keys.
constexpr std::int16_t many_keys_from = 4;

constexpr std::int16_t code(ErrorCode error) {
  return static_cast<std::int16_t>(error);
}

WireCoordinator no_coordinator(ErrorCode error, String sentence) {
  WireCoordinator none;
  none.error_code = code(error);
  none.error_message = sentence;
  none.node_id = -1;
  none.port = -1;
  return none;
}

class FindingCoordinators {
 public:
  FindingCoordinators(const ClusterView& view, CoordinatorAnswer& answer)
      : view_(view), answer_(answer) {}

  WireCoordinator find(std::int8_t type, std::string_view key) {
    WireCoordinator found = find_of_type(type, key);
    found.key = key;
    return found;
  }

 private:
  WireCoordinator find_of_type(std::int8_t type, std::string_view key) {
    if (type == key_of_group) return find_of_group(key);
    if (type == key_of_transaction) return find_of_transaction(key);
    return no_coordinator(ErrorCode::invalid_request,
                          "only groups have a coordinator here: key type 0");
  }

  WireCoordinator find_of_group(std::string_view group) {
    if (!view_.permissions.may(Operation::describe, ResourceType::group, group)) {
      return no_coordinator(ErrorCode::group_authorization_failed,
                            "the principal may not describe this group");
    }
    const auto topic = view_.image.topic(group_state_topic);
    if (topic == nullptr || topic->partitions.empty()) {
      answer_.lacks_group_topic = true;
      return no_coordinator(ErrorCode::coordinator_not_available,
                            "the state topic of groups is being made");
    }
    const auto count = static_cast<std::int32_t>(topic->partitions.size());
    const PartitionIndex index = protocol::state_partition(group, count);
    const BrokerId leader = topic->partitions[static_cast<std::size_t>(index.value())].leader;
    const metadata::Endpoint* const endpoint = view_.endpoint_of(leader);
    if (endpoint == nullptr) {
      return no_coordinator(ErrorCode::coordinator_not_available,
                            "the partition with the state of this group has no leader");
    }
    WireCoordinator found;
    found.node_id = leader.value();
    found.host = endpoint->host;
    found.port = endpoint->port;
    return found;
  }

  [[nodiscard]] WireCoordinator find_of_transaction(std::string_view id) const {
    if (!view_.permissions.may(Operation::describe, ResourceType::transactional_id, id)) {
      return no_coordinator(ErrorCode::transactional_id_authorization_failed,
                            "the principal may not describe this transactional id");
    }
    return no_coordinator(ErrorCode::unsupported_version,
                          "this version of Millrace has no transactions: produce without a "
                          "transactional.id");
  }

  const ClusterView& view_;
  CoordinatorAnswer& answer_;
};

}  // namespace

DescribeClusterResponse answer_cluster(const DescribeClusterRequest& request, std::int16_t version,
                                       const ClusterView& view, std::string_view cluster_id,
                                       Arena& arena) {
  DescribeClusterResponse message;
  if (request.endpoint_type != endpoints_of_brokers) {
    const bool is_known = request.endpoint_type == endpoints_of_controllers;
    message.error_code =
        code(is_known ? ErrorCode::mismatched_endpoint_type : ErrorCode::unsupported_endpoint_type);
    message.error_message = "this is a broker: it tells the endpoints of brokers only";
    return message;
  }
  message.endpoint_type = request.endpoint_type;
  message.cluster_id = cluster_id;
  message.controller_id = view.told_as_controller().value();
  std::vector<WireBroker> brokers;
  view.image.for_each_broker([&](const metadata::Broker& broker) {
    if (broker.fenced && !request.include_fenced_brokers) return;
    const metadata::Endpoint* const endpoint = broker.endpoint(view.listener);
    if (endpoint == nullptr) return;
    WireBroker told;
    told.broker_id = broker.id.value();
    told.host = endpoint->host;
    told.port = endpoint->port;
    if (broker.rack) told.rack = *broker.rack;
    told.is_fenced = version >= 2 && broker.fenced;
    brokers.push_back(told);
  });
  if (!brokers.empty()) {
    auto* const kept = arena.make_array<WireBroker>(brokers.size());
    std::copy(brokers.begin(), brokers.end(), kept);
    message.brokers = {kept, static_cast<std::int32_t>(brokers.size())};
  }
  if (request.include_cluster_authorized_operations) {
    message.cluster_authorized_operations = view.permissions.operations_on_cluster();
  }
  return message;
}

CoordinatorAnswer answer_coordinator(const FindCoordinatorRequest& request, std::int16_t version,
                                     const ClusterView& view, Arena& arena) {
  CoordinatorAnswer answer;
  FindingCoordinators finding(view, answer);
  if (version < many_keys_from) {
    const WireCoordinator found = finding.find(request.key_type, request.key);
    const bool is_found = found.error_code == code(ErrorCode::none);
    answer.message.error_code = found.error_code;
    // Kafka says so here, and here only.
    answer.message.error_message = is_found ? String("NONE") : found.error_message;
    answer.message.node_id = found.node_id;
    answer.message.host = found.host;
    answer.message.port = found.port;
    return answer;
  }
  const std::size_t count = request.coordinator_keys.size();
  if (count == 0) return answer;
  auto* const coordinators = arena.make_array<WireCoordinator>(count);
  for (std::size_t i = 0; i < count; ++i) {
    coordinators[i] = finding.find(request.key_type, request.coordinator_keys[i]);
  }
  answer.message.coordinators = {coordinators, static_cast<std::int32_t>(count)};
  return answer;
}

}  // namespace millrace::broker
