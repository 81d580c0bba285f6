module;
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

module millrace.broker.requests.lookups;

import millrace.base;
import millrace.broker.requests.ports;
import millrace.metadata;
import millrace.protocol.api;
import millrace.protocol.metadata;
import millrace.protocol.wire;

namespace millrace::broker {
namespace {

using protocol::Arena;
using protocol::Array;
using protocol::ErrorCode;
using security::Operation;
using security::ResourceType;
using Answer = protocol::DescribeTopicPartitionsResponse;
using Asked = protocol::DescribeTopicPartitionsRequest;
using WirePartition = Answer::DescribeTopicPartitionsResponsePartition;
using WireTopic = Answer::DescribeTopicPartitionsResponseTopic;

constexpr std::int16_t code(ErrorCode error) {
  return static_cast<std::int16_t>(error);
}

class DescribingPartitions {
 public:
  DescribingPartitions(const Asked& request, const ClusterView& view, Arena& arena)
      : request_(request),
        view_(view),
        arena_(arena),
        left_(static_cast<std::size_t>(
            std::clamp(request.response_partition_limit, 1, described_partitions_max))) {}

  Answer answer() {
    const std::optional<ErrorCode> refused = refusal();
    std::vector<std::string_view> names = asked_names();
    for (const std::string_view name : names) {
      if (refused) {
        WireTopic topic;
        topic.name = name;
        topic.error_code = code(*refused);
        topics_.push_back(topic);
      } else if (!is_before_cursor(name) && !tell(name)) {
        break;
      }
    }
    Answer message;
    message.topics = keep(topics_);
    message.next_cursor = next_;
    return message;
  }

 private:
  [[nodiscard]] std::optional<ErrorCode> refusal() const {
    const Asked::Cursor* const cursor = request_.cursor;
    if (cursor == nullptr) return std::nullopt;
    const bool has_topic =
        request_.topics.empty() ||
        std::any_of(request_.topics.begin(), request_.topics.end(),
                    [&](const auto& topic) { return topic.name == cursor->topic_name; });
    if (cursor->partition_index < 0 || !has_topic) return ErrorCode::invalid_request;
    return std::nullopt;
  }

  // In order, each once; those of the cluster where the request names none.
  std::vector<std::string_view> asked_names() {
    std::vector<std::string_view> names;
    if (request_.topics.empty()) {
      view_.image.for_each_topic([&](const metadata::Topic& topic) {
        if (may_describe(topic.name)) names.push_back(topic.name);
      });
      return names;
    }
    for (const auto& topic : request_.topics) names.push_back(topic.name);
    std::sort(names.begin(), names.end());
    names.erase(std::unique(names.begin(), names.end()), names.end());
    return names;
  }

  [[nodiscard]] bool may_describe(std::string_view topic) const {
    return view_.permissions.may(Operation::describe, ResourceType::topic, topic);
  }

  [[nodiscard]] bool is_before_cursor(std::string_view name) const {
    return request_.cursor != nullptr && name < request_.cursor->topic_name;
  }

  // False: the answer is full, and the next one goes on with this topic.
  bool tell(std::string_view name) {
    const auto topic = view_.image.topic(name);
    if (!may_describe(name) || topic == nullptr) {
      tell_missing(name);
      return true;
    }
    std::size_t first = 0;
    if (request_.cursor != nullptr && request_.cursor->topic_name == name) {
      first = std::min(static_cast<std::size_t>(request_.cursor->partition_index),
                       topic->partitions.size());
    }
    const std::size_t count = std::min(left_, topic->partitions.size() - first);
    if (count == 0 && left_ == 0) {
      go_on_at(topic->name, first);
      return false;
    }
    WireTopic told;
    told.name = topic->name;
    told.topic_id = topic->id;
    told.is_internal = topic->internal;
    told.topic_authorized_operations = view_.permissions.operations_on_topic(name);
    told.partitions = seen(*topic, first, count);
    topics_.push_back(told);
    left_ -= count;
    if (first + count == topic->partitions.size()) return true;
    go_on_at(topic->name, first + count);
    return false;
  }

  void tell_missing(std::string_view name) {
    WireTopic topic;
    topic.name = name;
    if (!may_describe(name)) {
      topic.error_code = code(ErrorCode::topic_authorization_failed);
    } else {
      const bool is_legal = check_topic_name(name).has_value();
      topic.error_code = code(is_legal ? ErrorCode::unknown_topic_or_partition
                                       : ErrorCode::invalid_topic_exception);
      topic.is_internal = is_internal_topic(name);
      topic.topic_authorized_operations = view_.permissions.operations_on_topic(name);
    }
    topics_.push_back(topic);
  }

  Array<WirePartition> seen(const metadata::Topic& topic, std::size_t first, std::size_t count) {
    if (count == 0) return {};
    auto* const told = arena_.make_array<WirePartition>(count);
    for (std::size_t i = 0; i < count; ++i) {
      const metadata::Partition& partition = topic.partitions[first + i];
      const SeenLeader leader = seen_leader(partition, view_, true);
      told[i].error_code = code(leader.error);
      told[i].partition_index = partition.index.value();
      told[i].leader_id = leader.id.value();
      told[i].leader_epoch = partition.leader_epoch.value();
      told[i].replica_nodes = ids_of(partition.replicas, arena_);
      told[i].isr_nodes = ids_of(partition.isr, arena_);
      told[i].eligible_leader_replicas = ids_of(partition.elr, arena_);
      told[i].last_known_elr = {};
      told[i].offline_replicas = offline_of(partition.replicas, view_, arena_);
    }
    return {told, static_cast<std::int32_t>(count)};
  }

  void go_on_at(std::string_view topic, std::size_t partition) {
    auto* const cursor = arena_.make_array<Answer::Cursor>(1);
    cursor->topic_name = topic;
    cursor->partition_index = static_cast<std::int32_t>(partition);
    next_ = cursor;
  }

  Array<WireTopic> keep(const std::vector<WireTopic>& topics) {
    if (topics.empty()) return {};
    auto* const kept = arena_.make_array<WireTopic>(topics.size());
    std::copy(topics.begin(), topics.end(), kept);
    return {kept, static_cast<std::int32_t>(topics.size())};
  }

  const Asked& request_;
  const ClusterView& view_;
  Arena& arena_;
  std::size_t left_;
  std::vector<WireTopic> topics_;
  const Answer::Cursor* next_ = nullptr;
};

}  // namespace

Answer answer_topic_partitions(const Asked& request, const ClusterView& view, Arena& arena) {
  return DescribingPartitions(request, view, arena).answer();
}

}  // namespace millrace::broker
