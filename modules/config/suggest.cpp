module;
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

module millrace.config;

namespace millrace::config {
namespace {

char folded(char character) {
  if (character >= 'A' && character <= 'Z') return static_cast<char>(character - 'A' + 'a');
  return character == '_' || character == '-' ? '.' : character;
}

std::size_t errors_allowed(std::string_view word) {
  constexpr std::size_t characters_per_error = 6;
  constexpr std::size_t errors_max = 3;
  constexpr std::size_t bytes_min = 3;  // with one letter changed, less is another word
  if (word.size() < bytes_min) return 0;
  return std::clamp<std::size_t>(word.size() / characters_per_error, 1, errors_max);
}

}  // namespace

std::size_t edit_distance(std::string_view left, std::string_view right, std::size_t at_most) {
  left = left.substr(0, suggestion_bytes_max);
  right = right.substr(0, suggestion_bytes_max);
  const std::size_t shorter = std::min(left.size(), right.size());
  const std::size_t longer = std::max(left.size(), right.size());
  if (longer - shorter > at_most) return at_most + 1;
  // Three rows of the table of distances between beginnings; a swap looks two rows back.
  using Row = std::array<std::size_t, suggestion_bytes_max + 1>;
  Row rows[3] = {};
  Row* before = &rows[0];
  Row* last = &rows[1];
  Row* current = &rows[2];
  for (std::size_t j = 0; j <= right.size(); ++j) (*last)[j] = j;
  std::size_t smallest_of_last = 0;
  for (std::size_t i = 1; i <= left.size(); ++i) {
    (*current)[0] = i;
    std::size_t smallest = i;
    for (std::size_t j = 1; j <= right.size(); ++j) {
      const char from = folded(left[i - 1]);
      const char to = folded(right[j - 1]);
      const std::size_t substituted = (*last)[j - 1] + (from == to ? 0 : 1);
      std::size_t distance = std::min({(*last)[j] + 1, (*current)[j - 1] + 1, substituted});
      const bool is_swap =
          i > 1 && j > 1 && from == folded(right[j - 2]) && folded(left[i - 2]) == to;
      if (is_swap) distance = std::min(distance, (*before)[j - 2] + 1);
      (*current)[j] = distance;
      smallest = std::min(smallest, distance);
    }
    // Later rows come from these two and are not smaller.
    if (smallest > at_most && smallest_of_last > at_most) return at_most + 1;
    smallest_of_last = smallest;
    std::swap(before, last);
    std::swap(last, current);
  }
  return std::min((*last)[right.size()], at_most + 1);
}

std::optional<std::string_view> nearest(std::string_view word,
                                        std::span<const std::string_view> known) {
  if (word.size() > suggestion_bytes_max) return std::nullopt;
  std::optional<std::string_view> best;
  std::size_t best_distance = errors_allowed(word) + 1;
  for (const std::string_view candidate : known) {
    const std::size_t distance = edit_distance(word, candidate, best_distance);
    const bool is_tie = best && distance == best_distance && candidate < *best;
    if (distance < best_distance || is_tie) {
      best = candidate;
      best_distance = distance;
    }
  }
  return best;
}

}  // namespace millrace::config
