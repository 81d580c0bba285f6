module;
#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

module millrace.cli;

import millrace.base;
import millrace.runtime.streams;

namespace millrace::cli {
namespace {

constexpr std::string_view host = "127.0.0.1";
// Longer than a controller takes to read its log and to lead: where it cannot, it ends by itself,
// and says why better than a broker that waits for it.
constexpr std::chrono::milliseconds registration_timeout = std::chrono::minutes{10};
constexpr std::string_view note = "# Written anew by `millrace local` at each start.\n";

std::string rpc_name(std::uint32_t controller) {
  return formatted("controller-{}.rpc", controller);
}

std::string metrics_name(std::string_view child) {
  return formatted("{}.metrics", child);
}

// Backslashes mean something in property files.
std::string property(std::string_view name, std::string_view value) {
  std::string line(name);
  line += '=';
  for (const char letter : value) {
    if (letter == '\\') line += '\\';
    line += letter;
  }
  line += '\n';
  return line;
}

// Makes the plans of all children of one cluster.
class Planner {
 public:
  Planner(const LocalOptions& options, const std::string& data, const PortMap& ports)
      : options_(options), data_(data), ports_(ports) {
    for (std::uint32_t i = 1; i <= options.controllers; ++i) {
      if (!voters_.empty()) voters_ += ',';
      voters_ += formatted("{}@{}:{}", controller_id(i), host, port(rpc_name(i)));
    }
  }

  [[nodiscard]] ChildPlan controller(std::uint32_t number) const {
    ChildPlan child = begin(Role::controller, number);
    child.config_text += property("node.id", std::to_string(controller_id(number)));
    child.config_text += property("metadata.log.dir", child.directory + "/metadata");
    finish(child);
    return child;
  }
  [[nodiscard]] ChildPlan broker(std::uint32_t number, Port kafka) const {
    ChildPlan child = begin(Role::broker, number);
    child.config_text += property("node.id", std::to_string(number));
    child.config_text += property("listeners", formatted("PLAINTEXT://{}:{}", host, kafka));
    child.config_text += property("log.dirs", child.directory + "/log");
    child.config_text += property("initial.broker.registration.timeout.ms",
                                  std::to_string(registration_timeout.count()));
    child.config_text += property("millrace.coordinator.socket", socket_of(number));
    child.arguments = {"--node-id", std::to_string(number)};
    finish(child);
    return child;
  }
  [[nodiscard]] ChildPlan coordinator(std::uint32_t number) const {
    ChildPlan child = begin(Role::coordinator, number);
    child.config_text += property("node.id", std::to_string(number));
    child.config_text += property("millrace.coordinator.socket", socket_of(number));
    finish(child);
    return child;
  }

 private:
  [[nodiscard]] static std::uint32_t controller_id(std::uint32_t number) {
    return first_controller_id + number - 1;
  }
  [[nodiscard]] Port port(const std::string& name) const {
    const auto found = ports_.find(name);
    check(found != ports_.end(), "a plan has all its ports");
    return found->second;
  }
  [[nodiscard]] std::string socket_of(std::uint32_t broker) const {
    return formatted("{}/broker-{}/coordinator.socket", data_, broker);
  }
  [[nodiscard]] ChildPlan begin(Role role, std::uint32_t number) const {
    ChildPlan child;
    child.name = formatted("{}-{}", role, number);
    child.role = role;
    child.number = number;
    child.directory = formatted("{}/{}", data_, child.name);
    child.config_path = formatted("{}/{}.properties", child.directory, role);
    child.config_text = note;
    child.program = formatted("millrace-{}", role);
    return child;
  }
  void finish(ChildPlan& child) const {
    child.config_text += property("controller.quorum.voters", voters_);
    child.config_text += property("millrace.metrics.listener",
                                  formatted("{}:{}", host, port(metrics_name(child.name))));
    child.arguments.insert(child.arguments.end(), {"--config", child.config_path});
    for (const std::string& given : options_.overrides) {
      child.arguments.insert(child.arguments.end(), {"--set", given});
    }
  }

  const LocalOptions& options_;
  const std::string& data_;
  const PortMap& ports_;
  std::string voters_;
};

}  // namespace

std::string_view name_of(Role role) {
  switch (role) {
    case Role::coordinator:
      return "coordinator";
    case Role::broker:
      return "broker";
    case Role::controller:
      return "controller";
  }
  return "unknown";
}

std::string ClusterPlan::bootstrap() const {
  std::string text;
  for (const SocketAddress& broker : brokers) {
    if (!text.empty()) text += ',';
    text += to_string(broker);
  }
  return text;
}

std::set<Port> kafka_ports(const LocalOptions& options) {
  std::set<Port> ports;
  for (std::uint32_t i = 0; i < options.brokers; ++i) {
    ports.insert(Port(static_cast<std::uint16_t>(options.port + i)));
  }
  return ports;
}

std::vector<std::string> port_names(const LocalOptions& options) {
  std::vector<std::string> names;
  for (std::uint32_t i = 1; i <= options.controllers; ++i) {
    names.push_back(rpc_name(i));
    names.push_back(metrics_name(formatted("controller-{}", i)));
  }
  for (std::uint32_t i = 1; i <= options.brokers; ++i) {
    names.push_back(metrics_name(formatted("broker-{}", i)));
    names.push_back(metrics_name(formatted("coordinator-{}", i)));
  }
  return names;
}

ClusterPlan make_plan(const LocalOptions& options, const std::string& data, const PortMap& ports) {
  const Planner planner(options, data, ports);
  ClusterPlan plan;
  for (std::uint32_t i = 1; i <= options.controllers; ++i) {
    plan.children.push_back(planner.controller(i));
  }
  for (std::uint32_t i = 1; i <= options.brokers; ++i) {
    const Port kafka(static_cast<std::uint16_t>(options.port + i - 1));
    plan.children.push_back(planner.broker(i, kafka));
    plan.children.push_back(planner.coordinator(i));
    plan.brokers.push_back(address_from_string(host, kafka).value());
  }
  return plan;
}

Result<void> check_data_path(std::string_view path) {
  for (const char letter : path) {
    if (letter == ',' || (letter >= 0 && letter < ' ')) {
      return failure(
          ErrorKind::invalid_argument,
          "the data directory's path holds a comma or a control character, which log.dirs "
          "cannot hold");
    }
  }
  if (path.find("${") != std::string_view::npos || path.ends_with(' ')) {
    return failure(ErrorKind::invalid_argument,
                   "the data directory's path holds '${' or ends in a space, which property files "
                   "cannot hold");
  }
  return {};
}

std::string to_text(const PortMap& ports) {
  std::string text = "# Loopback ports of this cluster, kept so that a restart uses the same.\n";
  for (const auto& [name, port] : ports) text += formatted("{}={}\n", name, port);
  return text;
}

Result<PortMap> ports_from(std::string_view text) {
  PortMap ports;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    if (line.empty() || line.starts_with('#')) continue;
    const auto equals = line.find('=');
    std::uint16_t number = 0;
    const char* end = line.data() + line.size();
    const char* begin = equals == std::string_view::npos ? end : line.data() + equals + 1;
    const auto [last, problem] = std::from_chars(begin, end, number);
    if (problem != std::errc{} || last != end || number == 0) {
      return failure(ErrorKind::corrupt, formatted("'{}' is no port", line));
    }
    ports.insert_or_assign(std::string(line.substr(0, equals)), Port(number));
  }
  return ports;
}

}  // namespace millrace::cli
