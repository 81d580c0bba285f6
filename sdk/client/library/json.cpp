#include "millrace/json.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <span>
#include <string>
#include <utility>

import millrace.base;

namespace millrace::inline v1 {

namespace {

void append_utf8(std::string& buffer, char32_t point) {
  const auto continuation = [&](unsigned shift) {
    buffer += static_cast<char>(0x80U | ((point >> shift) & 0x3fU));
  };
  if (point < 0x80) {
    buffer += static_cast<char>(point);
  } else if (point < 0x800) {
    buffer += static_cast<char>(0xc0U | (point >> 6U));
    continuation(0);
  } else if (point < 0x10000) {
    buffer += static_cast<char>(0xe0U | (point >> 12U));
    continuation(6);
    continuation(0);
  } else {
    buffer += static_cast<char>(0xf0U | (point >> 18U));
    continuation(12);
    continuation(6);
    continuation(0);
  }
}

constexpr bool is_digit(char letter) {
  return letter >= '0' && letter <= '9';
}

// Reads one JSON text. Each step gives false after saying the problem.
class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Result<JsonValue> parse() {
    JsonValue value;
    if (read_value(value, 0)) {
      skip_space();
      if (place_ == text_.size()) return value;
      static_cast<void>(fail("something follows the value"));
    }
    return cannot_deserialize("JSON", problem_ + " at byte " + std::to_string(place_));
  }

 private:
  bool fail(std::string_view problem) {
    if (problem_.empty()) problem_ = problem;
    return false;
  }
  bool at_end() const { return place_ == text_.size(); }
  char next() const { return at_end() ? '\0' : text_[place_]; }
  bool take(char letter) {
    if (at_end() || text_[place_] != letter) return false;
    ++place_;
    return true;
  }
  void skip_space() {
    while (next() == ' ' || next() == '\n' || next() == '\t' || next() == '\r') ++place_;
  }

  bool read_value(JsonValue& into, std::size_t depth) {
    skip_space();
    if (depth > JsonValue::depth_max) return fail("it lies too deep");
    switch (next()) {
      case '{':
        return read_object(into, depth);
      case '[':
        return read_array(into, depth);
      case '"':
        into.kind = JsonValue::Kind::text;
        return read_text(into.text);
      case 't':
        return read_word(into, "true", JsonValue::Kind::boolean);
      case 'f':
        return read_word(into, "false", JsonValue::Kind::boolean);
      case 'n':
        return read_word(into, "null", JsonValue::Kind::null);
      default:
        return read_number(into);
    }
  }

  bool read_word(JsonValue& into, std::string_view word, JsonValue::Kind kind) {
    if (!text_.substr(place_).starts_with(word)) return fail("no value");
    place_ += word.size();
    into.kind = kind;
    into.text = word;
    return true;
  }

  bool skip_digits() {
    const std::size_t began = place_;
    while (is_digit(next())) ++place_;
    return place_ > began;
  }

  bool read_number(JsonValue& into) {
    const std::size_t began = place_;
    take('-');
    if (!take('0') && !skip_digits()) return fail("no value");
    if (take('.') && !skip_digits()) return fail("no digit after the point");
    if (take('e') || take('E')) {
      if (!take('-')) take('+');
      if (!skip_digits()) return fail("no digit in the exponent");
    }
    into.kind = JsonValue::Kind::number;
    into.text = text_.substr(began, place_ - began);
    return true;
  }

  bool read_array(JsonValue& into, std::size_t depth) {
    into.kind = JsonValue::Kind::array;
    ++place_;
    skip_space();
    if (take(']')) return true;
    while (true) {
      if (!read_value(into.items.emplace_back(), depth + 1)) return false;
      skip_space();
      if (take(']')) return true;
      if (!take(',')) return fail("no , or ]");
    }
  }

