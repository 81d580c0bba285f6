// How keys and values of records become bytes and come back.
#pragma once
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "millrace/abi.hpp"
#include "millrace/bytes.hpp"
#include "millrace/result.hpp"
#include "millrace/uuid.hpp"

namespace millrace::inline v1 {

// What a serializer is: serialize() appends to the buffer, deserialize() reads all of the bytes.
// Bytes that are null are an error, except where the serializer says otherwise. Used by several
// threads at a time, it must not change.
template <class S, class T>
concept SerializerOf =
    requires(const S& serializer, const T& value, std::string& buffer, BytesView bytes) {
      serializer.serialize(value, buffer);
      { serializer.deserialize(bytes) } -> std::same_as<Result<T>>;
    };

// "a record's bytes cannot be read as ...": how deserializers fail.
[[nodiscard]] MILLRACE_API Error cannot_deserialize(std::string_view as, std::string_view why);

namespace detail {

// "12 bytes", or that they are null.
[[nodiscard]] MILLRACE_API Error wrong_size(std::string_view as, BytesView bytes);

}  // namespace detail

class TextSerializer {
 public:
  void serialize(std::string_view text, std::string& buffer) const { buffer += text; }
  [[nodiscard]] Result<std::string> deserialize(BytesView bytes) const {
    if (bytes.is_null()) return detail::wrong_size("text", bytes);
    return std::string(bytes.text());
  }
};

class BytesSerializer {
 public:
  void serialize(std::span<const std::byte> bytes, std::string& buffer) const {
    buffer += BytesView(bytes).text();
  }
  [[nodiscard]] Result<std::vector<std::byte>> deserialize(BytesView bytes) const {
    if (bytes.is_null()) return detail::wrong_size("bytes", bytes);
    return std::vector<std::byte>(bytes.bytes().begin(), bytes.bytes().end());
  }
};

// Numbers of a fixed size, the highest byte first.
template <class Number, class Bits>
  requires(sizeof(Number) == sizeof(Bits) && sizeof(Bits) >= 2 && std::unsigned_integral<Bits>)
class NumberSerializer {
 public:
  void serialize(Number number, std::string& buffer) const {
    const auto bits = std::bit_cast<Bits>(number);
    for (std::size_t byte = sizeof(Bits); byte-- > 0;)
      buffer += static_cast<char>(static_cast<unsigned char>(bits >> (8 * byte)));
  }
  [[nodiscard]] Result<Number> deserialize(BytesView bytes) const {
    if (bytes.is_null() || bytes.size() != sizeof(Bits))
      return detail::wrong_size(size_name(), bytes);
    Bits bits = 0;
    for (const char byte : bytes.text())
      bits = static_cast<Bits>(static_cast<Bits>(bits << 8U) | static_cast<unsigned char>(byte));
    return std::bit_cast<Number>(bits);
  }

 private:
  [[nodiscard]] static constexpr std::string_view size_name() {
    if constexpr (sizeof(Bits) == 2) return "a number of 2 bytes";
    if constexpr (sizeof(Bits) == 4) return "a number of 4 bytes";
    return "a number of 8 bytes";
  }
};

class UuidSerializer {
 public:
  void serialize(const Uuid& uuid, std::string& buffer) const { buffer += to_string(uuid); }
  [[nodiscard]] Result<Uuid> deserialize(BytesView bytes) const {
    if (const auto uuid = uuid_from_string(bytes.text())) return *uuid;
    return cannot_deserialize("UUID", "it is not written as one");
  }
};

// The same bytes as Java's serializers of String, byte[], Short, Integer, Long, Float, Double,
// UUID.
[[nodiscard]] constexpr TextSerializer text() {
  return {};
}
[[nodiscard]] constexpr BytesSerializer bytes() {
  return {};
}
[[nodiscard]] constexpr NumberSerializer<std::int16_t, std::uint16_t> int16() {
  return {};
}
[[nodiscard]] constexpr NumberSerializer<std::int32_t, std::uint32_t> int32() {
  return {};
}
[[nodiscard]] constexpr NumberSerializer<std::int64_t, std::uint64_t> int64() {
  return {};
}
[[nodiscard]] constexpr NumberSerializer<float, std::uint32_t> float32() {
  return {};
}
[[nodiscard]] constexpr NumberSerializer<double, std::uint64_t> float64() {
  return {};
}
[[nodiscard]] constexpr UuidSerializer uuid() {
  return {};
}

}  // namespace millrace::inline v1
