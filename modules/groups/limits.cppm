// How much one state partition may hold, whoever asks for it. What operators set is in options.
module;
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>

export module millrace.groups:limits;

import millrace.base;

export namespace millrace::groups {

// What a batch has of a record besides its key and value, at most: five numbers of up to three
// bytes each, as in a batch of a megabyte, and its attributes.
inline constexpr std::size_t record_framing_bytes_max = 16;
// Strings of Kafka's records have a signed 16-bit length.
inline constexpr std::size_t stored_string_bytes_max = std::numeric_limits<std::int16_t>::max();
// What is put after the name of a client to make a member id: a dash and a UUID.
inline constexpr std::size_t member_id_suffix_bytes = 37;
inline constexpr std::size_t member_id_prefix_bytes_max =
    stored_string_bytes_max - member_id_suffix_bytes;
// Ways to assign that one member may name; clients name one to four.
inline constexpr std::size_t member_protocols_max = 64;
// When nobody has joined who could lead, at least this long until the next look.
inline constexpr std::chrono::milliseconds rebalance_retry_min{100};
// Groups that one slice of the search for expired offsets looks at.
inline constexpr std::size_t expiry_groups_per_slice = 1'000;
// Offsets after which a slice ends early, at the end of a group, and bytes of the records that say
// that they are gone.
inline constexpr std::size_t expiry_offsets_per_slice = 10'000;
inline constexpr std::size_t expiry_bytes_per_slice = 4 * mebibyte;

static_assert(member_id_prefix_bytes_max + member_id_suffix_bytes == stored_string_bytes_max);
static_assert(expiry_groups_per_slice <= expiry_offsets_per_slice);

}  // namespace millrace::groups
