// The offset index of a segment: from an offset to a position in the log file. The format is
// described in docs/formats/segment-indexes.md.
module;
#include <cstddef>
#include <cstdint>
#include <optional>

export module millrace.storage.index:offset_index;

import millrace.base;
import :growing_index;

export namespace millrace::storage {

inline constexpr std::size_t offset_index_entry_bytes = 8;

// Where a batch begins in the log file, and its last offset.
struct OffsetPosition {
  Offset offset;
  std::uint32_t position = 0;

  friend bool operator==(const OffsetPosition&, const OffsetPosition&) = default;
};

// The index bytes of one segment, wherever they lie: in memory, or mapped from the file. Entries
// count from the segment's base offset. Only whole entries are looked at.
class OffsetIndexView {
 public:
  OffsetIndexView(ByteView bytes, Offset base) : bytes_(bytes), base_(base) {}

  [[nodiscard]] std::size_t entries() const { return bytes_.size() / offset_index_entry_bytes; }
  [[nodiscard]] OffsetPosition entry(std::size_t index) const;

  // The last entry at or below the offset: reading from its position on finds the batch that holds
  // the offset. Before the first entry that is the beginning of the segment.
  [[nodiscard]] OffsetPosition floor_of(Offset offset) const;
  // The last entry at or below a position, likewise.
  [[nodiscard]] OffsetPosition floor_of_position(std::uint32_t position) const;

  // Whether the file can be what a segment of this size wrote: whole entries, offsets and positions
  // that ascend, positions within the log. Anything else is rebuilt.
  [[nodiscard]] Result<void> check_against(std::uint64_t log_bytes) const;

  // How many entries are at or below the offset, or begin below the position: what a cut leaves.
  [[nodiscard]] std::size_t entries_up_to(Offset offset) const;
  [[nodiscard]] std::size_t entries_below_position(std::uint64_t position) const;

 private:
  ByteView bytes_;
  Offset base_;
};

// Adds an entry; false if the offset lies too far from the base to be counted. Offsets and
// positions ascend.
[[nodiscard]] bool add_offset_entry(GrowingIndex& index, Offset base, OffsetPosition entry);

}  // namespace millrace::storage
