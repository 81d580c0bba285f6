// A controller within the test: it keeps a log of metadata, and does with brokers what the real one
// does, without a network.
#pragma once
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

import millrace.base;
import millrace.broker.cluster;
import millrace.ipc.rpc;
import millrace.metadata;
import millrace.runtime;

namespace millrace::broker {

inline Uuid uuid_of(int number) {
  Uuid uuid;
  uuid.bytes[0] = static_cast<std::byte>(number);
  return uuid;
}

class SimulatedController final : public rpc::ControllerCalls {
 public:
  explicit SimulatedController(Executor& executor) : executor_(executor) {
    append({metadata::ClusterRecord{.cluster_id = uuid_of(7), .last_broker_epoch = {}}});
  }

  Task<rpc::RpcResult<rpc::HelloReply>> call(rpc::Hello request, MonotonicTime deadline) override {
    if (is_away || is_closed) co_return co_await nobody<rpc::HelloReply>(deadline);
    hellos.push_back(request);
    if (const auto lost = co_await lose_answer(deadline)) co_return failure(*lost);
    co_return rpc::HelloReply{.error = hello_error,
                              .message = hello_error == ErrorCode::none ? "" : "no, sorry",
                              .cluster_id = uuid_of(7),
                              .controller_id = rpc::NodeId(1),
                              .leader_id = rpc::NodeId(1)};
  }
  Task<rpc::RpcResult<rpc::RegisterBrokerReply>> call(rpc::RegisterBroker request,
                                                      MonotonicTime deadline) override {
    if (is_away || is_closed) co_return co_await nobody<rpc::RegisterBrokerReply>(deadline);
    registrations.push_back(request);
    rpc::RegisterBrokerReply reply;
    if (refusals > 0) {
      --refusals;
      reply.error = refusal;
      reply.message = "not you";
      co_return reply;
    }
    if (const auto lost = co_await lose_answer(deadline)) co_return failure(*lost);
    metadata::Broker broker;
    broker.id = request.broker_id;
    broker.epoch = BrokerEpoch(end());
    broker.incarnation = request.incarnation;
    broker.directories = request.directories;
    append({metadata::RegisterBrokerRecord{broker}});
    epoch = broker.epoch;
    reply.epoch = epoch;
    co_return reply;
  }
  Task<rpc::RpcResult<rpc::HeartbeatReply>> call(rpc::Heartbeat request,
                                                 MonotonicTime deadline) override {
    if (is_away || is_closed) co_return co_await nobody<rpc::HeartbeatReply>(deadline);
    heartbeats.push_back(request);
    rpc::HeartbeatReply reply;
    if (has_forgotten) {
      has_forgotten = false;
      is_fenced = true;
      reply.error = ErrorCode::broker_id_not_registered;
      co_return reply;
    }
    reply.is_caught_up = request.metadata_offset.value() >= epoch.value();
    if (is_fenced && !request.want_fence && reply.is_caught_up) {
      is_fenced = false;
      append({metadata::BrokerChangeRecord{request.broker_id, epoch, false}});
    }
    reply.is_fenced = is_fenced;
    if (request.want_shut_down && --heartbeats_until_release <= 0) reply.should_shut_down = true;
    co_return reply;
  }
  Task<rpc::RpcResult<rpc::FollowMetadataReply>> call(rpc::FollowMetadata request,
                                                      MonotonicTime deadline) override {
    if (is_away || is_closed) co_return co_await nobody<rpc::FollowMetadataReply>(deadline);
    ++follows;
    const MonotonicTime until = executor_.clock().now() + request.wait;
    while (entries.back().offset < request.next && executor_.clock().now() < until) {
      co_await sleep_until(executor_, executor_.clock().now() + std::chrono::milliseconds{5});
      if (is_closed) co_return co_await nobody<rpc::FollowMetadataReply>(deadline);
    }
    rpc::FollowMetadataReply reply;
    for (const rpc::MetadataEntry& entry : entries) {
      if (entry.offset >= request.next) reply.entries.push_back(entry);
    }
    reply.committed = entries.back().offset;
    reply.through = reply.committed;
    co_return reply;
  }
  Task<rpc::RpcResult<rpc::ForwardReply>> call(rpc::Forward request,
                                               MonotonicTime deadline) override {
    if (is_away || is_closed) co_return co_await nobody<rpc::ForwardReply>(deadline);
    if (fault) co_return failure(rpc::RpcError{*fault, "a planted failure"});
    forward_timeout = request.timeout;
    rpc::ForwardReply reply{.error = forward_error, .body = request.body};
    if (to_change) {
      append(*std::exchange(to_change, std::nullopt));
      reply.metadata_offset = rpc::MetadataOffset(end() - 1 + offset_told_ahead);
    }
    co_return reply;
  }
  Task<rpc::RpcResult<rpc::AllocateProducerIdsReply>> call(rpc::AllocateProducerIds request,
                                                           MonotonicTime deadline) override {
    if (is_away || is_closed) co_return co_await nobody<rpc::AllocateProducerIdsReply>(deadline);
    rpc::AllocateProducerIdsReply reply;
    if (request.epoch != epoch) reply.error = ErrorCode::stale_broker_epoch;
    reply.first = ProducerId(5000);
    reply.count = 1000;
    co_return reply;
  }
  Task<rpc::RpcResult<rpc::DescribeQuorumReply>> call(rpc::DescribeQuorum,
                                                      MonotonicTime deadline) override {
    if (is_away || is_closed) co_return co_await nobody<rpc::DescribeQuorumReply>(deadline);
    co_return rpc::DescribeQuorumReply{};
  }

