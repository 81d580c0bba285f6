// How data is handed out, and each way in which it can be wrong.
#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include "heap_calls.h"
#include "test_support.h"

import millrace.base;
import millrace.protocol.compression;

using namespace compression_test;
using namespace millrace;
using namespace millrace::protocol;

namespace {

constexpr std::array packed_codecs = {Codec::gzip, Codec::snappy, Codec::lz4, Codec::zstd};

Bytes compressed(const CompressionOptions& options, ByteView data) {
  Compressor compressor;
  Bytes output(compressed_bytes_max(options, data.size()));
  output.resize(compressor.compress(options, data, output).value());
  return output;
}

// Reads to the end; what was read is dropped when it fails.
CompressionResult<Bytes> decompressed(Decompressor& decompressor, Codec codec, ByteView input,
                                      const DecompressionLimits& limits = {}) {
  if (const auto started = decompressor.start(codec, input, limits); !started) {
    return failure(started.error());
  }
  Bytes output;
  while (!decompressor.finished()) {
    const auto view = decompressor.next();
    if (!view) return failure(view.error());
    output.insert(output.end(), view->begin(), view->end());
  }
  return output;
}

CompressionError error_of(Codec codec, ByteView input, const DecompressionLimits& limits = {}) {
  Decompressor decompressor;
  const auto output = decompressed(decompressor, codec, input, limits);
  if (output.has_value()) {
    ADD_FAILURE() << "was read as " << output->size() << " bytes";
    return {};
  }
  return output.error();
}

CompressionError error_of(Codec codec, std::string_view hex) {
  const Bytes input = from_hex(hex);
  return error_of(codec, input);
}

constexpr auto at = [](CompressionFault fault, std::uint64_t position) {
  return CompressionError{fault, position};
};

}  // namespace

namespace millrace::protocol {
void PrintTo(const CompressionError& error, std::ostream* out) {
  *out << name_of(error.fault) << " at " << error.position;
}
}  // namespace millrace::protocol

