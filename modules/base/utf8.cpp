module;
#include <cstddef>
#include <cstdint>

module millrace.base;

namespace millrace {
namespace {

// What a first byte announces: how many bytes follow, and the range of the first of them. It keeps
// out forms that are longer than needed and code points above U+10FFFF.
struct Lead {
  std::uint8_t following = 0;
  std::uint8_t second_min = 0x80;
  std::uint8_t second_max = 0xbf;
};

Lead lead_of(std::uint8_t byte) {
  if (byte < 0xc2) return {};
  if (byte < 0xe0) return {1};
  if (byte == 0xe0) return {2, 0xa0, 0xbf};
  if (byte < 0xf0) return {2};
  if (byte == 0xf0) return {3, 0x90, 0xbf};
  if (byte < 0xf4) return {3};
  if (byte == 0xf4) return {3, 0x80, 0x8f};
  return {};
}

bool is_surrogate(char32_t code_point) {
  return code_point >= 0xd800 && code_point <= 0xdfff;
}

}  // namespace

Utf8Character first_utf8_character(ByteView bytes) {
  const auto first = static_cast<std::uint8_t>(bytes.front());
  if (first < 0x80) return {first, 1, true};
  const Lead lead = lead_of(first);
  if (lead.following == 0) return {replacement_character, 1, false};
  char32_t code_point = first & (0x3fu >> lead.following);
  for (std::uint8_t place = 1; place <= lead.following; ++place) {
    if (place == bytes.size()) return {replacement_character, place, false};
    const auto byte = static_cast<std::uint8_t>(bytes[place]);
    const std::uint8_t least = place == 1 ? lead.second_min : std::uint8_t{0x80};
    const std::uint8_t most = place == 1 ? lead.second_max : std::uint8_t{0xbf};
    if (byte < least || byte > most) return {replacement_character, place, false};
    code_point = (code_point << 6) | (byte & 0x3fu);
  }
  const auto length = static_cast<std::uint8_t>(lead.following + 1);
  if (is_surrogate(code_point)) return {replacement_character, length, false};
  return {code_point, length, true};
}

}  // namespace millrace
