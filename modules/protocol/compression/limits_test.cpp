// What an input may cost: output, output for its size, steps. Also proves engine.cppm.
#include <gtest/gtest.h>
#include <lz4frame.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include <cstddef>
#include <cstdint>
#include <fstream>
#include <string>
#include <vector>

#include "test_support.h"

import millrace.base;
import millrace.protocol.compression;

using namespace compression_test;
using namespace millrace;
using namespace millrace::protocol;

namespace {

constexpr std::size_t bomb_bytes = 1024 * mebibyte;

Bytes compressed(const CompressionOptions& options, ByteView data) {
  Compressor compressor;
  Bytes output(compressed_bytes_max(options, data.size()));
  output.resize(compressor.compress(options, data, output).value());
  return output;
}

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

CompressionFault fault_of(Codec codec, ByteView input, const DecompressionLimits& limits) {
  Decompressor decompressor;
  const auto size = decompressed_size(decompressor, codec, input, limits);
  EXPECT_FALSE(size.has_value());
  return size ? CompressionFault::memory_exhausted : size.error().fault;
}

std::size_t resident_bytes() {
  std::ifstream file("/proc/self/statm");
  std::size_t total = 0;
  std::size_t resident = 0;
  file >> total >> resident;
  return resident * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

Bytes gzip_bomb() {
  const Bytes zeros(mebibyte);
  Bytes output(2 * mebibyte);
  z_stream stream{};
  deflateInit2(&stream, 9, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY);
  stream.next_out = reinterpret_cast<Bytef*>(output.data());
  stream.avail_out = static_cast<uInt>(output.size());
  for (std::size_t done = 0; done < bomb_bytes; done += zeros.size()) {
    stream.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(zeros.data()));
    stream.avail_in = static_cast<uInt>(zeros.size());
    deflate(&stream, done + zeros.size() == bomb_bytes ? Z_FINISH : Z_NO_FLUSH);
  }
  output.resize(stream.total_out);
  deflateEnd(&stream);
  return output;
}

Bytes zstd_bomb() {
  const Bytes zeros(mebibyte);
  Bytes output(2 * mebibyte);
  ZSTD_CCtx* context = ZSTD_createCCtx();
  ZSTD_outBuffer to{output.data(), output.size(), 0};
  for (std::size_t done = 0; done < bomb_bytes; done += zeros.size()) {
    ZSTD_inBuffer from{zeros.data(), zeros.size(), 0};
    ZSTD_compressStream2(context, &to, &from,
                         done + zeros.size() == bomb_bytes ? ZSTD_e_end : ZSTD_e_continue);
  }
  ZSTD_freeCCtx(context);
  output.resize(to.pos);
  return output;
}

Bytes lz4_bomb() {
  const Bytes zeros(4 * mebibyte);
  LZ4F_preferences_t preferences{};
  preferences.frameInfo.blockMode = LZ4F_blockIndependent;
  preferences.frameInfo.blockSizeID = LZ4F_max4MB;
  preferences.autoFlush = 1;
  Bytes output(16 * mebibyte);
  LZ4F_cctx* context = nullptr;
  LZ4F_createCompressionContext(&context, LZ4F_VERSION);
  std::size_t size = LZ4F_compressBegin(context, output.data(), output.size(), &preferences);
  for (std::size_t done = 0; done < bomb_bytes; done += zeros.size()) {
    size += LZ4F_compressUpdate(context, output.data() + size, output.size() - size, zeros.data(),
                                zeros.size(), nullptr);
  }
  size += LZ4F_compressEnd(context, output.data() + size, output.size() - size, nullptr);
  LZ4F_freeCompressionContext(context);
  output.resize(size);
  return output;
}

struct Bomb {
  Codec codec;
  Bytes packed;
};

// Made once: a gibibyte takes seconds.
const std::vector<Bomb>& bombs() {
  static const std::vector<Bomb> made = {
      {Codec::gzip, gzip_bomb()}, {Codec::zstd, zstd_bomb()}, {Codec::lz4, lz4_bomb()}};
  return made;
}

Bytes repeated(std::string_view begin, std::string_view part, int count, std::string_view end) {
  const Bytes one = from_hex(part);
  Bytes all = from_hex(begin);
  for (int i = 0; i < count; ++i) all.insert(all.end(), one.begin(), one.end());
  const Bytes last = from_hex(end);
  all.insert(all.end(), last.begin(), last.end());
  return all;
}

}  // namespace

