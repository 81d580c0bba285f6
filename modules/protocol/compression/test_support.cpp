#include "test_support.h"

#include <string>
#include <string_view>

import millrace.base;
import millrace.protocol.compression;

namespace compression_test {

using millrace::protocol::CompressionError;
using millrace::protocol::CompressionOptions;
using millrace::protocol::Compressor;
using millrace::protocol::Decompressor;
using millrace::protocol::name_of;
using millrace::protocol::parse_codec;

Bytes compressed(std::string_view codec, std::span<const std::byte> data) {
  const CompressionOptions options = codec == "raw snappy"
                                         ? CompressionOptions::raw_snappy()
                                         : CompressionOptions(parse_codec(codec).value());
  Compressor compressor;
  Bytes output(millrace::protocol::compressed_bytes_max(options, data.size()));
  output.resize(compressor.compress(options, data, output).value());
  return output;
}

std::string outcome_of(std::string_view codec, std::span<const std::byte> input) {
  const auto text_of = [](const CompressionError& error) {
    return std::string(name_of(error.fault)) + " at " + std::to_string(error.position);
  };
  Decompressor decompressor;
  const auto started = decompressor.start(parse_codec(codec).value(), input, {});
  if (!started) return text_of(started.error());
  std::string output;
  while (!decompressor.finished()) {
    const auto view = decompressor.next();
    if (!view) return text_of(view.error());
    output += millrace::as_text(*view);
  }
  return '"' + output + '"';
}

std::string outcome_of(std::string_view codec, std::string_view hex) {
  const Bytes input = from_hex(hex);
  return outcome_of(codec, std::span<const std::byte>(input));
}

}  // namespace compression_test
