module;
#include <array>
#include <optional>
#include <string_view>

module millrace.protocol.compression;

namespace millrace::protocol {

namespace {

constexpr std::array<std::string_view, 5> codec_names = {"none", "gzip", "snappy", "lz4", "zstd"};

}  // namespace

std::string_view name_of(Codec codec) {
  return codec_names[static_cast<std::size_t>(codec)];
}

std::optional<Codec> parse_codec(std::string_view name) {
  if (name == "uncompressed") return Codec::none;
  for (std::size_t number = 0; number < codec_names.size(); ++number) {
    if (codec_names[number] == name) return static_cast<Codec>(number);
  }
  return std::nullopt;
}

CompressionResult<CompressionOptions> CompressionOptions::with_level(Codec codec,
                                                                     CompressionLevel level) {
  const auto levels = levels_of(codec);
  if (!levels) return compression_failure(CompressionFault::level_not_supported);
  const bool in_range = level >= levels->min && level <= levels->max;
  if (!in_range && level != levels->default_level) {
    return compression_failure(CompressionFault::level_out_of_range);
  }
  CompressionOptions options(codec);
  options.level_ = level;
  return options;
}

}  // namespace millrace::protocol
