module;
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

module millrace.config;

namespace millrace::config {
namespace {

// Bytes of the sequence that begins with `lead`; 0 for a byte that begins none.
std::size_t sequence_length(unsigned char lead) {
  if (lead < 0x80) return 1;
  if (lead >= 0xc2 && lead < 0xe0) return 2;
  if (lead >= 0xe0 && lead < 0xf0) return 3;
  if (lead >= 0xf0 && lead < 0xf5) return 4;
  return 0;
}

std::uint32_t decode(std::string_view sequence) {
  constexpr std::array<std::uint32_t, 5> lead_mask = {0, 0x7f, 0x1f, 0x0f, 0x07};
  std::uint32_t code_point =
      static_cast<unsigned char>(sequence.front()) & lead_mask[sequence.size()];
  for (const char byte : sequence.substr(1)) {
    code_point = (code_point << 6) | (static_cast<unsigned char>(byte) & 0x3f);
  }
  return code_point;
}

}  // namespace

bool is_utf8(std::string_view bytes) {
  constexpr std::array<std::uint32_t, 5> smallest = {0, 0, 0x80, 0x800, 0x10000};
  while (!bytes.empty()) {
    const std::size_t length = sequence_length(static_cast<unsigned char>(bytes.front()));
    if (length == 0 || length > bytes.size()) return false;
    for (const char byte : bytes.substr(1, length - 1)) {
      if ((static_cast<unsigned char>(byte) & 0xc0) != 0x80) return false;
    }
    const std::uint32_t code_point = decode(bytes.substr(0, length));
    if (code_point < smallest[length] || code_point > 0x10ffff) return false;
    if (is_high_surrogate(code_point) || is_low_surrogate(code_point)) return false;
    bytes.remove_prefix(length);
  }
  return true;
}

std::uint32_t take_code_point(std::string_view& bytes) {
  const std::size_t length = sequence_length(static_cast<unsigned char>(bytes.front()));
  const std::uint32_t code_point = decode(bytes.substr(0, length));
  bytes.remove_prefix(length);
  return code_point;
}

void append_utf8(std::string& text, std::uint32_t code_point) {
  const auto tail = [&text, code_point](unsigned shift) {
    text += static_cast<char>(0x80 | ((code_point >> shift) & 0x3f));
  };
  if (code_point < 0x80) {
    text += static_cast<char>(code_point);
  } else if (code_point < 0x800) {
    text += static_cast<char>(0xc0 | (code_point >> 6));
    tail(0);
  } else if (code_point < 0x10000) {
    text += static_cast<char>(0xe0 | (code_point >> 12));
    tail(6);
    tail(0);
  } else {
    text += static_cast<char>(0xf0 | (code_point >> 18));
    tail(12);
    tail(6);
    tail(0);
  }
}

}  // namespace millrace::config
