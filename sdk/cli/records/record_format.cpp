module;
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "millrace/records.hpp"

module millrace.cli.records;

import millrace.cli.frame;
import millrace.cli.session;

namespace millrace::cli {
namespace {

int hex_digit(char letter) {
  if (letter >= '0' && letter <= '9') return letter - '0';
  if (letter >= 'a' && letter <= 'f') return letter - 'a' + 10;
  if (letter >= 'A' && letter <= 'F') return letter - 'A' + 10;
  return -1;
}

// What stands after a backslash; takes it from the text. None where that means nothing.
std::optional<char> take_escaped(std::string_view& text) {
  if (text.empty()) return std::nullopt;
  const char letter = text.front();
  text.remove_prefix(1);
  switch (letter) {
    case 'n':
      return '\n';
    case 't':
      return '\t';
    case 'r':
      return '\r';
    case '0':
      return '\0';
    case '\\':
      return '\\';
    case 'x': {
      if (text.size() < 2 || hex_digit(text[0]) < 0 || hex_digit(text[1]) < 0) return std::nullopt;
      const int code = hex_digit(text[0]) * 16 + hex_digit(text[1]);
      text.remove_prefix(2);
      return static_cast<char>(code);
    }
    default:
      return std::nullopt;
  }
}

void append_headers(std::string& into, const std::vector<v1::OwnedHeader>& headers) {
  bool is_first = true;
  for (const v1::OwnedHeader& header : headers) {
    if (!std::exchange(is_first, false)) into += ',';
    into += joined(header.key, "=", header.value.value_or(""));
  }
}

void append_json_bytes(std::string& into, std::string_view name,
                       const std::optional<std::string>& bytes) {
  if (bytes && !is_text(*bytes)) {
    into += joined("\"", name, "_base64\":\"", base64_of(*bytes), "\"");
    return;
  }
  into += joined("\"", name, "\":");
  if (bytes)
    append_quoted(into, *bytes);
  else
    into += "null";
}

}  // namespace

std::variant<RecordFormat, Failure> RecordFormat::parse(std::string_view text) {
  RecordFormat format;
  std::string plain;
  const auto end_plain = [&] {
    if (!plain.empty()) format.pieces_.push_back({.text = std::exchange(plain, {})});
  };
  while (!text.empty()) {
    const char letter = text.front();
    text.remove_prefix(1);
    if (letter == '\\') {
      const auto escaped = take_escaped(text);
      if (!escaped)
        return usage_failure("--format has a \\ that means nothing",
                             "there are \\n, \\t, \\r, \\0, \\xHH and \\\\");
      plain += *escaped;
    } else if (letter != '%' || text.starts_with('%')) {
      plain += letter;
      if (letter == '%') text.remove_prefix(1);
    } else {
      constexpr std::string_view codes = "tpoTkvhs";
      if (text.empty() || codes.find(text.front()) == std::string_view::npos)
        return usage_failure("--format has a % that means nothing",
                             "there are %t topic, %p partition, %o offset, %T time, %k key, %v "
                             "value, %h headers, %s size and %%");
      end_plain();
      format.pieces_.push_back({.code = text.front()});
      text.remove_prefix(1);
    }
  }
  end_plain();
  return format;
}

void RecordFormat::append(std::string& into, const v1::OwnedRecord& record) const {
  for (const Piece& piece : pieces_) {
    switch (piece.code) {
      case 't':
        into += record.topic;
        break;
      case 'p':
        into += std::to_string(record.partition);
        break;
      case 'o':
        into += std::to_string(record.offset);
        break;
      case 'T':
        into += iso_text(record.timestamp);
        break;
      case 'k':
        into += record.key.value_or("");
        break;
      case 'v':
        into += record.value.value_or("");
        break;
      case 'h':
        append_headers(into, record.headers);
        break;
      case 's':
        into += std::to_string(record.value ? record.value->size() : 0);
        break;
      default:
        into += piece.text;
    }
  }
}

std::string json_line_of(const v1::OwnedRecord& record) {
  std::string line = "{\"topic\":";
  append_quoted(line, record.topic);
  line += joined(",\"partition\":", record.partition, ",\"offset\":", record.offset,
                 ",\"timestamp\":\"", iso_text(record.timestamp), "\",");
  append_json_bytes(line, "key", record.key);
  line += ',';
  append_json_bytes(line, "value", record.value);
  line += ",\"headers\":[";
  bool is_first = true;
  for (const v1::OwnedHeader& header : record.headers) {
    if (!std::exchange(is_first, false)) line += ',';
    line += "{\"key\":";
    append_quoted(line, header.key);
    line += ',';
    append_json_bytes(line, "value", header.value);
    line += '}';
  }
  return line + "]}\n";
}

std::string tsv_line_of(const v1::OwnedRecord& record) {
  return joined(tsv_of(record.topic), "\t", record.partition, "\t", record.offset, "\t",
                iso_text(record.timestamp), "\t", tsv_of(record.key.value_or("")), "\t",
                tsv_of(record.value.value_or("")), "\n");
}

}  // namespace millrace::cli
