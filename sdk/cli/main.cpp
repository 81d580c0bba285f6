// The program `millrace`: what operators do from a shell.
#include <cstdio>
#include <string>
#include <variant>
#include <vector>

import millrace.cli;
import millrace.runtime.process;

int main(int argument_count, char** arguments) {
  const std::vector<std::string> words(arguments + 1, arguments + argument_count);
  const auto invocation = millrace::cli::parse_arguments(words);
  if (const auto* answer = std::get_if<millrace::PrintAndExit>(&invocation)) {
    const bool is_well = answer->code == millrace::ExitCode::success;
    std::fputs(answer->text.c_str(), is_well ? stdout : stderr);
    return static_cast<int>(answer->code);
  }
  return millrace::cli::run_local(std::get<millrace::cli::LocalOptions>(invocation),
                                  millrace::cli::own_directory());
}
