module;
#include <cstddef>
#include <string>
#include <string_view>

module millrace.base;

namespace millrace {
namespace {

constexpr std::string_view base64_alphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
// 128 bits at six a character; the last character carries two bits, then four zeros.
constexpr std::size_t uuid_characters = 22;

}  // namespace

std::string to_string(const Uuid& uuid) {
  std::string text;
  text.reserve(uuid_characters);
  unsigned bits = 0;
  unsigned pending = 0;
  for (const std::byte byte : uuid.bytes) {
    pending = (pending << 8) | static_cast<unsigned>(byte);
    bits += 8;
    while (bits >= 6) {
      bits -= 6;
      text.push_back(base64_alphabet[(pending >> bits) & 0x3f]);
    }
    pending &= (1u << bits) - 1;
  }
  text.push_back(base64_alphabet[(pending << (6 - bits)) & 0x3f]);
  return text;
}

Result<Uuid> uuid_from_string(std::string_view text) {
  if (text.size() != uuid_characters) {
    return failure(ErrorKind::invalid_argument,
                   formatted("an id has {} characters of URL-safe base64, not {}", uuid_characters,
                             text.size()));
  }
  Uuid uuid;
  std::size_t filled = 0;
  unsigned bits = 0;
  unsigned pending = 0;
  for (const char character : text) {
    const std::size_t value = base64_alphabet.find(character);
    if (value == std::string_view::npos) {
      return failure(ErrorKind::invalid_argument,
                     "an id consists of A to Z, a to z, 0 to 9, '-' and '_' only");
    }
    pending = (pending << 6) | static_cast<unsigned>(value);
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      uuid.bytes[filled++] = static_cast<std::byte>(pending >> bits);
    }
    pending &= (1u << bits) - 1;
  }
  if (pending != 0) {
    return failure(ErrorKind::invalid_argument, "the last character of an id is one of A, Q, g, w");
  }
  return uuid;
}

}  // namespace millrace
