// Also proves help.cpp, man.cpp.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdio>
#include <string>
#include <vector>

#include "sample_commands.hpp"

namespace millrace::cli {
namespace {

using testing::HasSubstr;

struct Outcome {
  int code = 0;
  std::string output;
  std::string errors;
};

std::string contents(std::FILE* file) {
  std::rewind(file);
  std::string text;
  for (int letter = std::fgetc(file); letter != EOF; letter = std::fgetc(file))
    text += static_cast<char>(letter);
  std::fclose(file);
  return text;
}

Outcome run(const std::vector<std::string>& words) {
  const Program program(sample_commands(), [](Completes, const Arguments&) {
    return std::vector<std::string>{"orders"};
  });
  std::FILE* output = std::tmpfile();
  std::FILE* errors = std::tmpfile();
  const int code = program.run(words, output, errors);
  return {code, contents(output), contents(errors)};
}

TEST(Program, runs_a_command_and_prints_its_answer) {
  const Outcome text = run({"topic", "create", "orders"});
  EXPECT_EQ(text.code, 0);
  EXPECT_EQ(text.output, "created orders\n");
  EXPECT_EQ(run({"topic", "create", "orders", "-o", "json"}).output, "{\"topic\":\"orders\"}\n");
}

TEST(Program, tells_failures_by_exit_code) {
  const Outcome text = run({"topic", "create", "broken"});
  EXPECT_EQ(text.code, 1);
  EXPECT_EQ(text.output, "");
  EXPECT_EQ(text.errors, "error: topic broken exists (TOPIC_ALREADY_EXISTS)\n");
  const Outcome json = run({"topic", "create", "-o", "json"});
  EXPECT_EQ(json.code, 2);
  EXPECT_THAT(json.output, HasSubstr(R"({"error":{"code":"USAGE","message":"TOPIC is missing")"));
}

TEST(Program, knows_which_command_was_meant) {
  EXPECT_EQ(run({"topic", "craete"}).errors,
            "error: there is no command topic craete; did you mean topic create?\n");
  EXPECT_EQ(run({"locla"}).errors, "error: there is no command locla; did you mean local?\n");
  EXPECT_THAT(run({"topic"}).errors, HasSubstr("`millrace topic --help` shows them"));
  EXPECT_EQ(run({"topic", "craete"}).code, 2);
  EXPECT_EQ(run({}).code, 2);
  EXPECT_EQ(run({"-b", "localhost:9092", "topic", "list"}).errors,
            "error: a command stands before -b; `millrace --help` shows those that are\n");
}

TEST(Program, says_in_json_that_there_is_no_such_command) {
  const std::vector<std::vector<std::string>> lines = {
      {"locla", "-o", "json"},
      {"topic", "craete", "orders", "-b", "localhost:9092", "-o", "json"},
      {"topic", "--output=json"}};
  for (const auto& words : lines) {
    const Outcome said = run(words);
    EXPECT_EQ(said.code, 2);
    EXPECT_EQ(said.errors, "");
    EXPECT_THAT(said.output, HasSubstr(R"({"error":{"code":"USAGE","message":")"));
  }
}

TEST(Program, helps) {
  EXPECT_THAT(run({"--help"}).output, HasSubstr("topic create"));
  EXPECT_THAT(run({"topic", "--help"}).output, HasSubstr("Create topics"));
  const Outcome help = run({"topic", "create", "orders", "--help"});
  EXPECT_EQ(help.code, 0);
  EXPECT_THAT(help.output, HasSubstr("Usage: millrace topic create TOPIC [OPTION]..."));
  EXPECT_THAT(help.output, HasSubstr("-p, --partitions N"));
  EXPECT_THAT(help.output, HasSubstr("Examples:\n  millrace topic create orders --partitions 6"));
  EXPECT_EQ(run({"topic", "create", "-o", "json", "--help"}).output, help.output);
  EXPECT_EQ(run({"help", "topic", "create"}).output, help.output);
  EXPECT_EQ(run({"help", "topic-create"}).output, help.output);
  EXPECT_EQ(run({"help"}).output, run({"--help"}).output);
  EXPECT_EQ(run({"help", "topic"}).output, run({"topic", "--help"}).output);
  EXPECT_EQ(run({"help", "nonsense"}).code, 2);
  EXPECT_EQ(run({"nonsense", "--help"}).code, 2);
  EXPECT_EQ(run({"--version"}).output, "millrace " + std::string(version) + "\n");
}

TEST(Program, helps_on_a_narrow_terminal_in_short_lines) {
  std::vector<Command> commands = sample_commands();
  for (Command& command : commands) {
    command.summary += " and say at some length what is done, which takes more than a line of 60";
    command.description = "The description has many words " + command.summary;
    for (Option& option : command.options) option.help += " with words and more words and more";
  }
  const std::size_t width = 60;
  for (const std::string& help :
       {help_of(commands.front(), width), help_of_group(commands, "topic", width),
        help_of_group(commands, "", width)}) {
    for (const std::string& line : split(help, '\n')) {
      const bool is_typed = line.starts_with("Usage: ") || line.starts_with("  millrace ");
      EXPECT_TRUE(is_typed || width_of(line) <= width) << line;
    }
  }
  EXPECT_NE(help_of(commands.front(), width), help_of(commands.front()));
}

TEST(Program, has_man_pages) {
  const Outcome page = run({"man", "topic-create"});
  EXPECT_THAT(page.output, HasSubstr(".TH \"MILLRACE\\-TOPIC\\-CREATE\" \"1\""));
  EXPECT_THAT(page.output, HasSubstr("\\fB\\-p, \\-\\-partitions N\\fR"));
  EXPECT_EQ(run({"man", "topic", "create"}).output, page.output);
  EXPECT_THAT(run({"man"}).output, HasSubstr("millrace\\-topic\\-create(1)"));
  EXPECT_EQ(run({"man", "nonsense"}).code, 2);
}

TEST(Program, completes) {
  EXPECT_EQ(run({"__complete", "o", "topic", "create"}).output, "orders\t\n");
  EXPECT_EQ(run({"__complete", "", "local", "--data"}).output, ":directories\n");
}

}  // namespace
}  // namespace millrace::cli
