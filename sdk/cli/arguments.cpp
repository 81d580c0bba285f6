module;
#include <CLI/CLI.hpp>
#include <span>
#include <sstream>
#include <string>
#include <vector>

module millrace.cli;

import millrace.base;
import millrace.runtime.process;

namespace millrace::cli {
namespace {

// CLI11's own check of an override would say less.
std::string override_problem(const std::string& text) {
  const auto equals = text.find('=');
  if (equals != std::string::npos && equals > 0) return {};
  return "'" + text + "' is not of the form name=value";
}

CLI::App* add_local(CLI::App& app, LocalOptions& options) {
  CLI::App* local = app.add_subcommand(
      "local", "Run a cluster on this machine: controllers, brokers and their coordinators");
  local->add_option("--data", options.data, "Directory for everything that is kept; made if needed")
      ->type_name("DIR")
      ->required();
  local
      ->add_option("--port", options.port, "Kafka port of broker 1; others have the ports after it")
      ->type_name("P")
      ->capture_default_str()
      ->check(CLI::Range(1, 65535));
  local->add_option("--brokers", options.brokers, "How many brokers")
      ->type_name("N")
      ->capture_default_str()
      ->check(CLI::Range(1U, local_brokers_max));
  local->add_option("--controllers", options.controllers, "How many controllers")
      ->type_name("N")
      ->capture_default_str()
      ->check(CLI::Range(1U, local_controllers_max));
  local->add_option("--set", options.overrides, "One property of all processes; several times")
      ->type_name("NAME=VALUE")
      ->expected(1)
      ->take_all()
      ->check(CLI::Validator(override_problem, ""));
  local->add_flag("--status", options.status, "Show a line about the processes on a terminal");
  return local;
}

}  // namespace

Invocation parse_arguments(std::span<const std::string> arguments) {
  CLI::App app("Millrace, an event-streaming system that speaks the Kafka protocol", "millrace");
  LocalOptions options;
  app.set_version_flag("--version", formatted("millrace {}", version), "Print the version and end");
  app.get_help_ptr()->description("Print this help and end");
  app.require_subcommand(1);
  CLI::App* local = add_local(app, options);
  local->get_help_ptr()->description("Print this help and end");
  // CLI11 takes the arguments from the back.
  std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());
  try {
    app.parse(reversed);
  } catch (const CLI::ParseError& error) {
    std::ostringstream output;
    std::ostringstream errors;
    const bool is_asked_for = app.exit(error, output, errors) == 0;
    return PrintAndExit{.text = is_asked_for ? output.str() : errors.str(),
                        .code = is_asked_for ? ExitCode::success : ExitCode::usage};
  }
  if (options.port + options.brokers - 1 > 65535) {
    return PrintAndExit{.text = "--port leaves no ports for so many brokers\n",
                        .code = ExitCode::usage};
  }
  return options;
}

}  // namespace millrace::cli
