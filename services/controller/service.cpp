module;
#include <algorithm>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

module millrace.controller;

import millrace.base;
import millrace.protocol.api;

namespace millrace::controller {
namespace {

using metadata::ErrorCode;

// The longest that a call waits for news, whatever it asks for.
constexpr Duration follow_wait_max = std::chrono::seconds{30};
// Of DeleteTopics: earlier ones do not know the error code that says why.
constexpr std::int16_t first_version_with_deletion_disabled = 3;
constexpr std::string_view not_leading = "this controller does not lead";

rpc::NodeId rpc_id(raft::NodeId node) {
  return rpc::NodeId(node.value());
}

template <class Reply>
Reply refused(ErrorCode error, std::string_view message) {
  Reply reply;
  reply.error = error;
  reply.message = message;
  return reply;
}

// The reply of the machine to a request of the kind that gives `Reply`.
template <class Reply>
Reply taken(metadata::Reply reply) {
  return std::get<Reply>(std::move(reply));
}

metadata::Broker broker_of(rpc::RegisterBroker& request) {
  metadata::Broker broker;
  broker.id = request.broker_id;
  broker.incarnation = request.incarnation;
  for (rpc::Endpoint& endpoint : request.endpoints) {
    broker.endpoints.push_back({std::move(endpoint.listener), std::move(endpoint.host),
                                endpoint.port, endpoint.security_protocol});
  }
  broker.rack = std::move(request.rack);
  broker.directories = std::move(request.directories);
  return broker;
}

}  // namespace

Task<rpc::HelloReply> Service::on(rpc::Hello request) {
  rpc::HelloReply reply;
  reply.cluster_id = quorum_.image()->cluster_id();
  reply.controller_id = rpc_id(quorum_.node().self());
  reply.leader_id = quorum_.machine().leads() ? reply.controller_id : rpc::no_node;
  reply.metadata_version = quorum_.image()->metadata_version();
  log_.debug("{} {} says hello", rpc::name_of(request.kind), request.node_id.value());
  co_return reply;
}

Task<rpc::RegisterBrokerReply> Service::on(rpc::RegisterBroker request) {
  metadata::RegisterBroker wanted;
  wanted.cluster_id = request.cluster_id;
  wanted.broker = broker_of(request);
  wanted.previous_epoch = request.previous_epoch;
  auto answer = taken<metadata::RegisterBrokerReply>(co_await quorum_.ask(std::move(wanted)));
  if (answer.outcome.ok()) {
    log_.info("broker {} is registered at epoch {}", request.broker_id.value(),
              answer.epoch.value());
  } else {
    log_.warning("broker {} is not registered: {}", request.broker_id.value(),
                 answer.outcome.message);
  }
  rpc::RegisterBrokerReply reply;
  reply.error = answer.outcome.error;
  reply.message = std::move(answer.outcome.message);
  reply.epoch = answer.epoch;
  co_return reply;
}

Task<rpc::HeartbeatReply> Service::on(rpc::Heartbeat request) {
  metadata::Heartbeat heartbeat;
  heartbeat.broker = request.broker_id;
  heartbeat.epoch = request.epoch;
  heartbeat.applied = MetadataOffset(request.metadata_offset.value());
  heartbeat.want_fence = request.want_fence;
  heartbeat.want_shut_down = request.want_shut_down;
  auto answer = taken<metadata::HeartbeatReply>(co_await quorum_.ask(heartbeat));
  rpc::HeartbeatReply reply;
  reply.error = answer.outcome.error;
  reply.message = std::move(answer.outcome.message);
  reply.is_caught_up = answer.is_caught_up;
  reply.is_fenced = answer.is_fenced;
  reply.should_shut_down = answer.should_shut_down;
  co_return reply;
}

Task<rpc::FollowMetadataReply> Service::on(rpc::FollowMetadata request) {
  rpc::FollowMetadataReply reply;
  std::optional<raft::SnapshotMeta> snapshot;
  std::uint64_t position = 0;
  if (request.snapshot && request.snapshot->value() == quorum_.snapshot().last.index.value()) {
    snapshot = quorum_.snapshot();
    position = request.snapshot_position;
  } else {
    const Duration wait = std::clamp(request.wait, Duration{}, follow_wait_max);
    const std::size_t bytes_max = std::min<std::size_t>(request.bytes_max, rpc::follow_bytes_max);
    Followed followed =
        co_await quorum_.follow(MetadataOffset(request.next.value()), std::max(bytes_max, kibibyte),
                                executor_.clock().now() + wait);
    for (const Followed::Entry& entry : followed.entries) {
      const ByteView bytes = entry.bytes.bytes();
      reply.entries.push_back(
          {rpc::MetadataOffset(entry.offset.value()), {bytes.begin(), bytes.end()}});
    }
    reply.through = rpc::MetadataOffset(followed.through.value());
    snapshot = std::move(followed.snapshot);
  }
  reply.committed = rpc::MetadataOffset(quorum_.node().applied().value());
  if (!snapshot) co_return reply;
  // Another snapshot may take its place meanwhile: then that one, from its beginning.
  auto chunk = co_await quorum_.read_snapshot(*snapshot, position, rpc::snapshot_chunk_bytes_max);
  if (!chunk) {
    co_return refused<rpc::FollowMetadataReply>(ErrorCode::snapshot_not_found,
                                                "that snapshot is not there any more; ask again");
  }
  reply.snapshot = rpc::MetadataSnapshot{rpc::MetadataOffset(snapshot->last.index.value()),
                                         position, snapshot->bytes, *std::move(chunk)};
  co_return reply;
}

Task<rpc::ForwardReply> Service::on(rpc::Forward request) {
  const protocol::ApiKey api = request.api;
  auto reply = co_await forward(std::move(request));
  if (reply.error != ErrorCode::none) {
    log_.debug("{} is refused: {}", protocol::name_of(api), reply.message);
  }
  co_return reply;
}

Task<rpc::ForwardReply> Service::forward(rpc::Forward request) {
  if (!quorum_.machine().leads()) {
    co_return refused<rpc::ForwardReply>(ErrorCode::not_controller, not_leading);
  }
  rpc::ForwardReply reply;
  Result<Body, metadata::Outcome> body;
  if (request.api == protocol::ApiKey::describe_quorum) {
    QuorumState state;
    state.leader = quorum_.node().leader().value();
    state.epoch = static_cast<std::int32_t>(quorum_.node().term().value());
    // Kafka's offsets count from 0 and say what comes next: our last index is the one before.
    state.high_watermark = quorum_.node().commit().value();
    state.voters = {{state.leader, quorum_.node().log().last().index.value()}};
    state.now = executor_.clock().wall_now();
    body = describe_quorum(request.version, request.body, state);
  } else if (request.api == protocol::ApiKey::delete_topics &&
             !server_->get<"delete.topic.enable">()) {
    const bool knows_the_code = request.version >= first_version_with_deletion_disabled;
    co_return refused<rpc::ForwardReply>(
        knows_the_code ? ErrorCode::topic_deletion_disabled : ErrorCode::invalid_request,
        "delete.topic.enable is false");
  } else {
    auto wanted = read_request(request.api, request.version, request.body);
    if (!wanted) {
      co_return refused<rpc::ForwardReply>(wanted.error().error, wanted.error().message);
    }
    const metadata::Reply answer = co_await quorum_.ask(*std::move(wanted));
    // The answer came after its change was applied here.
    reply.metadata_offset = rpc::MetadataOffset(quorum_.image()->offset().value());
    // Only an answer about new topics tells settings: no other needs a copy of them all.
    const bool has_settings = std::holds_alternative<metadata::CreateTopicsReply>(answer);
    body = has_settings ? write_reply(request.api, request.version, answer,
                                      metadata::settings_of_brokers(*server_, *quorum_.image()))
                        : write_reply(request.api, request.version, answer, *server_);
  }
  if (!body) co_return refused<rpc::ForwardReply>(body.error().error, body.error().message);
  reply.body = *std::move(body);
  co_return reply;
}

Task<rpc::AllocateProducerIdsReply> Service::on(rpc::AllocateProducerIds request) {
  auto answer = taken<metadata::AllocateProducerIdsReply>(
      co_await quorum_.ask(metadata::AllocateProducerIds{request.broker_id, request.epoch}));
  rpc::AllocateProducerIdsReply reply;
  reply.error = answer.outcome.error;
  reply.message = std::move(answer.outcome.message);
  if (answer.outcome.ok()) {
    reply.first = answer.block.first;
    reply.count = answer.block.count;
  }
  co_return reply;
}

Task<rpc::DescribeQuorumReply> Service::on(rpc::DescribeQuorum) {
  if (!quorum_.machine().leads()) {
    co_return refused<rpc::DescribeQuorumReply>(ErrorCode::not_controller, not_leading);
  }
  const Timestamp now = executor_.clock().wall_now();
  rpc::DescribeQuorumReply reply;
  reply.leader_id = rpc_id(quorum_.node().leader());
  reply.leader_epoch = LeaderEpoch(static_cast<std::int32_t>(quorum_.node().term().value()));
  reply.high_watermark = quorum_.node().commit().value();
  reply.voters.push_back({reply.leader_id, quorum_.node().log().last().index.value(), now, now});
  co_return reply;
}

void Service::on(rpc::RaftMessage message) {
  log_.warning("controller {} sends a message; this one is the only voter", message.from.value());
}

}  // namespace millrace::controller