TEST(DecompressionLimits, stop_a_gibibyte_of_zeros_with_little_memory) {
  for (const Bomb& bomb : bombs()) {
    Decompressor decompressor;
    DecompressionLimits limits;
    limits.ratio_max = 1'000'000;
    const std::size_t before = resident_bytes();
    const auto size = decompressed_size(decompressor, bomb.codec, bomb.packed, limits);
    ASSERT_FALSE(size.has_value()) << name_of(bomb.codec);
    EXPECT_EQ(size.error().fault, CompressionFault::output_limit) << name_of(bomb.codec);
    EXPECT_GT(decompressor.output_bytes(), 100 * mebibyte);
    EXPECT_LE(decompressor.output_bytes(), 128 * mebibyte + 1);
    EXPECT_LE(decompressor.memory_bytes(), 16 * mebibyte) << name_of(bomb.codec);
    EXPECT_LT(resident_bytes(), before + 32 * mebibyte) << name_of(bomb.codec);
  }
}

TEST(DecompressionLimits, stop_a_bomb_by_its_ratio) {
  const Bytes bomb = zstd_bomb();
  Decompressor decompressor;
  DecompressionLimits limits;
  limits.ratio_max = 100;
  const auto size = decompressed_size(decompressor, Codec::zstd, bomb, limits);
  ASSERT_FALSE(size.has_value());
  EXPECT_EQ(size.error().fault, CompressionFault::ratio_limit);
  EXPECT_LE(decompressor.output_bytes(), output_bytes_allowed(limits, bomb.size()) + 1);
}

TEST(DecompressionLimits, let_a_gibibyte_through_where_they_allow_it) {
  DecompressionLimits limits;
  limits.output_bytes_max = bomb_bytes;
  limits.ratio_max = 1'000'000;
  limits.steps_max = 1'000'000;
  for (const Bomb& bomb : bombs()) {
    Decompressor decompressor;
    EXPECT_EQ(decompressed_size(decompressor, bomb.codec, bomb.packed, limits).value(), bomb_bytes);
    EXPECT_LE(decompressor.memory_bytes(), 16 * mebibyte) << name_of(bomb.codec);
  }
}

TEST(DecompressionLimits, are_exact_to_the_byte) {
  for (const std::size_t bytes : {1u, 1'000u, 65'536u, 65'537u, 200'000u}) {
    const Bytes data = log_lines(bytes);
    for (const CompressionOptions& options :
         {CompressionOptions(), CompressionOptions(Codec::gzip), CompressionOptions(Codec::snappy),
          CompressionOptions::raw_snappy(), CompressionOptions(Codec::lz4),
          CompressionOptions(Codec::zstd)}) {
      const Bytes packed = compressed(options, data);
      DecompressionLimits limits;
      limits.output_bytes_max = bytes;
      Decompressor decompressor;
      EXPECT_TRUE(decompressed_size(decompressor, options.codec(), packed, limits).has_value())
          << name_of(options.codec()) << " " << bytes;
      limits.output_bytes_max = bytes - 1;
      EXPECT_EQ(fault_of(options.codec(), packed, limits), CompressionFault::output_limit)
          << name_of(options.codec()) << " " << bytes;
    }
  }
}

