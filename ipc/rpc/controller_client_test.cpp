// Also proves session.cpp.
#include <gtest/gtest.h>

#include <chrono>
#include <coroutine>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

// This one imports modules: it comes after all that includes standard headers.
#include "rpc_machine.hpp"

namespace millrace::rpc {
namespace {

using namespace std::chrono_literals;

using ControllerClientTest = RpcMachine;

TEST_F(ControllerClientTest, every_call_reaches_the_service_and_brings_its_reply) {
  FakeController controller(1);
  controller.registered.epoch = BrokerEpoch(42);
  controller.heartbeat.is_fenced = false;
  controller.followed.through = MetadataOffset(9);
  controller.quorum.high_watermark = 77;
  const auto server = serve(controller);
  const auto calls = client({at(controller, *server)});
  const auto run = [&]() -> Task<void> {
    const auto hello = co_await calls->call(Hello{.node_id = NodeId(101)}, soon());
    EXPECT_EQ(hello.value(), controller.hello);
    RegisterBroker registration{.broker_id = BrokerId(101), .incarnation = uuid_of(3)};
    const auto registered = co_await calls->call(registration, soon());
    EXPECT_EQ(registered.value().epoch, BrokerEpoch(42));
    EXPECT_EQ(controller.registrations.at(0), registration);
    const auto heartbeat = co_await calls->call(Heartbeat{.broker_id = BrokerId(101)}, soon());
    EXPECT_FALSE(heartbeat.value().is_fenced);
    const auto followed = co_await calls->call(FollowMetadata{}, soon());
    EXPECT_EQ(followed.value().through, MetadataOffset(9));
    const auto forwarded = co_await calls->call(Forward{.body = bytes_of_text("topic")}, soon());
    EXPECT_EQ(forwarded.value().body, bytes_of_text("topic"));
    const auto block = co_await calls->call(AllocateProducerIds{}, soon());
    EXPECT_EQ(block.value().count, 1000);
    const auto quorum = co_await calls->call(DescribeQuorum{}, soon());
    EXPECT_EQ(quorum.value().high_watermark, 77);
    co_await calls->stop();
    co_await server->stop();
  };
  loop->run(run());
}

TEST_F(ControllerClientTest, says_who_it_is_before_anything_else) {
  FakeController controller(1);
  const auto server = serve(controller);
  const auto calls = client({at(controller, *server)});
  const auto run = [&]() -> Task<void> {
    EXPECT_TRUE(co_await calls->call(Heartbeat{}, soon()));
    EXPECT_EQ(controller.hellos.at(0).node_id, NodeId(101));
    EXPECT_EQ(controller.hellos.at(0).rpc_version, Version{});
    co_await calls->stop();
    co_await server->stop();
  };
  loop->run(run());
}

TEST_F(ControllerClientTest, follows_the_hint_to_the_controller_that_leads) {
  FakeController follower(1);
  FakeController leader(2);
  const auto follower_server = serve(follower);
  const auto leader_server = serve(leader);
  follower.hello.leader_id = NodeId(2);
  follower.hello.leader = at(leader, *leader_server);
  const auto calls = client({at(follower, *follower_server)});
  const auto run = [&]() -> Task<void> {
    EXPECT_TRUE(co_await calls->call(Heartbeat{}, soon()));
    EXPECT_TRUE(follower.heartbeats.empty());
    EXPECT_EQ(leader.heartbeats.size(), 1U);
    co_await calls->stop();
    co_await follower_server->stop();
    co_await leader_server->stop();
  };
  loop->run(run());
}

TEST_F(ControllerClientTest, asks_the_new_leader_when_the_old_one_steps_down) {
  FakeController first(1);
  FakeController second(2);
  const auto first_server = serve(first);
  const auto second_server = serve(second);
  second.hello.leader_id = NodeId(1);
  const auto calls = client({at(first, *first_server), at(second, *second_server)});
  const auto run = [&]() -> Task<void> {
    EXPECT_TRUE(co_await calls->call(Heartbeat{}, soon()));
    EXPECT_EQ(first.heartbeats.size(), 1U);
    first.hello.leader_id = NodeId(2);
    first.heartbeat.error = ErrorCode::not_controller;
    second.hello.leader_id = NodeId(2);
    const auto reply = co_await calls->call(Heartbeat{}, soon());
    EXPECT_EQ(reply.value().error, ErrorCode::none);
    EXPECT_EQ(first.heartbeats.size(), 2U);
    EXPECT_EQ(second.heartbeats.size(), 1U);
    co_await calls->stop();
    co_await first_server->stop();
    co_await second_server->stop();
  };
  loop->run(run());
}

TEST_F(ControllerClientTest, waits_for_a_leader_to_be_elected) {
  FakeController controller(1);
  controller.hello.leader_id = no_node;
  const auto server = serve(controller);
  const auto calls = client({at(controller, *server)});
  std::optional<RpcResult<HeartbeatReply>> reply;
  TaskGroup group;
  const auto ask = [&]() -> Task<void> { reply = co_await calls->call(Heartbeat{}, soon()); };
  const auto run = [&]() -> Task<void> {
    group.start(ask());
    co_await until([&] { return controller.hellos.size() >= 3; });
    EXPECT_FALSE(reply);
    controller.hello.leader_id = NodeId(1);
    co_await group.wait();
    EXPECT_TRUE(reply && *reply);
    co_await calls->stop();
    co_await server->stop();
  };
  loop->run(run());
}

TEST_F(ControllerClientTest, a_call_that_nobody_took_in_time_is_unavailable) {
  FakeController controller(1);
  auto server = serve(controller);
  const ControllerAddress address = at(controller, *server);
  const auto calls = client({address});
  const auto run = [&]() -> Task<void> {
    co_await server->stop();
    const auto reply = co_await calls->call(Heartbeat{}, in(20ms));
    EXPECT_EQ(reply.error().fault, RpcFault::unavailable) << reply.error().message;
    co_await calls->stop();
  };
  loop->run(run());
}

TEST_F(ControllerClientTest, a_call_that_was_not_answered_in_time_is_timed_out) {
  FakeController controller(1);
  Gate gate(*loop);
  controller.before_heartbeat = [&] { return gate.pass(); };
  const auto server = serve(controller);
  const auto calls = client({at(controller, *server)});
  const auto run = [&]() -> Task<void> {
    EXPECT_TRUE(co_await calls->call(DescribeQuorum{}, soon()));
    const auto reply = co_await calls->call(Heartbeat{}, in(20ms));
    EXPECT_EQ(reply.error().fault, RpcFault::timed_out) << reply.error().message;
    // The connection is as good as before.
    EXPECT_TRUE(co_await calls->call(DescribeQuorum{}, soon()));
    gate.open();
    co_await calls->stop();
    co_await server->stop();
  };
  loop->run(run());
}

TEST_F(ControllerClientTest, gives_up_a_connection_on_which_nothing_is_answered) {
  FakeController controller(1);
  Gate gate(*loop);
  controller.before_heartbeat = [&] { return gate.pass(); };
  const auto server = serve(controller);
  const auto calls = client({at(controller, *server)});
  const auto run = [&]() -> Task<void> {
    EXPECT_TRUE(co_await calls->call(DescribeQuorum{}, soon()));
    for (std::size_t i = 0; i < silent_calls_max; ++i) {
      EXPECT_FALSE(co_await calls->call(Heartbeat{}, in(20ms)));
    }
    EXPECT_TRUE(co_await calls->call(DescribeQuorum{}, soon()));
    EXPECT_EQ(controller.hellos.size(), 2U);
    gate.open();
    co_await calls->stop();
    co_await server->stop();
  };
  loop->run(run());
}

TEST_F(ControllerClientTest,
       a_call_on_a_connection_that_breaks_is_broken_and_the_next_one_is_served) {
  FakeController controller(1);
  Gate gate(*loop);
  controller.before_heartbeat = [&] { return gate.pass(); };
  auto server = serve(controller);
  const ControllerAddress address = at(controller, *server);
  const auto calls = client({address});
  std::optional<RpcResult<HeartbeatReply>> reply;
  TaskGroup group;
  const auto ask = [&]() -> Task<void> { reply = co_await calls->call(Heartbeat{}, soon()); };
  const auto stop = [&]() -> Task<void> { co_await server->stop(); };
  const auto run = [&]() -> Task<void> {
    group.start(ask());
    co_await until([&] { return gate.waiting == 1; });
    group.start(stop());
    co_await until([&] { return reply.has_value(); });
    EXPECT_EQ(reply->error().fault, RpcFault::broken) << reply->error().message;
    gate.open();
    co_await group.wait();
    ControllerServerOptions options;
    options.port = address.port;
    server = serve(controller, options);
    EXPECT_TRUE(co_await calls->call(Heartbeat{}, soon()));
    co_await calls->stop();
    co_await server->stop();
  };
  loop->run(run());
}

TEST_F(ControllerClientTest, stopping_ends_the_calls_that_wait_and_those_that_come) {
  FakeController controller(1);
  Gate gate(*loop);
  controller.before_heartbeat = [&] { return gate.pass(); };
  const auto server = serve(controller);
  const auto calls = client({at(controller, *server)});
  std::vector<RpcFault> faults;
  TaskGroup group;
  const auto ask = [&]() -> Task<void> {
    const auto reply = co_await calls->call(Heartbeat{}, soon());
    faults.push_back(reply.error().fault);
  };
  const auto run = [&]() -> Task<void> {
    // More than may be sent at once.
    for (std::size_t i = 0; i < client_calls_max + 3; ++i) group.start(ask());
    co_await until([&] { return gate.waiting == static_cast<int>(client_calls_max); });
    co_await calls->stop();
    co_await group.wait();
    EXPECT_EQ(faults, std::vector<RpcFault>(client_calls_max + 3, RpcFault::closed));
    const auto late = co_await calls->call(Heartbeat{}, soon());
    EXPECT_EQ(late.error().fault, RpcFault::closed);
    gate.open();
    co_await server->stop();
  };
  loop->run(run());
}

TEST_F(ControllerClientTest, sends_a_limited_number_of_calls_at_once_and_all_of_them_in_the_end) {
  FakeController controller(1);
  Gate gate(*loop);
  controller.before_heartbeat = [&] { return gate.pass(); };
  const auto server = serve(controller);
  const auto calls = client({at(controller, *server)});
  std::size_t answered = 0;
  TaskGroup group;
  const auto ask = [&]() -> Task<void> {
    if (co_await calls->call(Heartbeat{}, soon())) ++answered;
  };
  const auto run = [&]() -> Task<void> {
    constexpr std::size_t count = 4 * client_calls_max;
    for (std::size_t i = 0; i < count; ++i) group.start(ask());
    co_await until([&] { return gate.waiting == static_cast<int>(client_calls_max); });
    EXPECT_EQ(controller.heartbeats.size(), client_calls_max);
    gate.open();
    co_await group.wait();
    EXPECT_EQ(answered, count);
    co_await calls->stop();
    co_await server->stop();
  };
  loop->run(run());
}

TEST_F(ControllerClientTest, one_call_too_many_is_refused_at_once) {
  FakeController controller(1);
  controller.hello.leader_id = no_node;
  const auto server = serve(controller);
  ControllerClientOptions options;
  options.controllers = {at(controller, *server)};
  options.waiting_max = 2;
  const auto calls = client(options);
  TaskGroup group;
  const auto ask = [&]() -> Task<void> { EXPECT_FALSE(co_await calls->call(Heartbeat{}, soon())); };
  const auto run = [&]() -> Task<void> {
    group.start(ask());
    group.start(ask());
    const auto third = co_await calls->call(Heartbeat{}, soon());
    EXPECT_EQ(third.error().fault, RpcFault::unavailable);
    co_await calls->stop();
    co_await group.wait();
    co_await server->stop();
  };
  loop->run(run());
}

TEST_F(ControllerClientTest, a_request_over_the_limit_is_not_sent) {
  FakeController controller(1);
  const auto server = serve(controller);
  const auto calls = client({at(controller, *server)});
  const auto run = [&]() -> Task<void> {
    Forward forward;
    forward.body.resize(message_bytes_max);
    const auto fits = co_await calls->call(forward, soon());
    EXPECT_EQ(fits.value().body.size(), message_bytes_max);
    forward.body.resize(message_bytes_max + 1);
    const auto reply = co_await calls->call(forward, soon());
    EXPECT_EQ(reply.error().fault, RpcFault::too_large);
    EXPECT_EQ(controller.forwards.size(), 1U);
    co_await calls->stop();
    co_await server->stop();
  };
  loop->run(run());
}

TEST_F(ControllerClientTest, raft_messages_arrive_in_order) {
  FakeController controller(2);
  controller.hello.leader_id = NodeId(1);
  const auto server = serve(controller);
  ControllerClientOptions options;
  options.controllers = {at(controller, *server)};
  options.hello = {.node_id = NodeId(1), .kind = NodeKind::controller};
  options.follow_leader = false;
  const auto calls = client(options);
  const auto run = [&]() -> Task<void> {
    EXPECT_TRUE(co_await calls->call(DescribeQuorum{}, soon()));
    for (int i = 0; i < 8; ++i) {
      calls->send({.from = NodeId(1), .to = NodeId(2), .bytes = bytes_of_text(std::to_string(i))});
    }
    co_await until([&] { return controller.raft.size() == 8; });
    for (int i = 0; i < 8; ++i) {
      EXPECT_EQ(controller.raft.at(static_cast<std::size_t>(i)).bytes,
                bytes_of_text(std::to_string(i)));
    }
    co_await calls->stop();
    co_await server->stop();
  };
  loop->run(run());
}

TEST_F(ControllerClientTest, raft_messages_without_a_connection_are_dropped) {
  FakeController controller(2);
  const auto server = serve(controller);
  ControllerAddress address = at(controller, *server);
  const auto run = [&]() -> Task<void> {
    co_await server->stop();
    const auto calls = client({address});
    for (int i = 0; i < 1000; ++i) calls->send({.bytes = bytes_of_text("lost")});
    co_await calls->stop();
    EXPECT_TRUE(controller.raft.empty());
  };
  loop->run(run());
}

}  // namespace
}  // namespace millrace::rpc
