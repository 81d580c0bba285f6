// The bytes of lz4 frames: what is written, and each way in which what is read can be wrong.
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "test_support.h"

import millrace.base;
import millrace.protocol.compression;

using namespace compression_test;
using namespace millrace;
using namespace millrace::protocol;

namespace {

// Magic; version 1 and independent blocks; blocks of 64 KiB; header checksum.
const std::string lz4_begin = "04224d18 60 40 82";
// One stored block "a", end mark.
const std::string lz4_a = lz4_begin + "01000080 61 00000000";

std::size_t size_at_level(const Bytes& data, int level) {
  const auto options = CompressionOptions::with_level(Codec::lz4, CompressionLevel(level)).value();
  Compressor compressor;
  Bytes output(compressed_bytes_max(options, data.size()));
  return compressor.compress(options, data, output).value();
}

}  // namespace

TEST(Lz4, is_written_as_one_frame_of_independent_blocks) {
  const Bytes packed = compressed("lz4", log_lines(200'000));
  EXPECT_EQ(Bytes(packed.begin(), packed.begin() + 7), from_hex(lz4_begin));
  std::size_t blocks = 0;
  std::size_t at = 7;
  std::uint32_t length = 0;
  while ((length = swap_bytes(load_big_endian<std::uint32_t>(packed.data() + at))) != 0) {
    at += 4 + (length & 0x7fff'ffff);
    ++blocks;
  }
  EXPECT_EQ(at + 4, packed.size()) << "the frame ends with its end mark";
  EXPECT_EQ(blocks, 4u);
}

TEST(Lz4, is_written_in_full_blocks_from_small_pieces) {
  const Bytes data = log_lines(100'000);
  std::vector<ByteView> pieces;
  for (std::size_t at = 0; at < data.size(); at += 100) {
    pieces.push_back(ByteView(data).subspan(at, 100));
  }
  const CompressionOptions options(Codec::lz4);
  Compressor compressor;
  Bytes packed(compressed_bytes_max(options, data.size()));
  packed.resize(compressor.compress(options, pieces, packed).value());
  EXPECT_TRUE(packed == compressed("lz4", data));
}

TEST(Lz4, is_fast_at_kafkas_default_level_and_tighter_at_all_others) {
  const Bytes data = log_lines(100'000);
  EXPECT_GT(size_at_level(data, 9), size_at_level(data, 8) * 11 / 10);
  EXPECT_GT(size_at_level(data, 9), size_at_level(data, 1) * 11 / 10);
  EXPECT_GE(size_at_level(data, 8), size_at_level(data, 12));
  EXPECT_EQ(size_at_level(data, 17), size_at_level(data, 12));
}

TEST(Lz4, names_what_is_wrong_with_a_header) {
  EXPECT_EQ(outcome_of("lz4", lz4_a), "\"a\"");
  EXPECT_EQ(outcome_of("lz4", "04224d19 604082"), "header_invalid at 0");
  EXPECT_EQ(outcome_of("lz4", "04224d18 6040"), "truncated at 0");
  EXPECT_EQ(outcome_of("lz4", "04224d18 604083"), "header_checksum_mismatch at 4");
  EXPECT_EQ(outcome_of("lz4", "04224d18 404082"), "linked_blocks at 4");
  EXPECT_EQ(outcome_of("lz4", "04224d18 614082"), "dictionary_needed at 4");
  EXPECT_EQ(outcome_of("lz4", "04224d18 624082"), "version_not_supported at 4");
  EXPECT_EQ(outcome_of("lz4", "04224d18 a04082"), "version_not_supported at 4");
  // Blocks below 64 KiB; reserved bits.
  EXPECT_EQ(outcome_of("lz4", "04224d18 603082"), "header_invalid at 4");
  EXPECT_EQ(outcome_of("lz4", "04224d18 604182"), "header_invalid at 4");
  EXPECT_EQ(outcome_of("lz4", "04224d18 60c082"), "header_invalid at 4");
  // The content size is cut off.
  EXPECT_EQ(outcome_of("lz4", "04224d18 6840 01000000"), "truncated at 4");
  // A skippable frame, and the framing of lz4 before 1.4.
  EXPECT_EQ(outcome_of("lz4", "502a4d18 00000000"), "header_invalid at 0");
  EXPECT_EQ(outcome_of("lz4", "02214c18 00000000"), "header_invalid at 0");
}

TEST(Lz4, names_what_is_wrong_with_blocks) {
  const std::string& begin = lz4_begin;
  EXPECT_EQ(outcome_of("lz4", begin), "truncated at 7");
  EXPECT_EQ(outcome_of("lz4", begin + "01000080"), "truncated at 7");
  EXPECT_EQ(outcome_of("lz4", begin + "01000080 61"), "truncated at 12");
  // Stored and empty.
  EXPECT_EQ(outcome_of("lz4", begin + "00000080 00000000"), "data_invalid at 7");
  EXPECT_EQ(outcome_of("lz4", begin + "01000100"), "block_too_large at 7");
  EXPECT_EQ(outcome_of("lz4", begin + "01000180"), "block_too_large at 7");
  // A block that ends inside a literal; a match from before the begin.
  EXPECT_EQ(outcome_of("lz4", begin + "01000000 f0 00000000"), "data_invalid at 11");
  EXPECT_EQ(outcome_of("lz4", begin + "08000000 1061090000000000 00000000"), "data_invalid at 11");
  EXPECT_EQ(outcome_of("lz4", lz4_a + "00"), "trailing_bytes at 16");
  EXPECT_EQ(outcome_of("lz4", lz4_a + lz4_a), "trailing_bytes at 16");
}

TEST(Lz4, refuses_a_block_that_becomes_more_than_the_frame_allows) {
  // One literal, then a match of about 70,000 bytes: 275 length bytes of 255.
  std::string block = "1f 61 0100";
  for (int i = 0; i < 275; ++i) block += "ff";
  block += "00 50 6161616161";
  ASSERT_EQ(from_hex(block).size(), 0x11eu);
  const std::string frame_body = "1e010000" + block + "00000000";
  EXPECT_EQ(outcome_of("lz4", lz4_begin + frame_body), "data_invalid at 11");
  // The same is right in a frame of blocks of 256 KiB.
  EXPECT_EQ(outcome_of("lz4", "04224d18 60 50 fb" + frame_body).size(), 70'152u);
}

TEST(Lz4, may_have_blocks_of_nothing) {
  EXPECT_EQ(outcome_of("lz4", lz4_begin + "01000000 00 01000000 00 01000080 61 00000000"), "\"a\"");
}
