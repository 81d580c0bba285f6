// Settings of consumers and admin clients.
#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "settings_help.hpp"

import millrace.client.core;
import millrace.protocol.compression;

namespace millrace::client {
namespace {

using namespace std::chrono_literals;

TEST(ConsumerSettings, where_a_group_begins_may_be_a_time_ago) {
  const auto result = consumer_settings(with({{"auto.offset.reset", "by_duration:P1DT2H3M4.5S"}}));
  ASSERT_TRUE(result.has_value()) << problems_of(result);
  EXPECT_EQ(result->auto_offset_reset, OffsetReset::by_duration);
  EXPECT_EQ(result->auto_offset_reset_duration, 24h + 2h + 3min + 4500ms);
  EXPECT_EQ(consumer_settings(with({{"auto.offset.reset", "earliest"}}))->auto_offset_reset,
            OffsetReset::earliest);
  for (const char* wrong :
       {"Latest", "", "by_duration:", "by_duration:P", "by_duration:PT", "by_duration:-PT1S",
        "by_duration:PT1H1D", "by_duration:P1H", "by_duration:PT1M1H", "by_duration:PT1.5M",
        "by_duration:PT1.S", "by_duration:PT.S", "by_duration:P999999999999D",
        "by_duration:PT1S ago", "by_duration:P1DT"}) {
    EXPECT_TRUE(contains(consumer_problems({{"auto.offset.reset", wrong}}), "auto.offset.reset"))
        << wrong;
  }
}

TEST(ConsumerSettings, assignors_have_short_names_and_javas) {
  const auto result =
      consumer_settings(with({{"partition.assignment.strategy",
                               "sticky, org.apache.kafka.clients.consumer.RangeAssignor"}}));
  ASSERT_TRUE(result.has_value()) << problems_of(result);
  EXPECT_EQ(result->partition_assignment_strategy,
            (std::vector<AssignorKind>{AssignorKind::sticky, AssignorKind::range}));
  for (const char* wrong : {"", "range,range", "nearest"}) {
    EXPECT_TRUE(contains(consumer_problems({{"partition.assignment.strategy", wrong}}),
                         "partition.assignment.strategy"))
        << wrong;
  }
  EXPECT_EQ(name_of(AssignorKind::round_robin), "roundrobin");
}

TEST(ConsumerSettings, what_belongs_to_one_group_protocol_is_refused_with_the_other) {
  EXPECT_TRUE(contains(consumer_problems({{"group.remote.assignor", "uniform"}}), "consumer"));
  EXPECT_TRUE(
      contains(consumer_problems({{"group.protocol", "consumer"}, {"session.timeout.ms", "9000"}}),
               "session.timeout.ms is the broker's"));
  EXPECT_EQ(consumer_problems({{"group.protocol", "CONSUMER"}}), "");
  EXPECT_TRUE(contains(
      consumer_problems({{"session.timeout.ms", "9000"}, {"heartbeat.interval.ms", "9000"}}),
      "below"));
  EXPECT_TRUE(contains(consumer_problems({{"enable.auto.commit", "true"}}), "group.id"));
  EXPECT_TRUE(consumer_settings(with({{"group.id", "g"}}))->enable_auto_commit);
}

TEST(ConsumerSettings, an_answer_has_room_for_a_fetch) {
  EXPECT_TRUE(contains(consumer_problems({{"millrace.answer.max.bytes", "2000"}}),
                       "at least fetch.max.bytes"));
  EXPECT_TRUE(contains(consumer_problems({{"fetch.max.wait.ms", "30000"}}), "below"));
}

TEST(AdminSettings, a_call_may_take_as_long_as_a_request) {
  EXPECT_TRUE(contains(problems_of(admin_settings(with({{"default.api.timeout.ms", "1000"}}))),
                       "at least"));
  EXPECT_EQ(admin_settings(with({{"request.timeout.ms", "90000"}}))->default_api_timeout, 90s);
}

}  // namespace
}  // namespace millrace::client
