// Man pages.
module;
#include <string>
#include <vector>

export module millrace.cli.frame:man;

import :command;

export namespace millrace::cli {

// In roff, for section 1; of one command, or of the program.
[[nodiscard]] std::string man_page_of(const Command& command);
[[nodiscard]] std::string man_page_of_program(const std::vector<Command>& commands);
// "millrace-topic-create"
[[nodiscard]] std::string man_page_name(const Command& command);

}  // namespace millrace::cli
