// The limits of the RPC between our processes.
module;
#include <chrono>
#include <cstddef>
#include <cstdint>

export module millrace.ipc.rpc:limits;

import millrace.base;

export namespace millrace::rpc {

// The version of the schema and of what its methods mean. Another major version is refused; a minor
// version adds fields and methods that older peers do without.
inline constexpr std::uint16_t version_major = 1;
inline constexpr std::uint16_t version_minor = 1;

// The bytes that a request or an answer may carry; a larger one is not sent, its caller is told so.
inline constexpr std::size_t message_bytes_max = 8 * mebibyte;
// Entries of the metadata log in one answer, unless a single entry is larger.
inline constexpr std::size_t follow_bytes_max = 2 * mebibyte;
// A piece of a snapshot in one answer.
inline constexpr std::size_t snapshot_chunk_bytes_max = mebibyte;
// What pointers, list headers and the frame of the RPC add to what a message carries.
inline constexpr std::size_t message_overhead_bytes_max = mebibyte;
// What a receiver takes, and how many bytes of one message it reads: as a malformed message may
// refer to the same bytes again and again, that is counted. Every field is read once.
inline constexpr std::size_t traversal_bytes_max = 16 * mebibyte;
// Entries of one list in a message.
inline constexpr std::size_t list_entries_max = 65'536;
// Structs within structs.
inline constexpr int nesting_max = 16;

static_assert(message_bytes_max + message_overhead_bytes_max <= traversal_bytes_max);
static_assert(follow_bytes_max <= message_bytes_max);
static_assert(snapshot_chunk_bytes_max <= message_bytes_max);
static_assert(traversal_bytes_max % 8 == 0, "Cap'n Proto counts words");

// At a server. What passes the first closes the connection, what passes the second is answered with
// an error.
inline constexpr std::size_t connections_max = 1024;
inline constexpr std::size_t calls_per_connection_max = 64;
// Calls of one connection that its peer has not finished, answered or not: past it the connection
// is closed. A client of ours finishes each call when it has the answer.
inline constexpr std::size_t open_answers_max = 4 * calls_per_connection_max;
// Answers that wait until their client reads; past it the connection is closed. While any wait, no
// call is read, so that these are answers to calls that were under way.
inline constexpr std::size_t unread_bytes_max = 32 * mebibyte;
static_assert(unread_bytes_max >= 2 * (message_bytes_max + message_overhead_bytes_max));
// Calls that wait for answers at one client, and those that wait to be sent.
inline constexpr std::size_t client_calls_max = 32;
inline constexpr std::size_t client_waiting_max = 1024;
// Messages of raft that one client has handed over and that were not taken yet.
inline constexpr std::size_t raft_messages_max = 16;
// Calls in a row without any answer, after which a connection is given up.
inline constexpr std::size_t silent_calls_max = 2;
static_assert(client_calls_max + raft_messages_max < calls_per_connection_max,
              "one healthy client is never refused");

// How long a client tries one address, and the other side to say Hello.
inline constexpr Duration connect_timeout = std::chrono::seconds{3};
inline constexpr Duration hello_timeout = std::chrono::seconds{3};
// Of what a client says about controllers that it does not reach.
inline constexpr LogRate problem_rate{.lines_max = 1, .period = std::chrono::seconds{5}};

}  // namespace millrace::rpc
