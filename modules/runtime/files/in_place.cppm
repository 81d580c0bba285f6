// Which reads and writes a shard does itself. A copy from or into the page cache takes a few
// microseconds, less than handing it to another thread; but a shard must not wait for a disk.
module;
#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>

export module millrace.runtime.files:in_place;

import millrace.base;

export namespace millrace {

// The defaults are measured by bench/files_bench.cpp.
struct InPlaceLimits {
  bool reads = true;
  bool writes = true;
  // Larger operations are handed over: the cost of that does not matter for them. Writes earlier,
  // as they may sleep on a lock of the file while the kernel writes it back.
  std::size_t read_bytes_max = 512 * kibibyte;
  std::size_t write_bytes_max = 128 * kibibyte;
  // What all of them may take in one turn of the loop; the rest comes in the next turn. A turn may
  // be longer by one operation.
  Duration turn_max = std::chrono::milliseconds{1};
  // A write that slept so long was made to wait for the disk. All writes of the shard are then
  // handed over, until none was slow for a while: shortly after a single one, twice as long each
  // time that the next one comes within the longest period.
  Duration slow_write = std::chrono::milliseconds{5};
  Duration slow_period_min = std::chrono::milliseconds{8};
  Duration slow_period_max = std::chrono::milliseconds{250};
  // Early write-back of a file begins when it has so many new bytes, ...
  std::size_t write_back_bytes = 16 * mebibyte;
  // ... and when so many wait for it, the disk does not keep up and its writes are handed over.
  std::size_t write_back_bytes_max = 256 * mebibyte;
};

static_assert(InPlaceLimits{}.slow_period_min <= InPlaceLimits{}.slow_period_max);
static_assert(InPlaceLimits{}.write_bytes_max < InPlaceLimits{}.write_back_bytes);
static_assert(InPlaceLimits{}.write_back_bytes < InPlaceLimits{}.write_back_bytes_max);

}  // namespace millrace

export namespace millrace::files {

// Applies the limits that count for a whole shard. Owned by its file system.
class InPlaceRule {
 public:
  explicit InPlaceRule(const InPlaceLimits& limits) : limits_(limits) {}

  [[nodiscard]] inline bool admits_read(std::size_t bytes) const {
    return limits_.reads && bytes <= limits_.read_bytes_max;
  }
  [[nodiscard]] inline bool admits_write(std::size_t bytes, MonotonicTime now) const {
    return limits_.writes && bytes <= limits_.write_bytes_max && now >= slow_until_;
  }
  // Nothing more in place in this turn.
  [[nodiscard]] inline bool turn_is_over() const { return spent_ >= limits_.turn_max; }

  // An operation took so long in place.
  inline void spent(Duration taken) { spent_ += taken; }
  [[nodiscard]] inline bool is_slow_write(Duration taken) const {
    return taken >= limits_.slow_write;
  }
  // A write, in place or elsewhere, had to wait so long.
  inline void write_waited(Duration waited, MonotonicTime now) {
    if (!is_slow_write(waited)) return;
    ++slow_writes_;
    if (now >= slow_until_) {
      const bool soon = slow_writes_ > 1 && now - slow_until_ < limits_.slow_period_max;
      slow_period_ =
          soon ? std::min(2 * slow_period_, limits_.slow_period_max) : limits_.slow_period_min;
    }
    slow_until_ = now + slow_period_;
  }
  void begin_turn() { spent_ = Duration::zero(); }

  [[nodiscard]] std::uint64_t slow_writes() const { return slow_writes_; }

 private:
  InPlaceLimits limits_;
  Duration spent_{};
  MonotonicTime slow_until_{};
  Duration slow_period_{};
  std::uint64_t slow_writes_ = 0;
};

}  // namespace millrace::files
