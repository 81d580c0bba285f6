// Where batches begin that are asked for again soon.
module;
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

export module millrace.storage.log:position_cache;

import millrace.base;

export namespace millrace::storage {

// Offsets at which a batch begins, with the segment and the position in its file: where readers
// stopped, who come back for what follows, and high watermarks. A hint for finding a batch without
// looking through headers; part of its log.
class PositionCache {
 public:
  struct Place {
    Offset segment_base;
    std::uint64_t position = 0;
  };

  [[nodiscard]] std::optional<Place> find(Offset offset) const {
    for (const Entry& entry : entries_) {
      if (entry.offset == offset) return entry.place;
    }
    return std::nullopt;
  }
  void add(Offset offset, Place place) {
    for (Entry& entry : entries_) {
      if (entry.offset == offset) {
        entry.place = place;
        return;
      }
    }
    entries_[next_] = {offset, place};
    next_ = (next_ + 1) % entries_.size();
  }
  // When anything but the end of the log changes.
  void clear() { entries_.fill({}); }

 private:
  struct Entry {
    Offset offset = no_offset;
    Place place{};
  };
  std::array<Entry, 8> entries_{};
  std::size_t next_ = 0;
};

}  // namespace millrace::storage
