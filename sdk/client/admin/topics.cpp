// Topics, and records that go.
module;
#include <algorithm>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <map>
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
import :admin_client;
import :rounds;
import :state;
import :types;

namespace millrace::client {
namespace {

using protocol::CreatePartitionsRequest;
using protocol::CreateTopicsRequest;
using protocol::DeleteRecordsRequest;
using protocol::DeleteTopicsRequest;

// From here on a topic may leave its numbers to the brokers.
constexpr std::int16_t default_numbers_from = 4;
// The last version that names topics by their names alone.
constexpr std::int16_t names_until = 5;

// One topic as a request has it; it has views of its own parts and of the topic, and stays in
// place.
struct CreateRow {
  explicit CreateRow(const NewTopic& topic) {
    row.name = topic.name;
    row.num_partitions = topic.assignment.empty() ? topic.partitions.value_or(-1) : -1;
    row.replication_factor = static_cast<std::int16_t>(
        topic.assignment.empty() ? topic.replication_factor.value_or(-1) : -1);
    ids.reserve(topic.assignment.size());
    for (const std::vector<BrokerId>& replicas : topic.assignment) {
      std::vector<std::int32_t>& numbers = ids.emplace_back();
      for (const BrokerId id : replicas) numbers.push_back(id.value());
      assignments.push_back({.partition_index = static_cast<std::int32_t>(assignments.size()),
                             .broker_ids = view_of(numbers)});
    }
    for (const auto& [name, value] : topic.configs) {
      configs.push_back({.name = name, .value = value});
    }
    row.assignments = view_of(assignments);
    row.configs = view_of(configs);
  }
  CreateRow(const CreateRow&) = delete;
  CreateRow& operator=(const CreateRow&) = delete;

