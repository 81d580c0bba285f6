#include "byte_difference.hpp"

#include <algorithm>
#include <cstddef>

namespace millrace::table {
namespace {

std::string hex(std::string_view bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  for (const char byte : bytes) {
    const auto value = static_cast<unsigned char>(byte);
    text += digits[value >> 4];
    text += digits[value & 0xf];
  }
  return text;
}

}  // namespace

std::optional<std::string> byte_difference(std::string_view expected, std::string_view found) {
  if (expected == found) return std::nullopt;
  const auto [left, right] = std::ranges::mismatch(expected, found);
  const auto position = static_cast<std::size_t>(left - expected.begin());
  const std::size_t from = position < 8 ? 0 : position - 8;
  return "byte " + std::to_string(position) + ": expected ..." + hex(expected.substr(from, 24)) +
         ", found ..." + hex(found.substr(from, 24)) + " (" + std::to_string(expected.size()) +
         " and " + std::to_string(found.size()) + " bytes)";
}

}  // namespace millrace::table
