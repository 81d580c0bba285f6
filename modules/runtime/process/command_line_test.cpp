#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <optional>
#include <string>
#include <variant>
#include <vector>

import millrace.runtime.process;

namespace millrace {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr std::array<OptionDefinition, 2> options = {
    OptionDefinition{.name = "node-id", .value_name = "N", .help = "Number of this node"},
    OptionDefinition{.name = "rack",
                     .value_name = "NAME",
                     .help = "Where it stands",
                     .property = "broker.rack"}};

std::variant<CommandLine, PrintAndExit> parse(const std::vector<std::string>& arguments) {
  return parse_command_line({.name = "millrace-test",
                             .description = "Does nothing, well.",
                             .version = "1.2.3",
                             .options = options},
                            arguments);
}

CommandLine parsed(const std::vector<std::string>& arguments) {
  const auto line = parse(arguments);
  const auto* wrong = std::get_if<PrintAndExit>(&line);
  EXPECT_EQ(wrong, nullptr) << wrong->text;
  return std::get<CommandLine>(line);
}

PrintAndExit refused(const std::vector<std::string>& arguments) {
  return std::get<PrintAndExit>(parse(arguments));
}

TEST(CommandLine, takes_a_file_and_several_properties) {
  const CommandLine line = parsed({"--config", "server.properties", "--set", "a.b=1", "--set",
                                   "c=2", "--set=d=with spaces = and more"});
  EXPECT_EQ(line.config_file, "server.properties");
  EXPECT_THAT(line.overrides, ElementsAre("a.b=1", "c=2", "d=with spaces = and more"));
  EXPECT_THAT(line.values, ElementsAre(std::nullopt, std::nullopt));
}

TEST(CommandLine, may_be_empty) {
  const CommandLine line = parsed({});
  EXPECT_EQ(line.config_file, std::nullopt);
  EXPECT_TRUE(line.overrides.empty());
}

TEST(CommandLine, takes_the_options_of_the_service) {
  EXPECT_THAT(parsed({"--node-id", "7"}).values,
              ElementsAre(std::optional<std::string>("7"), std::nullopt));
}

TEST(CommandLine, an_option_may_be_short_for_a_property) {
  EXPECT_THAT(parsed({"--set", "a=1", "--rack", "west"}).overrides,
              ElementsAre("a=1", "broker.rack=west"));
}

TEST(CommandLine, passes_a_value_on_as_it_is) {
  EXPECT_THAT(parsed({"--set", "listeners=[::1]:9092,{a}"}).overrides,
              ElementsAre("listeners=[::1]:9092,{a}"));
  EXPECT_THAT(parsed({"--set", "name=\"quoted, with a comma\""}).overrides,
              ElementsAre("name=\"quoted, with a comma\""));
}

TEST(CommandLine, prints_help_and_version_when_asked) {
  const PrintAndExit help = refused({"--help"});
  EXPECT_EQ(help.code, ExitCode::success);
  for (const char* part : {"Does nothing, well.", "--config", "FILE", "--set", "NAME=VALUE",
                           "--version", "--node-id", "Number of this node"}) {
    EXPECT_THAT(help.text, HasSubstr(part));
  }
  const PrintAndExit version = refused({"--version"});
  EXPECT_EQ(version.code, ExitCode::success);
  EXPECT_EQ(version.text, "millrace-test 1.2.3\n");
}

TEST(CommandLine, says_what_is_wrong) {
  for (const std::vector<std::string>& wrong :
       std::vector<std::vector<std::string>>{{"--unknown"},
                                             {"positional"},
                                             {"--config"},
                                             {"--set"},
                                             {"--config", "a", "--config", "b"}}) {
    const PrintAndExit answer = refused(wrong);
    EXPECT_EQ(answer.code, ExitCode::usage) << wrong.front();
    EXPECT_FALSE(answer.text.empty()) << wrong.front();
  }
  EXPECT_THAT(refused({"--unknown"}).text, HasSubstr("--unknown"));
}

}  // namespace
}  // namespace millrace
