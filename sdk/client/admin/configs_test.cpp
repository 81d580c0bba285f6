// Also proves cluster.cpp.
#include <gtest/gtest.h>

#include "admin_machine.hpp"

namespace millrace::client {
namespace {

using Codes = std::vector<ErrorCode>;

const ConfigEntry* find(const std::vector<ConfigEntry>& entries, std::string_view name) {
  const auto found = std::ranges::find(entries, name, &ConfigEntry::name);
  return found == entries.end() ? nullptr : &*found;
}

TEST(AdminConfigs, are_described_and_changed_each_with_its_outcome) {
  AdminMachine machine;
  machine.make_topic("orders");
  const ConfigResource orders{ResourceType::topic, "orders"};
  const auto altered = machine.run(machine.admin->alter_configs(
      {{orders,
        {{"retention.ms", ConfigOperation::set, "5000"},
         {"cleanup.policy", ConfigOperation::append, "compact"}}},
       {{ResourceType::topic, "nothing"}, {{"retention.ms", ConfigOperation::set, "1"}}},
       {{ResourceType::broker, "2"}, {{"log.cleaner.threads", ConfigOperation::set, "2"}}},
       {{ResourceType::broker, "9"}, {{"log.cleaner.threads", ConfigOperation::set, "2"}}},
       {orders, {{"retention.ms", ConfigOperation::set, "soon"}}}}));
  ASSERT_EQ(altered.size(), 5u);
  EXPECT_EQ(outcome(altered[0].second), ErrorCode::none);
  EXPECT_EQ(outcome(altered[1].second), ErrorCode::unknown_topic_or_partition);
  EXPECT_EQ(outcome(altered[2].second), ErrorCode::none);
  EXPECT_EQ(altered[3].second.error().failure, Failure::unknown_broker);
  EXPECT_EQ(outcome(altered[4].second), ErrorCode::invalid_config);

  DescribeConfigsOptions with_all;
  with_all.synonyms = true;
  with_all.documentation = true;
  const auto told = machine.run(machine.admin->describe_configs(
      {orders, {ResourceType::broker, "2"}, {ResourceType::topic, "nothing"}}, with_all));
  ASSERT_TRUE(told[0].second && told[1].second);
  const ConfigEntry* const retention = find(*told[0].second, "retention.ms");
  ASSERT_NE(retention, nullptr);
  EXPECT_EQ(retention->value, "5000");
  EXPECT_EQ(retention->source, ConfigSource::topic);
  EXPECT_FALSE(retention->synonyms.empty());
  EXPECT_FALSE(retention->documentation.empty());
  const ConfigEntry* const bytes = find(*told[0].second, "max.message.bytes");
  ASSERT_NE(bytes, nullptr);
  EXPECT_EQ(bytes->source, ConfigSource::default_value);
  EXPECT_NE(find(*told[1].second, "log.cleaner.threads"), nullptr);
  EXPECT_EQ(outcome(told[2].second), ErrorCode::unknown_topic_or_partition);
}

TEST(AdminCluster, is_described_with_its_features_and_directories) {
  AdminMachine machine;
  machine.make_topic("orders", 2);
  machine.append("orders", 1, 3);
  const auto cluster = machine.run(machine.admin->describe_cluster());
  ASSERT_TRUE(cluster) << to_string(cluster.error());
  EXPECT_FALSE(cluster->id.empty());
  EXPECT_EQ(cluster->controller, BrokerId(1));
  ASSERT_EQ(cluster->brokers.size(), 3u);
  EXPECT_EQ(cluster->brokers[2].address.port, machine.cluster->address(BrokerId(3)).port);
  const auto features = machine.run(machine.admin->describe_features());
  ASSERT_TRUE(features.has_value()) << to_string(features.error());
  const auto metadata = std::ranges::find(features->features, "metadata.version", &Feature::name);
  ASSERT_NE(metadata, features->features.end());
  EXPECT_EQ(metadata->finalized, 30);
  const auto directories =
      machine.run(machine.admin->describe_log_dirs({BrokerId(2), BrokerId(9)}));
  ASSERT_TRUE(directories[0].second && directories[0].second->size() == 1);
  const LogDir& directory = directories[0].second->front();
  ASSERT_EQ(directory.partitions.size(), 2u);
  EXPECT_EQ(directory.partitions[1].partition, place("orders", 1));
  EXPECT_GT(directory.partitions[1].bytes, 0);
  EXPECT_EQ(directories[1].second.error().failure, Failure::unknown_broker);
}

}  // namespace
}  // namespace millrace::client
