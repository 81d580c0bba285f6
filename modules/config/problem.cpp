module;
#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

module millrace.config;

import millrace.base;

namespace millrace::config {
namespace {

// The first bytes of a word without half of a character at the end.
std::string_view cut(std::string_view word) {
  if (word.size() <= quoted_bytes_max) return word;
  std::size_t end = quoted_bytes_max;
  while (end > 0 && (static_cast<unsigned char>(word[end]) & 0xc0) == 0x80) --end;
  return word.substr(0, end);
}

}  // namespace

std::string to_string(const Source& source) {
  switch (source.kind) {
    case SourceKind::default_value:
      return "default";
    case SourceKind::file:
      return source.line == 0 ? printable(source.file)
                              : fmt::format("{}:{}", printable(source.file), source.line);
    case SourceKind::command_line:
      return "command line";
    case SourceKind::cluster_wide:
      return "cluster-wide setting";
    case SourceKind::per_broker:
      return "broker setting";
    case SourceKind::per_topic:
      return "topic setting";
  }
  return "unknown";
}

std::string to_string(const Problem& problem) {
  return fmt::format("{}: {}: {}", problem.severity == Severity::error ? "error" : "warning",
                     to_string(problem.source), problem.message);
}

std::string printable(std::string_view word) {
  std::string_view rest = cut(word);
  const bool is_cut = rest.size() < word.size();
  const bool is_text = is_utf8(rest);
  std::string text;
  while (!rest.empty()) {
    const std::string_view before = rest;
    const auto byte = static_cast<unsigned char>(rest.front());
    std::uint32_t code_point = byte;
    if (is_text) {
      code_point = take_code_point(rest);
    } else {
      rest.remove_prefix(1);
    }
    // Terminals obey the control characters above ASCII, too.
    const bool is_control = code_point < 0x20 || (code_point >= 0x7f && code_point < 0xa0);
    if (is_control || (!is_text && byte >= 0x80)) {
      text += fmt::format("\\x{:02x}", code_point);
    } else {
      text += before.substr(0, before.size() - rest.size());
    }
  }
  return is_cut ? text + "..." : text;
}

void Problems::warn(Source source, std::string message) {
  keep({Severity::warning, std::move(source), std::move(message)});
}

void Problems::fail(Source source, std::string message) {
  keep({Severity::error, std::move(source), std::move(message)});
}

void Problems::add(const Problems& others) {
  for (const Problem& problem : others.list_) keep(problem);
  left_out_ += others.left_out_;
}

void Problems::keep(Problem problem) {
  const bool is_error = problem.severity == Severity::error;
  errors_ += is_error ? 1 : 0;
  if (list_.size() < problems_max) {
    list_.push_back(std::move(problem));
    return;
  }
  ++left_out_;
  if (!is_error) return;
  const auto warning = std::find_if(list_.begin(), list_.end(), [](const Problem& kept) {
    return kept.severity == Severity::warning;
  });
  if (warning == list_.end()) return;
  list_.erase(warning);
  list_.push_back(std::move(problem));
}

std::string Problems::text() const {
  std::string lines;
  for (const Problem& problem : list_) lines += to_string(problem) + "\n";
  if (left_out_ > 0) lines += fmt::format("and {} more\n", left_out_);
  return lines;
}

Error Problems::as_error() const {
  std::string message = text();
  if (!message.empty()) message.pop_back();
  return Error{ErrorKind::invalid_argument, std::move(message)};
}

}  // namespace millrace::config
