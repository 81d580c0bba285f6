// Controllers and their clients in one process, over the loopback: one loop, turned by the thread
// of the test, and one RPC thread.
#pragma once
#include <gtest/gtest.h>

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
import millrace.ipc.rpc;
import millrace.runtime;
import millrace.runtime.shard;

namespace millrace::rpc {

inline std::vector<std::byte> bytes_of_text(std::string_view text) {
  const ByteView view = as_bytes(text);
  return {view.begin(), view.end()};
}

inline Uuid uuid_of(int number) {
  Uuid uuid;
  uuid.bytes[0] = static_cast<std::byte>(number);
  uuid.bytes[15] = static_cast<std::byte>(number + 1);
  return uuid;
}

// A controller that answers what the test says, and remembers what it was asked.
class FakeController final : public ControllerService {
 public:
  explicit FakeController(std::int32_t id) {
    hello.controller_id = NodeId(id);
    hello.leader_id = NodeId(id);
    hello.cluster_id = uuid_of(7);
    hello.metadata_version = 1;
    hello.software_version = "0.1.0";
  }

  Task<HelloReply> on(Hello request) override {
    hellos.push_back(request);
    co_return hello;
  }
  Task<RegisterBrokerReply> on(RegisterBroker request) override {
    registrations.push_back(std::move(request));
    co_return registered;
  }
  Task<HeartbeatReply> on(Heartbeat request) override {
    heartbeats.push_back(std::move(request));
    if (before_heartbeat) co_await before_heartbeat();
    co_return heartbeat;
  }
  Task<FollowMetadataReply> on(FollowMetadata request) override {
    follows.push_back(request);
    co_return followed;
  }
  Task<ForwardReply> on(Forward request) override {
    forwards.push_back(request);
    if (before_forward) co_await before_forward();
    ForwardReply reply = forwarded;
    if (echoes) reply.body = std::move(request.body);
    co_return reply;
  }
  Task<AllocateProducerIdsReply> on(AllocateProducerIds) override {
    AllocateProducerIdsReply reply;
    reply.first = ProducerId(1000 * blocks++);
    reply.count = 1000;
    co_return reply;
  }
  Task<DescribeQuorumReply> on(DescribeQuorum) override { co_return quorum; }
  void on(RaftMessage message) override {
    raft.push_back(std::move(message));
    if (raft_arrived) raft_arrived();
  }

  HelloReply hello;
  RegisterBrokerReply registered;
  HeartbeatReply heartbeat;
  FollowMetadataReply followed;
  ForwardReply forwarded;
  DescribeQuorumReply quorum;
  bool echoes = true;
  std::int64_t blocks = 1;
  std::function<Task<void>()> before_heartbeat;
  std::function<Task<void>()> before_forward;
  std::function<void()> raft_arrived;

  std::vector<Hello> hellos;
  std::vector<RegisterBroker> registrations;
  std::vector<Heartbeat> heartbeats;
  std::vector<FollowMetadata> follows;
  std::vector<Forward> forwards;
  std::vector<RaftMessage> raft;
};

// Something that coroutines wait for until the test lets them go.
class Gate {
 public:
  explicit Gate(Executor& executor) : executor_(executor) {}

  Task<void> pass() {
    ++waiting;
    while (!is_open_) co_await sleep_until(executor_, executor_.clock().now() + pause);
    --waiting;
  }
  void open() { is_open_ = true; }

  int waiting = 0;

 private:
  static constexpr Duration pause = std::chrono::milliseconds{1};
  Executor& executor_;
  bool is_open_ = false;
};

class RpcMachine : public testing::Test {
 protected:
  // Waits as long as it takes: a test that waits for ever is ended from outside.
  [[nodiscard]] MonotonicTime soon() const { return clock.now() + std::chrono::minutes{5}; }
  [[nodiscard]] MonotonicTime in(Duration time) const { return clock.now() + time; }

  Task<void> until(std::function<bool()> condition) {
    while (!condition()) co_await sleep_until(*loop, clock.now() + std::chrono::milliseconds{1});
  }

  std::unique_ptr<ControllerServer> serve(FakeController& controller,
                                          ControllerServerOptions options = {}) {
    options.host = "127.0.0.1";
    return ControllerServer::start(*thread, *loop, controller, options, log).value();
  }
  static ControllerAddress at(const FakeController& controller, const ControllerServer& server) {
    return {.id = controller.hello.controller_id, .host = "127.0.0.1", .port = server.port()};
  }
  std::unique_ptr<ControllerClient> client(std::vector<ControllerAddress> controllers) {
    ControllerClientOptions options;
    options.controllers = std::move(controllers);
    options.hello.node_id = NodeId(101);
    options.hello.software_version = "0.1.0";
    options.backoff_min = std::chrono::milliseconds{1};
    options.backoff_max = std::chrono::milliseconds{5};
    return client(std::move(options));
  }
  std::unique_ptr<ControllerClient> client(ControllerClientOptions options) {
    return std::make_unique<ControllerClient>(*thread, *loop, std::move(options), log);
  }
  bool logged(std::string_view text) const {
    for (const MemoryLogSink::Line& line : sink->lines()) {
      if (line.message.find(text) != std::string::npos) return true;
    }
    return false;
  }

  SystemClock clock;
  std::shared_ptr<MemoryLogSink> sink = std::make_shared<MemoryLogSink>();
  Logger log{sink, "rpc"};
  std::unique_ptr<RpcThread> thread = RpcThread::start().value();
  std::unique_ptr<ShardLoop> loop = ShardLoop::make(clock).value();
};

}  // namespace millrace::rpc
