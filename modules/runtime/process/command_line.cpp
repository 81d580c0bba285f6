module;
#include <CLI/CLI.hpp>
#include <cstddef>
#include <optional>
#include <span>
#include <sstream>
#include <string>
#include <variant>
#include <vector>

module millrace.runtime.process;

import millrace.base;

namespace millrace {

std::variant<CommandLine, PrintAndExit> parse_command_line(const CommandLineDefinition& definition,
                                                           std::span<const std::string> arguments) {
  CLI::App app(std::string(definition.description), std::string(definition.name));
  CommandLine line;
  line.values.resize(definition.options.size());
  app.add_option("--config", line.config_file, "Property file with the configuration")
      ->type_name("FILE");
  app.add_option("--set", line.overrides,
                 "One property, over what the file says; may be given several times")
      ->type_name("NAME=VALUE")
      ->expected(1)
      ->take_all();
  app.set_version_flag("--version", formatted("{} {}", definition.name, definition.version),
                       "Print the version and end");
  app.get_help_ptr()->description("Print this help and end");
  for (std::size_t i = 0; i < definition.options.size(); ++i) {
    const OptionDefinition& option = definition.options[i];
    app.add_option("--" + std::string(option.name), line.values[i], std::string(option.help))
        ->type_name(std::string(option.value_name));
  }
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
  for (std::size_t i = 0; i < definition.options.size(); ++i) {
    if (definition.options[i].property.empty() || !line.values[i]) continue;
    line.overrides.push_back(std::string(definition.options[i].property) + "=" + *line.values[i]);
  }
  return line;
}

}  // namespace millrace
