// The bytes of gzip: what is written, and each way in which what is read can be wrong.
#include <gtest/gtest.h>

#include <string>

#include "test_support.h"

using namespace compression_test;

namespace {

// One stored block of one byte "a", its CRC-32 e8b7be43 and its size.
const std::string gzip_a = "1f8b0800000000000003 01 0100 feff 61 43beb7e8 01000000";

}  // namespace

TEST(Gzip, is_one_member_with_a_plain_header) {
  const Bytes packed = compressed("gzip", bytes_of("hello, hello, hello"));
  // Magic, deflate, no flags, no time, no extra flags, Unix.
  EXPECT_EQ(Bytes(packed.begin(), packed.begin() + 10), from_hex("1f8b 08 00 00000000 00 03"));
  // The size, little-endian, at the end.
  EXPECT_EQ(Bytes(packed.end() - 4, packed.end()), from_hex("13000000"));
}

TEST(Gzip, names_what_is_wrong) {
  EXPECT_EQ(outcome_of("gzip", gzip_a), "\"a\"");
  EXPECT_EQ(outcome_of("gzip", "1f8c"), "header_invalid at 0");
  EXPECT_EQ(outcome_of("gzip", "1f"), "truncated at 0");
  // Another method than deflate; a reserved flag.
  EXPECT_EQ(outcome_of("gzip", "1f8b0700000000000003"), "header_invalid at 4");
  EXPECT_EQ(outcome_of("gzip", "1f8b0820000000000003"), "header_invalid at 4");
  // A header checksum that is wrong.
  EXPECT_EQ(outcome_of("gzip", "1f8b0802000000000003 0000"), "header_checksum_mismatch at 12");
  EXPECT_EQ(outcome_of("gzip", "1f8b0800000000000003 01 0100 feff 61 43beb7e9 01000000"),
            "checksum_mismatch at 20");
  EXPECT_EQ(outcome_of("gzip", "1f8b0800000000000003 01 0100 feff 61 43beb7e8 02000000"),
            "content_size_mismatch at 24");
  // A reserved block type.
  EXPECT_EQ(outcome_of("gzip", "1f8b0800000000000003 07"), "data_invalid at 11");
  EXPECT_EQ(outcome_of("gzip", gzip_a + "00"), "trailing_bytes at 24");
  EXPECT_EQ(outcome_of("gzip", gzip_a + "1f8b"), "truncated at 26");
}

TEST(Gzip, may_have_several_members) {
  EXPECT_EQ(outcome_of("gzip", gzip_a + gzip_a + gzip_a), "\"aaa\"");
}
