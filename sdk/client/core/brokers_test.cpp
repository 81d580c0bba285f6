// Calls on the connections of a client: what goes well, and what a broker may do instead.
// Also proves call.cpp, call.cppm, answers.cppm, connection.cpp, connection_life.cpp.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "heartbeats.hpp"
#include "scripted_broker.hpp"

import millrace.client.core;
import millrace.protocol;
import millrace.protocol.framing;

namespace millrace::client {
namespace {

using namespace std::chrono_literals;
using protocol::ApiKey;
using protocol::HeartbeatRequest;
using protocol::HeartbeatResponse;

TEST(Brokers, calls_in_the_highest_version_that_both_sides_know) {
  BrokersMachine machine;
  machine.start_broker();
  machine.broker->react = [](const Heard& heard) {
    if (heard.api == ApiKey::api_versions) return say_versions(heard, {{12, 0, 3}});
    return answer(heard, HeartbeatResponse{.throttle_time_ms = 0, .error_code = 27});
  };
  machine.start();
  const Outcome outcome = machine.run(beat(machine));
  ASSERT_FALSE(outcome.error.has_value()) << to_string(*outcome.error);
  EXPECT_EQ(outcome.code, 27);
  EXPECT_EQ(outcome.version, 3);
  EXPECT_TRUE(machine.brokers->is_connected(one));
  EXPECT_FALSE(machine.brokers->is_connected(one, Lane::coordination));
  EXPECT_EQ(machine.run(beat(machine, one, {.version_max = 1})).version, 1);
  EXPECT_EQ(machine.broker->count(ApiKey::api_versions), 1U) << "versions are asked for once";
}

TEST(Brokers, asks_for_versions_again_in_the_version_that_an_older_broker_names) {
  for (const bool is_named : {true, false}) {
    BrokersMachine machine;
    machine.start_broker();
    machine.broker->react = [is_named](const Heard& heard) -> Reaction {
      if (heard.api != ApiKey::api_versions) return answer(heard, HeartbeatResponse{});
      const std::int16_t newest = is_named ? 2 : 0;
      if (heard.version <= newest) return say_versions(heard);
      using Version = protocol::ApiVersionsResponse::ApiVersion;
      const std::vector<Version> own = {Version{18, 0, 2}};
      protocol::ApiVersionsResponse refused;
      refused.error_code = 35;
      if (is_named) refused.api_keys = protocol::Array<Version>(own);
      return {.bytes = answer_bytes(heard, refused, 0)};
    };
    machine.start();
    const Outcome outcome = machine.run(beat(machine));
    EXPECT_FALSE(outcome.error.has_value());
    ASSERT_GE(machine.broker->heard.size(), 2U);
    EXPECT_EQ(machine.broker->heard[0].version, 4);
    EXPECT_EQ(machine.broker->heard[1].version, is_named ? 2 : 0);
    EXPECT_EQ(machine.broker->connection_count(), 1U);
  }
}

TEST(Brokers, gives_up_on_a_broker_that_refuses_every_version_of_the_first_question) {
  BrokersMachine machine;
  machine.start_broker();
  machine.broker->react = [](const Heard& heard) {
    protocol::ApiVersionsResponse refused;
    refused.error_code = 35;
    return Reaction{.bytes = answer_bytes(heard, refused, 0)};
  };
  machine.start();
  const Outcome outcome = machine.run(beat(machine));
  ASSERT_TRUE(outcome.error.has_value());
  EXPECT_EQ(outcome.error->failure, Failure::malformed_answer);
}

TEST(Brokers, sends_many_requests_before_the_first_answer_and_gives_each_its_own) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    BrokersMachine machine(seed);
    machine.start_broker();
    machine.broker->react = answering();
    machine.start();
    const auto outcomes = beat_many(machine, 200);
    ASSERT_EQ(outcomes.size(), 200U);
    for (std::size_t i = 0; i < outcomes.size(); ++i) {
      ASSERT_FALSE(outcomes[i].error.has_value()) << to_string(*outcomes[i].error);
      ASSERT_EQ(static_cast<std::size_t>(outcomes[i].code), i) << "seed " << seed;
    }
    EXPECT_EQ(machine.broker->connection_count(), 1U);
  }
}

