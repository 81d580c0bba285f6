// Which broker is asked when any may answer, how all of it ends, and chaos.
// Also proves brokers.cpp, brokers.cppm.
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

#include "scripted_broker.hpp"

import millrace.client.core;
import millrace.protocol;

namespace millrace::client {
namespace {

using namespace std::chrono_literals;
using protocol::ApiKey;
using protocol::HeartbeatRequest;
using protocol::HeartbeatResponse;

constexpr BrokerId one{1};

Reaction friendly(const Heard& heard) {
  if (heard.api == ApiKey::api_versions) return say_versions(heard);
  return answer(heard, HeartbeatResponse{});
}

Task<ClientResult<BrokerId>> ask_any(Brokers& brokers, CallOptions options = {}) {
  HeartbeatRequest request;
  request.group_id = "g";
  const auto reply = co_await brokers.call_any(request, options);
  if (!reply) co_return failure(reply.error());
  co_return reply->broker;
}
Task<ClientResult<BrokerId>> ask(Brokers& brokers, BrokerId broker, CallOptions options = {}) {
  HeartbeatRequest request;
  request.group_id = "g";
  const auto reply = co_await brokers.call(broker, request, options);
  if (!reply) co_return failure(reply.error());
  co_return reply->broker;
}

void start_unknown(BrokersMachine& machine) {
  machine.brokers.emplace(machine.executor, machine.network, machine.resolver, machine.settings,
                          Logger(machine.log, "test"), Random(3));
}

TEST(BrokersChoice, goes_on_to_the_next_bootstrap_server_when_one_cannot_be_reached) {
  for (std::uint64_t seed = 0; seed < 8; ++seed) {
    BrokersMachine machine(seed);
    machine.settings.bootstrap = {
        {"no-such-host", Port(1)}, {"127.0.0.1", Port(9092)}, {"127.0.0.2", Port(9093)}};
    machine.start_second();
    machine.second->react = friendly;
    start_unknown(machine);
    const auto answered = machine.run(ask_any(*machine.brokers));
    ASSERT_TRUE(answered.has_value()) << to_string(answered.error());
    EXPECT_EQ(*answered, BrokerId(first_bootstrap_id - 2));
  }
}

TEST(BrokersChoice, says_why_the_last_one_failed_when_none_can_be_reached) {
  BrokersMachine machine;
  machine.settings.bootstrap = {{"no-such-host", Port(1)}};
  start_unknown(machine);
  const auto answered = machine.run(ask_any(*machine.brokers));
  ASSERT_FALSE(answered.has_value());
  EXPECT_EQ(answered.error().failure, Failure::unresolved_address);
  EXPECT_NE(answered.error().message.find("no-such-host"), std::string::npos);
  machine.brokers.emplace(machine.executor, machine.network, machine.resolver, CommonSettings{},
                          Logger(machine.log, "test"));
  const auto none = machine.run(ask_any(*machine.brokers));
  EXPECT_EQ(none.error().failure, Failure::unknown_broker);
}

TEST(BrokersChoice, asks_the_clusters_brokers_once_they_are_known_and_the_least_busy_first) {
  BrokersMachine machine;
  machine.start_broker();
  machine.broker->react = friendly;
  machine.start_second();
  machine.second->react = friendly;
  machine.settings.bootstrap = {{"no-such-host", Port(1)}};
  start_unknown(machine);
  const std::vector<BrokerEndpoint> known = {{one, {"127.0.0.1", Port(9092)}},
                                             {BrokerId(2), {"127.0.0.2", Port(9093)}}};
  machine.brokers->update(known);
  // Broker 1 has a connection, and something to do.
  machine.broker->react = [](const Heard& heard) {
    return heard.api == ApiKey::api_versions ? say_versions(heard) : Reaction{};
  };
  TaskGroup group;
  const auto hang = [&]() -> Task<void> {
    const auto late = co_await ask(*machine.brokers, one, {.timeout = 20s});
    EXPECT_FALSE(late.has_value());
  };
  group.start(hang());
  EXPECT_EQ(*machine.run(ask(*machine.brokers, BrokerId(2))), BrokerId(2));
  for (int i = 0; i < 5; ++i) EXPECT_EQ(*machine.run(ask_any(*machine.brokers)), BrokerId(2));
  const auto wait = [](TaskGroup& waited) -> Task<void> { co_await waited.wait(); };
  machine.run(wait(group));
}

TEST(BrokersChoice, comes_back_to_the_bootstrap_servers_when_the_cluster_cannot_be_reached) {
  for (const auto recovery : {RecoveryStrategy::rebootstrap, RecoveryStrategy::none}) {
    BrokersMachine machine;
    machine.settings.recovery = recovery;
    machine.settings.bootstrap = {{"127.0.0.2", Port(9093)}};
    machine.start_second();
    machine.second->react = friendly;
    machine.start();  // broker 1 is known, and nobody listens there
    const auto answered = machine.run(ask_any(*machine.brokers));
    EXPECT_EQ(answered.has_value(), recovery == RecoveryStrategy::rebootstrap);
    machine.brokers->rebootstrap();
    EXPECT_TRUE(machine.run(ask_any(*machine.brokers)).has_value());
  }
}

TEST(BrokersChoice, tries_every_address_of_a_name) {
  BrokersMachine machine;
  machine.start_second();
  machine.second->react = friendly;
  machine.resolver.set("kafka.example", {test_address(9, 0), test_address(2, 0)});
  machine.settings.bootstrap = {{"kafka.example", Port(9093)}};
  start_unknown(machine);
  EXPECT_TRUE(machine.run(ask_any(*machine.brokers)).has_value());
}

TEST(BrokersChoice, tells_the_versions_of_a_broker) {
  BrokersMachine machine;
  machine.start_broker();
  machine.broker->react = [](const Heard& heard) { return say_versions(heard, {{1, 4, 11}}); };
  machine.start();
  EXPECT_EQ(machine.brokers->known_versions(one), nullptr);
  const auto versions = machine.run(machine.brokers->versions(one));
  ASSERT_TRUE(versions.has_value()) << to_string(versions.error());
  EXPECT_EQ((*versions)->highest(ApiKey::fetch), 11);
  EXPECT_EQ((*versions)->highest(ApiKey::fetch, 12), std::nullopt);
  EXPECT_EQ((*versions)->highest(ApiKey::fetch, 4, 7), 7);
  EXPECT_EQ((*versions)->feature_level("transaction.version"), 0);
  EXPECT_EQ(machine.brokers->known_versions(one), *versions);
}

TEST(BrokersClose, ends_what_is_under_way_and_refuses_what_comes_later) {
  BrokersMachine machine;
  machine.start_broker();
  machine.start();
  std::optional<ClientResult<BrokerId>> outcome;
  TaskGroup group;
  const auto hang = [&]() -> Task<void> { outcome.emplace(co_await ask(*machine.brokers, one)); };
  group.start(hang());
  machine.executor.advance(1s);
  machine.run(machine.brokers->close());
  machine.executor.run_until_idle();
  ASSERT_TRUE(outcome.has_value());
  EXPECT_EQ(outcome->error().failure, Failure::closed);
  EXPECT_EQ(outcome->error().persistence, Persistence::unknown) << "it was sent";
  EXPECT_EQ(machine.run(ask(*machine.brokers, one)).error().failure, Failure::closed);
  EXPECT_EQ(machine.run(ask_any(*machine.brokers)).error().failure, Failure::closed);
}

TEST(BrokersClose, does_not_wait_for_an_attempt_to_connect_past_its_deadline) {
  SimulatedNetworkOptions slow;
  slow.delay_min = 60s;
  slow.delay_max = 60s;
  BrokersMachine machine(1, slow);
  machine.start();
  std::optional<ClientResult<BrokerId>> outcome;
  TaskGroup group;
  const auto hang = [&]() -> Task<void> { outcome.emplace(co_await ask(*machine.brokers, one)); };
  group.start(hang());
  machine.executor.advance(1s);
  const MonotonicTime begun = machine.now();
  machine.run(machine.brokers->close(begun + 100ms));
  EXPECT_EQ(machine.now() - begun, 100ms);
  machine.executor.run_until_idle();
  EXPECT_EQ(outcome->error().failure, Failure::closed);
  // What is left needs the executor and the network, and nothing else.
  machine.brokers.reset();
  machine.executor.advance(1min);
}

TEST(BrokersClose, ends_in_every_phase_of_a_connection) {
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    BrokersMachine machine(seed);
    machine.settings.reconnect_backoff = 2s;
    if (seed % 3 != 0) machine.start_broker();
    if (seed % 3 == 1) machine.broker->react = friendly;
    machine.start();
    std::size_t ended = 0;
    TaskGroup group;
    const auto one_call = [&](Lane lane) -> Task<void> {
      static_cast<void>(co_await ask(*machine.brokers, one, {.lane = lane}));
      ++ended;
    };
    for (int i = 0; i < 4; ++i) group.start(one_call(i % 2 == 0 ? Lane::data : Lane::coordination));
    machine.executor.advance(std::chrono::microseconds{seed * 137});
    machine.run(machine.brokers->close());
    machine.executor.run_until_idle();
    EXPECT_EQ(ended, 4U) << "seed " << seed;
  }
}

TEST(BrokersDisconnect, fails_what_is_under_way_and_later_calls_connect_anew) {
  BrokersMachine machine;
  machine.start_broker();
  machine.start();
  std::optional<ClientResult<BrokerId>> outcome;
  TaskGroup group;
  const auto hang = [&]() -> Task<void> { outcome.emplace(co_await ask(*machine.brokers, one)); };
  group.start(hang());
  machine.executor.advance(1s);
  machine.brokers->disconnect(one, "the test says so");
  machine.executor.advance(1s);
  ASSERT_TRUE(outcome.has_value());
  EXPECT_EQ(outcome->error().failure, Failure::disconnected);
  machine.broker->react = friendly;
  EXPECT_TRUE(machine.run(ask(*machine.brokers, one)).has_value());
}

// Whatever the network does: each call ends, with its own answer or an error, and never twice.
TEST(BrokersChaos, every_call_ends_when_connections_break_at_any_moment) {
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    SimulatedNetworkOptions wild;
    wild.reset_chance = 0.02;
    wild.split_chance = 0.7;
    BrokersMachine machine(seed, wild);
    machine.settings.request_timeout = 2s;
    machine.start_broker();
    Random choice(seed);
    machine.broker->react = [&](const Heard& heard) {
      Reaction reaction = friendly(heard);
      if (choice.chance(0.03)) reaction.closes = true;
      if (choice.chance(0.02)) reaction.bytes.clear();
      if (choice.chance(0.03) && !reaction.bytes.empty()) {
        reaction.bytes[choice.below(reaction.bytes.size())] ^= std::byte{0x41};
      }
      return reaction;
    };
    machine.start();
    std::size_t answered = 0;
    std::size_t failed = 0;
    TaskGroup group;
    const auto caller = [&](std::uint64_t number) -> Task<void> {
      for (int i = 0; i < 30; ++i) {
        CallOptions options;
        options.lane = number % 2 == 0 ? Lane::data : Lane::coordination;
        if (choice.chance(0.2)) options.deadline = machine.now() + 20ms;
        const auto result = number % 3 == 0 ? co_await ask_any(*machine.brokers, options)
                                            : co_await ask(*machine.brokers, one, options);
        ++(result ? answered : failed);
      }
    };
    for (std::uint64_t i = 0; i < 6; ++i) group.start(caller(i));
    const auto wait = [](TaskGroup& waited) -> Task<void> { co_await waited.wait(); };
    machine.run(wait(group));
    EXPECT_EQ(answered + failed, 180U);
    EXPECT_GT(answered, 0U) << "seed " << seed;
    machine.run(machine.brokers->close());
    EXPECT_EQ(machine.brokers->in_flight(one), 0U);
  }
}

}  // namespace
}  // namespace millrace::client
