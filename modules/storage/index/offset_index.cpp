module;
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>

module millrace.storage.index;

import millrace.base;
import :search;

namespace millrace::storage {

OffsetPosition OffsetIndexView::entry(std::size_t index) const {
  const std::byte* at = bytes_.data() + index * offset_index_entry_bytes;
  return {base_.plus(load_big_endian<std::int32_t>(at)), load_big_endian<std::uint32_t>(at + 4)};
}

std::size_t OffsetIndexView::entries_up_to(Offset offset) const {
  return first_part(entries(), [&](std::size_t i) { return entry(i).offset <= offset; });
}

std::size_t OffsetIndexView::entries_below_position(std::uint64_t position) const {
  return first_part(entries(), [&](std::size_t i) { return entry(i).position < position; });
}

OffsetPosition OffsetIndexView::floor_of(Offset offset) const {
  const std::size_t count = entries_up_to(offset);
  return count == 0 ? OffsetPosition{base_, 0} : entry(count - 1);
}

OffsetPosition OffsetIndexView::floor_of_position(std::uint32_t position) const {
  const std::size_t count = entries_below_position(std::uint64_t{position} + 1);
  return count == 0 ? OffsetPosition{base_, 0} : entry(count - 1);
}

Result<void> OffsetIndexView::check_against(std::uint64_t log_bytes) const {
  if (bytes_.size() % offset_index_entry_bytes != 0) {
    return failure(ErrorKind::corrupt, "the offset index has " + std::to_string(bytes_.size()) +
                                           " bytes, which is no number of entries");
  }
  for (std::size_t i = 0; i < entries(); ++i) {
    const OffsetPosition here = entry(i);
    const bool ascends =
        i == 0 || (here.offset > entry(i - 1).offset && here.position > entry(i - 1).position);
    // No entry points to the first batch; zeros, which a crash may leave, look as if one did.
    if (!ascends || here.offset < base_ || here.position == 0 || here.position >= log_bytes) {
      return failure(ErrorKind::corrupt,
                     "entry " + std::to_string(i) + " of the offset index cannot be: offset " +
                         std::to_string(here.offset.value()) + " at position " +
                         std::to_string(here.position) + " of " + std::to_string(log_bytes));
    }
  }
  return {};
}

bool add_offset_entry(GrowingIndex& index, Offset base, OffsetPosition entry) {
  const std::int64_t relative = entry.offset.since(base);
  if (relative < 0 || relative > std::numeric_limits<std::int32_t>::max()) return false;
  std::byte* at = index.add();
  store_big_endian(at, static_cast<std::int32_t>(relative));
  store_big_endian(at + 4, entry.position);
  return true;
}

}  // namespace millrace::storage
