// How much a cluster may hold, and how large its records may be.
module;
#include <cstddef>
#include <cstdint>

export module millrace.metadata:limits;

import millrace.base;

export namespace millrace::metadata {

// A topic's name is part of the name of a folder, which has a suffix: as in Kafka.
inline constexpr std::size_t topic_name_bytes_max = 249;
// What one entry of the controllers' log holds: what takes effect
// together lies in one.
inline constexpr std::size_t entry_bytes_max = 4 * mebibyte;
// A record that would be larger is refused before it is written.
inline constexpr std::size_t record_bytes_max = 256 * kibibyte;
// What decoding one record may take besides its bytes.
inline constexpr std::size_t record_arena_bytes_max = 4 * mebibyte;

inline constexpr std::int32_t partitions_of_topic_max = 100'000;
inline constexpr std::size_t partitions_of_cluster_max = 1'000'000;
inline constexpr std::size_t partitions_of_request_max = 100'000;
inline constexpr std::size_t replicas_max = 64;
inline constexpr std::size_t brokers_max = 1'000;
inline constexpr std::size_t config_name_bytes_max = 256;
inline constexpr std::size_t config_value_bytes_max = 16 * kibibyte;
inline constexpr std::size_t config_entries_max = 256;
inline constexpr std::size_t config_bytes_max = mebibyte;  // names and values of one resource

// Producer ids are handed out to brokers in blocks.
inline constexpr std::int32_t producer_id_block_size = 1'000;

static_assert(record_bytes_max <= entry_bytes_max);
// All old settings of a resource go and all new ones come in one step.
static_assert(2 * config_bytes_max + 2 * config_entries_max * (topic_name_bytes_max + 64) <
              entry_bytes_max);

// The id of a new partition's folder never passes what a file name may be.
static_assert(topic_name_bytes_max < 255);
static_assert(config_value_bytes_max + config_name_bytes_max < record_bytes_max);

}  // namespace millrace::metadata
