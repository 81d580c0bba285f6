#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

import millrace.base;
import millrace.config;

namespace millrace::config {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;

Result<WithWarnings<ServerConfig>, Problems> load(const std::string& text,
                                                  std::vector<std::string> overrides = {},
                                                  Processes process = Processes::none) {
  MemorySurroundings surroundings;
  surroundings.files["server.properties"] = text;
  surroundings.variables["PASSWORD"] = "hunter2";
  return load_server_config({.file = "server.properties",
                             .overrides = std::move(overrides),
                             .rules = {.process = process, .allow_unknown_in_files = false}},
                            surroundings);
}

ServerConfig server(const std::string& text) {
  auto loaded = load(text);
  EXPECT_TRUE(loaded) << loaded.error().text();
  return std::move(loaded->config);
}

std::string problems(const std::string& text, std::vector<std::string> overrides = {}) {
  const auto loaded = load(text, std::move(overrides));
  return loaded ? loaded->warnings.text() : loaded.error().text();
}

TopicConfig topic(const ServerConfig& brokers, std::vector<PropertyEntry> own) {
  auto made = make_topic_config(brokers, std::move(own));
  EXPECT_TRUE(made) << made.error().text();
  return std::move(made->config);
}

TEST(ServerConfig, is_kafkas_when_nothing_is_said) {
  const ServerConfig config = server("");
  EXPECT_EQ(config.get<"num.partitions">(), 1);
  EXPECT_EQ(config.get<"log.retention.hours">(), hours(168));
  EXPECT_EQ(config.get<"log.retention.ms">(), std::nullopt);
  EXPECT_EQ(config.get<"socket.request.max.bytes">(), ByteCount(104'857'600));
  EXPECT_EQ(config.get<"offsets.topic.replication.factor">(), 3);
  EXPECT_TRUE(config.get<"compression.type">() == "producer");
  EXPECT_TRUE(config.get<"millrace.produce.check">() == "full");
  ASSERT_EQ(config.get<"listeners">().size(), 1u);
  EXPECT_EQ(config.get<"listeners">()[0], (ListenerAddress{"PLAINTEXT", {"", 9092}}));
}

TEST(ServerConfig, agrees_with_the_limits_of_base) {
  const ServerConfig config = server("");
  EXPECT_EQ(config.get<"socket.request.max.bytes">().value(),
            static_cast<std::int64_t>(socket_request_bytes_max_default));
  EXPECT_EQ(config.get<"message.max.bytes">().value(),
            static_cast<std::int64_t>(message_bytes_max_default));
}

TEST(ServerConfig, reads_a_file_as_kafka_ships_it) {
  const ServerConfig config = server(R"(
# A broker.
node.id=1
controller.quorum.bootstrap.servers=localhost:9093
listeners=PLAINTEXT://:9092,CONTROLLER://:9093
inter.broker.listener.name=PLAINTEXT
advertised.listeners=PLAINTEXT://localhost:9092
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs=/tmp/a, /tmp/b
log.retention.hours=72
log.segment.bytes=1073741824
)");
  EXPECT_EQ(config.get<"node.id">(), 1);
  EXPECT_EQ(log_directories(config), (std::vector<std::string>{"/tmp/a", "/tmp/b"}));
  EXPECT_EQ(config.get<"controller.listener.names">(), (std::vector<std::string>{"CONTROLLER"}));
  EXPECT_EQ(to_string(config.source<"log.retention.hours">()), "server.properties:11");
}

TEST(ServerConfig, uses_log_dir_where_log_dirs_is_not_set) {
  EXPECT_EQ(log_directories(server("")), (std::vector<std::string>{"/var/lib/millrace"}));
  EXPECT_EQ(log_directories(server("log.dir=/a,/b")), (std::vector<std::string>{"/a", "/b"}));
}

TEST(ServerConfig, takes_settings_of_the_command_line_over_the_file) {
  auto loaded = load("num.partitions=3", {"num.partitions=5"});
  ASSERT_TRUE(loaded);
  EXPECT_EQ(loaded->config.get<"num.partitions">(), 5);
  EXPECT_EQ(loaded->config.source<"num.partitions">().kind, SourceKind::command_line);
}

TEST(ServerConfig, reports_a_file_that_cannot_be_read) {
  MemorySurroundings surroundings;
  const auto loaded =
      load_server_config({.file = "/none",
                          .overrides = {"x=1"},
                          .rules = {.process = Processes::broker, .allow_unknown_in_files = false}},
                         surroundings);
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().text(),
            "error: /none: cannot open /none: no such file\n"
            "error: command line: unknown property x\n");
}

