// Which offset is the last one of each key, in a bounded piece of memory.
module;
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <utility>
#include <vector>

export module millrace.storage.cleaner:key_offsets;

import millrace.base;

export namespace millrace::storage {

// What the tables of all cleaners may take: log.cleaner.dedupe.buffer.size.
inline constexpr std::size_t dedupe_buffer_bytes_default = 128 * mebibyte;
// The least that it may be set to.
inline constexpr std::size_t dedupe_buffer_bytes_min = mebibyte;
static_assert(dedupe_buffer_bytes_min <= dedupe_buffer_bytes_default);

// Holds a hash of 128 bits and an offset for each key, 24 bytes whatever the key's length. Two keys
// with one hash would be taken for one; docs/decisions/0010-keys-by-hash.md says why that does not
// happen. Taking and giving back all the memory at once would hold others up: a pass does it part
// by part. Belongs to one pass of a cleaner, on its shard. Without memory the process stops.
class KeyOffsets {
 public:
  // `seed` makes the hashes of this table unlike those of others.
  explicit KeyOffsets(std::uint64_t seed, std::size_t bytes_max = dedupe_buffer_bytes_default);

  // Begins an empty table for at most so many keys; for fewer where the memory does not suffice.
  // Nothing may be noted before take_part() has said that all is there.
  void plan(std::uint64_t keys_max);
  // Takes a part of the memory; true if there is more to take.
  [[nodiscard]] bool take_part();
  // Gives a part of it back, with all that was noted; true if there is more.
  [[nodiscard]] bool release_part();
  // The same at once.
  void start(std::uint64_t keys_max);
  void release();

  // Notes that the key has a record at the offset, which is above all that were noted before. False
  // if there is no room for another key; nothing has changed then.
  [[nodiscard]] bool put(ByteView key, Offset offset);
  // The last offset that was noted; no_offset for a key that is not there.
  [[nodiscard]] Offset find(ByteView key) const;

  [[nodiscard]] std::uint64_t size() const { return size_; }
  // How many keys there is room for.
  [[nodiscard]] std::uint64_t capacity() const { return capacity_; }
  [[nodiscard]] std::size_t memory_bytes() const;

 private:
  // Free where the end is 0, as memory from the system is.
  struct Slot {
    std::uint64_t hash_low;
    std::uint64_t hash_high;
    std::int64_t end;  // the offset after the record
  };
  static_assert(sizeof(Slot) == 24);
  struct Free {
    void operator()(Slot* slots) const { std::free(slots); }
  };
  struct Hash {
    std::uint64_t low;
    std::uint64_t high;
  };

  static constexpr std::size_t part_slots = std::size_t{1} << 17;

  [[nodiscard]] inline Slot& slot_at(std::size_t place) const {
    return parts_[place / part_slots][place % part_slots];
  }
  [[nodiscard]] Hash hash_of(ByteView key) const;
  // Where the hash is, or the free slot where it belongs.
  [[nodiscard]] std::size_t place_of(const Hash& hash) const;

  std::uint64_t seed_;
  std::size_t bytes_max_;
  std::vector<std::unique_ptr<Slot[], Free>> parts_;
  std::size_t slots_taken_ = 0;
  std::size_t slot_count_ = 0;
  std::uint64_t capacity_ = 0;
  std::uint64_t size_ = 0;
};

}  // namespace millrace::storage
