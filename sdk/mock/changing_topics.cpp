// Topics come, grow, go, and lose their oldest records.
module;
#include <algorithm>
#include <cstddef>
#include <cstdint>
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
import :asked;
import :faults;
import :handlers;
import :options;
import :partition_log;
import :state;
import :topic_settings;

namespace millrace::mock {
namespace {

using protocol::CreateTopicsRequest;
using protocol::CreateTopicsResponse;
using protocol::DeleteTopicsResponse;

constexpr std::int16_t defaults_from = 4;  // of CreateTopics: -1 stands for the broker's default
constexpr std::int16_t described_from = 5;
constexpr std::int16_t deleted_by_id_from = 6;
constexpr std::int8_t source_topic = 1;
constexpr std::int8_t source_default = 5;

struct Refusal {
  ErrorCode error = ErrorCode::none;
  std::string message;
};

// How often each name comes: what is named twice is not done at all.
bool is_named_twice(const protocol::Array<CreateTopicsRequest::CreatableTopic>& topics,
                    std::string_view name) {
  return std::ranges::count(topics, name, &CreateTopicsRequest::CreatableTopic::name) > 1;
}

// Reads what a topic is to be. With an assignment of its own only the number of replicas counts:
// where they are is decided by a rule of the mock.
TopicOptions options_of(const CreateTopicsRequest::CreatableTopic& in, const Asked& asked,
                        Refusal& refusal) {
  TopicOptions options{
      .partitions = in.num_partitions, .replication_factor = in.replication_factor, .configs = {}};
  const bool may_default = asked.version() >= defaults_from;
  if (!in.assignments.empty()) {
    if (in.num_partitions != -1 || in.replication_factor != -1) {
      refusal = {ErrorCode::invalid_request,
                 "a topic has numbers of partitions and replicas, or an assignment"};
    }
    options.partitions = static_cast<std::int32_t>(in.assignments.size());
    options.replication_factor = static_cast<std::int16_t>(in.assignments[0].broker_ids.size());
  } else {
    if (in.num_partitions == -1 && may_default) {
      options.partitions = asked.state.options().partitions_default;
    }
    if (in.replication_factor == -1 && may_default) {
      options.replication_factor = 0;
    } else if (in.replication_factor <= 0) {
      refusal = {ErrorCode::invalid_replication_factor,
                 "the replication factor must be at least 1"};
    }
  }
  for (const auto& config : in.configs) {
    options.configs.insert_or_assign(std::string(config.name), std::string(config.value));
  }
  return options;
}

Refusal refusal_of(const CreateTopicsRequest& message,
                   const CreateTopicsRequest::CreatableTopic& in, const TopicOptions& options,
                   const Asked& asked) {
  if (asked.planted != ErrorCode::none) return {asked.planted, "as a test planned"};
  if (is_named_twice(message.topics, in.name)) {
    return {ErrorCode::invalid_request, "the topic is named twice"};
  }
  const ErrorCode error = asked.state.refusal_of(in.name, options);
  if (error != ErrorCode::none) {
    return {error, formatted("topic {}: {}", in.name, protocol::name_of(error))};
  }
  if (auto problem = asked.state.topic_settings().problem(options.configs)) {
    return {ErrorCode::invalid_config, *std::move(problem)};
  }
  return {};
}

CreateTopicsResponse::CreatableTopicResult created(const CreateTopicsRequest& message,
                                                   const CreateTopicsRequest::CreatableTopic& in,
                                                   Asked& asked) {
  CreateTopicsResponse::CreatableTopicResult row;
  row.name = in.name;
  row.error_message = protocol::null_string;
  Refusal refusal;
  const TopicOptions options = options_of(in, asked, refusal);
  if (refusal.error == ErrorCode::none) refusal = refusal_of(message, in, options, asked);
  row.error_code = number_of(refusal.error);
  if (refusal.error != ErrorCode::none) {
    row.error_message = keep(refusal.message, asked);
    return row;
  }
  row.num_partitions = options.partitions;
  row.replication_factor = static_cast<std::int16_t>(asked.state.replicas_of(options));
  if (asked.version() >= described_from) {
    std::vector<CreateTopicsResponse::CreatableTopicConfigs> configs;
    for (const auto& setting : asked.state.topic_settings().rows(options.configs)) {
      configs.push_back(
          {.name = keep(setting.name, asked),
           .value = setting.value ? keep(*setting.value, asked) : protocol::null_string,
           .read_only = false,
           .config_source = setting.is_own ? source_topic : source_default,
           .is_sensitive = false});
    }
    row.configs = keep(configs, asked);
  }
  if (message.validate_only) return row;
  row.topic_id = asked.state.create(in.name, options).id;
  asked.changed = true;
  return row;
}

DeleteTopicsResponse::DeletableTopicResult deleted(protocol::String name, const Uuid& id,
                                                   Asked& asked) {
  const bool by_id = name.data() == nullptr;
  const Topic* const topic = by_id ? asked.state.find(id) : asked.state.find(name);
  DeleteTopicsResponse::DeletableTopicResult row;
  row.name = topic != nullptr ? keep(topic->name, asked) : name;
  row.topic_id = topic != nullptr ? topic->id : id;
  ErrorCode error = asked.planted;
  if (error == ErrorCode::none && topic == nullptr) {
    error = by_id ? ErrorCode::unknown_topic_id : ErrorCode::unknown_topic_or_partition;
  }
  row.error_code = number_of(error);
  if (error != ErrorCode::none) return row;
  asked.state.erase(topic->name);
  asked.changed = true;
  return row;
}

Refusal grow(const protocol::CreatePartitionsRequest::CreatePartitionsTopic& in, bool validate_only,
             Asked& asked) {
  if (asked.planted != ErrorCode::none) return {asked.planted, "as a test planned"};
  Topic* const topic = asked.state.find(in.name);
  if (topic == nullptr) return {ErrorCode::unknown_topic_or_partition, "there is no such topic"};
  const std::size_t before = topic->partitions.size();
  if (std::cmp_less_equal(in.count, before)) {
    return {ErrorCode::invalid_partitions,
            formatted("the topic has {} partitions already", before)};
  }
  if (in.count > partitions_max) {
    return {ErrorCode::invalid_partitions, "that is more than the mock holds"};
  }
  if (!in.assignments.is_null() &&
      std::cmp_not_equal(in.assignments.size(), static_cast<std::size_t>(in.count) - before)) {
    return {ErrorCode::invalid_replica_assignment,
            "an assignment names every partition that is new"};
  }
  if (validate_only) return {};
  const std::size_t replicas = topic->partitions.front()->replicas.size();
  while (std::cmp_less(topic->partitions.size(), in.count)) {
    asked.state.add_partition(*topic, replicas);
  }
  asked.changed = true;
  return {};
}

}  // namespace

Answer create_topics(Asked& asked) {
  CreateTopicsRequest message;
  if (!read(message, asked)) return {};
  std::vector<CreateTopicsResponse::CreatableTopicResult> rows;
  for (const auto& in : message.topics) rows.push_back(created(message, in, asked));
  CreateTopicsResponse response;
  response.topics = keep(rows, asked);
  return answer(asked, response);
}

Answer delete_topics(Asked& asked) {
  protocol::DeleteTopicsRequest message;
  if (!read(message, asked)) return {};
  std::vector<DeleteTopicsResponse::DeletableTopicResult> rows;
  if (asked.version() >= deleted_by_id_from) {
    for (const auto& in : message.topics) rows.push_back(deleted(in.name, in.topic_id, asked));
  } else {
    for (const protocol::String name : message.topic_names) {
      rows.push_back(deleted(name, {}, asked));
    }
  }
  DeleteTopicsResponse response;
  response.responses = keep(rows, asked);
  return answer(asked, response);
}

Answer create_partitions(Asked& asked) {
  protocol::CreatePartitionsRequest message;
  if (!read(message, asked)) return {};
  std::vector<protocol::CreatePartitionsResponse::CreatePartitionsTopicResult> rows;
  for (const auto& in : message.topics) {
    const Refusal refusal = grow(in, message.validate_only, asked);
    auto& row = rows.emplace_back();
    row.name = in.name;
    row.error_code = number_of(refusal.error);
    row.error_message =
        refusal.error == ErrorCode::none ? protocol::null_string : keep(refusal.message, asked);
  }
  protocol::CreatePartitionsResponse response;
  response.results = keep(rows, asked);
  return answer(asked, response);
}

Answer delete_records(Asked& asked) {
  protocol::DeleteRecordsRequest message;
  if (!read(message, asked)) return {};
  constexpr std::int64_t up_to_the_end = -1;
  using Response = protocol::DeleteRecordsResponse;
  std::vector<Response::DeleteRecordsTopicResult> topics;
  for (const auto& in : message.topics) {
    const Topic* const topic = asked.state.find(in.name);
    std::vector<Response::DeleteRecordsPartitionResult> parts;
    for (const auto& part : in.partitions) {
      Partition* const partition = topic == nullptr ? nullptr : topic->find(part.partition_index);
      auto& row = parts.emplace_back();
      row.partition_index = part.partition_index;
      row.low_watermark = no_offset.value();
      ErrorCode error = asked.planted;
      if (error == ErrorCode::none && partition == nullptr) {
        error = ErrorCode::unknown_topic_or_partition;
      } else if (error == ErrorCode::none && partition->leader != asked.broker) {
        error = ErrorCode::not_leader_or_follower;
      }
      if (error == ErrorCode::none) {
        const PartitionLog& log = partition->log;
        const Offset until = part.offset == up_to_the_end ? log.end() : Offset(part.offset);
        if (until < Offset(0) || until > log.end()) {
          error = ErrorCode::offset_out_of_range;
        } else {
          asked.state.delete_before(*partition, until);
          asked.changed = true;
          row.low_watermark = log.start().value();
        }
      }
      row.error_code = number_of(error);
    }
    topics.push_back({.name = in.name, .partitions = keep(parts, asked)});
  }
  Response response;
  response.topics = keep(topics, asked);
  return answer(asked, response);
}

}  // namespace millrace::mock
