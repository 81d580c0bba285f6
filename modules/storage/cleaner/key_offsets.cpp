module;
#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <utility>

module millrace.storage.cleaner;

import millrace.base;

namespace millrace::storage {

namespace {

__extension__ using Wide = unsigned __int128;

// How full the table gets: above nine tenths the ways to a free slot become long.
constexpr std::uint64_t load_numerator = 9;
constexpr std::uint64_t load_denominator = 10;
// For so many slots and keys the products below stay within 64 bits.
constexpr std::uint64_t keys_countable_max = std::uint64_t{1} << 48;

}  // namespace

KeyOffsets::KeyOffsets(std::uint64_t seed, std::size_t bytes_max)
    : seed_(seed), bytes_max_(bytes_max) {}

void KeyOffsets::plan(std::uint64_t keys_max) {
  release();
  keys_max = std::clamp<std::uint64_t>(keys_max, 1, keys_countable_max);
  // One slot always stays free: looking for a key that is not there ends at it.
  const std::uint64_t wanted = keys_max * load_denominator / load_numerator + 2;
  const std::uint64_t affordable = std::max<std::uint64_t>(bytes_max_ / sizeof(Slot), 2);
  slot_count_ = static_cast<std::size_t>(std::min(wanted, affordable));
  capacity_ = std::max<std::uint64_t>(slot_count_ * load_numerator / load_denominator, 1);
  capacity_ = std::min(capacity_, keys_max);
}

bool KeyOffsets::take_part() {
  const std::size_t count = std::min(part_slots, slot_count_ - slots_taken_);
  if (count == 0) return false;
  parts_.emplace_back(static_cast<Slot*>(std::calloc(count, sizeof(Slot))));
  check(parts_.back() != nullptr, "there is memory for the cleaner's table");
  slots_taken_ += count;
  return slots_taken_ < slot_count_;
}

bool KeyOffsets::release_part() {
  size_ = 0;
  capacity_ = 0;
  slot_count_ = 0;
  slots_taken_ = 0;
  if (!parts_.empty()) parts_.pop_back();
  return !parts_.empty();
}

void KeyOffsets::start(std::uint64_t keys_max) {
  plan(keys_max);
  while (take_part()) {
  }
}

void KeyOffsets::release() {
  while (release_part()) {
  }
}

std::size_t KeyOffsets::memory_bytes() const {
  return slots_taken_ * sizeof(Slot);
}

KeyOffsets::Hash KeyOffsets::hash_of(ByteView key) const {
  const XXH128_hash_t hash = XXH3_128bits_withSeed(key.data(), key.size(), seed_);
  return {hash.low64, hash.high64};
}

std::size_t KeyOffsets::place_of(const Hash& hash) const {
  auto place = static_cast<std::size_t>((static_cast<Wide>(hash.high) * slot_count_) >> 64);
  for (;;) {
    const Slot& slot = slot_at(place);
    if (slot.end == 0 || (slot.hash_low == hash.low && slot.hash_high == hash.high)) return place;
    if (++place == slot_count_) place = 0;
  }
}

bool KeyOffsets::put(ByteView key, Offset offset) {
  check(offset.value() >= 0, "a record has an offset");
  if (slot_count_ == 0) return false;
  check(slots_taken_ == slot_count_, "a table is there before it is filled");
  const Hash hash = hash_of(key);
  Slot& slot = slot_at(place_of(hash));
  if (slot.end == 0) {
    if (size_ == capacity_) return false;
    ++size_;
    slot.hash_low = hash.low;
    slot.hash_high = hash.high;
  }
  check(slot.end <= offset.value(), "offsets rise from record to record");
  slot.end = offset.value() + 1;
  return true;
}

Offset KeyOffsets::find(ByteView key) const {
  if (size_ == 0) return no_offset;
  return Offset(slot_at(place_of(hash_of(key))).end - 1);
}

}  // namespace millrace::storage
