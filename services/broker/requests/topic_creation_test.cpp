// Topics that are made because somebody asked for them.
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

// This one imports modules: it comes after all that includes standard headers.
#include "test_support.hpp"

import millrace.protocol.admin;
import millrace.protocol.metadata;

namespace millrace::broker {
namespace {

using protocol::CreateTopicsRequest;
using protocol::CreateTopicsResponse;
using protocol::FindCoordinatorRequest;
using protocol::FindCoordinatorResponse;
using protocol::MetadataRequest;
using protocol::MetadataResponse;

// The error of the only topic that a metadata request asks for.
std::int16_t ask_for(Bench& bench, std::string_view topic, std::int16_t version = 12,
                     bool allow = true) {
  MetadataRequest::MetadataRequestTopic wanted;
  wanted.name = topic;
  MetadataRequest request;
  request.topics = {&wanted, 1};
  request.allow_auto_topic_creation = allow;
  return bench.ask<MetadataResponse>(request, version).message.topics[0].error_code;
}

Result<OwnedBytes, ErrorCode> made_with(const rpc::Forward& forward, ErrorCode error) {
  CreateTopicsResponse response;
  CreateTopicsResponse::CreatableTopicResult result;
  result.name = "orders";
  result.error_code = code_of(error);
  result.error_message = "because";
  response.topics = {&result, 1};
  return *encode_body(response, forward.version);
}

std::string lines_of(const Bench& bench) {
  std::string lines;
  for (const auto& line : bench.log->lines()) lines += line.message + "\n";
  return lines;
}

TEST(TopicCreation, makes_a_topic_that_a_client_asks_for) {
  Bench bench({{"num.partitions", "6", 0}, {"default.replication.factor", "2", 0}});
  bench.set(Cluster().broker(1).broker(2).image());
  bench.controller.answer = [](const rpc::Forward& forward) {
    return made_with(forward, ErrorCode::none);
  };
  EXPECT_EQ(ask_for(bench, "orders"), code_of(ErrorCode::unknown_topic_or_partition));
  ASSERT_EQ(bench.controller.forwards.size(), 1U);
  const rpc::Forward& forward = bench.controller.forwards[0];
  EXPECT_EQ(forward.api, ApiKey::create_topics);
  EXPECT_EQ(forward.principal, "User:alice");
  protocol::Arena arena(request_arena_bytes_max);
  CreateTopicsRequest request;
  ASSERT_TRUE(decode(request, forward.body, forward.version, arena).has_value());
  ASSERT_EQ(request.topics.size(), 1U);
  EXPECT_EQ(request.topics[0].name, "orders");
  EXPECT_EQ(request.topics[0].num_partitions, 6);
  EXPECT_EQ(request.topics[0].replication_factor, 2);
  EXPECT_NE(lines_of(bench).find("topic orders was made"), std::string::npos);
}

TEST(TopicCreation, makes_none_where_client_or_broker_does_not_want_it) {
  Bench bench;
  bench.set(Cluster().broker(1).image());
  EXPECT_EQ(ask_for(bench, "orders", 12, false), code_of(ErrorCode::unknown_topic_or_partition));
  EXPECT_EQ(ask_for(bench, "bad topic"), code_of(ErrorCode::invalid_topic_exception));
  EXPECT_NE(lines_of(bench).find("\"bad topic\", first of 1 illegal names"), std::string::npos);
  bench.authorizer.refuse(security::Operation::create, security::ResourceType::cluster,
                          std::string(security::cluster_name));
  bench.authorizer.refuse(security::Operation::create, security::ResourceType::topic, "secret");
  EXPECT_EQ(ask_for(bench, "secret"), code_of(ErrorCode::topic_authorization_failed));
  Bench without({{"auto.create.topics.enable", "false", 0}});
  without.set(Cluster().broker(1).image());
  EXPECT_EQ(ask_for(without, "orders"), code_of(ErrorCode::unknown_topic_or_partition));
  EXPECT_TRUE(bench.controller.forwards.empty());
  EXPECT_TRUE(without.controller.forwards.empty());
}

// Old clients cannot say whether they want it: they do.
TEST(TopicCreation, makes_a_topic_for_clients_of_every_age) {
  for (std::int16_t version = 0; version <= 13; ++version) {
    Bench bench;
    bench.set(Cluster().broker(1).image());
    EXPECT_EQ(ask_for(bench, "orders", version), code_of(ErrorCode::unknown_topic_or_partition));
    EXPECT_EQ(bench.controller.forwards.size(), 1U) << "version " << version;
  }
}

TEST(TopicCreation, asks_once_while_there_is_no_answer) {
  Bench bench;
  bench.set(Cluster().broker(1).image());
  AsyncMutex hold;
  bench.controller.hold = &hold;
  {
    const auto guard = bench.executor.run([](AsyncMutex& mutex) -> Task<AsyncMutex::Guard> {
      co_return co_await mutex.lock();
    }(hold));
    ASSERT_TRUE(guard.has_value());
    for (int i = 0; i < 3; ++i) ask_for(bench, "orders");
    EXPECT_EQ(bench.controller.forwards.size(), 1U);
  }
  bench.executor.run_until_idle();
  ask_for(bench, "orders");
  EXPECT_EQ(bench.controller.forwards.size(), 2U);
  EXPECT_TRUE(bench.executor.run(bench.dispatcher.stop()).has_value());
}

TEST(TopicCreation, says_in_the_log_why_a_topic_could_not_be_made) {
  Bench bench;
  bench.set(Cluster().broker(1).image());
  bench.controller.answer = [](const rpc::Forward& forward) {
    return made_with(forward, ErrorCode::invalid_replication_factor);
  };
  ask_for(bench, "orders");
  EXPECT_NE(lines_of(bench).find("INVALID_REPLICATION_FACTOR because"), std::string::npos)
      << lines_of(bench);
  bench.controller.answer = [](const rpc::Forward&) {
    return Result<OwnedBytes, ErrorCode>(OwnedBytes{std::byte{1}});
  };
  ask_for(bench, "orders");
  EXPECT_NE(lines_of(bench).find("cannot be read"), std::string::npos) << lines_of(bench);
}

TEST(TopicCreation, makes_the_state_topic_of_groups_on_first_use) {
  for (std::int16_t version = 0; version <= 6; ++version) {
    Bench bench;
    bench.set(Cluster().broker(1).broker(2).image());
    bench.controller.answer = [](const rpc::Forward& forward) {
      return made_with(forward, ErrorCode::none);
    };
    FindCoordinatorRequest request;
    const protocol::String key = "group";
    if (version < 4) {
      request.key = key;
    } else {
      request.coordinator_keys = {&key, 1};
    }
    const auto answer = bench.ask<FindCoordinatorResponse>(request, version);
    const std::int16_t error =
        version < 4 ? answer.message.error_code : answer.message.coordinators[0].error_code;
    EXPECT_EQ(error, code_of(ErrorCode::coordinator_not_available));
    ASSERT_EQ(bench.controller.forwards.size(), 1U) << "version " << version;
    protocol::Arena arena(request_arena_bytes_max);
    CreateTopicsRequest made;
    const rpc::Forward& forward = bench.controller.forwards[0];
    ASSERT_TRUE(decode(made, forward.body, forward.version, arena).has_value());
    EXPECT_EQ(made.topics[0].name, "__consumer_offsets");
    EXPECT_EQ(made.topics[0].num_partitions, 50);
    EXPECT_EQ(made.topics[0].replication_factor, 2) << "there are two brokers, three are wanted";
    EXPECT_EQ(made.topics[0].configs.size(), 4U);
    EXPECT_NE(lines_of(bench).find("2 replicas instead of 3"), std::string::npos);
  }
}

// Shards and brokers all ask for it at once: only the one that made it says so.
TEST(TopicCreation, says_once_that_the_state_topic_of_groups_has_few_replicas) {
  Bench bench;
  bench.set(Cluster().broker(1).image());
  bench.controller.answer = [](const rpc::Forward& forward) {
    return made_with(forward, ErrorCode::topic_already_exists);
  };
  FindCoordinatorRequest request;
  request.key = "group";
  bench.ask<FindCoordinatorResponse>(request, std::int16_t{0});
  EXPECT_EQ(bench.controller.forwards.size(), 1U);
  EXPECT_EQ(lines_of(bench).find("replicas instead of"), std::string::npos) << lines_of(bench);
}

TEST(TopicCreation, gives_the_state_topic_of_groups_its_settings) {
  const auto config = server_config({{"offsets.topic.num.partitions", "4", 0},
                                     {"offsets.topic.replication.factor", "1", 0},
                                     {"offsets.topic.segment.bytes", "2000000", 0}});
  const NewTopic expected{.name = "__consumer_offsets",
                          .partitions = 4,
                          .replication_factor = 1,
                          .settings = {{"cleanup.policy", "compact"},
                                       {"compression.type", "producer"},
                                       {"file.delete.delay.ms", "100"},
                                       {"segment.bytes", "2000000"}}};
  EXPECT_EQ(group_topic(*config, 3), expected);
  EXPECT_EQ(group_topic(*config, 0).replication_factor, 1);
}

// Kafka's default is for a coordinator that reads a partition once in its life of many days.
TEST(TopicCreation, gives_the_state_topic_of_groups_small_segments_unless_others_are_asked_for) {
  const auto segment_bytes = [](std::vector<config::PropertyEntry> entries) {
    return group_topic(*server_config(std::move(entries)), 1).settings.back().second;
  };
  EXPECT_EQ(segment_bytes({}), "4194304");
  EXPECT_EQ(segment_bytes({{"offsets.topic.segment.bytes", "104857600", 0}}), "104857600");
}

// The property may be smaller than the same property of a topic: no controller would make it.
TEST(TopicCreation, gives_the_state_topic_of_groups_segments_as_large_as_a_topics_must_be) {
  const auto config = server_config({{"offsets.topic.segment.bytes", "1000", 0}});
  const NewTopic topic = group_topic(*config, 1);
  EXPECT_EQ(topic.settings.back(),
            (std::pair<std::string, std::string>("segment.bytes", "1048576")));
}

}  // namespace
}  // namespace millrace::broker
