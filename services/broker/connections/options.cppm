// How connections are treated, from the configuration of the broker.
module;
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

export module millrace.broker.connections:options;

import millrace.base;
import millrace.config;
import millrace.runtime.streams;
import millrace.security;
import :limits;

export namespace millrace::broker {

struct ConnectionOptions {
  std::size_t frame_bytes_max = socket_request_bytes_max_default;
  std::optional<Duration> idle_max = std::chrono::minutes{10};  // none: for ever
  Duration started_frame_max = started_frame_duration_max;
  Duration send_step_max = send_step_duration_max;
  Duration request_max = request_duration_max_default;
  std::size_t in_flight_max = requests_in_flight_max;
};

[[nodiscard]] ConnectionOptions connection_options(const config::ServerConfig& config);

// Of connections in a second.
inline constexpr std::uint32_t unlimited_rate = 2'147'483'647;

// One name of `listeners`, with what stands for it elsewhere in the configuration.
struct ListenerPlan {
  std::string name;
  security::SecurityProtocol protocol = security::SecurityProtocol::plaintext;
  std::string host;  // empty: all interfaces
  // Of which one at least can be listened at; of an empty host one is enough.
  std::vector<SocketAddress> addresses;
  std::string advertised_host;
  Port advertised_port{0};  // 0: the one that is listened at
  std::uint32_t connections_max = 0;
  std::uint32_t connections_per_second_max = unlimited_rate;
};

struct ListenersPlan {
  std::vector<ListenerPlan> listeners;
  ListenOptions sockets;
  std::uint32_t connections_max = 0;
  std::uint32_t connections_per_address_max = 0;
  std::uint32_t connections_per_second_max = unlimited_rate;  // of all listeners together
  // By the bytes of the address, for which see SocketAddress; the port is 0.
  std::map<SocketAddress, std::uint32_t> address_overrides;
  // What names of hosts in the overrides stood for at the start.
  std::map<std::string, std::vector<SocketAddress>, std::less<>> known_names;
};

// Looks up names, and so blocks: for the start of the process. Fails with a sentence that names the
// property.
[[nodiscard]] Result<ListenersPlan> plan_listeners(const config::ServerConfig& config);

// Puts the limits of connections that `config` has now into the plan of a broker that runs. Blocks
// nowhere, and so knows only names that it looked up at the start. Where it fails, with a sentence
// that names the property, the plan stays as it was.
[[nodiscard]] Result<void> change_limits(const config::ServerConfig& config, ListenersPlan& plan);

// The address without its port and scope: connections are counted by it.
[[nodiscard]] SocketAddress host_of(const SocketAddress& address);

}  // namespace millrace::broker
