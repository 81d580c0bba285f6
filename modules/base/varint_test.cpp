#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

import millrace.base;

namespace millrace {
namespace {

using Bytes = std::vector<std::byte>;

Bytes bytes_of(std::initializer_list<int> values) {
  Bytes bytes;
  for (const int value : values) bytes.push_back(static_cast<std::byte>(value));
  return bytes;
}

Bytes written(std::uint64_t value) {
  std::array<std::byte, varlong_bytes_max> room{};
  const std::byte* end = write_unsigned_varint(room.data(), value);
  return Bytes(std::as_const(room).data(), end);
}

// What a read of all the bytes gave: whether it was taken, how far it went, and the value.
template <class Value>
struct Seen {
  bool taken = false;
  std::size_t bytes = 0;
  Value value = 0;

  friend bool operator==(const Seen&, const Seen&) = default;
};

template <class Value>
Seen<Value> seen(const Bytes& bytes,
                 const std::byte* (*read)(const std::byte*, const std::byte*, Value&)) {
  Value value = 0;
  const std::byte* after = read(bytes.data(), bytes.data() + bytes.size(), value);
  if (after == nullptr) return {};
  return {true, static_cast<std::size_t>(after - bytes.data()), value};
}

using Seen32 = Seen<std::uint32_t>;
using Seen64 = Seen<std::uint64_t>;

// The first and last value of every encoded length.
std::vector<std::uint64_t> boundaries(unsigned bits) {
  std::vector<std::uint64_t> values = {0, 1};
  for (unsigned shift = 7; shift < bits; shift += 7) {
    values.push_back((std::uint64_t{1} << shift) - 1);
    values.push_back(std::uint64_t{1} << shift);
    values.push_back((std::uint64_t{1} << shift) + 1);
  }
  values.push_back(bits == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << bits) - 1);
  values.push_back(values.back() - 1);
  return values;
}

TEST(Varint, writes_seven_bits_a_byte_least_significant_first) {
  EXPECT_EQ(written(0), bytes_of({0x00}));
  EXPECT_EQ(written(1), bytes_of({0x01}));
  EXPECT_EQ(written(127), bytes_of({0x7f}));
  EXPECT_EQ(written(128), bytes_of({0x80, 0x01}));
  EXPECT_EQ(written(300), bytes_of({0xac, 0x02}));
  EXPECT_EQ(written(16'384), bytes_of({0x80, 0x80, 0x01}));
  EXPECT_EQ(written(0xffff'ffff), bytes_of({0xff, 0xff, 0xff, 0xff, 0x0f}));
  EXPECT_EQ(written(~std::uint64_t{0}),
            bytes_of({0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01}));
}

TEST(Varint, zigzag_puts_small_magnitudes_first) {
  EXPECT_EQ(zigzag(std::int32_t{0}), 0u);
  EXPECT_EQ(zigzag(std::int32_t{-1}), 1u);
  EXPECT_EQ(zigzag(std::int32_t{1}), 2u);
  EXPECT_EQ(zigzag(std::numeric_limits<std::int32_t>::max()), 0xffff'fffeu);
  EXPECT_EQ(zigzag(std::numeric_limits<std::int32_t>::min()), 0xffff'ffffu);
  EXPECT_EQ(zigzag(std::numeric_limits<std::int64_t>::max()), ~std::uint64_t{1});
  EXPECT_EQ(zigzag(std::numeric_limits<std::int64_t>::min()), ~std::uint64_t{0});
}

TEST(Varint, boundary_values_come_back_with_the_size_foretold) {
  for (const std::uint64_t value : boundaries(32)) {
    const Bytes bytes = written(value);
    EXPECT_EQ(bytes.size(), unsigned_varint_size(value)) << value;
    EXPECT_EQ(seen<std::uint32_t>(bytes, read_unsigned_varint),
              (Seen32{true, bytes.size(), static_cast<std::uint32_t>(value)}));
  }
  for (const std::uint64_t value : boundaries(64)) {
    const Bytes bytes = written(value);
    EXPECT_EQ(bytes.size(), unsigned_varint_size(value)) << value;
    EXPECT_EQ(seen<std::uint64_t>(bytes, read_unsigned_varlong),
              (Seen64{true, bytes.size(), value}));
  }
}

TEST(Varint, the_longest_forms_have_the_named_lengths) {
  EXPECT_EQ(unsigned_varint_size(0xffff'ffff), varint_bytes_max);
  EXPECT_EQ(unsigned_varint_size(~std::uint64_t{0}), varlong_bytes_max);
  EXPECT_EQ(varint_size(std::numeric_limits<std::int32_t>::min()), varint_bytes_max);
  EXPECT_EQ(varlong_size(std::numeric_limits<std::int64_t>::min()), varlong_bytes_max);
}

TEST(Varint, stops_after_its_last_byte) {
  const Bytes bytes = bytes_of({0xac, 0x02, 0xff, 0x00});
  EXPECT_EQ(seen<std::uint32_t>(bytes, read_unsigned_varint), (Seen32{true, 2, 300}));
  EXPECT_EQ(seen<std::uint64_t>(bytes, read_unsigned_varlong), (Seen64{true, 2, 300}));
}

// Each input is exactly as long as the bytes: under the address sanitizer a read past the end
// stops.
TEST(Varint, refuses_every_truncation) {
  for (const std::uint64_t value : boundaries(64)) {
    Bytes bytes = written(value);
    while (!bytes.empty()) {
      bytes.pop_back();
      bytes.shrink_to_fit();
      EXPECT_FALSE(seen<std::uint32_t>(bytes, read_unsigned_varint).taken) << value;
      EXPECT_FALSE(seen<std::uint64_t>(bytes, read_unsigned_varlong).taken) << value;
    }
  }
}

TEST(Varint, refuses_more_bytes_than_the_type_can_need) {
  const Bytes six = bytes_of({0x80, 0x80, 0x80, 0x80, 0x80, 0x00});
  EXPECT_FALSE(seen<std::uint32_t>(six, read_unsigned_varint).taken);
  EXPECT_EQ(seen<std::uint64_t>(six, read_unsigned_varlong), (Seen64{true, 6, 0}));
  const Bytes eleven(11, std::byte{0x80});
  EXPECT_FALSE(seen<std::uint64_t>(eleven, read_unsigned_varlong).taken);
  const Bytes endless(1000, std::byte{0xff});
  EXPECT_FALSE(seen<std::uint32_t>(endless, read_unsigned_varint).taken);
  EXPECT_FALSE(seen<std::uint64_t>(endless, read_unsigned_varlong).taken);
}

TEST(Varint, refuses_values_larger_than_the_type) {
  const Bytes at_most = bytes_of({0xff, 0xff, 0xff, 0xff, 0x0f});
  EXPECT_TRUE(seen<std::uint32_t>(at_most, read_unsigned_varint).taken);
  for (const int fifth : {0x10, 0x1f, 0x20, 0x40, 0x7f, 0x8f, 0xff}) {
    const Bytes bytes = bytes_of({0xff, 0xff, 0xff, 0xff, fifth, 0x00});
    EXPECT_FALSE(seen<std::uint32_t>(bytes, read_unsigned_varint).taken) << fifth;
  }
  for (const int tenth : {0x02, 0x03, 0x40, 0x7f, 0x81, 0xff}) {
    const Bytes bytes =
        bytes_of({0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, tenth, 0x00});
    EXPECT_FALSE(seen<std::uint64_t>(bytes, read_unsigned_varlong).taken) << tenth;
  }
}

// Kafka's own reader takes them too: a writer may pad.
TEST(Varint, takes_padded_forms_within_the_length) {
  EXPECT_EQ(seen<std::uint32_t>(bytes_of({0x80, 0x00}), read_unsigned_varint),
            (Seen32{true, 2, 0}));
  EXPECT_EQ(seen<std::uint32_t>(bytes_of({0x81, 0x80, 0x80, 0x80, 0x00}), read_unsigned_varint),
            (Seen32{true, 5, 1}));
}

TEST(Varint, signed_values_at_the_edges_come_back) {
  for (const std::int32_t value : {0, -1, 1, -64, 63, 64, -65, std::numeric_limits<int>::min(),
                                   std::numeric_limits<int>::max()}) {
    Bytes bytes(varint_bytes_max);
    bytes.resize(static_cast<std::size_t>(write_varint(bytes.data(), value) - bytes.data()));
    EXPECT_EQ(bytes.size(), varint_size(value));
    EXPECT_EQ(seen<std::int32_t>(bytes, read_varint),
              (Seen<std::int32_t>{true, bytes.size(), value}));
  }
  EXPECT_FALSE(seen<std::int32_t>(bytes_of({0x80}), read_varint).taken);
  EXPECT_FALSE(seen<std::int64_t>(bytes_of({0x80}), read_varlong).taken);
}

RC_GTEST_PROP(Varint, any_32_bit_value_comes_back, (std::int32_t value)) {
  Bytes bytes(varint_size(value));
  RC_ASSERT(write_varint(bytes.data(), value) == bytes.data() + bytes.size());
  const Seen<std::int32_t> expected{true, bytes.size(), value};
  RC_ASSERT(seen<std::int32_t>(bytes, read_varint) == expected);
}

RC_GTEST_PROP(Varint, any_64_bit_value_comes_back, (std::int64_t value, std::uint8_t shift)) {
  value >>= shift % 64;  // so that every length is met
  Bytes bytes(varlong_size(value));
  RC_ASSERT(write_varlong(bytes.data(), value) == bytes.data() + bytes.size());
  const Seen<std::int64_t> expected{true, bytes.size(), value};
  RC_ASSERT(seen<std::int64_t>(bytes, read_varlong) == expected);
}

// Against a reading by wide arithmetic: sum of seven-bit groups, refused where the type ends.
RC_GTEST_PROP(Varint, any_bytes_give_the_sum_of_their_groups_or_are_refused,
              (std::vector<std::uint8_t> raw, bool continued)) {
  Bytes bytes;
  for (const std::uint8_t byte : raw) {
    bytes.push_back(static_cast<std::byte>(continued ? byte | 0x80 : byte));
  }
  if (continued) bytes.push_back(std::byte{0x01});
  unsigned __int128 sum = 0;
  std::size_t length = 0;
  bool ended = false;
  for (; length < bytes.size() && length < varlong_bytes_max && !ended; ++length) {
    const auto byte = static_cast<unsigned>(bytes[length]);
    sum |= static_cast<unsigned __int128>(byte & 0x7f) << (7 * length);
    ended = byte < 0x80;
  }
  const bool fits_32 = ended && length <= varint_bytes_max && sum <= 0xffff'ffffu;
  const bool fits_64 = ended && sum <= ~std::uint64_t{0};
  const Seen32 expected_32 =
      fits_32 ? Seen32{true, length, static_cast<std::uint32_t>(sum)} : Seen32{};
  const Seen64 expected_64 =
      fits_64 ? Seen64{true, length, static_cast<std::uint64_t>(sum)} : Seen64{};
  RC_ASSERT(seen<std::uint32_t>(bytes, read_unsigned_varint) == expected_32);
  RC_ASSERT(seen<std::uint64_t>(bytes, read_unsigned_varlong) == expected_64);
}

}  // namespace
}  // namespace millrace
