module;
#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

module millrace.telemetry;

import millrace.base;
import :text;

namespace millrace::telemetry {
namespace {

constexpr std::string_view replacement_text = "\xef\xbf\xbd";
constexpr std::size_t second_digits = 9;
constexpr std::uint64_t nanoseconds_per_second = 1'000'000'000;

void append_escaped(std::string& to, char character) {
  switch (character) {
    case '\n':
      to += "\\n";
      return;
    case '\\':
      to += "\\\\";
      return;
    case '"':
      to += "\\\"";
      return;
    default:
      to += character;
  }
}

void append_value(std::string& to, std::string_view value) {
  ByteView rest = as_bytes(value);
  for (std::size_t left = label_value_bytes_max; !rest.empty();) {
    const Utf8Character next = first_utf8_character(rest);
    const std::string_view text =
        next.valid ? as_text(rest.first(next.bytes)) : std::string_view(replacement_text);
    if (text.size() > left) return;
    left -= text.size();
    for (const char character : text) append_escaped(to, character);
    rest = rest.subspan(next.bytes);
  }
}

// The magnitude of a negative number, the smallest one included.
std::uint64_t magnitude(std::int64_t value) {
  const auto bits = static_cast<std::uint64_t>(value);
  return value < 0 ? ~bits + 1 : bits;
}

}  // namespace

void append_label(std::string& to, std::string_view name, std::string_view value) {
  if (!to.empty()) to += ',';
  to += name;
  to += "=\"";
  append_value(to, value);
  to += '"';
}

void append_help(std::string& to, std::string_view help) {
  for (const char character : help) {
    if (character == '"') {
      to += character;
    } else {
      append_escaped(to, character);
    }
  }
}

void append_number(std::string& to, std::uint64_t value) {
  std::array<char, 20> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
  to.append(digits.data(), static_cast<std::size_t>(end - digits.data()));
}

void append_number(std::string& to, std::int64_t value) {
  if (value < 0) to += '-';
  append_number(to, magnitude(value));
}

void append_seconds(std::string& to, std::uint64_t nanoseconds) {
  append_number(to, nanoseconds / nanoseconds_per_second);
  std::uint64_t fraction = nanoseconds % nanoseconds_per_second;
  if (fraction == 0) return;
  std::size_t length = second_digits;
  for (; fraction % 10 == 0; fraction /= 10) --length;
  std::array<char, second_digits> digits;
  for (std::size_t i = length; i > 0; --i, fraction /= 10) {
    digits[i - 1] = static_cast<char>('0' + fraction % 10);
  }
  to += '.';
  to.append(digits.data(), length);
}

void append_seconds(std::string& to, std::int64_t nanoseconds) {
  if (nanoseconds < 0) to += '-';
  append_seconds(to, magnitude(nanoseconds));
}

}  // namespace millrace::telemetry