  std::vector<std::vector<std::int32_t>> ids;
  std::vector<CreateTopicsRequest::CreatableReplicaAssignment> assignments;
  std::vector<CreateTopicsRequest::CreatableTopicConfig> configs;
  CreateTopicsRequest::CreatableTopic row;
};

// What a broker refuses because it is so already may be so by an earlier try of the same call.
template <class Value>
ClientError explained(const Item<std::string, Value>& item, ClientError error, ErrorCode is_so) {
  if (error.code != is_so || !item.may_be_done) return error;
  error.persistence = Persistence::unknown;
  error.message += "; an earlier try, of which no broker told the end, may have done it";
  return error;
}

// Finds each item's row in an answer by its name; rows that nobody asked for are passed over.
// `is_so` is the code of what was done before.
template <class Value, class Rows, class Use>
void match(Items<std::string, Value>& items, const Rows& rows, BrokerId broker, ErrorCode is_so,
           Use use) {
  for (auto* const item : items) {
    const auto row = std::ranges::find_if(
        rows, [&](const auto& candidate) { return candidate.name == item->key; });
    const std::string what = formatted("topic {}", item->key);
    if (row == rows.end()) {
      item->fail(left_out(broker, what));
      continue;
    }
    // That a topic is unknown is the last word of who decides what there is.
    if (code_of(row->error_code) == ErrorCode::unknown_topic_or_partition) {
      item->fail_for_good(explained(*item, refused(row->error_code, broker, what), is_so));
    } else if (code_of(row->error_code) != ErrorCode::none) {
      item->fail(
          explained(*item, refused(row->error_code, broker, what, row->error_message), is_so));
    } else {
      use(*item, *row);
    }
  }
}

std::vector<std::string> names_of(const auto& topics, auto name) {
  std::vector<std::string> names;
  for (const auto& topic : topics) names.push_back(topic.*name);
  return names;
}

}  // namespace

Task<Outcomes<std::string, CreatedTopic>> AdminClient::create_topics(std::vector<NewTopic> topics,
                                                                     AdminOptions options) {
  const MonotonicTime deadline = state_->deadline_of(options);
  using Open = Items<std::string, CreatedTopic>;
  const auto route = [&](Open& items) { return state_->to_controller(items, deadline); };
  const auto ask = [&](BrokerId broker, Open& items) -> Task<ClientResult<void>> {
    CreateTopicsRequest request;
    std::vector<std::unique_ptr<CreateRow>> parts;
    std::vector<CreateTopicsRequest::CreatableTopic> rows;
    bool leaves_numbers = false;
    for (const auto* const item : items) {
      const NewTopic& topic = topics[item->place];
      parts.push_back(std::make_unique<CreateRow>(topic));
      rows.push_back(parts.back()->row);
      leaves_numbers |= topic.assignment.empty() && !(topic.partitions && topic.replication_factor);
    }
    request.topics = view_of(rows);
    request.timeout_ms = state_->milliseconds_until(deadline);
    request.validate_only = options.validate_only;
    CallOptions call{.deadline = deadline};
    if (leaves_numbers) call.version_min = default_numbers_from;
    auto reply = co_await state_->send(broker, request, call);
    if (!reply) co_return failure(std::move(reply.error()));
    match(items, reply->message.topics, reply->broker, ErrorCode::topic_already_exists,
          [](auto& item, const auto& row) {
            item.settle(CreatedTopic{row.topic_id, row.num_partitions, row.replication_factor});
          });
    co_return ClientResult<void>();
  };
  co_return co_await in_rounds<std::string, CreatedTopic>(names_of(topics, &NewTopic::name),
                                                          state_->rounds(deadline), route, ask);
}

Task<Outcomes<std::string, void>> AdminClient::delete_topics(std::vector<std::string> topics,
                                                             AdminOptions options) {
  const MonotonicTime deadline = state_->deadline_of(options);
  using Open = Items<std::string, void>;
  const auto route = [&](Open& items) { return state_->to_controller(items, deadline); };
  const auto ask = [&](BrokerId broker, Open& items) -> Task<ClientResult<void>> {
    DeleteTopicsRequest request;
    std::vector<protocol::String> names;
    for (const auto* const item : items) names.emplace_back(item->key);
    request.topic_names = view_of(names);
    request.timeout_ms = state_->milliseconds_until(deadline);
    auto reply = co_await state_->send(
        broker, request, CallOptions{.deadline = deadline, .version_max = names_until});
    if (!reply) co_return failure(std::move(reply.error()));
    match(items, reply->message.responses, reply->broker, ErrorCode::unknown_topic_or_partition,
          [](auto& item, const auto&) { item.settle(); });
    co_return ClientResult<void>();
  };
  co_return co_await in_rounds<std::string, void>(std::move(topics), state_->rounds(deadline),
                                                  route, ask);
}

Task<ClientResult<std::vector<ListedTopic>>> AdminClient::list_topics(AdminOptions options) {
  auto seen = co_await state_->look_until(std::nullopt, state_->deadline_of(options));
  if (!seen) co_return failure(std::move(seen.error()));
  std::vector<ListedTopic> listed;
  for (auto& [name, topic] : *seen) {
    listed.push_back({name, topic.topic.id, topic.topic.internal, topic.topic.partitions.size()});
  }
  co_return listed;
}

Task<Outcomes<std::string, DescribedTopic>> AdminClient::describe_topics(
    std::vector<std::string> topics, AdminOptions options) {
  const MonotonicTime deadline = state_->deadline_of(options);
  const MonotonicTime begun = state_->executor.clock().now();
  using Open = Items<std::string, DescribedTopic>;
  const auto anywhere = [](Open&) -> Task<void> { co_return; };
  const auto ask = [&](BrokerId, Open& items) -> Task<ClientResult<void>> {
    std::vector<std::string> names;
    for (const auto* const item : items) names.push_back(item->key);
    auto seen = co_await state_->look(std::move(names), deadline, options.authorized_operations);
    if (!seen) co_return failure(std::move(seen.error()));
    const bool patient = state_->is_patient(begun);
    for (auto* const item : items) {
      const auto found = seen->find(item->key);
      if (found != seen->end() && found->second.error == ErrorCode::none) {
        item->settle(found->second.topic);
        continue;
      }
      const ErrorCode error =
          found == seen->end() ? ErrorCode::unknown_topic_or_partition : found->second.error;
      auto said = broker_error(error, no_broker, formatted("topic {}", item->key));
      if (error == ErrorCode::unknown_topic_or_partition && !patient) said.retriable = false;
      item->fail(std::move(said));
    }
    co_return ClientResult<void>();
  };
  co_return co_await in_rounds<std::string, DescribedTopic>(
      std::move(topics), state_->rounds(deadline), anywhere, ask);
}

Task<Outcomes<std::string, void>> AdminClient::create_partitions(std::vector<NewPartitions> topics,
                                                                 AdminOptions options) {
  const MonotonicTime deadline = state_->deadline_of(options);
  using Open = Items<std::string, void>;
  const auto route = [&](Open& items) { return state_->to_controller(items, deadline); };
  const auto ask = [&](BrokerId broker, Open& items) -> Task<ClientResult<void>> {
    using Assignment = CreatePartitionsRequest::CreatePartitionsAssignment;
    std::vector<std::vector<std::vector<std::int32_t>>> ids(items.size());
    std::vector<std::vector<Assignment>> assignments(items.size());
    std::vector<CreatePartitionsRequest::CreatePartitionsTopic> rows;
    for (std::size_t i = 0; i < items.size(); ++i) {
      const NewPartitions& topic = topics[items[i]->place];
      ids[i].reserve(topic.assignment.size());
      for (const std::vector<BrokerId>& replicas : topic.assignment) {
        std::vector<std::int32_t>& numbers = ids[i].emplace_back();
        for (const BrokerId id : replicas) numbers.push_back(id.value());
        assignments[i].push_back({.broker_ids = view_of(numbers)});
      }
      rows.push_back({.name = topic.topic,
                      .count = topic.count,
                      .assignments = topic.assignment.empty() ? Array<Assignment>::null()
                                                              : view_of(assignments[i])});
    }
    CreatePartitionsRequest request;
    request.topics = view_of(rows);
    request.timeout_ms = state_->milliseconds_until(deadline);
    request.validate_only = options.validate_only;
    auto reply = co_await state_->send(broker, request, CallOptions{.deadline = deadline});
    if (!reply) co_return failure(std::move(reply.error()));
    match(items, reply->message.results, reply->broker, ErrorCode::invalid_partitions,
          [](auto& item, const auto&) { item.settle(); });
    co_return ClientResult<void>();
  };
  co_return co_await in_rounds<std::string, void>(names_of(topics, &NewPartitions::topic),
                                                  state_->rounds(deadline), route, ask);
}

Task<Outcomes<TopicPartition, Offset>> AdminClient::delete_records(
    std::vector<std::pair<TopicPartition, Offset>> before, AdminOptions options) {
  const MonotonicTime deadline = state_->deadline_of(options);
  const MonotonicTime begun = state_->executor.clock().now();
  using Open = Items<TopicPartition, Offset>;
  const auto itself = [](const TopicPartition& key) -> const TopicPartition& { return key; };
  const auto route = [&](Open& items) {
    return state_->to_leaders(items, begun, deadline, itself);
  };
  const auto ask = [&](BrokerId broker, Open& items) -> Task<ClientResult<void>> {
    const auto topics = by_topic(items, itself);
    std::vector<std::vector<DeleteRecordsRequest::DeleteRecordsPartition>> parts;
    std::vector<DeleteRecordsRequest::DeleteRecordsTopic> rows;
    parts.reserve(topics.size());
    for (const auto& [name, wanted] : topics) {
      auto& own = parts.emplace_back();
      for (const auto* const item : wanted) {
        own.push_back({.partition_index = item->key.partition.value(),
                       .offset = before[item->place].second.value()});
      }
      rows.push_back({.name = name, .partitions = view_of(own)});
    }
    DeleteRecordsRequest request;
    request.topics = view_of(rows);
    request.timeout_ms = state_->milliseconds_until(deadline);
    auto reply = co_await state_->send(broker, request, CallOptions{.deadline = deadline});
    if (!reply) co_return failure(std::move(reply.error()));
    for (auto* const item : items) {
      const auto* const row = find_row(reply->message.topics, item->key);
      if (row == nullptr) {
        item->fail(left_out(reply->broker, to_string(item->key)));
      } else if (code_of(row->error_code) == ErrorCode::unknown_topic_or_partition &&
                 !state_->is_patient(begun)) {
        item->fail_for_good(refused(row->error_code, reply->broker, to_string(item->key)));
      } else if (code_of(row->error_code) != ErrorCode::none) {
        item->fail(refused(row->error_code, reply->broker, to_string(item->key)));
      } else {
        item->settle(Offset(row->low_watermark));
      }
    }
    co_return ClientResult<void>();
  };
  std::vector<TopicPartition> keys;
  for (const auto& [partition, offset] : before) keys.push_back(partition);
  co_return co_await in_rounds<TopicPartition, Offset>(std::move(keys), state_->rounds(deadline),
                                                       route, ask);
}

}  // namespace millrace::client
