// What errors say, and what each of Kafka's codes means for a client.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

import millrace.client.core;
import millrace.protocol.api;

namespace millrace::client {
namespace {

// As the exceptions of kafka-clients 4.3.1 are: those below RetriableException, and those below
// InvalidMetadataException.
constexpr std::string_view retriable_in_java[] = {"CORRUPT_MESSAGE",
                                                  "UNKNOWN_TOPIC_OR_PARTITION",
                                                  "LEADER_NOT_AVAILABLE",
                                                  "NOT_LEADER_OR_FOLLOWER",
                                                  "REQUEST_TIMED_OUT",
                                                  "REPLICA_NOT_AVAILABLE",
                                                  "NETWORK_EXCEPTION",
                                                  "COORDINATOR_LOAD_IN_PROGRESS",
                                                  "COORDINATOR_NOT_AVAILABLE",
                                                  "NOT_COORDINATOR",
                                                  "NOT_ENOUGH_REPLICAS",
                                                  "NOT_ENOUGH_REPLICAS_AFTER_APPEND",
                                                  "NOT_CONTROLLER",
                                                  "CONCURRENT_TRANSACTIONS",
                                                  "KAFKA_STORAGE_ERROR",
                                                  "FETCH_SESSION_ID_NOT_FOUND",
                                                  "INVALID_FETCH_SESSION_EPOCH",
                                                  "LISTENER_NOT_FOUND",
                                                  "FENCED_LEADER_EPOCH",
                                                  "UNKNOWN_LEADER_EPOCH",
                                                  "OFFSET_NOT_AVAILABLE",
                                                  "PREFERRED_LEADER_NOT_AVAILABLE",
                                                  "ELIGIBLE_LEADERS_NOT_AVAILABLE",
                                                  "ELECTION_NOT_NEEDED",
                                                  "UNSTABLE_OFFSET_COMMIT",
                                                  "THROTTLING_QUOTA_EXCEEDED",
                                                  "UNKNOWN_TOPIC_ID",
                                                  "INCONSISTENT_TOPIC_ID",
                                                  "FETCH_SESSION_TOPIC_ID_ERROR",
                                                  "SHARE_SESSION_NOT_FOUND",
                                                  "INVALID_SHARE_SESSION_EPOCH",
                                                  "SHARE_SESSION_LIMIT_REACHED"};

constexpr std::string_view about_metadata_in_java[] = {"UNKNOWN_TOPIC_OR_PARTITION",
                                                       "LEADER_NOT_AVAILABLE",
                                                       "NOT_LEADER_OR_FOLLOWER",
                                                       "REPLICA_NOT_AVAILABLE",
                                                       "NETWORK_EXCEPTION",
                                                       "KAFKA_STORAGE_ERROR",
                                                       "LISTENER_NOT_FOUND",
                                                       "FENCED_LEADER_EPOCH",
                                                       "PREFERRED_LEADER_NOT_AVAILABLE",
                                                       "ELIGIBLE_LEADERS_NOT_AVAILABLE",
                                                       "ELECTION_NOT_NEEDED",
                                                       "UNKNOWN_TOPIC_ID",
                                                       "INCONSISTENT_TOPIC_ID"};

constexpr std::int16_t last_code = 133;

template <class Names>
bool has(const Names& names, std::string_view name) {
  return std::ranges::find(names, name) != std::ranges::end(names);
}

TEST(ErrorTraits, are_those_of_javas_exceptions_for_every_code) {
  for (std::int16_t number = -1; number <= last_code; ++number) {
    const auto code = static_cast<ErrorCode>(number);
    const std::string_view name = protocol::name_of(code);
    const ErrorTraits traits = traits_of(code);
    EXPECT_EQ(traits.retriable, has(retriable_in_java, name)) << name;
    EXPECT_EQ(traits.refresh_metadata, has(about_metadata_in_java, name)) << name;
  }
}

TEST(ErrorTraits, nothing_retriable_is_fatal) {
  for (std::int16_t number = -1; number <= last_code; ++number) {
    const ErrorTraits traits = traits_of(static_cast<ErrorCode>(number));
    if (traits.retriable) {
      EXPECT_FALSE(traits.fatal_for_producer || traits.fatal_for_consumer) << number;
    }
  }
}

TEST(ErrorTraits, say_whether_refused_records_may_be_in_the_log) {
  EXPECT_EQ(traits_of(ErrorCode::none).produce, Persistence::persisted);
  EXPECT_EQ(traits_of(ErrorCode::duplicate_sequence_number).produce, Persistence::persisted);
  EXPECT_EQ(traits_of(ErrorCode::not_enough_replicas).produce, Persistence::not_persisted);
  EXPECT_EQ(traits_of(ErrorCode::not_enough_replicas_after_append).produce, Persistence::unknown);
  EXPECT_EQ(traits_of(ErrorCode::request_timed_out).produce, Persistence::unknown);
  EXPECT_EQ(traits_of(ErrorCode::message_too_large).produce, Persistence::not_persisted);
  EXPECT_EQ(traits_of(ErrorCode::out_of_order_sequence_number).produce, Persistence::not_persisted);
}

TEST(ErrorTraits, say_who_is_finished) {
  EXPECT_TRUE(traits_of(ErrorCode::producer_fenced).fatal_for_producer);
  EXPECT_FALSE(traits_of(ErrorCode::producer_fenced).fatal_for_consumer);
  EXPECT_TRUE(traits_of(ErrorCode::fenced_instance_id).fatal_for_consumer);
  EXPECT_FALSE(traits_of(ErrorCode::topic_authorization_failed).fatal_for_producer);
  EXPECT_FALSE(traits_of(ErrorCode::unknown_member_id).fatal_for_consumer);
  EXPECT_TRUE(traits_of(ErrorCode::not_coordinator).find_coordinator);
  EXPECT_FALSE(traits_of(ErrorCode::coordinator_load_in_progress).find_coordinator);
}

TEST(ClientError, names_code_broker_and_what_is_known_of_the_records) {
  const ClientError said = broker_error(ErrorCode::not_enough_replicas_after_append, BrokerId(2),
                                        "orders-3: 1 of 2 replicas");
  EXPECT_EQ(to_string(said),
            "NOT_ENOUGH_REPLICAS_AFTER_APPEND (broker 2): orders-3: 1 of 2 replicas "
            "(perhaps persisted)");
  EXPECT_TRUE(said.retriable);
  const ClientError closed = client_error(Failure::closed, "");
  EXPECT_EQ(to_string(closed), "closed");
  EXPECT_TRUE(closed.fatal);
  EXPECT_EQ(to_string(client_error(Failure::buffer_full, "32 MiB wait")),
            "REQUEST_TIMED_OUT: 32 MiB wait");
}

TEST(ClientError, failures_of_this_side_have_the_codes_that_java_reports) {
  EXPECT_EQ(client_error(Failure::disconnected, "").code, ErrorCode::network_exception);
  EXPECT_EQ(client_error(Failure::timed_out, "").code, ErrorCode::request_timed_out);
  EXPECT_EQ(client_error(Failure::unsupported_version, "").code, ErrorCode::unsupported_version);
  EXPECT_FALSE(client_error(Failure::unsupported_version, "").retriable);
  EXPECT_EQ(client_error(Failure::record_too_large, "").code, ErrorCode::message_too_large);
  EXPECT_EQ(client_error(Failure::fenced, "").code, ErrorCode::producer_fenced);
  for (int kind = 0; kind <= static_cast<int>(Failure::wakened); ++kind) {
    EXPECT_FALSE(name_of(static_cast<Failure>(kind)).empty());
    static_cast<void>(client_error(static_cast<Failure>(kind), ""));
  }
}

}  // namespace
}  // namespace millrace::client
