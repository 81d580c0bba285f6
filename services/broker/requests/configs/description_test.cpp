// Settings as DescribeConfigs tells them.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

import millrace.broker.requests.configs;
import millrace.config;
import millrace.metadata;

namespace millrace::broker {
namespace {

// The numbers that Apache Kafka 4.3.1 sends.
TEST(ConfigDescription, has_kafkas_numbers) {
  EXPECT_EQ(static_cast<int>(wire_source(config::SourceKind::per_topic)), 1);
  EXPECT_EQ(static_cast<int>(wire_source(config::SourceKind::per_broker)), 2);
  EXPECT_EQ(static_cast<int>(wire_source(config::SourceKind::cluster_wide)), 3);
  EXPECT_EQ(static_cast<int>(wire_source(config::SourceKind::command_line)), 4);
  EXPECT_EQ(static_cast<int>(wire_source(config::SourceKind::file)), 4);
  EXPECT_EQ(static_cast<int>(wire_source(config::SourceKind::default_value)), 5);
  EXPECT_EQ(static_cast<int>(wire_type(config::Type::boolean)), 1);
  EXPECT_EQ(static_cast<int>(wire_type(config::Type::string)), 2);
  EXPECT_EQ(static_cast<int>(wire_type(config::Type::int32)), 3);
  EXPECT_EQ(static_cast<int>(wire_type(config::Type::int16)), 4);
  EXPECT_EQ(static_cast<int>(wire_type(config::Type::int64)), 5);
  EXPECT_EQ(static_cast<int>(wire_type(config::Type::real)), 6);
  EXPECT_EQ(static_cast<int>(wire_type(config::Type::list)), 7);
  EXPECT_EQ(static_cast<int>(wire_type(config::Type::password)), 9);
}

TEST(ConfigDescription, never_tells_a_secret) {
  // The definitions of no server property are secrets today; those of this set are.
  constexpr static auto definitions =
      std::to_array<config::Definition>({{.name = "the.password",
                                          .type = config::Type::password,
                                          .change = config::Change::per_broker,
                                          .processes = config::Processes::broker}});
  config::ConfigBuilder builder(
      {.definitions = definitions, .foreign_names = {}, .relations = {}, .topic_definitions = {}},
      {}, nullptr);
  builder.add(config::Layer{.kind = config::SourceKind::per_broker,
                            .file = {},
                            .entries = {{"the.password", "sesame", 0}}});
  const auto built = std::move(builder).finish();
  ASSERT_TRUE(built.config.has_value());
  const auto rows = describe(*built.config);
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_TRUE(rows[0].is_sensitive);
  EXPECT_FALSE(rows[0].value.has_value());
  ASSERT_EQ(rows[0].synonyms.size(), 1U);
  EXPECT_FALSE(rows[0].synonyms[0].value.has_value());
}

TEST(ConfigDescription, shows_what_nobody_can_change_as_read_only) {
  const auto made = config::make_server_config({}, {}, nullptr);
  ASSERT_TRUE(made);
  for (const ConfigRow& row : describe(made->config.untyped())) {
    // In Kafka both can be changed; one is read at the start only, the other not at all.
    if (row.name == "listeners" || row.name == "transaction.partition.verification.enable") {
      EXPECT_TRUE(row.is_read_only) << row.name;
    }
    if (row.name == "log.retention.ms") EXPECT_FALSE(row.is_read_only);
  }
}

TEST(ConfigDescription, of_a_default_of_all_brokers_hides_what_it_does_not_know) {
  const metadata::ConfigMap settings = {{"log.retention.ms", "5"}, {"unknown.password", "sesame"}};
  const auto rows = describe_broker_default(settings);
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[0].value, "5");
  EXPECT_EQ(rows[0].type, ConfigType::int64);
  EXPECT_FALSE(rows[0].documentation.empty());
  EXPECT_TRUE(rows[1].is_sensitive);
  EXPECT_FALSE(rows[1].value.has_value());
}

TEST(ConfigDescription, goes_by_both_names_of_a_property) {
  ConfigRow row;
  row.name = "node.id";
  EXPECT_EQ(names_of(row), (std::vector<std::string_view>{"node.id", "broker.id"}));
  row.name = "log.dirs.of.nobody";
  EXPECT_EQ(names_of(row), std::vector<std::string_view>{"log.dirs.of.nobody"});
}

}  // namespace
}  // namespace millrace::broker
