module;
#include <cstddef>
#include <string>
#include <string_view>

module millrace.base;

namespace millrace {

std::string to_string(const Uuid& uuid) {
  constexpr std::string_view alphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::string text;
  unsigned bits = 0;
  unsigned pending = 0;
  for (const std::byte byte : uuid.bytes) {
    pending = (pending << 8) | static_cast<unsigned>(byte);
    bits += 8;
    while (bits >= 6) {
      bits -= 6;
      text.push_back(alphabet[(pending >> bits) & 0x3f]);
    }
    pending &= (1u << bits) - 1;
  }
  text.push_back(alphabet[(pending << (6 - bits)) & 0x3f]);
  return text;
}

}  // namespace millrace
