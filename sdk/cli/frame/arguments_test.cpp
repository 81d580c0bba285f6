// Also proves command.cpp.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <variant>
#include <vector>

#include "sample_commands.hpp"

namespace millrace::cli {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Arguments parsed(const std::vector<std::string>& words) {
  const auto outcome = parse_words(sample_commands()[0], words);
  const auto* wrong = std::get_if<Failure>(&outcome);
  EXPECT_EQ(wrong, nullptr) << (wrong == nullptr ? "" : wrong->message);
  return wrong == nullptr ? std::get<Arguments>(outcome) : Arguments();
}

std::string complaint(const std::vector<std::string>& words, std::size_t command = 0) {
  const auto outcome = parse_words(sample_commands()[command], words);
  const auto* wrong = std::get_if<Failure>(&outcome);
  EXPECT_NE(wrong, nullptr);
  return wrong == nullptr ? "" : line_of(*wrong);
}

TEST(Arguments, stand_in_any_order_and_spelling) {
  const auto arguments =
      parsed({"--config", "a=1", "orders", "--config=b=2", "-p6", "-n", "-o", "json"});
  EXPECT_THAT(arguments.operands(), ElementsAre("orders"));
  EXPECT_THAT(arguments.all("config"), ElementsAre("a=1", "b=2"));
  EXPECT_EQ(arguments.number("partitions"), 6);
  EXPECT_TRUE(arguments.has("dry-run"));
  EXPECT_EQ(arguments.text("output"), "json");
  EXPECT_EQ(parsed({"orders", "-np", "7"}).number("partitions"), 7);
}

TEST(Arguments, after_two_dashes_are_operands) {
  EXPECT_THAT(parsed({"--", "--config"}).operands(), ElementsAre("--config"));
  EXPECT_THAT(parsed({"-5"}).operands(), ElementsAre("-5"));
}

TEST(Arguments, that_are_wrong_are_named) {
  EXPECT_EQ(complaint({"orders", "--partition", "6"}),
            "there is no option --partition; did you mean --partitions?");
  EXPECT_EQ(complaint({"orders", "--partitions", "0"}),
            "--partitions is a number from 1 to 100, not '0'");
  EXPECT_EQ(complaint({"orders", "-p", "6x"}), "--partitions is a number from 1 to 100, not '6x'");
  EXPECT_EQ(complaint({"orders", "-o", "xml"}), "--output is table, json or tsv, not 'xml'");
  EXPECT_EQ(complaint({"orders", "--config"}), "--config needs a value: --config NAME=VALUE");
  EXPECT_EQ(complaint({"orders", "-p", "1", "-p", "2"}), "--partitions is given more than once");
  EXPECT_EQ(complaint({"orders", "--dry-run=1"}), "--dry-run takes no value");
  EXPECT_THAT(complaint({}), HasSubstr("TOPIC is missing; usage: millrace topic create TOPIC"));
  EXPECT_THAT(complaint({"a", "b"}), HasSubstr("'b' is one word too many"));
  EXPECT_THAT(complaint({}, 1), HasSubstr("--data is required"));
}

TEST(Arguments, ask_for_help_but_not_as_the_value_of_an_option) {
  const auto commands = sample_commands();
  EXPECT_TRUE(asks_for_help(&commands[0], {"topic", "create", "--help"}));
  EXPECT_TRUE(asks_for_help(&commands[0], {"topic", "create", "orders", "-h"}));
  EXPECT_FALSE(asks_for_help(&commands[0], {"topic", "create", "--config", "--help"}));
  EXPECT_FALSE(asks_for_help(&commands[0], {"topic", "create", "--", "--help"}));
}

}  // namespace
}  // namespace millrace::cli
