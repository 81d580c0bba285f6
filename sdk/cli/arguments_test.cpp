#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <variant>
#include <vector>

import millrace.cli;
import millrace.cli.frame;

namespace millrace::cli {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::variant<LocalOptions, Failure> outcome_of(const std::vector<std::string>& words) {
  const auto parsed = parse_words(local_description(), words);
  if (const auto* wrong = std::get_if<Failure>(&parsed)) return *wrong;
  return local_options(std::get<Arguments>(parsed));
}

LocalOptions options_of(const std::vector<std::string>& words) {
  const auto outcome = outcome_of(words);
  const auto* options = std::get_if<LocalOptions>(&outcome);
  EXPECT_NE(options, nullptr);
  return options == nullptr ? LocalOptions{} : *options;
}

std::string complaint_about(const std::vector<std::string>& words) {
  const auto outcome = outcome_of(words);
  const auto* wrong = std::get_if<Failure>(&outcome);
  EXPECT_TRUE(wrong != nullptr && wrong->is_usage);
  return wrong == nullptr ? "" : wrong->message;
}

TEST(LocalArguments, have_defaults) {
  const auto options = options_of({"--data", "somewhere"});
  EXPECT_EQ(options.data, "somewhere");
  EXPECT_EQ(options.port, 9092);
  EXPECT_EQ(options.brokers, 1);
  EXPECT_EQ(options.controllers, 1);
  EXPECT_TRUE(options.overrides.empty());
  EXPECT_FALSE(options.status);
}

TEST(LocalArguments, are_taken_as_given) {
  const auto options =
      options_of({"--data", "d", "--port", "19092", "--brokers", "3", "--controllers", "2", "--set",
                  "num.partitions=4", "--set=log.retention.ms=-1", "--status"});
  EXPECT_EQ(options.port, 19092);
  EXPECT_EQ(options.brokers, 3);
  EXPECT_EQ(options.controllers, 2);
  EXPECT_THAT(options.overrides, ElementsAre("num.partitions=4", "log.retention.ms=-1"));
  EXPECT_TRUE(options.status);
}

TEST(LocalArguments, that_are_wrong_are_answered_with_what_is_wrong) {
  EXPECT_THAT(complaint_about({}), HasSubstr("--data"));
  EXPECT_THAT(complaint_about({"--data", "d", "--port", "0"}), HasSubstr("--port"));
  EXPECT_THAT(complaint_about({"--data", "d", "--brokers", "0"}), HasSubstr("--brokers"));
  EXPECT_THAT(complaint_about({"--data", "d", "--set", "nonsense"}),
              HasSubstr("'nonsense' is not of the form name=value"));
  EXPECT_EQ(complaint_about({"--data", "d", "--port", "65535", "--brokers", "2"}),
            "--port leaves no ports for so many brokers");
}

}  // namespace
}  // namespace millrace::cli
