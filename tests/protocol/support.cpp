#include "support.hpp"

#include <gtest/gtest.h>

#include <charconv>
#include <cstddef>
#include <fstream>

namespace millrace::table {
namespace {

std::optional<std::string> from_hex(std::string_view digits) {
  if (digits.size() % 2 != 0) return std::nullopt;
  std::string bytes(digits.size() / 2, '\0');
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    unsigned value = 0;
    const char* start = digits.data() + 2 * i;
    const auto [after, error] = std::from_chars(start, start + 2, value, 16);
    if (error != std::errc() || after != start + 2) return std::nullopt;
    bytes[i] = static_cast<char>(value);
  }
  return bytes;
}

std::optional<GoldenLine> golden_line(std::string_view text) {
  std::vector<std::string_view> columns;
  for (std::size_t start = 0; columns.size() < 3;) {
    const std::size_t tab = text.find('\t', start);
    if (tab == std::string_view::npos) return std::nullopt;
    columns.push_back(text.substr(start, tab - start));
    start = tab + 1;
    if (columns.size() == 3) columns.push_back(text.substr(start));
  }
  GoldenLine line;
  const char* end = columns[0].data() + columns[0].size();
  const auto [after, error] = std::from_chars(columns[0].data(), end, line.version);
  auto bytes = from_hex(columns[2]);
  if (error != std::errc() || after != end || !bytes) return std::nullopt;
  line.label = columns[1];
  line.bytes = std::move(*bytes);
  line.json = columns[3];
  return line;
}

}  // namespace

std::vector<Message> project_messages() {
  auto messages = read_schemas(MILLRACE_SOURCE_DIR "/modules/protocol/schema");
  if (!messages) {
    ADD_FAILURE() << messages.error();
    return {};
  }
  EXPECT_FALSE(messages->empty());
  return std::move(*messages);
}

std::vector<GoldenLine> golden_lines(const Message& message) {
  const std::string path =
      MILLRACE_SOURCE_DIR "/tests/golden/data/messages/" + message.stem() + ".tsv";
  std::ifstream file(path, std::ios::binary);
  std::vector<GoldenLine> lines;
  std::string text;
  for (int number = 1; std::getline(file, text); ++number) {
    const std::string place = path + ":" + std::to_string(number);
    auto line = golden_line(text);
    if (!line) {
      ADD_FAILURE() << place << ": not `version, label, hex, json`";
      return {};
    }
    line->place = place;
    lines.push_back(std::move(*line));
  }
  EXPECT_FALSE(lines.empty()) << path << " cannot be read or is empty";
  return lines;
}

}  // namespace millrace::table
