// The APIs that are served.
#include <gtest/gtest.h>

#include <cstdint>
#include <set>
#include <string>
#include <vector>

import millrace.broker.requests;
import millrace.protocol.api;
import millrace.security;

namespace millrace::broker {
namespace {

using protocol::ApiKey;
using security::Operation;
using security::QuotaKind;

std::string text_of(Route route) {
  switch (route) {
    case Route::here:
      return "here";
    case Route::data:
      return "data";
    case Route::fetch:
      return "fetch";
    case Route::group:
      return "group";
    case Route::controller:
      return "controller";
  }
  return "";
}

// "Produce 0-13 data, WRITE TOPIC, producer_byte_rate".
std::string text_of(const ApiRule& rule) {
  std::string text(protocol::name_of(rule.key));
  text += " " + std::to_string(rule.version_min) + "-" + std::to_string(rule.version_max) + " " +
          text_of(rule.route) + ",";
  for (const Question& question : rule.questions) {
    if (question.operation == Operation::unknown) continue;
    text += " " + std::string(security::name_of(question.operation)) + " " +
            std::string(security::name_of(question.type));
  }
  return text + ", " + std::string(security::name_of(rule.quota));
}

// The versions are those that Apache Kafka 4.3.1 advertises.
TEST(ApiRules, say_for_each_api_the_versions_who_answers_what_is_asked_and_which_quota) {
  const std::vector<std::string> expected = {
      "Produce 0-13 data, WRITE TOPIC WRITE TRANSACTIONAL_ID, producer_byte_rate",
      "Fetch 4-18 fetch, READ TOPIC, consumer_byte_rate",
      "ListOffsets 1-11 data, DESCRIBE TOPIC, request_percentage",
      "Metadata 0-13 here, DESCRIBE TOPIC CREATE TOPIC, request_percentage",
      "OffsetCommit 2-10 group, READ GROUP READ TOPIC, request_percentage",
      "OffsetFetch 1-10 group, DESCRIBE GROUP DESCRIBE TOPIC, request_percentage",
      "FindCoordinator 0-6 here, DESCRIBE GROUP DESCRIBE TRANSACTIONAL_ID, request_percentage",
      "JoinGroup 0-9 group, READ GROUP, request_percentage",
      "Heartbeat 0-4 group, READ GROUP, request_percentage",
      "LeaveGroup 0-5 group, READ GROUP, request_percentage",
      "SyncGroup 0-5 group, READ GROUP, request_percentage",
      "DescribeGroups 0-6 group, DESCRIBE GROUP, request_percentage",
      "ListGroups 0-5 group, DESCRIBE CLUSTER DESCRIBE GROUP, request_percentage",
      "ApiVersions 0-4 here,, request_percentage",
      "CreateTopics 2-7 controller, CREATE CLUSTER CREATE TOPIC, controller_mutation_rate",
      "DeleteTopics 1-6 controller, DELETE TOPIC, controller_mutation_rate",
      "DeleteRecords 0-2 data, DELETE TOPIC, request_percentage",
      "InitProducerId 0-5 here, IDEMPOTENT_WRITE CLUSTER WRITE TRANSACTIONAL_ID, "
      "request_percentage",
      "OffsetForLeaderEpoch 2-4 data, DESCRIBE TOPIC, request_percentage",
      "DescribeConfigs 1-4 here, DESCRIBE_CONFIGS TOPIC DESCRIBE_CONFIGS CLUSTER, "
      "request_percentage",
      "AlterConfigs 0-2 controller, ALTER_CONFIGS TOPIC ALTER_CONFIGS CLUSTER, "
      "request_percentage",
      "DescribeLogDirs 1-5 data, DESCRIBE CLUSTER, request_percentage",
      "CreatePartitions 0-3 controller, ALTER TOPIC, controller_mutation_rate",
      "DeleteGroups 0-2 group, DELETE GROUP, request_percentage",
      "IncrementalAlterConfigs 0-1 controller, ALTER_CONFIGS TOPIC ALTER_CONFIGS CLUSTER, "
      "request_percentage",
      "OffsetDelete 0-0 group, DELETE GROUP READ TOPIC, request_percentage",
      "DescribeQuorum 0-2 here, DESCRIBE CLUSTER, request_percentage",
      "DescribeCluster 0-2 here, DESCRIBE CLUSTER, request_percentage",
      "DescribeProducers 0-0 data, READ TOPIC, request_percentage",
      "ListConfigResources 0-1 here, DESCRIBE_CONFIGS CLUSTER, request_percentage",
      "DescribeTopicPartitions 0-0 here, DESCRIBE TOPIC, request_percentage",
  };
  std::vector<std::string> rules;
  for (const ApiRule& rule : api_rules()) rules.push_back(text_of(rule));
  EXPECT_EQ(rules, expected);
}

TEST(ApiRules, leave_out_what_does_not_work_yet) {
  for (const ApiKey key :
       {ApiKey::sasl_handshake, ApiKey::add_partitions_to_txn, ApiKey::end_txn,
        ApiKey::describe_acls, ApiKey::alter_client_quotas, ApiKey::update_features,
        ApiKey::consumer_group_heartbeat, ApiKey::get_telemetry_subscriptions,
        ApiKey::push_telemetry, ApiKey::share_fetch, ApiKey::streams_group_heartbeat}) {
    EXPECT_EQ(find_rule(key), nullptr) << protocol::name_of(key);
  }
}

TEST(ApiRules, refuse_the_versions_of_produce_that_are_advertised_for_old_clients_only) {
  const ApiRule* const produce = find_rule(ApiKey::produce);
  ASSERT_NE(produce, nullptr);
  EXPECT_EQ(produce->version_min, 0);
  EXPECT_FALSE(serves(*produce, 0));
  EXPECT_FALSE(serves(*produce, 2));
  EXPECT_TRUE(serves(*produce, 3));
  EXPECT_TRUE(serves(*produce, 13));
  EXPECT_FALSE(serves(*produce, 14));
}

TEST(ApiRules, do_not_serve_a_version_that_is_not_settled) {
  const ApiRule* const init = find_rule(ApiKey::init_producer_id);
  ASSERT_NE(init, nullptr);
  EXPECT_TRUE(serves(*init, 5));
  EXPECT_FALSE(serves(*init, 6));
}

}  // namespace
}  // namespace millrace::broker
