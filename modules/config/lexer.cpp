module;
#include <optional>
#include <string>
#include <string_view>

module millrace.config;

namespace millrace::config {

std::optional<LogicalLine> PropertyLines::next() {
  joined_.clear();
  is_too_long_ = false;
  bool at_line_start = true;
  bool after_backslash = false;
  while (position_ < text_.size()) {
    const char character = text_[position_];
    if (at_line_start && is_property_space(character)) {
      ++position_;
      continue;
    }
    if (joined_.empty() && (character == '#' || character == '!')) {
      skip_comment();
      at_line_start = true;
      continue;
    }
    const Terminator terminator = take_terminator();
    if (!terminator.found) {
      ++position_;
      append(character);
      after_backslash = character == '\\' && !after_backslash;
      at_line_start = false;
      continue;
    }
    at_line_start = true;
    if (joined_.empty()) continue;
    // Java sees the end of the file right behind a single byte only, not within a pair.
    if (position_ == text_.size() && !terminator.is_pair) return finish(after_backslash);
    if (!after_backslash) return finish(false);
    joined_.pop_back();
    after_backslash = false;
  }
  if (joined_.empty()) return std::nullopt;
  return finish(after_backslash);
}

PropertyLines::Terminator PropertyLines::take_terminator() {
  const char first = text_[position_];
  if (first != '\n' && first != '\r') return {};
  ++position_;
  ++line_;
  const bool is_pair = first == '\r' && position_ < text_.size() && text_[position_] == '\n';
  if (is_pair) ++position_;
  return {.found = true, .is_pair = is_pair};
}

void PropertyLines::skip_comment() {
  while (position_ < text_.size() && !take_terminator().found) ++position_;
}

void PropertyLines::append(char character) {
  if (joined_.empty()) first_line_ = line_;
  if (joined_.size() < line_bytes_max) {
    joined_ += character;
  } else {
    is_too_long_ = true;
  }
}

LogicalLine PropertyLines::finish(bool drop_backslash) {
  if (drop_backslash) joined_.pop_back();
  return {.text = joined_, .line = first_line_, .is_too_long = is_too_long_};
}

}  // namespace millrace::config
