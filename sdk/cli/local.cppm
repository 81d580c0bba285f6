// `millrace local`: from its options to its exit code.
module;
#include <string>

export module millrace.cli:local;

import millrace.base;
import millrace.cli.frame;
import :arguments;

export namespace millrace::cli {

// Until the cluster has ended; what there is to print is printed but for failures. For the main
// thread of a process without others. `programs` is the directory with the programs of the
// services.
[[nodiscard]] Answer run_local(const LocalOptions& options, const std::string& programs,
                               Format format);

// The command, with the programs beside the running one.
[[nodiscard]] Command local_command();

// The directory of the running program; empty if it cannot be told.
[[nodiscard]] std::string own_directory();

}  // namespace millrace::cli
