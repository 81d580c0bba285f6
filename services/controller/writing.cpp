module;
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

module millrace.controller;

import millrace.base;
import millrace.protocol.admin;

namespace millrace::controller {
namespace {

using metadata::Outcome;
using protocol::ApiKey;
using protocol::Array;
using protocol::String;
using Written = Result<Body, Outcome>;

template <class Message>
Written encoded(const Message& message, std::int16_t version) {
  const auto size = protocol::measure(message, version);
  if (!size) {
    return failure(Outcome{metadata::ErrorCode::unsupported_version,
                           formatted("{} version {}: {}", Message::message_name, version,
                                     protocol::to_string(size.error()))});
  }
  Body body(size->inline_bytes);
  protocol::Writer writer(body, {});
  protocol::write(message, version, writer);
  return body;
}

template <class T>
Array<T> view(const std::vector<T>& items) {
  return Array<T>(std::span<const T>(items));
}

std::int16_t code_of(const Outcome& outcome) {
  return static_cast<std::int16_t>(outcome.error);
}

String message_of(const Outcome& outcome) {
  return outcome.ok() ? protocol::null_string : String(outcome.message);
}

// Kafka's numbers for where a setting comes from.
std::int8_t source_code(config::SourceKind source) {
  switch (source) {
    case config::SourceKind::per_topic:
      return 1;
    case config::SourceKind::per_broker:
      return 2;
    case config::SourceKind::cluster_wide:
      return 3;
    case config::SourceKind::file:
    case config::SourceKind::command_line:
      return 4;
    case config::SourceKind::default_value:
      return 5;
  }
  return 0;
}

using Settings = std::vector<config::DescribedProperty>;

// Of new topics: most have no settings of their own, and so the same ones.
class Described {
 public:
  explicit Described(const config::ServerConfig& server) : server_(server) {}

  const Settings& of(const metadata::ConfigMap& own) {
    const auto found = known_.find(own);
    if (found != known_.end()) return found->second;
    std::vector<config::PropertyEntry> entries;
    for (const auto& [name, value] : own) entries.push_back({name, value});
    const auto made = config::usable_topic_config(server_, std::move(entries));
    return known_.emplace(own, made.config.untyped().describe()).first->second;
  }

 private:
  const config::ServerConfig& server_;
  std::map<metadata::ConfigMap, Settings> known_;
};

using WireSettings = std::vector<protocol::CreateTopicsResponse::CreatableTopicConfigs>;

// An answer that is larger is not passed on, though its topics are made. What else is in the
// message takes less than the rest.
constexpr std::size_t body_bytes_max = rpc::message_bytes_max - 64 * kibibyte;

WireSettings wire(const Settings& settings) {
  WireSettings wired;
  for (const config::DescribedProperty& setting : settings) {
    auto& one = wired.emplace_back();
    one.name = setting.definition->name;
    const bool is_shown = setting.has_value && !setting.is_secret;
    one.value = is_shown ? String(setting.text) : protocol::null_string;
    one.config_source = source_code(setting.source);
    one.is_sensitive = setting.is_secret;
  }
  return wired;
}

Written write(const metadata::CreateTopicsReply& reply, std::int16_t version,
              const config::ServerConfig& server) {
  Described described(server);
  std::map<const Settings*, WireSettings> wired;
  std::vector<protocol::CreateTopicsResponse::CreatableTopicResult> topics;
  for (const metadata::CreatedTopic& created : reply.topics) {
    auto& topic = topics.emplace_back();
    topic.name = created.name;
    topic.topic_id = created.id;
    topic.error_code = code_of(created.outcome);
    topic.error_message = message_of(created.outcome);
    if (!created.outcome.ok()) continue;
    topic.num_partitions = created.partitions;
    topic.replication_factor = created.replication_factor;
    const Settings& settings = described.of(created.settings);
    auto& wires = wired[&settings];
    if (wires.empty()) wires = wire(settings);
    topic.configs = view(wires);
  }
  protocol::CreateTopicsResponse message;
  message.topics = view(topics);
  const auto size = protocol::measure(message, version);
  if (size && size->inline_bytes > body_bytes_max) {
    // What brokers did not tell before they told of settings.
    for (auto& topic : topics) {
      topic.num_partitions = -1;
      topic.replication_factor = -1;
      topic.configs = Array<protocol::CreateTopicsResponse::CreatableTopicConfigs>::null();
    }
  }
  return encoded(message, version);
}

Written write(const metadata::DeleteTopicsReply& reply, std::int16_t version) {
  std::vector<protocol::DeleteTopicsResponse::DeletableTopicResult> topics;
  for (const metadata::DeletedTopic& deleted : reply.topics) {
    auto& topic = topics.emplace_back();
    topic.name = deleted.name ? String(*deleted.name) : protocol::null_string;
    topic.topic_id = deleted.id;
    topic.error_code = code_of(deleted.outcome);
    topic.error_message = message_of(deleted.outcome);
  }
  protocol::DeleteTopicsResponse message;
  message.responses = view(topics);
  return encoded(message, version);
}

Written write(const metadata::CreatePartitionsReply& reply, std::int16_t version) {
  std::vector<protocol::CreatePartitionsResponse::CreatePartitionsTopicResult> topics;
  for (const metadata::ExtendedTopic& extended : reply.topics) {
    auto& topic = topics.emplace_back();
    topic.name = extended.name;
    topic.error_code = code_of(extended.outcome);
    topic.error_message = message_of(extended.outcome);
  }
  protocol::CreatePartitionsResponse message;
  message.results = view(topics);
  return encoded(message, version);
}

template <class Message>
Written write_altered(const metadata::AlterConfigsReply& reply, std::int16_t version) {
  std::vector<typename Message::AlterConfigsResourceResponse> resources;
  for (const metadata::AlteredResource& altered : reply.resources) {
    auto& resource = resources.emplace_back();
    resource.resource_type = altered.kind;
    resource.resource_name = altered.name;
    resource.error_code = code_of(altered.outcome);
    resource.error_message = message_of(altered.outcome);
  }
  Message message;
  message.responses = view(resources);
  return encoded(message, version);
}

struct Writer {
  ApiKey api;
  std::int16_t version;
  const config::ServerConfig& server;

