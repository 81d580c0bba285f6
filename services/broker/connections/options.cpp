module;
#include <limits.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

module millrace.broker.connections;

import millrace.base;
import millrace.config;
import millrace.runtime.streams;
import millrace.security;

namespace millrace::broker {
namespace {

// The system fits the buffers of a socket to its connection, unless it is told a size; Kafka's
// default would keep fast clients below what they can take.
std::optional<int> buffer_bytes(config::ByteCount configured, const config::Source& source) {
  if (configured.value() < 0 || source.kind == config::SourceKind::default_value) {
    return std::nullopt;
  }
  return static_cast<int>(configured.value());
}

std::string name_of_this_host() {
  std::array<char, HOST_NAME_MAX + 1> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0) return "localhost";
  return name.data();
}

Result<security::SecurityProtocol> protocol_of(const config::ServerConfig& config,
                                               const std::string& listener) {
  for (const config::NameValue& pair : config.get<"listener.security.protocol.map">()) {
    if (pair.name != listener) continue;
    const auto protocol = security::security_protocol_from(pair.value);
    if (!protocol) break;
    if (const auto reason = security::unsupported_reason(*protocol)) {
      return failure(ErrorKind::unsupported, formatted("listener {}: {}", listener, *reason));
    }
    return *protocol;
  }
  return failure(
      ErrorKind::invalid_argument,
      formatted("listener.security.protocol.map has no security protocol for listener {}",
                listener));
}

// Clients are told this; without a name of its own, the machine's where all interfaces are meant.
void advertise(const config::ServerConfig& config, ListenerPlan& plan) {
  plan.advertised_host = plan.host.empty() ? name_of_this_host() : plan.host;
  const auto advertised = config.get<"advertised.listeners">();
  if (!advertised) return;
  for (const config::ListenerAddress& address : *advertised) {
    if (address.listener != plan.name) continue;
    plan.advertised_host = address.address.host;
    plan.advertised_port = Port(address.address.port);
  }
}

using Addresses = std::vector<SocketAddress>;

// What addresses a name stands for; some may block.
using NameLookup = std::function<Result<Addresses>(const std::string& name)>;

Result<void> read_overrides(const config::ServerConfig& config, const NameLookup& lookup,
                            ListenersPlan& plan) {
  plan.address_overrides.clear();
  for (const config::NameValue& pair : config.get<"max.connections.per.ip.overrides">()) {
    std::uint32_t count = 0;
    const char* const end = pair.value.data() + pair.value.size();
    const auto [stopped, error] = std::from_chars(pair.value.data(), end, count);
    if (error != std::errc{} || stopped != end) {
      return failure(ErrorKind::invalid_argument,
                     formatted("max.connections.per.ip.overrides: {} is no number of connections",
                               pair.value));
    }
    auto addresses = lookup(pair.name);
    if (!addresses) {
      return failure(addresses.error().kind,
                     formatted("max.connections.per.ip.overrides: {}", addresses.error().message));
    }
    for (const SocketAddress& address : *addresses) {
      plan.address_overrides[host_of(address)] = count;
    }
    plan.known_names[pair.name] = std::move(*addresses);
  }
  return {};
}

// Those of the listeners that the plan has.
Result<void> read_limits(const config::ServerConfig& config, const NameLookup& lookup,
                         ListenersPlan& plan) {
  plan.connections_max = static_cast<std::uint32_t>(config.get<"max.connections">());
  plan.connections_per_address_max =
      static_cast<std::uint32_t>(config.get<"max.connections.per.ip">());
  plan.connections_per_second_max =
      static_cast<std::uint32_t>(config.get<"max.connection.creation.rate">());
  for (ListenerPlan& listener : plan.listeners) {
    listener.connections_max =
        static_cast<std::uint32_t>(config.get_for<"max.connections">(listener.name));
    listener.connections_per_second_max =
        static_cast<std::uint32_t>(config.get_for<"max.connection.creation.rate">(listener.name));
  }
  return read_overrides(config, lookup, plan);
}

}  // namespace

SocketAddress host_of(const SocketAddress& address) {
  SocketAddress host = address;
  host.port = Port(0);
  host.scope = 0;
  return host;
}

ConnectionOptions connection_options(const config::ServerConfig& config) {
  ConnectionOptions options;
  options.frame_bytes_max =
      static_cast<std::size_t>(config.get<"socket.request.max.bytes">().value());
  const std::chrono::milliseconds idle = config.get<"connections.max.idle.ms">();
  // A time that is out of reach is none.
  const bool has_end = idle.count() >= 0 && idle < std::chrono::hours{24 * 365 * 10};
  options.idle_max = has_end ? std::optional<Duration>(idle) : std::nullopt;
  return options;
}

Result<ListenersPlan> plan_listeners(const config::ServerConfig& config) {
  ListenersPlan plan;
  plan.sockets.backlog = config.get<"socket.listen.backlog.size">();
  plan.sockets.sockets = {
      .send_buffer_bytes = buffer_bytes(config.get<"socket.send.buffer.bytes">(),
                                        config.source<"socket.send.buffer.bytes">()),
      .receive_buffer_bytes = buffer_bytes(config.get<"socket.receive.buffer.bytes">(),
                                           config.source<"socket.receive.buffer.bytes">())};
  for (const config::ListenerAddress& configured : config.get<"listeners">()) {
    ListenerPlan listener;
    listener.name = configured.listener;
    const auto protocol = protocol_of(config, listener.name);
    if (!protocol) return failure(protocol.error());
    listener.protocol = *protocol;
    listener.host = configured.address.host;
    auto addresses = resolve(listener.host, Port(configured.address.port));
    if (!addresses) {
      return failure(addresses.error().kind,
                     formatted("listeners: {}://{}:{} cannot be listened "
                               "at: {}",
                               listener.name, listener.host, configured.address.port,
                               addresses.error().message));
    }
    listener.addresses = std::move(*addresses);
    if (listener.host.empty()) {
      // A socket of IPv6 takes both families.
      std::stable_sort(
          listener.addresses.begin(), listener.addresses.end(),
          [](const SocketAddress& a, const SocketAddress& b) { return a.family > b.family; });
    }
    advertise(config, listener);
    plan.listeners.push_back(std::move(listener));
  }
  const NameLookup lookup = [](const std::string& name) { return resolve(name, Port(0)); };
  if (auto read = read_limits(config, lookup, plan); !read) return failure(read.error());
  return plan;
}

Result<void> change_limits(const config::ServerConfig& config, ListenersPlan& plan) {
  const NameLookup lookup = [&plan](const std::string& name) -> Result<Addresses> {
    if (const auto address = address_from_string(name, Port(0))) return Addresses{*address};
    if (const auto known = plan.known_names.find(name); known != plan.known_names.end()) {
      return known->second;
    }
    return failure(ErrorKind::not_found,
                   formatted("{} is a name, and names are looked up when the broker starts, in its "
                             "own file: give the address",
                             name));
  };
  ListenersPlan changed = plan;
  if (auto read = read_limits(config, lookup, changed); !read) return read;
  plan = std::move(changed);
  return {};
}

}  // namespace millrace::broker
