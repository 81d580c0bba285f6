// A channel to another process: rings in memory that both map, a bell for each, and the socket
// whose end tells that the peer has died. Inside this module only.
module;
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>

export module millrace.ipc.channel:socket_channel;

import millrace.base;
import millrace.ipc.ring;
import millrace.runtime;
import :channel;
import :handshake;
import :ring_channel;

export namespace millrace::ipc {

// All that two processes share, as one of them holds it. The bells are eventfds: own processes are
// trusted not to change what such a descriptor does.
struct SharedParts {
  SharedMemory own;   // mapped to be written
  SharedMemory peer;  // and only to be read
  Descriptor own_bell;
  Descriptor peer_bell;
  std::uint64_t capacity = 0;
};

// What the listening side makes, and what of it goes to the other one.
struct OfferedParts {
  SharedParts parts;
  Descriptor own_memory;
  Descriptor peer_memory;

  [[nodiscard]] std::array<int, answer_descriptors> descriptors() const {
    return {own_memory.number(), peer_memory.number(), parts.own_bell.number(),
            parts.peer_bell.number()};
  }
};
[[nodiscard]] Result<OfferedParts> make_parts(std::uint64_t capacity, std::uint64_t generation);
// What the connecting side makes of an answer and its descriptors, in their order.
[[nodiscard]] Result<SharedParts> parts_from(const Answer& answer,
                                             std::array<Descriptor, answer_descriptors> received);

struct SocketChannelParts {
  SharedParts shared;
  Descriptor socket;
  ChannelPeer peer;
  std::size_t receive_bytes_max = 0;
  std::size_t send_bytes_max = 0;
};

[[nodiscard]] ChannelResult<std::unique_ptr<Channel>> make_socket_channel(EventLoop& loop,
                                                                          SocketChannelParts parts);

}  // namespace millrace::ipc
