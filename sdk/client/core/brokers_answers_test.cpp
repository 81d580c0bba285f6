// Brokers that answer late, wrongly, in part or not at all.
// Also proves connection_life.cpp.
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

#include "heartbeats.hpp"
#include "scripted_broker.hpp"

import millrace.client.core;
import millrace.protocol;

namespace millrace::client {
namespace {

using namespace std::chrono_literals;
using protocol::ApiKey;
using protocol::HeartbeatResponse;

TEST(BrokersAnswers, a_broker_that_accepts_and_says_nothing_is_given_up) {
  BrokersMachine machine;
  machine.settings.request_timeout = 4s;
  machine.start_broker();
  machine.broker->react = [](const Heard&) { return Reaction{}; };
  machine.start();
  const Outcome outcome = machine.run(beat(machine));
  EXPECT_EQ(outcome.error->failure, Failure::timed_out);
  EXPECT_EQ(outcome.error->persistence, Persistence::not_persisted);
  EXPECT_EQ(machine.brokers->counters().connections_failed, 1U);
}

TEST(BrokersAnswers, a_server_that_is_no_broker_is_named_as_such) {
  BrokersMachine machine;
  machine.start_broker();
  machine.broker->react = [](const Heard&) {
    const ByteView text = as_bytes("HTTP/1.1 400 Bad Request\r\n\r\n");
    return Reaction{.bytes = RawBytes(text.begin(), text.end())};
  };
  machine.start();
  const Outcome outcome = machine.run(beat(machine));
  EXPECT_EQ(outcome.error->failure, Failure::malformed_answer);
  EXPECT_NE(outcome.error->message.find("is it a broker?"), std::string::npos);
}

TEST(BrokersAnswers, half_an_answer_ends_with_the_connection_or_the_timeout) {
  for (const bool closes : {true, false}) {
    BrokersMachine machine;
    machine.settings.request_timeout = 3s;
    machine.start_broker();
    machine.broker->react = [closes](const Heard& heard) {
      if (heard.api == ApiKey::api_versions) return say_versions(heard);
      Reaction half = answer(heard, HeartbeatResponse{});
      half.bytes.resize(half.bytes.size() / 2);
      half.closes = closes;
      return half;
    };
    machine.start();
    const Outcome outcome = machine.run(beat(machine));
    ASSERT_TRUE(outcome.error.has_value());
    EXPECT_EQ(outcome.error->failure, closes ? Failure::disconnected : Failure::timed_out);
    EXPECT_EQ(outcome.error->persistence, Persistence::unknown);
  }
}

TEST(BrokersAnswers, a_peer_that_does_not_answer_what_nobody_waits_for_is_left_when_it_is_late) {
  BrokersMachine machine;
  machine.settings.connections_max_idle = Duration::max();
  machine.settings.request_timeout = 5s;
  machine.start_broker();
  machine.start();
  const Outcome outcome = machine.run(beat(machine, one, {.deadline = machine.now() + 1s}));
  EXPECT_EQ(outcome.error->failure, Failure::timed_out);
  machine.executor.advance(3s);
  EXPECT_TRUE(machine.brokers->is_connected(one));
  machine.executor.advance(2s);
  EXPECT_FALSE(machine.brokers->is_connected(one));
}

TEST(BrokersAnswers, an_answer_to_another_request_ends_the_connection) {
  BrokersMachine machine;
  machine.start_broker();
  machine.broker->react = [](const Heard& heard) {
    if (heard.api == ApiKey::api_versions) return say_versions(heard);
    Heard wrong = heard;
    wrong.correlation_id = heard.correlation_id.next();
    return answer(wrong, HeartbeatResponse{});
  };
  machine.start();
  const auto outcomes = beat_many(machine, 3);
  for (const Outcome& outcome : outcomes) {
    ASSERT_TRUE(outcome.error.has_value());
    EXPECT_EQ(outcome.error->failure, Failure::malformed_answer);
  }
  EXPECT_EQ(machine.brokers->counters().connections_lost, 1U);
}

TEST(BrokersAnswers, an_answer_that_nobody_asked_for_ends_the_connection) {
  BrokersMachine machine;
  machine.start_broker();
  machine.broker->react = [](const Heard& heard) {
    if (heard.api == ApiKey::api_versions) return say_versions(heard);
    Reaction twice = answer(heard, HeartbeatResponse{});
    const RawBytes once = twice.bytes;
    twice.bytes.insert(twice.bytes.end(), once.begin(), once.end());
    return twice;
  };
  machine.start();
  EXPECT_FALSE(machine.run(beat(machine)).error.has_value());
  machine.executor.advance(1s);
  EXPECT_FALSE(machine.brokers->is_connected(one));
}

TEST(BrokersAnswers, an_answer_that_cannot_be_read_fails_its_call_and_ends_the_connection) {
  BrokersMachine machine;
  machine.start_broker();
  machine.broker->react = [](const Heard& heard) {
    if (heard.api == ApiKey::api_versions) return say_versions(heard);
    Reaction cut = answer(heard, HeartbeatResponse{});
    cut.bytes.resize(cut.bytes.size() - 2);
    store_big_endian(cut.bytes.data(), static_cast<std::int32_t>(cut.bytes.size() - 4));
    return cut;
  };
  machine.start();
  const Outcome outcome = machine.run(beat(machine));
  EXPECT_EQ(outcome.error->failure, Failure::malformed_answer);
  EXPECT_EQ(outcome.error->persistence, Persistence::unknown);
  machine.executor.advance(1s);
  EXPECT_FALSE(machine.brokers->is_connected(one));
}

TEST(BrokersAnswers, an_answer_above_the_limit_ends_the_connection_before_its_bytes_come) {
  BrokersMachine machine;
  machine.settings.answer_bytes_max = 1000;
  machine.start_broker();
  machine.broker->react = [](const Heard& heard) {
    if (heard.api == ApiKey::api_versions) return say_versions(heard);
    RawBytes claim(4);
    store_big_endian(claim.data(), std::int32_t{1001});
    return Reaction{.bytes = claim};
  };
  machine.start();
  EXPECT_EQ(machine.run(beat(machine)).error->failure, Failure::malformed_answer);
}

}  // namespace
}  // namespace millrace::client