TEST(Decompressor, gives_uncompressed_data_in_place) {
  const Bytes data = log_lines(500'000);
  Decompressor decompressor;
  ASSERT_TRUE(decompressor.start(Codec::none, data, {}).has_value());
  const auto view = decompressor.next();
  ASSERT_TRUE(view.has_value());
  EXPECT_EQ(view->data(), data.data());
  EXPECT_EQ(view->size(), data.size());
  EXPECT_TRUE(decompressor.finished());
  const auto kept = decompressor.next(10);
  ASSERT_TRUE(kept.has_value());
  EXPECT_EQ(kept->data(), data.data() + data.size() - 10);
  EXPECT_EQ(kept->size(), 10u);
}

TEST(Decompressor, refuses_an_empty_input_for_every_codec_but_none) {
  Decompressor decompressor;
  EXPECT_EQ(decompressed(decompressor, Codec::none, {}).value(), Bytes());
  for (const Codec codec : packed_codecs) {
    EXPECT_EQ(error_of(codec, ByteView()), at(CompressionFault::truncated, 0)) << name_of(codec);
  }
}

TEST(Decompressor, gives_the_same_failure_until_the_next_start) {
  const Bytes data = log_lines(1'000);
  Decompressor decompressor;
  for (const Codec codec : packed_codecs) {
    const Bytes packed = compressed(CompressionOptions(codec), data);
    ASSERT_FALSE(decompressed(decompressor, codec, from_hex("00010203")).has_value());
    const auto first = decompressor.next();
    const auto second = decompressor.next(100);
    Bytes buffer(10);
    const auto third = decompressor.read(buffer);
    ASSERT_TRUE(!first && !second && !third);
    EXPECT_EQ(first.error(), second.error());
    EXPECT_EQ(first.error(), third.error());
    EXPECT_FALSE(decompressor.finished());
    EXPECT_EQ(decompressed(decompressor, codec, packed).value(), data) << name_of(codec);
  }
}

TEST(Decompressor, can_leave_an_input_in_the_middle) {
  const Bytes data = log_lines(500'000);
  Decompressor decompressor;
  for (const Codec codec : packed_codecs) {
    const Bytes packed = compressed(CompressionOptions(codec), data);
    for (int i = 0; i < 3; ++i) {
      ASSERT_TRUE(decompressor.start(codec, packed, {}).has_value());
      ASSERT_TRUE(decompressor.next().has_value());
    }
    EXPECT_TRUE(decompressed(decompressor, codec, packed).value() == data) << name_of(codec);
  }
}

TEST(Decompressor, reads_into_a_buffer_smaller_than_a_block) {
  const Bytes data = log_lines(100'000);
  Decompressor decompressor;
  for (const CompressionOptions& options :
       {CompressionOptions(), CompressionOptions(Codec::gzip), CompressionOptions(Codec::snappy),
        CompressionOptions::raw_snappy(), CompressionOptions(Codec::lz4),
        CompressionOptions(Codec::zstd)}) {
    const Bytes packed = compressed(options, data);
    ASSERT_TRUE(decompressor.start(options.codec(), packed, {}).has_value());
    Bytes output;
    std::array<std::byte, 7> buffer;
    std::size_t count = buffer.size();
    while (count == buffer.size()) {
      EXPECT_FALSE(decompressor.finished() && output.size() < data.size());
      count = decompressor.read(buffer).value();
      output.insert(output.end(), buffer.begin(),
                    buffer.begin() + static_cast<std::ptrdiff_t>(count));
    }
    EXPECT_TRUE(output == data) << name_of(options.codec());
    EXPECT_TRUE(decompressor.finished());
  }
}

// Deflated: one stored block of one byte "a". CRC-32 e8b7be43.
constexpr std::string_view gzip_a = "1f8b0800000000000003 01 0100 feff 61 43beb7e8 01000000";

TEST(Gzip, names_what_is_wrong) {
  using enum CompressionFault;
  Decompressor decompressor;
  EXPECT_EQ(decompressed(decompressor, Codec::gzip, from_hex(gzip_a)).value(), bytes_of("a"));
  EXPECT_EQ(error_of(Codec::gzip, "1f8c"), at(header_invalid, 0));
  EXPECT_EQ(error_of(Codec::gzip, "1f"), at(truncated, 0));
  // Another method than deflate; a reserved flag.
  EXPECT_EQ(error_of(Codec::gzip, "1f8b0700000000000003").fault, header_invalid);
  EXPECT_EQ(error_of(Codec::gzip, "1f8b0820000000000003").fault, header_invalid);
  // A header checksum that is wrong.
  EXPECT_EQ(error_of(Codec::gzip, "1f8b0802000000000003 0000").fault, header_checksum_mismatch);
  EXPECT_EQ(error_of(Codec::gzip, "1f8b0800000000000003 01 0100 feff 61 43beb7e9 01000000"),
            at(checksum_mismatch, 20));
  EXPECT_EQ(error_of(Codec::gzip, "1f8b0800000000000003 01 0100 feff 61 43beb7e8 02000000"),
            at(content_size_mismatch, 24));
  // A reserved block type; a distance before the begin.
  EXPECT_EQ(error_of(Codec::gzip, "1f8b0800000000000003 07").fault, data_invalid);
  EXPECT_EQ(error_of(Codec::gzip, std::string(gzip_a) + "00"), at(trailing_bytes, 24));
  EXPECT_EQ(error_of(Codec::gzip, std::string(gzip_a) + "1f8b"), at(truncated, 26));
}

TEST(Snappy, names_what_is_wrong_with_a_raw_block) {
  using enum CompressionFault;
  Decompressor decompressor;
  EXPECT_EQ(decompressed(decompressor, Codec::snappy, from_hex("01 00 61")).value(), bytes_of("a"));
  // No length; a length of more than 32 bits.
  EXPECT_EQ(error_of(Codec::snappy, "80").fault, header_invalid);
  EXPECT_EQ(error_of(Codec::snappy, "ffffffff7f00").fault, header_invalid);
  EXPECT_EQ(error_of(Codec::snappy, "02 00 61"), at(truncated, 3));
  EXPECT_EQ(error_of(Codec::snappy, "02 04 61"), at(truncated, 3));
  EXPECT_EQ(error_of(Codec::snappy, "05 f0"), at(truncated, 2));
  EXPECT_EQ(error_of(Codec::snappy, "05 0061 05"), at(truncated, 4));
  EXPECT_EQ(error_of(Codec::snappy, "01 00 61 00"), at(trailing_bytes, 3));
  // A literal of two bytes for one; a copy from before the begin.
  EXPECT_EQ(error_of(Codec::snappy, "01 04 6162").fault, data_invalid);
  EXPECT_EQ(error_of(Codec::snappy, "05 0061 0102").fault, data_invalid);
  // More than so few bytes can become.
  EXPECT_EQ(error_of(Codec::snappy, "ffff03 00 61"), at(data_invalid, 0));
}

constexpr std::string_view xerial_begin = "82534e4150505900 00000001 00000001";

TEST(Snappy, names_what_is_wrong_with_xerials_framing) {
  using enum CompressionFault;
  const std::string begin(xerial_begin);
  Decompressor decompressor;
  EXPECT_EQ(decompressed(decompressor, Codec::snappy, from_hex(begin)).value(), Bytes());
  EXPECT_EQ(decompressed(decompressor, Codec::snappy, from_hex(begin + "00000003 010061")).value(),
            bytes_of("a"));
  EXPECT_EQ(error_of(Codec::snappy, "82534e4150505900 00000001 000000"), at(truncated, 0));
  EXPECT_EQ(error_of(Codec::snappy, "82534e4150505900 00000000 00000001"),
            at(version_not_supported, 0));
  EXPECT_EQ(error_of(Codec::snappy, begin + "000000"), at(truncated, 16));
  EXPECT_EQ(error_of(Codec::snappy, begin + "00000004 010061"), at(truncated, 20));
  EXPECT_EQ(error_of(Codec::snappy, begin + "00000000"), at(data_invalid, 16));
  EXPECT_EQ(error_of(Codec::snappy, begin + "ffffffff"), at(data_invalid, 16));
  EXPECT_EQ(error_of(Codec::snappy, begin + "00000002 010061"), at(truncated, 22));
  EXPECT_EQ(error_of(Codec::snappy, begin + "00000004 01006100"), at(trailing_bytes, 23));
  // A second header, cut off or with another magic.
  EXPECT_EQ(error_of(Codec::snappy, begin + "82534e41 50505900").fault, truncated);
  EXPECT_EQ(error_of(Codec::snappy, begin + "82534e41 50505901 00000001 00000001").fault,
            data_invalid);
}

TEST(Snappy, passes_over_blocks_of_nothing) {
  Decompressor decompressor;
  const Bytes input =
      from_hex(std::string(xerial_begin) + "00000001 00 00000001 00 00000003 010061");
  EXPECT_EQ(decompressed(decompressor, Codec::snappy, input).value(), bytes_of("a"));
}

// Header, one stored block "a", end mark.
constexpr std::string_view lz4_a = "04224d18 604082 01000080 61 00000000";

TEST(Lz4, names_what_is_wrong_with_a_header) {
  using enum CompressionFault;
  Decompressor decompressor;
  EXPECT_EQ(decompressed(decompressor, Codec::lz4, from_hex(lz4_a)).value(), bytes_of("a"));
  EXPECT_EQ(error_of(Codec::lz4, "04224d19 604082"), at(header_invalid, 0));
  EXPECT_EQ(error_of(Codec::lz4, "04224d18 6040"), at(truncated, 0));
  EXPECT_EQ(error_of(Codec::lz4, "04224d18 604083"), at(header_checksum_mismatch, 4));
  EXPECT_EQ(error_of(Codec::lz4, "04224d18 404082"), at(linked_blocks, 4));
  EXPECT_EQ(error_of(Codec::lz4, "04224d18 614082"), at(dictionary_needed, 4));
  EXPECT_EQ(error_of(Codec::lz4, "04224d18 624082"), at(version_not_supported, 4));
  EXPECT_EQ(error_of(Codec::lz4, "04224d18 a04082"), at(version_not_supported, 4));
  // Block sizes below 64 KiB; reserved bits.
  EXPECT_EQ(error_of(Codec::lz4, "04224d18 603082"), at(header_invalid, 4));
  EXPECT_EQ(error_of(Codec::lz4, "04224d18 604182"), at(header_invalid, 4));
  EXPECT_EQ(error_of(Codec::lz4, "04224d18 60c082"), at(header_invalid, 4));
  // The content size is cut off.
  EXPECT_EQ(error_of(Codec::lz4, "04224d18 6840 01000000"), at(truncated, 4));
  // A skippable frame, and the framing of lz4 before 1.4.
  EXPECT_EQ(error_of(Codec::lz4, "502a4d18 00000000"), at(header_invalid, 0));
  EXPECT_EQ(error_of(Codec::lz4, "02214c18 00000000"), at(header_invalid, 0));
}

TEST(Lz4, names_what_is_wrong_with_blocks) {
  using enum CompressionFault;
  const std::string begin = "04224d18 604082";
  EXPECT_EQ(error_of(Codec::lz4, begin), at(truncated, 7));
  EXPECT_EQ(error_of(Codec::lz4, begin + "01000080"), at(truncated, 7));
  EXPECT_EQ(error_of(Codec::lz4, begin + "01000080 61"), at(truncated, 12));
  EXPECT_EQ(error_of(Codec::lz4, begin + "00000080 00000000"), at(data_invalid, 7));
  EXPECT_EQ(error_of(Codec::lz4, begin + "01000100"), at(block_too_large, 7));
  EXPECT_EQ(error_of(Codec::lz4, begin + "01000180"), at(block_too_large, 7));
  // A block that is cut off inside; a match before the begin.
  EXPECT_EQ(error_of(Codec::lz4, begin + "01000000 f0 00000000"), at(data_invalid, 11));
  EXPECT_EQ(error_of(Codec::lz4, begin + "08000000 1061090000000000 00000000").fault, data_invalid);
  EXPECT_EQ(error_of(Codec::lz4, std::string(lz4_a) + "00"), at(trailing_bytes, 16));
  EXPECT_EQ(error_of(Codec::lz4, std::string(lz4_a) + std::string(lz4_a)), at(trailing_bytes, 16));
}

TEST(Lz4, refuses_a_block_that_becomes_more_than_the_frame_allows) {
  // One literal, then a match of about 70,000 bytes: 275 length bytes of 255 in a frame of 64 KiB
  // blocks.
  std::string block = "1f 61 0100";
  for (int i = 0; i < 275; ++i) block += "ff";
  block += "00 50 6161616161";
  const Bytes body = from_hex(block);
  const std::string hex = "04224d18 604082 1e010000" + block + "00000000";
  ASSERT_EQ(body.size(), 0x11eu);
  EXPECT_EQ(error_of(Codec::lz4, hex), at(CompressionFault::data_invalid, 11));
}

TEST(Lz4, passes_over_blocks_of_nothing) {
  Decompressor decompressor;
  const Bytes input = from_hex("04224d18 604082 01000000 00 01000000 00 01000080 61 00000000");
  EXPECT_EQ(decompressed(decompressor, Codec::lz4, input).value(), bytes_of("a"));
}

// Single segment, content size 1, one raw last block "a".
constexpr std::string_view zstd_a = "28b52ffd 20 01 090000 61";

TEST(Zstd, names_what_is_wrong) {
  using enum CompressionFault;
  Decompressor decompressor;
  EXPECT_EQ(decompressed(decompressor, Codec::zstd, from_hex(zstd_a)).value(), bytes_of("a"));
  EXPECT_EQ(error_of(Codec::zstd, "28b52ffe"), at(header_invalid, 0));
  EXPECT_EQ(error_of(Codec::zstd, "28b52f"), at(truncated, 0));
  EXPECT_EQ(error_of(Codec::zstd, "28b52ffd 20"), at(truncated, 0));
  // The formats of zstd 0.5 and 0.7, which the library may know.
  EXPECT_EQ(error_of(Codec::zstd, "25b52ffd 20 01 090000 61"), at(header_invalid, 0));
  EXPECT_EQ(error_of(Codec::zstd, "27b52ffd 20 01 090000 61"), at(header_invalid, 0));
  // A reserved bit; a dictionary; a window of 256 MiB.
  EXPECT_EQ(error_of(Codec::zstd, "28b52ffd 28 01 090000 61"), at(version_not_supported, 0));
  EXPECT_EQ(error_of(Codec::zstd, "28b52ffd 21 07 01 090000 61"), at(dictionary_needed, 0));
  EXPECT_EQ(error_of(Codec::zstd, "28b52ffd 00 90 090000 61"), at(window_too_large, 0));
  // A reserved block type; a size that is not kept.
  EXPECT_EQ(error_of(Codec::zstd, "28b52ffd 20 01 0f0000 61").fault, data_invalid);
  EXPECT_EQ(error_of(Codec::zstd, "28b52ffd 20 02 090000 61").fault, data_invalid);
  EXPECT_EQ(error_of(Codec::zstd, "28b52ffd 24 01 090000 61 00000000").fault, checksum_mismatch);
  EXPECT_EQ(error_of(Codec::zstd, std::string(zstd_a) + "00"), at(trailing_bytes, 10));
  EXPECT_EQ(error_of(Codec::zstd, std::string(zstd_a) + "28b5"), at(truncated, 10));
  EXPECT_EQ(error_of(Codec::zstd, std::string(zstd_a) + "502a4d18 01000000"), at(truncated, 10));
}

// zstd's streaming functions let both of these pass, the second where a frame before needed more
// memory.
TEST(Zstd, refuses_a_frame_with_more_than_its_size_before_an_empty_last_block) {
  Decompressor decompressor;
  const std::string golden = std::string(MILLRACE_SOURCE_DIR) + "/tests/golden/data/compression/";
  const Bytes large = file_bytes(golden + "zstd-lines-stream.bin");
  EXPECT_TRUE(decompressed(decompressor, Codec::zstd, large).has_value());
  // Content size 512, then twice 400 times "a".
  const Bytes input = from_hex("28b52ffd 60 0001 820c00 61 820c00 61 010000");
  std::array<std::byte, 100> buffer;
  ASSERT_TRUE(decompressor.start(Codec::zstd, input, {}).has_value());
  auto count = decompressor.read(buffer);
  while (count.has_value() && *count == buffer.size()) count = decompressor.read(buffer);
  ASSERT_FALSE(count.has_value());
  EXPECT_EQ(count.error().fault, CompressionFault::content_size_mismatch);
}

TEST(Zstd, refuses_a_frame_whose_last_block_is_empty_before_its_size_is_reached) {
  const Bytes input = from_hex("28b52ffd 20 03 080000 61 010000");
  EXPECT_EQ(error_of(Codec::zstd, input).fault, CompressionFault::data_invalid);
  Decompressor decompressor;
  ASSERT_TRUE(decompressor.start(Codec::zstd, input, {}).has_value());
  std::array<std::byte, 2> buffer;
  const auto count = decompressor.read(buffer);
  ASSERT_FALSE(count.has_value());
  EXPECT_EQ(count.error().fault, CompressionFault::content_size_mismatch);
}

TEST(Zstd, takes_a_smaller_window_when_told) {
  const Bytes input = from_hex("28b52ffd 00 58 090000 61");  // 2 MiB
  Decompressor decompressor;
  DecompressionLimits limits;
  limits.zstd_window_log_max = 21;
  EXPECT_EQ(decompressed(decompressor, Codec::zstd, input, limits).value(), bytes_of("a"));
  limits.zstd_window_log_max = 20;
  EXPECT_EQ(error_of(Codec::zstd, input, limits), at(CompressionFault::window_too_large, 0));
}

TEST(Decompressor, does_not_touch_the_heap_once_it_is_warm) {
  const Bytes data = log_lines(mebibyte);
  struct Input {
    Codec codec;
    Bytes packed;
  };
  std::vector<Input> inputs;
  for (const std::size_t size : {100u, 16'000u, 1'000'000u}) {
    for (const Codec codec : packed_codecs) {
      Bytes packed = compressed(CompressionOptions(codec), ByteView(data).first(size));
      Bytes damaged = packed;
      damaged[damaged.size() * 2 / 3] ^= std::byte{0x55};
      inputs.push_back({codec, std::move(packed)});
      inputs.push_back({codec, std::move(damaged)});
    }
    inputs.push_back(
        {Codec::snappy, compressed(CompressionOptions::raw_snappy(), ByteView(data).first(size))});
  }
  const std::string golden = std::string(MILLRACE_SOURCE_DIR) + "/tests/golden/data/compression/";
  for (const char* name : {"lines-stream", "window-128m", "frames", "level-22"}) {
    inputs.push_back({Codec::zstd, file_bytes(golden + "zstd-" + name + ".bin")});
  }
  Decompressor decompressor;
  DecompressionLimits narrow;
  narrow.output_bytes_max = 50'000;
  const auto read_all = [&] {
    for (const Input& input : inputs) {
      for (const DecompressionLimits& limits : {DecompressionLimits(), narrow}) {
        bool going = decompressor.start(input.codec, input.packed, limits).has_value();
        while (going && !decompressor.finished()) going = decompressor.next(0).has_value();
      }
    }
  };
  read_all();
  const std::uint64_t before = heap_calls();
  for (int i = 0; i < 20; ++i) read_all();
  EXPECT_EQ(heap_calls() - before, 0u);
}

TEST(Decompressor, works_beside_another_in_another_thread) {
  const auto work = [](std::uint32_t seed, bool& right) {
    Compressor compressor;
    Decompressor decompressor;
    right = true;
    for (std::uint32_t i = 0; i < 20; ++i) {
      const Bytes data = log_lines(50'000 + i * 1'000, seed + i);
      for (const Codec codec : packed_codecs) {
        const CompressionOptions options(codec);
        Bytes packed(compressed_bytes_max(options, data.size()));
        packed.resize(compressor.compress(options, data, packed).value());
        right = right && decompressed(decompressor, codec, packed).value() == data;
      }
    }
  };
  bool first_right = false;
  bool second_right = false;
  std::thread first(work, 1, std::ref(first_right));
  std::thread second(work, 1'000, std::ref(second_right));
  first.join();
  second.join();
  EXPECT_TRUE(first_right);
  EXPECT_TRUE(second_right);
}
