// How much clients may still write into a log directory.
module;
#include <algorithm>
#include <cstdint>
#include <string_view>

export module millrace.storage.manager:space;

import millrace.base;

export namespace millrace::storage {

// What a shard may write before it asks again how much is free: others write to the disk too.
inline constexpr std::uint64_t space_grant_bytes_max = 64 * mebibyte;
// Less is not worth asking for again and again.
inline constexpr std::uint64_t space_grant_bytes_min = 16 * kibibyte;

// Topics of the cluster itself, without which it cannot go on.
[[nodiscard]] inline bool is_internal_topic(std::string_view topic) {
  return topic == "__consumer_offsets" || topic == "__transaction_state" ||
         topic == "__share_group_state";
}

// A part of what is free above the reserve, for the appends of one shard to one directory. Closed
// until it is told for the first time. A member of the directory's keeper, on the shard's thread.
class SpaceGate {
 public:
  SpaceGate(std::uint64_t reserve_bytes, std::uint32_t shard_count)
      : reserve_bytes_(reserve_bytes), shard_count_(shard_count) {}

  // Whether so much may be written; it then counts as written.
  [[nodiscard]] inline bool admit(std::uint64_t bytes) {
    if (bytes > left_) return false;
    left_ -= bytes;
    return true;
  }

  // How much an ordinary user may write to the disk, as it was just found.
  void found(std::uint64_t free_bytes) {
    free_bytes_ = free_bytes;
    const std::uint64_t above = free_bytes - std::min(free_bytes, reserve_bytes_);
    granted_ = std::min(above / shard_count_, space_grant_bytes_max);
    if (granted_ < space_grant_bytes_min) granted_ = 0;
    left_ = granted_;
  }

  // Half of what was granted is written: there may be more.
  [[nodiscard]] inline bool should_ask() const { return left_ < granted_ / 2; }
  // Nothing fits until more is free.
  [[nodiscard]] bool closed() const { return granted_ == 0; }
  [[nodiscard]] std::uint64_t free_bytes() const { return free_bytes_; }
  [[nodiscard]] std::uint64_t reserve_bytes() const { return reserve_bytes_; }

 private:
  std::uint64_t reserve_bytes_;
  std::uint32_t shard_count_;
  std::uint64_t free_bytes_ = 0;
  std::uint64_t granted_ = 0;
  std::uint64_t left_ = 0;
};

}  // namespace millrace::storage
