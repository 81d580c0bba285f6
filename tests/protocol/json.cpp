#include "json.hpp"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cstddef>
#include <type_traits>

namespace millrace::table {
namespace {

struct SyntaxError {
  std::size_t position;
  const char* what;
};

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Json document() {
    Json result = value(0);
    if (peek() != '\0' || position_ != text_.size()) fail("text after the value");
    return result;
  }

 private:
  static constexpr int depth_max = 64;

  [[noreturn]] void fail(const char* what) const { throw SyntaxError{position_, what}; }

  char peek() {
    position_ = std::min(text_.find_first_not_of(" \t\r\n", position_), text_.size());
    return position_ < text_.size() ? text_[position_] : '\0';
  }

  bool accept(char wanted) {
    if (peek() != wanted) return false;
    ++position_;
    return true;
  }

  void expect(char wanted, const char* what) {
    if (!accept(wanted)) fail(what);
  }

  Json value(int depth) {
    if (depth > depth_max) fail("nested too deeply");
    switch (peek()) {
      case '{':
        return object(depth);
      case '[':
        return array(depth);
      case '"':
        return Json{string()};
      case 't':
        return word("true", Json{true});
      case 'f':
        return word("false", Json{false});
      case 'n':
        return word("null", Json{});
      default:
        return number();
    }
  }

  Json word(std::string_view text, Json result) {
    if (text_.substr(position_, text.size()) != text) fail("not a value");
    position_ += text.size();
    return result;
  }

  Json object(int depth) {
    JsonObject members;
    expect('{', "no object");
    if (accept('}')) return Json{std::move(members)};
    do {
      if (peek() != '"') fail("a member starts with its name");
      std::string name = string();
      expect(':', "no colon after the name");
      members.push_back(JsonMember{std::move(name), value(depth + 1)});
    } while (accept(','));
    expect('}', "the object does not end");
    return Json{std::move(members)};
  }

  Json array(int depth) {
    JsonArray items;
    expect('[', "no array");
    if (accept(']')) return Json{std::move(items)};
    do {
      items.push_back(value(depth + 1));
    } while (accept(','));
    expect(']', "the array does not end");
    return Json{std::move(items)};
  }

  std::string string() {
    std::string result;
    ++position_;
    while (position_ < text_.size() && text_[position_] != '"') {
      const char next = text_[position_++];
      if (static_cast<unsigned char>(next) < 0x20) fail("a control character in a string");
      if (next == '\\') {
        escape(result);
      } else {
        result.push_back(next);
      }
    }
    if (position_ == text_.size()) fail("the string does not end");
    ++position_;
    return result;
  }

  void escape(std::string& out) {
    constexpr std::string_view letters = "\"\\/bfnrt";
    constexpr std::string_view meanings = "\"\\/\b\f\n\r\t";
    if (position_ == text_.size()) fail("the string does not end");
    const char letter = text_[position_++];
    if (const std::size_t found = letters.find(letter); found != std::string_view::npos) {
      out.push_back(meanings[found]);
    } else if (letter == 'u') {
      append_utf8(out, code_point());
    } else {
      fail("unknown escape");
    }
  }

  std::uint32_t code_point() {
    const std::uint32_t first = four_digits();
    if (first < 0xd800 || first > 0xdfff) return first;
    if (first > 0xdbff || text_.substr(position_, 2) != "\\u") fail("half a surrogate pair");
    position_ += 2;
    const std::uint32_t second = four_digits();
    if (second < 0xdc00 || second > 0xdfff) fail("half a surrogate pair");
    return 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
  }

  std::uint32_t four_digits() {
    std::uint32_t value = 0;
    const std::string_view digits = text_.substr(position_, 4);
    const char* end = digits.data() + digits.size();
    const auto [after, error] = std::from_chars(digits.data(), end, value, 16);
    if (error != std::errc() || after != end || digits.size() != 4) fail("bad \\u escape");
    position_ += 4;
    return value;
  }

  static void append_utf8(std::string& out, std::uint32_t point) {
    if (point < 0x80) {
      out.push_back(static_cast<char>(point));
      return;
    }
    const int following = point < 0x800 ? 1 : point < 0x10000 ? 2 : 3;
    constexpr std::uint32_t leads[] = {0, 0xc0, 0xe0, 0xf0};
    out.push_back(static_cast<char>(leads[following] | point >> (6 * following)));
    for (int i = following - 1; i >= 0; --i) {
      out.push_back(static_cast<char>(0x80 | (point >> (6 * i) & 0x3f)));
    }
  }

