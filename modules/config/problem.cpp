module;
#include <fmt/format.h>

#include <algorithm>
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
  const std::string_view kept = cut(word);
  std::string text;
  text.reserve(kept.size());
  for (std::size_t i = 0; i < kept.size(); ++i) {
    const auto byte = static_cast<unsigned char>(kept[i]);
    const auto next = static_cast<unsigned char>(i + 1 < kept.size() ? kept[i + 1] : 0);
    // The control characters above ASCII begin with c2, and terminals obey some of them.
    if (byte < 0x20 || byte == 0x7f || (byte == 0xc2 && next >= 0x80 && next < 0xa0)) {
      text += fmt::format("\\x{:02x}", byte);
    } else if (i > 0 && byte >= 0x80 && byte < 0xa0 && kept[i - 1] == '\xc2') {
      text += fmt::format("\\x{:02x}", byte);
    } else {
      text += kept[i];
    }
  }
  if (kept.size() < word.size()) text += "...";
  return text;
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
