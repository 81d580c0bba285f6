module;
#include <array>
#include <cstddef>
#include <cstring>
#include <memory>
#include <new>
#include <span>

module millrace.protocol.compression;

import :engine;

namespace millrace::protocol {

namespace {

std::unique_ptr<Encoder> make_encoder(Codec codec, CodecMemory& memory) {
  switch (codec) {
    case Codec::gzip:
      return make_gzip_encoder(memory);
    case Codec::snappy:
      return make_snappy_encoder(memory);
    case Codec::lz4:
      return make_lz4_encoder(memory);
    case Codec::zstd:
      return make_zstd_encoder(memory);
    case Codec::none:
      break;
  }
  return nullptr;
}

std::size_t copy_pieces(std::span<const ByteView> input, MutableBytes output) {
  std::size_t written = 0;
  for (const ByteView piece : input) {
    if (piece.empty()) continue;
    std::memcpy(output.data() + written, piece.data(), piece.size());
    written += piece.size();
  }
  return written;
}

}  // namespace

std::size_t compressed_bytes_max(const CompressionOptions& options, std::size_t input_bytes) {
  switch (options.codec()) {
    case Codec::gzip:
      return gzip_bytes_max(input_bytes);
    case Codec::snappy:
      return snappy_bytes_max(options.snappy_framing(), input_bytes);
    case Codec::lz4:
      return lz4_bytes_max(input_bytes);
    case Codec::zstd:
      return zstd_bytes_max(input_bytes);
    case Codec::none:
      break;
  }
  return input_bytes;
}

struct Compressor::State {
  std::size_t retained_bytes_max = 0;
  CodecMemory memory;
  // By codec; made at first use.
  std::array<std::unique_ptr<Encoder>, 5> encoders;
};

Compressor::Compressor(std::size_t retained_bytes_max) : state_(new(std::nothrow) State) {
  check(state_ != nullptr, "memory for a compressor");
  state_->retained_bytes_max = retained_bytes_max;
}

Compressor::~Compressor() = default;
Compressor::Compressor(Compressor&&) noexcept = default;
Compressor& Compressor::operator=(Compressor&&) noexcept = default;

CompressionResult<std::size_t> Compressor::compress(const CompressionOptions& options,
                                                    std::span<const ByteView> input,
                                                    MutableBytes output) {
  std::size_t input_bytes = 0;
  for (const ByteView piece : input) {
    if (piece.size() > compressor_input_bytes_max - input_bytes) {
      return compression_failure(CompressionFault::input_too_large);
    }
    input_bytes += piece.size();
  }
  if (output.size() < compressed_bytes_max(options, input_bytes)) {
    return compression_failure(CompressionFault::output_too_small);
  }
  if (options.codec() == Codec::none) return copy_pieces(input, output);
  std::unique_ptr<Encoder>& encoder = state_->encoders[static_cast<std::size_t>(options.codec())];
  if (encoder == nullptr) encoder = make_encoder(options.codec(), state_->memory);
  if (encoder == nullptr) return compression_failure(CompressionFault::memory_exhausted);
  const auto result = encoder->encode(options, input, input_bytes, output);
  if (state_->memory.bytes() > state_->retained_bytes_max) state_->memory.trim();
  if (state_->memory.bytes() > state_->retained_bytes_max) {
    for (std::unique_ptr<Encoder>& each : state_->encoders) each.reset();
    state_->memory.trim();
  }
  return result;
}

CompressionResult<std::size_t> Compressor::compress(const CompressionOptions& options,
                                                    ByteView input, MutableBytes output) {
  return compress(options, std::span<const ByteView>(&input, 1), output);
}

std::size_t Compressor::memory_bytes() const {
  return state_->memory.bytes();
}

}  // namespace millrace::protocol
