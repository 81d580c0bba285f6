// Where requests go, and what closes a connection. Also proves surroundings.cpp.
#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

// This one imports modules: it comes after all that includes standard headers.
#include "test_support.hpp"

import millrace.protocol.admin;
import millrace.protocol.metadata;
import millrace.protocol.transactions;

namespace millrace::broker {
namespace {

using metadata::ConfigKind;

TEST(Dispatcher, gives_each_api_to_whoever_answers_it) {
  const std::map<ApiKey, std::string> expected = {
      {ApiKey::produce, "produce"},
      {ApiKey::fetch, "fetch"},
      {ApiKey::list_offsets, "list_offsets"},
      {ApiKey::delete_records, "delete_records"},
      {ApiKey::offset_for_leader_epoch, "offset_for_leader_epoch"},
      {ApiKey::describe_log_dirs, "describe_log_dirs"},
      {ApiKey::describe_producers, "describe_producers"},
      {ApiKey::offset_commit, "group"},
      {ApiKey::offset_fetch, "group"},
      {ApiKey::join_group, "group"},
      {ApiKey::heartbeat, "group"},
      {ApiKey::leave_group, "group"},
      {ApiKey::sync_group, "group"},
      {ApiKey::describe_groups, "group"},
      {ApiKey::list_groups, "group"},
      {ApiKey::delete_groups, "group"},
      {ApiKey::offset_delete, "group"},
  };
  Bench bench;
  for (const ApiRule& rule : api_rules()) {
    if (rule.route == Route::here || rule.route == Route::controller) continue;
    ASSERT_TRUE(expected.contains(rule.key)) << protocol::name_of(rule.key);
    bench.rest.last.clear();
    const Response response = bench.serve(bench.request(rule.key, rule.version_max, {}));
    EXPECT_EQ(response.kind(), Response::Kind::none);
    EXPECT_EQ(bench.rest.last, expected.at(rule.key));
  }
}

TEST(Dispatcher, closes_the_connection_of_who_asks_for_what_is_not_served) {
  Bench bench;
  const Response unknown = bench.serve(bench.request(ApiKey::end_txn, 0, {}));
  EXPECT_EQ(unknown.kind(), Response::Kind::close);
  EXPECT_EQ(unknown.reason(), "EndTxn is not served here");
  const Response old = bench.serve(bench.request(ApiKey::produce, 2, {}));
  EXPECT_EQ(old.kind(), Response::Kind::close);
  EXPECT_EQ(old.reason(), "version 2 of Produce is not served here");
  const Response unsettled = bench.serve(bench.request(ApiKey::init_producer_id, 6, {}));
  EXPECT_EQ(unsettled.kind(), Response::Kind::close);
}

TEST(Dispatcher, closes_the_connection_of_who_sends_garbage) {
  Bench bench;
  const std::vector<std::byte> garbage(9, std::byte{0x7f});
  for (const ApiRule& rule : api_rules()) {
    if (rule.route != Route::here && rule.route != Route::controller) continue;
    for (std::int16_t version = rule.version_min; version <= rule.version_max; ++version) {
      const Response response = bench.serve(bench.request(rule.key, version, garbage));
      const bool has_empty_body = rule.key == ApiKey::api_versions && version < 3;
      if (has_empty_body) {
        EXPECT_EQ(response.kind(), Response::Kind::frame);
        continue;
      }
      EXPECT_EQ(response.kind(), Response::Kind::close)
          << protocol::name_of(rule.key) << " " << version;
      EXPECT_NE(response.reason().find("cannot be read"), std::string::npos) << response.reason();
    }
  }
  EXPECT_TRUE(bench.controller.forwards.empty());
}

// A request in which every question of the table has its occasion.
template <class Message>
void serve_all_versions(Bench& bench, const Message& message) {
  const ApiRule& rule = *find_rule(Message::api_key);
  for (std::int16_t version = rule.version_min; version <= rule.version_max; ++version) {
    if (!encode_body(message, version)) continue;
    EXPECT_NE(bench.serve(bench.request(message, version)).kind(), Response::Kind::none);
  }
}

TEST(Dispatcher, asks_the_authoriser_what_the_table_of_apis_says) {
  Bench bench({{"auto.create.topics.enable", "true", 0}});
  bench.set(Cluster().broker(1).topic("orders", uuid_of(1), 2).image());
  protocol::MetadataRequest metadata;
  const protocol::MetadataRequest::MetadataRequestTopic missing{.topic_id = {}, .name = "missing"};
  metadata.topics = {&missing, 1};
  protocol::FindCoordinatorRequest group;
  group.key = "g";
  protocol::FindCoordinatorRequest transaction = group;
  transaction.key_type = 1;
  protocol::CreateTopicsRequest create;
  const protocol::CreateTopicsRequest::CreatableTopic created{
      .name = "t", .num_partitions = 1, .replication_factor = 1, .assignments = {}, .configs = {}};
  create.topics = {&created, 1};
  protocol::DeleteTopicsRequest remove;
  const protocol::String removed = "orders";
  remove.topic_names = {&removed, 1};
  protocol::InitProducerIdRequest plain;
  plain.transactional_id = protocol::null_string;
  protocol::InitProducerIdRequest transactional;
  transactional.transactional_id = "tx";
  protocol::DescribeConfigsRequest configs;
  const std::vector<protocol::DescribeConfigsRequest::DescribeConfigsResource> described = {
      {.resource_type = 2, .resource_name = "orders", .configuration_keys = {}},
      {.resource_type = 4, .resource_name = "1", .configuration_keys = {}}};
  configs.resources = {described.data(), 2};
  protocol::AlterConfigsRequest alter;
  const std::vector<protocol::AlterConfigsRequest::AlterConfigsResource> altered = {
      {.resource_type = 2, .resource_name = "orders", .configs = {}},
      {.resource_type = 4, .resource_name = "1", .configs = {}}};
  alter.resources = {altered.data(), 2};
  protocol::IncrementalAlterConfigsRequest step;
  const std::vector<protocol::IncrementalAlterConfigsRequest::AlterConfigsResource> stepped = {
      {.resource_type = 2, .resource_name = "orders", .configs = {}},
      {.resource_type = 4, .resource_name = "1", .configs = {}}};
  step.resources = {stepped.data(), 2};
  protocol::CreatePartitionsRequest grow;
  const protocol::CreatePartitionsRequest::CreatePartitionsTopic grown{
      .name = "orders", .count = 3, .assignments = {}};
  grow.topics = {&grown, 1};
  protocol::DescribeClusterRequest cluster;
  cluster.include_cluster_authorized_operations = true;

  // Refused in the cluster, so that the topic is asked for too.
  bench.authorizer.refuse(security::Operation::create, security::ResourceType::cluster,
                          std::string(security::cluster_name));
  const auto proves = [&](auto... messages) {
    bench.authorizer.asked.clear();
    (serve_all_versions(bench, messages), ...);
    const ApiKey key = std::get<0>(std::tuple(messages...)).api_key;
    for (const Question& question : find_rule(key)->questions) {
      if (question == Question{}) continue;
      EXPECT_TRUE(bench.authorizer.was_asked(question))
          << protocol::name_of(key) << " " << security::name_of(question.operation) << " "
          << security::name_of(question.type);
    }
    return 1;
  };
  int proven = 0;
  proven += proves(metadata) + proves(group, transaction) + proves(create) + proves(remove);
  proven += proves(plain, transactional) + proves(configs) + proves(alter) + proves(step);
  proven += proves(grow) + proves(cluster) + proves(protocol::DescribeQuorumRequest());
  proven += proves(protocol::ListConfigResourcesRequest());
  proven +=
      proves(protocol::DescribeTopicPartitionsRequest()) + proves(protocol::ApiVersionsRequest());
  const auto is_ours = [](const ApiRule& rule) {
    return rule.route == Route::here || rule.route == Route::controller;
  };
  EXPECT_EQ(proven, std::count_if(api_rules().begin(), api_rules().end(), is_ours));
}

TEST(Dispatcher, tells_the_quotas_what_was_used_and_holds_the_answer_back) {
  Bench bench;
  bench.quotas.throttle = std::chrono::seconds{3};
  const MonotonicTime before = bench.executor.clock().now();
  const Response response = bench.serve(bench.request(protocol::DescribeClusterRequest(), 1));
  EXPECT_EQ(response.kind(), Response::Kind::frame);
  ASSERT_EQ(bench.quotas.told.size(), 1U);
  EXPECT_EQ(bench.quotas.told[0].kind, security::QuotaKind::request);
  EXPECT_EQ(bench.executor.clock().now() - before, std::chrono::seconds{3});
}

// Fetch, groups and Produce tell them what they used by themselves, forwarding what it changed.
TEST(Dispatcher, tells_the_quotas_of_all_other_requests_too) {
  for (const ApiRule& rule : api_rules()) {
    const bool is_ours = rule.route == Route::here || rule.route == Route::data;
    if (!is_ours || rule.key == ApiKey::produce) continue;
    Bench bench;
    bench.quotas.throttle = std::chrono::seconds{3};
    const MonotonicTime before = bench.executor.clock().now();
    bench.serve(bench.request(rule.key, rule.version_max, {}));
    ASSERT_EQ(bench.quotas.told.size(), 1U) << protocol::name_of(rule.key);
    EXPECT_EQ(bench.quotas.told[0].kind, rule.quota) << protocol::name_of(rule.key);
    EXPECT_EQ(bench.executor.clock().now() - before, std::chrono::seconds{3});
  }
}

TEST(Dispatcher, tells_the_ports_that_a_connection_closes) {
  Bench bench;
  bench.dispatcher.connection_closing(ConnectionId(5));
  // Fetch and groups are one object here.
  EXPECT_EQ(bench.rest.closing, (std::vector{ConnectionId(5), ConnectionId(5)}));
}

// Every beginning of a good request is answered or closes the connection.
TEST(Dispatcher, survives_every_cut_of_a_request) {
  Bench bench;
  bench.set(Cluster().broker(1).topic("orders", uuid_of(1), 2).image());
  protocol::DescribeConfigsRequest configs;
  const protocol::String key = "retention.ms";
  const protocol::DescribeConfigsRequest::DescribeConfigsResource described{
      .resource_type = 2, .resource_name = "orders", .configuration_keys = {&key, 1}};
  configs.resources = {&described, 1};
  for (std::int16_t version = 1; version <= 4; ++version) {
    const auto body = encode_body(configs, version);
    ASSERT_TRUE(body.has_value());
    for (std::size_t size = 0; size < body->size(); ++size) {
      const ByteView cut = ByteView(*body).first(size);
      EXPECT_EQ(bench.serve(bench.request(ApiKey::describe_configs, version, cut)).kind(),
                Response::Kind::close)
          << "version " << version << " cut at " << size;
    }
  }
}

}  // namespace
}  // namespace millrace::broker
