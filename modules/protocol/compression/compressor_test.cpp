// Reuse, limits and memory of a compressor. Also proves heap_calls.cpp. Formats have tests of their
// own.
#include <gtest/gtest.h>

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

}  // namespace

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
