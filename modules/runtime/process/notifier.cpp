module;
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

module millrace.runtime.process;

import millrace.base;

namespace millrace {
namespace {

std::string taken_variable(const char* name) {
  const char* value = std::getenv(name);
  std::string taken = value == nullptr ? "" : value;
  ::unsetenv(name);
  return taken;
}

std::optional<std::uint64_t> number_in(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

// A line break would begin a variable of its own.
std::string one_line(std::string_view status) {
  std::string line(status);
  std::replace(line.begin(), line.end(), '\n', ' ');
  return line;
}

}  // namespace

NotifyEnvironment NotifyEnvironment::take() {
  NotifyEnvironment environment;
  environment.socket = taken_variable("NOTIFY_SOCKET");
  const auto microseconds = number_in(taken_variable("WATCHDOG_USEC"));
  const auto process = number_in(taken_variable("WATCHDOG_PID"));
  const bool is_for_us = !process || *process == static_cast<std::uint64_t>(::getpid());
  // A number that no duration can hold means "never", as does none.
  if (microseconds && *microseconds > 0 && *microseconds < 1ULL << 50 && is_for_us) {
    environment.watchdog = std::chrono::microseconds(*microseconds);
  }
  return environment;
}

Notifier::Notifier(NotifyEnvironment environment) : environment_(std::move(environment)) {
  const std::string& path = environment_.socket;
  sockaddr_un address{};
  const bool is_path = path.starts_with('/') || path.starts_with('@');
  if (!is_path || path.size() >= sizeof address.sun_path) return;
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  if (path.front() == '@') address.sun_path[0] = '\0';  // an abstract name, of exactly this length
  socket_ = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (socket_ < 0) return;
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size());
  if (::connect(socket_, reinterpret_cast<const sockaddr*>(&address), length) != 0) {
    ::close(std::exchange(socket_, -1));
  }
}

Notifier::~Notifier() {
  if (socket_ >= 0) ::close(socket_);
}

void Notifier::send(std::string_view lines) const {
  if (socket_ < 0) return;
  static_cast<void>(::send(socket_, lines.data(), lines.size(), MSG_NOSIGNAL));
}

void Notifier::ready(std::string_view status) const {
  send(formatted("READY=1\nSTATUS={}", one_line(status)));
}

void Notifier::stopping(std::string_view status) const {
  send(formatted("STOPPING=1\nSTATUS={}", one_line(status)));
}

void Notifier::status(std::string_view status) const {
  send(formatted("STATUS={}", one_line(status)));
}

void Notifier::watchdog() const {
  send("WATCHDOG=1");
}

void Notifier::extend_timeout(Duration duration) const {
  send(formatted("EXTEND_TIMEOUT_USEC={}",
                 std::chrono::duration_cast<std::chrono::microseconds>(duration).count()));
}

}  // namespace millrace
