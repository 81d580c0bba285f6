#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <thread>
#include <vector>

import millrace.base;

namespace millrace {
namespace {

// One bit after the other: slow, and too simple to be wrong.
std::uint32_t crc32c_by_bits(std::uint32_t crc, ByteView bytes) {
  std::uint32_t state = ~crc;
  for (const std::byte byte : bytes) {
    state ^= static_cast<std::uint32_t>(byte);
    for (int bit = 0; bit < 8; ++bit) {
      state = (state & 1) != 0 ? (state >> 1) ^ 0x82f63b78u : state >> 1;
    }
  }
  return ~state;
}

std::vector<std::byte> random_bytes(std::size_t size) {
  std::mt19937 random(20);
  std::vector<std::byte> bytes(size);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random());
  return bytes;
}

std::vector<std::byte> counted_bytes(int first, int step) {
  std::vector<std::byte> bytes;
  for (int i = 0; i < 32; ++i) bytes.push_back(static_cast<std::byte>(first + step * i));
  return bytes;
}

TEST(Crc32c, gives_the_values_of_rfc_3720) {
  struct Known {
    std::vector<std::byte> bytes;
    std::uint32_t crc;
  };
  const std::vector<Known> vectors = {
      {counted_bytes(0x00, 0), 0x8a9136aa},
      {counted_bytes(0xff, 0), 0x62a8ab43},
      {counted_bytes(0, 1), 0x46dd794e},
      {counted_bytes(31, -1), 0x113fdb5c},
  };
  for (const Crc32cImplementation& way : crc32c_implementations()) {
    for (const Known& known : vectors) {
      EXPECT_EQ(way.extend(0, known.bytes.data(), known.bytes.size()), known.crc) << way.name;
    }
    const ByteView digits = as_bytes("123456789");
    EXPECT_EQ(way.extend(0, digits.data(), digits.size()), 0xe3069283u) << way.name;
  }
}

TEST(Crc32c, of_nothing_is_what_it_was) {
  EXPECT_EQ(crc32c({}), 0u);
  EXPECT_EQ(crc32c_extend(0x12345678, {}), 0x12345678u);
  for (const Crc32cImplementation& way : crc32c_implementations()) {
    EXPECT_EQ(way.extend(0x12345678, nullptr, 0), 0x12345678u) << way.name;
  }
}

TEST(Crc32c, every_implementation_agrees_at_all_lengths_and_alignments) {
  constexpr std::size_t length_max = 1024;
  constexpr std::size_t alignments = 64;
  const std::vector<std::byte> bytes = random_bytes(length_max + alignments);
  for (std::size_t start = 0; start < alignments; ++start) {
    std::uint32_t expected = 0;
    for (std::size_t length = 0; length <= length_max; ++length) {
      const std::byte* from = bytes.data() + start;
      if (length > 0) expected = crc32c_by_bits(expected, {from + length - 1, 1});
      for (const Crc32cImplementation& way : crc32c_implementations()) {
        ASSERT_EQ(way.extend(0, from, length), expected)
            << way.name << ", " << length << " bytes at alignment " << start;
      }
    }
  }
}

void expect_agreement(std::size_t length) {
  const std::vector<std::byte> bytes = random_bytes(length);
  const std::uint32_t expected = crc32c_by_bits(0xdeadbeef, bytes);
  for (const Crc32cImplementation& way : crc32c_implementations()) {
    EXPECT_EQ(way.extend(0xdeadbeef, bytes.data(), length), expected)
        << way.name << ", " << length << " bytes";
  }
}

// The memory is exactly as long as the data: under the address sanitizer a read past the end stops.
TEST(Crc32c, no_implementation_reads_past_the_end) {
  for (std::size_t length = 0; length <= 800; ++length) expect_agreement(length);
}

TEST(Crc32c, every_implementation_agrees_on_long_inputs) {
  for (const std::size_t length : {3071u, 3072u, 3073u, 6144u, 65535u, 65536u, 65537u, 200'000u}) {
    expect_agreement(length);
  }
}

TEST(Crc32c, extends_across_any_cut) {
  const std::vector<std::byte> bytes = random_bytes(700);
  const ByteView all = bytes;
  const std::uint32_t whole = crc32c_by_bits(0, all);
  for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
    for (const Crc32cImplementation& way : crc32c_implementations()) {
      const std::uint32_t first = way.extend(0, bytes.data(), cut);
      ASSERT_EQ(way.extend(first, bytes.data() + cut, bytes.size() - cut), whole)
          << way.name << ", cut at " << cut;
    }
    ASSERT_EQ(crc32c_extend(crc32c(all.first(cut)), all.subspan(cut)), whole);
  }
}

TEST(Crc32c, combines_the_checksums_of_two_parts) {
  const std::vector<std::byte> bytes = random_bytes(5000);
  const ByteView all = bytes;
  for (const std::size_t cut : {0u, 1u, 7u, 64u, 2500u, 4999u, 5000u}) {
    EXPECT_EQ(crc32c_combine(crc32c(all.first(cut)), crc32c(all.subspan(cut)), bytes.size() - cut),
              crc32c(all))
        << "cut at " << cut;
  }
}

TEST(Crc32c, a_changed_bit_changes_the_checksum) {
  std::vector<std::byte> bytes = random_bytes(600);
  const std::uint32_t before = crc32c(bytes);
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    const auto mask = static_cast<std::byte>(1u << (bit % 8));
    bytes[bit / 8] ^= mask;
    ASSERT_NE(crc32c(bytes), before) << "bit " << bit;
    bytes[bit / 8] ^= mask;
  }
}

TEST(Crc32c, offers_the_portable_implementation_last) {
  ASSERT_FALSE(crc32c_implementations().empty());
  EXPECT_EQ(crc32c_implementations().back().name, "portable tables");
}

TEST(Crc32c, many_threads_may_call_at_once) {
  const std::vector<std::byte> bytes = random_bytes(1000);
  const std::uint32_t expected = crc32c_by_bits(0, bytes);
  std::vector<std::uint32_t> seen(4);
  std::vector<std::thread> threads;
  for (std::uint32_t& result : seen) {
    threads.emplace_back([&result, &bytes] { result = crc32c(bytes); });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(seen, std::vector<std::uint32_t>(4, expected));
}

}  // namespace
}  // namespace millrace