TEST(DecompressionLimits, count_the_ratio_only_above_what_is_free) {
  const Bytes data(100'000);
  const Bytes packed = compressed(CompressionOptions(Codec::gzip), data);
  DecompressionLimits limits;
  limits.ratio_max = 10;
  limits.ratio_free_bytes = 100'000;
  Decompressor decompressor;
  EXPECT_TRUE(decompressed_size(decompressor, Codec::gzip, packed, limits).has_value());
  limits.ratio_free_bytes = 99'999;
  EXPECT_EQ(fault_of(Codec::gzip, packed, limits), CompressionFault::ratio_limit);
}

TEST(DecompressionLimits, hold_at_the_ends_of_their_ranges) {
  constexpr std::uint64_t most = ~std::uint64_t{0};
  const Bytes data = log_lines(100'000);
  DecompressionLimits open;
  open.output_bytes_max = most;
  open.ratio_max = ~std::uint32_t{0};
  open.ratio_free_bytes = most;
  open.steps_max = ~std::uint32_t{0};
  open.zstd_window_log_max = ~0u;
  DecompressionLimits closed;
  closed.output_bytes_max = 0;
  closed.ratio_max = 0;
  closed.ratio_free_bytes = 0;
  closed.steps_max = 0;
  closed.zstd_window_log_max = 0;
  for (const Codec codec : {Codec::gzip, Codec::snappy, Codec::lz4, Codec::zstd}) {
    const Bytes packed = compressed(CompressionOptions(codec), data);
    Decompressor decompressor;
    EXPECT_EQ(decompressed_size(decompressor, codec, packed, open).value(), data.size());
    EXPECT_FALSE(decompressed_size(decompressor, codec, packed, closed).has_value());
  }
  EXPECT_EQ(output_bytes_allowed(open, most), most);
  EXPECT_EQ(output_bytes_allowed(closed, most), 0u);
  DecompressionLimits ratio;
  ratio.output_bytes_max = most;
  EXPECT_EQ(output_bytes_allowed(ratio, most / 2), most);
  EXPECT_EQ(output_bytes_allowed(ratio, 10 * mebibyte), 10'240 * mebibyte);
  EXPECT_EQ(output_bytes_allowed(ratio, 1), 4 * mebibyte);
}

TEST(DecompressionLimits, stop_an_input_of_endless_small_pieces) {
  struct Case {
    const char* name;
    Codec codec;
    Bytes input;
  };
  const std::vector<Case> cases = {
      {"gzip members", Codec::gzip,
       repeated("", "1f8b0800000000000003 0300 00000000 00000000", 2'000, "")},
      {"xerial blocks", Codec::snappy,
       repeated("82534e4150505900 00000001 00000001", "00000001 00", 2'000, "")},
      {"xerial headers", Codec::snappy,
       repeated("", "82534e4150505900 00000001 00000001", 2'000, "")},
      {"lz4 blocks", Codec::lz4, repeated("04224d18 604082", "01000000 00", 2'000, "00000000")},
      {"zstd frames", Codec::zstd, repeated("", "28b52ffd 20 00 010000", 2'000, "")},
      {"zstd skippable frames", Codec::zstd, repeated("", "502a4d18 00000000", 2'000, "")},
  };
  for (const Case& each : cases) {
    DecompressionLimits limits;
    limits.steps_max = 2'010;
    Decompressor decompressor;
    const auto size = decompressed_size(decompressor, each.codec, each.input, limits);
    ASSERT_TRUE(size.has_value()) << each.name << ": " << name_of(size.error().fault);
    EXPECT_EQ(*size, 0u);
    limits.steps_max = 1'900;
    EXPECT_EQ(fault_of(each.codec, each.input, limits), CompressionFault::step_limit) << each.name;
  }
}

TEST(DecompressionLimits, count_input_and_output_as_steps) {
  const Bytes data = random_bytes(mebibyte);
  for (const CompressionOptions& options :
       {CompressionOptions(Codec::gzip), CompressionOptions::raw_snappy(),
        CompressionOptions(Codec::lz4), CompressionOptions(Codec::zstd)}) {
    const Bytes packed = compressed(options, data);
    DecompressionLimits limits;
    limits.steps_max = 120;
    Decompressor decompressor;
    EXPECT_TRUE(decompressed_size(decompressor, options.codec(), packed, limits).has_value());
    limits.steps_max = 60;
    EXPECT_EQ(fault_of(options.codec(), packed, limits), CompressionFault::step_limit)
        << name_of(options.codec());
  }
}
