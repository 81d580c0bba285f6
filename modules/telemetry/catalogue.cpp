// The documentation of all metrics.
module;
#include <cstddef>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

module millrace.telemetry;

import millrace.base;
import :state;

namespace millrace::telemetry {
namespace {

// A cell of a table ends at a bar and at a line break.
void append_cell(std::string& to, std::string_view text) {
  for (const char character : text) {
    if (character == '|' || character == '\\') to += '\\';
    to += character == '\n' ? ' ' : character;
  }
}

}  // namespace

std::string Registry::documentation() const {
  std::string text = "| metric | type | labels | meaning |\n|---|---|---|---|\n";
  const std::scoped_lock lock(state_->mutex);
  for (const auto& [name, metric] : state_->metrics) {
    text += formatted("| `{}` | {} | ", name, type_of(metric));
    for (std::size_t i = 0; i < metric.labels.size(); ++i) {
      text += formatted("{}`{}`", i == 0 ? "" : ", ", metric.labels[i]);
    }
    text += metric.labels.empty() ? "| " : " | ";
    append_cell(text, metric.help);
    text += " |\n";
  }
  return text;
}

}  // namespace millrace::telemetry
