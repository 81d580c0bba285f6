module;
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sys/socket.h>

#include <cerrno>
#include <chrono>
#include <coroutine>
#include <csignal>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

module millrace.runtime.streams;

import millrace.base;
import millrace.runtime;
import millrace.runtime.shard;
import :system_address;

namespace millrace {
namespace {

using AcceptResult = StreamResult<std::unique_ptr<AcceptedStream>>;
using ConnectResult = StreamResult<std::unique_ptr<ByteStream>>;

class TcpAccepted final : public AcceptedStream {
 public:
  TcpAccepted(Socket s, const SocketAddress& p) : socket(std::move(s)), peer_(p) {}
  [[nodiscard]] const SocketAddress& peer() const override { return peer_; }

  Socket socket;

 private:
  SocketAddress peer_;
};

StreamError error_of(int number, const char* operation) {
  return {.fault = stream_fault_of(number), .number = number, .operation = operation};
}

bool set(const Socket& socket, int level, int name, int value) {
  return ::setsockopt(socket.descriptor(), level, name, &value, sizeof value) == 0;
}

bool set_buffers(const Socket& socket, const SocketOptions& options) {
  return (!options.send_buffer_bytes ||
          set(socket, SOL_SOCKET, SO_SNDBUF, *options.send_buffer_bytes)) &&
         (!options.receive_buffer_bytes ||
          set(socket, SOL_SOCKET, SO_RCVBUF, *options.receive_buffer_bytes));
}

// An answer is written once and whole: waiting for more to send with it would only delay it. A peer
// that vanished is found out some day.
bool set_for_streams(const Socket& socket) {
  return set(socket, IPPROTO_TCP, TCP_NODELAY, 1) && set(socket, SOL_SOCKET, SO_KEEPALIVE, 1);
}

// Of a socket that was bound, or connected.
StreamResult<SocketAddress> local_address(const Socket& socket) {
  sockaddr_storage storage{};
  socklen_t length = sizeof storage;
  if (::getsockname(socket.descriptor(), reinterpret_cast<sockaddr*>(&storage), &length) != 0) {
    return failure(error_of(errno, "getsockname"));
  }
  return address_of(storage);
}

Socket open_socket(const SocketAddress& address) {
  const int family = address.family == SocketAddress::Family::ipv4 ? AF_INET : AF_INET6;
  return Socket(::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
}

// What accept4 reports of a connection that broke before it was accepted, or of the network at this
// moment; the next one may be well.
bool concerns_one_connection(int number) {
  switch (number) {
    case ECONNABORTED:
    case EINTR:
    case EPERM:
    case EPROTO:
    case ENOPROTOOPT:
    case EOPNOTSUPP:
    case ENETDOWN:
    case ENETUNREACH:
    case EHOSTDOWN:
    case EHOSTUNREACH:
    case ETIMEDOUT:
      return true;
    default:
      return false;
  }
}

struct ConnectWatch : SocketWatch {
  explicit ConnectWatch(AsyncSignal& s)
      : SocketWatch([](SocketWatch& self, Ready ready) {
          if (ready.to_write) static_cast<ConnectWatch&>(self).signal.set();
        }),
        signal(s) {}
  AsyncSignal& signal;
};

}  // namespace

TcpNetwork::TcpNetwork(ShardLoop& loop, const Logger& log) : loop_(loop), log_(log) {
  sigset_t broken_pipe;
  sigemptyset(&broken_pipe);
  sigaddset(&broken_pipe, SIGPIPE);
  check(::pthread_sigmask(SIG_BLOCK, &broken_pipe, nullptr) == 0, "a thread may block SIGPIPE");
}

StreamResult<std::unique_ptr<Listener>> TcpNetwork::listen(const SocketAddress& address,
                                                           const ListenOptions& options) {
  Socket socket = open_socket(address);
  if (!socket.is_open()) return failure(error_of(errno, "listen"));
  // The address is ours again at once after a restart, though old connections linger on it.
  // What is set here holds for the connections too.
  bool is_set = set(socket, SOL_SOCKET, SO_REUSEADDR, 1) && set_for_streams(socket) &&
                set_buffers(socket, options.sockets);
  if (options.shared) is_set = is_set && set(socket, SOL_SOCKET, SO_REUSEPORT, 1);
  if (address.family == SocketAddress::Family::ipv6) {
    is_set = is_set && set(socket, IPPROTO_IPV6, IPV6_V6ONLY, 0);
  }
  if (!is_set) return failure(error_of(errno, "listen"));
  const SystemAddress system = system_address_of(address);
  if (::bind(socket.descriptor(), system.get(), system.length) != 0 ||
      ::listen(socket.descriptor(), options.backlog) != 0) {
    return failure(error_of(errno, "listen"));
  }
  const auto local = local_address(socket);
  if (!local) return failure(local.error());
  auto listener = std::make_unique<TcpListener>(loop_, log_, std::move(socket), *local);
  if (auto watched = listener->watch(); !watched) return failure(watched.error());
  return std::unique_ptr<Listener>(std::move(listener));
}

Task<ConnectResult> TcpNetwork::connect(SocketAddress address, SocketOptions options,
                                        MonotonicTime deadline) {
  Socket socket = open_socket(address);
  if (!socket.is_open()) co_return failure(error_of(errno, "connect"));
  if (!set_buffers(socket, options) || !set_for_streams(socket)) {
    co_return failure(error_of(errno, "connect"));
  }
  AsyncSignal ended(loop_);
  const SystemAddress system = system_address_of(address);
  if (::connect(socket.descriptor(), system.get(), system.length) != 0) {
    if (errno != EINPROGRESS) co_return failure(error_of(errno, "connect"));
    ConnectWatch watch(ended);
    if (!loop_.watch(watch, socket.descriptor())) co_return failure(error_of(errno, "watch"));
    if (!co_await ended.wait(deadline)) {
      co_return failure(
          StreamError{.fault = StreamFault::timed_out, .number = 0, .operation = "connect"});
    }
  }
  int number = 0;
  socklen_t length = sizeof number;
  if (::getsockopt(socket.descriptor(), SOL_SOCKET, SO_ERROR, &number, &length) != 0) {
    number = errno;
  }
  if (number == ETIMEDOUT) {
    co_return failure(
        StreamError{.fault = StreamFault::timed_out, .number = number, .operation = "connect"});
  }
  if (number != 0) co_return failure(error_of(number, "connect"));
  const auto local = local_address(socket);
  if (!local) co_return failure(local.error());
  co_return TcpStream::make(loop_, std::move(socket), *local, address);
}

ConnectResult TcpNetwork::adopt(std::unique_ptr<AcceptedStream> accepted) {
  auto* tcp = dynamic_cast<TcpAccepted*>(accepted.get());
  check(tcp != nullptr, "a network adopts what a network of its kind accepted");
  const auto local = local_address(tcp->socket);
  if (!local) return failure(local.error());
  return TcpStream::make(loop_, std::move(tcp->socket), *local, tcp->peer());
}

TcpListener::TcpListener(ShardLoop& loop, const Logger& log, Socket socket,
                         const SocketAddress& address)
    : loop_(loop),
      log_(log, loop.clock()),
      socket_(std::move(socket)),
      address_(address),
      ready_(loop) {}

StreamResult<void> TcpListener::watch() {
  if (!loop_.watch(watch_, socket_.descriptor())) return failure(error_of(errno, "watch"));
  return {};
}

void TcpListener::close() {
  if (watch_.active()) loop_.unwatch(watch_);
  socket_.close();
  ready_.set();
}

Task<AcceptResult> TcpListener::accept() {
  while (socket_.is_open()) {
    if (++accepted_at_once_ > accepts_at_once_max) {
      accepted_at_once_ = 0;
      co_await yield(loop_);
      continue;
    }
    sockaddr_storage peer{};
    socklen_t length = sizeof peer;
    Socket accepted(::accept4(socket_.descriptor(), reinterpret_cast<sockaddr*>(&peer), &length,
                              SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (accepted.is_open()) {
      co_return std::make_unique<TcpAccepted>(std::move(accepted), address_of(peer));
    }
    const int number = errno;
    if (!co_await wait_after(number)) co_return failure(error_of(number, "accept"));
  }
  co_return failure(StreamError{.fault = StreamFault::closed, .number = 0, .operation = "accept"});
}

Task<bool> TcpListener::wait_after(int number) {
  if (number == EAGAIN || number == EWOULDBLOCK) {
    accepted_at_once_ = 0;
    static_cast<void>(co_await ready_.wait());
    co_return true;
  }
  if (stream_fault_of(number) == StreamFault::too_many_open) {
    ++pauses_;
    log_.warning("{} accepts no connections for now: descriptors or memory have run out (errno {})",
                 address_, number);
    // Who connects meanwhile is told too, and waits all the same; close() ends the pause.
    const MonotonicTime until = loop_.clock().now() + accept_pause;
    while (socket_.is_open() && co_await ready_.wait(until)) {
    }
    // What was told during the pause is still there.
    co_return true;
  }
  co_return concerns_one_connection(number);
}

}  // namespace millrace
