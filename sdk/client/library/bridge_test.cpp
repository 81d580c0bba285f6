#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "millrace/options.hpp"
#include "millrace/result.hpp"

import millrace.client.core;
import millrace.client.bridge;

namespace {

using namespace millrace::client;
using namespace std::chrono_literals;

TEST(PublicError, keeps_what_programs_choose_by) {
  const auto error = public_error(
      broker_error(ErrorCode::not_leader_or_follower, millrace::BrokerId(4), "orders-3 has moved"));
  EXPECT_EQ(error.code(), millrace::v1::ErrorCode::not_leader_or_follower);
  EXPECT_EQ(error.origin(), millrace::v1::Origin::broker);
  EXPECT_TRUE(error.is_retriable());
  EXPECT_EQ(error.broker(), 4);
  EXPECT_EQ(error.message(),
            "NOT_LEADER_OR_FOLLOWER (broker 4): orders-3 has moved (perhaps persisted)");
}

TEST(PublicError, is_never_without_a_code) {
  const auto error = public_error(client_error(Failure::closed, "the producer was closed"));
  EXPECT_NE(error.code(), millrace::v1::ErrorCode::none);
  EXPECT_EQ(error.origin(), millrace::v1::Origin::client);
  EXPECT_TRUE(error.is_fatal());
}

TEST(PublicError, tells_what_is_known_of_the_records) {
  const auto persisted = [](Persistence persistence) {
    return public_error(client_error(Failure::disconnected, "", persistence)).persisted();
  };
  EXPECT_EQ(persisted(Persistence::not_persisted), millrace::v1::Persisted::no);
  EXPECT_EQ(persisted(Persistence::persisted), millrace::v1::Persisted::yes);
  EXPECT_EQ(persisted(Persistence::unknown), millrace::v1::Persisted::unknown);
}

TEST(SettingsError, tells_all_problems_at_once) {
  const auto error = settings_error("producer", {"acks: 7 is none", "lingerms is unknown"});
  EXPECT_EQ(error.message(),
            "the settings of the producer cannot be: acks: 7 is none; lingerms is unknown");
  EXPECT_EQ(error.origin(), millrace::v1::Origin::configuration);
  EXPECT_TRUE(error.is_fatal());
}

TEST(Logging, goes_to_the_handler_of_the_application) {
  std::vector<std::string> lines;
  const auto logger = logger_for(
      {.log_level = millrace::v1::LogLevel::info,
       .log =
           [&](millrace::v1::LogLevel level, std::string_view component, std::string_view message) {
             lines.push_back(std::string(component) + ": " + std::string(message));
             EXPECT_EQ(level, millrace::v1::LogLevel::warning);
           }},
      "client");
  logger.debug("too small");
  logger.warning("{} of {}", 1, 2);
  EXPECT_EQ(lines, std::vector<std::string>{"client: 1 of 2"});
}

TEST(Deadline, is_not_beyond_all_time) {
  const millrace::SystemClock clock;
  EXPECT_GT(deadline_after(clock, std::chrono::milliseconds::max()), clock.now() + 24h);
  EXPECT_LE(deadline_after(clock, std::chrono::milliseconds::min()), clock.now());
}

TEST(ClientHost, runs_on_a_thread_of_its_own) {
  ClientHost host("test", {});
  ASSERT_TRUE(host.start());
  EXPECT_FALSE(host.thread().is_own_thread());
  const auto ran = host.run(
      [&]() -> millrace::Task<ClientResult<bool>> { co_return host.cannot_wait().has_value(); });
  ASSERT_TRUE(ran);
  EXPECT_TRUE(*ran) << "on its thread nobody may wait for it";
}

TEST(ClientHost, begins_what_ends_later) {
  ClientHost host("test", {});
  ASSERT_TRUE(host.start());
  auto future = host.begin<int>([&]() -> millrace::Task<ClientResult<int>> { co_return 7; });
  EXPECT_EQ(future.get().value(), 7);
  host.wait_for_all();
}

}  // namespace
