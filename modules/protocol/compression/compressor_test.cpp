// The bytes that are written, and how compressing fails.
#include <gtest/gtest.h>
#include <lz4frame.h>
#include <snappy.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "heap_calls.h"
#include "test_support.h"

import millrace.base;
import millrace.protocol.compression;

using namespace compression_test;
using namespace millrace;
using namespace millrace::protocol;

namespace {

Bytes compressed(Compressor& compressor, const CompressionOptions& options, ByteView data) {
  Bytes output(compressed_bytes_max(options, data.size()));
  const auto size = compressor.compress(options, data, output);
  EXPECT_TRUE(size.has_value());
  output.resize(size.value_or(0));
  return output;
}

Bytes compressed(const CompressionOptions& options, ByteView data) {
  Compressor compressor;
  return compressed(compressor, options, data);
}

Bytes begin_of(const Bytes& bytes, std::size_t count) {
  return Bytes(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(count));
}

}  // namespace

TEST(Compressor, writes_one_gzip_member_with_a_plain_header) {
  const Bytes packed = compressed(CompressionOptions(Codec::gzip), bytes_of("hello, hello, hello"));
  // Magic, deflate, no flags, no time, no extra flags, Unix.
  EXPECT_EQ(begin_of(packed, 10), from_hex("1f8b 08 00 00000000 00 03"));
  // CRC-32 and size, both little-endian, at the end.
  EXPECT_EQ(Bytes(packed.end() - 4, packed.end()), from_hex("13000000"));
}

TEST(Compressor, writes_snappy_in_blocks_behind_xerials_header) {
  const Bytes data = log_lines(32 * kibibyte + 10);
  const Bytes packed = compressed(CompressionOptions(Codec::snappy), data);
  EXPECT_EQ(begin_of(packed, 16), from_hex("82534e4150505900 00000001 00000001"));
  std::vector<std::size_t> sizes;
  for (std::size_t at = 16; at < packed.size();) {
    const auto length = static_cast<std::size_t>(load_big_endian<std::int32_t>(packed.data() + at));
    std::size_t size = 0;
    ASSERT_TRUE(snappy::GetUncompressedLength(reinterpret_cast<const char*>(packed.data()) + at + 4,
                                              length, &size));
    sizes.push_back(size);
    at += 4 + length;
  }
  EXPECT_EQ(sizes, (std::vector<std::size_t>{32 * kibibyte, 10}));
}

// The library's fragments are called below its public functions: they must mean what they mean
// there.
TEST(Compressor, writes_the_same_raw_snappy_as_the_library) {
  Compressor compressor;
  for (const std::size_t size : {0u, 1u, 14u, 15u, 16u, 255u, 256u, 257u, 1'000u, 16'383u, 16'384u,
                                 16'385u, 65'535u, 65'536u, 65'537u, 1'000'000u}) {
    for (const Bytes& data : {log_lines(size), random_bytes(size)}) {
      std::string expected;
      snappy::Compress(reinterpret_cast<const char*>(data.data()), size, &expected);
      EXPECT_TRUE(compressed(compressor, CompressionOptions::raw_snappy(), data) ==
                  bytes_of(expected))
          << size;
    }
  }
}

