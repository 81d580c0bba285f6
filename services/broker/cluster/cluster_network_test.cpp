// The link over real sockets: what its own tests prove without a network holds with one.
#include <gtest/gtest.h>

#include <chrono>
#include <coroutine>
#include <memory>
#include <string>
#include <utility>
#include <vector>

// This one imports modules: it comes after all that includes standard headers.
#include "simulated_controller.hpp"

import millrace.runtime.shard;

namespace millrace::broker {
namespace {

using namespace std::chrono_literals;

// Gives what it is asked over the network to the controller of the test.
class Serving final : public rpc::ControllerService {
 public:
  explicit Serving(SimulatedController& controller) : controller_(controller) {}

  Task<rpc::HelloReply> on(rpc::Hello request) override { return ask(std::move(request)); }
  Task<rpc::RegisterBrokerReply> on(rpc::RegisterBroker request) override {
    return ask(std::move(request));
  }
  Task<rpc::HeartbeatReply> on(rpc::Heartbeat request) override { return ask(std::move(request)); }
  Task<rpc::FollowMetadataReply> on(rpc::FollowMetadata request) override { return ask(request); }
  Task<rpc::ForwardReply> on(rpc::Forward request) override { return ask(std::move(request)); }
  Task<rpc::AllocateProducerIdsReply> on(rpc::AllocateProducerIds request) override {
    return ask(request);
  }
  Task<rpc::DescribeQuorumReply> on(rpc::DescribeQuorum request) override { return ask(request); }
  void on(rpc::RaftMessage) override {}

 private:
  template <class Request>
  Task<typename Request::Reply> ask(Request request) {
    auto reply = co_await controller_.call(std::move(request), no_time);
    co_return std::move(*reply);
  }
  // It is never away here.
  static constexpr MonotonicTime no_time{};

  SimulatedController& controller_;
};

class ClusterNetworkTest : public testing::Test {
 protected:
  [[nodiscard]] MonotonicTime soon() const { return clock.now() + 5min; }
  std::unique_ptr<rpc::ControllerServer> serve(std::uint16_t port = 0) {
    rpc::ControllerServerOptions server;
    server.host = "127.0.0.1";
    server.port = port;
    return rpc::ControllerServer::start(*thread, *loop, service, server, log).value();
  }
  std::unique_ptr<rpc::ControllerClient> connect(std::uint16_t port) {
    rpc::ControllerClientOptions client;
    client.controllers = {{.id = rpc::NodeId(1), .host = "127.0.0.1", .port = port}};
    client.hello.node_id = rpc::NodeId(101);
    client.backoff_max = 20ms;
    return std::make_unique<rpc::ControllerClient>(*thread, *loop, client, log);
  }
  static ClusterLinkOptions options() {
    ClusterLinkOptions link;
    link.broker_id = BrokerId(101);
    link.incarnation = uuid_of(1);
    link.heartbeat_interval = 50ms;
    return link;
  }
  static Registration registration() {
    return {.cluster_id = uuid_of(7), .directories = {uuid_of(20)}};
  }

  SystemClock clock;
  std::shared_ptr<MemoryLogSink> sink = std::make_shared<MemoryLogSink>();
  Logger log{sink, "cluster"};
  std::unique_ptr<rpc::RpcThread> thread = rpc::RpcThread::start().value();
  std::unique_ptr<ShardLoop> loop = ShardLoop::make(clock).value();
  SimulatedController controller{*loop};
  Serving service{controller};
};

TEST_F(ClusterNetworkTest, a_broker_registers_follows_and_leaves) {
  auto server = serve();
  const auto client = connect(server->port());
  ClusterLink link(*loop, *client, options(), log);
  const auto run = [&]() -> Task<void> {
    EXPECT_EQ((co_await link.hello(soon())).value().cluster_id, uuid_of(7));
    EXPECT_TRUE(co_await link.register_broker(registration(), soon()));
    link.ready_to_serve();
    EXPECT_TRUE(co_await link.unfenced());
    controller.append({metadata::TopicRecord{"orders", uuid_of(30)}});
    EXPECT_TRUE(co_await link.wait_for(metadata::MetadataOffset(controller.end() - 1), soon()));
    EXPECT_NE(link.image()->topic("orders"), nullptr);
    rpc::Forward forward;
    forward.body = {std::byte{1}, std::byte{2}};
    EXPECT_EQ((co_await link.forward(forward)).value(), forward.body);
    EXPECT_EQ((co_await link.allocate_producer_ids()).value().count, 1000);
    co_await link.stop();
    EXPECT_TRUE(controller.heartbeats.back().want_shut_down);
    co_await client->stop();
    co_await server->stop();
  };
  loop->run(run());
}

TEST_F(ClusterNetworkTest, a_controller_that_comes_back_is_followed_again) {
  auto server = serve();
  const std::uint16_t port = server->port();
  const auto client = connect(port);
  ClusterLink link(*loop, *client, options(), log);
  const auto run = [&]() -> Task<void> {
    EXPECT_TRUE(co_await link.register_broker(registration(), soon()));
    link.ready_to_serve();
    EXPECT_TRUE(co_await link.unfenced());
    co_await server->stop();
    controller.append({metadata::TopicRecord{"orders", uuid_of(30)}});
    rpc::Forward forward;
    forward.timeout = 20ms;
    EXPECT_EQ((co_await link.forward(forward)).error(), ErrorCode::not_controller);
    EXPECT_FALSE(link.is_fenced()) << "it serves on";
    server = serve(port);
    EXPECT_TRUE(co_await link.wait_for(metadata::MetadataOffset(controller.end() - 1), soon()));
    EXPECT_EQ(controller.registrations.size(), 1U);
    co_await link.stop();
    co_await client->stop();
    co_await server->stop();
  };
  loop->run(run());
}

TEST_F(ClusterNetworkTest, a_registration_that_waits_for_controllers_ends_when_the_client_stops) {
  auto server = serve();
  const std::uint16_t port = server->port();
  const auto client = connect(port);
  ClusterLink link(*loop, *client, options(), log);
  TaskGroup group;
  bool has_ended = false;
  const auto enter = [&]() -> Task<void> {
    EXPECT_FALSE(co_await link.register_broker(registration(), soon()));
    has_ended = true;
  };
  const auto run = [&]() -> Task<void> {
    co_await server->stop();
    group.start(enter());
    EXPECT_FALSE(has_ended);
    co_await client->stop();
    co_await group.wait();
    co_await link.stop();
  };
  loop->run(run());
}

}  // namespace
}  // namespace millrace::broker
