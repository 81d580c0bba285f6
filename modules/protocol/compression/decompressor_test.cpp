// How data is handed out, whatever the codec.
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

}  // namespace

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
    EXPECT_EQ(outcome_of(name_of(codec), ByteView()), "truncated at 0") << name_of(codec);
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