  Json number() {
    const std::size_t length = std::min(
        text_.substr(position_).find_first_not_of("+-.0123456789eE"), text_.size() - position_);
    const std::string_view digits = text_.substr(position_, length);
    const char* end = digits.data() + digits.size();
    Json result;
    const auto read = [&](auto value) {
      const auto [after, error] = std::from_chars(digits.data(), end, value);
      if (error != std::errc() || after != end) fail("not a value");
      result.held = value;
    };
    if (digits.find_first_of(".eE") == std::string_view::npos) {
      read(std::int64_t{});
    } else {
      read(double{});
    }
    position_ += length;
    return result;
  }

  std::string_view text_;
  std::size_t position_ = 0;
};

std::string describe(const Json& json) {
  struct Visitor {
    std::string operator()(std::monostate) const { return "null"; }
    std::string operator()(bool value) const { return value ? "true" : "false"; }
    std::string operator()(std::int64_t value) const { return std::to_string(value); }
    std::string operator()(double value) const { return std::to_string(value); }
    std::string operator()(const std::string& value) const { return '"' + value + '"'; }
    std::string operator()(const JsonArray& value) const {
      return "an array of " + std::to_string(value.size());
    }
    std::string operator()(const JsonObject& value) const {
      std::string names = "an object of";
      for (const JsonMember& member : value) names += ' ' + member.name;
      return names;
    }
  };
  return std::visit(Visitor{}, json.held);
}

std::optional<double> as_number(const Json& json) {
  if (const auto* whole = std::get_if<std::int64_t>(&json.held)) return static_cast<double>(*whole);
  if (const auto* real = std::get_if<double>(&json.held)) return *real;
  return std::nullopt;
}

// Whether two values that hold no others are equal. 5 and 5.0 are; large integers are compared as
// integers.
bool same_leaf(const Json& left, const Json& right) {
  if (left.held.index() != right.held.index()) {
    const auto number = as_number(left);
    return number && number == as_number(right);
  }
  return std::visit(
      [&]<class Held>(const Held& held) {
        if constexpr (std::is_same_v<Held, JsonArray> || std::is_same_v<Held, JsonObject>) {
          return false;
        } else {
          return held == std::get<Held>(right.held);
        }
      },
      left.held);
}

std::optional<std::string> difference_at(const std::string& path, const Json& expected,
                                         const Json& found) {
  const auto differ = [&] {
    return path + ": expected " + describe(expected) + ", found " + describe(found);
  };
  if (same_leaf(expected, found)) return std::nullopt;
  if (expected.held.index() != found.held.index()) return differ();
  if (const auto* left = std::get_if<JsonArray>(&expected.held)) {
    const auto& right = std::get<JsonArray>(found.held);
    if (left->size() != right.size()) return differ();
    for (std::size_t i = 0; i < left->size(); ++i) {
      const std::string inner = path + '/' + std::to_string(i);
      if (auto difference = difference_at(inner, (*left)[i], right[i])) return difference;
    }
    return std::nullopt;
  }
  if (const auto* left = std::get_if<JsonObject>(&expected.held)) {
    const auto& right = std::get<JsonObject>(found.held);
    if (!std::ranges::equal(*left, right, {}, &JsonMember::name, &JsonMember::name)) {
      return differ();
    }
    for (std::size_t i = 0; i < left->size(); ++i) {
      const std::string inner = path + '/' + right[i].name;
      if (auto difference = difference_at(inner, (*left)[i].value, right[i].value)) {
        return difference;
      }
    }
    return std::nullopt;
  }
  return differ();
}

}  // namespace

tl::expected<Json, std::string> parse_json(std::string_view text) {
  try {
    return Parser(text).document();
  } catch (const SyntaxError& error) {
    return tl::unexpected("JSON, position " + std::to_string(error.position) + ": " + error.what);
  }
}

std::optional<std::string> first_difference(const Json& expected, const Json& found) {
  return difference_at("", expected, found);
}

}  // namespace millrace::table
