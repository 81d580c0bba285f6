// What lies where in the memory of one side: docs/formats/shared-memory-ring.md.
module;
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <type_traits>

export module millrace.ipc.ring:layout;

import millrace.base;
import :limits;

export namespace millrace::ipc {

// "MILLRING" as it lies in memory.
inline constexpr std::uint64_t region_magic = 0x474e'4952'4c4c'494d;
inline constexpr std::uint32_t region_version = 1;

// Written once, before the peer sees the memory.
struct RegionHeader {
  std::uint64_t magic;
  std::uint32_t version;
  std::uint32_t data_offset;
  // The same in both memories of one channel, and in no other of its time.
  std::uint64_t generation;
  std::uint64_t capacity;  // of the ring in it
};

struct alignas(cursor_line_bytes) CursorLine {
  std::atomic<std::uint64_t> value;
};

// The memory that one side writes and the other only reads. Each channel has two. Whatever a side
// says is in its own: the end of what it wrote, how far it has read, and that it sleeps.
struct Region {
  alignas(cursor_line_bytes) RegionHeader header;
  CursorLine tail;           // bytes ever written to the ring in this memory
  CursorLine head;           // bytes ever read from the ring in the peer's memory
  CursorLine reader_parked;  // odd: waits for bytes; each time it parks the number is another one
  CursorLine writer_parked;  // odd: waits for room
};

static_assert(std::atomic<std::uint64_t>::is_always_lock_free,
              "a lock of one process means nothing to another");
static_assert(std::is_standard_layout_v<Region> && std::is_trivially_destructible_v<Region>);
static_assert(sizeof(RegionHeader) == 32 && offsetof(RegionHeader, capacity) == 24);
static_assert(sizeof(CursorLine) == cursor_line_bytes);
static_assert(offsetof(Region, header) == 0);
static_assert(offsetof(Region, tail) == cursor_line_bytes);
static_assert(offsetof(Region, head) == 2 * cursor_line_bytes);
static_assert(offsetof(Region, reader_parked) == 3 * cursor_line_bytes);
static_assert(offsetof(Region, writer_parked) == 4 * cursor_line_bytes);
static_assert(sizeof(Region) == 5 * cursor_line_bytes);
static_assert(sizeof(Region) <= ring_data_offset);

[[nodiscard]] constexpr std::size_t region_bytes(std::size_t capacity) {
  return ring_data_offset + capacity;
}
[[nodiscard]] constexpr bool is_ring_capacity(std::uint64_t capacity) {
  return capacity >= ring_capacity_min && capacity <= ring_capacity_max &&
         (capacity & (capacity - 1)) == 0;
}

// Makes an empty ring in memory that is aligned to cursor_line_bytes and has region_bytes.
Region& make_region(MutableBytes memory, std::uint64_t capacity, std::uint64_t generation);

// Whether memory that somebody else made holds a ring of this capacity and generation that we can
// use. Says why not in a sentence.
[[nodiscard]] Result<void> check_region(ByteView memory, std::uint64_t capacity,
                                        std::uint64_t generation);

}  // namespace millrace::ipc
