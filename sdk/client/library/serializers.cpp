#include "millrace/serializers.hpp"

#include <algorithm>
#include <string>

namespace millrace::inline v1 {

namespace {

constexpr std::string_view hex_digits = "0123456789abcdef";
constexpr std::size_t uuid_text_length = 36;

// Before which bytes a UUID has its dashes.
constexpr bool dash_before(std::size_t byte) {
  return byte == 4 || byte == 6 || byte == 8 || byte == 10;
}

std::optional<unsigned> hex_value(char letter) {
  if (letter >= 'A' && letter <= 'F') letter = static_cast<char>(letter - 'A' + 'a');
  const auto place = hex_digits.find(letter);
  if (place == std::string_view::npos) return std::nullopt;
  return static_cast<unsigned>(place);
}

}  // namespace

Error cannot_deserialize(std::string_view as, std::string_view why) {
  return Error({.code = ErrorCode::corrupt_message, .origin = Origin::client},
               "a record's bytes cannot be read as " + std::string(as) + ": " + std::string(why));
}

Error detail::wrong_size(std::string_view as, BytesView bytes) {
  return cannot_deserialize(
      as, bytes.is_null() ? "there are none" : "there are " + std::to_string(bytes.size()));
}

std::string to_string(const Uuid& uuid) {
  std::string text;
  text.reserve(uuid_text_length);
  for (std::size_t index = 0; index < uuid.bytes.size(); ++index) {
    if (dash_before(index)) text += '-';
    const auto byte = std::to_integer<unsigned>(uuid.bytes[index]);
    text += hex_digits[byte >> 4U];
    text += hex_digits[byte & 15U];
  }
  return text;
}

std::optional<Uuid> uuid_from_string(std::string_view text) {
  if (text.size() != uuid_text_length) return std::nullopt;
  Uuid uuid;
  std::size_t place = 0;
  for (std::size_t index = 0; index < uuid.bytes.size(); ++index) {
    if (dash_before(index) && text[place++] != '-') return std::nullopt;
    const auto high = hex_value(text[place++]);
    const auto low = hex_value(text[place++]);
    if (!high || !low) return std::nullopt;
    uuid.bytes[index] = static_cast<std::byte>(*high << 4U | *low);
  }
  return uuid;
}

}  // namespace millrace::inline v1
