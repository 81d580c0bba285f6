// What is compressed comes back, whatever the codec, the level, the pieces and the way of reading.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
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

const std::vector<CompressionOptions>& all_options() {
  static const std::vector<CompressionOptions> options = [] {
    std::vector<CompressionOptions> made = {CompressionOptions(), CompressionOptions(Codec::gzip),
                                            CompressionOptions(Codec::snappy),
                                            CompressionOptions::raw_snappy()};
    const auto add = [&made](Codec codec, std::vector<int> levels) {
      for (const int level : levels) {
        made.push_back(CompressionOptions::with_level(codec, CompressionLevel(level)).value());
      }
    };
    add(Codec::gzip, {1, 2, 3, 4, 5, 6, 7, 8, 9});
    add(Codec::lz4, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17});
    add(Codec::zstd, {-131072, -1000, -5, -1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 15, 19, 22});
    return made;
  }();
  return options;
}

std::string text_of(const CompressionOptions& options) {
  return std::string(name_of(options.codec())) + " " + std::to_string(options.level().value()) +
         (options.snappy_framing() == SnappyFraming::raw ? " raw" : "");
}

Bytes compressed(Compressor& compressor, const CompressionOptions& options,
                 std::span<const ByteView> pieces) {
  std::size_t bytes = 0;
  for (const ByteView piece : pieces) bytes += piece.size();
  Bytes output(compressed_bytes_max(options, bytes));
  const auto size = compressor.compress(options, pieces, output);
  EXPECT_TRUE(size.has_value()) << text_of(options);
  output.resize(size.value_or(0));
  return output;
}

// By next(), keeping some bytes of each view for the following one.
Bytes by_next(Decompressor& decompressor, Codec codec, ByteView input, std::size_t keep_max) {
  Bytes output;
  EXPECT_TRUE(decompressor.start(codec, input, {}).has_value());
  std::size_t keep = 0;
  while (true) {
    const auto view = decompressor.next(keep);
    if (!view) {
      ADD_FAILURE() << name_of(view.error().fault);
      return output;
    }
    const bool same = std::equal(view->begin(), view->begin() + static_cast<std::ptrdiff_t>(keep),
                                 output.end() - static_cast<std::ptrdiff_t>(keep));
    EXPECT_TRUE(same) << "the kept bytes changed";
    if (view->size() == keep) break;
    output.insert(output.end(), view->begin() + static_cast<std::ptrdiff_t>(keep), view->end());
    keep = std::min(view->size(), keep_max);
  }
  EXPECT_TRUE(decompressor.finished());
  EXPECT_EQ(decompressor.output_bytes(), output.size());
  return output;
}

Bytes by_read(Decompressor& decompressor, Codec codec, ByteView input, std::size_t piece) {
  Bytes output;
  EXPECT_TRUE(decompressor.start(codec, input, {}).has_value());
  while (true) {
    Bytes buffer(piece);
    const auto count = decompressor.read(buffer);
    if (!count) {
      ADD_FAILURE() << name_of(count.error().fault);
      return output;
    }
    output.insert(output.end(), buffer.begin(),
                  buffer.begin() + static_cast<std::ptrdiff_t>(*count));
    if (*count < piece) break;
  }
  EXPECT_TRUE(decompressor.finished());
  return output;
}

}  // namespace

TEST(RoundTrip, gives_back_every_size_at_every_level) {
  Compressor compressor;
  Decompressor decompressor;
  for (const CompressionOptions& options : all_options()) {
    for (const std::size_t size : {0u, 1u, 2u, 15u, 100u, 4'096u, 32'768u, 32'769u, 65'535u,
                                   65'536u, 65'537u, 131'072u, 300'000u}) {
      const Bytes data = log_lines(size);
      const ByteView piece = data;
      const Bytes packed = compressed(compressor, options, {&piece, 1});
      EXPECT_EQ(by_next(decompressor, options.codec(), packed, 0), data)
          << text_of(options) << ", " << size;
      EXPECT_EQ(by_read(decompressor, options.codec(), packed, 10'000), data)
          << text_of(options) << ", " << size;
    }
  }
}

TEST(RoundTrip, gives_back_what_cannot_be_compressed) {
  Compressor compressor;
  Decompressor decompressor;
  for (const CompressionOptions& options : all_options()) {
    for (const std::size_t size : {1u, 1'000u, 32'768u, 65'536u, 1'000'000u}) {
      const Bytes data = random_bytes(size);
      const ByteView piece = data;
      const Bytes packed = compressed(compressor, options, {&piece, 1});
      EXPECT_EQ(by_next(decompressor, options.codec(), packed, 100), data) << text_of(options);
    }
  }
}

RC_GTEST_PROP(RoundTrip, holds_for_any_pieces_and_any_way_of_reading, ()) {
  static Compressor compressor;
  static Decompressor decompressor;
  const auto& options = *rc::gen::elementOf(all_options());
  const auto size = *rc::gen::inRange<std::size_t>(0, 200'000);
  const auto seed = *rc::gen::inRange<std::uint32_t>(0, 1'000);
  const Bytes data = *rc::gen::arbitrary<bool>() ? log_lines(size, seed) : random_bytes(size, seed);
  std::vector<ByteView> pieces;
  for (std::size_t at = 0; at < data.size();) {
    const auto most = *rc::gen::element<std::size_t>(0, 1, 100, 30'000, 70'000, 150'000);
    const std::size_t count =
        std::min(data.size() - at, *rc::gen::inRange<std::size_t>(0, most + 1));
    pieces.push_back(ByteView(data).subspan(at, count));
    at += count;
    if (pieces.size() > 50) {
      pieces.push_back(ByteView(data).subspan(at));
      break;
    }
  }
  const Bytes packed = compressed(compressor, options, pieces);
  const auto keep = *rc::gen::element<std::size_t>(0, 1, 1'000, 64 * kibibyte, 1'000'000);
  RC_ASSERT(by_next(decompressor, options.codec(), packed, keep) == data);
  const auto piece = *rc::gen::element<std::size_t>(1'000, 64 * kibibyte, 250'000);
  RC_ASSERT(by_read(decompressor, options.codec(), packed, piece) == data);
}
