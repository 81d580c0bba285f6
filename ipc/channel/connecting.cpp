module;
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

module millrace.ipc.channel;

import millrace.base;
import millrace.ipc.ring;
import millrace.runtime;
import millrace.runtime.streams;
import :handshake;
import :socket_channel;
import :unix_socket;

namespace millrace::ipc {
namespace {

using ChannelPointer = ChannelResult<std::unique_ptr<Channel>>;

// When descriptors have run out, or too many wait to be accepted.
constexpr Duration pause_before_retry = std::chrono::milliseconds{20};

ChannelError fault(ChannelFault fault, const char* operation) {
  return {.fault = fault, .number = 0, .operation = operation};
}

void check_options(const ChannelOptions& options) {
  check(is_ring_capacity(options.ring_bytes), "a ring's capacity is a power of two");
  check(options.message_bytes_max <= message_bytes_max_default, "a length has four bytes");
}

class SocketListener final : public ChannelListener {
 public:
  SocketListener(EventLoop& loop, const Logger& log, const std::string& path,
                 const ChannelOptions& options, ListeningSocket socket)
      : loop_(loop),
        log_(log, loop.clock()),
        path_(path),
        options_(options),
        socket_(std::move(socket)),
        changed_(loop) {}
  ~SocketListener() override { close(); }

  [[nodiscard]] Task<ChannelPointer> accept() override;
  void close() override {
    if (std::exchange(is_closed_, true)) return;
    unlink_if(path_, socket_.file);
    // A pending accept() closes it when it is resumed: until then it is watched.
    if (!is_accepting_) socket_.socket.close();
    changed_.set();
  }

 private:
  // Nothing to accept: waits. False if the error is not one that passes.
  [[nodiscard]] Task<bool> wait_after(int number);
  [[nodiscard]] Task<ChannelPointer> shake_hands(Descriptor socket);
  [[nodiscard]] ChannelPointer offer(Descriptor socket, const ChannelPeer& peer,
                                     std::uint64_t peer_takes);
  [[nodiscard]] ChannelError turn_away(const Descriptor& socket, HandshakeStatus status,
                                       ChannelFault reason);

