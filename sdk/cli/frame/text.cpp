module;
#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

module millrace.cli.frame;

import millrace.config;

namespace millrace::cli {
namespace {

constexpr std::string_view base64_digits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

// How many bytes the character has that begins here; 0: none does.
std::size_t character_bytes(std::string_view text) {
  const auto byte = [&](std::size_t index) {
    return index < text.size() ? static_cast<unsigned char>(text[index]) : 0U;
  };
  const auto follows = [&](std::size_t index) { return (byte(index) & 0xC0U) == 0x80U; };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  if (first >= 0xC2 && first < 0xE0 && follows(1)) return 2;
  if (first >= 0xE0 && first < 0xF0 && follows(1) && follows(2)) {
    const bool is_too_long = first == 0xE0 && byte(1) < 0xA0;
    const bool is_surrogate = first == 0xED && byte(1) >= 0xA0;
    return is_too_long || is_surrogate ? 0 : 3;
  }
  if (first >= 0xF0 && first < 0xF5 && follows(1) && follows(2) && follows(3)) {
    const bool is_outside = (first == 0xF0 && byte(1) < 0x90) || (first == 0xF4 && byte(1) >= 0x90);
    return is_outside ? 0 : 4;
  }
  return 0;
}

void append_escaped(std::string& into, char letter) {
  constexpr std::string_view hex = "0123456789abcdef";
  const auto code = static_cast<unsigned char>(letter);
  if (letter == '"' || letter == '\\') {
    into += '\\';
    into += letter;
  } else if (letter == '\n') {
    into += "\\n";
  } else if (letter == '\t') {
    into += "\\t";
  } else if (letter == '\r') {
    into += "\\r";
  } else if (code < 0x20) {
    into += "\\u00";
    into += hex[code >> 4U];
    into += hex[code & 15U];
  } else {
    into += letter;
  }
}

}  // namespace

std::string counted(std::int64_t count, std::string_view what) {
  return joined(count, " ", what, count == 1 ? "" : "s");
}

std::string lower(std::string_view text) {
  std::string lowered(text);
  std::ranges::transform(lowered, lowered.begin(), [](unsigned char letter) {
    return static_cast<char>(std::tolower(letter));
  });
  return lowered;
}

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  while (true) {
    const std::size_t end = text.find(separator);
    parts.emplace_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

std::optional<std::int64_t> whole_number(std::string_view text) {
  std::int64_t number = 0;
  const char* end = text.data() + text.size();
  const auto [rest, problem] = std::from_chars(text.data(), end, number);
  if (problem != std::errc() || rest != end || text.empty()) return std::nullopt;
  return number;
}

std::optional<std::string> nearest_word(std::string_view word,
                                        const std::vector<std::string>& known) {
  const std::vector<std::string_view> views(known.begin(), known.end());
  const auto found = config::nearest(word, views);
  if (!found) return std::nullopt;
  return std::string(*found);
}

bool is_text(std::string_view bytes) {
  while (!bytes.empty()) {
    const std::size_t size = character_bytes(bytes);
    if (size == 0) return false;
    bytes.remove_prefix(size);
  }
  return true;
}

void append_quoted(std::string& into, std::string_view text) {
  into += '"';
  while (!text.empty()) {
    const std::size_t size = character_bytes(text);
    if (size == 1) {
      append_escaped(into, text.front());
    } else if (size == 0) {
      into += "\\ufffd";
    } else {
      into += text.substr(0, size);
    }
    text.remove_prefix(size == 0 ? 1 : size);
  }
  into += '"';
}

std::string base64_of(std::string_view bytes) {
  std::string text;
  for (std::size_t index = 0; index < bytes.size(); index += 3) {
    const std::string_view group = bytes.substr(index, 3);
    std::uint32_t bits = 0;
    for (std::size_t place = 0; place < 3; ++place) {
      const auto byte = place < group.size() ? static_cast<unsigned char>(group[place]) : 0U;
      bits = bits << 8U | byte;
    }
    for (std::size_t place = 0; place < 4; ++place) {
      const bool is_there = place <= group.size();
      text += is_there ? base64_digits[bits >> (18 - 6 * place) & 63U] : '=';
    }
  }
  return text;
}

std::optional<std::string> bytes_of_base64(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  std::size_t padding = 0;
  while (padding < 2 && text.ends_with('=')) {
    text.remove_suffix(1);
    ++padding;
  }
  std::string bytes;
  std::uint32_t bits = 0;
  unsigned held = 0;
  for (const char letter : text) {
    const std::size_t digit = base64_digits.find(letter);
    if (digit == std::string_view::npos) return std::nullopt;
    bits = bits << 6U | static_cast<std::uint32_t>(digit);
    held += 6;
    if (held >= 8) {
      held -= 8;
      bytes += static_cast<char>(bits >> held & 0xFFU);
    }
  }
  return bytes;
}

std::size_t width_of(std::string_view text) {
  std::size_t width = 0;
  for (const char letter : text)
    if ((static_cast<unsigned char>(letter) & 0xC0U) != 0x80U) ++width;
  return width;
}

}  // namespace millrace::cli
