// Which codec, at which level, in which framing: numbers, names and ranges as Kafka has them.
module;
#include <cstdint>
#include <optional>
#include <string_view>

export module millrace.protocol.compression:codec;

import :failure;
import millrace.base;

export namespace millrace::protocol {

// The lowest three bits of a batch's attributes.
enum class Codec : std::uint8_t { none = 0, gzip = 1, snappy = 2, lz4 = 3, zstd = 4 };

inline constexpr std::uint8_t codec_bits_mask = 0x07;

// Nothing for the numbers 5 to 7, which Kafka has not given out.
[[nodiscard]] constexpr std::optional<Codec> codec_from_bits(std::uint8_t bits) {
  if ((bits & codec_bits_mask) > static_cast<std::uint8_t>(Codec::zstd)) return std::nullopt;
  return static_cast<Codec>(bits & codec_bits_mask);
}

// As in compression.type: "none", "gzip", "snappy", "lz4", "zstd".
[[nodiscard]] std::string_view name_of(Codec codec);

// The names above, and "uncompressed", which topics may say for none. Case counts, as in Kafka.
// "producer" is no codec.
[[nodiscard]] std::optional<Codec> parse_codec(std::string_view name);

using CompressionLevel = Strong<struct CompressionLevelTag, std::int32_t>;

// What compression.<codec>.level may be. The default is always allowed, in the range or not: -1 of
// gzip is zlib's own choice, 6.
struct CompressionLevels {
  CompressionLevel min;
  CompressionLevel max;
  CompressionLevel default_level;
};

// Nothing for codecs without levels: none and snappy.
[[nodiscard]] constexpr std::optional<CompressionLevels> levels_of(Codec codec) {
  using Level = CompressionLevel;
  switch (codec) {
    case Codec::gzip:
      return CompressionLevels{Level(1), Level(9), Level(-1)};
    case Codec::lz4:
      return CompressionLevels{Level(1), Level(17), Level(9)};
    case Codec::zstd:
      return CompressionLevels{Level(-131072), Level(22), Level(3)};
    case Codec::none:
    case Codec::snappy:
      break;
  }
  return std::nullopt;
}

// Xerial's framing of 32 KiB blocks is what the Java client writes and what every client reads. One
// raw block is what librdkafka writes; it must be held whole in memory by whoever reads it.
enum class SnappyFraming : std::uint8_t { xerial, raw };

// How to compress: a codec with a level that was checked. A value.
class CompressionOptions {
 public:
  // No compression.
  constexpr CompressionOptions() = default;
  // At the codec's default level; snappy in xerial's framing.
  constexpr explicit CompressionOptions(Codec codec) : codec_(codec) {
    if (const auto levels = levels_of(codec)) level_ = levels->default_level;
  }

  // Fails with level_out_of_range, and for codecs without levels with level_not_supported.
  [[nodiscard]] static CompressionResult<CompressionOptions> with_level(Codec codec,
                                                                        CompressionLevel level);
  [[nodiscard]] static constexpr CompressionOptions raw_snappy() {
    CompressionOptions options(Codec::snappy);
    options.snappy_framing_ = SnappyFraming::raw;
    return options;
  }

  [[nodiscard]] constexpr Codec codec() const { return codec_; }
  // 0 for codecs without levels.
  [[nodiscard]] constexpr CompressionLevel level() const { return level_; }
  [[nodiscard]] constexpr SnappyFraming snappy_framing() const { return snappy_framing_; }

  friend constexpr bool operator==(const CompressionOptions&, const CompressionOptions&) = default;

 private:
  Codec codec_ = Codec::none;
  SnappyFraming snappy_framing_ = SnappyFraming::xerial;
  CompressionLevel level_{0};
};

}  // namespace millrace::protocol
