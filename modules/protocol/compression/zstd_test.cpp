// The bytes of zstd frames: what is written, and each way in which what is read can be wrong.
#include <gtest/gtest.h>
#include <zstd.h>

#include <array>
#include <cstddef>
#include <string>

#include "test_support.h"

import millrace.base;
import millrace.protocol.compression;

using namespace compression_test;
using namespace millrace;
using namespace millrace::protocol;

namespace {

// Single segment, content size 1, one raw last block "a".
const std::string zstd_a = "28b52ffd 20 01 090000 61";

// Reads in pieces of 100 bytes, which zstd decompresses as a stream and not a frame at once.
std::string fault_in_stream(Decompressor& decompressor, const std::string& hex) {
  const Bytes input = from_hex(hex);
  std::array<std::byte, 100> piece;
  EXPECT_TRUE(decompressor.start(Codec::zstd, input, {}).has_value());
  auto count = decompressor.read(piece);
  while (count.has_value() && *count == piece.size()) count = decompressor.read(piece);
  return std::string(count.has_value() ? "none" : name_of(count.error().fault));
}

}  // namespace

TEST(Zstd, is_written_as_a_frame_that_names_its_size) {
  const Bytes data = log_lines(100'000);
  const Bytes whole = compressed("zstd", data);
  EXPECT_EQ(ZSTD_getFrameContentSize(whole.data(), whole.size()), data.size());
  const ByteView pieces[] = {ByteView(data).first(10), ByteView(data).subspan(10)};
  const CompressionOptions options(Codec::zstd);
  Compressor compressor;
  Bytes packed(compressed_bytes_max(options, data.size()));
  ASSERT_TRUE(compressor.compress(options, pieces, packed).has_value());
  EXPECT_EQ(ZSTD_getFrameContentSize(packed.data(), packed.size()), data.size());
}

TEST(Zstd, names_what_is_wrong) {
  EXPECT_EQ(outcome_of("zstd", zstd_a), "\"a\"");
  EXPECT_EQ(outcome_of("zstd", "28b52ffe"), "header_invalid at 0");
  EXPECT_EQ(outcome_of("zstd", "28b52f"), "truncated at 0");
  EXPECT_EQ(outcome_of("zstd", "28b52ffd 20"), "truncated at 0");
  // The formats of zstd 0.5 and 0.7, which the library may know.
  EXPECT_EQ(outcome_of("zstd", "25b52ffd 20 01 090000 61"), "header_invalid at 0");
  EXPECT_EQ(outcome_of("zstd", "27b52ffd 20 01 090000 61"), "header_invalid at 0");
  // A reserved bit; a dictionary; a window of 256 MiB.
  EXPECT_EQ(outcome_of("zstd", "28b52ffd 28 01 090000 61"), "version_not_supported at 0");
  EXPECT_EQ(outcome_of("zstd", "28b52ffd 21 07 01 090000 61"), "dictionary_needed at 0");
  EXPECT_EQ(outcome_of("zstd", "28b52ffd 00 90 090000 61"), "window_too_large at 0");
  // A reserved block type; a size that is not reached.
  EXPECT_EQ(outcome_of("zstd", "28b52ffd 20 01 0f0000 61"), "data_invalid at 0");
  EXPECT_EQ(outcome_of("zstd", "28b52ffd 20 02 090000 61"), "data_invalid at 0");
  EXPECT_EQ(outcome_of("zstd", "28b52ffd 24 01 090000 61 00000000"), "checksum_mismatch at 0");
  EXPECT_EQ(outcome_of("zstd", zstd_a + "00"), "trailing_bytes at 10");
  EXPECT_EQ(outcome_of("zstd", zstd_a + "28b5"), "truncated at 10");
  EXPECT_EQ(outcome_of("zstd", zstd_a + "502a4d18 01000000"), "truncated at 10");
}

TEST(Zstd, may_have_several_frames_and_skippable_ones) {
  EXPECT_EQ(outcome_of("zstd", "5f2a4d18 02000000 ffff" + zstd_a + "502a4d18 00000000" + zstd_a),
            "\"aa\"");
  EXPECT_EQ(outcome_of("zstd", "502a4d18 00000000"), "\"\"");
}

// zstd's streaming functions let a frame pass that ends with an empty block before its size is
// reached,
TEST(Zstd, refuses_a_frame_that_does_not_reach_its_size) {
  Decompressor decompressor;
  const std::string frame = "28b52ffd 60 0001 080000 61 010000";
  EXPECT_EQ(fault_in_stream(decompressor, frame), "content_size_mismatch");
  EXPECT_EQ(outcome_of("zstd", frame), "data_invalid at 0");
}

// and one that passes its size, where a frame before needed more memory.
TEST(Zstd, refuses_a_frame_that_passes_its_size) {
  Decompressor decompressor;
  const Bytes large = file_bytes(std::string(MILLRACE_SOURCE_DIR) +
                                 "/tests/golden/data/compression/zstd-lines-stream.bin");
  ASSERT_TRUE(decompressor.start(Codec::zstd, large, {}).has_value());
  while (!decompressor.finished()) ASSERT_TRUE(decompressor.next().has_value());
  // Content size 512, then twice 400 times "a".
  const std::string frame = "28b52ffd 60 0001 820c00 61 820c00 61 010000";
  EXPECT_EQ(fault_in_stream(decompressor, frame), "content_size_mismatch");
}

TEST(Zstd, takes_a_smaller_window_when_told) {
  const Bytes input = from_hex("28b52ffd 00 58 090000 61");  // 2 MiB
  Decompressor decompressor;
  DecompressionLimits limits;
  limits.zstd_window_log_max = 21;
  ASSERT_TRUE(decompressor.start(Codec::zstd, input, limits).has_value());
  EXPECT_TRUE(decompressor.next().has_value());
  limits.zstd_window_log_max = 20;
  ASSERT_TRUE(decompressor.start(Codec::zstd, input, limits).has_value());
  EXPECT_EQ(decompressor.next().error(), (CompressionError{CompressionFault::window_too_large, 0}));
}
