module;
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>

module millrace.storage.index;

import millrace.base;
import :search;

namespace millrace::storage {

TimestampOffset TimeIndexView::entry(std::size_t index) const {
  const std::byte* at = bytes_.data() + index * time_index_entry_bytes;
  return {Timestamp(load_big_endian<std::int64_t>(at)),
          base_.plus(load_big_endian<std::int32_t>(at + 8))};
}

TimestampOffset TimeIndexView::last() const {
  return entries() == 0 ? TimestampOffset{no_timestamp, base_} : entry(entries() - 1);
}

TimestampOffset TimeIndexView::floor_of(Timestamp timestamp) const {
  const std::size_t count = entries_up_to_time(timestamp);
  return count == 0 ? TimestampOffset{no_timestamp, base_} : entry(count - 1);
}

std::size_t TimeIndexView::entries_up_to_time(Timestamp timestamp) const {
  return first_part(entries(), [&](std::size_t i) { return entry(i).timestamp <= timestamp; });
}

std::size_t TimeIndexView::entries_up_to(Offset offset) const {
  return first_part(entries(), [&](std::size_t i) { return entry(i).offset <= offset; });
}

Result<void> TimeIndexView::check_against(Offset end) const {
  if (bytes_.size() % time_index_entry_bytes != 0) {
    return failure(ErrorKind::corrupt, "the time index has " + std::to_string(bytes_.size()) +
                                           " bytes, which is no number of entries");
  }
  for (std::size_t i = 0; i < entries(); ++i) {
    const TimestampOffset here = entry(i);
    const bool ascends =
        i == 0 || (here.timestamp > entry(i - 1).timestamp && here.offset > entry(i - 1).offset);
    if (!ascends || here.offset < base_ || here.offset >= end) {
      return failure(ErrorKind::corrupt, "entry " + std::to_string(i) +
                                             " of the time index cannot be: timestamp " +
                                             std::to_string(here.timestamp.value()) +
                                             " at offset " + std::to_string(here.offset.value()));
    }
  }
  return {};
}

bool add_time_entry(GrowingIndex& index, Offset base, TimestampOffset entry) {
  const std::int64_t relative = entry.offset.since(base);
  if (relative < 0 || relative > std::numeric_limits<std::int32_t>::max()) return false;
  if (entry.timestamp <= TimeIndexView(index.bytes(), base).last().timestamp) return true;
  std::byte* at = index.add();
  store_big_endian(at, entry.timestamp.value());
  store_big_endian(at + 8, static_cast<std::int32_t>(relative));
  return true;
}

}  // namespace millrace::storage
