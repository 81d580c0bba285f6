// Which partition a record's key belongs to, as the clients of Kafka decide it, and which partition
// of an internal topic holds the state of a group or transaction. All here are pure functions.
module;
#include <cstdint>
#include <string_view>

export module millrace.protocol.partitioner;

import millrace.base;

export namespace millrace::protocol {

// Java's default for records with a key, and librdkafka's "murmur2".
[[nodiscard]] std::int32_t murmur2(ByteView key);

// With zlib's polynomial: librdkafka's "consistent".
[[nodiscard]] std::uint32_t crc32(ByteView key);

// The 32-bit FNV-1a: librdkafka's "fnv1a", and sarama's default.
[[nodiscard]] std::uint32_t fnv1a(ByteView key);

// Java's String.hashCode() of the string that its UTF-8 decoder makes of `utf8`: over UTF-16 units,
// and with U+FFFD for what is malformed.
[[nodiscard]] std::int32_t java_string_hash(std::string_view utf8);

// How a client finds the partition of a key. A producer that joins others on a topic must choose as
// they do, or a key is in two partitions.
enum class Partitioner : std::uint8_t { murmur2, consistent, fnv1a };

// The partition of `key` among `partition_count`, which is positive.
[[nodiscard]] PartitionIndex key_partition(Partitioner partitioner, ByteView key,
                                           std::int32_t partition_count);

// The partition of __consumer_offsets or __transaction_state that holds what belongs to a group id
// or transactional id. `partition_count` is positive.
[[nodiscard]] PartitionIndex state_partition(std::string_view id, std::int32_t partition_count);

}  // namespace millrace::protocol