  Written operator()(const metadata::CreateTopicsReply& reply) const {
    return write(reply, version, server);
  }
  Written operator()(const metadata::DeleteTopicsReply& reply) const {
    return write(reply, version);
  }
  Written operator()(const metadata::CreatePartitionsReply& reply) const {
    return write(reply, version);
  }
  Written operator()(const metadata::AlterConfigsReply& reply) const {
    return api == ApiKey::alter_configs
               ? write_altered<protocol::AlterConfigsResponse>(reply, version)
               : write_altered<protocol::IncrementalAlterConfigsResponse>(reply, version);
  }
  template <class Other>
  Written operator()(const Other&) const {
    return failure(Outcome{metadata::ErrorCode::unknown_server_error, "a reply of another kind"});
  }
};

}  // namespace

Result<Body, metadata::Outcome> write_reply(protocol::ApiKey api, std::int16_t version,
                                            const metadata::Reply& reply,
                                            const config::ServerConfig& server) {
  const Outcome& outcome =
      std::visit([](const auto& one) -> const Outcome& { return one.outcome; }, reply);
  if (!outcome.ok()) return failure(outcome);
  return std::visit(Writer{api, version, server}, reply);
}

Result<Body, metadata::Outcome> describe_quorum(std::int16_t version, ByteView body,
                                                const QuorumState& state) {
  using Response = protocol::DescribeQuorumResponse;
  constexpr std::string_view log_topic = "__cluster_metadata";
  protocol::Arena arena(request_arena_bytes_max);
  protocol::DescribeQuorumRequest request;
  if (const auto decoded = protocol::decode(request, body, version, arena); !decoded) {
    return failure(
        Outcome{metadata::ErrorCode::invalid_request, protocol::to_string(decoded.error())});
  }
  std::vector<Response::ReplicaState> voters;
  for (const QuorumState::Replica& replica : state.voters) {
    auto& voter = voters.emplace_back();
    voter.replica_id = replica.id;
    voter.log_end_offset = replica.log_end;
    voter.last_fetch_timestamp = state.now.value();
    voter.last_caught_up_timestamp = state.now.value();
  }
  std::vector<Response::TopicData> topics;
  std::deque<std::vector<Response::PartitionData>> partitions;
  for (const auto& asked : request.topics) {
    auto& of_topic = partitions.emplace_back();
    for (const auto& wanted : asked.partitions) {
      auto& partition = of_topic.emplace_back();
      partition.partition_index = wanted.partition_index;
      if (asked.topic_name != log_topic || wanted.partition_index != 0) {
        partition.error_code =
            static_cast<std::int16_t>(metadata::ErrorCode::unknown_topic_or_partition);
        continue;
      }
      partition.leader_id = state.leader;
      partition.leader_epoch = state.epoch;
      partition.high_watermark = state.high_watermark;
      partition.current_voters = view(voters);
    }
    topics.push_back({});
    topics.back().topic_name = asked.topic_name;
    topics.back().partitions = view(of_topic);
  }
  Response message;
  message.topics = view(topics);
  return encoded(message, version);
}

}  // namespace millrace::controller
