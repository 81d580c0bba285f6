// Stands in for systemd in tests: hears what a process tells about itself.
#pragma once

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstring>
#include <string>
#include <string_view>

namespace millrace {

class NotifySocket {
 public:
  // An abstract name of its own, or a path.
  explicit NotifySocket(const std::string& path = "") {
    socket_ = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string_view wanted = path;
    std::memcpy(address.sun_path, wanted.data(), wanted.size());
    auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + wanted.size());
    EXPECT_EQ(::bind(socket_, reinterpret_cast<const sockaddr*>(&address), length), 0);
    length = sizeof address;
    EXPECT_EQ(::getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &length), 0);
    name_ = path.empty() ? "@" + std::string(address.sun_path + 1,
                                             length - offsetof(sockaddr_un, sun_path) - 1)
                         : path;
  }
  ~NotifySocket() { ::close(socket_); }
  NotifySocket(const NotifySocket&) = delete;
  NotifySocket& operator=(const NotifySocket&) = delete;

  // For NOTIFY_SOCKET.
  [[nodiscard]] const std::string& name() const { return name_; }

  // The next message; "" if none comes for a long time.
  [[nodiscard]] std::string hear() const {
    pollfd ready{.fd = socket_, .events = POLLIN, .revents = 0};
    if (::poll(&ready, 1, 30'000) != 1) return "";
    std::array<char, 1000> text{};
    const auto count = ::recv(socket_, text.data(), text.size(), 0);
    return count < 0 ? "" : std::string(text.data(), static_cast<std::size_t>(count));
  }

 private:
  int socket_ = -1;
  std::string name_;
};

}  // namespace millrace
