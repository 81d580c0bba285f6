module;
#include <cstddef>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

module millrace.cli;

import millrace.cli.frame;

namespace millrace::cli {

namespace {

Option ready_output() {
  Option option = output_option();
  option.help = "How it says that it is ready";
  return option;
}

}  // namespace

Command local_description() {
  return {
      .name = "local",
      .summary = "Run a cluster on this machine: controllers, brokers and their coordinators",
      .description =
          "Prints \"ready bootstrap=HOST:PORT\" when clients can produce and consume, and "
          "runs until Ctrl-C or SIGTERM. Processes that end are started again.",
      .options = {{.name = "data",
                   .value = "DIR",
                   .help = "Directory for everything that is kept; made if needed",
                   .is_required = true,
                   .completes = Completes::directories},
                  {.name = "port",
                   .value = "P",
                   .help = "Kafka port of broker 1; others have the ports after it",
                   .initial = std::to_string(local_port_default),
                   .range = Range{1, 65535}},
                  {.name = "brokers",
                   .value = "N",
                   .help = "How many brokers",
                   .initial = "1",
                   .range = Range{1, local_brokers_max}},
                  {.name = "controllers",
                   .value = "N",
                   .help = "How many controllers",
                   .initial = "1",
                   .range = Range{1, local_controllers_max}},
                  {.name = "set",
                   .value = "NAME=VALUE",
                   .help = "One property of all processes",
                   .is_repeated = true},
                  {.name = "status", .help = "Show a line about the processes on a terminal"},
                  ready_output()},
      .examples = {{"millrace local --data /var/tmp/millrace", ""},
                   {"millrace local --data /var/tmp/millrace --set num.partitions=4", ""}},
      .run = {},
  };
}

std::variant<LocalOptions, Failure> local_options(const Arguments& arguments) {
  LocalOptions options;
  options.data = arguments.text_or("data", "");
  options.port = static_cast<std::uint16_t>(arguments.number_or("port", local_port_default));
  options.brokers = static_cast<std::uint32_t>(arguments.number_or("brokers", 1));
  options.controllers = static_cast<std::uint32_t>(arguments.number_or("controllers", 1));
  options.overrides = arguments.all("set");
  options.status = arguments.has("status");
  for (const std::string& text : options.overrides) {
    const std::size_t equals = text.find('=');
    if (equals == std::string::npos || equals == 0)
      return usage_failure(joined("--set '", text, "' is not of the form name=value"));
  }
  if (options.port + options.brokers - 1 > 65535)
    return usage_failure("--port leaves no ports for so many brokers");
  return options;
}

}  // namespace millrace::cli
