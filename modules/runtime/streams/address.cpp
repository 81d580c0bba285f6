module;
#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

module millrace.runtime.streams;

import millrace.base;
import :system_address;

namespace millrace {
namespace {

// ::ffff:a.b.c.d
constexpr std::array<std::uint8_t, 12> ipv4_within_ipv6 = {0, 0, 0, 0, 0,    0,
                                                           0, 0, 0, 0, 0xff, 0xff};

}  // namespace

SystemAddress system_address_of(const SocketAddress& address) {
  SystemAddress system;
  if (address.family == SocketAddress::Family::ipv4) {
    sockaddr_in in{};
    in.sin_family = AF_INET;
    in.sin_port = big_endian(address.port.value());
    std::memcpy(&in.sin_addr, address.host_bytes.data(), sizeof in.sin_addr);
    std::memcpy(&system.storage, &in, sizeof in);
    system.length = sizeof in;
  } else {
    sockaddr_in6 in{};
    in.sin6_family = AF_INET6;
    in.sin6_port = big_endian(address.port.value());
    in.sin6_scope_id = address.scope;
    std::memcpy(&in.sin6_addr, address.host_bytes.data(), sizeof in.sin6_addr);
    std::memcpy(&system.storage, &in, sizeof in);
    system.length = sizeof in;
  }
  return system;
}

SocketAddress address_of(const sockaddr_storage& storage) {
  SocketAddress address;
  if (storage.ss_family == AF_INET) {
    sockaddr_in in{};
    std::memcpy(&in, &storage, sizeof in);
    address.port = Port(big_endian(in.sin_port));
    std::memcpy(address.host_bytes.data(), &in.sin_addr, sizeof in.sin_addr);
    return address;
  }
  check(storage.ss_family == AF_INET6, "a socket of the internet has an address of it");
  sockaddr_in6 in{};
  std::memcpy(&in, &storage, sizeof in);
  address.port = Port(big_endian(in.sin6_port));
  std::array<std::uint8_t, 16> bytes{};
  std::memcpy(bytes.data(), &in.sin6_addr, bytes.size());
  if (std::equal(ipv4_within_ipv6.begin(), ipv4_within_ipv6.end(), bytes.begin())) {
    std::copy(bytes.begin() + ipv4_within_ipv6.size(), bytes.end(), address.host_bytes.begin());
    return address;
  }
  address.family = SocketAddress::Family::ipv6;
  address.host_bytes = bytes;
  address.scope = in.sin6_scope_id;
  return address;
}

std::string SocketAddress::host() const {
  std::array<char, INET6_ADDRSTRLEN> text{};
  const int system_family = family == Family::ipv4 ? AF_INET : AF_INET6;
  const char* written = ::inet_ntop(system_family, host_bytes.data(), text.data(),
                                    static_cast<socklen_t>(text.size()));
  check(written != nullptr, "an address has a text");
  std::string host(written);
  if (scope != 0) host += formatted("%{}", scope);
  return host;
}

std::string to_string(const SocketAddress& address) {
  return address.family == SocketAddress::Family::ipv4
             ? formatted("{}:{}", address.host(), address.port)
             : formatted("[{}]:{}", address.host(), address.port);
}

Result<SocketAddress> address_from_string(std::string_view host, Port port) {
  SocketAddress address;
  address.port = port;
  const std::string text(host);
  if (::inet_pton(AF_INET, text.c_str(), address.host_bytes.data()) == 1) return address;
  address.family = SocketAddress::Family::ipv6;
  if (::inet_pton(AF_INET6, text.c_str(), address.host_bytes.data()) == 1) return address;
  return failure(ErrorKind::invalid_argument, formatted("{} is no numeric address", host));
}

Result<std::vector<SocketAddress>> resolve(const std::string& host, Port port) {
  addrinfo wanted{};
  wanted.ai_family = AF_UNSPEC;
  wanted.ai_socktype = SOCK_STREAM;
  wanted.ai_flags = AI_NUMERICSERV | (host.empty() ? AI_PASSIVE : 0);
  addrinfo* found = nullptr;
  const std::string service = formatted("{}", port);
  const int error =
      ::getaddrinfo(host.empty() ? nullptr : host.c_str(), service.c_str(), &wanted, &found);
  if (error != 0) {
    return failure(ErrorKind::not_found,
                   formatted("{} has no address: {}", host, ::gai_strerror(error)));
  }
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owned(found, ::freeaddrinfo);
  std::vector<SocketAddress> addresses;
  for (const addrinfo* each = found; each != nullptr; each = each->ai_next) {
    if (each->ai_family != AF_INET && each->ai_family != AF_INET6) continue;
    sockaddr_storage storage{};
    std::memcpy(&storage, each->ai_addr, each->ai_addrlen);
    const SocketAddress address = address_of(storage);
    if (std::find(addresses.begin(), addresses.end(), address) == addresses.end()) {
      addresses.push_back(address);
    }
  }
  if (addresses.empty()) {
    return failure(ErrorKind::not_found, formatted("{} has no internet address", host));
  }
  return addresses;
}

}  // namespace millrace
