module;
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

module millrace.storage.dump;

import millrace.protocol.wire;

namespace millrace::storage {

namespace {

constexpr std::string_view hex_digits = "0123456789abcdef";

// Characters that have a short escape in JSON; zero for the others.
char short_escape(char32_t character) {
  switch (character) {
    case '"':
      return '"';
    case '\\':
      return '\\';
    case '\n':
      return 'n';
    case '\r':
      return 'r';
    case '\t':
      return 't';
    default:
      return 0;
  }
}

void append_long_escape(std::string& to, char32_t character) {
  to += "\\u";
  for (int shift = 12; shift >= 0; shift -= 4) to += hex_digits[(character >> shift) & 0xf];
}

}  // namespace

void append_json_escaped(std::string& to, std::string_view text) {
  while (!text.empty()) {
    const Utf8Character character = first_utf8_character(as_bytes(text));
    if (!character.valid) {
      append_long_escape(to, replacement_character);
    } else if (const char escape = short_escape(character.code_point); escape != 0) {
      to += '\\';
      to += escape;
    } else if (character.code_point < 0x20 || character.code_point == 0x7f) {
      append_long_escape(to, character.code_point);
    } else {
      to += text.substr(0, character.bytes);
    }
    text.remove_prefix(character.bytes);
  }
}

void append_base64(std::string& to, ByteView bytes) {
  constexpr std::string_view alphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t count = bytes.size() - i < 3 ? bytes.size() - i : 3;
    std::uint32_t group = 0;
    for (std::size_t j = 0; j < 3; ++j) {
      group = (group << 8) | (j < count ? static_cast<std::uint32_t>(bytes[i + j]) : 0u);
    }
    for (std::size_t j = 0; j < 4; ++j) {
      to += j <= count ? alphabet[(group >> (18 - 6 * j)) & 0x3f] : '=';
    }
  }
}

void append_hex(std::string& to, ByteView bytes) {
  for (const std::byte byte : bytes) {
    to += hex_digits[static_cast<std::size_t>(byte) >> 4];
    to += hex_digits[static_cast<std::size_t>(byte) & 0xf];
  }
}

bool is_utf8(ByteView bytes) {
  while (!bytes.empty()) {
    const Utf8Character character = first_utf8_character(bytes);
    if (!character.valid) return false;
    bytes = bytes.subspan(character.bytes);
  }
  return true;
}

void JsonWriter::value(protocol::Bytes bytes) {
  if (bytes.data() == nullptr) return null();
  separate();
  text_ += '"';
  append_base64(text_, bytes);
  text_ += '"';
}

}  // namespace millrace::storage
