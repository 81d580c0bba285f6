// Requests for the controllers. Also proves quorum.cpp.
#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

// This one imports modules: it comes after all that includes standard headers.
#include "test_support.hpp"

import millrace.protocol.admin;

namespace millrace::broker {
namespace {

using protocol::CreatePartitionsRequest;
using protocol::CreatePartitionsResponse;
using protocol::CreateTopicsRequest;
using protocol::CreateTopicsResponse;
using protocol::DeleteTopicsRequest;
using protocol::DeleteTopicsResponse;
using protocol::IncrementalAlterConfigsRequest;
using protocol::IncrementalAlterConfigsResponse;
using security::Operation;
using security::ResourceType;

std::vector<CreateTopicsRequest::CreatableTopic> topics_named(
    std::initializer_list<std::string_view> names) {
  std::vector<CreateTopicsRequest::CreatableTopic> topics;
  for (const std::string_view name : names) {
    CreateTopicsRequest::CreatableTopic topic;
    topic.name = name;
    topic.num_partitions = 2;
    topic.replication_factor = 1;
    topics.push_back(topic);
  }
  return topics;
}

CreateTopicsRequest creating(const std::vector<CreateTopicsRequest::CreatableTopic>& topics) {
  CreateTopicsRequest request;
  request.topics = {topics.data(), static_cast<std::int32_t>(topics.size())};
  return request;
}

TEST(Forwarding, passes_request_and_answer_on_as_they_are_with_who_asks) {
  for (std::int16_t version = 2; version <= 7; ++version) {
    Bench bench;
    CreateTopicsResponse made;
    CreateTopicsResponse::CreatableTopicResult result;
    result.name = "orders";
    result.topic_id = version >= 7 ? uuid_of(4) : Uuid{};
    made.topics = {&result, 1};
    bench.controller.answer = [&](const rpc::Forward& forward) {
      return *encode_body(made, forward.version);
    };
    const auto topics = topics_named({"orders"});
    const auto request = creating(topics);
    const auto answer = bench.ask<CreateTopicsResponse>(request, version);
    ASSERT_EQ(answer.message.topics.size(), 1U);
    EXPECT_EQ(answer.message.topics[0].name, "orders");
    EXPECT_EQ(answer.message.topics[0].topic_id, result.topic_id);
    ASSERT_EQ(bench.controller.forwards.size(), 1U);
    const rpc::Forward& forward = bench.controller.forwards[0];
    EXPECT_EQ(forward.api, ApiKey::create_topics);
    EXPECT_EQ(forward.version, version);
    EXPECT_EQ(forward.principal, "User:alice");
    EXPECT_EQ(forward.client_id, "client");
    EXPECT_EQ(forward.listener, "PLAINTEXT");
    EXPECT_EQ(forward.timeout, std::chrono::seconds{30});
    EXPECT_EQ(forward.body, *encode_body(request, version));
  }
}

TEST(Forwarding, names_in_the_log_who_asks_for_what_nobody_may_have) {
  Bench bench;
  const auto answer_with = [&](const std::vector<ErrorCode>& errors) {
    bench.controller.answer = [errors](const rpc::Forward& forward) {
      std::vector<CreateTopicsResponse::CreatableTopicResult> results(errors.size());
      for (std::size_t i = 0; i < errors.size(); ++i) {
        results[i].name = i == 0 ? "first" : "a/b";
        results[i].error_code = code_of(errors[i]);
        results[i].error_message = "for a reason";
      }
      CreateTopicsResponse made;
      made.topics = {results.data(), static_cast<std::int32_t>(results.size())};
      return *encode_body(made, forward.version);
    };
  };
  const auto topics = topics_named({"first", "a/b", "c/d"});
  answer_with({ErrorCode::topic_already_exists, ErrorCode::none, ErrorCode::none});
  static_cast<void>(bench.ask<CreateTopicsResponse>(creating(topics), 7));
  EXPECT_TRUE(bench.log->lines().empty()) << "clients meet each other, or make what is there";
  answer_with(
      {ErrorCode::none, ErrorCode::invalid_topic_exception, ErrorCode::invalid_topic_exception});
  static_cast<void>(bench.ask<CreateTopicsResponse>(creating(topics), 7));
  ASSERT_EQ(bench.log->lines().size(), 1U);
  const std::string line = bench.log->lines()[0].message;
  for (const std::string_view part : {"CreateTopics", "User:alice", "client id client", "\"a/b\"",
                                      "first of 2", "INVALID_TOPIC_EXCEPTION", "for a reason"}) {
    EXPECT_NE(line.find(part), std::string::npos) << part << " in " << line;
  }
}

TEST(Forwarding, takes_out_what_the_principal_may_not_do) {
  Bench bench;
  bench.authorizer.refuse(Operation::create, ResourceType::cluster,
                          std::string(security::cluster_name));
  bench.authorizer.refuse(Operation::create, ResourceType::topic, "secret");
  bench.controller.answer = [](const rpc::Forward& forward) {
    protocol::Arena arena(request_arena_bytes_max);
    CreateTopicsRequest seen;
    EXPECT_TRUE(decode(seen, forward.body, forward.version, arena).has_value());
    EXPECT_EQ(seen.topics.size(), 2U);
    CreateTopicsResponse made;
    const std::vector<CreateTopicsResponse::CreatableTopicResult> results = [&] {
      std::vector<CreateTopicsResponse::CreatableTopicResult> all(2);
      all[0].name = seen.topics[0].name;
      all[1].name = seen.topics[1].name;
      return all;
    }();
    made.topics = {results.data(), 2};
    return *encode_body(made, forward.version);
  };
  const auto topics = topics_named({"orders", "secret", "bills"});
  const auto answer = bench.ask<CreateTopicsResponse>(creating(topics), 7);
  ASSERT_EQ(answer.message.topics.size(), 3U);
  EXPECT_EQ(answer.message.topics[0].name, "secret");
  EXPECT_EQ(answer.message.topics[0].error_code, code_of(ErrorCode::topic_authorization_failed));
  EXPECT_EQ(answer.message.topics[1].name, "orders");
  EXPECT_EQ(answer.message.topics[1].error_code, 0);
  EXPECT_EQ(answer.message.topics[2].name, "bills");
}

TEST(Forwarding, asks_no_controller_where_all_is_refused) {
  Bench bench;
  bench.authorizer.refuse(Operation::alter, ResourceType::topic, "orders");
  CreatePartitionsRequest request;
  const CreatePartitionsRequest::CreatePartitionsTopic topic{
      .name = "orders", .count = 3, .assignments = {}};
  request.topics = {&topic, 1};
  for (std::int16_t version = 0; version <= 3; ++version) {
    const auto answer = bench.ask<CreatePartitionsResponse>(request, version);
    ASSERT_EQ(answer.message.results.size(), 1U);
    EXPECT_EQ(answer.message.results[0].error_code, code_of(ErrorCode::topic_authorization_failed));
    EXPECT_FALSE(answer.message.results[0].error_message.empty());
  }
  EXPECT_TRUE(bench.controller.forwards.empty());
}

TEST(Forwarding, says_in_the_form_of_each_version_that_nobody_answered) {
  Bench bench;
  bench.controller.answer = [](const rpc::Forward&) {
    return Result<OwnedBytes, ErrorCode>(failure(ErrorCode::request_timed_out));
  };
  const std::vector<protocol::String> names = {"orders", "bills"};
  const std::vector<DeleteTopicsRequest::DeleteTopicState> states = {
      {.name = "orders", .topic_id = {}}, {.name = protocol::null_string, .topic_id = uuid_of(3)}};
  for (std::int16_t version = 1; version <= 6; ++version) {
    DeleteTopicsRequest request;
    if (version < 6) {
      request.topic_names = {names.data(), 2};
    } else {
      request.topics = {states.data(), 2};
    }
    const auto answer = bench.ask<DeleteTopicsResponse>(request, version);
    ASSERT_EQ(answer.message.responses.size(), 2U) << "version " << version;
    EXPECT_EQ(answer.message.responses[0].name, "orders");
    EXPECT_EQ(answer.message.responses[0].error_code, code_of(ErrorCode::request_timed_out));
    EXPECT_EQ(answer.message.responses[1].error_code, code_of(ErrorCode::request_timed_out));
    if (version == 6) {
      EXPECT_EQ(answer.message.responses[1].topic_id, uuid_of(3));
    }
  }
}

TEST(Forwarding, of_old_deletions_takes_out_what_is_refused) {
  Bench bench;
  bench.authorizer.refuse(Operation::remove, ResourceType::topic, "secret");
  bench.controller.answer = [](const rpc::Forward& forward) {
    protocol::Arena arena(request_arena_bytes_max);
    DeleteTopicsRequest seen;
    EXPECT_TRUE(decode(seen, forward.body, forward.version, arena).has_value());
    EXPECT_EQ(seen.topic_names.size(), 1U);
    DeleteTopicsResponse response;
    DeleteTopicsResponse::DeletableTopicResult result;
    result.name = "orders";
    response.responses = {&result, 1};
    return *encode_body(response, forward.version);
  };
  const std::vector<protocol::String> names = {"secret", "orders"};
  DeleteTopicsRequest request;
  request.topic_names = {names.data(), 2};
  const auto answer = bench.ask<DeleteTopicsResponse>(request, 5);
  ASSERT_EQ(answer.message.responses.size(), 2U);
  EXPECT_EQ(answer.message.responses[0].error_code, code_of(ErrorCode::topic_authorization_failed));
  EXPECT_EQ(answer.message.responses[1].error_code, 0);
}

// A topic that is named by its id is asked for by its name.
TEST(Forwarding, of_a_deletion_by_id_asks_for_the_topic_that_has_it) {
  Bench bench;
  bench.set(Cluster().broker(1).topic("secret", uuid_of(3), 1).image());
  bench.authorizer.refuse(Operation::remove, ResourceType::topic, "secret");
  DeleteTopicsRequest request;
  const DeleteTopicsRequest::DeleteTopicState state{.name = protocol::null_string,
                                                    .topic_id = uuid_of(3)};
  request.topics = {&state, 1};
  const auto answer = bench.ask<DeleteTopicsResponse>(request, 6);
  ASSERT_EQ(answer.message.responses.size(), 1U);
  EXPECT_EQ(answer.message.responses[0].error_code, code_of(ErrorCode::topic_authorization_failed));
  EXPECT_EQ(answer.message.responses[0].name.data(), nullptr) << "the name stays a secret";
}

TEST(Forwarding, of_settings_says_which_resource_failed) {
  Bench bench;
  bench.authorizer.refuse(Operation::alter_configs, ResourceType::cluster,
                          std::string(security::cluster_name));
  bench.controller.answer = [](const rpc::Forward&) {
    return Result<OwnedBytes, ErrorCode>(failure(ErrorCode::not_controller));
  };
  const std::vector<IncrementalAlterConfigsRequest::AlterConfigsResource> resources = {
      {.resource_type = 4, .resource_name = "", .configs = {}},
      {.resource_type = 2, .resource_name = "orders", .configs = {}}};
  IncrementalAlterConfigsRequest request;
  request.resources = {resources.data(), 2};
  for (std::int16_t version = 0; version <= 1; ++version) {
    const auto answer = bench.ask<IncrementalAlterConfigsResponse>(request, version);
    ASSERT_EQ(answer.message.responses.size(), 2U);
    EXPECT_EQ(answer.message.responses[0].resource_type, 4);
    EXPECT_EQ(answer.message.responses[0].error_code,
              code_of(ErrorCode::cluster_authorization_failed));
    EXPECT_EQ(answer.message.responses[1].resource_name, "orders");
    EXPECT_EQ(answer.message.responses[1].error_code, code_of(ErrorCode::not_controller));
  }
}

TEST(Forwarding, holds_back_who_changes_too_many_partitions) {
  Bench bench;
  bench.quotas.throttle = std::chrono::seconds{2};
  const auto topics = topics_named({"a", "b"});
  const MonotonicTime before = bench.executor.clock().now();
  static_cast<void>(bench.serve(bench.request(creating(topics), 5)));
  EXPECT_EQ(bench.executor.clock().now() - before, std::chrono::seconds{2});
  ASSERT_EQ(bench.quotas.told.size(), 1U);
  EXPECT_EQ(bench.quotas.told[0].kind, security::QuotaKind::controller_mutation);
  EXPECT_EQ(bench.quotas.told[0].amount, 2U);
}

using protocol::DescribeQuorumRequest;
using protocol::DescribeQuorumResponse;

struct AskingQuorum {
  explicit AskingQuorum(std::string_view name) {
    topic.topic_name = name;
    topic.partitions = {&partition, 1};
    request.topics = {&topic, 1};
  }
  DescribeQuorumRequest::PartitionData partition;
  DescribeQuorumRequest::TopicData topic;
  DescribeQuorumRequest request;
};

TEST(Quorum, is_described_in_every_version) {
  const AskingQuorum asking("__cluster_metadata");
  for (std::int16_t version = 0; version <= 2; ++version) {
    Bench bench;
    rpc::DescribeQuorumReply quorum;
    quorum.leader_id = rpc::NodeId(101);
    quorum.leader_epoch = LeaderEpoch(4);
    quorum.high_watermark = 900;
    quorum.voters.push_back({.id = rpc::NodeId(101), .log_end = 905});
    bench.controller.quorum = quorum;
    const auto answer = bench.ask<DescribeQuorumResponse>(asking.request, version);
    EXPECT_EQ(answer.message.error_code, 0);
    ASSERT_EQ(answer.message.topics.size(), 1U);
    const auto& told = answer.message.topics[0].partitions[0];
    EXPECT_EQ(told.error_code, 0);
    EXPECT_EQ(told.leader_id, 101);
    EXPECT_EQ(told.leader_epoch, 4);
    EXPECT_EQ(told.high_watermark, 900);
    ASSERT_EQ(told.current_voters.size(), 1U);
    EXPECT_EQ(told.current_voters[0].log_end_offset, 905);
    EXPECT_EQ(answer.message.nodes.size(), version >= 2 ? 1U : 0U);
  }
}

TEST(Quorum, of_another_topic_is_unknown) {
  const AskingQuorum asking("orders");
  Bench bench;
  bench.controller.quorum = rpc::DescribeQuorumReply{};
  const auto answer = bench.ask<DescribeQuorumResponse>(asking.request, 2);
  EXPECT_EQ(answer.message.topics[0].partitions[0].error_code,
            code_of(ErrorCode::unknown_topic_or_partition));
}

TEST(Quorum, of_very_many_partitions_is_not_described) {
  AskingQuorum asking("__cluster_metadata");
  const std::vector<DescribeQuorumRequest::PartitionData> many(1025);
  asking.topic.partitions = {many.data(), static_cast<std::int32_t>(many.size())};
  Bench bench;
  bench.controller.quorum = rpc::DescribeQuorumReply{};
  const auto answer = bench.ask<DescribeQuorumResponse>(asking.request, 2);
  EXPECT_EQ(answer.message.error_code, code_of(ErrorCode::invalid_request));
  EXPECT_TRUE(answer.message.topics.empty());
}

TEST(Quorum, is_an_error_with_a_sentence_while_no_controller_answers) {
  const AskingQuorum asking("__cluster_metadata");
  Bench bench;
  bench.controller.quorum =
      failure(rpc::RpcError{.fault = rpc::RpcFault::timed_out, .message = "no answer within 30 s"});
  const auto late = bench.ask<DescribeQuorumResponse>(asking.request, 2);
  EXPECT_EQ(late.message.error_code, code_of(ErrorCode::request_timed_out));
  EXPECT_EQ(late.message.error_message, "no answer within 30 s");
  bench.authorizer.refuse(Operation::describe, ResourceType::cluster,
                          std::string(security::cluster_name));
  const auto refused = bench.ask<DescribeQuorumResponse>(asking.request, 2);
  EXPECT_EQ(refused.message.error_code, code_of(ErrorCode::cluster_authorization_failed));
}

}  // namespace
}  // namespace millrace::broker