TEST(Brokers, has_no_more_requests_under_way_than_the_limit) {
  BrokersMachine machine;
  machine.start_broker();
  machine.start();
  const auto outcomes = beat_many(machine, 100, {.timeout = 1s});
  EXPECT_EQ(outcomes.size(), 100U);
  const auto is_first = [](const Heard& heard) {
    return heard.connection == 0 && heard.api == ApiKey::heartbeat;
  };
  EXPECT_EQ(static_cast<std::size_t>(std::ranges::count_if(machine.broker->heard, is_first)),
            requests_in_flight_max);
}

TEST(Brokers, refuses_a_request_when_too_many_wait) {
  BrokersMachine machine;
  machine.start();
  const auto outcomes = beat_many(machine, requests_waiting_max + 1);
  ASSERT_EQ(outcomes.size(), requests_waiting_max + 1);
  EXPECT_NE(outcomes.front().error->message.find("wait for it already"), std::string::npos);
  EXPECT_EQ(outcomes.back().error->failure, Failure::disconnected);
}

TEST(Brokers, a_late_answer_closes_the_connection_and_says_what_may_have_happened) {
  BrokersMachine machine;
  machine.settings.request_timeout = 5s;
  machine.start_broker();
  machine.start();
  std::vector<Outcome> outcomes;
  TaskGroup group;
  const MonotonicTime begun = machine.now();
  group.start(beat_into(machine, outcomes));
  machine.executor.advance(1s);
  group.start(beat_into(machine, outcomes));
  const auto wait = [](TaskGroup& waited) -> Task<void> { co_await waited.wait(); };
  machine.run(wait(group));
  ASSERT_EQ(outcomes.size(), 2U);
  EXPECT_EQ(outcomes[0].error->failure, Failure::timed_out);
  EXPECT_EQ(outcomes[0].error->code, ErrorCode::request_timed_out);
  EXPECT_EQ(outcomes[0].error->persistence, Persistence::unknown);
  EXPECT_TRUE(outcomes[0].error->retriable);
  EXPECT_EQ(outcomes[1].error->failure, Failure::disconnected);
  EXPECT_EQ(outcomes[1].error->code, ErrorCode::network_exception);
  EXPECT_EQ(outcomes[1].error->persistence, Persistence::unknown);
  EXPECT_EQ(outcomes[1].error->broker, one);
  EXPECT_GE(outcomes[0].at - begun, 5s);
  EXPECT_EQ(machine.brokers->counters().timeouts, 1U);
  machine.broker->react = answering();
  EXPECT_FALSE(machine.run(beat(machine)).error.has_value()) << "the next connection works";
  EXPECT_EQ(machine.broker->connection_count(), 2U);
}

TEST(Brokers, a_callers_own_deadline_leaves_the_connection_to_others) {
  BrokersMachine machine;
  machine.start_broker();
  machine.broker->react = [](const Heard& heard) {
    if (heard.api == ApiKey::api_versions) return say_versions(heard);
    Reaction late = answer(heard, HeartbeatResponse{});
    late.after = 2s;
    return late;
  };
  machine.start();
  const Outcome outcome = machine.run(beat(machine, one, {.deadline = machine.now() + 1s}));
  ASSERT_TRUE(outcome.error.has_value());
  EXPECT_EQ(outcome.error->failure, Failure::timed_out);
  EXPECT_EQ(outcome.error->persistence, Persistence::unknown);
  machine.broker->react = answering(33);
  const Outcome next = machine.run(beat(machine));
  ASSERT_FALSE(next.error.has_value());
  EXPECT_EQ(next.code, 33) << "the late answer is nobody's";
  EXPECT_EQ(machine.broker->connection_count(), 1U);
}

