module;
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>

module millrace.storage.index;

import millrace.base;
import :search;

namespace millrace::storage {

namespace {

// Which of `count` numbers is nearest to the wanted one, if they ascend evenly.
[[nodiscard]] std::size_t place_between(std::int64_t first, std::int64_t wanted, std::int64_t last,
                                        std::size_t count) {
  if (wanted <= first || last <= first) return 0;
  if (wanted >= last) return count - 1;
  return static_cast<std::size_t>(static_cast<double>(wanted - first) /
                                  static_cast<double>(last - first) *
                                  static_cast<double>(count - 1));
}

// As first_part(), beginning with one of the entries and going on in ever larger steps. Where
// entries are spread about evenly, as those of an index mostly are, no memory is touched but what
// lies around the answer.
template <class Holds>
[[nodiscard]] std::size_t first_part_near(std::size_t count, std::size_t guess, Holds holds) {
  std::size_t low = 0;
  std::size_t high = guess;
  std::size_t step = 1;
  if (holds(guess)) {
    low = guess + 1;
    for (; low + step <= count && holds(low + step - 1); step *= 2) low += step;
    high = std::min(count, low + step - 1);
  } else {
    for (; step <= high && !holds(high - step); step *= 2) high -= step;
    low = step <= high ? high - step + 1 : 0;
  }
  return low + first_part(high - low, [&](std::size_t i) { return holds(low + i); });
}

}  // namespace

OffsetPosition OffsetIndexView::entry(std::size_t index) const {
  const std::byte* at = bytes_.data() + index * offset_index_entry_bytes;
  return {base_.plus(load_big_endian<std::int32_t>(at)), load_big_endian<std::uint32_t>(at + 4)};
}

std::size_t OffsetIndexView::entries_up_to(Offset offset) const {
  if (entries() == 0) return 0;
  const std::size_t guess = place_between(entry(0).offset.value(), offset.value(),
                                          entry(entries() - 1).offset.value(), entries());
  return first_part_near(entries(), guess,
                         [&](std::size_t i) { return entry(i).offset <= offset; });
}

std::size_t OffsetIndexView::entries_below_position(std::uint64_t position) const {
  if (entries() == 0) return 0;
  const auto wanted = static_cast<std::int64_t>(
      std::min<std::uint64_t>(position, std::numeric_limits<std::uint32_t>::max()));
  const std::size_t guess =
      place_between(entry(0).position, wanted, entry(entries() - 1).position, entries());
  return first_part_near(entries(), guess,
                         [&](std::size_t i) { return entry(i).position < position; });
}

OffsetPosition OffsetIndexView::floor_of(Offset offset) const {
  const std::size_t count = entries_up_to(offset);
  return count == 0 ? OffsetPosition{base_, 0} : entry(count - 1);
}

OffsetPosition OffsetIndexView::floor_of_position(std::uint32_t position) const {
  const std::size_t count = entries_below_position(std::uint64_t{position} + 1);
  return count == 0 ? OffsetPosition{base_, 0} : entry(count - 1);
}

Result<void> OffsetIndexView::check_against(std::uint64_t log_bytes) const {
  if (bytes_.size() % offset_index_entry_bytes != 0) {
    return failure(ErrorKind::corrupt, "the offset index has " + std::to_string(bytes_.size()) +
                                           " bytes, which is no number of entries");
  }
  for (std::size_t i = 0; i < entries(); ++i) {
    const OffsetPosition here = entry(i);
    const bool ascends =
        i == 0 || (here.offset > entry(i - 1).offset && here.position > entry(i - 1).position);
    // No entry points to the first batch; zeros, which a crash may leave, look as if one did.
    if (!ascends || here.offset < base_ || here.position == 0 || here.position >= log_bytes) {
      return failure(ErrorKind::corrupt,
                     "entry " + std::to_string(i) + " of the offset index cannot be: offset " +
                         std::to_string(here.offset.value()) + " at position " +
                         std::to_string(here.position) + " of " + std::to_string(log_bytes));
    }
  }
  return {};
}

bool add_offset_entry(GrowingIndex& index, Offset base, OffsetPosition entry) {
  const std::int64_t relative = entry.offset.since(base);
  if (relative < 0 || relative > std::numeric_limits<std::int32_t>::max()) return false;
  std::byte* at = index.add();
  store_big_endian(at, static_cast<std::int32_t>(relative));
  store_big_endian(at + 4, entry.position);
  return true;
}

}  // namespace millrace::storage