TEST(ServerConfig, reports_malformed_lines_with_everything_else) {
  EXPECT_EQ(problems("a=\\u1\nnum.partition=1\nnum.partitions=0\n", {"log.retention.hour=1"}),
            "error: server.properties:1: \\u must be followed by four hexadecimal digits\n"
            "error: server.properties:2: unknown property num.partition; did you mean "
            "num.partitions?\n"
            "error: server.properties:3: num.partitions=0: out of range; allowed: 1 or more\n"
            "error: command line: unknown property log.retention.hour; did you mean "
            "log.retention.hours?\n");
}

TEST(ServerConfig, needs_a_node_id_in_every_process) {
  for (const Processes process :
       {Processes::broker, Processes::controller, Processes::coordinator}) {
    EXPECT_FALSE(load("", {}, process));
    EXPECT_TRUE(load("node.id=0", {}, process));
  }
}

TEST(ServerConfig, needs_advertised_addresses_that_clients_can_use) {
  EXPECT_EQ(problems("advertised.listeners=PLAINTEXT://0.0.0.0:9092"),
            "error: server.properties:1: advertised.listeners needs a host for PLAINTEXT that "
            "clients can connect to\n");
  EXPECT_NE(problems("advertised.listeners=PLAINTEXT://:9092").find("needs a host"),
            std::string::npos);
  EXPECT_EQ(problems("listeners=A://:1\nadvertised.listeners=A://a:1,B://b:2"),
            "error: server.properties:2: advertised.listeners has B, which listeners has not\n");
}

TEST(ServerConfig, needs_the_inter_broker_listener_among_the_listeners) {
  EXPECT_NE(problems("inter.broker.listener.name=INTERNAL")
                .find("error: server.properties:1: inter.broker.listener.name=INTERNAL is not in "
                      "listeners\n"),
            std::string::npos);
  EXPECT_EQ(
      problems("listeners=Internal://:1\ninter.broker.listener.name=internal").find("error: "),
      std::string::npos);
}

TEST(ServerConfig, needs_the_inter_broker_listener_among_those_that_are_advertised) {
  EXPECT_NE(problems("listeners=A://:1,B://:2\nadvertised.listeners=A://h:1\n"
                     "inter.broker.listener.name=B")
                .find("error: server.properties:3: inter.broker.listener.name=B is not in "
                      "advertised.listeners\n"),
            std::string::npos);
}

TEST(ServerConfig, judges_listeners_of_clients_for_brokers_only) {
  const std::string text =
      "node.id=1\nlisteners=CONTROLLER://:9093\nadvertised.listeners=PLAINTEXT://h:9092\n"
      "inter.broker.listener.name=INTERNAL\n";
  EXPECT_TRUE(load(text, {}, Processes::controller));
  EXPECT_FALSE(load(text, {}, Processes::broker));
}

TEST(ServerConfig, hides_parts_of_values_that_came_by_reference) {
  for (const std::string_view line :
       {"inter.broker.listener.name=${env:PASSWORD}",
        "listeners=A://:1\nadvertised.listeners=${env:PASSWORD}://:1",
        "listener.security.protocol.map=${env:PASSWORD}:${env:PASSWORD}"}) {
    const std::string text = problems(std::string(line));
    EXPECT_EQ(lower_case(text).find("hunter2"), std::string::npos) << text;
    EXPECT_NE(text.find("[hidden]"), std::string::npos) << text;
  }
}

TEST(ServerConfig, knows_the_four_security_protocols) {
  EXPECT_EQ(problems("listener.security.protocol.map=A:TLS"),
            "error: server.properties:1: listener.security.protocol.map has TLS for A; allowed: "
            "PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL\n");
}

TEST(ServerConfig, does_not_pass_over_security_that_it_does_not_have) {
  for (const std::string_view line :
       {"ssl.keystore.location=/k", "sasl.enabled.mechanisms=PLAIN", "super.users=User:a",
        "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "security.inter.broker.protocol=SSL", "listener.name.sasl_ssl.plain.sasl.jaas.config=x",
        "listener.name.internal.ssl.keystore.password=${env:PASSWORD}"}) {
    const auto loaded = load(std::string(line));
    ASSERT_FALSE(loaded) << line;
    EXPECT_NE(loaded.error().text().find("remove it to go on without"), std::string::npos) << line;
  }
}

TEST(ServerConfig, only_warns_of_tuning_that_means_nothing_here) {
  const auto loaded = load(
      "num.io.threads=8\nnum.network.threads=3\nzookeeper.connect=a:1\nprocess.roles=broker\n"
      "group.share.max.size=3\nmetrics.num.samples=2\n");
  ASSERT_TRUE(loaded) << loaded.error().text();
  EXPECT_EQ(loaded->warnings.list().size(), 6u);
}

