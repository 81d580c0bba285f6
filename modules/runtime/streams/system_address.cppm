// Between our addresses and the system's. Inside this module only.
module;
#include <sys/socket.h>

export module millrace.runtime.streams:system_address;

import :address;

export namespace millrace {

struct SystemAddress {
  sockaddr_storage storage{};
  socklen_t length = 0;

  [[nodiscard]] const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

[[nodiscard]] SystemAddress system_address_of(const SocketAddress& address);
[[nodiscard]] SocketAddress address_of(const sockaddr_storage& storage);

}  // namespace millrace
