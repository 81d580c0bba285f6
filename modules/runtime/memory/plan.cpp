module;
#include <algorithm>
#include <cstddef>

module millrace.runtime.memory;

import millrace.base;

namespace millrace {

Result<MemoryPlan> plan_memory(std::size_t total_bytes, std::size_t frame_bytes_max) {
  MemoryPlan plan;
  plan.control.reserve_bytes = std::min(control_frame_bytes_max, frame_bytes_max);
  plan.control.limit_bytes = total_bytes / control_part;
  plan.data.reserve_bytes = frame_bytes_max;
  plan.data.limit_bytes = total_bytes - plan.control.limit_bytes;
  // As much again as is kept aside, so that it is the way out and not the only way.
  const bool has_room = plan.control.limit_bytes >= 2 * plan.control.reserve_bytes &&
                        plan.data.limit_bytes >= 2 * plan.data.reserve_bytes;
  if (!has_room) {
    const std::size_t data_part =
        (2 * plan.data.reserve_bytes + control_part - 2) / (control_part - 1);
    const std::size_t least = control_part * std::max(data_part, 2 * plan.control.reserve_bytes);
    return failure(ErrorKind::limit_exceeded,
                   formatted("{} bytes of memory for requests are too few for frames of {} bytes; "
                             "{} bytes are enough",
                             total_bytes, frame_bytes_max, least));
  }
  return plan;
}

}  // namespace millrace
