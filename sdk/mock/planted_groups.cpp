// Groups of the kinds that the mock does not run: what a test planted is told.
module;
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

module millrace.mock;

import millrace.base;
import millrace.protocol.api;
import millrace.protocol.consumer;
import millrace.protocol.share;
import millrace.protocol.streams;
import millrace.protocol.wire;
import millrace.runtime;
import :administration;
import :asked;
import :faults;
import :handlers;
import :planted_group;
import :state;

namespace millrace::mock {
namespace {

constexpr std::string_view host = "/127.0.0.1";
constexpr std::string_view assignor = "uniform";
constexpr std::string_view subtopology = "0";

// Null and an error where there is none here.
PlantedGroup* find(protocol::String id, GroupKind kind, Asked& asked, ErrorCode& error) {
  error = asked.planted;
  if (error != ErrorCode::none) return nullptr;
  if (asked.state.coordinator_of(id) != asked.broker) {
    error = ErrorCode::not_coordinator;
    return nullptr;
  }
  const auto found = asked.state.administration.groups.find(id);
  if (found != asked.state.administration.groups.end() && found->second.kind == kind) {
    return &found->second;
  }
  error = ErrorCode::group_id_not_found;
  return nullptr;
}

template <class Response>
auto assignment_of(const PlantedMember& member, Asked& asked) {
  typename Response::TopicPartitions topic;
  topic.topic_name = member.topic;
  if (const Topic* const known = asked.state.find(member.topic)) topic.topic_id = known->id;
  topic.partitions = keep(member.partitions, asked);
  typename Response::Assignment assignment;
  assignment.topic_partitions = keep(std::vector{topic}, asked);
  return assignment;
}

// Of the kinds whose members are assigned partitions.
template <class Request, class Response>
Answer describe(GroupKind kind, Asked& asked) {
  Request message;
  if (!read(message, asked)) return {};
  std::vector<typename Response::DescribedGroup> rows;
  for (const protocol::String id : message.group_ids) {
    ErrorCode error = ErrorCode::none;
    const PlantedGroup* const group = find(id, kind, asked, error);
    auto& row = rows.emplace_back();
    row.error_code = number_of(error);
    row.group_id = id;
    if (group == nullptr) continue;
    row.group_state = group->state;
    row.group_epoch = group->epoch;
    row.assignment_epoch = group->epoch;
    row.assignor_name = assignor;
    std::vector<typename Response::Member> members;
    for (const PlantedMember& own : group->members) {
      auto& member = members.emplace_back();
      member.member_id = own.id;
      member.member_epoch = group->epoch;
      member.client_id = own.client_id;
      member.client_host = host;
      member.subscribed_topic_names = keep(std::vector{protocol::String(own.topic)}, asked);
      member.assignment = assignment_of<Response>(own, asked);
      if constexpr (requires { member.target_assignment; }) {
        member.target_assignment = assignment_of<Response>(own, asked);
        if (asked.version() >= 1) member.member_type = 1;
      }
    }
    row.members = keep(members, asked);
  }
  Response response;
  response.groups = keep(rows, asked);
  return answer(asked, response);
}

// All tasks are of one subtopology, which reads the topics of the members.
protocol::StreamsGroupDescribeResponse::Topology topology_of(const PlantedGroup& group,
                                                             Asked& asked) {
  std::set<std::string_view> topics;
  for (const PlantedMember& member : group.members) topics.insert(member.topic);
  std::vector<protocol::String> sources;
  for (const std::string_view topic : topics) sources.emplace_back(topic);
  protocol::StreamsGroupDescribeResponse::Subtopology only;
  only.subtopology_id = subtopology;
  only.source_topics = keep(sources, asked);
  return {.epoch = 0, .subtopologies = keep(std::vector{only}, asked)};
}

}  // namespace

Answer consumer_group_describe(Asked& asked) {
  return describe<protocol::ConsumerGroupDescribeRequest, protocol::ConsumerGroupDescribeResponse>(
      GroupKind::consumer, asked);
}

Answer share_group_describe(Asked& asked) {
  return describe<protocol::ShareGroupDescribeRequest, protocol::ShareGroupDescribeResponse>(
      GroupKind::share, asked);
}

Answer streams_group_describe(Asked& asked) {
  protocol::StreamsGroupDescribeRequest message;
  if (!read(message, asked)) return {};
  using Response = protocol::StreamsGroupDescribeResponse;
  std::vector<Response::DescribedGroup> rows;
  std::deque<Response::Topology> topologies;  // rows point to them
  for (const protocol::String id : message.group_ids) {
    ErrorCode error = ErrorCode::none;
    const PlantedGroup* const group = find(id, GroupKind::streams, asked, error);
    auto& row = rows.emplace_back();
    row.error_code = number_of(error);
    row.group_id = id;
    if (group == nullptr) continue;
    row.group_state = group->state;
    row.group_epoch = group->epoch;
    row.assignment_epoch = group->epoch;
    std::vector<Response::Member> members;
    for (const PlantedMember& own : group->members) {
      auto& member = members.emplace_back();
      member.member_id = own.id;
      member.member_epoch = group->epoch;
      member.client_id = own.client_id;
      member.client_host = host;
      const Response::TaskIds tasks{.subtopology_id = subtopology,
                                    .partitions = keep(own.partitions, asked)};
      member.assignment.active_tasks = keep(std::vector{tasks}, asked);
      const Response::TaskOffset restored{
          .subtopology_id = subtopology, .partition = 0, .offset = group->epoch};
      member.task_offsets = keep(std::vector{restored}, asked);
    }
    row.members = keep(members, asked);
    row.topology = &topologies.emplace_back(topology_of(*group, asked));
  }
  Response response;
  response.groups = keep(rows, asked);
  return answer(asked, response);
}

Answer describe_share_group_offsets(Asked& asked) {
  protocol::DescribeShareGroupOffsetsRequest message;
  if (!read(message, asked)) return {};
  using Response = protocol::DescribeShareGroupOffsetsResponse;
  using Part = Response::DescribeShareGroupOffsetsResponsePartition;
  std::vector<Response::DescribeShareGroupOffsetsResponseGroup> rows;
  for (const auto& in : message.groups) {
    ErrorCode error = ErrorCode::none;
    const PlantedGroup* const group = find(in.group_id, GroupKind::share, asked, error);
    std::map<std::string, std::vector<Part>> parts;
    const auto tell = [&](const std::string& topic, std::int32_t index, Offset start) {
      Part& part = parts[topic].emplace_back();
      part.partition_index = index;
      part.start_offset = start.value();
      if (asked.version() >= 1) part.lag = start == no_offset ? -1 : 0;
    };
    if (group != nullptr && in.topics.is_null()) {
      for (const auto& [place, start] : group->starts) tell(place.first, place.second, start);
    }
    for (const auto& topic : in.topics) {
      if (group == nullptr) break;
      const std::string name(topic.topic_name);
      for (const std::int32_t index : topic.partitions) {
        const auto start = group->starts.find({name, index});
        tell(name, index, start == group->starts.end() ? no_offset : start->second);
      }
    }
    std::vector<Response::DescribeShareGroupOffsetsResponseTopic> topics;
    for (const auto& [name, own] : parts) {
      auto& topic = topics.emplace_back();
      topic.topic_name = keep(name, asked);
      topic.partitions = keep(own, asked);
    }
    auto& row = rows.emplace_back();
    row.group_id = in.group_id;
    row.topics = keep(topics, asked);
    row.error_code = number_of(error);
  }
  Response response;
  response.groups = keep(rows, asked);
  return answer(asked, response);
}

Answer alter_share_group_offsets(Asked& asked) {
  protocol::AlterShareGroupOffsetsRequest message;
  if (!read(message, asked)) return {};
  using Response = protocol::AlterShareGroupOffsetsResponse;
  ErrorCode refusal = ErrorCode::none;
  PlantedGroup* const group = find(message.group_id, GroupKind::share, asked, refusal);
  if (group != nullptr && !group->members.empty()) refusal = ErrorCode::non_empty_group;
  std::vector<Response::AlterShareGroupOffsetsResponseTopic> topics;
  for (const auto& in : message.topics) {
    if (refusal != ErrorCode::none) break;
    const Topic* const topic = asked.state.find(in.topic_name);
    std::vector<Response::AlterShareGroupOffsetsResponsePartition> parts;
    for (const auto& part : in.partitions) {
      const bool known = topic != nullptr && topic->find(part.partition_index) != nullptr;
      auto& row = parts.emplace_back();
      row.partition_index = part.partition_index;
      row.error_code = number_of(known ? ErrorCode::none : ErrorCode::unknown_topic_or_partition);
      if (known) {
        group->starts[{std::string(in.topic_name), part.partition_index}] =
            Offset(part.start_offset);
      }
    }
    auto& row = topics.emplace_back();
    row.topic_name = in.topic_name;
    row.partitions = keep(parts, asked);
  }
  Response response;
  response.error_code = number_of(refusal);
  response.responses = keep(topics, asked);
  return answer(asked, response);
}

Answer delete_share_group_offsets(Asked& asked) {
  protocol::DeleteShareGroupOffsetsRequest message;
  if (!read(message, asked)) return {};
  using Response = protocol::DeleteShareGroupOffsetsResponse;
  ErrorCode refusal = ErrorCode::none;
  PlantedGroup* const group = find(message.group_id, GroupKind::share, asked, refusal);
  if (group != nullptr && !group->members.empty()) refusal = ErrorCode::non_empty_group;
  std::vector<Response::DeleteShareGroupOffsetsResponseTopic> topics;
  for (const auto& in : message.topics) {
    if (refusal != ErrorCode::none) break;
    const auto gone = std::erase_if(
        group->starts, [&](const auto& entry) { return entry.first.first == in.topic_name; });
    auto& row = topics.emplace_back();
    row.topic_name = in.topic_name;
    row.error_code = number_of(gone > 0 ? ErrorCode::none : ErrorCode::unknown_topic_or_partition);
  }
  Response response;
  response.error_code = number_of(refusal);
  response.responses = keep(topics, asked);
  return answer(asked, response);
}

}  // namespace millrace::mock
