// Versions and sizes that broker and coordinator agree on.
module;
#include <chrono>
#include <cstddef>
#include <cstdint>

export module millrace.ipc.coordination:limits;

import millrace.base;

export namespace millrace::coordination {

// Goes up with a change that the other side must know of. Fields that may be left out need none.
inline constexpr std::uint16_t protocol_version = 1;

// The largest message that either side takes.
inline constexpr std::size_t message_bytes_max = 48 * mebibyte;
// The body of a client's request, and that of its answer.
inline constexpr std::size_t body_bytes_max = 32 * mebibyte;
// Batches of one read: more only where the first batch is larger.
inline constexpr std::size_t read_bytes = mebibyte;
// Batches that are appended, and the largest that is read.
inline constexpr std::size_t batch_bytes_max = 32 * mebibyte;
// Appends of one partition that are not answered yet. What passes it has failed, and all after it.
inline constexpr std::size_t appends_under_way_max = 4'096;
// Topics that a request is said to name.
inline constexpr std::size_t known_topics_max = 100'000;
inline constexpr std::size_t string_bytes_max = 64 * kibibyte;
// Groups that one request is carried out for, and partitions that a fetch of one group may name. A
// coordinator that is busy with one request for a second is down.
inline constexpr std::size_t groups_asked_max = 50'000;
inline constexpr std::size_t partitions_fetched_max = 1'000'000;

// Messages of one side that are not sent yet.
inline constexpr std::size_t queued_bytes_max = 64 * mebibyte;

// How often a broker asks whether its coordinator lives, and after how long without a word either
// side counts the other as down.
inline constexpr Duration ping_interval = std::chrono::milliseconds{250};
inline constexpr Duration silence_max = std::chrono::seconds{1};

// What is around a body fits into a message.
static_assert(body_bytes_max + 8 * mebibyte <= message_bytes_max);
static_assert(batch_bytes_max + mebibyte <= message_bytes_max);
static_assert(read_bytes <= batch_bytes_max);
static_assert(4 * ping_interval <= silence_max);

}  // namespace millrace::coordination
