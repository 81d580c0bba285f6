// UTF-8 from outside, one character at a time, as Java's decoder takes it.
module;
#include <cstddef>
#include <cstdint>

export module millrace.base:utf8;

import :bytes;

export namespace millrace {

struct Utf8Character {
  char32_t code_point = 0;
  std::uint8_t bytes = 0;
  bool valid = false;
};

inline constexpr char32_t replacement_character = 0xfffd;

// The first character of `bytes`, which are not empty. What is malformed gives the replacement
// character and the length that Java replaces by it: the longest start of a good character, but at
// least one byte; a surrogate is replaced whole.
[[nodiscard]] Utf8Character first_utf8_character(ByteView bytes);

}  // namespace millrace
