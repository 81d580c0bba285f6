#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <variant>
#include <vector>

import millrace.cli;
import millrace.runtime.process;

namespace millrace::cli {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

LocalOptions options_of(const std::vector<std::string>& arguments) {
  const auto invocation = parse_arguments(arguments);
  const auto* options = std::get_if<LocalOptions>(&invocation);
  EXPECT_NE(options, nullptr);
  return options == nullptr ? LocalOptions{} : *options;
}

PrintAndExit answer_to(const std::vector<std::string>& arguments) {
  const auto invocation = parse_arguments(arguments);
  const auto* answer = std::get_if<PrintAndExit>(&invocation);
  EXPECT_NE(answer, nullptr);
  return answer == nullptr ? PrintAndExit{} : *answer;
}

TEST(Arguments, of_local_have_defaults) {
  const auto options = options_of({"local", "--data", "somewhere"});
  EXPECT_EQ(options.data, "somewhere");
  EXPECT_EQ(options.port, 9092);
  EXPECT_EQ(options.brokers, 1);
  EXPECT_EQ(options.controllers, 1);
  EXPECT_TRUE(options.overrides.empty());
  EXPECT_FALSE(options.status);
}

TEST(Arguments, of_local_are_taken_as_given) {
  const auto options =
      options_of({"local", "--data", "d", "--port", "19092", "--brokers", "3", "--controllers", "2",
                  "--set", "num.partitions=4", "--set=log.retention.ms=-1", "--status"});
  EXPECT_EQ(options.port, 19092);
  EXPECT_EQ(options.brokers, 3);
  EXPECT_EQ(options.controllers, 2);
  EXPECT_THAT(options.overrides, ElementsAre("num.partitions=4", "log.retention.ms=-1"));
  EXPECT_TRUE(options.status);
}

TEST(Arguments, that_are_wrong_are_answered_with_what_is_wrong) {
  EXPECT_EQ(answer_to({}).code, ExitCode::usage);
  EXPECT_EQ(answer_to({"locale"}).code, ExitCode::usage);
  EXPECT_THAT(answer_to({"local"}).text, HasSubstr("--data"));
  EXPECT_THAT(answer_to({"local", "--data", "d", "--port", "0"}).text, HasSubstr("--port"));
  EXPECT_THAT(answer_to({"local", "--data", "d", "--brokers", "0"}).text, HasSubstr("--brokers"));
  EXPECT_THAT(answer_to({"local", "--data", "d", "--set", "nonsense"}).text,
              HasSubstr("'nonsense' is not of the form name=value"));
  EXPECT_EQ(answer_to({"local", "--data", "d", "--port", "65535", "--brokers", "2"}).code,
            ExitCode::usage);
}

TEST(Arguments, ask_for_help_and_version) {
  const auto help = answer_to({"--help"});
  EXPECT_EQ(help.code, ExitCode::success);
  EXPECT_THAT(help.text, HasSubstr("local"));
  EXPECT_THAT(answer_to({"local", "--help"}).text, HasSubstr("--controllers"));
  EXPECT_EQ(answer_to({"--version"}).text, "millrace 0.1.0\n");
}

}  // namespace
}  // namespace millrace::cli
