#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

import millrace.base;
import millrace.config;

namespace millrace::config {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;

constexpr auto all_kinds = std::to_array<Definition>({
    {.name = "a.boolean", .type = Type::boolean, .default_value = "true"},
    {.name = "a.short", .type = Type::int16, .default_value = "1"},
    {.name = "an.int", .type = Type::int32, .default_value = "2"},
    {.name = "a.long", .type = Type::int64, .default_value = "3"},
    {.name = "a.real", .type = Type::real, .default_value = "0.5"},
    {.name = "a.string", .default_value = "text"},
    {.name = "a.list", .type = Type::list, .default_value = "a,b"},
    {.name = "a.password", .type = Type::password, .default_value = "secret"},
    {.name = "a.choice", .meaning = Meaning::choice, .default_value = "b", .choices = {"a", "b"}},
    {.name = "some.choices",
     .type = Type::list,
     .meaning = Meaning::choice,
     .default_value = "b,a",
     .choices = {"a", "b", "c"}},
    {.name = "a.time",
     .type = Type::int32,
     .meaning = Meaning::milliseconds,
     .default_value = "1500"},
    {.name = "some.hours", .type = Type::int32, .meaning = Meaning::hours, .default_value = "168"},
    {.name = "a.size", .type = Type::int32, .meaning = Meaning::bytes, .default_value = "1024"},
    {.name = "some.listeners",
     .type = Type::list,
     .meaning = Meaning::listeners,
     .default_value = "A://:1"},
    {.name = "some.servers",
     .type = Type::list,
     .meaning = Meaning::host_ports,
     .default_value = "h:1"},
    {.name = "some.voters",
     .type = Type::list,
     .meaning = Meaning::voters,
     .default_value = "1@h:1"},
    {.name = "some.pairs", .meaning = Meaning::pairs, .default_value = "n:v"},
    {.name = "perhaps.int", .type = Type::int32, .default_value = Default::none()},
    {.name = "perhaps.string", .default_value = Default::none()},
    {.name = "perhaps.time",
     .type = Type::int64,
     .meaning = Meaning::milliseconds,
     .default_value = Default::none()},
    {.name = "perhaps.listeners",
     .type = Type::list,
     .meaning = Meaning::listeners,
     .default_value = Default::none()},
    {.name = "for.listeners", .type = Type::int32, .default_value = "1", .per_listener = true},
    {.name = "needed", .type = Type::int32, .default_value = Default::required()},
});

struct KindsSet {
  static constexpr DefinitionSet definitions() {
    return {
        .definitions = all_kinds, .foreign_names = {}, .relations = {}, .topic_definitions = {}};
  }
};
using KindsConfig = TypedConfig<KindsSet>;

KindsConfig load(std::vector<PropertyEntry> entries) {
  ConfigBuilder builder(KindsSet::definitions(), {}, nullptr);
  builder.add(Layer{.kind = SourceKind::per_topic, .file = {}, .entries = std::move(entries)});
  Built built = std::move(builder).finish();
  EXPECT_TRUE(built.config) << built.problems.text();
  return KindsConfig(*std::move(built.config));
}

TEST(TypedConfig, gives_each_definition_its_own_type) {
  const KindsConfig config = load({});
  static_assert(std::same_as<decltype(config.get<"a.boolean">()), bool>);
  static_assert(std::same_as<decltype(config.get<"a.short">()), std::int16_t>);
  static_assert(std::same_as<decltype(config.get<"an.int">()), std::int32_t>);
  static_assert(std::same_as<decltype(config.get<"a.long">()), std::int64_t>);
  static_assert(std::same_as<decltype(config.get<"a.real">()), double>);
  static_assert(std::same_as<decltype(config.get<"a.string">()), const std::string&>);
  static_assert(std::same_as<decltype(config.get<"a.password">()), const Password&>);
  static_assert(std::same_as<decltype(config.get<"a.time">()), milliseconds>);
  static_assert(std::same_as<decltype(config.get<"some.hours">()), hours>);
  static_assert(std::same_as<decltype(config.get<"a.size">()), ByteCount>);
  static_assert(std::same_as<decltype(config.get<"perhaps.int">()), std::optional<std::int32_t>>);
  static_assert(std::same_as<decltype(config.get<"perhaps.time">()), std::optional<milliseconds>>);
  EXPECT_TRUE(config.get<"a.boolean">());
  EXPECT_EQ(config.get<"a.short">(), 1);
  EXPECT_EQ(config.get<"an.int">(), 2);
  EXPECT_EQ(config.get<"a.long">(), 3);
  EXPECT_EQ(config.get<"a.real">(), 0.5);
  EXPECT_EQ(config.get<"a.string">(), "text");
  EXPECT_EQ(config.get<"a.list">(), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(config.get<"a.password">().reveal(), "secret");
  EXPECT_EQ(config.get<"a.time">(), milliseconds(1500));
  EXPECT_EQ(config.get<"some.hours">(), hours(168));
  EXPECT_EQ(config.get<"a.size">(), ByteCount(1024));
  EXPECT_EQ(config.get<"some.listeners">()[0].listener, "A");
  EXPECT_EQ(config.get<"some.servers">()[0], (HostPort{"h", 1}));
  EXPECT_EQ(config.get<"some.voters">()[0].id, BrokerId(1));
  EXPECT_EQ(config.get<"some.pairs">()[0], (NameValue{"n", "v"}));
}

TEST(TypedConfig, gives_an_optional_where_there_may_be_no_value) {
  const KindsConfig empty = load({});
  EXPECT_EQ(empty.get<"perhaps.int">(), std::nullopt);
  EXPECT_EQ(empty.get<"perhaps.string">(), std::nullopt);
  EXPECT_EQ(empty.get<"perhaps.listeners">(), std::nullopt);
  const KindsConfig full = load({{"perhaps.int", "1"},
                                 {"perhaps.string", "x"},
                                 {"perhaps.time", "2"},
                                 {"perhaps.listeners", "A://:1"}});
  EXPECT_EQ(full.get<"perhaps.int">(), 1);
  EXPECT_EQ(full.get<"perhaps.string">(), "x");
  EXPECT_EQ(full.get<"perhaps.time">(), milliseconds(2));
  EXPECT_EQ(full.get<"perhaps.listeners">()->size(), 1u);
}

TEST(TypedConfig, compares_choices_with_words_that_are_checked_when_compiled) {
  const KindsConfig config = load({});
  EXPECT_TRUE(config.get<"a.choice">() == "b");
  EXPECT_FALSE(config.get<"a.choice">() == "a");
  EXPECT_EQ(config.get<"a.choice">().text(), "b");
  const auto choices = config.get<"some.choices">();
  EXPECT_EQ(choices.size(), 2u);
  EXPECT_TRUE(choices[0] == "b");
  EXPECT_TRUE(choices.has("a"));
  EXPECT_FALSE(choices.has("c"));
  switch (config.get<"a.choice">().index()) {
    case Choice<KindsSet, "a.choice">::index_of("b"):
      break;
    default:
      FAIL();
  }
}

TEST(TypedConfig, gives_a_listener_its_own_value) {
  const KindsConfig config = load({{"for.listeners", "2"}, {"listener.name.a.for.listeners", "3"}});
  EXPECT_EQ(config.get_for<"for.listeners">("A"), 3);
  EXPECT_EQ(config.get_for<"for.listeners">("b"), 2);
  EXPECT_EQ(config.get<"for.listeners">(), 2);
}

TEST(TypedConfig, knows_the_source_of_a_value) {
  const KindsConfig config = load({{"an.int", "5"}});
  EXPECT_EQ(config.source<"an.int">().kind, SourceKind::per_topic);
  EXPECT_EQ(config.source<"a.long">().kind, SourceKind::default_value);
}

template <class C>
concept ReadsMisspeltName = requires(const C& config) { config.template get<"an.itn">(); };
template <class C>
concept ReadsRightName = requires(const C& config) { config.template get<"an.int">(); };
template <class C>
concept ReadsForListener = requires(const C& config) { config.template get_for<"an.int">("A"); };

TEST(TypedConfig, does_not_compile_with_a_name_that_is_not_defined) {
  static_assert(ReadsRightName<KindsConfig>);
  static_assert(!ReadsMisspeltName<KindsConfig>);
  static_assert(!ReadsRightName<ServerConfig>);
  static_assert(!ReadsForListener<KindsConfig>);
}

TEST(TypedConfigDeathTest, stops_a_process_that_reads_what_it_did_not_require) {
  const KindsConfig config = load({});
  EXPECT_DEATH(static_cast<void>(config.get<"needed">()), "invariant broken");
}

}  // namespace
}  // namespace millrace::config
