// What is asked of `millrace local`.
module;
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

export module millrace.cli:arguments;

import millrace.cli.frame;

export namespace millrace::cli {

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

// Its description, without what does it.
[[nodiscard]] Command local_description();
[[nodiscard]] std::variant<LocalOptions, Failure> local_options(const Arguments& arguments);

}  // namespace millrace::cli
