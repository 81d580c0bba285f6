// How large a ring may be.
module;
#include <cstddef>

export module millrace.ipc.ring:limits;

import millrace.base;

export namespace millrace::ipc {

// Capacities are powers of two between these.
inline constexpr std::size_t ring_capacity_min = 64;
inline constexpr std::size_t ring_capacity_max = 64 * mebibyte;
// Two cache lines: processors fetch them in pairs, and what one side writes must not slow the other
// down.
inline constexpr std::size_t cursor_line_bytes = 128;
// Where the bytes of a ring begin in its memory: a page is left to what comes before them.
inline constexpr std::size_t ring_data_offset = 4096;

static_assert((ring_capacity_min & (ring_capacity_min - 1)) == 0);
static_assert((ring_capacity_max & (ring_capacity_max - 1)) == 0);

}  // namespace millrace::ipc
