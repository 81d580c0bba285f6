// What consumers of a group tell one another through the broker, which only carries it:
// subscriptions when they join, assignments when they sync.
module;
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

export module millrace.client.consumer.groups:consumer_protocol;

import millrace.base;
import millrace.client.core;
import :assignor;
import :types;

export namespace millrace::client {

using OwnedBytes = std::vector<std::byte>;

// What decoding the words of one member may take in memory.
inline constexpr std::size_t consumer_protocol_arena_bytes_max = 32 * mebibyte;

// Writes what `subscriber` says of itself, in the newest version, for a protocol of this name: with
// the strategies that are sticky goes what Kafka's clients of the same group expect of them.
// Fails on a topic whose name is longer than the protocol can say.
[[nodiscard]] Result<OwnedBytes> encode_subscription(const Subscriber& subscriber,
                                                     AssignorKind strategy);
// Reads what any version says. The member's ids are not in it. Newer versions only add to the end.
[[nodiscard]] Result<Subscriber> decode_subscription(ByteView bytes, AssignorKind strategy);

[[nodiscard]] Result<OwnedBytes> encode_assignment(const Partitions& partitions);
// No bytes at all: nothing is assigned. Sorted, each partition once.
[[nodiscard]] Result<Partitions> decode_assignment(ByteView bytes);

}  // namespace millrace::client
