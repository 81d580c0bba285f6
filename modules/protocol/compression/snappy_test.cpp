// The bytes of snappy in both framings: what is written, and each way in which what is read can
// be wrong.
#include <gtest/gtest.h>
#include <snappy.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "test_support.h"

import millrace.base;

using namespace compression_test;
using namespace millrace;

namespace {

const std::string xerial_begin = "82534e4150505900 00000001 00000001";

const char* chars(const Bytes& bytes) {
  return reinterpret_cast<const char*>(bytes.data());
}

}  // namespace

TEST(Snappy, is_written_in_blocks_behind_xerials_header) {
  const Bytes packed = compressed("snappy", log_lines(32 * kibibyte + 10));
  EXPECT_EQ(Bytes(packed.begin(), packed.begin() + 16), from_hex(xerial_begin));
  std::vector<std::size_t> sizes;
  for (std::size_t at = 16; at < packed.size();) {
    const auto length = static_cast<std::size_t>(load_big_endian<std::int32_t>(packed.data() + at));
    std::size_t size = 0;
    ASSERT_TRUE(snappy::GetUncompressedLength(chars(packed) + at + 4, length, &size));
    sizes.push_back(size);
    at += 4 + length;
  }
  EXPECT_EQ(sizes, (std::vector<std::size_t>{32 * kibibyte, 10}));
}

// The library's compressor of fragments is called below its public functions: it must do there
// what it does for them.
TEST(Snappy, is_written_raw_as_by_the_librarys_public_function) {
  for (const std::size_t size : {0u, 1u, 14u, 15u, 16u, 255u, 256u, 257u, 1'000u, 16'383u, 16'384u,
                                 16'385u, 65'535u, 65'536u, 65'537u, 1'000'000u}) {
    for (const Bytes& data : {log_lines(size), random_bytes(size)}) {
      std::string expected;
      snappy::Compress(chars(data), size, &expected);
      EXPECT_TRUE(compressed("raw snappy", data) == bytes_of(expected)) << size;
    }
  }
}

TEST(Snappy, names_what_is_wrong_with_a_raw_block) {
  EXPECT_EQ(outcome_of("snappy", "01 00 61"), "\"a\"");
  // No length; a length of more than 32 bits.
  EXPECT_EQ(outcome_of("snappy", "80"), "header_invalid at 0");
  EXPECT_EQ(outcome_of("snappy", "ffffffff7f00"), "header_invalid at 0");
  EXPECT_EQ(outcome_of("snappy", "02 00 61"), "truncated at 3");
  EXPECT_EQ(outcome_of("snappy", "02 04 61"), "truncated at 3");
  EXPECT_EQ(outcome_of("snappy", "05 f0"), "truncated at 2");
  EXPECT_EQ(outcome_of("snappy", "05 0061 05"), "truncated at 4");
  EXPECT_EQ(outcome_of("snappy", "01 00 61 00"), "trailing_bytes at 3");
  // A literal of two bytes for one; a copy from before the begin.
  EXPECT_EQ(outcome_of("snappy", "01 04 6162"), "data_invalid at 4");
  EXPECT_EQ(outcome_of("snappy", "05 0061 0102"), "data_invalid at 5");
  // More than so few bytes can become.
  EXPECT_EQ(outcome_of("snappy", "ffff03 00 61"), "data_invalid at 0");
}

TEST(Snappy, names_what_is_wrong_with_xerials_framing) {
  const std::string& begin = xerial_begin;
  EXPECT_EQ(outcome_of("snappy", begin), "\"\"");
  EXPECT_EQ(outcome_of("snappy", begin + "00000003 010061"), "\"a\"");
  EXPECT_EQ(outcome_of("snappy", "82534e4150505900 00000001 000000"), "truncated at 0");
  EXPECT_EQ(outcome_of("snappy", "82534e4150505900 00000000 00000001"),
            "version_not_supported at 0");
  EXPECT_EQ(outcome_of("snappy", begin + "000000"), "truncated at 16");
  EXPECT_EQ(outcome_of("snappy", begin + "00000004 010061"), "truncated at 20");
  EXPECT_EQ(outcome_of("snappy", begin + "00000000"), "data_invalid at 16");
  EXPECT_EQ(outcome_of("snappy", begin + "ffffffff"), "data_invalid at 16");
  EXPECT_EQ(outcome_of("snappy", begin + "00000002 010061"), "truncated at 22");
  EXPECT_EQ(outcome_of("snappy", begin + "00000004 01006100"), "trailing_bytes at 23");
  // A second header, cut off or with another magic.
  EXPECT_EQ(outcome_of("snappy", begin + "82534e41 50505900"), "truncated at 16");
  EXPECT_EQ(outcome_of("snappy", begin + "82534e41 50505901 00000001 00000001"),
            "data_invalid at 16");
}

TEST(Snappy, may_have_blocks_of_nothing_and_further_headers) {
  EXPECT_EQ(outcome_of("snappy", xerial_begin + "00000001 00 00000001 00 00000003 010061"),
            "\"a\"");
  EXPECT_EQ(outcome_of("snappy", xerial_begin + "00000003 010061" + xerial_begin + xerial_begin +
                                     "00000003 010062" + xerial_begin),
            "\"ab\"");
}
