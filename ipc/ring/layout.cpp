module;
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>

module millrace.ipc.ring;

import millrace.base;

namespace millrace::ipc {

Region& make_region(MutableBytes memory, std::uint64_t capacity, std::uint64_t generation) {
  check(is_ring_capacity(capacity), "a ring's capacity is a power of two within its limits");
  check(memory.size() >= region_bytes(capacity), "a ring fits its memory");
  check(reinterpret_cast<std::uintptr_t>(memory.data()) % cursor_line_bytes == 0,
        "a ring's memory is aligned");
  auto* region = ::new (memory.data()) Region{};
  region->header = {.magic = region_magic,
                    .version = region_version,
                    .data_offset = ring_data_offset,
                    .generation = generation,
                    .capacity = capacity};
  return *region;
}

Result<void> check_region(ByteView memory, std::uint64_t capacity, std::uint64_t generation) {
  if (!is_ring_capacity(capacity)) {
    return failure(ErrorKind::corrupt, formatted("a ring cannot hold {} bytes", capacity));
  }
  if (memory.size() < region_bytes(capacity)) {
    return failure(ErrorKind::corrupt,
                   formatted("a ring of {} bytes does not fit {}", capacity, memory.size()));
  }
  RegionHeader header{};
  std::memcpy(&header, memory.data(), sizeof header);
  if (header.magic != region_magic) {
    return failure(ErrorKind::corrupt, "shared memory does not begin as a ring does");
  }
  if (header.version != region_version || header.data_offset != ring_data_offset) {
    return failure(ErrorKind::unsupported,
                   formatted("a ring has version {}; {} is known", header.version, region_version));
  }
  if (header.generation != generation || header.capacity != capacity) {
    return failure(ErrorKind::corrupt, "shared memory is that of another ring");
  }
  return {};
}

}  // namespace millrace::ipc
