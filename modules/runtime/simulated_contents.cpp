module;
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

module millrace.runtime;

namespace millrace::simulated {
namespace {

[[nodiscard]] std::uint8_t bit_of(std::size_t sector) {
  return static_cast<std::uint8_t>(1U << sector);
}

void set(std::uint8_t& mask, std::size_t sector) {
  mask = static_cast<std::uint8_t>(mask | bit_of(sector));
}

void clear(std::uint8_t& mask, std::size_t sector) {
  mask = static_cast<std::uint8_t>(mask & ~bit_of(sector));
}

[[nodiscard]] bool has(std::uint8_t mask, std::size_t sector) {
  return (mask & bit_of(sector)) != 0;
}

// Which of the dirty sectors of one file reach the disk when power goes away.
class SectorChoice {
 public:
  SectorChoice(Random& random, Survival survival) : random_(random) {
    if (survival == Survival::nothing) return;
    probability_ = 1;
    if (survival == Survival::everything) return;
    switch (random.below(4)) {
      case 0:
        probability_ = 0;
        break;
      case 1:
        break;
      case 2:
        in_order_ = true;
        probability_ = random.fraction();
        break;
      default:
        probability_ = random.fraction();
    }
  }

  [[nodiscard]] bool keeps_next() {
    const bool keeps = !stopped_ && random_.chance(probability_);
    stopped_ = in_order_ && !keeps;
    return keeps;
  }

