#include "json_writer.hpp"

#include <array>
#include <cstdio>

namespace millrace::protocol {

void JsonWriter::value(double number) {
  std::array<char, 40> digits{};
  std::snprintf(digits.data(), digits.size(), "%.17g", number);
  raw(digits.data());
}

void JsonWriter::value(Bytes bytes) {
  if (bytes.data() == nullptr) return null();
  constexpr std::string_view alphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  separate();
  text_ += '"';
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    unsigned group = 0;
    const std::size_t count = bytes.size() - i < 3 ? bytes.size() - i : 3;
    for (std::size_t j = 0; j < 3; ++j) {
      group = (group << 8) | (j < count ? static_cast<unsigned>(bytes[i + j]) : 0u);
    }
    for (std::size_t j = 0; j < 4; ++j) {
      text_ += j <= count ? alphabet[(group >> (18 - 6 * j)) & 0x3f] : '=';
    }
  }
  text_ += '"';
}

void JsonWriter::quote(std::string_view string) {
  text_ += '"';
  for (const char c : string) {
    if (c == '"' || c == '\\') {
      text_ += '\\';
      text_ += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      std::array<char, 8> escape{};
      std::snprintf(escape.data(), escape.size(), "\\u%04x", static_cast<unsigned>(c));
      text_ += escape.data();
    } else {
      text_ += c;
    }
  }
  text_ += '"';
}

}  // namespace millrace::protocol
