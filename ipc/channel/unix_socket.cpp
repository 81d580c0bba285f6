module;
#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstring>
#include <filesystem>
#include <span>
#include <string>
#include <utility>
#include <vector>

module millrace.ipc.channel;

import millrace.base;
import millrace.ipc.ring;
import millrace.runtime;
import millrace.runtime.streams;
import :handshake;
import :unix_socket;

namespace millrace::ipc {
namespace {

constexpr mode_t socket_mode = S_IRUSR | S_IWUSR;
// Room for the descriptors of a message; what a peer sends beyond is closed by the kernel.
constexpr std::size_t control_bytes = CMSG_SPACE(answer_descriptors * sizeof(int));

ChannelError fault(ChannelFault fault, const char* operation) {
  return {.fault = fault, .number = 0, .operation = operation};
}

// Where a path is: its directory held open, and its name as a socket address. Names of sockets are
// short, so a longer path is reached through the directory.
struct Place {
  Descriptor directory;
  std::string path;
  sockaddr_un address{};

  [[nodiscard]] const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&address); }
};

ChannelResult<Place> place_of(const std::string& path, const char* operation) {
  const std::filesystem::path whole(path);
  const std::string name = whole.filename().string();
  const std::string directory = whole.has_parent_path() ? whole.parent_path().string() : ".";
  if (name.empty() || path.find('\0') != std::string::npos) {
    return failure(channel_error(EINVAL, operation));
  }
  Place place;
  place.directory = Descriptor(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!place.directory.is_open()) return failure(channel_error(errno, operation));
  place.path = formatted("/proc/self/fd/{}/{}", place.directory.number(), name);
  const std::string& shown = path.size() < sizeof place.address.sun_path ? path : place.path;
  if (shown.size() >= sizeof place.address.sun_path) {
    return failure(channel_error(ENAMETOOLONG, operation));
  }
  place.address.sun_family = AF_UNIX;
  std::memcpy(place.address.sun_path, shown.data(), shown.size());
  return place;
}

Descriptor open_socket() {
  return Descriptor(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
}

// Takes away what a process that died left behind; an error if it is anything else.
ChannelResult<void> remove_dead_socket(const Place& place) {
  struct stat status{};
  if (::lstat(place.path.c_str(), &status) != 0) return failure(channel_error(errno, "listen"));
  const Descriptor socket = open_socket();
  if (!socket.is_open()) return failure(channel_error(errno, "listen"));
  const bool is_dead = S_ISSOCK(status.st_mode) &&
                       ::connect(socket.number(), place.get(), sizeof place.address) != 0 &&
                       errno == ECONNREFUSED;
  if (!is_dead) return failure(channel_error(EADDRINUSE, "listen"));
  if (::unlink(place.path.c_str()) != 0) return failure(channel_error(errno, "listen"));
  return {};
}

}  // namespace

ChannelError channel_error(int number, const char* operation) {
  const auto fault = [number] {
    switch (number) {
      case ENOENT:
      case ECONNREFUSED:
        return ChannelFault::unreachable;
      case EADDRINUSE:
        return ChannelFault::address_in_use;
      case EACCES:
      case EPERM:
        return ChannelFault::denied;
      case EMFILE:
      case ENFILE:
      case ENOBUFS:
      case ENOMEM:
      case ENOSPC:
      case ETOOMANYREFS:
        return ChannelFault::too_many_open;
      case EPIPE:
      case ECONNRESET:
        return ChannelFault::closed;
      default:
        return ChannelFault::failed;
    }
  }();
  return {.fault = fault, .number = number, .operation = operation};
}

ChannelResult<ListeningSocket> listen_at(const std::string& path) {
  auto place = place_of(path, "listen");
  if (!place) return failure(place.error());
  // Two that find the same dead socket must not take each other's away.
  if (::flock(place->directory.number(), LOCK_EX | LOCK_NB) != 0) {
    return failure(channel_error(EADDRINUSE, "listen"));
  }
  ListeningSocket listening{.socket = open_socket(), .file = {}};
  const int socket = listening.socket.number();
  if (socket < 0) return failure(channel_error(errno, "listen"));
  // Before it has a name, so that nobody ever finds it with another mode.
  if (::fchmod(socket, socket_mode) != 0) return failure(channel_error(errno, "listen"));
  if (::bind(socket, place->get(), sizeof place->address) != 0) {
    if (errno != EADDRINUSE) return failure(channel_error(errno, "listen"));
    if (auto removed = remove_dead_socket(*place); !removed) return failure(removed.error());
    if (::bind(socket, place->get(), sizeof place->address) != 0) {
      return failure(channel_error(errno, "listen"));
    }
  }
  struct stat status{};
  if (::lstat(place->path.c_str(), &status) != 0) return failure(channel_error(errno, "listen"));
  listening.file = {.device = status.st_dev, .inode = status.st_ino};
  if (::listen(socket, channel_backlog) != 0) {
    const int number = errno;
    unlink_if(path, listening.file);
    return failure(channel_error(number, "listen"));
  }
  return listening;
}

