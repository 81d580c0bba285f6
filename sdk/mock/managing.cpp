// Heartbeats of members whose broker assigns.
module;
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

module millrace.mock;

import millrace.base;
import millrace.protocol.api;
import millrace.protocol.consumer;
import millrace.protocol.wire;
import millrace.runtime;
import :asked;
import :faults;
import :group_words;
import :handlers;
import :managed_groups;
import :state;

namespace millrace::mock {
namespace {

using Request = protocol::ConsumerGroupHeartbeatRequest;
using Response = protocol::ConsumerGroupHeartbeatResponse;

ManagedBeat read_beat(const Request& in) {
  ManagedBeat beat;
  beat.member_id = in.member_id;
  beat.epoch = in.member_epoch;
  beat.instance_id = owned(in.instance_id);
  if (!in.subscribed_topic_names.is_null()) {
    auto& topics = beat.topics.emplace();
    for (const protocol::String topic : in.subscribed_topic_names) topics.emplace_back(topic);
  }
  beat.pattern = owned(in.subscribed_topic_regex);
  beat.assignor = owned(in.server_assignor);
  if (!in.topic_partitions.is_null()) {
    auto& places = beat.owned.emplace();
    for (const auto& topic : in.topic_partitions) {
      for (const std::int32_t partition : topic.partitions) {
        places.insert({topic.topic_id, partition});
      }
    }
  }
  return beat;
}

const Response::Assignment* shown(const PlacesById& places, Asked& asked) {
  std::map<Uuid, std::vector<std::int32_t>> topics;
  for (const auto& [id, partition] : places) topics[id].push_back(partition);
  std::vector<Response::TopicPartitions> rows;
  for (const auto& [id, partitions] : topics) {
    rows.push_back({.topic_id = id, .partitions = keep(partitions, asked)});
  }
  auto* const assignment = asked.arena.make_array<Response::Assignment>(1);
  check(assignment != nullptr, "the arena of the mock has room for every answer");
  assignment->topic_partitions = keep(rows, asked);
  return assignment;
}

}  // namespace

Answer consumer_group_heartbeat(Asked& asked) {
  Request message;
  if (!read(message, asked)) return {};
  Response out;
  ManagedReply reply;
  if (asked.planted != ErrorCode::none) {
    reply.error = asked.planted;
  } else if (asked.state.coordinator_of(message.group_id) != asked.broker) {
    reply.error = ErrorCode::not_coordinator;
  } else {
    std::vector<KnownTopic> topics;
    for (const auto& [name, topic] : asked.state.topics()) {
      topics.push_back({name, topic->id, static_cast<std::int32_t>(topic->partitions.size())});
    }
    reply = asked.state.managed_groups.heartbeat(message.group_id, read_beat(message), topics,
                                                 asked.state.clock().now());
  }
  out.error_code = number_of(reply.error);
  if (reply.error != ErrorCode::none) {
    out.error_message = keep(reply.sentence, asked);
    return answer(asked, out);
  }
  out.member_id = message.member_id;
  out.member_epoch = reply.epoch;
  out.heartbeat_interval_ms = static_cast<std::int32_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(managed_heartbeat_interval).count());
  if (reply.assignment) out.assignment = shown(*reply.assignment, asked);
  return answer(asked, out);
}

}  // namespace millrace::mock
