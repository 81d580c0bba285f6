module;
#include <algorithm>
#include <array>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

module millrace.broker.requests;

import millrace.base;
import millrace.broker.requests.ports;
import millrace.ipc.rpc;
import millrace.protocol.admin;
import millrace.protocol.api;
import millrace.protocol.wire;
import millrace.runtime;
import millrace.security;

namespace millrace::broker {
namespace {

using protocol::Array;
using protocol::ErrorCode;
using Answer = protocol::DescribeQuorumResponse;
using WireReplica = Answer::ReplicaState;

// Each is answered with all members of the quorum, and there is but one.
constexpr std::size_t asked_partitions_max = 1024;

// The one log that a quorum writes, as clients name it.
constexpr std::string_view metadata_topic = "__cluster_metadata";

constexpr std::int16_t code(ErrorCode error) {
  return static_cast<std::int16_t>(error);
}

std::vector<WireReplica> replicas_of(const std::vector<rpc::QuorumReplica>& replicas) {
  std::vector<WireReplica> told;
  for (const rpc::QuorumReplica& replica : replicas) {
    WireReplica state;
    state.replica_id = replica.id.value();
    state.log_end_offset = replica.log_end;
    state.last_fetch_timestamp = replica.last_fetch.value();
    state.last_caught_up_timestamp = replica.last_caught_up.value();
    told.push_back(state);
  }
  return told;
}

template <class T>
Array<T> view(const std::vector<T>& items) {
  return {items.data(), static_cast<std::int32_t>(items.size())};
}

Response failed(const Request& request, const HandlerSurroundings& around, ErrorCode error,
                std::string_view sentence) {
  Answer answer;
  answer.error_code = code(error);
  answer.error_message = sentence;
  return respond(request.context, around.pool, answer);
}

// What the request asks for: the one partition that there is, and errors for all others.
class TellingQuorum {
 public:
  TellingQuorum(const protocol::DescribeQuorumRequest& asked,
                const rpc::DescribeQuorumReply& quorum)
      : voters_(replicas_of(quorum.voters)), observers_(replicas_of(quorum.observers)) {
    for (const auto& topic : asked.topics) {
      std::vector<Answer::PartitionData> told;
      for (const auto& partition : topic.partitions) {
        told.push_back(partition_of(topic.topic_name, partition.partition_index, quorum));
      }
      partitions_.push_back(std::move(told));
    }
    for (std::size_t i = 0; i < asked.topics.size(); ++i) {
      topics_.push_back(
          {.topic_name = asked.topics[i].topic_name, .partitions = view(partitions_[i])});
    }
    for (const rpc::QuorumReplica& voter : quorum.voters) {
      nodes_.push_back({.node_id = voter.id.value(), .listeners = {}});
    }
  }

  Answer answer(std::int16_t version) const {
    Answer message;
    message.topics = view(topics_);
    if (version >= nodes_from) message.nodes = view(nodes_);
    return message;
  }

 private:
  static constexpr std::int16_t nodes_from = 2;

  Answer::PartitionData partition_of(std::string_view topic, std::int32_t index,
                                     const rpc::DescribeQuorumReply& quorum) const {
    Answer::PartitionData told;
    told.partition_index = index;
    if (topic != metadata_topic || index != 0) {
      told.error_code = code(ErrorCode::unknown_topic_or_partition);
      told.error_message = "a quorum has partition 0 of __cluster_metadata only";
      return told;
    }
    told.leader_id = quorum.leader_id.value();
    told.leader_epoch = quorum.leader_epoch.value();
    told.high_watermark = quorum.high_watermark;
    told.current_voters = view(voters_);
    told.observers = view(observers_);
    return told;
  }

  std::vector<WireReplica> voters_;
  std::vector<WireReplica> observers_;
  std::vector<std::vector<Answer::PartitionData>> partitions_;
  std::vector<Answer::TopicData> topics_;
  std::vector<Answer::Node> nodes_;
};

}  // namespace

Task<Response> describe_quorum(Request request, const HandlerSurroundings& around) {
  protocol::Arena arena(request_arena_bytes_max);
  protocol::DescribeQuorumRequest message;
  if (auto read = read_body(message, request, arena); !read) {
    co_return Response::close(std::move(read.error()));
  }
  if (!permissions_of(request, around).may_on_cluster(security::Operation::describe)) {
    co_return failed(request, around, ErrorCode::cluster_authorization_failed,
                     "the principal may not describe the cluster");
  }
  std::size_t partitions = 0;
  for (const auto& topic : message.topics) partitions += topic.partitions.size();
  if (partitions > asked_partitions_max) {
    co_return failed(request, around, ErrorCode::invalid_request,
                     "the request names more partitions than any quorum has");
  }
  const auto reply = co_await around.controller.describe_quorum(request.context.deadline);
  if (!reply) {
    const bool is_late = reply.error().fault == rpc::RpcFault::timed_out;
    co_return failed(request, around,
                     is_late ? ErrorCode::request_timed_out : ErrorCode::not_controller,
                     reply.error().message);
  }
  if (reply->error != ErrorCode::none) {
    co_return failed(request, around, reply->error, reply->message);
  }
  const TellingQuorum telling(message, *reply);
  co_return respond(request.context, around.pool, telling.answer(request.context.version));
}

}  // namespace millrace::broker
