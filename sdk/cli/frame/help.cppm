// What --help prints.
module;
#include <string>
#include <string_view>
#include <vector>

export module millrace.cli.frame:help;

import :command;

export namespace millrace::cli {

[[nodiscard]] std::string help_of(const Command& command);
// Of an option its help, with choices and what counts when it is not given.
[[nodiscard]] std::string explanation_of(const Option& option);
// Of all commands, or of those of one group, as "topic".
[[nodiscard]] std::string help_of_group(const std::vector<Command>& commands,
                                        std::string_view group);

}  // namespace millrace::cli
