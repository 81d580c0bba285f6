// Also proves reading.cpp, writing.cpp.
#include <gtest/gtest.h>

#include <cstddef>
#include <span>
#include <string>
#include <utility>
#include <vector>

// This one imports modules: it comes after all that includes standard headers.
#include "controller_machine.hpp"

namespace millrace::controller {
namespace {

using protocol::ApiKey;
using protocol::Array;

template <class Message>
Body body_of(const Message& message, std::int16_t version) {
  const auto size = protocol::measure(message, version);
  EXPECT_TRUE(size);
  Body body(size->inline_bytes);
  protocol::Writer writer(body, {});
  protocol::write(message, version, writer);
  return body;
}

template <class Message>
Message read(const Body& body, std::int16_t version, protocol::Arena& arena) {
  Message message;
  EXPECT_TRUE(protocol::decode(message, body, version, arena));
  return message;
}

TEST(Translation, topics_are_created_in_all_versions) {
  using Request = protocol::CreateTopicsRequest;
  const auto server = default_server();
  for (std::int16_t version = Request::version_min; version <= Request::version_max; ++version) {
    const std::vector<std::int32_t> brokers = {1, 2};
    const std::vector<Request::CreatableReplicaAssignment> assignments = {
        {0, Array<std::int32_t>(std::span<const std::int32_t>(brokers))}};
    const std::vector<Request::CreatableTopicConfig> settings = {
        {"retention.ms", "5"}, {"segment.ms", protocol::null_string}};
    std::vector<Request::CreatableTopic> topics(1);
    topics[0].name = "orders";
    topics[0].num_partitions = -1;
    topics[0].replication_factor = -1;
    topics[0].assignments =
        Array(std::span<const Request::CreatableReplicaAssignment>(assignments));
    topics[0].configs = Array(std::span<const Request::CreatableTopicConfig>(settings));
    Request message;
    message.topics = Array(std::span<const Request::CreatableTopic>(topics));
    message.validate_only = true;
    const auto request = read_request(ApiKey::create_topics, version, body_of(message, version));
    ASSERT_TRUE(request);
    const auto& wanted = std::get<metadata::CreateTopics>(*request);
    EXPECT_TRUE(wanted.validate_only);
    EXPECT_EQ(wanted.topics.at(0).name, "orders");
    EXPECT_EQ(wanted.topics[0].assignments.at(0).second,
              (metadata::Replicas{BrokerId(1), BrokerId(2)}));
    EXPECT_EQ(wanted.topics[0].settings.at(0).second, "5");
    EXPECT_FALSE(wanted.topics[0].settings.at(1).second);

    metadata::CreateTopicsReply reply;
    reply.topics.resize(2);
    reply.topics[0].name = "orders";
    reply.topics[0].id.bytes[3] = std::byte{9};
    reply.topics[0].partitions = 4;
    reply.topics[0].replication_factor = 2;
    reply.topics[0].settings = {{"retention.ms", "5"}};
    reply.topics[1].name = "bad name";
    reply.topics[1].outcome = {metadata::ErrorCode::invalid_topic_exception, "no"};
    const auto body = write_reply(ApiKey::create_topics, version, reply, *server);
    ASSERT_TRUE(body);
    protocol::Arena arena(mebibyte);
    const auto response = read<protocol::CreateTopicsResponse>(*body, version, arena);
    ASSERT_EQ(response.topics.size(), 2u);
    EXPECT_EQ(response.topics[0].error_code, 0);
    EXPECT_EQ(response.topics[0].error_message.data(), nullptr);
    EXPECT_EQ(response.topics[1].error_code, 17);
    EXPECT_EQ(response.topics[1].error_message, "no");
    if (version < 5) continue;
    EXPECT_EQ(response.topics[0].num_partitions, 4);
    EXPECT_EQ(response.topics[1].num_partitions, -1);
    bool found = false;
    for (const auto& setting : response.topics[0].configs) {
      if (setting.name != "retention.ms") continue;
      found = true;
      EXPECT_EQ(setting.value, "5");
      EXPECT_EQ(setting.config_source, 1);
    }
    EXPECT_TRUE(found);
  }
}

TEST(Translation, topics_are_deleted_by_name_and_from_version_6_by_id) {
  using Request = protocol::DeleteTopicsRequest;
  const auto server = default_server();
  for (std::int16_t version = Request::version_min; version <= Request::version_max; ++version) {
    const std::vector<protocol::String> names = {"orders"};
    std::vector<Request::DeleteTopicState> states(2);
    states[0].name = "orders";
    states[1].topic_id.bytes[0] = std::byte{4};
    Request message;
    message.topic_names = Array(std::span<const protocol::String>(names));
    message.topics = Array(std::span<const Request::DeleteTopicState>(states));
    if (version < 6) {
      message.topics = {};
    } else {
      message.topic_names = {};
    }
    const auto request = read_request(ApiKey::delete_topics, version, body_of(message, version));
    ASSERT_TRUE(request);
    const auto& wanted = std::get<metadata::DeleteTopics>(*request);
    EXPECT_EQ(wanted.topics.at(0).name, "orders");
    if (version >= 6) {
      EXPECT_FALSE(wanted.topics.at(1).name);
      EXPECT_EQ(wanted.topics[1].id, states[1].topic_id);
    }
    metadata::DeleteTopicsReply reply;
    reply.topics.push_back(
        {"orders", Uuid(), {metadata::ErrorCode::unknown_topic_or_partition, "none"}});
    const auto body = write_reply(ApiKey::delete_topics, version, reply, *server);
    ASSERT_TRUE(body);
    protocol::Arena arena(mebibyte);
    const auto response = read<protocol::DeleteTopicsResponse>(*body, version, arena);
    EXPECT_EQ(response.responses[0].error_code, 3);
  }
}

TEST(Translation, settings_are_replaced_or_changed_by_the_api_that_asks) {
  const auto server = default_server();
  using Incremental = protocol::IncrementalAlterConfigsRequest;
  for (std::int16_t version = Incremental::version_min; version <= Incremental::version_max;
       ++version) {
    std::vector<Incremental::AlterableConfig> settings(1);
    settings[0].name = "cleanup.policy";
    settings[0].config_operation = 2;
    settings[0].value = "compact";
    std::vector<Incremental::AlterConfigsResource> resources(1);
    resources[0].resource_type = 2;
    resources[0].resource_name = "orders";
    resources[0].configs = Array(std::span<const Incremental::AlterableConfig>(settings));
    Incremental message;
    message.resources = Array(std::span<const Incremental::AlterConfigsResource>(resources));
    const auto request =
        read_request(ApiKey::incremental_alter_configs, version, body_of(message, version));
    ASSERT_TRUE(request);
    const auto& wanted = std::get<metadata::AlterConfigs>(*request);
    EXPECT_FALSE(wanted.replaces);
    EXPECT_EQ(wanted.resources.at(0).changes.at(0).operation, metadata::SettingOperation::append);
  }
  using Replacing = protocol::AlterConfigsRequest;
  for (std::int16_t version = Replacing::version_min; version <= Replacing::version_max;
       ++version) {
    const auto request =
        read_request(ApiKey::alter_configs, version, body_of(Replacing(), version));
    ASSERT_TRUE(request);
    EXPECT_TRUE(std::get<metadata::AlterConfigs>(*request).replaces);
    metadata::AlterConfigsReply reply;
    reply.resources.push_back({2, "orders", {metadata::ErrorCode::invalid_config, "why"}});
    const auto body = write_reply(ApiKey::alter_configs, version, reply, *server);
    ASSERT_TRUE(body);
    protocol::Arena arena(mebibyte);
    const auto response = read<protocol::AlterConfigsResponse>(*body, version, arena);
    EXPECT_EQ(response.responses[0].error_message, "why");
    EXPECT_EQ(response.responses[0].resource_name, "orders");
  }
}

TEST(Translation, partitions_are_added_in_all_versions) {
  using Request = protocol::CreatePartitionsRequest;
  const auto server = default_server();
  for (std::int16_t version = Request::version_min; version <= Request::version_max; ++version) {
    std::vector<Request::CreatePartitionsTopic> topics(1);
    topics[0].name = "orders";
    topics[0].count = 9;
    topics[0].assignments = Array<Request::CreatePartitionsAssignment>::null();
    Request message;
    message.topics = Array(std::span<const Request::CreatePartitionsTopic>(topics));
    const auto request =
        read_request(ApiKey::create_partitions, version, body_of(message, version));
    ASSERT_TRUE(request);
    const auto& wanted = std::get<metadata::CreatePartitions>(*request);
    EXPECT_EQ(wanted.topics.at(0).count, 9);
    EXPECT_FALSE(wanted.topics[0].assignments);
    metadata::CreatePartitionsReply reply;
    reply.topics.push_back({"orders", {}});
    EXPECT_TRUE(write_reply(ApiKey::create_partitions, version, reply, *server));
  }
}

TEST(Translation, a_body_that_is_none_and_an_api_that_is_not_ours_are_refused) {
  const Body garbage(7, std::byte{0xff});
  for (const ApiKey api : {ApiKey::create_topics, ApiKey::delete_topics, ApiKey::create_partitions,
                           ApiKey::alter_configs, ApiKey::incremental_alter_configs}) {
    const auto request = read_request(api, 1, garbage);
    ASSERT_FALSE(request);
    EXPECT_FALSE(request.error().message.empty());
  }
  EXPECT_EQ(read_request(ApiKey::fetch, 1, garbage).error().error,
            metadata::ErrorCode::unsupported_version);
}

// The topics are made: their answer must not be one that is too large to be sent.
TEST(Translation, of_very_many_new_topics_no_settings_are_told) {
  metadata::CreateTopicsReply reply;
  reply.topics.resize(20'000);
  for (std::size_t i = 0; i < reply.topics.size(); ++i) {
    reply.topics[i].name = "topic-" + std::to_string(i);
    reply.topics[i].partitions = 1;
    reply.topics[i].replication_factor = 1;
  }
  const auto body = write_reply(ApiKey::create_topics, 7, reply, *default_server());
  ASSERT_TRUE(body);
  EXPECT_LT(body->size(), rpc::message_bytes_max);
  protocol::Arena arena(16 * mebibyte);
  const auto response = read<protocol::CreateTopicsResponse>(*body, 7, arena);
  ASSERT_EQ(response.topics.size(), reply.topics.size());
  EXPECT_EQ(response.topics[19'999].name, "topic-19999");
  EXPECT_EQ(response.topics[19'999].error_code, 0);
  EXPECT_EQ(response.topics[19'999].num_partitions, -1);
  EXPECT_TRUE(response.topics[19'999].configs.is_null());
}

TEST(Translation, a_refusal_of_the_whole_request_is_no_body) {
  metadata::CreateTopicsReply reply;
  reply.outcome = {metadata::ErrorCode::not_controller, "no"};
  const auto body = write_reply(ApiKey::create_topics, 7, reply, *default_server());
  ASSERT_FALSE(body);
  EXPECT_EQ(body.error().error, metadata::ErrorCode::not_controller);
}

TEST(Translation, the_quorum_is_described_for_its_own_log_only) {
  using Request = protocol::DescribeQuorumRequest;
  for (std::int16_t version = Request::version_min; version <= Request::version_max; ++version) {
    std::vector<Request::PartitionData> partitions(1);
    std::vector<Request::TopicData> topics(2);
    topics[0].topic_name = "__cluster_metadata";
    topics[0].partitions = Array(std::span<const Request::PartitionData>(partitions));
    topics[1].topic_name = "orders";
    topics[1].partitions = Array(std::span<const Request::PartitionData>(partitions));
    Request message;
    message.topics = Array(std::span<const Request::TopicData>(topics));
    QuorumState state;
    state.leader = 3;
    state.epoch = 2;
    state.high_watermark = 77;
    state.voters = {{3, 78}};
    const auto body = describe_quorum(version, body_of(message, version), state);
    ASSERT_TRUE(body);
    protocol::Arena arena(mebibyte);
    const auto response = read<protocol::DescribeQuorumResponse>(*body, version, arena);
    const auto& partition = response.topics[0].partitions[0];
    EXPECT_EQ(partition.leader_id, 3);
    EXPECT_EQ(partition.high_watermark, 77);
    EXPECT_EQ(partition.current_voters[0].log_end_offset, 78);
    EXPECT_EQ(response.topics[1].partitions[0].error_code, 3);
  }
}

}  // namespace
}  // namespace millrace::controller
