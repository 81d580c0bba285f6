module;
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

module millrace.ipc.channel;

import millrace.base;
import millrace.ipc.ring;
import millrace.runtime;
import :handshake;
import :ring_channel;
import :socket_channel;
import :unix_socket;

namespace millrace::ipc {
namespace {

RingChannelParts ring_parts_of(const SocketChannelParts& parts) {
  return {.memories = {.own = reinterpret_cast<Region*>(parts.shared.own.writable_bytes().data()),
                       .peer = reinterpret_cast<const Region*>(parts.shared.peer.bytes().data()),
                       .capacity = parts.shared.capacity},
          .receive_bytes_max = parts.receive_bytes_max,
          .send_bytes_max = parts.send_bytes_max,
          .peer = parts.peer};
}

class SocketChannel final : public RingChannel {
 public:
  SocketChannel(EventLoop& loop, SocketChannelParts parts)
      : RingChannel(loop, ring_parts_of(parts)), loop_(loop), parts_(std::move(parts)) {}
  ~SocketChannel() override { close_at_end(); }

  [[nodiscard]] Result<void> watch() {
    auto watched = loop_.watch(bell_watch_, parts_.shared.own_bell.number());
    if (watched) watched = loop_.watch(socket_watch_, parts_.socket.number());
    return watched;
  }

 private:
  struct OwnedWatch : Watch {
    OwnedWatch(SocketChannel& c, Function function) : Watch(function), channel(c) {}
    SocketChannel& channel;
  };

  void ring_peer() override {
    const std::uint64_t one = 1;
    const auto written = ::write(parts_.shared.peer_bell.number(), &one, sizeof one);
    // A bell that is full has been rung.
    check(written == sizeof one || errno == EAGAIN, "an eventfd takes a number");
  }
  void close_link() override {
    if (bell_watch_.active()) loop_.unwatch(bell_watch_);
    if (socket_watch_.active()) loop_.unwatch(socket_watch_);
    parts_.socket.close();
  }

  void bell_rung() {
    std::uint64_t rings = 0;
    // Somebody may have emptied it: it was rung all the same.
    static_cast<void>(::read(parts_.shared.own_bell.number(), &rings, sizeof rings));
    told();
  }
  void socket_changed() {
    std::byte byte{};
    const auto count = ::recv(parts_.socket.number(), &byte, sizeof byte, MSG_DONTWAIT);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (count > 0) return broken();  // nothing is said here after the handshake
    loop_.unwatch(socket_watch_);
    peer_ended();
  }

  EventLoop& loop_;
  SocketChannelParts parts_;
  OwnedWatch bell_watch_{*this,
                         [](Watch& self) { static_cast<OwnedWatch&>(self).channel.bell_rung(); }};
  OwnedWatch socket_watch_{
      *this, [](Watch& self) { static_cast<OwnedWatch&>(self).channel.socket_changed(); }};
};

Result<Descriptor> make_bell() {
  Descriptor bell(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!bell.is_open()) return failure(ErrorKind::io, formatted("eventfd: errno {}", errno));
  return bell;
}

}  // namespace

Result<OfferedParts> make_parts(std::uint64_t capacity, std::uint64_t generation) {
  const std::size_t bytes = region_bytes(static_cast<std::size_t>(capacity));
  // Both are begun here, so each is mapped to be written once; the peer's is then only read.
  auto own = SharedMemory::make("millrace-ring", bytes, MemoryAccess::read_write, false);
  if (!own) return failure(own.error());
  auto peer = SharedMemory::make("millrace-ring", bytes, MemoryAccess::read_write, true);
  if (!peer) return failure(peer.error());
  auto own_bell = make_bell();
  if (!own_bell) return failure(own_bell.error());
  auto peer_bell = make_bell();
  if (!peer_bell) return failure(peer_bell.error());
  make_region(own->memory.writable_bytes(), capacity, generation);
  make_region(peer->memory.writable_bytes(), capacity, generation);
  auto peer_read = SharedMemory::map(peer->descriptor.number(), bytes, MemoryAccess::read_only);
  if (!peer_read) return failure(peer_read.error());
  return OfferedParts{.parts = {.own = std::move(own->memory),
                                .peer = std::move(*peer_read),
                                .own_bell = std::move(*own_bell),
                                .peer_bell = std::move(*peer_bell),
                                .capacity = capacity},
                      .own_memory = std::move(own->descriptor),
                      .peer_memory = std::move(peer->descriptor)};
}

Result<SharedParts> parts_from(const Answer& answer,
                               std::array<Descriptor, answer_descriptors> received) {
  if (!is_ring_capacity(answer.ring_bytes)) {
    return failure(ErrorKind::corrupt, formatted("a ring cannot hold {} bytes", answer.ring_bytes));
  }
  const std::size_t bytes = region_bytes(static_cast<std::size_t>(answer.ring_bytes));
  auto peer = SharedMemory::map(received[0].number(), bytes, MemoryAccess::read_only);
  if (!peer) return failure(peer.error());
  auto own = SharedMemory::map(received[1].number(), bytes, MemoryAccess::read_write);
  if (!own) return failure(own.error());
  for (const SharedMemory* memory : {&*own, &*peer}) {
    if (auto good = check_region(memory->bytes(), answer.ring_bytes, answer.generation); !good) {
      return failure(good.error());
    }
  }
  return SharedParts{.own = std::move(*own),
                     .peer = std::move(*peer),
                     .own_bell = std::move(received[3]),
                     .peer_bell = std::move(received[2]),
                     .capacity = answer.ring_bytes};
}

ChannelResult<std::unique_ptr<Channel>> make_socket_channel(EventLoop& loop,
                                                            SocketChannelParts parts) {
  auto channel = std::make_unique<SocketChannel>(loop, std::move(parts));
  if (!channel->watch()) return failure(channel_error(errno, "watch"));
  return std::unique_ptr<Channel>(std::move(channel));
}

}  // namespace millrace::ipc
