#include <gtest/gtest.h>

#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "scripted_broker.hpp"

import millrace.client.core;
import millrace.protocol;
import millrace.protocol.framing;

namespace millrace::client {
namespace {

using namespace std::chrono_literals;
using protocol::ApiKey;
using protocol::GetTelemetrySubscriptionsResponse;

constexpr BackoffRange pauses{.first = 100ms, .longest = 1s};

struct InstanceMachine : BrokersMachine {
  InstanceMachine() {
    start_broker();
    broker->react = [this](const Heard& heard) -> Reaction {
      if (heard.api == ApiKey::api_versions) return say_versions(heard);
      if (heard.api != ApiKey::get_telemetry_subscriptions) return {};
      GetTelemetrySubscriptionsResponse response;
      response.error_code = codes.empty() ? std::int16_t{0} : codes.back();
      if (codes.size() > 1) codes.pop_back();
      if (response.error_code == 0) response.client_instance_id.bytes[15] = std::byte{++given};
      return answer(heard, response);
    };
    id.emplace(executor, start(), pauses, Random(3));
  }
  ClientResult<Uuid> get(Duration within = 10s) { return run(id->get(now() + within)); }

  std::vector<std::int16_t> codes;  // the last is the next
  std::uint8_t given = 0;
  std::optional<InstanceId> id;
};

constexpr std::int16_t throttled = 89;
constexpr std::int16_t not_authorized = 31;

TEST(InstanceId, is_asked_for_until_it_is_given_and_then_known) {
  InstanceMachine machine;
  machine.codes = {0, throttled, throttled};
  const auto first = machine.get();
  ASSERT_TRUE(first.has_value()) << to_string(first.error());
  EXPECT_FALSE(first->is_zero());
  EXPECT_EQ(machine.broker->count(ApiKey::get_telemetry_subscriptions), 3u);
  const auto second = machine.get();
  ASSERT_TRUE(second.has_value());
  EXPECT_EQ(*second, *first);
  EXPECT_EQ(machine.broker->count(ApiKey::get_telemetry_subscriptions), 3u);
}

TEST(InstanceId, is_one_for_all_who_ask_at_a_time) {
  InstanceMachine machine;
  std::vector<Uuid> told;
  TaskGroup tasks;
  for (int i = 0; i < 3; ++i) {
    tasks.start([](InstanceMachine& m, std::vector<Uuid>& to) -> Task<void> {
      const auto given = co_await m.id->get(m.now() + 10s);
      if (given) to.push_back(*given);
    }(machine, told));
  }
  machine.run([](TaskGroup& group) -> Task<void> { co_await group.wait(); }(tasks));
  ASSERT_EQ(told.size(), 3u);
  EXPECT_EQ(told[1], told[0]);
  EXPECT_EQ(told[2], told[0]);
}

TEST(InstanceId, is_not_asked_for_again_where_that_cannot_help) {
  InstanceMachine machine;
  machine.codes = {not_authorized};
  EXPECT_EQ(machine.get().error().code, ErrorCode::cluster_authorization_failed);
  EXPECT_EQ(machine.broker->count(ApiKey::get_telemetry_subscriptions), 1u);
  machine.codes = {throttled};
  const auto late = machine.get();
  ASSERT_FALSE(late.has_value());
  EXPECT_EQ(late.error().code, ErrorCode::throttling_quota_exceeded);
}

TEST(InstanceId, that_is_left_out_of_the_answer_is_none) {
  InstanceMachine machine;
  machine.broker->react = [](const Heard& heard) -> Reaction {
    if (heard.api == ApiKey::api_versions) return say_versions(heard);
    return answer(heard, GetTelemetrySubscriptionsResponse{});
  };
  EXPECT_EQ(machine.get().error().failure, Failure::malformed_answer);
}

TEST(InstanceId, of_a_broker_that_collects_nothing_is_none) {
  InstanceMachine machine;
  machine.broker->react = [](const Heard& heard) -> Reaction {
    return say_versions(heard, {{71, 1, 0}});
  };
  const auto none = machine.get();
  ASSERT_FALSE(none.has_value());
  EXPECT_EQ(none.error().failure, Failure::unsupported_version);
  EXPECT_NE(none.error().message.find("GetTelemetrySubscriptions"), std::string::npos)
      << none.error().message;
}

TEST(InstanceId, is_waited_for_no_longer_than_until_the_end) {
  InstanceMachine machine;
  machine.codes = {throttled};
  std::optional<ClientResult<Uuid>> told;
  TaskGroup tasks;
  tasks.start([](InstanceMachine& m, std::optional<ClientResult<Uuid>>& to) -> Task<void> {
    to = co_await m.id->get(m.now() + 1h);
  }(machine, told));
  machine.executor.advance(10s);
  EXPECT_FALSE(told.has_value());
  machine.id->stop();
  machine.run(machine.brokers->close());
  machine.run([](TaskGroup& group) -> Task<void> { co_await group.wait(); }(tasks));
  ASSERT_TRUE(told.has_value());
  EXPECT_EQ(told->error().failure, Failure::closed);
  machine.brokers.reset();
}

}  // namespace
}  // namespace millrace::client
