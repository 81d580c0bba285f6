// Variable-length integers as Kafka writes them: seven bits a byte, least significant first; signed
// ones zigzag. A 32-bit value takes at most 5 bytes, a 64-bit one at most 10; longer encodings are
// refused.
module;
#include <cstddef>
#include <cstdint>

export module millrace.base:varint;

export namespace millrace {

inline constexpr std::size_t varint_bytes_max = 5;
inline constexpr std::size_t varlong_bytes_max = 10;

[[nodiscard]] constexpr std::uint32_t zigzag(std::int32_t value) {
  return (static_cast<std::uint32_t>(value) << 1) ^ static_cast<std::uint32_t>(value >> 31);
}
[[nodiscard]] constexpr std::uint64_t zigzag(std::int64_t value) {
  return (static_cast<std::uint64_t>(value) << 1) ^ static_cast<std::uint64_t>(value >> 63);
}
[[nodiscard]] constexpr std::int32_t unzigzag(std::uint32_t value) {
  return static_cast<std::int32_t>((value >> 1) ^ (~(value & 1) + 1));
}
[[nodiscard]] constexpr std::int64_t unzigzag(std::uint64_t value) {
  return static_cast<std::int64_t>((value >> 1) ^ (~(value & 1) + 1));
}

// How many bytes the unsigned form takes: one for each started group of seven bits.
[[nodiscard]] constexpr std::size_t unsigned_varint_size(std::uint64_t value) {
  const auto bits = static_cast<unsigned>(64 - __builtin_clzll(value | 1));
  return (bits * 9 + 64) / 64;
}
[[nodiscard]] constexpr std::size_t varint_size(std::int32_t value) {
  return unsigned_varint_size(zigzag(value));
}
[[nodiscard]] constexpr std::size_t varlong_size(std::int64_t value) {
  return unsigned_varint_size(zigzag(value));
}

// Reads an unsigned varint from [from, end). Returns the position after it, or null when it is cut
// off or longer or larger than the type allows.
[[nodiscard]] inline const std::byte* read_unsigned_varint(const std::byte* from,
                                                           const std::byte* end,
                                                           std::uint32_t& value) {
  if (from != end && static_cast<std::uint8_t>(*from) < 0x80) [[likely]] {
    value = static_cast<std::uint8_t>(*from);
    return from + 1;
  }
  std::uint32_t result = 0;
  for (unsigned shift = 0; shift < 35 && from != end; shift += 7) {
    const auto byte = static_cast<std::uint8_t>(*from++);
    if (shift == 28 && byte > 0x0f) return nullptr;
    result |= static_cast<std::uint32_t>(byte & 0x7f) << shift;
    if (byte < 0x80) {
      value = result;
      return from;
    }
  }
  return nullptr;
}

[[nodiscard]] inline const std::byte* read_unsigned_varlong(const std::byte* from,
                                                            const std::byte* end,
                                                            std::uint64_t& value) {
  if (from != end && static_cast<std::uint8_t>(*from) < 0x80) [[likely]] {
    value = static_cast<std::uint8_t>(*from);
    return from + 1;
  }
  std::uint64_t result = 0;
  for (unsigned shift = 0; shift < 70 && from != end; shift += 7) {
    const auto byte = static_cast<std::uint8_t>(*from++);
    if (shift == 63 && byte > 0x01) return nullptr;
    result |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) {
      value = result;
      return from;
    }
  }
  return nullptr;
}

[[nodiscard]] inline const std::byte* read_varint(const std::byte* from, const std::byte* end,
                                                  std::int32_t& value) {
  std::uint32_t raw = 0;
  const std::byte* after = read_unsigned_varint(from, end, raw);
  value = unzigzag(raw);
  return after;
}

[[nodiscard]] inline const std::byte* read_varlong(const std::byte* from, const std::byte* end,
                                                   std::int64_t& value) {
  std::uint64_t raw = 0;
  const std::byte* after = read_unsigned_varlong(from, end, raw);
  value = unzigzag(raw);
  return after;
}

// Writes without a bound: the caller has reserved unsigned_varint_size(value) bytes.
inline std::byte* write_unsigned_varint(std::byte* to, std::uint64_t value) {
  while (value >= 0x80) {
    *to++ = static_cast<std::byte>(value | 0x80);
    value >>= 7;
  }
  *to++ = static_cast<std::byte>(value);
  return to;
}
inline std::byte* write_varint(std::byte* to, std::int32_t value) {
  return write_unsigned_varint(to, zigzag(value));
}
inline std::byte* write_varlong(std::byte* to, std::int64_t value) {
  return write_unsigned_varint(to, zigzag(value));
}

}  // namespace millrace