TEST(Brokers, an_answer_that_does_not_come_closes_the_connection_though_nobody_waits_any_more) {
  BrokersMachine machine;
  machine.settings.request_timeout = 5s;
  machine.start_broker();
  machine.start();
  const MonotonicTime begun = machine.now();
  while (machine.now() < begun + 9s) {
    const Outcome outcome = machine.run(beat(machine, one, {.deadline = machine.now() + 2s}));
    EXPECT_TRUE(outcome.error.has_value());
  }
  EXPECT_EQ(machine.broker->connection_count(), 2U);
  EXPECT_EQ(machine.brokers->counters().connections_lost, 1U);
  machine.broker->react = answering();
  machine.executor.advance(5s);
  EXPECT_FALSE(machine.run(beat(machine)).error.has_value());
}

TEST(Brokers, a_deadline_that_has_passed_sends_nothing) {
  BrokersMachine machine;
  machine.start_broker();
  machine.start();
  machine.executor.advance(1s);
  const Outcome outcome = machine.run(beat(machine, one, {.deadline = machine.now()}));
  EXPECT_EQ(outcome.error->failure, Failure::timed_out);
  EXPECT_EQ(outcome.error->persistence, Persistence::not_persisted);
  EXPECT_EQ(machine.broker->connection_count(), 0U);
}

TEST(Brokers, an_unreachable_broker_is_tried_again_after_pauses_that_grow) {
  BrokersMachine machine;
  machine.start();
  std::vector<Duration> pauses;
  for (int i = 0; i < 8; ++i) {
    const Outcome outcome = machine.run(beat(machine));
    ASSERT_TRUE(outcome.error.has_value());
    EXPECT_EQ(outcome.error->failure, Failure::disconnected);
    EXPECT_EQ(outcome.error->persistence, Persistence::not_persisted);
    EXPECT_NE(outcome.error->message.find("127.0.0.1:9092"), std::string::npos);
    pauses.push_back(machine.brokers->not_before(one) - machine.now());
  }
  EXPECT_GE(pauses[0], 40ms);
  EXPECT_LE(pauses[0], 60ms);
  EXPECT_GE(pauses[7], 800ms);
  EXPECT_LE(pauses[7], 1200ms);
  machine.start_broker();
  machine.broker->react = answering();
  EXPECT_FALSE(machine.run(beat(machine)).error.has_value());
  EXPECT_EQ(machine.brokers->not_before(one), machine.now()) << "success forgets the failures";
}

TEST(Brokers, a_call_that_may_not_wait_fails_at_once_and_has_the_connection_made) {
  BrokersMachine machine;
  machine.start_broker();
  machine.broker->react = answering();
  machine.start();
  const MonotonicTime begun = machine.now();
  const Outcome outcome = machine.run(beat(machine, one, {.may_wait_for_connection = false}));
  EXPECT_EQ(outcome.error->failure, Failure::disconnected);
  EXPECT_EQ(outcome.at, begun);
  machine.executor.advance(1s);
  EXPECT_FALSE(
      machine.run(beat(machine, one, {.may_wait_for_connection = false})).error.has_value());
}

TEST(Brokers, an_idle_connection_is_closed_and_made_again_when_it_is_needed) {
  BrokersMachine machine;
  machine.settings.connections_max_idle = 60s;
  machine.start_broker();
  machine.broker->react = answering();
  machine.start();
  EXPECT_FALSE(machine.run(beat(machine)).error.has_value());
  machine.executor.advance(59s);
  EXPECT_TRUE(machine.brokers->is_connected(one));
  EXPECT_FALSE(machine.run(beat(machine)).error.has_value());
  machine.executor.advance(59s);
  EXPECT_TRUE(machine.brokers->is_connected(one)) << "the time counts from the last use";
  machine.executor.advance(3s);
  EXPECT_FALSE(machine.brokers->is_connected(one));
  EXPECT_EQ(machine.brokers->counters().connections_closed_idle, 1U);
  EXPECT_EQ(machine.brokers->counters().connections_lost, 0U);
  EXPECT_FALSE(machine.run(beat(machine)).error.has_value());
  EXPECT_EQ(machine.broker->connection_count(), 2U);
}

