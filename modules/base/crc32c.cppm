// CRC32C (Castagnoli), the checksum of record batches: by the processor's own instructions where it
// has them, and the same result everywhere else.
module;
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

export module millrace.base:crc32c;

import :bytes;

export namespace millrace {

// The checksum of (the bytes that gave `crc`) followed by `bytes`. The checksum of nothing is 0.
// Safe from any thread; the fastest way that this processor knows is found at the first call.
[[nodiscard]] std::uint32_t crc32c_extend(std::uint32_t crc, ByteView bytes);

[[nodiscard]] inline std::uint32_t crc32c(ByteView bytes) {
  return crc32c_extend(0, bytes);
}

// The checksum of two strings of bytes joined, from the checksum of each and the length of the
// second. Costs a microsecond or two, whatever the length.
[[nodiscard]] std::uint32_t crc32c_combine(std::uint32_t first, std::uint32_t second,
                                           std::uint64_t second_bytes);

// One way to compute it. `extend` has the meaning of crc32c_extend.
struct Crc32cImplementation {
  using Extend = std::uint32_t (*)(std::uint32_t crc, const std::byte* data, std::size_t size);

  std::string_view name;
  Extend extend = nullptr;
};

// The ways that this processor can go, fastest first; the portable one is always there.
// crc32c_extend takes the first. For tests, benchmarks and the line in the log at start-up.
[[nodiscard]] std::span<const Crc32cImplementation> crc32c_implementations();

}  // namespace millrace

// Inside the module: arithmetic on polynomials over GF(2) modulo Castagnoli's. A polynomial is
// written as the checksum is: the highest bit is the coefficient of x^0, the lowest that of x^31.
namespace millrace::castagnoli {

inline constexpr std::uint32_t polynomial = 0x82f63b78;  // without its x^32
inline constexpr std::uint32_t one = 0x80000000;

[[nodiscard]] constexpr std::uint32_t times_x(std::uint32_t value) {
  return (value >> 1) ^ (polynomial & (~(value & 1) + 1));
}

[[nodiscard]] constexpr std::uint32_t multiply(std::uint32_t left, std::uint32_t right) {
  std::uint32_t product = 0;
  for (std::uint32_t bit = one; bit != 0; bit >>= 1) {
    if ((left & bit) != 0) product ^= right;
    right = times_x(right);
  }
  return product;
}

[[nodiscard]] constexpr std::uint32_t x_to_the(std::uint64_t exponent) {
  std::uint32_t result = one;
  std::uint32_t square = times_x(one);
  for (; exponent != 0; exponent >>= 1) {
    if ((exponent & 1) != 0) result = multiply(result, square);
    square = multiply(square, square);
  }
  return result;
}

// What crc32c_implementations() gives; filled once.
struct ImplementationList {
  std::array<Crc32cImplementation, 3> items;
  std::size_t count = 0;

  void append(Crc32cImplementation implementation) { items[count++] = implementation; }
};

// Those for x86-64 that this processor supports, fastest first; none on other processors.
void append_x86_implementations(ImplementationList& list);

}  // namespace millrace::castagnoli
