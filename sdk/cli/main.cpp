// The program `millrace`: what operators and users do from a shell.
#include <fcntl.h>

#include <cerrno>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

import millrace.cli;
import millrace.cli.frame;
import millrace.cli.operations;
import millrace.cli.records;
import millrace.cli.session;

namespace {

// Where the caller has closed a standard file (>&-), a socket would get its number, and what is
// printed would go to a broker. What cannot be written to or read from takes its place.
void keep_standard_files() {
  for (const int file : {0, 1, 2})
    if (::fcntl(file, F_GETFD) < 0 && errno == EBADF)
      static_cast<void>(::open("/dev/null", file == 0 ? O_WRONLY : O_RDONLY));
}

}  // namespace

int main(int argument_count, char** arguments) {
  using namespace millrace::cli;
  keep_standard_files();
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
  const Program program(std::move(commands), look_up, help_width_of_terminal());
  return program.run(words, stdout, stderr);
}
