module;
#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

module millrace.base;

namespace millrace {
namespace {

using Table = std::array<std::uint32_t, 256>;

// tables[n][byte]: what `byte` contributes when n more bytes follow it.
constexpr std::array<Table, 8> make_tables() {
  std::array<Table, 8> tables{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t value = byte;
    for (int bit = 0; bit < 8; ++bit) value = castagnoli::times_x(value);
    tables[0][byte] = value;
  }
  for (std::size_t following = 1; following < 8; ++following) {
    for (std::size_t byte = 0; byte < 256; ++byte) {
      const std::uint32_t nearer = tables[following - 1][byte];
      tables[following][byte] = (nearer >> 8) ^ tables[0][nearer & 0xff];
    }
  }
  return tables;
}

constexpr std::array<Table, 8> tables = make_tables();

std::uint64_t load_little_endian(const std::byte* from) {
  std::uint64_t value;
  std::memcpy(&value, from, sizeof value);
  if constexpr (std::endian::native == std::endian::big) return swap_bytes(value);
  return value;
}

// Eight bytes at a time, each looked up in the table for its place.
std::uint32_t extend_portably(std::uint32_t crc, const std::byte* data, std::size_t size) {
  std::uint32_t state = ~crc;
  for (; size >= 8; data += 8, size -= 8) {
    const std::uint64_t word = load_little_endian(data) ^ state;
    std::uint32_t next = 0;
    for (std::size_t place = 0; place < 8; ++place) {
      next ^= tables[7 - place][(word >> (8 * place)) & 0xff];
    }
    state = next;
  }
  for (; size > 0; ++data, --size) {
    state = (state >> 8) ^ tables[0][(state ^ static_cast<std::uint32_t>(*data)) & 0xff];
  }
  return ~state;
}

std::uint32_t choose_and_extend(std::uint32_t crc, const std::byte* data, std::size_t size);

// Holds the chooser until the first call. Threads that meet there choose the same: no lock is
// needed.
constinit std::atomic<Crc32cImplementation::Extend> chosen{&choose_and_extend};

std::uint32_t choose_and_extend(std::uint32_t crc, const std::byte* data, std::size_t size) {
  const Crc32cImplementation::Extend fastest = crc32c_implementations().front().extend;
  chosen.store(fastest, std::memory_order_relaxed);
  return fastest(crc, data, size);
}

}  // namespace

std::uint32_t crc32c_extend(std::uint32_t crc, ByteView bytes) {
  return chosen.load(std::memory_order_relaxed)(crc, bytes.data(), bytes.size());
}

std::uint32_t crc32c_combine(std::uint32_t first, std::uint32_t second,
                             std::uint64_t second_bytes) {
  return castagnoli::multiply(first, castagnoli::x_to_the(second_bytes * 8)) ^ second;
}

std::span<const Crc32cImplementation> crc32c_implementations() {
  static const castagnoli::ImplementationList list = [] {
    castagnoli::ImplementationList found;
    castagnoli::append_x86_implementations(found);
    found.append({"portable tables", &extend_portably});
    return found;
  }();
  return {list.items.data(), list.count};
}

}  // namespace millrace
