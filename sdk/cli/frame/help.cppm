// What --help prints.
module;
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

export module millrace.cli.frame:help;

import :command;

export namespace millrace::cli {

// In columns; where it is not read on a terminal, so that what is generated from it stays the same.
inline constexpr std::size_t help_width_usual = 100;
inline constexpr std::size_t help_width_least = 60;

// Lines are broken between words; what is to be typed stays whole.
[[nodiscard]] std::string help_of(const Command& command, std::size_t width = help_width_usual);
// Of an option its help, with choices and what counts when it is not given.
[[nodiscard]] std::string explanation_of(const Option& option);
// Of all commands, or of those of one group, as "topic".
[[nodiscard]] std::string help_of_group(const std::vector<Command>& commands,
                                        std::string_view group,
                                        std::size_t width = help_width_usual);
// What suits the terminal that standard output is, if it is one.
[[nodiscard]] std::size_t help_width_of_terminal();

}  // namespace millrace::cli
