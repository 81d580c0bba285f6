// DescribeConfigs and ListConfigResources.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

// This one imports modules: it comes after all that includes standard headers.
#include "test_support.hpp"

import millrace.protocol.admin;

namespace millrace::broker {
namespace {

using metadata::ConfigKind;
using protocol::DescribeConfigsRequest;
using protocol::DescribeConfigsResponse;
using protocol::ListConfigResourcesRequest;
using protocol::ListConfigResourcesResponse;
using protocol::String;
using security::Operation;
using security::ResourceType;
using Row = DescribeConfigsResponse::DescribeConfigsResourceResult;

// One resource; no keys: all.
struct Asking {
  Asking(std::int8_t type, String name, std::vector<String> wanted = {}) : keys(std::move(wanted)) {
    resource.resource_type = type;
    resource.resource_name = name;
    resource.configuration_keys =
        keys.empty() ? protocol::Array<String>::null()
                     : protocol::Array<String>(keys.data(), static_cast<std::int32_t>(keys.size()));
    request.resources = {&resource, 1};
    request.include_synonyms = true;
  }
  Asking(const Asking&) = delete;
  Asking& operator=(const Asking&) = delete;

  std::vector<String> keys;
  DescribeConfigsRequest::DescribeConfigsResource resource;
  DescribeConfigsRequest request;
};

const Row* find(const DescribeConfigsResponse::DescribeConfigsResult& result, String name) {
  const auto found = std::find_if(result.configs.begin(), result.configs.end(),
                                  [&](const Row& row) { return row.name == name; });
  return found == result.configs.end() ? nullptr : found;
}

// "log.retention.ms=700000 from 2".
std::vector<std::string> synonyms_of(const Row& row) {
  std::vector<std::string> texts;
  for (const auto& synonym : row.synonyms) {
    texts.push_back(std::string(synonym.name) + "=" + std::string(synonym.value) + " from " +
                    std::to_string(synonym.source));
  }
  return texts;
}

// As Apache Kafka 4.3.1 answers after the same changes.
std::shared_ptr<const metadata::Image> image_with_retention() {
  return Cluster()
      .broker(1)
      .topic("orders", uuid_of(1), 1)
      .topic("plain", uuid_of(2), 1)
      .config(ConfigKind::topic, "orders", "retention.ms", "500000")
      .config(ConfigKind::broker, "", "log.retention.ms", "600000")
      .config(ConfigKind::broker, "1", "log.retention.ms", "700000")
      .image();
}

TEST(DescribeConfigs, tells_a_topic_what_counts_and_what_would_count_instead) {
  Bench bench({{"log.retention.hours", "100", 0}});
  bench.set(image_with_retention());
  const Asking asking(2, "orders", {"retention.ms", "segment.ms", "nonsense"});
  for (std::int16_t version = 1; version <= 4; ++version) {
    const auto answer = bench.ask<DescribeConfigsResponse>(asking.request, version);
    ASSERT_EQ(answer.message.results.size(), 1U);
    const auto& result = answer.message.results[0];
    EXPECT_EQ(result.error_code, 0);
    EXPECT_EQ(result.resource_type, 2);
    EXPECT_EQ(result.resource_name, "orders");
    EXPECT_EQ(result.configs.size(), 2U) << "only what was asked for and exists";
    const Row* const retention = find(result, "retention.ms");
    ASSERT_NE(retention, nullptr);
    EXPECT_EQ(retention->value, "500000");
    EXPECT_EQ(retention->config_source, 1);
    EXPECT_FALSE(retention->read_only);
    EXPECT_EQ(retention->config_type, version >= 3 ? 5 : 0);
    EXPECT_EQ(synonyms_of(*retention),
              (std::vector<std::string>{
                  "retention.ms=500000 from 1", "log.retention.ms=700000 from 2",
                  "log.retention.ms=600000 from 3", "log.retention.hours=100 from 4",
                  "log.retention.hours=168 from 5"}));
    const Row* const segment = find(result, "segment.ms");
    ASSERT_NE(segment, nullptr);
    EXPECT_EQ(segment->value, "604800000");
    EXPECT_EQ(segment->config_source, 5);
  }
}

TEST(DescribeConfigs, tells_a_broker_what_counts_for_it) {
  Bench bench({{"log.retention.hours", "100", 0}, {"node.id", "1", 0}});
  bench.set(image_with_retention());
  const Asking asking(4, "1");
  const auto answer = bench.ask<DescribeConfigsResponse>(asking.request, 4);
  const auto& result = answer.message.results[0];
  EXPECT_EQ(result.error_code, 0);
  EXPECT_EQ(result.configs.size(), config::server_definitions.size());
  const Row* const retention = find(result, "log.retention.ms");
  ASSERT_NE(retention, nullptr);
  EXPECT_EQ(retention->value, "700000");
  EXPECT_EQ(retention->config_source, 2);
  EXPECT_FALSE(retention->read_only);
  EXPECT_EQ(synonyms_of(*retention).front(), "log.retention.ms=700000 from 2");
  const Row* const node = find(result, "node.id");
  ASSERT_NE(node, nullptr);
  EXPECT_EQ(node->value, "1");
  EXPECT_TRUE(node->read_only);
  EXPECT_EQ(node->config_source, 4);
  EXPECT_EQ(node->config_type, 3);
}

TEST(DescribeConfigs, of_all_brokers_tells_what_is_set_for_them_and_nothing_else) {
  Bench bench;
  bench.set(image_with_retention());
  const Asking asking(4, "");
  const auto answer = bench.ask<DescribeConfigsResponse>(asking.request, 4);
  const auto& result = answer.message.results[0];
  ASSERT_EQ(result.configs.size(), 1U);
  EXPECT_EQ(result.configs[0].name, "log.retention.ms");
  EXPECT_EQ(result.configs[0].value, "600000");
  EXPECT_EQ(result.configs[0].config_source, 3);
}

TEST(DescribeConfigs, knows_kafkas_other_name_of_a_property) {
  Bench bench({{"node.id", "1", 0}});
  bench.set(image_with_retention());
  const Asking asking(4, "1", {"broker.id"});
  const auto answer = bench.ask<DescribeConfigsResponse>(asking.request, 4);
  ASSERT_EQ(answer.message.results[0].configs.size(), 1U);
  EXPECT_EQ(answer.message.results[0].configs[0].name, "broker.id");
  EXPECT_EQ(answer.message.results[0].configs[0].value, "1");
}

TEST(DescribeConfigs, documents_and_lists_synonyms_only_when_asked) {
  Bench bench;
  bench.set(image_with_retention());
  Asking asking(2, "orders", {"retention.ms"});
  asking.request.include_synonyms = false;
  const auto plain = bench.ask<DescribeConfigsResponse>(asking.request, 4);
  EXPECT_EQ(plain.message.results[0].configs[0].synonyms.size(), 0U);
  EXPECT_EQ(plain.message.results[0].configs[0].documentation.data(), nullptr);
  asking.request.include_documentation = true;
  const auto documented = bench.ask<DescribeConfigsResponse>(asking.request, 4);
  EXPECT_FALSE(documented.message.results[0].configs[0].documentation.empty());
}

TEST(DescribeConfigs, of_topics_without_settings_of_their_own_are_the_brokers) {
  Bench bench;
  bench.set(Cluster(image_with_retention()).topic("other", uuid_of(3), 1).image());
  Asking first(2, "plain");
  std::vector<DescribeConfigsRequest::DescribeConfigsResource> resources(3, first.resource);
  resources[1].resource_name = "other";
  first.request.resources = {resources.data(), 3};
  const auto answer = bench.ask<DescribeConfigsResponse>(first.request, 4);
  ASSERT_EQ(answer.message.results.size(), 2U) << "each resource once";
  EXPECT_EQ(answer.message.results[1].resource_name, "other");
  for (const auto& result : answer.message.results) {
    ASSERT_EQ(result.configs.size(), config::topic_definitions.size());
    EXPECT_EQ(find(result, "retention.ms")->value, "700000");
    EXPECT_EQ(find(result, "retention.ms")->config_source, 2);
  }
}

TEST(DescribeConfigs, says_what_is_wrong_with_a_resource) {
  Bench bench;
  bench.set(image_with_retention());
  bench.authorizer.refuse(Operation::describe_configs, ResourceType::topic, "secret");
  const std::vector<std::tuple<std::int8_t, String, ErrorCode>> cases = {
      {2, "missing", ErrorCode::unknown_topic_or_partition},
      {2, "bad topic", ErrorCode::invalid_topic_exception},
      {2, "secret", ErrorCode::topic_authorization_failed},
      {4, "7", ErrorCode::invalid_request},
      {4, "x", ErrorCode::invalid_request},
      {99, "x", ErrorCode::invalid_request},
  };
  for (const auto& [type, name, error] : cases) {
    const Asking asking(type, name);
    const auto answer = bench.ask<DescribeConfigsResponse>(asking.request, 4);
    EXPECT_EQ(answer.message.results[0].error_code, code_of(error)) << name;
    EXPECT_FALSE(answer.message.results[0].error_message.empty()) << name;
    EXPECT_EQ(answer.message.results[0].resource_type, type);
  }
  bench.authorizer.refuse(Operation::describe_configs, ResourceType::cluster,
                          std::string(security::cluster_name));
  const Asking asking(4, "1");
  EXPECT_EQ(bench.ask<DescribeConfigsResponse>(asking.request, 4).message.results[0].error_code,
            code_of(ErrorCode::cluster_authorization_failed));
}

std::map<std::int8_t, std::vector<std::string>> resources_of(
    const ListConfigResourcesResponse& message) {
  std::map<std::int8_t, std::vector<std::string>> found;
  for (const auto& resource : message.config_resources) {
    found[resource.resource_type].emplace_back(resource.resource_name);
  }
  return found;
}

TEST(ListConfigResources, lists_brokers_and_topics_or_what_is_asked_for) {
  Bench bench;
  bench.set(Cluster(image_with_retention()).broker(2, true).image());
  ListConfigResourcesRequest request;
  const auto all = bench.ask<ListConfigResourcesResponse>(request, 1);
  EXPECT_EQ(resources_of(all.message), (std::map<std::int8_t, std::vector<std::string>>{
                                           {2, {"orders", "plain"}}, {4, {"1"}}}));
  const std::int8_t topics = 2;
  request.resource_types = {&topics, 1};
  const auto some = bench.ask<ListConfigResourcesResponse>(request, 1);
  EXPECT_EQ(resources_of(some.message).size(), 1U);
  const std::int8_t nonsense = 99;
  request.resource_types = {&nonsense, 1};
  EXPECT_EQ(bench.ask<ListConfigResourcesResponse>(request, 1).message.error_code,
            code_of(ErrorCode::unsupported_version));
}

// It lists the settings of client metrics, and there are none.
TEST(ListConfigResources, of_version_0_are_none) {
  Bench bench;
  bench.set(image_with_retention());
  const auto answer = bench.ask<ListConfigResourcesResponse>(ListConfigResourcesRequest(), 0);
  EXPECT_EQ(answer.message.error_code, 0);
  EXPECT_EQ(answer.message.config_resources.size(), 0U);
  bench.authorizer.refuse(Operation::describe_configs, ResourceType::cluster,
                          std::string(security::cluster_name));
  EXPECT_EQ(
      bench.ask<ListConfigResourcesResponse>(ListConfigResourcesRequest(), 0).message.error_code,
      code_of(ErrorCode::cluster_authorization_failed));
}

}  // namespace
}  // namespace millrace::broker
