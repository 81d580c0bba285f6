module;
#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

module millrace.storage.segment;

namespace millrace::storage {

BatchSpans::BatchSpans(std::size_t bytes_max)
    : sets_wanted_(std::max<std::size_t>(1, std::bit_floor(bytes_max / sizeof(Set)))) {}

// Spreads the positions of a segment, which have steps in common, over all sets.
std::size_t BatchSpans::place(Key key) const {
  std::uint64_t mixed =
      (std::uint64_t{key.owner} * 0x9e3779b97f4a7c15U + key.position) * 0xbf58476d1ce4e5b9U;
  mixed ^= mixed >> 32;
  return static_cast<std::size_t>(mixed * 0x94d049bb133111ebU >> 32) & (sets_wanted_ - 1);
}

void BatchSpans::add(Key key, std::int32_t last_offset_delta) {
  if (sets_.empty()) sets_.resize(sets_wanted_);
  auto& spans = sets_[place(key)].spans;
  const auto known = std::find_if(spans.begin(), spans.end(), [&](const Span& span) {
    return span.key.owner == key.owner && span.key.position == key.position;
  });
  // The oldest one goes, or what was known of this batch.
  const auto last = known == spans.end() ? std::prev(spans.end()) : known;
  std::move_backward(spans.begin(), last, std::next(last));
  spans.front() = {key, last_offset_delta};
}

std::optional<std::int32_t> BatchSpans::find(Key key) const {
  if (sets_.empty()) return std::nullopt;
  for (const Span& span : sets_[place(key)].spans) {
    if (span.key == key) return span.last_offset_delta;
  }
  return std::nullopt;
}

}  // namespace millrace::storage
