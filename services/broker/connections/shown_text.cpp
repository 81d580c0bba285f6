module;
#include <cstddef>
#include <string>
#include <string_view>

module millrace.broker.connections;

import millrace.base;

namespace millrace::broker {

std::string to_string(const ShownText& shown) {
  const std::string_view text = shown.text;
  if (text.size() <= shown_bytes_max) return std::string(text);
  // Not within a character: what is left of one is no text.
  std::size_t end = shown_bytes_max;
  while (end > shown_bytes_max - 4 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
  return formatted("{}... ({} more bytes)", text.substr(0, end), text.size() - end);
}

}  // namespace millrace::broker
