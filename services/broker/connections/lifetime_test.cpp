// How connections end by time, by limits and with the broker. Also proves connection.cpp,
// connection_limits.cpp, listeners.cpp.
#include <gtest/gtest.h>

#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "connection_machine.hpp"

namespace millrace::broker {
namespace {

using namespace std::chrono_literals;

TEST(ConnectionLifetime, an_idle_connection_is_closed) {
  MachineOptions options;
  options.connections.idle_max = 60s;
  ConnectionMachine machine(options);
  machine.run([](ConnectionMachine& m) -> Task<void> {
    const auto stream = co_await m.connect();
    for (std::int32_t i = 0; i < 5; ++i) {
      EXPECT_TRUE(co_await send_bytes(*stream, heartbeat_bytes(i)));
      EXPECT_EQ(co_await receive_correlation(*stream), i);
      co_await sleep_until(m.executor, m.executor.clock().now() + 50s);
    }
    const MonotonicTime began = m.executor.clock().now();
    EXPECT_EQ(co_await receive_correlation(*stream), std::nullopt);
    EXPECT_NEAR(std::chrono::duration<double>(m.executor.clock().now() - began).count(), 10, 1);
  }(machine));
  EXPECT_EQ(machine.lines_with("closed: idle: no request for connections.max.idle.ms"), 1u);
  for (const auto& line : machine.sink->lines()) {
    EXPECT_LT(line.level, LogLevel::warning) << "clients come and go: " << line.message;
  }
}

TEST(ConnectionLifetime, a_connection_that_waits_for_an_answer_is_not_idle) {
  MachineOptions options;
  options.connections.idle_max = 60s;
  ConnectionMachine machine(options);
  machine.handler.delay = [](const RequestContext&) -> Duration { return 300s; };
  machine.run([](ConnectionMachine& m) -> Task<void> {
    const auto stream = co_await m.connect();
    EXPECT_TRUE(co_await send_bytes(*stream, heartbeat_bytes(1)));
    EXPECT_EQ(co_await receive_correlation(*stream), 1);
  }(machine));
}

TEST(ConnectionLifetime, a_client_that_does_not_read_is_closed) {
  MachineOptions options;
  options.connections.send_step_max = 30s;
  ConnectionMachine machine(options);
  machine.run([](ConnectionMachine& m) -> Task<void> {
    const auto healthy = co_await m.connect();
    const auto stream = co_await m.connect();
    // More answers than the network holds; in time the broker reads no more requests either.
    TaskGroup sending;
    sending.start([](ByteStream& s) -> Task<void> {
      for (std::int32_t i = 0; i < 40'000; ++i) {
        if (!co_await send_bytes(s, heartbeat_bytes(i))) co_return;
      }
      ADD_FAILURE() << "the broker took all of it";
    }(*stream));
    co_await sleep_until(m.executor, m.executor.clock().now() + 10s);
    EXPECT_TRUE(co_await send_bytes(*healthy, heartbeat_bytes(1)));
    EXPECT_EQ(co_await receive_correlation(*healthy), 1);
    EXPECT_EQ(m.open_connections(), 2u);
    co_await sending.wait();
    co_await sleep_until(m.executor, m.executor.clock().now() + 1s);
    EXPECT_EQ(m.open_connections(), 1u);
  }(machine));
  EXPECT_EQ(machine.lines_with("send_timeout: the client does not read what is sent to it"), 1u);
}

TEST(ConnectionLifetime, a_stop_answers_what_has_begun) {
  ConnectionMachine machine;
  machine.handler.delay = [](const RequestContext&) -> Duration { return 1s; };
  machine.run([](ConnectionMachine& m) -> Task<void> {
    const auto idle = co_await m.connect();
    const auto stream = co_await m.connect();
    EXPECT_TRUE(co_await send_bytes(*stream, heartbeat_bytes(1)));
    co_await sleep_until(m.executor, m.executor.clock().now() + 100ms);
    TaskGroup stopping;
    stopping.start(m.stop_listeners(5s));
    EXPECT_EQ(co_await receive_correlation(*idle), std::nullopt);
    EXPECT_EQ(m.handler.closing.size(), 2u);
    EXPECT_EQ(co_await receive_correlation(*stream), 1);
    EXPECT_EQ(co_await receive_correlation(*stream), std::nullopt);
    co_await stopping.wait();
    EXPECT_EQ(co_await m.connect(), nullptr);
  }(machine));
}

TEST(ConnectionLifetime, a_stop_waits_for_no_client_longer_than_it_is_told) {
  ConnectionMachine machine;
  machine.handler.delay = [](const RequestContext&) -> Duration { return 60s; };
  machine.run([](ConnectionMachine& m) -> Task<void> {
    const auto stream = co_await m.connect();
    EXPECT_TRUE(co_await send_bytes(*stream, heartbeat_bytes(1)));
    co_await sleep_until(m.executor, m.executor.clock().now() + 100ms);
    TaskGroup stopping;
    stopping.start(m.stop_listeners(5s));
    const MonotonicTime began = m.executor.clock().now();
    EXPECT_EQ(co_await receive_correlation(*stream), std::nullopt);
    EXPECT_LT(m.executor.clock().now() - began, 6s);
    co_await stopping.wait();
    EXPECT_EQ(m.handler.running, 0u);
  }(machine));
}

TEST(ConnectionLifetime, a_stop_ends_those_that_wait_for_memory) {
  MachineOptions options;
  options.connections.started_frame_max = 600s;
  ConnectionMachine machine(options);
  machine.run([](ConnectionMachine& m) -> Task<void> {
    const auto frame = produce_bytes(1, 100 * mebibyte - 100);
    std::vector<std::unique_ptr<ByteStream>> streams;
    TaskGroup sending;
    for (std::size_t i = 0; i < 40; ++i) {
      streams.push_back(co_await m.connect());
      sending.start([](ByteStream& s, ByteView bytes) -> Task<void> {
        static_cast<void>(co_await send_bytes(s, bytes));  // the stop cuts it off
      }(*streams.back(), ByteView(frame).first(8 * mebibyte)));
    }
    co_await sleep_until(m.executor, m.executor.clock().now() + 20s);
    co_await m.stop_listeners(5s);
    co_await sending.wait();
    EXPECT_EQ(m.open_connections(), 0u);
  }(machine));
}

TEST(ConnectionLifetime, ends_cleanly_at_any_moment) {
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    ConnectionMachine machine({.seed = seed, .shard_count = 2, .reset_chance = 0.002});
    Random random(seed);
    machine.handler.delay = [&](const RequestContext&) -> Duration {
      return std::chrono::microseconds(random.below(5000));
    };
    machine.run([](ConnectionMachine& m, Random& r) -> Task<void> {
      TaskGroup clients;
      for (std::int32_t i = 0; i < 5; ++i) {
        clients.start([](ConnectionMachine& machine_, std::size_t body) -> Task<void> {
          const auto stream = co_await machine_.connect();
          if (stream == nullptr) co_return;
          for (std::int32_t k = 0; k < 50; ++k) {
            if (!co_await send_bytes(*stream, produce_bytes(k, body))) co_return;
            if (k % 3 == 0 && !co_await receive_correlation(*stream)) co_return;
          }
        }(m, r.below(100'000)));
      }
      co_await sleep_until(m.executor,
                           m.executor.clock().now() + std::chrono::microseconds(r.below(50'000)));
      co_await m.stop_listeners(std::chrono::milliseconds(r.below(20)));
      co_await clients.wait();
    }(machine, random));
  }
}

TEST(ConnectionLimits, a_connection_above_max_connections_is_closed_at_once) {
  ConnectionMachine machine({.connections_max = 2});
  machine.run([](ConnectionMachine& m) -> Task<void> {
    auto first = co_await m.connect();
    const auto second = co_await m.connect();
    const auto third = co_await m.connect();
    EXPECT_EQ(co_await receive_correlation(*third), std::nullopt);
    first->close();
    co_await sleep_until(m.executor, m.executor.clock().now() + 1s);
    const auto fourth = co_await m.connect();
    EXPECT_TRUE(co_await send_bytes(*fourth, heartbeat_bytes(4)));
    EXPECT_EQ(co_await receive_correlation(*fourth), 4);
  }(machine));
  EXPECT_EQ(machine.lines_with("on PLAINTEXT refused: max.connections is reached"), 1u);
}

TEST(ConnectionLimits, a_connection_above_max_connections_per_ip_is_closed_at_once) {
  ConnectionMachine machine({.connections_per_address_max = 1});
  machine.run([](ConnectionMachine& m) -> Task<void> {
    const auto first = co_await m.connect();
    const auto second = co_await m.connect();
    EXPECT_EQ(co_await receive_correlation(*second), std::nullopt);
    EXPECT_TRUE(co_await send_bytes(*first, heartbeat_bytes(1)));
    EXPECT_EQ(co_await receive_correlation(*first), 1);
  }(machine));
  EXPECT_EQ(machine.lines_with("refused: max.connections.per.ip is reached"), 1u);
}

TEST(ConnectionLimits, connections_that_come_too_fast_wait_and_are_not_refused) {
  ConnectionMachine machine({.connections_per_second_max = 2});
  machine.run([](ConnectionMachine& m) -> Task<void> {
    const MonotonicTime begun = m.executor.clock().now();
    std::vector<std::unique_ptr<ByteStream>> streams;
    for (std::int32_t i = 0; i < 5; ++i) {
      streams.push_back(co_await m.connect());
      EXPECT_TRUE(co_await send_bytes(*streams.back(), heartbeat_bytes(i)));
      EXPECT_EQ(co_await receive_correlation(*streams.back()), i);
      const Duration passed = m.executor.clock().now() - begun;
      // Two at once, and then one in half a second.
      EXPECT_GE(passed, 500ms * std::max(0, i - 1)) << "connection " << i;
      EXPECT_LT(passed, 500ms * std::max(1, i)) << "connection " << i;
    }
  }(machine));
  EXPECT_GE(machine.lines_with("PLAINTEXT makes connections wait"), 1u);
}

TEST(ConnectionLimits, count_by_broker_listener_and_address) {
  const auto at = [](const char* host, std::uint16_t port) {
    return address_from_string(host, Port(port)).value();
  };
  ListenersPlan plan;
  plan.connections_max = 4;
  plan.connections_per_address_max = 2;
  plan.address_overrides[host_of(at("10.0.0.9", 0))] = 3;
  plan.listeners.resize(2);
  plan.listeners[0].connections_max = 3;
  plan.listeners[1].connections_max = 10;
  ConnectionLimits limits(plan);
  EXPECT_EQ(limits.take(0, at("10.0.0.1", 1)), ConnectionLimit::none);
  EXPECT_EQ(limits.take(0, at("10.0.0.1", 2)), ConnectionLimit::none);
  EXPECT_EQ(limits.take(0, at("10.0.0.1", 3)), ConnectionLimit::address);
  EXPECT_EQ(limits.take(0, at("10.0.0.9", 1)), ConnectionLimit::none);
  EXPECT_EQ(limits.take(0, at("10.0.0.9", 2)), ConnectionLimit::listener);
  EXPECT_EQ(limits.take(1, at("10.0.0.9", 2)), ConnectionLimit::none);
  EXPECT_EQ(limits.take(1, at("10.0.0.9", 3)), ConnectionLimit::broker);
  limits.give_back(0, at("10.0.0.1", 2));
  EXPECT_EQ(limits.take(1, at("10.0.0.9", 3)), ConnectionLimit::none);
  limits.give_back(1, at("10.0.0.9", 3));
  EXPECT_EQ(limits.total(), 3u);
  EXPECT_EQ(limits.take(1, at("10.0.0.1", 4)), ConnectionLimit::none);
}

TEST(ConnectionLimits, that_change_count_for_those_who_come_then) {
  const auto at = [](std::uint16_t port) {
    return address_from_string("10.0.0.1", Port(port)).value();
  };
  ListenersPlan plan;
  plan.connections_max = plan.connections_per_address_max = 10;
  plan.listeners.resize(1);
  plan.listeners[0].connections_max = 10;
  ConnectionLimits limits(plan);
  for (std::uint16_t port = 1; port <= 3; ++port) {
    EXPECT_EQ(limits.take(0, at(port)), ConnectionLimit::none);
  }
  plan.connections_per_address_max = 2;
  limits.set(plan);
  EXPECT_EQ(limits.total(), 3u) << "those who are here stay";
  EXPECT_EQ(limits.take(0, at(4)), ConnectionLimit::address);
  limits.give_back(0, at(1));
  EXPECT_EQ(limits.take(0, at(4)), ConnectionLimit::address);
  plan.address_overrides[host_of(at(0))] = 3;
  limits.set(plan);
  EXPECT_EQ(limits.take(0, at(4)), ConnectionLimit::none);
  plan.connections_max = 3;
  plan.address_overrides.clear();
  limits.set(plan);
  EXPECT_EQ(limits.take(0, at(5)), ConnectionLimit::broker);
}

}  // namespace
}  // namespace millrace::broker
