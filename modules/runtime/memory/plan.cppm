// How the memory for requests is split between budgets.
module;
#include <cstddef>

export module millrace.runtime.memory:plan;

import millrace.base;

export namespace millrace {

// What group, metadata and admin requests have for themselves: one part in so many. They are small,
// and a cluster whose producers have filled all memory must still be told what to do.
inline constexpr std::size_t control_part = 8;
// The largest frame of such a request. A longer one belongs to the data budget.
inline constexpr std::size_t control_frame_bytes_max = 4 * mebibyte;

struct MemorySplit {
  std::size_t limit_bytes = 0;
  std::size_t reserve_bytes = 0;  // in the limit

  friend bool operator==(const MemorySplit&, const MemorySplit&) = default;
};

struct MemoryPlan {
  MemorySplit data;     // frames of produce and fetch requests, and what waits to be answered
  MemorySplit control;  // group, metadata and admin requests

  friend bool operator==(const MemoryPlan&, const MemoryPlan&) = default;
};

// `frame_bytes_max` is socket.request.max.bytes: one such frame is kept aside in the data budget,
// and one of control_frame_bytes_max in the other. Fails when `total_bytes` leaves nothing besides
// them.
[[nodiscard]] Result<MemoryPlan> plan_memory(std::size_t total_bytes, std::size_t frame_bytes_max);

}  // namespace millrace
