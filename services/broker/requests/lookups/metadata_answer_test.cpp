// Metadata, in every version.
#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

// This one imports modules: it comes after all that includes standard headers.
#include "test_lookups.hpp"

import millrace.protocol.metadata;

namespace millrace::broker {
namespace {

using protocol::MetadataRequest;
using protocol::MetadataResponse;
using Wanted = MetadataRequest::MetadataRequestTopic;

constexpr std::int16_t versions = 14;

std::shared_ptr<const metadata::Image> two_topics() {
  std::vector<metadata::Partition> partitions = {
      Cluster::partition(0, 1, {1, 2}), Cluster::partition(1, 2, {2, 1}),
      Cluster::partition(2, -1, {2}), Cluster::partition(3, 3, {3, 9})};
  return Cluster()
      .broker(1, false, "rack-a")
      .broker(2, true)
      .broker(3)
      .topic("orders", uuid_of(1), partitions)
      .topic("__consumer_offsets", uuid_of(2), 1, 1, true)
      .image();
}

MetadataAnswer ask(Client& client, const MetadataRequest& request, std::int16_t version,
                   bool may_create = false) {
  return answer_metadata(request, version, client.view(two_topics()), may_create, "cluster",
                         client.arena);
}

MetadataRequest asking(const std::vector<Wanted>& topics) {
  MetadataRequest request;
  request.topics = {topics.data(), static_cast<std::int32_t>(topics.size())};
  return request;
}

TEST(Metadata, tells_brokers_that_clients_reach_and_a_live_controller) {
  Client client;
  for (std::int16_t version = 0; version < versions; ++version) {
    const auto answer = ask(client, asking({}), version);
    ASSERT_EQ(answer.message.brokers.size(), 2U);
    EXPECT_EQ(answer.message.brokers[0].node_id, 1);
    EXPECT_EQ(answer.message.brokers[0].host, "host-1");
    EXPECT_EQ(answer.message.brokers[0].port, 9092);
    EXPECT_EQ(answer.message.brokers[0].rack, "rack-a");
    EXPECT_EQ(answer.message.brokers[1].rack.data(), nullptr);
    EXPECT_EQ(answer.message.controller_id, 1);
    EXPECT_EQ(answer.message.cluster_id, "cluster");
    EXPECT_TRUE(encode_body(answer.message, version).has_value()) << "version " << version;
  }
}

TEST(Metadata, of_all_topics_is_asked_for_by_null_and_in_version_0_by_none) {
  Client client;
  for (std::int16_t version = 0; version < versions; ++version) {
    MetadataRequest all;
    if (version > 0) all.topics = protocol::Array<Wanted>::null();
    EXPECT_EQ(ask(client, all, version).message.topics.size(), 2U) << "version " << version;
    const std::size_t expected = version == 0 ? 2 : 0;
    EXPECT_EQ(ask(client, asking({}), version).message.topics.size(), expected);
  }
}

TEST(Metadata, tells_the_state_of_each_partition) {
  Client client;
  for (std::int16_t version = 0; version < versions; ++version) {
    const std::vector<Wanted> wanted = {{.topic_id = {}, .name = "orders"}};
    const auto answer = ask(client, asking(wanted), version);
    ASSERT_EQ(answer.message.topics.size(), 1U);
    const auto& topic = answer.message.topics[0];
    EXPECT_EQ(topic.error_code, 0);
    EXPECT_EQ(topic.topic_id, uuid_of(1));
    EXPECT_FALSE(topic.is_internal);
    ASSERT_EQ(topic.partitions.size(), 4U);
    EXPECT_EQ(topic.partitions[0].leader_id, 1);
    EXPECT_EQ(topic.partitions[0].leader_epoch, 3);
    EXPECT_EQ(listed(topic.partitions[0].replica_nodes), (std::vector<std::int32_t>{1, 2}));
    EXPECT_EQ(listed(topic.partitions[0].isr_nodes), (std::vector<std::int32_t>{1, 2}));
    EXPECT_EQ(listed(topic.partitions[0].offline_replicas), (std::vector<std::int32_t>{2}));
    EXPECT_EQ(topic.partitions[1].error_code, code_of(ErrorCode::leader_not_available));
    EXPECT_EQ(topic.partitions[1].leader_id, -1) << "its leader is fenced";
    EXPECT_EQ(topic.partitions[2].error_code, code_of(ErrorCode::leader_not_available));
    EXPECT_EQ(topic.partitions[3].error_code, 0);
    EXPECT_EQ(listed(topic.partitions[3].offline_replicas), (std::vector<std::int32_t>{9}));
  }
}

TEST(Metadata, finds_topics_by_id_from_version_12_on) {
  Client client;
  const std::vector<Wanted> wanted = {{.topic_id = uuid_of(1), .name = protocol::null_string},
                                      {.topic_id = uuid_of(7), .name = protocol::null_string},
                                      {.topic_id = uuid_of(1), .name = protocol::null_string},
                                      {.topic_id = {}, .name = protocol::null_string}};
  const auto answer = ask(client, asking(wanted), 12);
  ASSERT_EQ(answer.message.topics.size(), 3U) << "each once";
  EXPECT_EQ(answer.message.topics[0].name, "orders");
  EXPECT_EQ(answer.message.topics[1].error_code, code_of(ErrorCode::unknown_topic_id));
  EXPECT_EQ(answer.message.topics[1].topic_id, uuid_of(7));
  EXPECT_EQ(answer.message.topics[1].name.data(), nullptr);
  EXPECT_EQ(answer.message.topics[2].error_code, code_of(ErrorCode::invalid_request));
  EXPECT_TRUE(encode_body(answer.message, 12).has_value());
}

TEST(Metadata, wants_missing_topics_made_with_legal_names_once_and_if_it_may) {
  Client client;
  const std::vector<Wanted> wanted = {{.topic_id = {}, .name = "missing"},
                                      {.topic_id = {}, .name = "missing"},
                                      {.topic_id = {}, .name = "bad topic"},
                                      {.topic_id = {}, .name = "orders"}};
  const auto answer = ask(client, asking(wanted), 9, true);
  ASSERT_EQ(answer.message.topics.size(), 3U);
  EXPECT_EQ(answer.message.topics[0].error_code, code_of(ErrorCode::unknown_topic_or_partition));
  EXPECT_EQ(answer.message.topics[1].error_code, code_of(ErrorCode::invalid_topic_exception));
  EXPECT_EQ(answer.to_create, (std::vector<std::string_view>{"missing"}));
  EXPECT_EQ(answer.illegal_count, 1U);
  EXPECT_EQ(answer.first_illegal, "bad topic");
  EXPECT_TRUE(ask(client, asking(wanted), 9, false).to_create.empty());
  MetadataRequest unwilling = asking(wanted);
  unwilling.allow_auto_topic_creation = false;
  EXPECT_TRUE(ask(client, unwilling, 9, true).to_create.empty());
}

TEST(Metadata, hides_topics_from_who_may_not_describe_them) {
  Client client;
  client.authorizer.names = {"orders"};
  MetadataRequest all;
  all.topics = protocol::Array<Wanted>::null();
  EXPECT_EQ(ask(client, all, 12).message.topics.size(), 1U);
  const std::vector<Wanted> by_name = {{.topic_id = {}, .name = "orders"}};
  EXPECT_EQ(ask(client, asking(by_name), 12).message.topics[0].error_code,
            code_of(ErrorCode::topic_authorization_failed));
  const std::vector<Wanted> by_id = {{.topic_id = uuid_of(1), .name = protocol::null_string}};
  const auto hidden = ask(client, asking(by_id), 12).message.topics[0];
  EXPECT_EQ(hidden.error_code, code_of(ErrorCode::unknown_topic_id));
  EXPECT_EQ(hidden.name.data(), nullptr) << "the name stays a secret";
}

TEST(Metadata, tells_allowed_operations_when_asked_only) {
  Client client;
  const std::vector<Wanted> wanted = {{.topic_id = {}, .name = "orders"},
                                      {.topic_id = {}, .name = "missing"}};
  MetadataRequest request = asking(wanted);
  for (std::int16_t version = 0; version < versions; ++version) {
    const auto plain = ask(client, request, version);
    EXPECT_EQ(plain.message.topics[0].topic_authorized_operations, operations_not_asked);
    EXPECT_EQ(plain.message.cluster_authorized_operations, operations_not_asked);
    MetadataRequest asks = request;
    asks.include_topic_authorized_operations = true;
    asks.include_cluster_authorized_operations = true;
    const auto told = ask(client, asks, version);
    const bool of_topics = version >= 8;
    const bool of_cluster = version >= 8 && version <= 10;
    EXPECT_EQ(told.message.topics[0].topic_authorized_operations,
              of_topics ? 3576 : operations_not_asked);
    EXPECT_EQ(told.message.topics[1].topic_authorized_operations,
              of_topics ? 3576 : operations_not_asked);
    EXPECT_EQ(told.message.cluster_authorized_operations, of_cluster ? 8096 : operations_not_asked);
  }
}

TEST(Metadata, knows_internal_topics_before_they_are_there) {
  Client client;
  const std::vector<Wanted> wanted = {{.topic_id = {}, .name = "__transaction_state"},
                                      {.topic_id = {}, .name = "__consumer_offsets"}};
  const auto answer = ask(client, asking(wanted), 12);
  EXPECT_TRUE(answer.message.topics[0].is_internal);
  EXPECT_EQ(answer.message.topics[0].error_code, code_of(ErrorCode::unknown_topic_or_partition));
  EXPECT_TRUE(answer.message.topics[1].is_internal);
  EXPECT_EQ(answer.message.topics[1].error_code, 0);
}

}  // namespace
}  // namespace millrace::broker
