// The little of UTF-8 and UTF-16 that property files need: their escapes are UTF-16 code units.
module;
#include <cstdint>
#include <string>
#include <string_view>

export module millrace.config:utf8;

export namespace millrace::config {

// Whether the bytes are UTF-8 as the Unicode standard defines it: shortest forms only, no
// surrogates.
[[nodiscard]] bool is_utf8(std::string_view bytes);

// Appends one code point, which is no surrogate and at most U+10FFFF.
void append_utf8(std::string& text, std::uint32_t code_point);

// Takes the first code point off `bytes`, which is UTF-8 and not empty.
[[nodiscard]] std::uint32_t take_code_point(std::string_view& bytes);

[[nodiscard]] constexpr bool is_high_surrogate(std::uint32_t unit) {
  return unit >= 0xd800 && unit < 0xdc00;
}
[[nodiscard]] constexpr bool is_low_surrogate(std::uint32_t unit) {
  return unit >= 0xdc00 && unit < 0xe000;
}
[[nodiscard]] constexpr std::uint32_t join_surrogates(std::uint32_t high, std::uint32_t low) {
  return 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
}

}  // namespace millrace::config
