// Addresses of the internet: where a peer is, and where one listens.
module;
#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

export module millrace.runtime.streams:address;

import millrace.base;

export namespace millrace {

using Port = Strong<struct PortTag, std::uint16_t>;

// An IPv4 or IPv6 address with a port. A value; what arrives as an IPv4 address within IPv6 is the
// IPv4 address, so that one peer has one name.
struct SocketAddress {
  enum class Family : std::uint8_t { ipv4, ipv6 };

  Family family = Family::ipv4;
  std::array<std::uint8_t, 16> host_bytes{};  // in network order; of IPv4 the first four
  Port port{0};
  std::uint32_t scope = 0;  // of link-local IPv6 addresses

  // "127.0.0.1", "::1", "fe80::1%2".
  [[nodiscard]] std::string host() const;

  friend auto operator<=>(const SocketAddress&, const SocketAddress&) = default;
};

// "127.0.0.1:9092", "[::1]:9092".
[[nodiscard]] std::string to_string(const SocketAddress& address);

// A numeric address: "127.0.0.1", "::1". Names are resolve()'s.
[[nodiscard]] Result<SocketAddress> address_from_string(std::string_view host, Port port);

// All addresses that a name has, in the system's order; of an empty name those that mean all
// interfaces. Asks the network and blocks: for the start of a process, never on a shard.
[[nodiscard]] Result<std::vector<SocketAddress>> resolve(const std::string& host, Port port);

}  // namespace millrace
