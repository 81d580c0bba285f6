// What is asked of the program `millrace`.
module;
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

export module millrace.cli:arguments;

import millrace.base;
import millrace.runtime.process;

export namespace millrace::cli {

inline constexpr std::string_view version = "0.1.0";

// How many processes of one kind run on one machine. Their numbers must not meet: see cluster_plan.
inline constexpr std::uint32_t local_brokers_max = 100;
inline constexpr std::uint32_t local_controllers_max = 9;
inline constexpr std::uint16_t local_port_default = 9092;

// millrace local: a cluster on this machine.
struct LocalOptions {
  std::string data;
  // Of broker 1; the others have the ports after it.
  std::uint16_t port = local_port_default;
  std::uint32_t brokers = 1;
  std::uint32_t controllers = 1;
  // For all processes, each name=value.
  std::vector<std::string> overrides = {};
  // A line that is written anew every second.
  bool status = false;
};

using Invocation = std::variant<LocalOptions, PrintAndExit>;

// Help and version are answers too, as is what is wrong with the arguments.
[[nodiscard]] Invocation parse_arguments(std::span<const std::string> arguments);

}  // namespace millrace::cli