  bool read_object(JsonValue& into, std::size_t depth) {
    into.kind = JsonValue::Kind::object;
    ++place_;
    skip_space();
    if (take('}')) return true;
    while (true) {
      skip_space();
      if (next() != '"') return fail("no name");
      if (!read_text(into.names.emplace_back())) return false;
      skip_space();
      if (!take(':')) return fail("no :");
      if (!read_value(into.items.emplace_back(), depth + 1)) return false;
      skip_space();
      if (take('}')) return true;
      if (!take(',')) return fail("no , or }");
    }
  }

  bool read_text(std::string& into) {
    ++place_;
    while (!at_end()) {
      const char letter = text_[place_++];
      if (letter == '"') return true;
      if (static_cast<unsigned char>(letter) < 0x20) return fail("a control character in a text");
      if (letter != '\\')
        into += letter;
      else if (!read_escape(into))
        return false;
    }
    return fail("a text does not end");
  }

  bool read_escape(std::string& into) {
    constexpr std::string_view letters = "\"\\/bfnrt";
    constexpr std::string_view meanings = "\"\\/\b\f\n\r\t";
    if (take('u')) return read_escaped_point(into);
    const auto known = letters.find(next());
    if (at_end() || known == std::string_view::npos) return fail("no such escape");
    ++place_;
    into += meanings[known];
    return true;
  }

  bool read_escaped_point(std::string& into) {
    char32_t point = 0;
    if (!read_hex(point)) return false;
    if (point >= 0xd800 && point < 0xdc00) {
      char32_t low = 0;
      if (!take('\\') || !take('u') || !read_hex(low)) return fail("half a character");
      if (low < 0xdc00 || low >= 0xe000) return fail("half a character");
      point = 0x10000 + ((point - 0xd800) << 10U) + (low - 0xdc00);
    } else if (point >= 0xdc00 && point < 0xe000) {
      return fail("half a character");
    }
    append_utf8(into, point);
    return true;
  }

  bool read_hex(char32_t& point) {
    constexpr std::size_t digits = 4;
    std::uint16_t number = 0;
    const std::string_view hex = text_.substr(place_, digits);
    const auto [rest, problem] = std::from_chars(hex.data(), hex.data() + hex.size(), number, 16);
    if (hex.size() != digits || problem != std::errc() || rest != hex.data() + digits)
      return fail("no four hexadecimal digits");
    place_ += digits;
    point = number;
    return true;
  }

  std::string_view text_;
  std::size_t place_ = 0;
  std::string problem_;
};

}  // namespace

const JsonValue* JsonValue::find(std::string_view name) const noexcept {
  for (std::size_t index = names.size(); index-- > 0;)
    if (names[index] == name) return &items[index];
  return nullptr;
}

Result<JsonValue> parse_json(std::string_view text) {
  return Parser(text).parse();
}

namespace detail {

void append_json_text(std::string& buffer, std::string_view text) {
  constexpr std::string_view hex = "0123456789abcdef";
  buffer += '"';
  auto rest = std::as_bytes(std::span(text));
  while (!rest.empty()) {
    const Utf8Character character = first_utf8_character(rest);
    const char32_t point = character.code_point;
    if (point == '"' || point == '\\') {
      buffer += '\\';
      buffer += static_cast<char>(point);
    } else if (point < 0x20) {
      buffer += "\\u00";
      buffer += hex[point >> 4U];
      buffer += hex[point & 15U];
    } else {
      append_utf8(buffer, point);
    }
    rest = rest.subspan(character.bytes);
  }
  buffer += '"';
}

void append_json_number(std::string& buffer, double number) {
  if (!std::isfinite(number)) {
    buffer += "null";
    return;
  }
  std::array<char, 32> digits;
  const auto [end, problem] = std::to_chars(digits.data(), digits.data() + digits.size(), number);
  check(problem == std::errc(), "the shortest digits of a double fit");
  buffer.append(digits.data(), end);
}

Error json_mismatch(std::string_view name, std::string_view expected) {
  const std::string where = name.empty() ? "the whole" : "\"" + std::string(name) + "\"";
  return cannot_deserialize("JSON", where + " is not " + std::string(expected));
}

}  // namespace detail

}  // namespace millrace::inline v1
