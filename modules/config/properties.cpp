module;
#include <fmt/format.h>

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

module millrace.config;

import millrace.base;

namespace millrace::config {
namespace {

constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";

struct NameAndValue {
  std::string_view name;
  std::string_view value;
};

// Both still escaped. The name ends at the first unescaped space or separator; spaces and at most
// one separator lie between the two.
NameAndValue split(std::string_view line) {
  std::size_t end = 0;
  bool is_escaped = false;
  const auto is_separator = [](char character) { return character == '=' || character == ':'; };
  for (; end < line.size(); ++end) {
    if (!is_escaped && (is_separator(line[end]) || is_property_space(line[end]))) break;
    is_escaped = line[end] == '\\' && !is_escaped;
  }
  std::size_t begin = end;
  bool seen_separator = false;
  for (; begin < line.size(); ++begin) {
    if (is_property_space(line[begin])) continue;
    if (seen_separator || !is_separator(line[begin])) break;
    seen_separator = true;
  }
  return {.name = line.substr(0, end), .value = line.substr(begin)};
}

// Takes the four digits that follow \u.
std::optional<std::uint32_t> take_code_unit(std::string_view& text) {
  constexpr std::size_t digits = 4;
  if (text.size() < digits) return std::nullopt;
  std::uint32_t unit = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + digits, unit, 16);
  if (error != std::errc{} || end != text.data() + digits) return std::nullopt;
  text.remove_prefix(digits);
  return unit;
}

// What follows "\u"; surrogates come in pairs of two escapes.
Result<std::uint32_t, std::string> take_code_point_escape(std::string_view& text) {
  const std::optional<std::uint32_t> unit = take_code_unit(text);
  if (!unit) return failure(std::string("\\u must be followed by four hexadecimal digits"));
  if (*unit == 0) return failure(std::string("\\u0000 is not allowed"));
  if (!is_high_surrogate(*unit) && !is_low_surrogate(*unit)) return *unit;
  const bool has_second = is_high_surrogate(*unit) && text.starts_with("\\u");
  if (has_second) {
    text.remove_prefix(2);
    const std::optional<std::uint32_t> second = take_code_unit(text);
    if (second && is_low_surrogate(*second)) return join_surrogates(*unit, *second);
  }
  return failure(fmt::format("\\u{:04x} is half of a surrogate pair", *unit));
}

char unescaped(char character) {
  switch (character) {
    case 't':
      return '\t';
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case 'f':
      return '\f';
    default:
      return character;
  }
}

Result<std::string, std::string> unescape(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  while (!text.empty()) {
    const char character = text.front();
    text.remove_prefix(1);
    if (character != '\\') {
      result += character;
      continue;
    }
    if (text.empty()) break;
    const char escaped = text.front();
    text.remove_prefix(1);
    if (escaped != 'u') {
      result += unescaped(escaped);
      continue;
    }
    const auto code_point = take_code_point_escape(text);
    if (!code_point) return failure(code_point.error());
    append_utf8(result, *code_point);
  }
  return result;
}

// Gathers the entries of one file.
class Reader {
 public:
  explicit Reader(std::string_view file_name) : file_name_(file_name) {}

  // False when the file has to be given up.
  bool read(const LogicalLine& line) {
    if (line.is_too_long) {
      fail(line.line, fmt::format("line longer than {} bytes", line_bytes_max));
      return true;
    }
    if (!is_utf8(line.text) || line.text.find('\0') != std::string_view::npos) {
      fail(line.line, "not text in UTF-8; write other characters as \\uXXXX");
      return true;
    }
    const NameAndValue raw = split(line.text);
    auto name = unescape(raw.name);
    auto value = unescape(raw.value);
    if (!name || !value) {
      fail(line.line, name ? value.error() : name.error());
      return true;
    }
    return keep({.name = std::move(*name), .value = std::move(*value), .line = line.line});
  }

  void fail(std::uint32_t line, std::string message) {
    parsed_.problems.fail(source(line), std::move(message));
  }

  ParsedProperties finish() { return std::move(parsed_); }

 private:
  Source source(std::uint32_t line) const {
    return {.kind = SourceKind::file, .file = std::string(file_name_), .line = line};
  }

  bool keep(PropertyEntry entry) {
    const auto [known, is_new] = positions_.try_emplace(entry.name, parsed_.entries.size());
    if (!is_new) {
      PropertyEntry& earlier = parsed_.entries[known->second];
      parsed_.problems.warn(source(entry.line),
                            fmt::format("{} is set again; its value of line {} is not used",
                                        printable(entry.name), earlier.line));
      earlier = std::move(entry);
      return true;
    }
    if (parsed_.entries.size() == properties_max) {
      fail(entry.line, fmt::format("more than {} properties", properties_max));
      return false;
    }
    parsed_.entries.push_back(std::move(entry));
    return true;
  }

  std::string_view file_name_;
  ParsedProperties parsed_;
  std::unordered_map<std::string, std::size_t> positions_;
};

void escape_into(std::string& line, std::string_view text, bool is_name) {
  bool is_first = true;
  while (!text.empty()) {
    const std::uint32_t code_point = take_code_point(text);
    const auto character = static_cast<char>(code_point < 0x80 ? code_point : 0);
    const bool ends_name = character == '=' || character == ':' || character == ' ';
    const bool begins_comment = character == '#' || character == '!';
    if (character == '\\' || (is_name && (ends_name || begins_comment)) ||
        (is_first && character == ' ')) {
      line += '\\';
      line += character;
    } else if (code_point >= 0x20 && code_point < 0x7f) {
      line += character;
    } else if (code_point < 0x10000) {
      line += fmt::format("\\u{:04x}", code_point);
    } else {
      line += fmt::format("\\u{:04x}\\u{:04x}", 0xd800 + ((code_point - 0x10000) >> 10),
                          0xdc00 + ((code_point - 0x10000) & 0x3ff));
    }
    is_first = false;
  }
}

}  // namespace

ParsedProperties parse_properties(std::string_view text, std::string_view file_name) {
  Reader reader(file_name);
  if (text.size() > file_bytes_max) {
    reader.fail(0, fmt::format("larger than {} bytes", file_bytes_max));
    return reader.finish();
  }
  if (text.starts_with(byte_order_mark)) text.remove_prefix(byte_order_mark.size());
  PropertyLines lines(text);
  for (auto line = lines.next(); line; line = lines.next()) {
    if (!reader.read(*line)) break;
  }
  return reader.finish();
}

std::string format_property(std::string_view name, std::string_view value) {
  std::string line;
  escape_into(line, name, true);
  line += '=';
  escape_into(line, value, false);
  return line;
}

}  // namespace millrace::config
