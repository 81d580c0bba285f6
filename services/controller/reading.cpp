module;
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

module millrace.controller;

import millrace.base;
import millrace.protocol.admin;

namespace millrace::controller {
namespace {

using metadata::Outcome;
using protocol::ApiKey;
using Read = Result<metadata::Request, Outcome>;

std::vector<BrokerId> brokers_of(const protocol::Array<std::int32_t>& numbers) {
  std::vector<BrokerId> brokers;
  brokers.reserve(numbers.size());
  for (const std::int32_t number : numbers) brokers.emplace_back(number);
  return brokers;
}

std::optional<std::string> text_or_nothing(std::string_view text) {
  if (text.data() == nullptr) return std::nullopt;
  return std::string(text);
}

metadata::Request owned(const protocol::CreateTopicsRequest& message, std::int16_t) {
  metadata::CreateTopics request;
  request.validate_only = message.validate_only;
  for (const auto& topic : message.topics) {
    metadata::NewTopic& wanted = request.topics.emplace_back();
    wanted.name = topic.name;
    wanted.partitions = topic.num_partitions;
    wanted.replication_factor = topic.replication_factor;
    for (const auto& assignment : topic.assignments) {
      wanted.assignments.emplace_back(PartitionIndex(assignment.partition_index),
                                      brokers_of(assignment.broker_ids));
    }
    for (const auto& setting : topic.configs) {
      wanted.settings.emplace_back(std::string(setting.name), text_or_nothing(setting.value));
    }
  }
  return request;
}

metadata::Request owned(const protocol::DeleteTopicsRequest& message, std::int16_t version) {
  constexpr std::int16_t first_with_ids = 6;
  metadata::DeleteTopics request;
  if (version < first_with_ids) {
    for (const std::string_view name : message.topic_names) {
      request.topics.push_back({std::string(name), Uuid()});
    }
    return request;
  }
  for (const auto& topic : message.topics) {
    request.topics.push_back({text_or_nothing(topic.name), topic.topic_id});
  }
  return request;
}

metadata::Request owned(const protocol::CreatePartitionsRequest& message, std::int16_t) {
  metadata::CreatePartitions request;
  request.validate_only = message.validate_only;
  for (const auto& topic : message.topics) {
    metadata::MorePartitions& wanted = request.topics.emplace_back();
    wanted.topic = topic.name;
    wanted.count = topic.count;
    if (topic.assignments.is_null()) continue;
    wanted.assignments.emplace();
    for (const auto& assignment : topic.assignments) {
      wanted.assignments->push_back(brokers_of(assignment.broker_ids));
    }
  }
  return request;
}

metadata::Request owned(const protocol::AlterConfigsRequest& message, std::int16_t) {
  metadata::AlterConfigs request;
  request.replaces = true;
  request.validate_only = message.validate_only;
  for (const auto& resource : message.resources) {
    metadata::ResourceChange& change = request.resources.emplace_back();
    change.kind = resource.resource_type;
    change.name = resource.resource_name;
    for (const auto& setting : resource.configs) {
      change.changes.push_back({std::string(setting.name), metadata::SettingOperation::set,
                                text_or_nothing(setting.value)});
    }
  }
  return request;
}

metadata::Request owned(const protocol::IncrementalAlterConfigsRequest& message, std::int16_t) {
  metadata::AlterConfigs request;
  request.validate_only = message.validate_only;
  for (const auto& resource : message.resources) {
    metadata::ResourceChange& change = request.resources.emplace_back();
    change.kind = resource.resource_type;
    change.name = resource.resource_name;
    for (const auto& setting : resource.configs) {
      change.changes.push_back({std::string(setting.name),
                                static_cast<metadata::SettingOperation>(setting.config_operation),
                                text_or_nothing(setting.value)});
    }
  }
  return request;
}

template <class Message>
Read read(std::int16_t version, ByteView body) {
  protocol::Arena arena(request_arena_bytes_max);
  Message message;
  const auto decoded = protocol::decode(message, body, version, arena);
  if (decoded) return owned(message, version);
  const bool is_newer = decoded.error().fault == protocol::DecodeFault::unsupported_version;
  return failure(Outcome{
      is_newer ? metadata::ErrorCode::unsupported_version : metadata::ErrorCode::invalid_request,
      formatted("{} version {}: {}", Message::message_name, version,
                protocol::to_string(decoded.error()))});
}

}  // namespace

Result<metadata::Request, metadata::Outcome> read_request(protocol::ApiKey api,
                                                          std::int16_t version, ByteView body) {
  switch (api) {
    case ApiKey::create_topics:
      return read<protocol::CreateTopicsRequest>(version, body);
    case ApiKey::delete_topics:
      return read<protocol::DeleteTopicsRequest>(version, body);
    case ApiKey::create_partitions:
      return read<protocol::CreatePartitionsRequest>(version, body);
    case ApiKey::alter_configs:
      return read<protocol::AlterConfigsRequest>(version, body);
    case ApiKey::incremental_alter_configs:
      return read<protocol::IncrementalAlterConfigsRequest>(version, body);
    default:
      return failure(Outcome{
          metadata::ErrorCode::unsupported_version,
          formatted("API {} is not one of the controller", static_cast<std::int16_t>(api))});
  }
}

}  // namespace millrace::controller
