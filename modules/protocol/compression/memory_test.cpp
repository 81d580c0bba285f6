// What is held of the system's memory: by what there is, not by what an input claims.
#include <gtest/gtest.h>
#include <zstd.h>

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

CompressionResult<std::uint64_t> decompressed_size(Decompressor& decompressor, Codec codec,
                                                   ByteView input,
                                                   const DecompressionLimits& limits) {
  if (const auto started = decompressor.start(codec, input, limits); !started) {
    return failure(started.error());
  }
  while (!decompressor.finished()) {
    if (const auto view = decompressor.next(); !view) return failure(view.error());
  }
  return decompressor.output_bytes();
}

}  // namespace

TEST(DecompressionMemory, does_not_follow_a_size_that_is_only_claimed) {
  struct Case {
    const char* name;
    Codec codec;
    Bytes input;
  };
  const std::string golden = std::string(MILLRACE_SOURCE_DIR) + "/tests/golden/data/compression/";
  const std::vector<Case> cases = {
      {"raw snappy of 4 GiB", Codec::snappy, from_hex("ffffffff0f 00 61")},
      {"xerial block of 100 MiB", Codec::snappy,
       from_hex("82534e4150505900 00000001 00000001 00000008 80808032 0061 0000")},
      {"lz4 blocks of 4 MiB", Codec::lz4, from_hex("04224d18 607073 01000080 61 00000000")},
      {"lz4 content of 100 MiB", Codec::lz4,
       from_hex("04224d18 6840 0000400600000000 d4 01000080 61 00000000")},
      {"zstd content of 100 MiB", Codec::zstd, from_hex("28b52ffd a0 00004006 090000 61")},
      {"zstd window of 128 MiB", Codec::zstd, from_hex("28b52ffd 00 88 090000 61")},
      {"zstd window of 128 MiB with data", Codec::zstd,
       file_bytes(golden + "zstd-window-128m.bin")},
  };
  for (const Case& each : cases) {
    Decompressor decompressor;
    DecompressionLimits limits;
    limits.ratio_max = 1'024;
    limits.ratio_free_bytes = mebibyte;
    // The outcome is the matter of other tests.
    static_cast<void>(decompressed_size(decompressor, each.codec, each.input, limits));
    EXPECT_LE(decompressor.memory_bytes(), 4 * mebibyte) << each.name;
  }
}

