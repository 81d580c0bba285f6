// Also proves names.cpp, store.cppm.
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <array>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

import millrace.base;
import millrace.config;

namespace millrace::config {
namespace {

// A set of its own, so that these tests do not move with the real one.
constexpr auto definitions = std::to_array<Definition>({
    {.name = "config.providers", .type = Type::list, .default_value = "", .list = {true, false}},
    {.name = "node.id",
     .type = Type::int32,
     .default_value = Default::required(),
     .range = at_least(0),
     .processes = Processes::broker,
     .alias = "broker.id"},
    {.name = "lowest", .type = Type::int32, .default_value = "10", .change = Change::cluster_wide},
    {.name = "highest", .type = Type::int32, .default_value = "20", .change = Change::per_broker},
    {.name = "max.connections",
     .type = Type::int32,
     .default_value = "100",
     .range = at_least(0),
     .change = Change::cluster_wide,
     .per_listener = true},
    {.name = "max.rate", .type = Type::int32, .default_value = "7", .per_listener = true},
    {.name = "ssl.key.password", .type = Type::password, .default_value = Default::none()},
    {.name = "rack", .default_value = Default::none()},
    {.name = "replica.wait",
     .type = Type::int32,
     .default_value = "500",
     .change = Change::cluster_wide,
     .processes = Processes::broker,
     .without_effect = "replication is not supported yet"},
    {.name = "log.retention.hours", .type = Type::int32, .default_value = "168"},
});

constexpr auto foreign_names = std::to_array<ForeignName>({
    {"num.io.threads", ForeignName::Treatment::ignored, "work is shared among shards"},
    {"sasl.", ForeignName::Treatment::refused, "SASL is not supported yet"},
    {"tiering", ForeignName::Treatment::refused, "tiering is not supported yet", "false"},
});

constexpr auto relations = std::to_array<Relation>({{"lowest", "highest"}});

constexpr auto topics = std::to_array<Definition>({
    {.name = "retention.ms",
     .type = Type::int64,
     .default_value = "1",
     .synonyms = {{"log.retention.hours", 3'600'000}}},
});

struct SmallSet {
  static constexpr DefinitionSet definitions() {
    return {.definitions = config::definitions,
            .foreign_names = config::foreign_names,
            .relations = config::relations,
            .topic_definitions = topics};
  }
};

PropertyId id_of_name(std::string_view name) {
  return *SmallSet::definitions().find(name);
}

Layer file_layer(std::string_view text) {
  return {.kind = SourceKind::file,
          .file = "server.properties",
          .entries = parse_properties(text, "server.properties").entries};
}

Layer layer_of(SourceKind kind, std::initializer_list<PropertyEntry> entries) {
  return {.kind = kind, .file = {}, .entries = entries};
}

class Load : public testing::Test {
 protected:
  Built build(std::vector<Layer> layers) {
    ConfigBuilder builder(SmallSet::definitions(), rules_, &surroundings_);
    for (Layer& layer : layers) builder.add(std::move(layer));
    return std::move(builder).finish();
  }
  std::string problems(std::vector<Layer> layers) {
    return build(std::move(layers)).problems.text();
  }
  Config config(std::vector<Layer> layers) {
    Built built = build(std::move(layers));
    EXPECT_TRUE(built.config) << built.problems.text();
    return *std::move(built.config);
  }

