// Also proves settings.cpp.
#include <gtest/gtest.h>

#include <string>

// This one imports modules: it comes after all that includes standard headers.
#include "test_support.hpp"

namespace millrace::metadata {
namespace {

constexpr auto topic_kind = static_cast<std::int8_t>(ConfigKind::topic);
constexpr auto broker_kind = static_cast<std::int8_t>(ConfigKind::broker);

Outcome alter(Bench& bench, ResourceChange change, bool replaces = false,
              bool validate_only = false) {
  AlterConfigs request;
  request.resources.push_back(std::move(change));
  request.replaces = replaces;
  request.validate_only = validate_only;
  return bench.call<AlterConfigsReply>(request).resources.at(0).outcome;
}

class Altering : public testing::Test {
 protected:
  Altering() {
    bench.lead().start_broker(1);
    bench.create("orders");
  }
  [[nodiscard]] ConfigMap settings(ConfigKind kind, std::string_view name) const {
    const ConfigMap* found = bench.image().config(kind, name);
    return found == nullptr ? ConfigMap() : *found;
  }
  Bench bench;
};

TEST_F(Altering, settings_are_set_and_unset_one_by_one) {
  EXPECT_TRUE(alter(bench, {topic_kind,
                            "orders",
                            {{"retention.ms", SettingOperation::set, "1000"},
                             {"segment.bytes", SettingOperation::set, "1048576"}}})
                  .ok());
  EXPECT_TRUE(
      alter(bench, {topic_kind, "orders", {{"retention.ms", SettingOperation::unset, {}}}}).ok());
  EXPECT_EQ(settings(ConfigKind::topic, "orders"), (ConfigMap{{"segment.bytes", "1048576"}}));
}

TEST_F(Altering, what_is_replaced_loses_what_is_not_named) {
  alter(bench, {topic_kind, "orders", {{"retention.ms", SettingOperation::set, "1000"}}});
  EXPECT_TRUE(
      alter(bench, {topic_kind, "orders", {{"segment.ms", SettingOperation::set, "5000"}}}, true)
          .ok());
  EXPECT_EQ(settings(ConfigKind::topic, "orders"), (ConfigMap{{"segment.ms", "5000"}}));
}

TEST_F(Altering, lists_are_added_to_and_taken_from) {
  const auto change = [&](SettingOperation operation, std::string value) {
    return alter(bench, {topic_kind, "orders", {{"cleanup.policy", operation, std::move(value)}}});
  };
  EXPECT_TRUE(change(SettingOperation::append, "compact").ok());
  EXPECT_EQ(settings(ConfigKind::topic, "orders"),
            (ConfigMap{{"cleanup.policy", "delete,compact"}}));
  EXPECT_TRUE(change(SettingOperation::subtract, "delete").ok());
  EXPECT_EQ(settings(ConfigKind::topic, "orders"), (ConfigMap{{"cleanup.policy", "compact"}}));
  EXPECT_EQ(
      alter(bench, {topic_kind, "orders", {{"retention.ms", SettingOperation::append, "1"}}}).error,
      ErrorCode::invalid_config);
}

TEST_F(Altering, unknown_names_and_bad_values_are_refused_with_a_sentence) {
  const Outcome unknown =
      alter(bench, {topic_kind, "orders", {{"cleanup.polic", SettingOperation::set, "compact"}}});
  EXPECT_EQ(unknown.error, ErrorCode::invalid_config);
  EXPECT_NE(unknown.message.find("cleanup.policy"), std::string::npos) << unknown.message;
  const Outcome bad =
      alter(bench, {topic_kind, "orders", {{"cleanup.policy", SettingOperation::set, "burn"}}});
  EXPECT_EQ(bad.error, ErrorCode::invalid_config);
  EXPECT_FALSE(bad.message.empty());
  EXPECT_EQ(
      alter(bench, {topic_kind, "orders", {{"retention.ms", SettingOperation::set, {}}}}).error,
      ErrorCode::invalid_request);
  EXPECT_TRUE(settings(ConfigKind::topic, "orders").empty());
}

TEST_F(Altering, resources_that_are_not_there_are_refused_by_kind) {
  const auto error = [&](std::int8_t kind, std::string name) {
    return alter(bench, {kind, std::move(name), {}}).error;
  };
  EXPECT_EQ(error(topic_kind, "nothing"), ErrorCode::unknown_topic_or_partition);
  EXPECT_EQ(error(topic_kind, ""), ErrorCode::invalid_request);
  EXPECT_EQ(error(broker_kind, "7"), ErrorCode::broker_id_not_registered);
  EXPECT_EQ(error(broker_kind, "one"), ErrorCode::invalid_request);
  EXPECT_EQ(error(99, "x"), ErrorCode::invalid_request);
}

TEST_F(Altering, brokers_take_what_may_change_while_they_run) {
  EXPECT_TRUE(
      alter(bench, {broker_kind, "", {{"message.max.bytes", SettingOperation::set, "2000000"}}})
          .ok());
  EXPECT_TRUE(
      alter(bench, {broker_kind, "1", {{"message.max.bytes", SettingOperation::set, "3000000"}}})
          .ok());
  EXPECT_EQ(settings(ConfigKind::broker, "1"), (ConfigMap{{"message.max.bytes", "3000000"}}));
  EXPECT_EQ(alter(bench, {broker_kind, "1", {{"node.id", SettingOperation::set, "3"}}}).error,
            ErrorCode::invalid_config);
}

TEST_F(Altering, validate_only_changes_nothing) {
  EXPECT_TRUE(alter(bench,
                    {topic_kind, "orders", {{"retention.ms", SettingOperation::set, "1000"}}},
                    false, true)
                  .ok());
  EXPECT_TRUE(settings(ConfigKind::topic, "orders").empty());
}

TEST_F(Altering, a_resource_named_twice_is_refused_both_times) {
  AlterConfigs request;
  for (int i = 0; i < 2; ++i) {
    request.resources.push_back(
        {topic_kind, "orders", {{"retention.ms", SettingOperation::set, "1000"}}});
  }
  for (const AlteredResource& altered : bench.call<AlterConfigsReply>(request).resources) {
    EXPECT_EQ(altered.outcome.error, ErrorCode::invalid_request);
  }
}

}  // namespace
}  // namespace millrace::metadata
