// Also proves settings.cpp.
#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

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

// To hold each against each other would take hours, in which no broker is heard.
TEST_F(Altering, lists_of_millions_are_refused_at_once) {
  std::string many;
  for (int i = 0; i < 1'500'000; ++i) many += std::to_string(i) + ',';
  for (const auto operation : {SettingOperation::append, SettingOperation::subtract}) {
    const Outcome outcome =
        alter(bench, {topic_kind, "orders", {{"cleanup.policy", operation, many}}});
    EXPECT_EQ(outcome.error, ErrorCode::invalid_config);
  }
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

TEST_F(Altering, what_would_change_nothing_is_refused_with_the_reason) {
  const auto refusal = [&](std::int8_t kind, std::string resource, std::string name,
                           std::string value) {
    const Outcome outcome = alter(
        bench,
        {kind, std::move(resource), {{std::move(name), SettingOperation::set, std::move(value)}}});
    return outcome.ok() || outcome.error == ErrorCode::invalid_config ? outcome.message : "?";
  };
  // Read at the start only.
  for (const auto& [name, value] :
       {std::pair("listeners", "PLAINTEXT://:9999"),
        std::pair("listener.security.protocol.map", "PLAINTEXT:PLAINTEXT"),
        std::pair("num.recovery.threads.per.data.dir", "4")}) {
    EXPECT_NE(refusal(broker_kind, "1", name, value).find("while the broker runs"),
              std::string::npos)
        << name;
  }
  EXPECT_NE(refusal(broker_kind, "1", "ssl.client.auth", "required").find("has no effect"),
            std::string::npos);
  EXPECT_NE(refusal(broker_kind, "", "num.io.threads", "9").find("millrace.shards"),
            std::string::npos);
  EXPECT_NE(
      refusal(broker_kind, "", "transaction.partition.verification.enable", "false").find("trans"),
      std::string::npos);
  EXPECT_NE(refusal(broker_kind, "", "log.preallocate", "true").find("has no effect"),
            std::string::npos);
  EXPECT_NE(refusal(topic_kind, "orders", "preallocate", "true").find("has no effect"),
            std::string::npos);
  EXPECT_NE(refusal(topic_kind, "orders", "local.retention.ms", "5").find("tiered"),
            std::string::npos);
  EXPECT_TRUE(settings(ConfigKind::broker, "").empty());
  EXPECT_TRUE(settings(ConfigKind::broker, "1").empty());
  // What asks for what is so anyway does no harm.
  EXPECT_EQ(refusal(topic_kind, "orders", "preallocate", "false"), "");
  EXPECT_EQ(refusal(topic_kind, "orders", "remote.storage.enable", "false"), "");
  EXPECT_EQ(refusal(topic_kind, "orders", "local.retention.ms", "-2"), "");

  NewTopic topic;
  topic.name = "bills";
  topic.settings = {{"preallocate", "true"}};
  EXPECT_EQ(bench.create(topic).outcome.error, ErrorCode::invalid_config);
}

TEST_F(Altering, what_a_broker_could_not_follow_is_refused) {
  const auto set = [&](std::string broker, std::string name, std::string value) {
    return alter(bench, {broker_kind,
                         std::move(broker),
                         {{std::move(name), SettingOperation::set, std::move(value)}}})
        .error;
  };
  const std::string overrides = "max.connections.per.ip.overrides";
  EXPECT_EQ(set("", overrides, "127.0.0.1:many"), ErrorCode::invalid_config);
  EXPECT_EQ(set("", overrides, "some.host:5"), ErrorCode::invalid_config);
  EXPECT_EQ(set("", overrides, "127.0.0.1:5,::1:7"), ErrorCode::none);
  EXPECT_EQ(set("1", "unclean.leader.election.enable", "true"), ErrorCode::invalid_config);
  EXPECT_EQ(set("", "unclean.leader.election.enable", "true"), ErrorCode::none);
}

TEST_F(Altering, settings_of_brokers_are_held_against_each_other_in_all_layers) {
  const auto set = [&](std::string broker, std::string name, std::string value) {
    return alter(bench, {broker_kind,
                         std::move(broker),
                         {{std::move(name), SettingOperation::set, std::move(value)}}})
        .error;
  };
  const std::string least = "log.cleaner.min.compaction.lag.ms";
  const std::string most = "log.cleaner.max.compaction.lag.ms";
  EXPECT_EQ(set("", least, "1000"), ErrorCode::none);
  EXPECT_EQ(set("", most, "999"), ErrorCode::invalid_config);
  EXPECT_EQ(set("1", most, "999"), ErrorCode::invalid_config);
  EXPECT_EQ(set("1", most, "5000"), ErrorCode::none);
  EXPECT_EQ(set("", least, "6000"), ErrorCode::invalid_config) << "broker 1 has less";
  EXPECT_EQ(settings(ConfigKind::broker, ""), (ConfigMap{{least, "1000"}}));
  EXPECT_EQ(settings(ConfigKind::broker, "1"), (ConfigMap{{most, "5000"}}));
}

TEST_F(Altering, settings_of_topics_are_held_against_those_of_the_brokers) {
  const auto set = [&](std::int8_t kind, std::string resource, std::string name,
                       std::string value) {
    return alter(
        bench,
        {kind, std::move(resource), {{std::move(name), SettingOperation::set, std::move(value)}}});
  };
  EXPECT_TRUE(set(broker_kind, "", "log.cleaner.max.compaction.lag.ms", "5000").ok());
  EXPECT_EQ(set(topic_kind, "orders", "min.compaction.lag.ms", "5001").error,
            ErrorCode::invalid_config);
  EXPECT_TRUE(set(topic_kind, "orders", "min.compaction.lag.ms", "4000").ok());
  const Outcome outcome = set(broker_kind, "", "log.cleaner.max.compaction.lag.ms", "3000");
  EXPECT_EQ(outcome.error, ErrorCode::invalid_config);
  EXPECT_NE(outcome.message.find("topic 'orders'"), std::string::npos) << outcome.message;
  EXPECT_EQ(set(broker_kind, "1", "log.cleaner.max.compaction.lag.ms", "3000").error,
            ErrorCode::invalid_config);
  EXPECT_TRUE(set(broker_kind, "1", "log.cleaner.max.compaction.lag.ms", "4500").ok());
  EXPECT_EQ(set(topic_kind, "orders", "min.compaction.lag.ms", "4600").error,
            ErrorCode::invalid_config)
      << "a partition may be on broker 1";
  NewTopic topic;
  topic.name = "bills";
  topic.settings = {{"min.compaction.lag.ms", "4600"}};
  EXPECT_EQ(bench.create(topic).outcome.error, ErrorCode::invalid_config);
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

constexpr std::string_view least_lag = "log.cleaner.min.compaction.lag.ms";
constexpr std::string_view most_lag = "log.cleaner.max.compaction.lag.ms";

// Settings that a controller of another version let in.
class AlteringStored : public Altering {
 protected:
  struct Stored {
    ConfigKind kind;
    std::string_view resource;
    std::string_view name;
    std::string_view value;
  };
  void store(const std::vector<Stored>& settings) {
    std::vector<Record> records;
    for (const Stored& each : settings) {
      records.emplace_back(ConfigRecord{each.kind, std::string(each.resource),
                                        std::string(each.name), std::string(each.value)});
    }
    bench.replay(records);
  }
  Outcome set(std::int8_t kind, std::string_view resource, std::string_view name,
              std::string_view value) {
    return change(kind, resource, {std::string(name), SettingOperation::set, std::string(value)});
  }
  Outcome unset(std::int8_t kind, std::string_view resource, std::string_view name) {
    return change(kind, resource, {std::string(name), SettingOperation::unset, {}});
  }

 private:
  Outcome change(std::int8_t kind, std::string_view resource, SettingChange what) {
    return alter(bench, {kind, std::string(resource), {std::move(what)}});
  }
};

TEST_F(AlteringStored, what_cannot_count_hinders_no_other_change_and_can_be_taken_away) {
  const std::vector<Stored> bad = {
      {ConfigKind::broker, "", "num.recovery.threads.per.data.dir", "4"},
      {ConfigKind::broker, "", "listeners", "PLAINTEXT://:9999"},
      {ConfigKind::broker, "", "ssl.client.auth", "required"},
      {ConfigKind::broker, "1", "listeners", "PLAINTEXT://:9999"},
      {ConfigKind::broker, "1", "no.such.setting", "1"},
      {ConfigKind::topic, "orders", "cleanup.policy", "burn"},
      {ConfigKind::topic, "orders", "no.such.setting", "1"},
  };
  store(bad);
  for (const std::string_view broker : {"", "1"}) {
    const Outcome outcome = set(broker_kind, broker, "log.retention.ms", "60000");
    EXPECT_TRUE(outcome.ok()) << "'" << broker << "': " << outcome.message;
  }
  Outcome outcome = set(topic_kind, "orders", "retention.ms", "60000");
  EXPECT_TRUE(outcome.ok()) << outcome.message;
  EXPECT_FALSE(set(broker_kind, "1", "listeners", "PLAINTEXT://:9998").ok());
  EXPECT_FALSE(set(broker_kind, "", "log.retention.ms", "much").ok());
  EXPECT_FALSE(set(topic_kind, "orders", "cleanup.policy", "bury").ok());
  for (const Stored& each : bad) {
    outcome = unset(static_cast<std::int8_t>(each.kind), each.resource, each.name);
    EXPECT_TRUE(outcome.ok()) << each.name << ": " << outcome.message;
  }
  EXPECT_EQ(settings(ConfigKind::broker, ""), (ConfigMap{{"log.retention.ms", "60000"}}));
  EXPECT_EQ(settings(ConfigKind::broker, "1"), (ConfigMap{{"log.retention.ms", "60000"}}));
  EXPECT_EQ(settings(ConfigKind::topic, "orders"), (ConfigMap{{"retention.ms", "60000"}}));
}

TEST_F(AlteringStored, contradictions_of_layers_hinder_only_changes_that_keep_them) {
  store({{ConfigKind::broker, "", least_lag, "1000"}, {ConfigKind::broker, "1", most_lag, "500"}});
  for (const std::string_view broker : {"", "1"}) {
    const Outcome outcome = set(broker_kind, broker, "log.retention.ms", "60000");
    EXPECT_TRUE(outcome.ok()) << "'" << broker << "': " << outcome.message;
  }
  EXPECT_FALSE(set(broker_kind, "", least_lag, "800").ok()) << "broker 1 still has less";
  EXPECT_FALSE(set(broker_kind, "1", most_lag, "700").ok());
  EXPECT_TRUE(set(broker_kind, "1", most_lag, "1500").ok());
  EXPECT_FALSE(set(broker_kind, "1", most_lag, "500").ok()) << "now nothing is wrong";
  store({{ConfigKind::broker, "1", most_lag, "500"}});
  EXPECT_TRUE(unset(broker_kind, "", least_lag).ok());
}

TEST_F(AlteringStored, contradictions_behind_what_cannot_count_are_found) {
  store({{ConfigKind::broker, "1", most_lag, "soon"}, {ConfigKind::broker, "", most_lag, "500"}});
  EXPECT_FALSE(set(broker_kind, "1", least_lag, "1000").ok());
  EXPECT_TRUE(set(broker_kind, "1", least_lag, "400").ok());
}

TEST_F(AlteringStored, contradictions_of_a_topic_hinder_only_changes_that_keep_them) {
  store({{ConfigKind::broker, "", most_lag, "5000"},
         {ConfigKind::topic, "orders", "min.compaction.lag.ms", "6000"}});
  const Outcome outcome = set(topic_kind, "orders", "retention.ms", "60000");
  EXPECT_TRUE(outcome.ok()) << outcome.message;
  EXPECT_FALSE(set(topic_kind, "orders", "max.compaction.lag.ms", "5500").ok());
  EXPECT_FALSE(set(topic_kind, "orders", "min.compaction.lag.ms", "5500").ok());
  EXPECT_TRUE(set(topic_kind, "orders", "max.compaction.lag.ms", "6500").ok());
  store({{ConfigKind::topic, "orders", "max.compaction.lag.ms", "5500"}});
  EXPECT_TRUE(unset(topic_kind, "orders", "min.compaction.lag.ms").ok());
}

TEST_F(AlteringStored, topics_that_did_not_fit_before_hinder_no_change_of_brokers) {
  bench.create("bills");
  store({{ConfigKind::topic, "orders", "min.compaction.lag.ms", "6000"},
         {ConfigKind::topic, "orders", "max.compaction.lag.ms", "5000"},
         {ConfigKind::topic, "bills", "min.compaction.lag.ms", "3000"}});
  Outcome outcome = set(broker_kind, "", most_lag, "4000");
  EXPECT_TRUE(outcome.ok()) << outcome.message;
  outcome = set(broker_kind, "", most_lag, "2000");
  EXPECT_NE(outcome.message.find("topic 'bills'"), std::string::npos) << outcome.message;
}

TEST_F(AlteringStored, names_of_hosts_hinder_only_changes_of_the_list_that_they_are_in) {
  constexpr std::string_view overrides = "max.connections.per.ip.overrides";
  store({{ConfigKind::broker, "", overrides, "some.host:5"}});
  for (const std::string_view broker : {"", "1"}) {
    const Outcome outcome = set(broker_kind, broker, "log.retention.ms", "60000");
    EXPECT_TRUE(outcome.ok()) << "'" << broker << "': " << outcome.message;
  }
  EXPECT_FALSE(set(broker_kind, "", overrides, "some.host:6").ok());
  EXPECT_FALSE(set(broker_kind, "1", overrides, "127.0.0.1:many").ok());
  EXPECT_TRUE(set(broker_kind, "1", overrides, "127.0.0.1:6").ok());
  EXPECT_TRUE(unset(broker_kind, "", overrides).ok());
}

}  // namespace
}  // namespace millrace::metadata