  void append(const std::vector<metadata::Record>& records) {
    entries.push_back({.offset = rpc::MetadataOffset(end()), .bytes = metadata::entry_of(records)});
  }
  // The offset of the next entry.
  [[nodiscard]] std::int64_t end() const { return static_cast<std::int64_t>(entries.size()) + 1; }

  bool is_away = false;        // nobody answers
  bool is_closed = false;      // no call is answered any more, nor are those under way
  bool has_forgotten = false;  // the next heartbeat is of a broker that nobody knows
  bool is_fenced = true;
  // Hellos and registrations that are heard, and whose answers are lost in this way.
  int lost_answers = 0;
  rpc::RpcFault loss = rpc::RpcFault::broken;
  int refusals = 0;
  int heartbeats_until_release = 3;
  ErrorCode refusal = ErrorCode::duplicate_broker_registration;
  ErrorCode hello_error = ErrorCode::none;
  ErrorCode forward_error = ErrorCode::none;
  std::optional<rpc::RpcFault> fault;
  // What the next forwarded request changes, and how far its answer's offset is ahead of that.
  std::optional<std::vector<metadata::Record>> to_change;
  std::int64_t offset_told_ahead = 0;

  BrokerEpoch epoch{-1};
  std::vector<rpc::MetadataEntry> entries;
  std::vector<rpc::Hello> hellos;
  std::vector<rpc::RegisterBroker> registrations;
  std::vector<rpc::Heartbeat> heartbeats;
  int follows = 0;
  Duration forward_timeout{};

 private:
  Task<std::optional<rpc::RpcError>> lose_answer(MonotonicTime deadline) {
    if (lost_answers == 0) co_return std::nullopt;
    --lost_answers;
    // Who hears nothing waits to the end.
    if (loss == rpc::RpcFault::timed_out) co_await sleep_until(executor_, deadline);
    co_return rpc::RpcError{loss, "the answer was lost"};
  }
  template <class Reply>
  Task<rpc::RpcResult<Reply>> nobody(MonotonicTime deadline) {
    while (!is_closed && executor_.clock().now() < deadline) {
      co_await sleep_until(
          executor_, std::min(deadline, executor_.clock().now() + std::chrono::milliseconds{50}));
    }
    if (is_closed) co_return failure(rpc::RpcError{rpc::RpcFault::closed, "closed"});
    co_return failure(rpc::RpcError{rpc::RpcFault::unavailable, "no controller took the call"});
  }

  Executor& executor_;
};

}  // namespace millrace::broker
