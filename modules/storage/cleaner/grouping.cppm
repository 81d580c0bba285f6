// Which segments are cleaned into one.
module;
#include <cstdint>
#include <limits>

export module millrace.storage.cleaner:grouping;

import millrace.base;

export namespace millrace::storage {

// A segment, or what has become of several: its size and its range of offsets.
struct SegmentExtent {
  Offset base;
  Offset end;
  std::uint64_t log_bytes = 0;
  std::uint64_t offset_index_bytes = 0;
  std::uint64_t time_index_bytes = 0;
};

struct GroupLimits {
  std::uint64_t log_bytes_max = 0;    // segment.bytes
  std::uint64_t index_bytes_max = 0;  // segment.index.bytes
};

// Whether a segment, even if nothing of it goes away, still fits behind what was cleaned before,
// and its offsets can be counted from the base of that.
[[nodiscard]] inline bool can_join(const SegmentExtent& cleaned, const SegmentExtent& next,
                                   const GroupLimits& limits) {
  return cleaned.log_bytes + next.log_bytes <= limits.log_bytes_max &&
         cleaned.offset_index_bytes + next.offset_index_bytes <= limits.index_bytes_max &&
         cleaned.time_index_bytes + next.time_index_bytes <= limits.index_bytes_max &&
         next.end.since(cleaned.base) <= std::numeric_limits<std::int32_t>::max();
}

}  // namespace millrace::storage
