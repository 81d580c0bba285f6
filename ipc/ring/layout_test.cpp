// Also proves limits.cppm.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

import millrace.ipc.ring;

namespace millrace::ipc {
namespace {

struct Memory {
  alignas(ring_data_offset) std::array<std::byte, region_bytes(256)> bytes{};
};

TEST(RegionLayout, begins_with_the_bytes_that_the_format_page_shows) {
  Memory memory;
  make_region(memory.bytes, 256, 0x0102'0304'0506'0708);
  const std::array<unsigned char, 32> golden = {'M',  'I',  'L',  'L',  'R',  'I',  'N',  'G',   //
                                                0x01, 0x00, 0x00, 0x00, 0x00, 0x10, 0x00, 0x00,  //
                                                0x08, 0x07, 0x06, 0x05, 0x04, 0x03, 0x02, 0x01,  //
                                                0x00, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00};
  EXPECT_EQ(std::memcmp(memory.bytes.data(), golden.data(), golden.size()), 0);
  for (std::size_t i = golden.size(); i < memory.bytes.size(); ++i) {
    ASSERT_EQ(memory.bytes[i], std::byte{0}) << "at " << i;
  }
}

TEST(RegionLayout, accepts_what_make_region_made) {
  Memory memory;
  make_region(memory.bytes, 256, 7);
  EXPECT_TRUE(check_region(memory.bytes, 256, 7));
}

TEST(RegionLayout, refuses_memory_that_is_no_such_ring) {
  Memory memory;
  EXPECT_FALSE(check_region(memory.bytes, 256, 0)) << "zeros are no ring";
  make_region(memory.bytes, 256, 7);
  EXPECT_FALSE(check_region(memory.bytes, 256, 8)) << "another generation";
  EXPECT_FALSE(check_region(memory.bytes, 128, 7)) << "another capacity";
  EXPECT_FALSE(check_region(memory.bytes, 512, 7)) << "larger than the memory";
  EXPECT_FALSE(check_region(ByteView(memory.bytes).first(ring_data_offset), 256, 7));
  EXPECT_FALSE(check_region({}, 256, 7));
  memory.bytes[8] = std::byte{2};
  EXPECT_EQ(check_region(memory.bytes, 256, 7).error().kind, ErrorKind::unsupported);
}

TEST(RegionLayout, takes_powers_of_two_within_the_limits_only) {
  for (const std::uint64_t capacity : {0UL, 1UL, 32UL, 65UL, 96UL, ~0UL, 1UL << 63U}) {
    EXPECT_FALSE(is_ring_capacity(capacity)) << capacity;
    EXPECT_FALSE(check_region({}, capacity, 0));
  }
  EXPECT_TRUE(is_ring_capacity(ring_capacity_min));
  EXPECT_TRUE(is_ring_capacity(ring_capacity_max));
  EXPECT_FALSE(is_ring_capacity(2 * ring_capacity_max));
}

}  // namespace
}  // namespace millrace::ipc
