// The words of group coordination.
module;
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

export module millrace.groups:types;

import millrace.base;
import millrace.protocol.api;

export namespace millrace::groups {

using protocol::ErrorCode;
using Milliseconds = std::chrono::milliseconds;
using OwnedBytes = std::vector<std::byte>;

// The number of an append to the state partition, counted from 1; 0 is before the first.
using Ticket = Strong<struct TicketTag, std::uint64_t>;
// By which the owner finds the client again. Not used twice while its answer is open.
using RequestId = Strong<struct RequestIdTag, std::uint64_t>;
// Counts the rebalances of a group.
using Generation = Strong<struct GenerationTag, std::int32_t>;
inline constexpr Generation no_generation{-1};

// What time it is, by both clocks: timeouts go by the first, what is stored by the second.
struct Now {
  MonotonicTime monotonic;
  Timestamp wall;
};

enum class GroupState : std::uint8_t {
  empty,                 // no members; may have offsets
  preparing_rebalance,   // members are to join
  completing_rebalance,  // all have joined, the leader is to assign
  stable,                // all may have their assignment
  dead,                  // there is no such group
};
// As Kafka's clients know it: PreparingRebalance.
[[nodiscard]] std::string_view name_of(GroupState state);

// A way to assign partitions that a member knows, and what it says to the leader about itself.
struct Protocol {
  std::string name;
  OwnedBytes metadata;

  friend bool operator==(const Protocol&, const Protocol&) = default;
};

// The id of a new member: `prefix`, and an id as Java writes them, from sixteen random bytes.
[[nodiscard]] std::string member_id_of(std::string_view prefix, const Uuid& random);

// The length of UTF-8 text as Java counts it, in units of UTF-16.
[[nodiscard]] std::size_t java_length(std::string_view text);

// That much later; at the ends of time where that is no date any more, and never before 1970.
[[nodiscard]] Timestamp later(Timestamp from, Milliseconds by);

}  // namespace millrace::groups
