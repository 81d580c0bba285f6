// Sockets as the system has them, for what KJ does not tell apart.
#pragma once
#include <sys/socket.h>
#include "kj.hpp"

#include <cstdint>
#include <string>

namespace millrace::rpc {

// A socket that listens, or why there is none: `problem` is a sentence.
struct Listening {
  int descriptor = -1;
  std::uint16_t port = 0;
  std::string problem;
};

// At the first address that the host's name has; an empty name is all interfaces. Looking up a name
// blocks.
[[nodiscard]] Listening listen_on(const std::string& host, std::uint16_t port);

// "127.0.0.1:50412", "[::1]:50412".
[[nodiscard]] std::string numeric_address(const sockaddr_storage& storage);
[[nodiscard]] std::string peer_name(kj::AsyncIoStream& stream);

// A peer whose machine is gone is found out within about a minute, and small messages leave at
// once.
void prepare_connection(kj::AsyncIoStream& stream);

}  // namespace millrace::rpc