TEST(Compressor, writes_lz4_frames_of_independent_blocks) {
  const Bytes packed = compressed(CompressionOptions(Codec::lz4), log_lines(200'000));
  // Magic; version 1, independent blocks, nothing else; blocks of 64 KiB; header checksum.
  EXPECT_EQ(begin_of(packed, 7), from_hex("04224d18 60 40 82"));
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

TEST(Compressor, gathers_small_pieces_into_full_lz4_blocks) {
  const Bytes data = log_lines(100'000);
  std::vector<ByteView> pieces;
  for (std::size_t at = 0; at < data.size(); at += 100) {
    pieces.push_back(ByteView(data).subspan(at, 100));
  }
  const CompressionOptions options(Codec::lz4);
  Compressor compressor;
  Bytes packed(compressed_bytes_max(options, data.size()));
  const auto size = compressor.compress(options, pieces, packed);
  ASSERT_TRUE(size.has_value());
  packed.resize(*size);
  EXPECT_TRUE(packed == compressed(compressor, options, data));
}

TEST(Compressor, uses_lz4s_fast_compressor_at_kafkas_default_level) {
  const Bytes data = log_lines(100'000);
  const auto at = [&data](int level) {
    return compressed(CompressionOptions::with_level(Codec::lz4, CompressionLevel(level)).value(),
                      data)
        .size();
  };
  EXPECT_GT(at(9), at(8) * 11 / 10);
  EXPECT_GE(at(8), at(12));
  EXPECT_EQ(at(17), at(12));
}

TEST(Compressor, names_the_content_size_in_zstd_frames) {
  const Bytes data = log_lines(100'000);
  const ByteView pieces[] = {ByteView(data).first(10), ByteView(data).subspan(10)};
  const CompressionOptions options(Codec::zstd);
  Compressor compressor;
  Bytes packed(compressed_bytes_max(options, data.size()));
  const auto size = compressor.compress(options, pieces, packed);
  ASSERT_TRUE(size.has_value());
  EXPECT_EQ(ZSTD_getFrameContentSize(packed.data(), *size), data.size());
  const Bytes whole = compressed(compressor, options, data);
  EXPECT_EQ(ZSTD_getFrameContentSize(whole.data(), whole.size()), data.size());
}

TEST(Compressor, forgets_a_level_when_another_is_asked_for) {
  const Bytes data = log_lines(50'000);
  Compressor reused;
  for (const Codec codec : {Codec::gzip, Codec::lz4, Codec::zstd}) {
    for (const int level : {1, 9, 5, 1, 3}) {
      const auto options = CompressionOptions::with_level(codec, CompressionLevel(level)).value();
      EXPECT_TRUE(compressed(reused, options, data) == compressed(options, data))
          << name_of(codec) << " " << level;
    }
  }
}

TEST(Compressor, keeps_to_its_bound_whatever_the_data_and_its_pieces) {
  const std::size_t largest = 400'000;
  const Bytes noise = random_bytes(largest);
  GuardedMemory input(largest);
  GuardedMemory output(2 * largest);
  Compressor compressor;
  for (const CompressionOptions& options :
       {CompressionOptions(), CompressionOptions(Codec::gzip),
        CompressionOptions::with_level(Codec::gzip, CompressionLevel(1)).value(),
        CompressionOptions(Codec::snappy), CompressionOptions::raw_snappy(),
        CompressionOptions(Codec::lz4),
        CompressionOptions::with_level(Codec::lz4, CompressionLevel(12)).value(),
        CompressionOptions(Codec::zstd),
        CompressionOptions::with_level(Codec::zstd, CompressionLevel(-100)).value()}) {
    for (const std::size_t size : {0u, 1u, 60u, 32'768u, 65'536u, 65'537u, 131'073u, 400'000u}) {
      for (const std::size_t piece : {1'000u, 33'333u, 65'536u, 100'000u, 400'000u}) {
        const ByteView data = input.copy_of(ByteView(noise).first(size));
        std::vector<ByteView> pieces = {ByteView()};
        for (std::size_t at = 0; at < size; at += piece) {
          pieces.push_back(data.subspan(at, std::min(piece, size - at)));
        }
        const auto exact = output.last(compressed_bytes_max(options, size));
        EXPECT_TRUE(compressor.compress(options, pieces, exact).has_value())
            << name_of(options.codec()) << " " << size << " " << piece;
      }
    }
  }
}

TEST(Compressor, refuses_an_output_that_might_be_too_small) {
  const Bytes data = log_lines(1'000);
  Compressor compressor;
  for (const Codec codec : {Codec::none, Codec::gzip, Codec::snappy, Codec::lz4, Codec::zstd}) {
    const CompressionOptions options(codec);
    Bytes output(compressed_bytes_max(options, data.size()) - 1);
    const auto size = compressor.compress(options, data, output);
    ASSERT_FALSE(size.has_value()) << name_of(codec);
    EXPECT_EQ(size.error().fault, CompressionFault::output_too_small);
  }
}

TEST(Compressor, refuses_more_than_a_batch_can_have) {
  const Bytes data(mebibyte);
  const std::vector<ByteView> pieces(2048, data);
  Compressor compressor;
  Bytes output(10);
  const auto size = compressor.compress(CompressionOptions(Codec::zstd), pieces, output);
  ASSERT_FALSE(size.has_value());
  EXPECT_EQ(size.error().fault, CompressionFault::input_too_large);
}

TEST(Compressor, does_not_touch_the_heap_once_it_is_warm) {
  const Bytes large = log_lines(mebibyte);
  Bytes output(2 * mebibyte);
  Compressor compressor;
  const std::vector<CompressionOptions> all = {
      CompressionOptions(Codec::gzip),
      CompressionOptions(Codec::snappy),
      CompressionOptions::raw_snappy(),
      CompressionOptions(Codec::lz4),
      CompressionOptions::with_level(Codec::lz4, CompressionLevel(5)).value(),
      CompressionOptions::with_level(Codec::gzip, CompressionLevel(1)).value(),
      CompressionOptions(Codec::zstd)};
  const auto compress_sizes = [&](const CompressionOptions& options) {
    for (const std::size_t size : {100u, 16'000u, 70'000u, 1'000'000u}) {
      const ByteView pieces[] = {ByteView(large).first(size / 3),
                                 ByteView(large).subspan(size / 3, size - size / 3)};
      ASSERT_TRUE(compressor.compress(options, pieces, output).has_value());
      ASSERT_TRUE(compressor.compress(options, ByteView(large).first(size), output).has_value());
    }
  };
  for (const CompressionOptions& options : all) compress_sizes(options);
  const std::uint64_t before = heap_calls();
  EXPECT_GT(before, 0u) << "the counter counts";
  // zstd shrinks its memory when that was far too large for 128 calls.
  for (int i = 0; i < 200; ++i) {
    ASSERT_TRUE(compressor.compress(all.back(), ByteView(large).first(100), output).has_value());
  }
  for (const CompressionOptions& options : all) compress_sizes(options);
  EXPECT_EQ(heap_calls() - before, 0u);
}

TEST(Compressor, gives_memory_back_that_is_above_what_it_may_retain) {
  const Bytes data = log_lines(200'000);
  Bytes output(2 * mebibyte);
  Compressor compressor(mebibyte);
  const auto best = CompressionOptions::with_level(Codec::zstd, CompressionLevel(22)).value();
  ASSERT_TRUE(compressor.compress(best, data, output).has_value());
  EXPECT_EQ(compressor.memory_bytes(), 0u);
  ASSERT_TRUE(compressor.compress(CompressionOptions(Codec::gzip), data, output).has_value());
  EXPECT_GT(compressor.memory_bytes(), 0u);
  EXPECT_LE(compressor.memory_bytes(), mebibyte);
  EXPECT_TRUE(compressed(compressor, best, data) == compressed(best, data));
}

TEST(Compressor, can_be_moved) {
  const Bytes data = log_lines(1'000);
  Compressor first;
  const Bytes expected = compressed(first, CompressionOptions(Codec::lz4), data);
  Compressor second = std::move(first);
  EXPECT_EQ(compressed(second, CompressionOptions(Codec::lz4), data), expected);
}
