// Small things about text.
module;
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

export module millrace.cli.frame:text;

export namespace millrace::cli {

namespace detail {

template <class Part>
void append_part(std::string& text, const Part& part) {
  if constexpr (std::convertible_to<const Part&, std::string_view>) {
    text += std::string_view(part);
  } else if constexpr (std::same_as<Part, char>) {
    text += part;
  } else {
    text += std::to_string(part);
  }
}

}  // namespace detail

// joined("created ", name, ": ", 6, " partitions"). Text, letters and numbers.
template <class... Parts>
[[nodiscard]] std::string joined(const Parts&... parts) {
  std::string text;
  (detail::append_part(text, parts), ...);
  return text;
}

// "1 partition", "6 partitions".
[[nodiscard]] std::string counted(std::int64_t count, std::string_view what);

[[nodiscard]] std::string lower(std::string_view text);  // ASCII
[[nodiscard]] std::vector<std::string> split(std::string_view text, char separator);
[[nodiscard]] std::optional<std::int64_t> whole_number(std::string_view text);

// The word of `known` that a mistyped one stands for.
[[nodiscard]] std::optional<std::string> nearest_word(std::string_view word,
                                                      const std::vector<std::string>& known);

[[nodiscard]] bool is_text(std::string_view bytes);  // UTF-8
// In quotes, for JSON. What is no UTF-8 becomes a replacement character.
void append_quoted(std::string& into, std::string_view text);
[[nodiscard]] std::string base64_of(std::string_view bytes);
// None where it is no base64.
[[nodiscard]] std::optional<std::string> bytes_of_base64(std::string_view text);

// Columns that a terminal needs; one for each character.
[[nodiscard]] std::size_t width_of(std::string_view text);

}  // namespace millrace::cli