TEST(Brokers, connecting_takes_no_longer_than_its_timeout) {
  SimulatedNetworkOptions slow;
  slow.delay_min = 60s;
  slow.delay_max = 60s;
  BrokersMachine machine(1, slow);
  machine.settings.socket_connection_setup_timeout = 2s;
  machine.start();
  const Outcome outcome = machine.run(beat(machine));
  EXPECT_EQ(outcome.error->failure, Failure::disconnected);
  EXPECT_LE(outcome.at - MonotonicTime{}, 3s);
}

TEST(Brokers, an_api_that_the_broker_does_not_speak_is_no_reason_to_close) {
  BrokersMachine machine;
  machine.start_broker();
  machine.broker->react = [](const Heard& heard) {
    if (heard.api == ApiKey::api_versions) return say_versions(heard, {{12, 1, 0}});
    return Reaction{};
  };
  machine.start();
  const Outcome outcome = machine.run(beat(machine));
  EXPECT_EQ(outcome.error->failure, Failure::unsupported_version);
  EXPECT_EQ(outcome.error->code, ErrorCode::unsupported_version);
  EXPECT_FALSE(outcome.error->retriable);
  EXPECT_NE(outcome.error->message.find("Heartbeat"), std::string::npos);
  EXPECT_TRUE(machine.brokers->is_connected(one));
}

TEST(Brokers, a_pause_that_the_broker_asks_for_holds_up_later_requests) {
  BrokersMachine machine;
  machine.start_broker();
  machine.broker->react = [](const Heard& heard) {
    if (heard.api == ApiKey::api_versions) return say_versions(heard);
    return answer(heard, HeartbeatResponse{.throttle_time_ms = 5000, .error_code = 0});
  };
  machine.start();
  const Outcome first = machine.run(beat(machine));
  const Outcome second = machine.run(beat(machine));
  EXPECT_FALSE(second.error.has_value());
  EXPECT_GE(second.at - first.at, 5s);
}

TEST(Brokers, the_two_lanes_of_a_broker_do_not_hold_up_one_another) {
  BrokersMachine machine;
  machine.start_broker();
  machine.broker->react = [](const Heard& heard) {
    if (heard.api == ApiKey::api_versions) return say_versions(heard);
    Reaction reaction = answer(heard, HeartbeatResponse{});
    if (heard.connection == 0) reaction.after = 20s;
    return reaction;
  };
  machine.start();
  std::vector<Outcome> slow;
  TaskGroup group;
  group.start(beat_into(machine, slow));
  machine.executor.advance(1s);
  const MonotonicTime begun = machine.now();
  const Outcome fast = machine.run(beat(machine, one, {.lane = Lane::coordination}));
  EXPECT_FALSE(fast.error.has_value());
  EXPECT_LT(fast.at - begun, 1s);
  const auto wait = [](TaskGroup& waited) -> Task<void> { co_await waited.wait(); };
  machine.run(wait(group));
  EXPECT_FALSE(slow[0].error.has_value());
}

TEST(Brokers, an_unknown_broker_is_an_error_that_says_so) {
  BrokersMachine machine;
  machine.start();
  const Outcome outcome = machine.run(beat(machine, BrokerId(9)));
  EXPECT_EQ(outcome.error->failure, Failure::unknown_broker);
  EXPECT_EQ(outcome.error->broker, BrokerId(9));
  machine.brokers->learn({BrokerId(9), {"127.0.0.1", Port(9092)}});
  EXPECT_TRUE(machine.brokers->knows(BrokerId(9)));
  machine.brokers->update({});
  EXPECT_FALSE(machine.brokers->knows(BrokerId(9)));
}

