module;
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

module millrace.groups;

import millrace.base;

namespace millrace::groups {

std::string_view name_of(GroupState state) {
  switch (state) {
    case GroupState::empty:
      return "Empty";
    case GroupState::preparing_rebalance:
      return "PreparingRebalance";
    case GroupState::completing_rebalance:
      return "CompletingRebalance";
    case GroupState::stable:
      return "Stable";
    case GroupState::dead:
      break;
  }
  return "Dead";
}

std::string member_id_of(std::string_view prefix, const Uuid& random) {
  Uuid id = random;
  // Version 4, variant 1: an id made of random bits.
  id.bytes[6] = (id.bytes[6] & std::byte{0x0f}) | std::byte{0x40};
  id.bytes[8] = (id.bytes[8] & std::byte{0x3f}) | std::byte{0x80};
  std::string text(prefix);
  text += '-';
  for (std::size_t i = 0; i < id.bytes.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    constexpr std::string_view digits = "0123456789abcdef";
    const auto value = std::to_integer<std::uint8_t>(id.bytes[i]);
    text += digits[value >> 4];
    text += digits[value & 15];
  }
  return text;
}

std::size_t java_length(std::string_view text) {
  std::size_t units = 0;
  for (const char character : text) {
    const auto byte = static_cast<unsigned char>(character);
    if ((byte & 0xc0) != 0x80) ++units;  // begins a character
    if (byte >= 0xf0) ++units;           // one that needs two units
  }
  return units;
}

Timestamp later(Timestamp from, Milliseconds by) {
  std::int64_t sum = 0;
  if (__builtin_add_overflow(from.value(), by.count(), &sum)) {
    sum = by.count() < 0 ? 0 : std::numeric_limits<std::int64_t>::max();
  }
  return Timestamp(std::max<std::int64_t>(sum, 0));
}

}  // namespace millrace::groups
