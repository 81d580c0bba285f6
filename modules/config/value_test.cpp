// Also proves definition.cppm, address.cpp.
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

import millrace.base;
import millrace.config;

namespace millrace::config {
namespace {

std::string failure_of(const Definition& definition, std::string_view text) {
  const auto value = parse_value(definition, text);
  return value ? "taken as " + to_text(definition, *value) : value.error();
}

template <class T>
T parsed(const Definition& definition, std::string_view text) {
  const auto value = parse_value(definition, text);
  EXPECT_TRUE(value) << text << ": " << value.error();
  return value ? std::get<T>(*value) : T{};
}

constexpr Definition boolean = {.name = "boolean", .type = Type::boolean};
constexpr Definition small = {.name = "small", .type = Type::int16, .range = at_least(1)};
constexpr Definition number = {.name = "number", .type = Type::int32};
constexpr Definition large = {.name = "large", .type = Type::int64};
constexpr Definition level = {
    .name = "level", .type = Type::int32, .range = or_also(between(1, 9), -1)};
constexpr Definition duration = {.name = "duration",
                                 .type = Type::int64,
                                 .meaning = Meaning::milliseconds,
                                 .range = at_least(0)};
constexpr Definition ratio = {.name = "ratio", .type = Type::real, .range = between(0, 1)};
constexpr Definition choice = {
    .name = "choice", .meaning = Meaning::choice, .choices = {"gzip", "snappy"}};
constexpr Definition policy = {.name = "policy",
                               .meaning = Meaning::choice,
                               .choices = {"upgrade", "downgrade"},
                               .ignores_case = true};
constexpr Definition words = {.name = "words", .type = Type::list};
constexpr Definition choices = {.name = "choices",
                                .type = Type::list,
                                .meaning = Meaning::choice,
                                .choices = {"compact", "delete"},
                                .list = {.may_be_empty = true}};
constexpr Definition listeners = {
    .name = "listeners", .type = Type::list, .meaning = Meaning::listeners};
constexpr Definition servers = {
    .name = "servers", .type = Type::list, .meaning = Meaning::host_ports};
constexpr Definition voters = {.name = "voters", .type = Type::list, .meaning = Meaning::voters};
constexpr Definition pairs = {.name = "pairs", .meaning = Meaning::pairs};
constexpr Definition password = {.name = "password", .type = Type::password};

TEST(ParseValue, takes_booleans_in_any_case) {
  EXPECT_TRUE(parsed<bool>(boolean, " True "));
  EXPECT_FALSE(parsed<bool>(boolean, "FALSE"));
  EXPECT_EQ(failure_of(boolean, "yes"), "not a boolean; allowed: true or false");
  EXPECT_EQ(failure_of(boolean, ""), "not a boolean; allowed: true or false");
}

TEST(ParseValue, takes_whole_numbers_up_to_the_ends_of_their_type) {
  EXPECT_EQ(parsed<std::int64_t>(number, "-2147483648"), INT32_MIN);
  EXPECT_EQ(parsed<std::int64_t>(number, "+2147483647"), INT32_MAX);
  EXPECT_EQ(failure_of(number, "2147483648"), "out of range; allowed: -2147483648 to 2147483647");
  EXPECT_EQ(parsed<std::int64_t>(large, "9223372036854775807"), INT64_MAX);
  EXPECT_EQ(parsed<std::int64_t>(large, "-9223372036854775808"), INT64_MIN);
  EXPECT_EQ(failure_of(large, "9223372036854775808"), "out of range");
  EXPECT_EQ(parsed<std::int64_t>(small, "32767"), 32767);
  EXPECT_EQ(failure_of(small, "32768"), "out of range; allowed: 1 to 32767");
  EXPECT_EQ(failure_of(small, "0"), "out of range; allowed: 1 or more");
}

TEST(ParseValue, refuses_what_is_no_whole_number) {
  for (const std::string_view text :
       {"", "+", "-", "+-1", "1.0", "1e3", "0x10", "1_000", "1 0", "12ms", "--1", "\xd9\xa1"}) {
    EXPECT_EQ(failure_of(number, text), "not a whole number") << text;
  }
  EXPECT_EQ(failure_of(duration, "7d"), "not a whole number of milliseconds; allowed: 0 or more");
}

TEST(ParseValue, takes_the_number_besides_the_range) {
  EXPECT_EQ(parsed<std::int64_t>(level, "-1"), -1);
  EXPECT_EQ(parsed<std::int64_t>(level, "9"), 9);
  EXPECT_EQ(failure_of(level, "0"), "out of range; allowed: 1 to 9, or -1");
  EXPECT_EQ(failure_of(level, "10"), "out of range; allowed: 1 to 9, or -1");
}

TEST(ParseValue, takes_finite_numbers) {
  EXPECT_EQ(parsed<double>(ratio, "0.5"), 0.5);
  EXPECT_EQ(parsed<double>(ratio, "+1E0"), 1.0);
  for (const std::string_view text : {"nan", "inf", "-infinity", "1e999", "", "half", "0.5f"}) {
    EXPECT_EQ(failure_of(ratio, text), "not a finite number; allowed: 0 to 1") << text;
  }
  EXPECT_EQ(failure_of(ratio, "1.01"), "out of range; allowed: 0 to 1");
}

TEST(ParseValue, takes_choices_by_their_exact_word_unless_case_is_ignored) {
  EXPECT_EQ(parsed<std::int64_t>(choice, "snappy"), 1);
  EXPECT_EQ(failure_of(choice, "Snappy"), "not a known value; allowed: one of gzip, snappy");
  EXPECT_EQ(parsed<std::int64_t>(policy, "DownGrade"), 1);
}

TEST(ParseValue, splits_lists_at_commas) {
  EXPECT_EQ(parsed<std::vector<std::string>>(words, " a, b ,c "),
            (std::vector<std::string>{"a", "b", "c"}));
  EXPECT_EQ(failure_of(words, " "), "must not be empty");
  EXPECT_EQ(failure_of(words, "a,,b"), "has an empty element");
  EXPECT_EQ(failure_of(words, "a,"), "has an empty element");
  EXPECT_EQ(failure_of(words, "a,b,a"), "has an element twice");
}

TEST(ParseValue, limits_the_length_of_lists) {
  std::string text = "0";
  for (std::size_t i = 1; i < list_elements_max; ++i) text += "," + std::to_string(i);
  EXPECT_EQ(parsed<std::vector<std::string>>(words, text).size(), list_elements_max);
  EXPECT_EQ(failure_of(words, text + ",x"), "has more than 1024 elements");
}

TEST(ParseValue, takes_lists_of_choices) {
  EXPECT_EQ(parsed<ChoiceIndexes>(choices, "delete,compact"), (ChoiceIndexes{1, 0}));
  EXPECT_EQ(parsed<ChoiceIndexes>(choices, ""), ChoiceIndexes{});
  EXPECT_EQ(failure_of(choices, "delete,shrink"),
            "not a known value; allowed: any of compact, delete");
}

TEST(ParseValue, takes_listeners) {
  EXPECT_EQ(
      parsed<std::vector<ListenerAddress>>(
          listeners, "PLAINTEXT://:9092, ext-1://host.example:0,V6://[::1]:65535"),
      (std::vector<ListenerAddress>{
          {"PLAINTEXT", {"", 9092}}, {"EXT-1", {"host.example", 0}}, {"V6", {"::1", 65535}}}));
  EXPECT_EQ(failure_of(listeners, "localhost:9092"), "each element must be NAME://host:port");
  EXPECT_EQ(failure_of(listeners, "://h:1"), "each element must be NAME://host:port");
  EXPECT_EQ(failure_of(listeners, "A://h"), "an address must end in a port, 0 to 65535");
  EXPECT_EQ(failure_of(listeners, "A://h:65536"), "an address must end in a port, 0 to 65535");
  EXPECT_EQ(failure_of(listeners, "A://h:-1"), "an address must end in a port, 0 to 65535");
  EXPECT_EQ(failure_of(listeners, "A://::1:1"), "an IPv6 address must stand in brackets");
  EXPECT_EQ(failure_of(listeners, "A://h/p:1"), "a host has a character that no address has");
  EXPECT_EQ(failure_of(listeners, "A B://h:1"),
            "a listener's name has letters, digits, '-' and '_' only");
  EXPECT_EQ(failure_of(listeners, "A://h:1,a://h:2"), "has an element twice");
}

TEST(ParseValue, takes_servers_and_voters) {
  EXPECT_EQ(parsed<std::vector<HostPort>>(servers, "a:1,[fe80::1%eth0]:2"),
            (std::vector<HostPort>{{"a", 1}, {"fe80::1%eth0", 2}}));
  EXPECT_EQ(failure_of(servers, ":1"), "each element needs a host and a port other than 0");
  EXPECT_EQ(failure_of(servers, "a:0"), "each element needs a host and a port other than 0");
  EXPECT_EQ(failure_of(servers, "a:1,a:1"), "has an element twice");
  EXPECT_EQ(parsed<std::vector<Voter>>(voters, "1@a:1,2@b:1"),
            (std::vector<Voter>{{BrokerId(1), {"a", 1}}, {BrokerId(2), {"b", 1}}}));
  for (const std::string_view text :
       {"a:1", "@a:1", "-1@a:1", "x@a:1", "1 @a:1", "2147483648@a:1"}) {
    EXPECT_EQ(failure_of(voters, text), "each element must be id@host:port") << text;
  }
  EXPECT_EQ(failure_of(voters, "1@a:1,1@b:1"), "has an element twice");
}

TEST(ParseValue, takes_pairs_whose_name_may_be_an_ipv6_address) {
  EXPECT_EQ(parsed<std::vector<NameValue>>(pairs, "A:SSL, ::1:5"),
            (std::vector<NameValue>{{"A", "SSL"}, {"::1", "5"}}));
  EXPECT_EQ(failure_of(pairs, "A"), "each element must be name:value");
  EXPECT_EQ(failure_of(pairs, ":b"), "each element must be name:value");
  EXPECT_EQ(failure_of(pairs, "a:"), "each element must be name:value");
}

TEST(ParseValue, keeps_passwords_out_of_print) {
  EXPECT_EQ(parsed<std::int64_t>(number, "1"), 1);
  const auto value = parse_value(password, " hunter2 \n");
  ASSERT_TRUE(value);
  EXPECT_EQ(std::get<Password>(*value).reveal(), "hunter2");
  EXPECT_EQ(to_text(password, *value), "[hidden]");
}

TEST(ParseValue, never_repeats_the_text_in_its_error) {
  for (const Definition& definition :
       {boolean, small, number, large, level, duration, ratio, choice, policy, choices, listeners,
        servers, voters, pairs}) {
    const auto value = parse_value(definition, "hunter2");
    ASSERT_FALSE(value) << definition.name;
    EXPECT_EQ(value.error().find("hunter2"), std::string::npos) << value.error();
  }
}

template <class T>
void reads_back(const Definition& definition, const T& value) {
  const auto again = parse_value(definition, to_text(definition, Value(value)));
  RC_ASSERT(again.has_value());
  RC_ASSERT(*again == Value(value));
}

RC_GTEST_PROP(ParseValue, reads_back_what_to_text_writes, ()) {
  reads_back(large, *rc::gen::arbitrary<std::int64_t>());
  reads_back(boolean, *rc::gen::arbitrary<bool>());
  constexpr Definition any_real = {.name = "real", .type = Type::real};
  reads_back(any_real, *rc::gen::arbitrary<double>());
  const auto host =
      rc::gen::elementOf(std::vector<std::string>{"a", "h-1.example", "10.0.0.1", "::1"});
  const auto port = rc::gen::inRange<std::uint16_t>(1, 65535);
  const HostPort address{*host, *port};
  reads_back(servers, std::vector<HostPort>{address});
  reads_back(voters, std::vector<Voter>{{BrokerId(*rc::gen::inRange(0, INT32_MAX)), address}});
  reads_back(listeners, std::vector<ListenerAddress>{{"A", address}, {"B", {"", 1}}});
  reads_back(pairs, std::vector<NameValue>{{*host, "x"}});
}

RC_GTEST_PROP(ParseValue, ends_on_any_text, ()) {
  const auto text = *rc::gen::string<std::string>();
  for (const Definition& definition : {boolean, small, number, large, ratio, choice, words, choices,
                                       listeners, servers, voters, pairs, password}) {
    const auto value = parse_value(definition, text);
    if (value && definition.type != Type::password) {
      RC_ASSERT(parse_value(definition, to_text(definition, *value)).has_value());
    }
  }
}

TEST(Definition, describes_its_type_and_its_values) {
  EXPECT_EQ(type_text(duration), "whole number of milliseconds");
  EXPECT_EQ(type_text(choice), "choice");
  EXPECT_EQ(type_text(choices), "list of choices");
  EXPECT_EQ(type_text(listeners), "list of NAME://host:port");
  EXPECT_EQ(type_text(servers), "list of host:port");
  EXPECT_EQ(type_text(voters), "list of id@host:port");
  EXPECT_EQ(type_text(pairs), "list of name:value");
  EXPECT_EQ(allowed_values(number), "");
  EXPECT_EQ(allowed_values(level), "1 to 9, or -1");
  EXPECT_EQ(kafka_name(Type::int16), "SHORT");
  EXPECT_EQ(names_of(Processes::broker | Processes::coordinator), "broker, coordinator");
}

}  // namespace
}  // namespace millrace::config
