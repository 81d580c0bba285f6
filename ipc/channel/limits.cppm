// How much a channel holds and takes.
module;
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>

export module millrace.ipc.channel:limits;

import millrace.base;
import millrace.ipc.ring;

export namespace millrace::ipc {

// A burst of requests of a group fits without waiting; both rings of a channel are half a mebibyte.
inline constexpr std::size_t ring_bytes_default = 256 * kibibyte;
// A message holds at most one client's request and what is said about it.
inline constexpr std::size_t message_bytes_max_default =
    socket_request_bytes_max_default + 64 * kibibyte;
// Each message begins with its length in so many bytes.
inline constexpr std::size_t message_length_bytes = sizeof(std::uint32_t);
// From accepting or making the connection until the channel is there.
inline constexpr Duration handshake_timeout = std::chrono::seconds{2};
// How many messages are sent or received without suspending before others come first.
inline constexpr unsigned messages_at_once_max = 16;
// Peers that wait to be accepted.
inline constexpr int channel_backlog = 16;

static_assert(ring_bytes_default >= ring_capacity_min && ring_bytes_default <= ring_capacity_max);
static_assert(message_bytes_max_default <= std::numeric_limits<std::uint32_t>::max());

}  // namespace millrace::ipc
