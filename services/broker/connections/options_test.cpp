// What the configuration says of listeners and connections.
#include <gtest/gtest.h>

#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

import millrace.base;
import millrace.broker.connections;
import millrace.config;
import millrace.runtime.streams;
import millrace.security;

namespace millrace::broker {
namespace {

config::ServerConfig config_of(const std::string& text) {
  config::MemorySurroundings surroundings;
  surroundings.files["server.properties"] = text;
  auto loaded = config::load_server_config(
      {.file = "server.properties", .overrides = {}, .rules = {}}, surroundings);
  EXPECT_TRUE(loaded) << loaded.error().text();
  return std::move(loaded->config);
}

ListenersPlan plan_of(const std::string& text) {
  auto plan = plan_listeners(config_of(text));
  EXPECT_TRUE(plan) << plan.error().message;
  return std::move(*plan);
}

std::string problem_of(const std::string& text) {
  const auto plan = plan_listeners(config_of(text));
  return plan ? "" : plan.error().message;
}

TEST(ConnectionOptions, are_kafkas_when_nothing_is_said) {
  const ConnectionOptions options = connection_options(config_of(""));
  EXPECT_EQ(options.frame_bytes_max, 104'857'600u);
  EXPECT_EQ(options.idle_max, std::chrono::minutes(10));
}

TEST(ConnectionOptions, minus_one_keeps_idle_connections_for_ever) {
  EXPECT_EQ(connection_options(config_of("connections.max.idle.ms=-1")).idle_max, std::nullopt);
  EXPECT_EQ(connection_options(config_of("connections.max.idle.ms=9223372036854775807")).idle_max,
            std::nullopt);
  EXPECT_EQ(connection_options(config_of("connections.max.idle.ms=5")).idle_max,
            std::chrono::milliseconds(5));
}

TEST(ListenersPlan, without_a_host_means_all_interfaces) {
  const ListenersPlan plan = plan_of("listeners=PLAINTEXT://:9092");
  ASSERT_EQ(plan.listeners.size(), 1u);
  const ListenerPlan& listener = plan.listeners[0];
  EXPECT_EQ(listener.name, "PLAINTEXT");
  EXPECT_EQ(listener.protocol, security::SecurityProtocol::plaintext);
  EXPECT_EQ(listener.host, "");
  ASSERT_FALSE(listener.addresses.empty());
  EXPECT_TRUE(listener.addresses[0].host() == "::" || listener.addresses[0].host() == "0.0.0.0");
  EXPECT_FALSE(listener.advertised_host.empty());
  EXPECT_EQ(listener.advertised_port, Port(0)) << "the one that is listened at";
}

TEST(ListenersPlan, advertises_what_it_is_told) {
  const ListenersPlan plan = plan_of(
      "listeners=INSIDE://127.0.0.1:9092,OUTSIDE://127.0.0.1:9093\n"
      "advertised.listeners=INSIDE://broker.internal:19092\n"
      "inter.broker.listener.name=INSIDE\n"
      "listener.security.protocol.map=INSIDE:PLAINTEXT,OUTSIDE:PLAINTEXT\n");
  ASSERT_EQ(plan.listeners.size(), 2u);
  EXPECT_EQ(plan.listeners[0].advertised_host, "broker.internal");
  EXPECT_EQ(plan.listeners[0].advertised_port, Port(19092));
  EXPECT_EQ(plan.listeners[1].advertised_host, "127.0.0.1");
  EXPECT_EQ(plan.listeners[1].advertised_port, Port(0));
}

TEST(ListenersPlan, has_the_limits_of_connections) {
  const ListenersPlan plan = plan_of(
      "listeners=PLAINTEXT://127.0.0.1:9092\n"
      "max.connections=100\n"
      "listener.name.plaintext.max.connections=50\n"
      "max.connections.per.ip=10\n"
      "max.connections.per.ip.overrides=127.0.0.1:20\n");
  EXPECT_EQ(plan.connections_max, 100u);
  EXPECT_EQ(plan.listeners[0].connections_max, 50u);
  EXPECT_EQ(plan.connections_per_address_max, 10u);
  const SocketAddress local = address_from_string("127.0.0.1", Port(0)).value();
  ASSERT_EQ(plan.address_overrides.size(), 1u);
  EXPECT_EQ(plan.address_overrides.at(local), 20u);
}

TEST(ListenersPlan, takes_other_limits_while_the_broker_runs) {
  ListenersPlan plan = plan_of(
      "listeners=PLAINTEXT://127.0.0.1:9092\n"
      "max.connections.per.ip.overrides=localhost:20\n");
  const auto changed = change_limits(config_of("max.connections=9\n"
                                               "listener.name.plaintext.max.connections=8\n"
                                               "max.connections.per.ip=7\n"
                                               "max.connections.per.ip.overrides=192.0.2.1:6,"
                                               "localhost:5\n"),
                                     plan);
  ASSERT_TRUE(changed) << changed.error().message;
  EXPECT_EQ(plan.connections_max, 9u);
  EXPECT_EQ(plan.listeners[0].connections_max, 8u);
  EXPECT_EQ(plan.connections_per_address_max, 7u);
  EXPECT_EQ(plan.address_overrides.at(address_from_string("192.0.2.1", Port(0)).value()), 6u);
  EXPECT_EQ(plan.address_overrides.at(address_from_string("127.0.0.1", Port(0)).value()), 5u)
      << "a name that was looked up at the start";
}

TEST(ListenersPlan, keeps_its_limits_where_others_cannot_count) {
  ListenersPlan plan = plan_of("max.connections=9\n");
  const auto unknown = change_limits(
      config_of("max.connections=5\nmax.connections.per.ip.overrides=elsewhere:6\n"), plan);
  ASSERT_FALSE(unknown);
  EXPECT_NE(unknown.error().message.find("elsewhere is a name"), std::string::npos);
  const auto no_number = change_limits(
      config_of("max.connections=5\nmax.connections.per.ip.overrides=192.0.2.1:many\n"), plan);
  ASSERT_FALSE(no_number);
  EXPECT_EQ(plan.connections_max, 9u);
  EXPECT_TRUE(plan.address_overrides.empty());
}

TEST(ListenersPlan, sets_socket_buffers_only_where_that_was_asked_for) {
  const ListenersPlan silent = plan_of("listeners=PLAINTEXT://127.0.0.1:9092");
  EXPECT_EQ(silent.sockets.sockets.send_buffer_bytes, std::nullopt);
  EXPECT_EQ(silent.sockets.sockets.receive_buffer_bytes, std::nullopt);
  const ListenersPlan asked = plan_of(
      "listeners=PLAINTEXT://127.0.0.1:9092\nsocket.send.buffer.bytes=50000\n"
      "socket.receive.buffer.bytes=-1\nsocket.listen.backlog.size=7\n");
  EXPECT_EQ(asked.sockets.sockets.send_buffer_bytes, 50'000);
  EXPECT_EQ(asked.sockets.sockets.receive_buffer_bytes, std::nullopt);
  EXPECT_EQ(asked.sockets.backlog, 7);
}

TEST(ListenersPlan, a_name_without_an_address_is_named) {
  EXPECT_NE(problem_of("listeners=PLAINTEXT://no-such-host.invalid:9092")
                .find("listeners: PLAINTEXT://no-such-host.invalid:9092 cannot be listened at"),
            std::string::npos);
}

TEST(ListenersPlan, a_protocol_that_does_not_work_is_refused) {
  EXPECT_NE(problem_of("listeners=SASL_PLAINTEXT://127.0.0.1:9092\n"
                       "inter.broker.listener.name=SASL_PLAINTEXT")
                .find("security protocol SASL_PLAINTEXT is not supported yet"),
            std::string::npos);
}

TEST(ListenersPlan, a_bad_override_is_named) {
  EXPECT_NE(problem_of("max.connections.per.ip.overrides=127.0.0.1:many")
                .find("max.connections.per.ip.overrides: many is no number"),
            std::string::npos);
}

}  // namespace
}  // namespace millrace::broker