void unlink_if(const std::string& path, const FileIdentity& file) {
  struct stat status{};
  if (::lstat(path.c_str(), &status) != 0) return;
  if (FileIdentity{.device = status.st_dev, .inode = status.st_ino} != file) return;
  // Somebody else may take it away at the same time: it is gone then, which is what is wanted.
  static_cast<void>(::unlink(path.c_str()));
}

ChannelResult<Descriptor> connect_to(const std::string& path) {
  const auto place = place_of(path, "connect");
  if (!place) return failure(place.error());
  Descriptor socket = open_socket();
  if (!socket.is_open()) return failure(channel_error(errno, "connect"));
  if (::connect(socket.number(), place->get(), sizeof place->address) == 0) return socket;
  if (errno == EAGAIN) return failure(fault(ChannelFault::timed_out, "connect"));
  return failure(channel_error(errno, "connect"));
}

ChannelResult<ChannelPeer> peer_of(const Descriptor& socket) {
  ucred credentials{};
  socklen_t length = sizeof credentials;
  if (::getsockopt(socket.number(), SOL_SOCKET, SO_PEERCRED, &credentials, &length) != 0) {
    return failure(channel_error(errno, "SO_PEERCRED"));
  }
  return ChannelPeer{.process = credentials.pid, .user = credentials.uid};
}

ChannelResult<void> send_message(const Descriptor& socket, ByteView message,
                                 std::span<const int> descriptors) {
  check(descriptors.size() <= answer_descriptors, "a message carries few descriptors");
  iovec piece{const_cast<std::byte*>(message.data()), message.size()};
  alignas(cmsghdr) std::array<char, control_bytes> control{};
  msghdr header{};
  header.msg_iov = &piece;
  header.msg_iovlen = 1;
  if (!descriptors.empty()) {
    header.msg_control = control.data();
    header.msg_controllen = CMSG_SPACE(descriptors.size_bytes());
    cmsghdr* part = CMSG_FIRSTHDR(&header);
    part->cmsg_level = SOL_SOCKET;
    part->cmsg_type = SCM_RIGHTS;
    part->cmsg_len = CMSG_LEN(descriptors.size_bytes());
    std::memcpy(CMSG_DATA(part), descriptors.data(), descriptors.size_bytes());
  }
  if (::sendmsg(socket.number(), &header, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
    return failure(channel_error(errno, "handshake"));
  }
  return {};
}

namespace {

// Takes the descriptors out of a message, so that none is left open by anybody.
std::vector<Descriptor> descriptors_of(msghdr& header) {
  std::vector<Descriptor> descriptors;
  for (cmsghdr* part = CMSG_FIRSTHDR(&header); part != nullptr; part = CMSG_NXTHDR(&header, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int number = -1;
      std::memcpy(&number, CMSG_DATA(part) + i * sizeof(int), sizeof number);
      descriptors.emplace_back(number);
    }
  }
  return descriptors;
}

struct ReadableWatch : Watch {
  explicit ReadableWatch(AsyncSignal& s)
      : Watch([](Watch& self) { static_cast<ReadableWatch&>(self).signal.set(); }), signal(s) {}
  AsyncSignal& signal;
};

}  // namespace

Task<ChannelResult<bool>> wait_until_readable(EventLoop& loop, const Descriptor& descriptor,
                                              AsyncSignal& changed, MonotonicTime deadline) {
  ReadableWatch watch(changed);
  if (!loop.watch(watch, descriptor.number())) co_return failure(channel_error(errno, "watch"));
  co_return co_await changed.wait(deadline);
}

Task<ChannelResult<ReceivedMessage>> receive_message(EventLoop& loop, const Descriptor& socket,
                                                     AsyncSignal& changed, const bool& is_closed,
                                                     MonotonicTime deadline) {
  for (;;) {
    if (is_closed) co_return failure(fault(ChannelFault::closed, "handshake"));
    ReceivedMessage received;
    iovec piece{received.buffer.data(), received.buffer.size()};
    alignas(cmsghdr) std::array<char, control_bytes> control{};
    msghdr header{};
    header.msg_iov = &piece;
    header.msg_iovlen = 1;
    header.msg_control = control.data();
    header.msg_controllen = control.size();
    const auto count = ::recvmsg(socket.number(), &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (count >= 0) {
      received.bytes = static_cast<std::size_t>(count);
      received.descriptors = descriptors_of(header);
      co_return received;
    }
    if (errno == EINTR) continue;
    if (errno != EAGAIN) co_return failure(channel_error(errno, "handshake"));
    const auto waited = co_await wait_until_readable(loop, socket, changed, deadline);
    if (!waited) co_return failure(waited.error());
    if (!*waited) co_return failure(fault(ChannelFault::timed_out, "handshake"));
  }
}

}  // namespace millrace::ipc
