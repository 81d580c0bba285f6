#include <gtest/gtest.h>

#include <cstdint>

import millrace.base;
import millrace.protocol.compression;

using namespace millrace;
using namespace millrace::protocol;

TEST(Codec, is_known_by_its_name) {
  for (const Codec codec : {Codec::none, Codec::gzip, Codec::snappy, Codec::lz4, Codec::zstd}) {
    EXPECT_EQ(parse_codec(name_of(codec)), codec);
  }
  EXPECT_EQ(parse_codec("uncompressed"), Codec::none);
}

TEST(Codec, is_not_known_by_another_name) {
  for (const char* name : {"", "GZIP", "producer", "lz4 ", "brotli"}) {
    EXPECT_EQ(parse_codec(name), std::nullopt) << name;
  }
}

TEST(Codec, comes_from_the_lowest_three_bits) {
  EXPECT_EQ(codec_from_bits(0), Codec::none);
  EXPECT_EQ(codec_from_bits(0xf8 | 4), Codec::zstd);
  for (std::uint8_t bits = 5; bits <= 7; ++bits) EXPECT_EQ(codec_from_bits(bits), std::nullopt);
}

TEST(CompressionOptions, have_the_default_level_of_kafka) {
  EXPECT_EQ(CompressionOptions(Codec::gzip).level().value(), -1);
  EXPECT_EQ(CompressionOptions(Codec::lz4).level().value(), 9);
  EXPECT_EQ(CompressionOptions(Codec::zstd).level().value(), 3);
  EXPECT_EQ(CompressionOptions().codec(), Codec::none);
}

TEST(CompressionOptions, take_the_levels_of_the_codec_and_no_others) {
  struct Case {
    Codec codec;
    int level;
    bool taken;
  };
  for (const Case& each :
       {Case{Codec::gzip, -2, false}, Case{Codec::gzip, -1, true}, Case{Codec::gzip, 0, false},
        Case{Codec::gzip, 1, true}, Case{Codec::gzip, 9, true}, Case{Codec::gzip, 10, false},
        Case{Codec::lz4, 0, false}, Case{Codec::lz4, 1, true}, Case{Codec::lz4, 17, true},
        Case{Codec::lz4, 18, false}, Case{Codec::zstd, -131073, false},
        Case{Codec::zstd, -131072, true}, Case{Codec::zstd, 0, true}, Case{Codec::zstd, 22, true},
        Case{Codec::zstd, 23, false}}) {
    const auto options = CompressionOptions::with_level(each.codec, CompressionLevel(each.level));
    ASSERT_EQ(options.has_value(), each.taken) << name_of(each.codec) << " " << each.level;
    if (options) {
      EXPECT_EQ(options->level().value(), each.level);
    } else {
      EXPECT_EQ(options.error().fault, CompressionFault::level_out_of_range);
    }
  }
}

TEST(CompressionOptions, have_no_level_where_the_codec_has_none) {
  for (const Codec codec : {Codec::none, Codec::snappy}) {
    const auto options = CompressionOptions::with_level(codec, CompressionLevel(1));
    ASSERT_FALSE(options.has_value());
    EXPECT_EQ(options.error().fault, CompressionFault::level_not_supported);
  }
}