TEST(DecompressionMemory, reads_far_matches_in_a_narrowed_window) {
  // Noise that repeats at 3.9 MiB distance, in a frame that names no size and a window of 128 MiB.
  const Bytes noise = random_bytes(3'900'000);
  const Bytes data = joined(noise, ByteView(noise).first(250'000));
  ZSTD_CCtx* context = ZSTD_createCCtx();
  ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, 27);
  ZSTD_CCtx_setParameter(context, ZSTD_c_enableLongDistanceMatching, 1);
  ZSTD_CCtx_setParameter(context, ZSTD_c_contentSizeFlag, 0);
  Bytes packed(ZSTD_compressBound(data.size()));
  ZSTD_inBuffer from{data.data(), data.size() - 1, 0};
  ZSTD_outBuffer to{packed.data(), packed.size(), 0};
  ZSTD_compressStream2(context, &to, &from, ZSTD_e_continue);
  from.size = data.size();
  ZSTD_compressStream2(context, &to, &from, ZSTD_e_end);
  ZSTD_freeCCtx(context);
  packed.resize(to.pos);
  ASSERT_LT(packed.size(), 3'910'000u) << "the repetition was found";
  Decompressor decompressor;
  DecompressionLimits limits;
  limits.output_bytes_max = data.size();
  ASSERT_TRUE(decompressor.start(Codec::zstd, packed, limits).has_value());
  Bytes output(data.size());
  EXPECT_EQ(decompressor.read(output).value(), data.size());
  EXPECT_TRUE(output == data);
  EXPECT_LT(decompressor.memory_bytes(), 6 * mebibyte);
}

TEST(DecompressionMemory, is_given_back_above_what_may_be_retained) {
  const Bytes data = log_lines(6 * mebibyte);
  const Bytes large = compressed("raw snappy", data);
  const Bytes small = compressed("gzip", ByteView(data).first(1'000));
  Decompressor decompressor(mebibyte);
  EXPECT_EQ(decompressed_size(decompressor, Codec::snappy, large, {}).value(), data.size());
  EXPECT_GE(decompressor.memory_bytes(), 6 * mebibyte);
  EXPECT_EQ(decompressed_size(decompressor, Codec::gzip, small, {}).value(), 1'000u);
  EXPECT_LT(decompressor.memory_bytes(), mebibyte);
}

TEST(DecompressionMemory, that_is_not_there_is_an_error_and_can_be_there_later) {
  if (!HeapExhaustion::possible) GTEST_SKIP() << "a sanitizer owns the heap";
  const Bytes data = log_lines(100'000);
  const std::string golden = std::string(MILLRACE_SOURCE_DIR) + "/tests/golden/data/compression/";
  struct Case {
    Codec codec;
    Bytes input;
  };
  const std::vector<Case> cases = {
      {Codec::gzip, compressed("gzip", data)},
      {Codec::snappy, compressed("snappy", data)},
      {Codec::snappy, compressed("raw snappy", data)},
      {Codec::lz4, compressed("lz4", data)},
      {Codec::zstd, compressed("zstd", data)},
      {Codec::zstd, file_bytes(golden + "zstd-lines-stream.bin")},
  };
  for (const Case& each : cases) {
    std::uint64_t granted = 0;
    bool enough = false;
    for (; !enough; ++granted) {
      Decompressor decompressor;
      CompressionResult<std::uint64_t> size = std::uint64_t{0};
      {
        const HeapExhaustion exhaustion(granted);
        size = decompressed_size(decompressor, each.codec, each.input, {});
      }
      enough = size.has_value();
      if (!enough) EXPECT_EQ(name_of(size.error().fault), "memory_exhausted");
      EXPECT_TRUE(decompressed_size(decompressor, each.codec, each.input, {}).has_value())
          << name_of(each.codec) << " after " << granted;
    }
    EXPECT_GE(granted, 2u) << name_of(each.codec) << ": some memory is needed";
  }
}

TEST(CompressionMemory, that_is_not_there_is_an_error_and_can_be_there_later) {
  if (!HeapExhaustion::possible) GTEST_SKIP() << "a sanitizer owns the heap";
  const Bytes data = log_lines(200'000);
  const ByteView pieces[] = {ByteView(data).first(100), ByteView(data).subspan(100)};
  Bytes output(400'000);
  for (const CompressionOptions& options :
       {CompressionOptions(Codec::gzip), CompressionOptions(Codec::snappy),
        CompressionOptions(Codec::lz4),
        CompressionOptions::with_level(Codec::lz4, CompressionLevel(5)).value(),
        CompressionOptions(Codec::zstd)}) {
    std::uint64_t granted = 0;
    bool enough = false;
    for (; !enough; ++granted) {
      Compressor compressor;
      CompressionResult<std::size_t> size = std::size_t{0};
      {
        const HeapExhaustion exhaustion(granted);
        size = compressor.compress(options, pieces, output);
      }
      enough = size.has_value();
      if (!enough) EXPECT_EQ(name_of(size.error().fault), "memory_exhausted");
      size = compressor.compress(options, pieces, output);
      ASSERT_TRUE(size.has_value()) << name_of(options.codec()) << " after " << granted;
      EXPECT_EQ(outcome_of(name_of(options.codec()), ByteView(output).first(*size)).size(),
                data.size() + 2);
    }
    EXPECT_GE(granted, 2u) << name_of(options.codec()) << ": some memory is needed";
  }
}
