// millrace-broker: serves the Kafka protocol and keeps the log.
#include <array>
#include <chrono>
#include <string>

import millrace.base;
import millrace.broker;
import millrace.config;
import millrace.runtime.process;

namespace millrace {
namespace {

constexpr std::array<OptionDefinition, 1> options = {
    OptionDefinition{.name = "node-id",
                     .value_name = "N",
                     .help = "Number of this broker in its cluster: short for --set node.id=N",
                     .property = "node.id"}};

Result<void> serve(Process& process) {
  broker::Broker broker(process);
  const Result<void> started = broker.start();
  if (started && broker.is_serving()) {
    process.ready("serving " + broker.address());
    process.wait_for_stop();
  }
  const Result<void> stopped = broker.stop();
  return started ? stopped : started;
}

}  // namespace
}  // namespace millrace

int main(int argument_count, char** arguments) {
  return millrace::run_process(
      argument_count, arguments,
      {.command_line = {.name = "millrace-broker",
                        .description = "Millrace broker: Kafka protocol, log, replication",
                        .version = MILLRACE_VERSION,
                        .options = millrace::options},
       .rules = {.process = millrace::config::Processes::broker}},
      millrace::serve);
}
