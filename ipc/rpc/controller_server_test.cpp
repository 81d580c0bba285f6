// Also proves sockets.cpp.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include "kj.hpp"

#include <array>
#include <chrono>
#include <coroutine>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

// This one imports modules: it comes after all that includes standard headers.
#include "stranger_machine.hpp"

namespace millrace::rpc {
namespace {

using testing::HasSubstr;

using ControllerServerTest = StrangerMachine;

TEST_F(ControllerServerTest, an_address_in_use_is_a_clear_error) {
  FakeController controller(1);
  const auto server = serve(controller);
  ControllerServerOptions options;
  options.host = "127.0.0.1";
  options.port = server->port();
  const auto second = ControllerServer::start(*thread, *loop, controller, options, log);
  ASSERT_FALSE(second);
  EXPECT_THAT(second.error().message, HasSubstr("cannot listen on 127.0.0.1 port"));
  EXPECT_THAT(second.error().message, HasSubstr("Address already in use"));
  loop->run(server->stop());
}

TEST_F(ControllerServerTest, a_host_that_is_not_of_this_machine_is_a_clear_error) {
  FakeController controller(1);
  ControllerServerOptions options;
  options.host = "192.0.2.1";
  const auto server = ControllerServer::start(*thread, *loop, controller, options, log);
  ASSERT_FALSE(server);
  EXPECT_THAT(server.error().message, HasSubstr("Cannot assign requested address"));
}

TEST_F(ControllerServerTest, refuses_another_major_version_with_a_sentence) {
  FakeController controller(1);
  const auto server = serve(controller);
  ControllerClientOptions options;
  options.controllers = {at(controller, *server)};
  options.hello.node_id = NodeId(101);
  options.hello.rpc_version = {.major = version_major + 1, .minor = 0};
  const auto calls = client(options);
  const auto run = [&]() -> Task<void> {
    const auto reply = co_await calls->call(Heartbeat{}, soon());
    EXPECT_EQ(reply.error().fault, RpcFault::refused);
    EXPECT_THAT(reply.error().message, HasSubstr("the broker 101 speaks 2.0"));
    EXPECT_TRUE(controller.hellos.empty());
    EXPECT_TRUE(controller.heartbeats.empty());
    co_await calls->stop();
    co_await server->stop();
  };
  loop->run(run());
}

TEST_F(ControllerServerTest, takes_another_minor_version) {
  FakeController controller(1);
  const auto server = serve(controller);
  ControllerClientOptions options;
  options.controllers = {at(controller, *server)};
  options.hello.rpc_version = {.major = version_major, .minor = version_minor + 1};
  const auto calls = client(options);
  const auto run = [&]() -> Task<void> {
    EXPECT_TRUE(co_await calls->call(Heartbeat{}, soon()));
    co_await calls->stop();
    co_await server->stop();
  };
  loop->run(run());
}

TEST_F(ControllerServerTest, an_answer_over_the_limit_is_an_error_and_harms_no_other_call) {
  FakeController controller(1);
  controller.echoes = false;
  controller.forwarded.body.resize(message_bytes_max + 1);
  const auto server = serve(controller);
  const auto calls = client({at(controller, *server)});
  const auto run = [&]() -> Task<void> {
    const auto reply = co_await calls->call(Forward{}, soon());
    EXPECT_EQ(reply.error().fault, RpcFault::refused);
    EXPECT_THAT(reply.error().message, HasSubstr("is over the limit"));
    EXPECT_TRUE(co_await calls->call(Heartbeat{}, soon()));
    co_await calls->stop();
    co_await server->stop();
  };
  loop->run(run());
}

TEST_F(ControllerServerTest, a_client_that_goes_away_cancels_nothing) {
  FakeController controller(1);
  Gate gate(*loop);
  bool has_ended = false;
  controller.before_heartbeat = [&]() -> Task<void> {
    co_await gate.pass();
    has_ended = true;
  };
  const auto server = serve(controller);
  const auto calls = client({at(controller, *server)});
  TaskGroup group;
  const auto ask = [&]() -> Task<void> { EXPECT_FALSE(co_await calls->call(Heartbeat{}, soon())); };
  const auto run = [&]() -> Task<void> {
    group.start(ask());
    co_await until([&] { return gate.waiting == 1; });
    co_await calls->stop();
    co_await group.wait();
    EXPECT_FALSE(has_ended);
    gate.open();
    co_await server->stop();
    EXPECT_TRUE(has_ended);
  };
  loop->run(run());
}

TEST_F(ControllerServerTest, more_calls_at_once_than_allowed_are_refused) {
  FakeController controller(1);
  Gate gate(*loop);
  controller.before_heartbeat = [&] { return gate.pass(); };
  ControllerServerOptions limited;
  limited.calls_per_connection_max = 2;
  const auto server = serve(controller, limited);
  const auto calls = client({at(controller, *server)});
  TaskGroup group;
  const auto ask = [&]() -> Task<void> { EXPECT_TRUE(co_await calls->call(Heartbeat{}, soon())); };
  const auto run = [&]() -> Task<void> {
    group.start(ask());
    group.start(ask());
    co_await until([&] { return gate.waiting == 2; });
    const auto third = co_await calls->call(Heartbeat{}, soon());
    EXPECT_EQ(third.error().fault, RpcFault::unavailable);
    EXPECT_THAT(third.error().message, HasSubstr("too many calls"));
    gate.open();
    co_await group.wait();
    EXPECT_TRUE(co_await calls->call(Heartbeat{}, soon()));
    co_await calls->stop();
    co_await server->stop();
  };
  loop->run(run());
}

TEST_F(ControllerServerTest, connections_over_the_limit_are_closed) {
  FakeController controller(1);
  ControllerServerOptions limited;
  limited.connections_max = 1;
  const auto server = serve(controller, limited);
  const auto calls = client({at(controller, *server)});
  const auto run = [&]() -> Task<void> {
    EXPECT_TRUE(co_await calls->call(Heartbeat{}, soon()));
    const RawPeer second(server->port());
    co_await until([&] { return second.is_closed(); });
    EXPECT_TRUE(co_await calls->call(Heartbeat{}, soon()));
    co_await calls->stop();
    // The place is free again.
    const auto next = client({at(controller, *server)});
    EXPECT_TRUE(co_await next->call(Heartbeat{}, soon()));
    co_await next->stop();
    co_await server->stop();
  };
  loop->run(run());
}

TEST_F(ControllerServerTest, a_peer_that_does_not_say_hello_is_closed) {
  FakeController controller(1);
  ControllerServerOptions options;
  options.hello_timeout = std::chrono::milliseconds{20};
  const auto server = serve(controller, options);
  const auto run = [&]() -> Task<void> {
    const RawPeer silent(server->port());
    co_await until([&] { return silent.is_closed(); });
    co_await server->stop();
  };
  loop->run(run());
  EXPECT_TRUE(logged("it did not say hello"));
}

TEST_F(ControllerServerTest, garbage_harms_nobody_else) {
  FakeController controller(1);
  const auto server = serve(controller);
  const auto calls = client({at(controller, *server)});
  Random random(20'261'121);
  const auto run = [&]() -> Task<void> {
    EXPECT_TRUE(co_await calls->call(Heartbeat{}, soon()));
    for (int round = 0; round < 200; ++round) {
      const RawPeer peer(server->port());
      std::vector<std::uint8_t> bytes(random.below(600));
      for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(random.next());
      // Every other one begins like a message of one segment of a few words.
      if (round % 2 == 0 && bytes.size() >= 8) {
        const std::array<std::uint8_t, 8> header = {
            0, 0, 0, 0, static_cast<std::uint8_t>(random.below(64)), 0, 0, 0};
        std::memcpy(bytes.data(), header.data(), header.size());
      }
      peer.write(bytes);
      if (round % 10 == 0) EXPECT_TRUE(co_await calls->call(Heartbeat{}, soon()));
    }
    EXPECT_TRUE(co_await calls->call(Heartbeat{}, soon()));
    EXPECT_EQ(controller.hellos.size(), 1U) << "the healthy client kept its connection";
    co_await calls->stop();
    co_await server->stop();
  };
  loop->run(run());
}

TEST_F(ControllerServerTest, changed_bytes_of_real_calls_harm_nobody_else) {
  FakeController controller(1);
  const auto server = serve(controller);
  const auto calls = client({at(controller, *server)});
  Random random(5);
  const auto run = [&]() -> Task<void> {
    EXPECT_TRUE(co_await calls->call(Heartbeat{}, soon()));
    for (int round = 0; round < 300; ++round) {
      const RawPeer peer(server->port());
      for (std::vector<std::uint8_t> message : {bootstrap(), call_hello(1), call_forward(2, 100)}) {
        // Up to three bytes in each, the first ones more often: they say how long things are.
        for (std::uint64_t changes = random.below(4); changes > 0; --changes) {
          const std::size_t limit = random.chance(0.3) ? 16 : message.size();
          message[random.below(limit)] = static_cast<std::uint8_t>(random.next());
        }
        if (!peer.write(message)) break;
      }
      if (round % 10 == 0) EXPECT_TRUE(co_await calls->call(Heartbeat{}, soon()));
    }
    EXPECT_TRUE(co_await calls->call(Heartbeat{}, soon()));
    EXPECT_EQ(controller.heartbeats.size(), 32U) << "the healthy client's calls, and no other";
    co_await calls->stop();
    co_await server->stop();
  };
  loop->run(run());
}

TEST_F(ControllerServerTest, a_call_before_hello_is_not_given_to_the_service) {
  FakeController controller(1);
  ControllerServerOptions options;
  options.hello_timeout = std::chrono::milliseconds{50};
  const auto server = serve(controller, options);
  const auto run = [&]() -> Task<void> {
    const RawPeer peer(server->port());
    EXPECT_TRUE(peer.write(bootstrap()));
    EXPECT_TRUE(peer.write(call_forward(1, 10)));
    co_await until([&] { return peer.is_closed(); });
    EXPECT_TRUE(controller.forwards.empty());
    co_await server->stop();
  };
  loop->run(run());
}

TEST_F(ControllerServerTest,
       a_peer_that_says_hello_again_and_again_takes_no_more_memory_each_time) {
  FakeController controller(1);
  ControllerServerOptions options;
  options.calls_per_connection_max = 1;
  const auto server = serve(controller, options);
  const auto run = [&]() -> Task<void> {
    const RawPeer peer(server->port());
    EXPECT_TRUE(peer.write(bootstrap()));
    for (std::uint32_t i = 1; i <= 100; ++i) {
      EXPECT_TRUE(peer.write(call_hello(i)));
      co_await until([&] { return controller.hellos.size() == i; });
    }
    // What is refused now is logged with the peer's name.
    EXPECT_TRUE(peer.write(call_forward(101, 10)));
    EXPECT_TRUE(peer.write(call_forward(102, 10)));
    EXPECT_TRUE(peer.write(call_forward(103, 10)));
    co_await until([&] { return !controller.forwards.empty(); });
    co_await server->stop();
    for (const MemoryLogSink::Line& line : sink->lines()) {
      EXPECT_LT(line.message.size(), 100U) << line.message;
    }
  };
  loop->run(run());
}

TEST_F(ControllerServerTest, a_message_that_claims_more_than_the_limit_is_closed_at_once) {
  FakeController controller(1);
  ControllerServerOptions options;
  options.hello_timeout = std::chrono::hours{1};
  const auto server = serve(controller, options);
  const auto run = [&]() -> Task<void> {
    const RawPeer peer(server->port());
    // One segment of 2^29 words.
    EXPECT_TRUE(peer.write(std::vector<std::uint8_t>{0, 0, 0, 0, 0, 0, 0, 0x20}));
    co_await until([&] { return peer.is_closed(); });
    co_await server->stop();
  };
  loop->run(run());
}

}  // namespace
}  // namespace millrace::rpc
