// What one simulated file holds, twice: as programs see it now, and as it would be found if power
// went away and nothing unsynced had reached the disk.
module;
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <vector>

export module millrace.runtime:simulated_contents;

import millrace.base;
import :random;

namespace millrace::simulated {

// A disk writes a sector wholly or not at all; everything larger can be torn.
inline constexpr std::size_t sector_size = 512;
inline constexpr std::size_t page_size = 4096;
inline constexpr std::size_t sectors_per_page = page_size / sector_size;
// Beyond this, pages are found in a map; below, in an array.
inline constexpr std::uint64_t dense_pages_max = 1 << 16;
inline constexpr std::uint64_t file_size_max = std::uint64_t{1} << 44;
// How likely the system has written a sector back just before it changes again.
inline constexpr double write_back_chance = 0.25;

static_assert(sectors_per_page <= 8, "a page's sectors are the bits of a byte");

// What all files of a disk share: memory for pages, randomness, free space. One thread.
struct Storage {
  explicit Storage(std::uint64_t seed) : random(seed) {}

  [[nodiscard]] std::byte* take_page();
  void give_page(std::byte* page);

  Random random;
  std::uint64_t pages_used = 0;
  std::uint64_t pages_max = file_size_max / page_size;

 private:
  std::vector<std::unique_ptr<std::byte[]>> free_;
};

// How much of what was not synced survives a power cut.
enum class Survival : std::uint8_t { nothing, everything, some };

class Contents {
 public:
  explicit Contents(Storage& storage) : storage_(storage) {}
  Contents(const Contents&) = delete;
  Contents& operator=(const Contents&) = delete;
  ~Contents();

  [[nodiscard]] std::uint64_t size() const { return size_; }
  [[nodiscard]] std::uint64_t durable_size() const { return durable_size_; }
  // When it changed last. Not durable by itself: found again with a size that was kept.
  [[nodiscard]] Timestamp modified() const { return modified_; }
  void set_modified(Timestamp now) {
    modified_ = written_ = now;
    time_unsaved_ = false;
  }
  void set_made(Timestamp now) {
    set_modified(now);
    durable_modified_ = now;
  }
  // In the place of the time of the last change: less durable than that.
  void set_time(Timestamp time) {
    modified_ = time;
    time_unsaved_ = true;
  }
  // Whether anything now differs from what is durable.
  [[nodiscard]] bool changed() const { return size_ != durable_size_ || !changed_.empty(); }

  // Fewer than asked for only at the end of the file.
  std::size_t read(std::uint64_t position, MutableBytes into) const;
  void write(std::uint64_t position, ByteView bytes);
  void set_size(std::uint64_t size);
  void punch(std::uint64_t position, std::uint64_t length);

  // All that was written is durable afterwards, except what an earlier failed sync gave up.
  void sync();
  // A sync that fails: each dirty page reaches the disk, or is given up and still read, or is given
  // up and forgotten, so that reads show the old bytes.
  void fail_sync();
  // Power goes away: for each sector and for the size, the durable or the present one is kept.
  void lose(Random& random, Survival survival);

  // Corruption at rest. The bit is inside the file.
  void flip_bit(std::uint64_t bit);

  // How many of these bytes can be written with the space that is left.
  [[nodiscard]] std::size_t room(std::uint64_t position, std::size_t length) const;
  // Whether the pages count against the free space: not those of a removed and closed file.
  void set_counted(bool counted);

 private:
  struct Page {
    std::byte* now = nullptr;
    std::byte* durable = nullptr;
    // A bit for each sector. Those that are not held are zeros.
    std::uint8_t now_held = 0;
    std::uint8_t durable_held = 0;
    std::uint8_t differs = 0;  // where `durable` says what is durable; elsewhere `now` does
    std::uint8_t dirty = 0;    // those of `differs` that the next sync makes durable
  };

  [[nodiscard]] const Page* find(std::uint64_t index) const;
  [[nodiscard]] Page* find(std::uint64_t index) {
    return const_cast<Page*>(static_cast<const Contents&>(*this).find(index));
  }
  [[nodiscard]] Page& page_at(std::uint64_t index);
  [[nodiscard]] std::uint64_t next_page(std::uint64_t index) const;

  void begin_change(Page& page, std::uint64_t index, std::size_t sector);
  void keep_as_durable(Page& page, std::size_t sector);
  void restore_durable(Page& page, std::size_t sector);
  void hold(Page& page, std::size_t sector);
  void drop(Page& page, std::size_t sector);
  void settle(Page& page);
  void zero(std::uint64_t position, std::uint64_t length);
  void zero_in_page(Page& page, std::uint64_t index, std::size_t from, std::size_t to);
  void forget_beyond(std::uint64_t size);
  [[nodiscard]] std::uint64_t surviving_size(Random& random, Survival survival) const;

  Storage& storage_;
  std::uint64_t size_ = 0;
  std::uint64_t durable_size_ = 0;
  Timestamp modified_{0};
  Timestamp durable_modified_{0};
  Timestamp written_{0};       // what modified_ is if set_time() is forgotten
  bool time_unsaved_ = false;  // set_time() since the last sync that saved it
  std::vector<Page> dense_;
  std::map<std::uint64_t, Page> sparse_;
  std::vector<std::uint64_t> changed_;  // the pages with sectors that differ, in order of change
  std::uint64_t pages_held_ = 0;
  bool counted_ = true;
};

}  // namespace millrace::simulated
