module;
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

module millrace.broker.requests;

import millrace.base;
import millrace.broker.requests.configs;
import millrace.broker.requests.lookups;
import millrace.broker.requests.ports;
import millrace.config;
import millrace.ipc.rpc;
import millrace.metadata;
import millrace.protocol.admin;
import millrace.protocol.api;
import millrace.protocol.wire;
import millrace.runtime;
import millrace.security;

namespace millrace::broker {
namespace {

using protocol::ApiKey;
using protocol::CreateTopicsRequest;
using protocol::CreateTopicsResponse;
using protocol::ErrorCode;

constexpr std::int16_t create_topics_version = CreateTopicsRequest::version_max;
constexpr auto creation_timeout = std::chrono::seconds{30};

std::vector<std::byte> body_of(const NewTopic& topic) {
  std::vector<CreateTopicsRequest::CreatableTopicConfig> settings;
  for (const auto& [name, value] : topic.settings) {
    settings.push_back({.name = name, .value = value});
  }
  CreateTopicsRequest::CreatableTopic wanted;
  wanted.name = topic.name;
  wanted.num_partitions = topic.partitions;
  wanted.replication_factor = topic.replication_factor;
  wanted.configs = {settings.data(), static_cast<std::int32_t>(settings.size())};
  CreateTopicsRequest request;
  request.topics = {&wanted, 1};
  request.timeout_ms = static_cast<std::int32_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(creation_timeout).count());
  auto body = encode_body(request, create_topics_version);
  check(body.has_value(), "a request for one topic can be encoded");
  return std::move(*body);
}

}  // namespace

NewTopic ordinary_topic(std::string_view name, const ServerConfig& config) {
  return {
      .name = std::string(name),
      .partitions = config.get<"num.partitions">(),
      .replication_factor = static_cast<std::int16_t>(config.get<"default.replication.factor">()),
      .settings = {}};
}

namespace {

// The setting may be smaller than a topic's may.
std::int64_t group_segment_bytes(const ServerConfig& config) {
  if (config.source<"offsets.topic.segment.bytes">().kind == config::SourceKind::default_value) {
    return static_cast<std::int64_t>(group_segment_bytes_default);
  }
  constexpr std::int64_t segment_bytes_min =
      config::definition_of<config::TopicSet, "segment.bytes">.range.min;
  return std::max(config.get<"offsets.topic.segment.bytes">().value(), segment_bytes_min);
}

}  // namespace

NewTopic group_topic(const ServerConfig& config, std::size_t broker_count) {
  const auto brokers = static_cast<std::int16_t>(
      std::clamp<std::size_t>(broker_count, 1, std::numeric_limits<std::int16_t>::max()));
  const auto factor = static_cast<std::int16_t>(config.get<"offsets.topic.replication.factor">());
  return {.name = std::string(group_state_topic),
          .partitions = config.get<"offsets.topic.num.partitions">(),
          .replication_factor = std::min(factor, brokers),
          .settings = {{"cleanup.policy", "compact"},
                       {"compression.type", "producer"},
                       {"file.delete.delay.ms", fmt::format("{}", group_delete_delay.count())},
                       {"segment.bytes", fmt::format("{}", group_segment_bytes(config))}}};
}

void TopicCreation::create_missing(std::string_view name, const RequestContext& asked) {
  const ServerConfig& config = *around_.configs.server();
  if (name == transaction_state_topic) return;  // nobody would write it
  if (name != group_state_topic) {
    create(ordinary_topic(name, config), asked);
    return;
  }
  create(group_topic(config, around_.images.current()->broker_count()), asked);
}

void TopicCreation::create(NewTopic topic, const RequestContext& asked) {
  if (stopped_ || names_.size() >= topics_in_creation_max || names_.contains(topic.name)) return;
  names_.insert(topic.name);
  rpc::Forward request;
  request.api = ApiKey::create_topics;
  request.version = create_topics_version;
  request.principal = security::to_string(asked.session->principal);
  request.client_id = std::string(asked.client_id);
  request.client_host = asked.peer.host();
  request.listener = asked.session->listener;
  request.timeout = creation_timeout;
  request.body = body_of(topic);
  running_.start(ask_controllers(std::move(topic), std::move(request)));
}

Task<void> TopicCreation::ask_controllers(NewTopic topic, rpc::Forward request) {
  const auto reply = co_await around_.controller.forward(std::move(request));
  if (reply) {
    tell_outcome(topic, *reply);
  } else {
    log_.warning("topic {} could not be made: {}", topic.name, protocol::name_of(reply.error()));
  }
  names_.erase(topic.name);
}

void TopicCreation::tell_outcome(const NewTopic& topic, const std::vector<std::byte>& body) {
  protocol::Arena arena(request_arena_bytes_max);
  CreateTopicsResponse response;
  const auto read = decode(response, body, create_topics_version, arena);
  if (!read || response.topics.size() != 1) {
    log_.error("the controller's answer about topic {} cannot be read", topic.name);
    return;
  }
  const auto& outcome = response.topics[0];
  const ErrorCode error = protocol::error_code_from(outcome.error_code);
  if (error == ErrorCode::none) {
    log_.info("topic {} was made because a client asked for it: {} partitions, {} replicas",
              topic.name, topic.partitions, topic.replication_factor);
    if (topic.name == group_state_topic) warn_of_few_replicas(topic);
  } else if (error != ErrorCode::topic_already_exists) {
    log_.warning("topic {} could not be made: {} {}", topic.name, protocol::name_of(error),
                 outcome.error_message);
  }
}

// The topic is made once in the life of a cluster, whoever asks how often, and so is this said.
void TopicCreation::warn_of_few_replicas(const NewTopic& topic) {
  const auto wanted = around_.configs.server()->get<"offsets.topic.replication.factor">();
  if (topic.replication_factor >= wanted) return;
  log_.warning("{} is made with {} replicas instead of {}: there are no more brokers", topic.name,
               topic.replication_factor, wanted);
}

Task<void> TopicCreation::stop() {
  stopped_ = true;
  co_await running_.wait();
}

}  // namespace millrace::broker