TEST(ServerConfig, takes_settings_of_the_running_cluster_as_layers) {
  std::vector<Layer> layers;
  layers.push_back(
      {.kind = SourceKind::file, .file = "f", .entries = {{"log.retention.ms", "1000", 1}}});
  layers.push_back(
      {.kind = SourceKind::cluster_wide, .file = {}, .entries = {{"log.retention.ms", "2000"}}});
  const auto made = make_server_config(std::move(layers), {}, nullptr);
  ASSERT_TRUE(made) << made.error().text();
  EXPECT_EQ(made->config.get<"log.retention.ms">(), milliseconds(2000));
}

TEST(TopicConfig, follows_the_brokers_defaults) {
  const ServerConfig brokers = server("log.segment.bytes=2097152\ncompression.type=zstd\n");
  const TopicConfig config = topic(brokers, {});
  EXPECT_EQ(config.get<"segment.bytes">(), ByteCount(2'097'152));
  EXPECT_TRUE(config.get<"compression.type">() == "zstd");
  EXPECT_EQ(config.get<"retention.ms">(), hours(168));
  EXPECT_EQ(config.get<"segment.jitter.ms">(), milliseconds(0));
  EXPECT_EQ(config.get<"flush.ms">(), milliseconds(INT64_MAX));
  EXPECT_TRUE(config.get<"cleanup.policy">().has("delete"));
}

TEST(TopicConfig, takes_retention_from_ms_before_minutes_before_hours) {
  const auto retention = [](const std::string& text) {
    return topic(server(text), {}).get<"retention.ms">();
  };
  EXPECT_EQ(retention("log.retention.hours=2"), hours(2));
  EXPECT_EQ(retention("log.retention.hours=2\nlog.retention.minutes=30"), milliseconds(1'800'000));
  EXPECT_EQ(retention("log.retention.ms=5\nlog.retention.hours=2\nlog.retention.minutes=30"),
            milliseconds(5));
  EXPECT_EQ(retention("log.retention.minutes=30\nlog.retention.ms=5"), milliseconds(5));
}

TEST(TopicConfig, takes_no_limit_for_no_limit_whatever_the_unit) {
  EXPECT_EQ(topic(server("log.retention.hours=-1"), {}).get<"retention.ms">(), milliseconds(-1));
  EXPECT_EQ(topic(server("log.retention.minutes=-1"), {}).get<"retention.ms">(), milliseconds(-1));
  EXPECT_EQ(topic(server("log.retention.hours=2147483647"), {}).get<"retention.ms">(),
            hours(2147483647));
}

TEST(TopicConfig, prefers_the_topics_own_settings_and_remembers_the_others) {
  const ServerConfig brokers = server("log.retention.hours=2\nlog.retention.minutes=30");
  const TopicConfig config = topic(brokers, {{"retention.ms", "7"}});
  EXPECT_EQ(config.get<"retention.ms">(), milliseconds(7));
  const PropertyId id = id_of<TopicSet, "retention.ms">;
  const auto settings = config.untyped().settings(id);
  ASSERT_EQ(settings.size(), 4u);
  EXPECT_EQ(settings[0].name, "retention.ms");
  EXPECT_EQ(settings[0].source.kind, SourceKind::per_topic);
  EXPECT_EQ(settings[1].name, "log.retention.minutes");
  EXPECT_EQ(settings[1].text, "30");
  EXPECT_EQ(to_string(settings[1].source), "server.properties:2");
  EXPECT_EQ(settings[2].name, "log.retention.hours");
  EXPECT_EQ(settings[2].text, "2");
  EXPECT_EQ(settings[3].source.kind, SourceKind::default_value);
  EXPECT_EQ(settings[3].text, "168");
}

TEST(TopicConfig, knows_that_an_inherited_value_is_the_brokers) {
  const ServerConfig brokers = server("log.segment.bytes=2097152");
  const TopicConfig config = topic(brokers, {});
  EXPECT_EQ(config.source<"segment.bytes">().kind, SourceKind::file);
  EXPECT_EQ(config.source<"retention.ms">().kind, SourceKind::default_value);
}

TEST(TopicConfig, hides_a_default_that_came_by_reference) {
  MemorySurroundings surroundings;
  surroundings.variables["SIZE"] = "2097152";
  auto loaded = load_server_config(
      {.file = {}, .overrides = {"log.segment.bytes=${env:SIZE}"}, .rules = {}}, surroundings);
  ASSERT_TRUE(loaded) << loaded.error().text();
  const TopicConfig config = topic(loaded->config, {});
  EXPECT_EQ(config.get<"segment.bytes">(), ByteCount(2'097'152));
  EXPECT_EQ(config.untyped().printed(id_of<TopicSet, "segment.bytes">), "[hidden]");
}

