// "Did you mean": the known word that a mistyped one is most likely to stand for.
module;
#include <cstddef>
#include <optional>
#include <span>
#include <string_view>

export module millrace.config:suggest;

import :limits;

export namespace millrace::config {

// Insertions, deletions, substitutions and swaps of neighbours that lead from one word to the
// other. Capitals, '_' and '-' count like small letters and '.', because people mistake them for
// one another. Words longer than suggestion_bytes_max are compared by their beginning. A distance
// above `at_most` is given as at_most + 1, which is found out sooner.
[[nodiscard]] std::size_t edit_distance(std::string_view left, std::string_view right,
                                        std::size_t at_most = suggestion_bytes_max);

// The nearest of `known`, or none when nothing is near enough to be worth saying: at most one error
// in six characters, and never more than three. Of equally near ones the first in alphabetical
// order.
[[nodiscard]] std::optional<std::string_view> nearest(std::string_view word,
                                                      std::span<const std::string_view> known);

}  // namespace millrace::config
