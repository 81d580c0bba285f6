// Input that was cut off or changed ends in a value or in an error, and in the value only if it is
// right. Every input lies in memory of exactly its size, so that a sanitizer sees a read past its
// end.
#include <gtest/gtest.h>
#include <lz4frame.h>
#include <zstd.h>

#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "test_support.h"

import millrace.base;
import millrace.protocol.compression;

using namespace compression_test;
using namespace millrace;
using namespace millrace::protocol;

namespace {

struct Sample {
  std::string name;
  Codec codec;
  // Whether a checksum covers the content.
  bool checked;
  Bytes packed;
};

Bytes lz4_with_all_checksums(const Bytes& data) {
  LZ4F_preferences_t preferences{};
  preferences.frameInfo.blockMode = LZ4F_blockIndependent;
  preferences.frameInfo.contentChecksumFlag = LZ4F_contentChecksumEnabled;
  preferences.frameInfo.blockChecksumFlag = LZ4F_blockChecksumEnabled;
  preferences.frameInfo.contentSize = data.size();
  Bytes output(LZ4F_compressFrameBound(data.size(), &preferences));
  output.resize(
      LZ4F_compressFrame(output.data(), output.size(), data.data(), data.size(), &preferences));
  return output;
}

Bytes zstd_with_checksum(const Bytes& data) {
  Bytes output(ZSTD_compressBound(data.size()));
  ZSTD_CCtx* context = ZSTD_createCCtx();
  ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1);
  output.resize(ZSTD_compress2(context, output.data(), output.size(), data.data(), data.size()));
  ZSTD_freeCCtx(context);
  return output;
}

std::vector<Sample> samples_of(const Bytes& data) {
  return {{"gzip", Codec::gzip, true, compressed("gzip", data)},
          {"xerial", Codec::snappy, false, compressed("snappy", data)},
          {"raw snappy", Codec::snappy, false, compressed("raw snappy", data)},
          {"lz4", Codec::lz4, false, compressed("lz4", data)},
          {"lz4 with checksums", Codec::lz4, true, lz4_with_all_checksums(data)},
          {"zstd", Codec::zstd, false, compressed("zstd", data)},
          {"zstd with checksum", Codec::zstd, true, zstd_with_checksum(data)}};
}

// Small limits, so that a changed size costs no time.
constexpr DecompressionLimits limits{.output_bytes_max = mebibyte};

CompressionResult<Bytes> by_next(Decompressor& decompressor) {
  Bytes output;
  while (!decompressor.finished()) {
    const auto view = decompressor.next();
    if (!view) return failure(view.error());
    output.insert(output.end(), view->begin(), view->end());
  }
  return output;
}

CompressionResult<Bytes> by_read(Decompressor& decompressor) {
  static GuardedMemory memory(mebibyte);
  Bytes output;
  // Large enough for blocks to be decompressed into it, and of no even size.
  const MutableBytes buffer = memory.last(70'001);
  while (true) {
    const auto count = decompressor.read(buffer);
    if (!count) return failure(count.error());
    output.insert(output.end(), buffer.begin(),
                  buffer.begin() + static_cast<std::ptrdiff_t>(*count));
    if (*count < buffer.size()) return output;
  }
}

// Both ways of reading; they must agree.
CompressionResult<Bytes> decompressed(Decompressor& decompressor, Codec codec, ByteView input) {
  static GuardedMemory memory(mebibyte);
  const ByteView copy = memory.copy_of(input);
  const auto started = decompressor.start(codec, copy, limits);
  if (!started) return failure(started.error());
  const auto output = by_next(decompressor);
  EXPECT_TRUE(decompressor.start(codec, copy, limits).has_value());
  const auto again = by_read(decompressor);
  EXPECT_EQ(output.has_value(), again.has_value());
  if (output && again) EXPECT_TRUE(*output == *again);
  if (!output && !again) {
    EXPECT_EQ(name_of(output.error().fault), name_of(again.error().fault));
  }
  return output;
}

}  // namespace

TEST(Damage, every_truncation_is_an_error) {
  Decompressor decompressor;
  for (const std::size_t size : {0u, 1u, 300u, 3'000u}) {
    for (const Sample& sample : samples_of(log_lines(size))) {
      for (std::size_t length = 0; length < sample.packed.size(); ++length) {
        const auto output =
            decompressed(decompressor, sample.codec, ByteView(sample.packed).first(length));
        // Xerial's framing has no end: its header alone is a stream of nothing.
        if (sample.name == "xerial" && length == 16) {
          EXPECT_TRUE(output.has_value() && output->empty());
          continue;
        }
        ASSERT_FALSE(output.has_value()) << sample.name << ", " << length << " of " << size;
        if (sample.codec != Codec::snappy) {
          EXPECT_EQ(output.error().fault, CompressionFault::truncated)
              << sample.name << ", " << length << ": " << name_of(output.error().fault);
        }
        EXPECT_LE(output.error().position, length);
      }
    }
  }
}

TEST(Damage, every_flipped_bit_ends_in_an_error_or_in_a_value_that_its_checksum_covers) {
  Decompressor decompressor;
  std::size_t errors = 0;
  const Bytes data = log_lines(400);
  for (const Sample& sample : samples_of(data)) {
    for (std::size_t bit = 0; bit < sample.packed.size() * 8; ++bit) {
      Bytes damaged = sample.packed;
      damaged[bit / 8] ^= static_cast<std::byte>(1u << (bit % 8));
      const auto output = decompressed(decompressor, sample.codec, damaged);
      if (!output) {
        ++errors;
        EXPECT_LE(output.error().position, damaged.size());
      } else if (sample.checked) {
        EXPECT_EQ(*output, data) << sample.name << ", bit " << bit;
      }
    }
  }
  EXPECT_GT(errors, 1'000u);
}

TEST(Damage, any_change_of_bytes_ends_in_an_error_or_in_a_value) {
  Decompressor decompressor;
  std::mt19937 random(1);
  const Bytes data = log_lines(70'000);
  for (const Sample& sample : samples_of(data)) {
    for (int round = 0; round < 500; ++round) {
      Bytes damaged = sample.packed;
      const auto changes = 1 + random() % 5;
      for (std::uint32_t i = 0; i < changes; ++i) {
        // Mostly near the begin, where the headers are.
        const std::size_t range =
            random() % 2 == 0 ? std::min<std::size_t>(40, damaged.size()) : damaged.size();
        damaged[random() % range] = static_cast<std::byte>(random());
      }
      const auto output = decompressed(decompressor, sample.codec, damaged);
      if (output && sample.checked) EXPECT_TRUE(*output == data) << sample.name << ", " << round;
      EXPECT_LE(decompressor.output_bytes(), 5 * mebibyte);
    }
  }
}

TEST(Damage, nothing_is_read_from_random_bytes_beyond_their_end) {
  Decompressor decompressor;
  for (std::uint32_t seed = 1; seed <= 2'000; ++seed) {
    const Bytes bytes = random_bytes(seed % 60, seed);
    for (const Codec codec : {Codec::gzip, Codec::snappy, Codec::lz4, Codec::zstd}) {
      const auto output = decompressed(decompressor, codec, bytes);
      if (codec != Codec::snappy) EXPECT_FALSE(output.has_value()) << seed;
    }
  }
}
