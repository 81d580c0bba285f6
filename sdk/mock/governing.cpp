// What the cluster is made of: features, brokers, voters; where replicas are on a broker.
module;
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

module millrace.mock;

import millrace.base;
import millrace.protocol.admin;
import millrace.protocol.api;
import millrace.protocol.wire;
import millrace.runtime;
import :administration;
import :asked;
import :faults;
import :handlers;
import :state;

namespace millrace::mock {
namespace {

using protocol::AlterReplicaLogDirsResponse;
using protocol::UpdateFeaturesRequest;
using protocol::UpdateFeaturesResponse;

constexpr std::string_view directory = "/mock/data";
constexpr std::string_view metadata_topic = "__cluster_metadata";
constexpr std::int8_t upgrade = 1;
constexpr std::int16_t one_answer_from = 2;
constexpr std::int8_t kind_topic = 2;
constexpr std::int8_t kind_broker = 4;
constexpr std::int8_t kind_client_metrics = 16;
constexpr std::int16_t kinds_from = 1;

// The features that a client may set, with the highest level of each.
const std::map<std::string_view, std::int16_t>& known_features() {
  static const std::map<std::string_view, std::int16_t> known = {{"group.version", 1},
                                                                 {"share.version", 1},
                                                                 {"streams.version", 1},
                                                                 {"transaction.version", 2}};
  return known;
}

ErrorCode update(const UpdateFeaturesRequest::FeatureUpdateKey& in, bool validate_only,
                 Asked& asked) {
  if (asked.planted != ErrorCode::none) return asked.planted;
  const auto known = known_features().find(in.feature);
  if (known == known_features().end() || in.max_version_level < 0 ||
      in.max_version_level > known->second) {
    return ErrorCode::invalid_update_version;
  }
  auto& levels = asked.state.administration.features;
  const auto now = levels.find(std::string(in.feature));
  const bool goes_down = now != levels.end() && in.max_version_level < now->second;
  if (goes_down && in.upgrade_type == upgrade) return ErrorCode::invalid_update_version;
  if (!validate_only) levels[std::string(in.feature)] = in.max_version_level;
  return ErrorCode::none;
}

bool is_there(BrokerId broker, Asked& asked) {
  return asked.state.broker(broker) != nullptr &&
         !asked.state.administration.unregistered.contains(broker.value());
}

}  // namespace

Answer update_features(Asked& asked) {
  UpdateFeaturesRequest message;
  if (!read(message, asked)) return {};
  std::vector<UpdateFeaturesResponse::UpdatableFeatureResult> rows;
  ErrorCode first = ErrorCode::none;
  // All or none: first it is seen whether all may be done.
  for (const auto& in : message.feature_updates) {
    const ErrorCode error = update(in, true, asked);
    if (first == ErrorCode::none) first = error;
    rows.push_back({.feature = in.feature,
                    .error_code = number_of(error),
                    .error_message = protocol::null_string});
  }
  for (const auto& in : message.feature_updates) {
    if (first != ErrorCode::none) break;
    first = update(in, message.validate_only, asked);
  }
  UpdateFeaturesResponse response;
  response.error_message = protocol::null_string;
  response.results = keep(rows, asked);
  if (asked.version() >= one_answer_from || asked.planted != ErrorCode::none) {
    response.error_code = number_of(first);
  }
  return answer(asked, response);
}

Answer unregister_broker(Asked& asked) {
  protocol::UnregisterBrokerRequest message;
  if (!read(message, asked)) return {};
  const BrokerId broker(message.broker_id);
  ErrorCode error = asked.planted;
  if (error == ErrorCode::none && !is_there(broker, asked)) {
    error = ErrorCode::broker_id_not_registered;
  } else if (error == ErrorCode::none && asked.state.broker(broker)->alive) {
    error = ErrorCode::invalid_request;
  }
  if (error == ErrorCode::none) asked.state.administration.unregistered.insert(broker.value());
  protocol::UnregisterBrokerResponse response;
  response.error_code = number_of(error);
  response.error_message = protocol::null_string;
  return answer(asked, response);
}

Answer add_raft_voter(Asked& asked) {
  protocol::AddRaftVoterRequest message;
  if (!read(message, asked)) return {};
  ErrorCode error = asked.planted;
  const bool wrong_cluster =
      message.cluster_id.data() != nullptr && message.cluster_id != cluster_id;
  if (error == ErrorCode::none && wrong_cluster) error = ErrorCode::inconsistent_cluster_id;
  if (error == ErrorCode::none && message.listeners.empty()) error = ErrorCode::invalid_request;
  if (error == ErrorCode::none &&
      !asked.state.administration.voters.emplace(message.voter_id, message.voter_directory_id)
           .second) {
    error = ErrorCode::duplicate_voter;
  }
  protocol::AddRaftVoterResponse response;
  response.error_code = number_of(error);
  response.error_message = protocol::null_string;
  return answer(asked, response);
}

Answer remove_raft_voter(Asked& asked) {
  protocol::RemoveRaftVoterRequest message;
  if (!read(message, asked)) return {};
  auto& voters = asked.state.administration.voters;
  const auto voter = voters.find(message.voter_id);
  ErrorCode error = asked.planted;
  if (error == ErrorCode::none &&
      (voter == voters.end() || voter->second != message.voter_directory_id)) {
    error = ErrorCode::voter_not_found;
  }
  if (error == ErrorCode::none) voters.erase(voter);
  protocol::RemoveRaftVoterResponse response;
  response.error_code = number_of(error);
  response.error_message = protocol::null_string;
  return answer(asked, response);
}

Answer describe_quorum(Asked& asked) {
  protocol::DescribeQuorumRequest message;
  if (!read(message, asked)) return {};
  using Response = protocol::DescribeQuorumResponse;
  std::vector<Response::ReplicaState> voters;
  for (const auto& [id, own_directory] : asked.state.administration.voters) {
    auto& voter = voters.emplace_back();
    voter.replica_id = id;
    voter.replica_directory_id = own_directory;
    voter.log_end_offset = 1;
  }
  std::vector<Response::ReplicaState> observers;
  for (const BrokerId broker : asked.state.live()) {
    auto& observer = observers.emplace_back();
    observer.replica_id = broker.value();
    observer.log_end_offset = 1;
  }
  Response::PartitionData part;
  part.error_message = protocol::null_string;
  part.leader_id = asked.state.controller().value();
  part.leader_epoch = 1;
  part.high_watermark = 1;
  part.current_voters = keep(voters, asked);
  part.observers = keep(observers, asked);
  const Response::TopicData topic{.topic_name = metadata_topic,
                                  .partitions = keep(std::vector{part}, asked)};
  Response response;
  response.error_code = number_of(asked.planted);
  response.error_message = protocol::null_string;
  if (asked.planted == ErrorCode::none) response.topics = keep(std::vector{topic}, asked);
  return answer(asked, response);
}

Answer list_config_resources(Asked& asked) {
  protocol::ListConfigResourcesRequest message;
  if (!read(message, asked)) return {};
  const auto wants = [&](std::int8_t kind) {
    if (asked.version() < kinds_from) return kind == kind_client_metrics;
    return message.resource_types.empty() ||
           std::ranges::find(message.resource_types, kind) != message.resource_types.end();
  };
  using Row = protocol::ListConfigResourcesResponse::ConfigResource;
  std::vector<Row> rows;
  if (asked.planted == ErrorCode::none && wants(kind_topic)) {
    for (const auto& [name, topic] : asked.state.topics()) {
      rows.push_back({.resource_name = topic->name, .resource_type = kind_topic});
    }
  }
  if (asked.planted == ErrorCode::none && wants(kind_broker)) {
    for (const BrokerId broker : asked.state.live()) {
      rows.push_back(
          {.resource_name = keep(formatted("{}", broker), asked), .resource_type = kind_broker});
    }
  }
  protocol::ListConfigResourcesResponse response;
  response.error_code = number_of(asked.planted);
  response.config_resources = keep(rows, asked);
  return answer(asked, response);
}

Answer alter_replica_log_dirs(Asked& asked) {
  protocol::AlterReplicaLogDirsRequest message;
  if (!read(message, asked)) return {};
  using Response = AlterReplicaLogDirsResponse;
  std::vector<Response::AlterReplicaLogDirTopicResult> topics;
  for (const auto& in : message.dirs) {
    for (const auto& wanted : in.topics) {
      const Topic* const topic = asked.state.find(wanted.name);
      std::vector<Response::AlterReplicaLogDirPartitionResult> parts;
      for (const std::int32_t index : wanted.partitions) {
        const Partition* const partition = topic == nullptr ? nullptr : topic->find(index);
        ErrorCode error = asked.planted;
        if (error == ErrorCode::none && in.path != directory) {
          error = ErrorCode::log_dir_not_found;
        } else if (error == ErrorCode::none && partition == nullptr) {
          error = ErrorCode::unknown_topic_or_partition;
        }
        parts.push_back({.partition_index = index, .error_code = number_of(error)});
      }
      topics.push_back({.topic_name = wanted.name, .partitions = keep(parts, asked)});
    }
  }
  Response response;
  response.results = keep(topics, asked);
  return answer(asked, response);
}

}  // namespace millrace::mock