  LoadRules rules_;
  MemorySurroundings surroundings_;
};

std::int64_t number(const Config& config, std::string_view name) {
  return std::get<std::int64_t>(config.value(id_of_name(name)));
}

TEST_F(Load, gives_defaults_where_nothing_is_said) {
  const Config loaded = config({});
  EXPECT_EQ(number(loaded, "lowest"), 10);
  EXPECT_EQ(loaded.source(id_of_name("lowest")).kind, SourceKind::default_value);
  EXPECT_EQ(loaded.printed(id_of_name("lowest")), "10");
  EXPECT_FALSE(loaded.is_set(id_of_name("rack")));
  EXPECT_EQ(loaded.printed(id_of_name("rack")), "");
  EXPECT_TRUE(loaded.settings(id_of_name("rack")).empty());
}

TEST_F(Load, lets_the_stronger_source_win_and_remembers_them_all) {
  const Config loaded =
      config({file_layer("\nlowest= 11 \n"), layer_of(SourceKind::command_line, {{"lowest", "12"}}),
              layer_of(SourceKind::cluster_wide, {{"lowest", "13"}}),
              layer_of(SourceKind::per_broker, {{"lowest", "14"}})});
  const PropertyId id = id_of_name("lowest");
  EXPECT_EQ(number(loaded, "lowest"), 14);
  const auto settings = loaded.settings(id);
  ASSERT_EQ(settings.size(), 5u);
  EXPECT_EQ(settings[0].source.kind, SourceKind::per_broker);
  EXPECT_EQ(settings[1].source.kind, SourceKind::cluster_wide);
  EXPECT_EQ(settings[2].source.kind, SourceKind::command_line);
  EXPECT_EQ(to_string(settings[3].source), "server.properties:2");
  EXPECT_EQ(settings[3].text, "11");
  EXPECT_EQ(settings[4].source.kind, SourceKind::default_value);
  EXPECT_EQ(settings[4].text, "10");
}

TEST_F(Load, puts_layers_in_order_by_itself) {
  EXPECT_EQ(number(config({layer_of(SourceKind::per_broker, {{"lowest", "14"}}),
                           layer_of(SourceKind::command_line, {{"lowest", "12"}}),
                           file_layer("lowest=11")}),
                   "lowest"),
            14);
}

TEST_F(Load, lets_the_later_of_two_files_win) {
  Layer first = file_layer("lowest=11");
  Layer second = file_layer("lowest=12");
  second.file = "second.properties";
  const Config loaded = config({first, second});
  EXPECT_EQ(number(loaded, "lowest"), 12);
  EXPECT_EQ(to_string(loaded.source(id_of_name("lowest"))), "second.properties:1");
}

TEST_F(Load, names_file_line_property_value_and_range_of_a_wrong_value) {
  EXPECT_EQ(problems({file_layer("# one\nmax.connections = -5\n")}),
            "error: server.properties:2: max.connections=-5: out of range; allowed: 0 or more\n");
}

TEST_F(Load, reports_all_errors_of_all_sources_at_once) {
  EXPECT_EQ(problems({file_layer("lowest=x\nhighst=1\nlog.retention.hours=1.5\n"),
                      layer_of(SourceKind::command_line, {{"nod.id", "1"}})}),
            "error: server.properties:1: lowest=x: not a whole number\n"
            "error: server.properties:2: unknown property highst; did you mean highest?\n"
            "error: server.properties:3: log.retention.hours=1.5: not a whole number\n"
            "error: command line: unknown property nod.id; did you mean node.id?\n");
}

TEST_F(Load, reports_a_wrong_value_that_a_stronger_source_covers) {
  EXPECT_EQ(
      problems({file_layer("lowest=x"), layer_of(SourceKind::command_line, {{"lowest", "1"}})}),
      "error: server.properties:1: lowest=x: not a whole number\n");
}

TEST_F(Load, suggests_the_known_name_for_a_mistyped_one) {
  EXPECT_EQ(problems({file_layer("log.retention.hour=1")}),
            "error: server.properties:1: unknown property log.retention.hour; did you mean "
            "log.retention.hours?\n");
  EXPECT_EQ(problems({file_layer("nothing.like.it=1")}),
            "error: server.properties:1: unknown property nothing.like.it\n");
}

TEST_F(Load, explains_a_topic_property_among_the_brokers) {
  EXPECT_EQ(problems({file_layer("retention.ms=1")}),
            "error: server.properties:1: unknown property retention.ms; it is a property of "
            "topics, whose default is log.retention.hours\n");
}

TEST_F(Load, only_warns_of_unknown_names_in_files_where_that_is_asked_for) {
  rules_.allow_unknown_in_files = true;
  EXPECT_EQ(
      problems({file_layer("highst=1"), layer_of(SourceKind::command_line, {{"highst", "1"}})}),
      "warning: server.properties:1: unknown property highst; did you mean highest?\n"
      "error: command line: unknown property highst; did you mean highest?\n");
}

TEST_F(Load, never_repeats_the_value_of_an_unknown_name) {
  const std::string text =
      problems({file_layer("ssl.key.pasword=hunter2\nsasl.jaas=hunter2\n"
                           "num.io.threads=hunter2\n=hunter2\n")});
  EXPECT_EQ(text.find("hunter2"), std::string::npos) << text;
  EXPECT_NE(text.find("did you mean ssl.key.password?"), std::string::npos);
  EXPECT_NE(text.find("4: a property without a name"), std::string::npos);
}

TEST_F(Load, warns_of_kafka_names_without_effect) {
  const Built built = build({file_layer("num.io.threads=8")});
  EXPECT_TRUE(built.config);
  EXPECT_EQ(built.problems.text(),
            "warning: server.properties:1: num.io.threads has no effect: work is shared among "
            "shards\n");
}

TEST_F(Load, refuses_kafka_names_that_must_not_be_passed_over) {
  EXPECT_EQ(problems({file_layer("sasl.enabled.mechanisms=PLAIN\ntiering=true\n"
                                 "listener.name.x.sasl.a=b\nlistener.name.x.plain.sasl.a=b")}),
            "error: server.properties:1: sasl.enabled.mechanisms has no effect: SASL is not "
            "supported yet; remove it to go on without\n"
            "error: server.properties:2: tiering has no effect: tiering is not supported yet; "
            "remove it to go on without\n"
            "error: server.properties:3: listener.name.x.sasl.a has no effect: SASL is not "
            "supported yet; remove it to go on without\n"
            "error: server.properties:4: listener.name.x.plain.sasl.a has no effect: SASL is not "
            "supported yet; remove it to go on without\n");
}

TEST_F(Load, lets_refused_names_pass_with_a_value_that_asks_for_nothing) {
  EXPECT_TRUE(build({file_layer("tiering = False\nsasl.enabled.mechanisms=\n")}).config);
}

TEST_F(Load, requires_what_has_no_default_from_the_process_that_takes_it) {
  EXPECT_EQ(problems({}), "");
  rules_.process = Processes::controller;
  EXPECT_EQ(problems({}), "");
  rules_.process = Processes::broker | Processes::controller;
  EXPECT_EQ(problems({file_layer("lowest=1")}),
            "error: server.properties: node.id is missing and has no default\n");
  EXPECT_EQ(problems({}), "error: command line: node.id is missing and has no default\n");
  EXPECT_EQ(problems({file_layer("node.id=x")}),
            "error: server.properties:1: node.id=x: not a whole number; allowed: 0 or more\n");
}

TEST_F(Load, takes_an_alias_for_the_property) {
  const Config loaded = config({file_layer("broker.id=7")});
  EXPECT_EQ(number(loaded, "node.id"), 7);
  EXPECT_EQ(loaded.settings(id_of_name("node.id"))[0].name, "broker.id");
  EXPECT_EQ(number(config({file_layer("broker.id=7\nnode.id=7")}), "node.id"), 7);
}

TEST_F(Load, refuses_an_alias_that_differs_from_the_property) {
  EXPECT_EQ(problems({file_layer("node.id=1\nbroker.id=2")}),
            "error: server.properties:2: broker.id and node.id are one property and must not "
            "differ\n");
  EXPECT_EQ(number(config({file_layer("node.id=1"),
                           layer_of(SourceKind::command_line, {{"broker.id", "2"}})}),
                   "node.id"),
            2);
}

TEST_F(Load, checks_that_values_fit_together) {
  EXPECT_EQ(problems({file_layer("lowest=21")}),
            "error: server.properties:1: lowest=21 must not be above highest=20\n");
  EXPECT_EQ(problems({file_layer("highest=9")}),
            "error: server.properties:1: lowest=10 must not be above highest=9\n");
  EXPECT_EQ(problems({file_layer("lowest=20")}), "");
}

TEST_F(Load, takes_a_value_for_one_listener) {
  const Config loaded = config(
      {file_layer("max.connections=50\n"
                  "listener.name.internal.max.connections=5\n"),
       layer_of(SourceKind::command_line, {{"listener.name.INTERNAL.max.connections", "6"}})});
  const PropertyId id = id_of_name("max.connections");
  EXPECT_EQ(std::get<std::int64_t>(loaded.value(id, "Internal")), 6);
  EXPECT_EQ(std::get<std::int64_t>(loaded.value(id, "EXTERNAL")), 50);
  EXPECT_EQ(std::get<std::int64_t>(loaded.value(id)), 50);
  EXPECT_EQ(std::get<std::int64_t>(loaded.value(id_of_name("max.rate"), "Internal")), 7);
}

TEST_F(Load, refuses_for_one_listener_what_is_for_all) {
  EXPECT_EQ(problems({file_layer("listener.name.a.lowest=1\n"
                                 "listener.name.a.max.conections=1\n"
                                 "listener.name.a.max.connections=-1\n"
                                 "listener.name.max=1\n"
                                 "listener.name..max.connections=1\n")}),
            "error: server.properties:1: listener.name.a.lowest: lowest cannot be set for one "
            "listener\n"
            "error: server.properties:2: unknown property listener.name.a.max.conections; did you "
            "mean listener.name.a.max.connections?\n"
            "error: server.properties:3: listener.name.a.max.connections=-1: out of range; "
            "allowed: 0 or more\n"
            "error: server.properties:4: unknown property listener.name.max\n"
            "error: server.properties:5: unknown property listener.name..max.connections\n");
}

TEST_F(Load, refuses_to_change_while_running_what_cannot_change) {
  EXPECT_EQ(problems({layer_of(SourceKind::cluster_wide, {{"rack", "a"}, {"highest", "1"}}),
                      layer_of(SourceKind::per_broker, {{"rack", "a"}})}),
            "error: cluster-wide setting: rack cannot be changed while the broker runs\n"
            "error: cluster-wide setting: highest can be set for one broker only, not for all\n"
            "error: broker setting: rack cannot be changed while the broker runs\n");
}

TEST_F(Load, hides_passwords) {
  const Config loaded = config({file_layer("ssl.key.password=hunter2")});
  const PropertyId id = id_of_name("ssl.key.password");
  EXPECT_EQ(std::get<Password>(loaded.value(id)).reveal(), "hunter2");
  EXPECT_EQ(loaded.printed(id), "[hidden]");
  EXPECT_EQ(loaded.settings(id)[0].text, "[hidden]");
  for (const DescribedProperty& row : loaded.describe()) {
    if (row.definition->name != "ssl.key.password") continue;
    EXPECT_TRUE(row.is_secret);
    EXPECT_TRUE(row.has_value);
    EXPECT_EQ(row.text, "");
  }
}

TEST_F(Load, hides_whatever_came_by_reference) {
  surroundings_.variables["RACK"] = "hunter2";
  const Config loaded = config({file_layer("rack=${env:RACK}")});
  const PropertyId id = id_of_name("rack");
  EXPECT_EQ(std::get<std::string>(loaded.value(id)), "hunter2");
  EXPECT_EQ(loaded.printed(id), "[hidden]");
  EXPECT_EQ(loaded.settings(id)[0].text, "[hidden]");
  EXPECT_EQ(problems({file_layer("lowest=${env:RACK}")}),
            "error: server.properties:1: lowest=[hidden]: not a whole number\n");
  surroundings_.variables["RACK"] = "30";
  EXPECT_EQ(problems({file_layer("lowest=${env:RACK}")}),
            "error: server.properties:1: lowest=[hidden] must not be above highest=20\n");
}

TEST_F(Load, follows_references_through_the_providers_that_are_named) {
  surroundings_.files["/s"] = "k=blue";
  EXPECT_EQ(config({file_layer("config.providers=x\nconfig.providers.x.class=file\n"
                               "rack=${x:/s:k}")})
                .printed(id_of_name("rack")),
            "[hidden]");
  EXPECT_EQ(problems({file_layer("rack=${file:/s:k}"),
                      layer_of(SourceKind::command_line, {{"config.providers", "env"}})}),
            "error: server.properties:1: rack: reference ${file:/s:k}: no config provider has this "
            "name; known: env\n");
}

TEST_F(Load, passes_on_the_warnings_of_files_that_references_read) {
  surroundings_.files["/s"] = "k=blue\nk=green\n";
  const Built built = build({file_layer("rack=${file:/s:k}")});
  EXPECT_EQ(built.problems.text(),
            "warning: /s:2: k is set again; its value of line 1 is not used\n");
}

TEST_F(Load, does_not_follow_references_that_come_over_the_network) {
  surroundings_.variables["SECRET"] = "hunter2";
  const Config loaded = config({layer_of(SourceKind::per_topic, {{"rack", "${env:SECRET}"}})});
  EXPECT_EQ(loaded.printed(id_of_name("rack")), "${env:SECRET}");
  EXPECT_EQ(problems({layer_of(SourceKind::per_topic, {{"config.providers.x.class", "file"}})}),
            "error: topic setting: unknown property config.providers.x.class\n");
}

TEST_F(Load, describes_every_property) {
  const Config loaded = config({file_layer("lowest=11")});
  const auto rows = loaded.describe();
  ASSERT_EQ(rows.size(), definitions.size());
  EXPECT_EQ(rows[2].definition->name, "lowest");
  EXPECT_EQ(rows[2].text, "11");
  EXPECT_EQ(rows[2].source, SourceKind::file);
  EXPECT_EQ(rows[2].settings.size(), 2u);
  EXPECT_FALSE(rows[7].has_value);
}

TEST_F(Load, escapes_hostile_names_in_problems) {
  const std::string text = problems({file_layer(
      "\\u001b[2J=1\nlistener.name.\\u001b[2J.max.connections=x\n"
      "listener.name.\\u001b[2J.max.conections=1\nlistener.name.\\u001b[2J.sasl.a=1\n")});
  EXPECT_EQ(text.find('\x1b'), std::string::npos) << text;
}

RC_GTEST_PROP(LoadProperty, the_strongest_source_that_sets_a_value_wins, ()) {
  constexpr std::array<SourceKind, 4> kinds = {SourceKind::file, SourceKind::command_line,
                                               SourceKind::cluster_wide, SourceKind::per_broker};
  MemorySurroundings surroundings;
  ConfigBuilder builder(SmallSet::definitions(), {}, &surroundings);
  std::int64_t expected = 10;
  Source source;
  for (const SourceKind kind : kinds) {
    if (!*rc::gen::arbitrary<bool>()) continue;
    expected = *rc::gen::inRange(-1000, 10);
    source = {.kind = kind, .file = {}, .line = 0};
    builder.add(layer_of(kind, {{"lowest", std::to_string(expected)}}));
  }
  const Built built = std::move(builder).finish();
  RC_ASSERT(built.config.has_value());
  RC_ASSERT(number(*built.config, "lowest") == expected);
  RC_ASSERT(built.config->source(id_of_name("lowest")) == source);
}

TEST_F(Load, warns_of_a_setting_that_nothing_reads_yet) {
  EXPECT_EQ(problems({file_layer("replica.wait=7")}),
            "warning: server.properties:1: replica.wait has no effect: replication is not "
            "supported yet\n");
  EXPECT_EQ(problems({file_layer("replica.wait=0500")}), "") << "that is so anyway";
  EXPECT_EQ(
      problems({layer_of(SourceKind::command_line, {{"replica.wait", "7"}})}),
      "warning: command line: replica.wait has no effect: replication is not supported yet\n");
  rules_.process = Processes::controller;
  EXPECT_EQ(problems({file_layer("replica.wait=7")}), "") << "the broker says it";
}

TEST_F(Load, knows_which_settings_would_change_nothing) {
  const auto reason = [](std::string_view name, std::string_view value) {
    return without_effect(SmallSet::definitions(), name, value).value_or("");
  };
  EXPECT_EQ(reason("replica.wait", "7"),
            "replica.wait has no effect: replication is not supported yet");
  EXPECT_EQ(reason("replica.wait", "500"), "");
  EXPECT_EQ(reason("num.io.threads", "8"),
            "num.io.threads has no effect: work is shared among shards");
  EXPECT_EQ(reason("listener.name.inside.sasl.mechanism", "PLAIN"),
            "listener.name.inside.sasl.mechanism has no effect: SASL is not supported yet");
  EXPECT_EQ(reason("tiering", "true"), "tiering has no effect: tiering is not supported yet");
  EXPECT_EQ(reason("tiering", "False"), "");
  EXPECT_EQ(reason("lowest", "11"), "");
  EXPECT_EQ(reason("listener.name.inside.max.connections", "11"), "");
  EXPECT_EQ(reason("no.such.setting", "1"), "");
}

TEST_F(Load, goes_on_from_another_configuration) {
  const Config start = config(
      {file_layer("lowest=3\nmax.connections=50\nlistener.name.inside.max.connections=5\nrack=a")});
  const auto changed = [&](Layer layer) {
    ConfigBuilder builder(SmallSet::definitions(), rules_, nullptr);
    builder.begin_with(start);
    builder.add(std::move(layer));
    return std::move(builder).finish();
  };
  const Built built = changed(layer_of(SourceKind::cluster_wide, {{"max.connections", "60"}}));
  ASSERT_TRUE(built.config) << built.problems.text();
  const PropertyId connections = id_of_name("max.connections");
  EXPECT_EQ(number(*built.config, "max.connections"), 60);
  EXPECT_EQ(number(*built.config, "lowest"), 3);
  EXPECT_EQ(std::get<std::int64_t>(built.config->value(connections, "inside")), 5);
  EXPECT_EQ(built.config->source(connections).kind, SourceKind::cluster_wide);
  EXPECT_EQ(built.config->settings(connections).size(), 3u);
  EXPECT_EQ(built.config->source(id_of_name("lowest")).kind, SourceKind::file);
  EXPECT_EQ(changed(layer_of(SourceKind::per_broker, {{"highest", "2"}})).problems.text(),
            "error: server.properties:1: lowest=3 must not be above highest=2\n");
}

}  // namespace
}  // namespace millrace::config
