#include <gtest/gtest.h>

#include <string>

#include "millrace/result.hpp"

import millrace.cli.frame;
import millrace.cli.session;

namespace millrace::cli {
namespace {

v1::Error error(v1::ErrorCode code, std::string message, v1::Origin origin = v1::Origin::broker) {
  return v1::Error({.code = code, .origin = origin}, std::move(message));
}

TEST(Failures, tell_the_sentence_first_and_the_code_at_the_end) {
  EXPECT_EQ(line_of(failure_of(error(v1::ErrorCode::invalid_partitions,
                                     "INVALID_PARTITIONS (broker 1): There are too few."),
                               "topic orders")),
            "topic orders: There are too few (INVALID_PARTITIONS)");
  EXPECT_EQ(line_of(failure_of(error(v1::ErrorCode::invalid_partitions,
                                     "INVALID_PARTITIONS: topic orders: There are too few."),
                               "topic orders")),
            "topic orders: There are too few (INVALID_PARTITIONS)");
  EXPECT_EQ(line_of(failure_of(error(v1::ErrorCode::invalid_config,
                                     "INVALID_CONFIG (broker 1): settings of topic orders: No."),
                               "topic orders")),
            "settings of topic orders: No (INVALID_CONFIG)");
  EXPECT_EQ(line_of(failure_of(error(v1::ErrorCode::invalid_partitions,
                                     "INVALID_PARTITIONS: topic orders: topic 'orders' has 6."),
                               "topic orders")),
            "topic 'orders' has 6 (INVALID_PARTITIONS)");
  EXPECT_EQ(line_of(failure_of(error(v1::ErrorCode::invalid_partitions, "topics have 6"), "topic")),
            "topic: topics have 6 (INVALID_PARTITIONS)");
  EXPECT_EQ(line_of(failure_of(error(v1::ErrorCode::invalid_config, "INVALID_CONFIG"))),
            "the cluster refused (INVALID_CONFIG)");
}

TEST(Failures, say_once_what_they_are_about) {
  EXPECT_EQ(line_of(failure_of(error(v1::ErrorCode::topic_authorization_failed,
                                     "TOPIC_AUTHORIZATION_FAILED: topic orders: topic orders"))),
            "topic orders (TOPIC_AUTHORIZATION_FAILED)");
  EXPECT_EQ(line_of(failure_of(error(v1::ErrorCode::topic_authorization_failed,
                                     "TOPIC_AUTHORIZATION_FAILED: topic orders: topic orders"),
                               "topic orders")),
            "topic orders (TOPIC_AUTHORIZATION_FAILED)");
  EXPECT_EQ(line_of(failure_of(error(v1::ErrorCode::invalid_config,
                                     "INVALID_CONFIG (broker 1): settings of topic orders: "
                                     "settings of topic orders: No: no."),
                               "topic orders")),
            "settings of topic orders: No: no (INVALID_CONFIG)");
  EXPECT_EQ(line_of(failure_of(error(v1::ErrorCode::invalid_partitions,
                                     "INVALID_PARTITIONS: topic orders: topic orders: few"),
                               "line 7")),
            "line 7: topic orders: few (INVALID_PARTITIONS)");
}

TEST(Failures, of_topics_say_what_to_do) {
  EXPECT_EQ(line_of(topic_failure(error(v1::ErrorCode::topic_already_exists,
                                        "TOPIC_ALREADY_EXISTS: Topic 'orders' already exists."),
                                  "orders")),
            "topic orders exists (TOPIC_ALREADY_EXISTS); `millrace topic describe orders` shows "
            "it");
  const Failure missing = no_topic("orderz", {"orders", "paid"});
  EXPECT_EQ(line_of(missing), "no topic orderz; did you mean orders?");
  EXPECT_EQ(missing.code, "UNKNOWN_TOPIC_OR_PARTITION");
}

TEST(Failures, of_settings_are_failures_of_the_command_line) {
  EXPECT_TRUE(
      failure_of(error(v1::ErrorCode::invalid_config, "acks is unknown", v1::Origin::configuration))
          .is_usage);
}

}  // namespace
}  // namespace millrace::cli