  EventLoop& loop_;
  LimitedLogger log_;
  std::string path_;
  ChannelOptions options_;
  ListeningSocket socket_;
  AsyncSignal changed_;
  bool is_closed_ = false;
  bool is_accepting_ = false;
};

Task<ChannelPointer> SocketListener::accept() {
  check(!std::exchange(is_accepting_, true), "one accepts at a time");
  while (!is_closed_) {
    Descriptor accepted(
        ::accept4(socket_.socket.number(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!accepted.is_open()) {
      const int number = errno;
      if (co_await wait_after(number)) continue;
      is_accepting_ = false;
      co_return failure(channel_error(number, "accept"));
    }
    auto channel = co_await shake_hands(std::move(accepted));
    if (channel) {
      is_accepting_ = false;
      co_return channel;
    }
    if (!is_closed_) {
      log_.warning("{}: a process is turned away: {}", path_, describe(channel.error()));
    }
  }
  socket_.socket.close();
  is_accepting_ = false;
  co_return failure(fault(ChannelFault::closed, "accept"));
}

Task<bool> SocketListener::wait_after(int number) {
  if (number == EAGAIN) {
    const auto waited = co_await wait_until_readable(loop_, socket_.socket, changed_, no_deadline);
    co_return waited.has_value();
  }
  if (number == EINTR || number == ECONNABORTED) co_return true;
  if (channel_error(number, "accept").fault != ChannelFault::too_many_open) co_return false;
  log_.warning("{}: accepts nobody for now: descriptors or memory have run out (errno {})", path_,
               number);
  static_cast<void>(co_await changed_.wait(loop_.clock().now() + pause_before_retry));
  co_return true;
}

ChannelError SocketListener::turn_away(const Descriptor& socket, HandshakeStatus status,
                                       ChannelFault reason) {
  // It learns the reason if it still listens.
  static_cast<void>(send_message(socket, encode(Answer{.status = status})));
  return fault(reason, "handshake");
}

Task<ChannelPointer> SocketListener::shake_hands(Descriptor socket) {
  const auto peer = peer_of(socket);
  if (!peer) co_return failure(peer.error());
  if (peer->user != ::geteuid()) {
    co_return failure(turn_away(socket, HandshakeStatus::other_user, ChannelFault::refused));
  }
  const auto received = co_await receive_message(loop_, socket, changed_, is_closed_,
                                                 loop_.clock().now() + handshake_timeout);
  if (!received) co_return failure(received.error());
  if (received->bytes == 0) co_return failure(fault(ChannelFault::closed, "handshake"));
  const auto hello = hello_from(received->view());
  if (!hello) {
    co_return failure(turn_away(socket, HandshakeStatus::not_understood, ChannelFault::corrupt));
  }
  if (hello->version_min > channel_version || hello->version_max < channel_version) {
    co_return failure(turn_away(socket, HandshakeStatus::unknown_version, ChannelFault::refused));
  }
  co_return offer(std::move(socket), *peer, hello->message_bytes_max);
}

ChannelPointer SocketListener::offer(Descriptor socket, const ChannelPeer& peer,
                                     std::uint64_t peer_takes) {
  const auto generation =
      static_cast<std::uint64_t>(loop_.clock().now().time_since_epoch().count());
  auto offered = make_parts(options_.ring_bytes, generation);
  if (!offered) {
    log_.error("{}: {}", path_, offered.error().message);
    return failure(fault(ChannelFault::too_many_open, "handshake"));
  }
  const Answer answer{.status = HandshakeStatus::ok,
                      .version = channel_version,
                      .generation = generation,
                      .ring_bytes = options_.ring_bytes,
                      .message_bytes_max = options_.message_bytes_max};
  if (auto sent = send_message(socket, encode(answer), offered->descriptors()); !sent) {
    return failure(sent.error());
  }
  return make_socket_channel(loop_,
                             {.shared = std::move(offered->parts),
                              .socket = std::move(socket),
                              .peer = peer,
                              .receive_bytes_max = options_.message_bytes_max,
                              .send_bytes_max = static_cast<std::size_t>(
                                  std::min<std::uint64_t>(peer_takes, message_bytes_max_default))});
}

ChannelFault fault_of(HandshakeStatus status) {
  switch (status) {
    case HandshakeStatus::unknown_version:
    case HandshakeStatus::other_user:
      return ChannelFault::refused;
    case HandshakeStatus::ok:
    case HandshakeStatus::not_understood:
      break;
  }
  return ChannelFault::corrupt;
}

// What the listening side answered.
ChannelPointer channel_from(EventLoop& loop, Descriptor socket, const ChannelPeer& peer,
                            const ChannelOptions& options, ReceivedMessage received) {
  if (received.bytes == 0) return failure(fault(ChannelFault::closed, "connect"));
  const auto answer = answer_from(received.view());
  if (!answer) return failure(fault(ChannelFault::corrupt, "connect"));
  if (answer->status != HandshakeStatus::ok) {
    return failure(fault(fault_of(answer->status), "connect"));
  }
  if (answer->version != channel_version || received.descriptors.size() != answer_descriptors) {
    return failure(fault(ChannelFault::corrupt, "connect"));
  }
  std::array<Descriptor, answer_descriptors> descriptors;
  std::move(received.descriptors.begin(), received.descriptors.end(), descriptors.begin());
  auto shared = parts_from(*answer, std::move(descriptors));
  if (!shared) {
    const bool is_corrupt = shared.error().kind == ErrorKind::corrupt;
    return failure(
        fault(is_corrupt ? ChannelFault::corrupt : ChannelFault::failed, "shared memory"));
  }
  return make_socket_channel(
      loop, {.shared = std::move(*shared),
             .socket = std::move(socket),
             .peer = peer,
             .receive_bytes_max = options.message_bytes_max,
             .send_bytes_max = static_cast<std::size_t>(
                 std::min<std::uint64_t>(answer->message_bytes_max, message_bytes_max_default))});
}

}  // namespace

ChannelResult<std::unique_ptr<ChannelListener>> ChannelListener::listen(
    EventLoop& loop, const Logger& log, const std::string& path, const ChannelOptions& options) {
  check_options(options);
  auto socket = listen_at(path);
  if (!socket) return failure(socket.error());
  return std::unique_ptr<ChannelListener>(
      std::make_unique<SocketListener>(loop, log, path, options, std::move(*socket)));
}

Task<ChannelPointer> connect(EventLoop& loop, std::string path, ChannelOptions options,
                             MonotonicTime deadline) {
  check_options(options);
  AsyncSignal changed(loop);
  auto socket = connect_to(path);
  while (!socket && socket.error().fault == ChannelFault::timed_out) {
    if (loop.clock().now() >= deadline) co_return failure(socket.error());
    co_await sleep_until(loop, std::min(deadline, loop.clock().now() + pause_before_retry));
    socket = connect_to(path);
  }
  if (!socket) co_return failure(socket.error());
  const auto peer = peer_of(*socket);
  if (!peer) co_return failure(peer.error());
  if (peer->user != ::geteuid()) co_return failure(fault(ChannelFault::refused, "connect"));
  const Hello hello{.version_min = channel_version,
                    .version_max = channel_version,
                    .message_bytes_max = options.message_bytes_max};
  if (auto sent = send_message(*socket, encode(hello)); !sent) co_return failure(sent.error());
  const bool never_closed = false;
  auto received = co_await receive_message(loop, *socket, changed, never_closed, deadline);
  if (!received) co_return failure(received.error());
  co_return channel_from(loop, std::move(*socket), *peer, options, std::move(*received));
}

Task<ChannelPointer> connect(EventLoop& loop, std::string path) {
  co_return co_await connect(loop, std::move(path), ChannelOptions{},
                             loop.clock().now() + handshake_timeout);
}

}  // namespace millrace::ipc
