// The command line that all services have in common.
module;
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

export module millrace.runtime.process:command_line;

import millrace.base;

export namespace millrace {

// How a process ends. systemd knows 78 as a configuration that is wrong: starting again is no use.
enum class ExitCode : std::uint8_t {
  success = 0,
  failure = 1,         // could not start, or could not go on
  usage = 2,           // the command line is wrong
  stop_deadline = 75,  // did not stop in time; what was not saved is recovered at the next start
  configuration = 78,
};

// Something to be printed before the process ends, and how it ends: help and version on standard
// output, what is wrong on standard error.
struct PrintAndExit {
  std::string text;
  ExitCode code = ExitCode::success;
};

// An option of one service, besides those of all: --node-id N.
struct OptionDefinition {
  std::string_view name;  // "node-id"
  std::string_view value_name;
  std::string_view help;
  // The property that it is a short form of: `--node-id 3` is `--set node.id=3`. May be none.
  std::string_view property = {};
};

struct CommandLineDefinition {
  std::string_view name;  // of the program
  std::string_view description;
  std::string_view version;  // what --version prints after the name
  std::span<const OptionDefinition> options = {};
};

struct CommandLine {
  std::optional<std::string> config_file;  // --config
  std::vector<std::string> overrides;      // --set, each name=value
  // Of the definition's options, in its order.
  std::vector<std::optional<std::string>> values;
};

// Reads --config, --set, --help, --version and the service's own options. No positional arguments.
[[nodiscard]] std::variant<CommandLine, PrintAndExit> parse_command_line(
    const CommandLineDefinition& definition, std::span<const std::string> arguments);

}  // namespace millrace
