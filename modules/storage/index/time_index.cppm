// The time index of a segment: from a timestamp to an offset. The format is described in
// docs/formats/segment-indexes.md.
module;
#include <cstddef>
#include <cstdint>

export module millrace.storage.index:time_index;

import millrace.base;
import :growing_index;

export namespace millrace::storage {

inline constexpr std::size_t time_index_entry_bytes = 12;

// No record before the end of the batch that holds `offset` is younger than `timestamp`.
struct TimestampOffset {
  Timestamp timestamp = no_timestamp;
  Offset offset;

  friend bool operator==(const TimestampOffset&, const TimestampOffset&) = default;
};

// The index bytes of one segment, in memory or mapped. Only whole entries are looked at.
class TimeIndexView {
 public:
  TimeIndexView(ByteView bytes, Offset base) : bytes_(bytes), base_(base) {}

  [[nodiscard]] std::size_t entries() const { return bytes_.size() / time_index_entry_bytes; }
  [[nodiscard]] TimestampOffset entry(std::size_t index) const;
  // The last entry; without entries, no timestamp at the base offset.
  [[nodiscard]] TimestampOffset last() const;

  // The last entry whose timestamp is at or below: no record before its offset has a later
  // timestamp. Without such an entry, no timestamp at the base offset.
  [[nodiscard]] TimestampOffset floor_of(Timestamp timestamp) const;

  // Whether the file can be what a segment that ends before `end` wrote: whole entries, timestamps
  // that ascend, offsets that do not go back.
  [[nodiscard]] Result<void> check_against(Offset end) const;

  // How many entries are at or below the offset: what a cut leaves.
  [[nodiscard]] std::size_t entries_up_to(Offset offset) const;
  // How many entries have this timestamp or an earlier one.
  [[nodiscard]] std::size_t entries_up_to_time(Timestamp timestamp) const;

 private:
  ByteView bytes_;
  Offset base_;
};

// Adds an entry, unless its timestamp is not later than the last one's: then there is nothing to
// add. False if the offset lies too far from the base.
[[nodiscard]] bool add_time_entry(GrowingIndex& index, Offset base, TimestampOffset entry);

}  // namespace millrace::storage
