// What a connection may take, each limit with its reason.
module;
#include <chrono>
#include <cstddef>

export module millrace.broker.connections:limits;

import millrace.base;
import millrace.protocol.framing;
import millrace.runtime.streams;

export namespace millrace::broker {

// Requests of a connection that have begun and are not answered. More wait in the socket: a client
// that pipelines without end is held up there.
inline constexpr std::size_t requests_in_flight_max = 64;
// The same for the bytes of their frames. One frame may be larger, and is then alone.
inline constexpr std::size_t request_bytes_in_flight_max = 16 * mebibyte;

// Bytes of answers, in memory, that wait until the client reads. Whatever its requests are answered
// with, no further one begins meanwhile.
inline constexpr std::size_t answer_bytes_in_flight_max = 16 * mebibyte;

// How long a frame may take from its first byte to its last, not counting the time for which the
// broker did not read it. The slowest peer that can send the largest frame has 0.9 MB/s.
inline constexpr Duration started_frame_duration_max = std::chrono::seconds{120};
// How long a peer may take to accept the next step of what is sent to it: it may read slowly, but
// not stop.
inline constexpr Duration send_step_duration_max = std::chrono::seconds{60};
inline constexpr std::size_t send_step_bytes_max = attempt_bytes_max;
// Pieces of frames that go out together.
inline constexpr std::size_t send_pieces_max = 64;

// A request that took longer than this, what it waits for by design not counted, is logged.
inline constexpr Duration slow_request_threshold = std::chrono::seconds{1};

// How long a request may wait for others: Kafka's request.timeout.ms.
inline constexpr Duration request_duration_max_default = std::chrono::seconds{30};

// How long the answers to what has begun are waited for when the broker stops.
inline constexpr Duration drain_duration_max_default = std::chrono::seconds{5};

// Places of requests that an idle connection keeps for the next ones.
inline constexpr std::size_t spare_places_max = 2;

static_assert(request_bytes_in_flight_max > message_bytes_max_default);
static_assert(request_bytes_in_flight_max < socket_request_bytes_max_default);
static_assert(spare_places_max < requests_in_flight_max);
static_assert(send_step_bytes_max >= protocol::receive_buffer_bytes_max);

}  // namespace millrace::broker
