// Which processes make a cluster on one machine, and what each is told.
module;
#include <cstdint>
#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

export module millrace.cli:cluster_plan;

import millrace.base;
import millrace.runtime.streams;
import :arguments;

export namespace millrace::cli {

// In the order in which they are stopped: whoever needs another one stops before it.
enum class Role : std::uint8_t { coordinator, broker, controller };

[[nodiscard]] std::string_view name_of(Role role);

// Brokers are numbered from 1, and controllers from here: both share one space of numbers.
inline constexpr std::uint32_t first_controller_id = local_brokers_max + 1;

// Loopback ports by what they are for: "controller-1.rpc", "broker-1.metrics".
using PortMap = std::map<std::string, Port, std::less<>>;

struct ChildPlan {
  std::string name;  // "broker-1"
  Role role = Role::broker;
  std::uint32_t number = 1;
  std::string directory;    // its own
  std::string config_path;  // in it
  std::string config_text;
  std::string program;  // "millrace-broker"
  std::vector<std::string> arguments;
};

struct ClusterPlan {
  std::vector<ChildPlan> children;
  std::vector<SocketAddress> brokers;  // where clients connect

  // "127.0.0.1:9092,127.0.0.1:9093".
  [[nodiscard]] std::string bootstrap() const;
};

// Where the brokers listen for clients.
[[nodiscard]] std::set<Port> kafka_ports(const LocalOptions& options);

// What make_plan() needs in its map besides the brokers' Kafka ports.
[[nodiscard]] std::vector<std::string> port_names(const LocalOptions& options);

// `data` is absolute. All of port_names() are in `ports`.
[[nodiscard]] ClusterPlan make_plan(const LocalOptions& options, const std::string& data,
                                    const PortMap& ports);

// Whether a path can stand in a property file as it is. Says what is wrong in a sentence.
[[nodiscard]] Result<void> check_data_path(std::string_view path);

// The ports as they are kept between runs: a line "name=port" for each. Lines that are none of
// these are an error.
[[nodiscard]] std::string to_text(const PortMap& ports);
[[nodiscard]] Result<PortMap> ports_from(std::string_view text);

}  // namespace millrace::cli