TEST(Brokers, a_request_that_is_not_answered_ends_when_it_is_written) {
  BrokersMachine machine;
  machine.start_broker();
  machine.broker->react = answering();
  machine.start();
  const auto send = [&]() -> Task<ClientResult<void>> {
    const HeartbeatRequest request = heartbeat();
    co_return co_await machine.brokers->call_without_answer(one, request);
  };
  machine.broker->react = [](const Heard& heard) {
    return heard.api == ApiKey::api_versions ? say_versions(heard) : Reaction{};
  };
  for (int i = 0; i < 200; ++i) EXPECT_TRUE(machine.run(send()).has_value());
  machine.executor.advance(1s);
  EXPECT_EQ(machine.broker->count(ApiKey::heartbeat), 200U);
  EXPECT_EQ(machine.brokers->in_flight(one), 0U);
}

// What the request views must stay in place until all of it is written, so the call cannot end.
TEST(Brokers, an_answer_that_comes_before_all_of_the_request_waits_for_it) {
  BrokersMachine machine;
  machine.start_broker();
  std::size_t handshake = 0;
  machine.broker->on_bytes = [&](std::size_t, std::size_t bytes) -> RawBytes {
    if (machine.broker->heard.empty()) {
      handshake = bytes;
      return {};
    }
    if (bytes < handshake + 10 || handshake == 0) return {};
    handshake = 0;
    Heard expected;
    expected.correlation_id = machine.broker->heard[0].correlation_id.next();
    return answer_bytes(expected, HeartbeatResponse{.throttle_time_ms = 0, .error_code = 5}, 4);
  };
  machine.broker->react = [](const Heard& heard) {
    return heard.api == ApiKey::api_versions ? say_versions(heard) : Reaction{};
  };
  machine.start();
  const auto call = [&]() -> Task<std::int16_t> {
    const std::string large(30'000, 'x');
    HeartbeatRequest request = heartbeat();
    request.member_id = large;
    request.group_id = large;
    request.group_instance_id = large;
    const auto reply = co_await machine.brokers->call(one, request);
    co_return reply ? reply->message.error_code : std::int16_t{-1};
  };
  EXPECT_EQ(machine.run(call()), 5);
  machine.executor.advance(1s);
  EXPECT_EQ(machine.broker->count(ApiKey::heartbeat), 1U) << "all of the request arrived";
  EXPECT_TRUE(machine.brokers->is_connected(one));
}

TEST(Brokers, a_broker_that_has_moved_is_reached_at_its_new_address) {
  BrokersMachine machine;
  machine.start_broker();
  machine.broker->react = answering(10);
  machine.start_second();
  machine.second->react = answering(20);
  machine.start();
  EXPECT_EQ(machine.run(beat(machine)).code, 10);
  const std::vector<BrokerEndpoint> moved = {{one, {"127.0.0.2", Port(9093)}}};
  machine.brokers->update(moved);
  machine.executor.advance(1s);
  EXPECT_EQ(machine.run(beat(machine)).code, 20);
}

TEST(Brokers, an_unreadable_request_field_fails_before_it_is_sent) {
  BrokersMachine machine;
  machine.start_broker();
  machine.broker->react = answering();
  machine.start();
  const auto call = [&]() -> Task<Outcome> {
    HeartbeatRequest request = heartbeat();
    request.group_instance_id = "static";
    const auto reply = co_await machine.brokers->call(one, request, {.version_max = 2});
    co_return Outcome{.error = reply ? std::nullopt : std::optional(reply.error())};
  };
  const Outcome outcome = machine.run(call());
  ASSERT_TRUE(outcome.error.has_value());
  EXPECT_EQ(outcome.error->failure, Failure::unsupported_version);
  EXPECT_FALSE(machine.run(beat(machine)).error.has_value());
}

}  // namespace
}  // namespace millrace::client
