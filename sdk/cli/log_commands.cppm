// `millrace log`: what lies in log directories, without a broker.
module;
#include <vector>

export module millrace.cli:log_commands;

import millrace.cli.frame;

export namespace millrace::cli {

[[nodiscard]] std::vector<Command> log_commands();

}  // namespace millrace::cli
