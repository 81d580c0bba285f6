#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "sample_commands.hpp"

namespace millrace::cli {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::Not;

Candidates candidates(const std::vector<std::string>& before, const std::string& word) {
  return candidates_for(sample_commands(), before, word,
                        [](Completes what, const Arguments& arguments) {
                          EXPECT_EQ(what, Completes::topics);
                          const bool is_other = arguments.has("config");
                          return is_other ? std::vector<std::string>{"other"}
                                          : std::vector<std::string>{"orders", "paid"};
                        });
}

std::vector<std::string> words_of(const Candidates& found) {
  std::vector<std::string> words;
  for (const Candidate& candidate : found.words) words.push_back(candidate.word);
  return words;
}

TEST(Completion, gives_names_of_commands) {
  EXPECT_THAT(words_of(candidates({}, "")), ElementsAre("topic", "local", "--help", "--version"));
  EXPECT_THAT(words_of(candidates({}, "to")), ElementsAre("topic"));
  EXPECT_THAT(words_of(candidates({"topic"}, "")), ElementsAre("create"));
  EXPECT_THAT(words_of(candidates({"nonsense"}, "")), ElementsAre());
}

TEST(Completion, gives_options_that_are_not_there_yet) {
  const auto options = words_of(candidates({"topic", "create", "--dry-run"}, "--"));
  EXPECT_THAT(options, Contains("--partitions"));
  EXPECT_THAT(options, Contains("--config"));
  EXPECT_THAT(options, Not(Contains("--dry-run")));
}

TEST(Completion, gives_values_and_operands) {
  EXPECT_THAT(words_of(candidates({"topic", "create", "-o"}, "")),
              ElementsAre("table", "json", "tsv"));
  EXPECT_THAT(words_of(candidates({"topic", "create"}, "--output=j")),
              ElementsAre("--output=json"));
  EXPECT_THAT(words_of(candidates({"topic", "create"}, "o")), ElementsAre("orders"));
  EXPECT_THAT(words_of(candidates({"topic", "create", "--config", "a"}, "")), ElementsAre("other"));
  EXPECT_THAT(words_of(candidates({"topic", "create", "orders"}, "")), ElementsAre());
  EXPECT_TRUE(candidates({"local", "--data"}, "").are_directories);
}

TEST(Completion, has_scripts_for_three_shells) {
  for (const char* shell : {"bash", "zsh", "fish"}) EXPECT_TRUE(completion_script(shell)) << shell;
  EXPECT_FALSE(completion_script("tcsh"));
}

}  // namespace
}  // namespace millrace::cli
