// The process around it all.
module;

export module millrace.controller:process;

import millrace.base;
import millrace.runtime.process;

export namespace millrace::controller {

// The body of millrace-controller: opens the metadata log, leads, serves brokers until it is told
// to stop. For run_process().
[[nodiscard]] Result<void> run_controller(Process& process);

// The whole of main.
[[nodiscard]] int controller_main(int argument_count, const char* const* arguments);

}  // namespace millrace::controller
