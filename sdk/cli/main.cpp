// The program `millrace`: what operators and users do from a shell.
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

import millrace.cli;
import millrace.cli.frame;
import millrace.cli.operations;
import millrace.cli.records;
import millrace.cli.session;

int main(int argument_count, char** arguments) {
  using namespace millrace::cli;
  const std::vector<std::string> words(arguments + 1, arguments + argument_count);
  std::vector<Command> commands;
  const auto add = [&](std::vector<Command> more) {
    for (Command& command : more) commands.push_back(std::move(command));
  };
  add(topic_commands());
  add(record_commands());
  add(group_commands());
  add(config_commands());
  add(cluster_commands());
  add(log_commands());
  add(bench_commands());
  add(profile_commands());
  add(debug_commands());
  add({local_command()});
  const Program program(std::move(commands), look_up);
  return program.run(words, stdout, stderr);
}