std::string topic_problems(std::vector<PropertyEntry> own) {
  const auto made = make_topic_config(server(""), std::move(own));
  return made ? made->warnings.text() : made.error().text();
}

TEST(TopicConfig, refuses_what_kafka_refuses) {
  EXPECT_EQ(topic_problems({{"retention.ms", "-2"}}),
            "error: topic setting: retention.ms=-2: out of range; allowed: -1 or more\n");
  EXPECT_EQ(topic_problems({{"retention.mss", "1"}}),
            "error: topic setting: unknown property retention.mss; did you mean retention.ms?\n");
  EXPECT_EQ(topic_problems({{"min.compaction.lag.ms", "2"}, {"max.compaction.lag.ms", "1"}}),
            "error: topic setting: min.compaction.lag.ms=2 must not be above "
            "max.compaction.lag.ms=1\n");
}

TEST(TopicConfig, explains_a_broker_property_among_a_topics) {
  EXPECT_EQ(topic_problems({{"log.retention.hours", "1"}}),
            "error: topic setting: unknown property log.retention.hours; it is a property of "
            "brokers, and retention.ms is the one of topics\n");
}

TEST(TopicConfig, refuses_tiered_storage_unless_it_is_switched_off) {
  EXPECT_NE(topic_problems({{"remote.storage.enable", "true"}}).find("error: "), std::string::npos);
  EXPECT_EQ(topic_problems({{"remote.storage.enable", "false"}}).find("error: "),
            std::string::npos);
}

Layer cluster_layer(std::vector<PropertyEntry> entries) {
  return {.kind = SourceKind::cluster_wide, .file = {}, .entries = std::move(entries)};
}

TEST(ServerConfig, refuses_lags_of_compaction_that_contradict_each_other) {
  EXPECT_NE(problems("log.cleaner.min.compaction.lag.ms=2\nlog.cleaner.max.compaction.lag.ms=1")
                .find("log.cleaner.min.compaction.lag.ms=2 must not be above "
                      "log.cleaner.max.compaction.lag.ms=1"),
            std::string::npos);
}

TEST(ServerConfig, refuses_certificates_of_clients_that_it_would_not_ask_for) {
  EXPECT_NE(problems("ssl.client.auth=required").find("error: "), std::string::npos);
  EXPECT_NE(problems("listener.name.inside.ssl.client.auth=required").find("error: "),
            std::string::npos);
  EXPECT_EQ(problems("ssl.client.auth=none").find("error: "), std::string::npos);
}

TEST(ServerConfig, settings_of_the_cluster_are_held_against_the_file) {
  const ServerConfig start = server("log.cleaner.min.compaction.lag.ms=1000");
  EXPECT_TRUE(
      with_settings(start, {cluster_layer({{"log.cleaner.max.compaction.lag.ms", "1000"}})}));
  const auto refused =
      with_settings(start, {cluster_layer({{"log.cleaner.max.compaction.lag.ms", "999"}})});
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().text().find("must not be above"), std::string::npos);
}

TEST(ServerConfig, settings_that_cannot_count_leave_the_others) {
  const ServerConfig start = server("log.cleaner.min.compaction.lag.ms=1000");
  auto made =
      with_usable_settings(start, {cluster_layer({{"log.retention.ms", "5"},
                                                  {"node.id", "9"},
                                                  {"log.retention.bytes", "much"},
                                                  {"log.cleaner.max.compaction.lag.ms", "999"}})});
  EXPECT_EQ(made.config.get<"log.retention.ms">(), milliseconds(5));
  EXPECT_EQ(made.warnings.list().size(), 3u) << made.warnings.text();
  // Each is right, both are not.
  made = with_usable_settings(server(""),
                              {cluster_layer({{"log.retention.ms", "5"},
                                              {"log.cleaner.min.compaction.lag.ms", "20"},
                                              {"log.cleaner.max.compaction.lag.ms", "10"}})});
  EXPECT_EQ(made.config.get<"log.retention.ms">(), milliseconds(5));
  EXPECT_EQ(made.config.get<"log.cleaner.min.compaction.lag.ms">(), milliseconds(0));
  EXPECT_TRUE(made.warnings.has_errors());
}

TEST(TopicConfig, settings_that_contradict_each_other_leave_the_others) {
  const auto made = usable_topic_config(server(""), {{"retention.ms", "-1"},
                                                     {"min.compaction.lag.ms", "2"},
                                                     {"max.compaction.lag.ms", "1"},
                                                     {"no.such.setting", "1"}});
  EXPECT_EQ(made.config.get<"retention.ms">(), milliseconds(-1));
  EXPECT_EQ(made.config.get<"min.compaction.lag.ms">(), milliseconds(0));
  EXPECT_TRUE(made.warnings.has_errors());
}

}  // namespace
}  // namespace millrace::config
