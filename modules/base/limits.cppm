// Limits that more than one module must agree on, each with its reason; those of one module stand
// in that module. A default here is where a setting starts: the broker's configuration may move it.
module;
#include <cstddef>

export module millrace.base:limits;

export namespace millrace {

inline constexpr std::size_t kibibyte = 1024;
inline constexpr std::size_t mebibyte = 1024 * kibibyte;

// Every frame of the protocol begins with its length, a signed 32-bit number that does not count
// itself.
inline constexpr std::size_t frame_length_bytes = 4;

// The largest frame that a client may send: Kafka's socket.request.max.bytes.
inline constexpr std::size_t socket_request_bytes_max_default = 104'857'600;

// Before a connection is authenticated, its frames hold names, versions and credentials, no data.
inline constexpr std::size_t unauthenticated_frame_bytes_max = 512 * kibibyte;

// A batch in the log begins with its base offset and its length, which does not count these two.
inline constexpr std::size_t record_batch_prefix_bytes = 12;

// The header of a batch of format version 2, prefix included; its records follow.
inline constexpr std::size_t record_batch_header_bytes = 61;

// The largest batch that is taken from a client, prefix included: Kafka's message.max.bytes, which
// is a mebibyte of batch and its prefix.
inline constexpr std::size_t message_bytes_max_default = 1'048'588;

// What the arrays of one decoded request may take in memory. Records are not in it: they are views
// of the frame. A request that names 100,000 partitions fits; what passes it is refused.
inline constexpr std::size_t request_arena_bytes_max = 32 * mebibyte;

static_assert(socket_request_bytes_max_default == 100 * mebibyte);
static_assert(message_bytes_max_default == mebibyte + record_batch_prefix_bytes);
static_assert(record_batch_prefix_bytes < record_batch_header_bytes);
static_assert(record_batch_header_bytes < message_bytes_max_default);
// A produce request with one batch of the largest size is a legal frame.
static_assert(message_bytes_max_default + 64 * kibibyte < socket_request_bytes_max_default);
// Who is not known yet can make us hold less than one batch.
static_assert(unauthenticated_frame_bytes_max < message_bytes_max_default);
// Decoding a request never takes more memory than the request itself may.
static_assert(request_arena_bytes_max < socket_request_bytes_max_default);
// Lengths on the wire are signed 32-bit numbers.
static_assert(socket_request_bytes_max_default <= 0x7fff'ffff);

}  // namespace millrace