 private:
  Random& random_;
  double probability_ = 0;
  bool in_order_ = false;  // the first that is lost ends it
  bool stopped_ = false;
};

}  // namespace

std::byte* Storage::take_page() {
  if (free_.empty()) return new std::byte[page_size];
  std::byte* page = free_.back().release();
  free_.pop_back();
  return page;
}

void Storage::give_page(std::byte* page) {
  if (page != nullptr) free_.emplace_back(page);
}

Contents::~Contents() {
  set_counted(false);
  forget_beyond(0);
}

const Contents::Page* Contents::find(std::uint64_t index) const {
  if (index < dense_pages_max) return index < dense_.size() ? &dense_[index] : nullptr;
  const auto found = sparse_.find(index);
  return found == sparse_.end() ? nullptr : &found->second;
}

Contents::Page& Contents::page_at(std::uint64_t index) {
  if (index >= dense_pages_max) return sparse_[index];
  if (index >= dense_.size()) dense_.resize(index + 1);
  return dense_[index];
}

// The first page at or after `index` that has ever been written; file_size_max if there is none.
std::uint64_t Contents::next_page(std::uint64_t index) const {
  if (index < dense_.size()) return index;
  const auto found = sparse_.lower_bound(index);
  return found == sparse_.end() ? file_size_max : found->first;
}

void Contents::hold(Page& page, std::size_t sector) {
  if (page.now_held == 0) {
    ++pages_held_;
    if (counted_) ++storage_.pages_used;
  }
  if (page.now == nullptr) page.now = storage_.take_page();
  set(page.now_held, sector);
}

void Contents::drop(Page& page, std::size_t sector) {
  if (!has(page.now_held, sector)) return;
  clear(page.now_held, sector);
  if (page.now_held != 0) return;
  storage_.give_page(std::exchange(page.now, nullptr));
  --pages_held_;
  if (counted_) --storage_.pages_used;
}

void Contents::keep_as_durable(Page& page, std::size_t sector) {
  if (!has(page.now_held, sector)) {
    clear(page.durable_held, sector);
    return;
  }
  if (page.durable == nullptr) page.durable = storage_.take_page();
  std::memcpy(page.durable + sector * sector_size, page.now + sector * sector_size, sector_size);
  set(page.durable_held, sector);
}

void Contents::restore_durable(Page& page, std::size_t sector) {
  if (!has(page.durable_held, sector)) {
    drop(page, sector);
    return;
  }
  hold(page, sector);
  std::memcpy(page.now + sector * sector_size, page.durable + sector * sector_size, sector_size);
}

// The sector is about to change: sees to it that its durable bytes are known.
void Contents::begin_change(Page& page, std::uint64_t index, std::size_t sector) {
  if (!has(page.differs, sector)) {
    keep_as_durable(page, sector);
    if (page.differs == 0) changed_.push_back(index);
    set(page.differs, sector);
  } else if (has(page.dirty, sector) && storage_.random.chance(write_back_chance)) {
    keep_as_durable(page, sector);
  }
  set(page.dirty, sector);
}

// Sectors of the page may have become equal to what is durable: frees what is no longer needed.
void Contents::settle(Page& page) {
  page.durable_held = static_cast<std::uint8_t>(page.durable_held & page.differs);
  if (page.durable_held == 0) storage_.give_page(std::exchange(page.durable, nullptr));
}

std::size_t Contents::read(std::uint64_t position, MutableBytes into) const {
  if (position >= size_) return 0;
  const std::size_t count = std::min<std::uint64_t>(into.size(), size_ - position);
  for (std::size_t done = 0; done < count;) {
    const std::uint64_t at = position + done;
    const std::size_t in_page = at % page_size;
    const std::size_t sector = in_page / sector_size;
    const Page* page = find(at / page_size);
    // Whole pages at once where that is possible.
    const bool whole = page != nullptr && page->now_held == 0xFF;
    const std::size_t end = whole ? page_size : (sector + 1) * sector_size;
    const std::size_t length = std::min(count - done, end - in_page);
    if (page != nullptr && has(page->now_held, sector)) {
      std::memcpy(into.data() + done, page->now + in_page, length);
    } else {
      std::memset(into.data() + done, 0, length);
    }
    done += length;
  }
  return count;
}

void Contents::write(std::uint64_t position, ByteView bytes) {
  for (std::size_t done = 0; done < bytes.size();) {
    const std::uint64_t at = position + done;
    const std::uint64_t index = at / page_size;
    const std::size_t from = at % page_size;
    const std::size_t length = std::min(bytes.size() - done, page_size - from);
    Page& page = page_at(index);
    for (std::size_t s = from / sector_size; s * sector_size < from + length; ++s) {
      begin_change(page, index, s);
      if (has(page.now_held, s)) continue;
      hold(page, s);
      const bool whole = s * sector_size >= from && (s + 1) * sector_size <= from + length;
      if (!whole) std::memset(page.now + s * sector_size, 0, sector_size);
    }
    std::memcpy(page.now + from, bytes.data() + done, length);
    done += length;
  }
  const std::uint64_t end = position + bytes.size();
  if (!bytes.empty() && end > size_) {
    if (size_ != durable_size_ && storage_.random.chance(write_back_chance)) durable_size_ = size_;
    size_ = end;
  }
}

void Contents::zero_in_page(Page& page, std::uint64_t index, std::size_t from, std::size_t to) {
  for (std::size_t s = from / sector_size; s * sector_size < to; ++s) {
    if (!has(page.now_held, s)) continue;
    begin_change(page, index, s);
    const std::size_t begin = std::max(from, s * sector_size);
    const std::size_t end = std::min(to, (s + 1) * sector_size);
    if (end - begin == sector_size) {
      drop(page, s);
    } else {
      std::memset(page.now + begin, 0, end - begin);
    }
  }
}

void Contents::zero(std::uint64_t position, std::uint64_t length) {
  const std::uint64_t end = position + length;
  for (std::uint64_t i = next_page(position / page_size); i * page_size < end;
       i = next_page(i + 1)) {
    const std::uint64_t begin = i * page_size;
    const std::size_t from = position > begin ? position - begin : 0;
    const std::size_t to = std::min<std::uint64_t>(end - begin, page_size);
    zero_in_page(*find(i), i, from, to);
  }
}

void Contents::set_size(std::uint64_t size) {
  if (size == size_) return;
  const std::uint64_t old = size_;
  // To the end of the last page: what follows the end is zeros already, and the page is then free.
  if (size < old) zero(size, (old / page_size + 1) * page_size - size);
  if (old != durable_size_ && storage_.random.chance(write_back_chance)) durable_size_ = old;
  size_ = size;
}

void Contents::punch(std::uint64_t position, std::uint64_t length) {
  if (position >= size_) return;
  length = std::min(length, size_ - position);
  zero(position, length);
}

void Contents::sync() {
  std::size_t kept = 0;
  for (const std::uint64_t index : changed_) {
    Page& page = *find(index);
    page.differs = static_cast<std::uint8_t>(page.differs & ~page.dirty);
    page.dirty = 0;
    settle(page);
    if (page.differs != 0) changed_[kept++] = index;
  }
  changed_.resize(kept);
  // A sync of data need not save what only the time of the file says.
  const bool saves_time = !time_unsaved_ || size_ != durable_size_ || storage_.random.chance(0.5);
  if (saves_time) {
    written_ = modified_;
    time_unsaved_ = false;
  }
  durable_modified_ = written_;
  durable_size_ = size_;
}

void Contents::fail_sync() {
  enum class Fate : std::uint8_t { written, given_up, forgotten };
  // What is read again from the disk may reach past the end.
  const auto clear_beyond_end = [this](Page& page, std::uint64_t index) {
    const std::uint64_t begin = index * page_size;
    const std::size_t from = size_ <= begin ? 0 : std::min<std::uint64_t>(size_ - begin, page_size);
    for (std::size_t s = from / sector_size; s < sectors_per_page; ++s) {
      if (!has(page.now_held, s)) continue;
      const std::size_t at = std::max(from, s * sector_size);
      std::memset(page.now + at, 0, (s + 1) * sector_size - at);
    }
  };
  std::size_t kept = 0;
  for (const std::uint64_t index : changed_) {
    Page& page = *find(index);
    const Fate fate = static_cast<Fate>(storage_.random.below(3));
    for (std::size_t s = 0; s < sectors_per_page; ++s) {
      if (!has(page.dirty, s)) continue;
      if (fate == Fate::forgotten) restore_durable(page, s);
      if (fate != Fate::given_up) clear(page.differs, s);
    }
    page.dirty = 0;
    clear_beyond_end(page, index);
    settle(page);
    if (page.differs != 0) changed_[kept++] = index;
  }
  changed_.resize(kept);
  if (storage_.random.chance(0.5)) durable_size_ = size_;
}

std::uint64_t Contents::surviving_size(Random& random, Survival survival) const {
  if (survival == Survival::nothing) return durable_size_;
  if (survival == Survival::everything) return size_;
  switch (random.below(4)) {
    case 0:
      return durable_size_;
    case 1:
      return size_;
    default:
      break;
  }
  // A file that grew may have been found at any size on its way; one that shrank was found before
  // or after it.
  if (size_ <= durable_size_) return random.chance(0.5) ? size_ : durable_size_;
  std::uint64_t size = durable_size_ + random.below(size_ - durable_size_ + 1);
  if (random.chance(0.5)) size = std::max(size / sector_size * sector_size, durable_size_);
  return size;
}

void Contents::lose(Random& random, Survival survival) {
  if (!changed() && !time_unsaved_) return;
  const std::uint64_t size = surviving_size(random, survival);
  SectorChoice choice(random, survival);
  std::sort(changed_.begin(), changed_.end());
  for (const std::uint64_t index : changed_) {
    Page& page = *find(index);
    for (std::size_t s = 0; s < sectors_per_page; ++s) {
      if (!has(page.differs, s)) continue;
      if (!has(page.dirty, s) || !choice.keeps_next()) restore_durable(page, s);
    }
    page.differs = 0;
    page.dirty = 0;
    settle(page);
  }
  changed_.clear();
  const bool found = size == size_ && survival != Survival::nothing;
  const bool forgets_time = time_unsaved_ && survival == Survival::some && random.chance(0.5);
  if (forgets_time) modified_ = written_;
  set_made(found ? modified_ : durable_modified_);
  size_ = size;
  durable_size_ = size;
  forget_beyond(size);
}

// Bytes past the end are not part of the file: it reads as zeros there when it grows again.
void Contents::forget_beyond(std::uint64_t size) {
  const std::uint64_t first = size / page_size;
  for (std::uint64_t i = next_page(first); i != file_size_max; i = next_page(i + 1)) {
    Page& page = *find(i);
    const std::size_t from = i == first ? size % page_size : 0;
    for (std::size_t s = from / sector_size; s < sectors_per_page; ++s) {
      if (!has(page.now_held, s)) continue;
      const std::size_t begin = std::max(from, s * sector_size);
      if (begin == s * sector_size) {
        drop(page, s);
      } else {
        std::memset(page.now + begin, 0, (s + 1) * sector_size - begin);
      }
    }
    if (from == 0) storage_.give_page(std::exchange(page.durable, nullptr));
  }
  const std::uint64_t pages = (size + page_size - 1) / page_size;
  if (dense_.size() > pages) dense_.resize(pages);
  sparse_.erase(sparse_.lower_bound(pages), sparse_.end());
}

void Contents::flip_bit(std::uint64_t bit) {
  const std::uint64_t at = bit / 8;
  const std::byte flip{static_cast<std::uint8_t>(1U << (bit % 8))};
  const std::size_t in_page = at % page_size;
  const std::size_t sector = in_page / sector_size;
  Page& page = page_at(at / page_size);
  if (!has(page.now_held, sector)) {
    hold(page, sector);
    std::memset(page.now + sector * sector_size, 0, sector_size);
  }
  page.now[in_page] ^= flip;
  if (has(page.differs, sector) && has(page.durable_held, sector)) page.durable[in_page] ^= flip;
}

std::size_t Contents::room(std::uint64_t position, std::size_t length) const {
  std::uint64_t free =
      storage_.pages_max > storage_.pages_used ? storage_.pages_max - storage_.pages_used : 0;
  for (std::size_t done = 0; done < length;) {
    const std::uint64_t at = position + done;
    const Page* page = find(at / page_size);
    if (page == nullptr || page->now_held == 0) {
      if (free == 0) return done;
      --free;
    }
    done += std::min<std::uint64_t>(length - done, page_size - at % page_size);
  }
  return length;
}

void Contents::set_counted(bool counted) {
  if (counted == counted_) return;
  counted_ = counted;
  if (counted) {
    storage_.pages_used += pages_held_;
  } else {
    storage_.pages_used -= pages_held_;
  }
}

}  // namespace millrace::simulated
