#include "sockets.hpp"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <system_error>

namespace millrace::rpc {
namespace {

constexpr int backlog = 512;

std::string sentence(const std::string& host, std::uint16_t port, const std::string& why) {
  return "cannot listen on " + (host.empty() ? "all interfaces" : host) + " port " +
         std::to_string(port) + ": " + why;
}

std::uint16_t port_of(int descriptor) {
  sockaddr_storage storage{};
  socklen_t length = sizeof storage;
  if (::getsockname(descriptor, reinterpret_cast<sockaddr*>(&storage), &length) != 0) return 0;
  if (storage.ss_family == AF_INET) {
    sockaddr_in in{};
    std::memcpy(&in, &storage, sizeof in);
    return ntohs(in.sin_port);
  }
  sockaddr_in6 in{};
  std::memcpy(&in, &storage, sizeof in);
  return ntohs(in.sin6_port);
}

void set_option(kj::AsyncIoStream& stream, int level, int name, int value) {
  stream.setsockopt(level, name, &value, sizeof value);
}

}  // namespace

Listening listen_on(const std::string& host, std::uint16_t port) {
  Listening result;
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE;
  addrinfo* found = nullptr;
  const std::string service = std::to_string(port);
  const int refused =
      ::getaddrinfo(host.empty() ? nullptr : host.c_str(), service.c_str(), &hints, &found);
  if (refused != 0) {
    result.problem = sentence(host, port, ::gai_strerror(refused));
    return result;
  }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> addresses(found, &::freeaddrinfo);
  const int descriptor =
      ::socket(addresses->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const int yes = 1;
  // The address is ours again at once after a restart, though old connections linger on it.
  if (descriptor < 0 || ::setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) != 0 ||
      ::bind(descriptor, addresses->ai_addr, addresses->ai_addrlen) != 0 ||
      ::listen(descriptor, backlog) != 0) {
    const int number = errno;
    result.problem = sentence(host, port, std::generic_category().message(number));
    if (descriptor >= 0) ::close(descriptor);
    return result;
  }
  result.descriptor = descriptor;
  result.port = port_of(descriptor);
  return result;
}

std::string numeric_address(const sockaddr_storage& storage) {
  std::array<char, NI_MAXHOST> host{};
  std::array<char, NI_MAXSERV> service{};
  if (::getnameinfo(reinterpret_cast<const sockaddr*>(&storage), sizeof storage, host.data(),
                    host.size(), service.data(), service.size(),
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
    return "an unknown peer";
  }
  const std::string name = host.data();
  const bool is_v6 = name.find(':') != std::string::npos;
  return (is_v6 ? "[" + name + "]" : name) + ":" + service.data();
}

std::string peer_name(kj::AsyncIoStream& stream) {
  sockaddr_storage storage{};
  kj::uint length = sizeof storage;
  stream.getpeername(reinterpret_cast<sockaddr*>(&storage), &length);
  return numeric_address(storage);
}

void prepare_connection(kj::AsyncIoStream& stream) {
  set_option(stream, SOL_SOCKET, SO_KEEPALIVE, 1);
  set_option(stream, IPPROTO_TCP, TCP_KEEPIDLE, 30);
  set_option(stream, IPPROTO_TCP, TCP_KEEPINTVL, 10);
  set_option(stream, IPPROTO_TCP, TCP_KEEPCNT, 3);
  set_option(stream, IPPROTO_TCP, TCP_NODELAY, 1);
}

}  // namespace millrace::rpc
