// gzip through zlib: deflate data with gzip's header and trailer, one member or several.
module;
#define ZLIB_CONST
#include <zlib.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <new>
#include <span>
#include <string_view>

module millrace.protocol.compression;

import :engine;

namespace millrace::protocol {

namespace {

// The largest window, and 16 for gzip's wrapper instead of zlib's.
constexpr int gzip_window_bits = 15 + 16;
constexpr int memory_level = 8;
constexpr std::byte gzip_magic_0{0x1f};
constexpr std::byte gzip_magic_1{0x8b};

// zlib copies its window of 32 KiB whenever it returns: in larger chunks that is a hundredth of the
// time.
constexpr std::size_t chunk_bytes = 256 * kibibyte;
constexpr std::size_t call_bytes_max = 64 * kibibyte;

// zlib counts what is handed to it in 32 bits.
constexpr std::size_t zlib_bytes_max = std::numeric_limits<uInt>::max();
static_assert(compressor_input_bytes_max <= zlib_bytes_max);

const Bytef* zlib_bytes(const std::byte* bytes) {
  return reinterpret_cast<const Bytef*>(bytes);
}
Bytef* zlib_bytes(std::byte* bytes) {
  return reinterpret_cast<Bytef*>(bytes);
}

void* zlib_allocate(void* memory, uInt count, uInt bytes) {
  return static_cast<CodecMemory*>(memory)->allocate(std::size_t{count} * bytes);
}
void zlib_release(void* memory, void* block) {
  static_cast<CodecMemory*>(memory)->release(block);
}

z_stream stream_over(CodecMemory& memory) {
  z_stream stream{};
  stream.zalloc = zlib_allocate;
  stream.zfree = zlib_release;
  stream.opaque = &memory;
  return stream;
}

class GzipEncoder final : public Encoder {
 public:
  explicit GzipEncoder(CodecMemory& memory) : stream_(stream_over(memory)) {}
  GzipEncoder(const GzipEncoder&) = delete;
  GzipEncoder& operator=(const GzipEncoder&) = delete;
  ~GzipEncoder() override { deflateEnd(&stream_); }

  [[nodiscard]] bool start() {
    return deflateInit2(&stream_, level_, Z_DEFLATED, gzip_window_bits, memory_level,
                        Z_DEFAULT_STRATEGY) == Z_OK;
  }

  CompressionResult<std::size_t> encode(const CompressionOptions& options,
                                        std::span<const ByteView> input, std::size_t /*bytes*/,
                                        MutableBytes output) override {
    check(deflateReset(&stream_) == Z_OK, "deflateReset of a valid stream");
    if (options.level().value() != level_) {
      // Before any input this only sets the parameters.
      level_ = options.level().value();
      check(deflateParams(&stream_, level_, Z_DEFAULT_STRATEGY) == Z_OK, "deflateParams");
    }
    const std::size_t room = std::min(output.size(), zlib_bytes_max);
    stream_.next_out = zlib_bytes(output.data());
    stream_.avail_out = static_cast<uInt>(room);
    for (const ByteView piece : input) {
      if (piece.empty()) continue;
      stream_.next_in = zlib_bytes(piece.data());
      stream_.avail_in = static_cast<uInt>(piece.size());
      const int result = deflate(&stream_, Z_NO_FLUSH);
      check(result == Z_OK && stream_.avail_in == 0, "deflate within its bound");
    }
    check(deflate(&stream_, Z_FINISH) == Z_STREAM_END, "deflate within its bound");
    return room - stream_.avail_out;
  }

 private:
  z_stream stream_;
  int level_ = Z_DEFAULT_COMPRESSION;
};

class GzipDecoder final : public Decoder {
 public:
  explicit GzipDecoder(CodecMemory& memory) : stream_(stream_over(memory)) {}
  GzipDecoder(const GzipDecoder&) = delete;
  GzipDecoder& operator=(const GzipDecoder&) = delete;
  ~GzipDecoder() override { inflateEnd(&stream_); }

  [[nodiscard]] bool start() { return inflateInit2(&stream_, gzip_window_bits) == Z_OK; }

  CompressionResult<void> begin(ByteView input, const DecompressionLimits& /*limits*/,
                                Budget& budget) override {
    input_ = input;
    budget_ = &budget;
    position_ = 0;
    between_members_ = true;
    finished_ = false;
    return {};
  }

  CompressionResult<Room> room() override { return Room{1, chunk_bytes}; }

  CompressionResult<std::size_t> decode(MutableBytes output) override {
    std::size_t written = 0;
    while (written < output.size() && !finished_) {
      if (between_members_) {
        if (const auto started = start_member(); !started) return failure(started.error());
        continue;
      }
      const auto count = inflate_some(output.subspan(written));
      if (!count) return failure(count.error());
      written += *count;
    }
    return written;
  }

  [[nodiscard]] bool finished() const override { return finished_; }

 private:
  CompressionResult<void> start_member() {
    const ByteView rest = input_.subspan(position_);
    const bool first = position_ == 0;
    if (rest.empty() && !first) {
      finished_ = true;
      return {};
    }
    const bool like_gzip =
        (rest.empty() || rest[0] == gzip_magic_0) && (rest.size() < 2 || rest[1] == gzip_magic_1);
    if (!like_gzip) {
      return fail(first ? CompressionFault::header_invalid : CompressionFault::trailing_bytes);
    }
    if (rest.size() < 2) return fail(CompressionFault::truncated);
    if (!budget_->take_start()) return fail(CompressionFault::step_limit);
    check(inflateReset(&stream_) == Z_OK, "inflateReset of a valid stream");
    between_members_ = false;
    return {};
  }

  CompressionResult<std::size_t> inflate_some(MutableBytes output) {
    // One byte more than allowed, so that too much is seen and exactly enough is not refused.
    const auto room = static_cast<std::size_t>(
        std::min<std::uint64_t>({output.size(), budget_->output_left() + 1, zlib_bytes_max}));
    const std::size_t given = std::min(input_.size() - position_, call_bytes_max);
    stream_.next_in = zlib_bytes(input_.data() + position_);
    stream_.avail_in = static_cast<uInt>(given);
    stream_.next_out = zlib_bytes(output.data());
    stream_.avail_out = static_cast<uInt>(room);
    const int result = inflate(&stream_, Z_NO_FLUSH);
    const std::size_t taken = given - stream_.avail_in;
    const std::size_t written = room - stream_.avail_out;
    position_ += taken;
    if (!budget_->take_output(written)) return fail(budget_->output_fault());
    if (!budget_->take_input(taken)) return fail(CompressionFault::step_limit);
    if (result == Z_STREAM_END) {
      between_members_ = true;
    } else if (result != Z_OK && result != Z_BUF_ERROR) {
      return fail(fault_of(result));
    } else if (position_ == input_.size() && stream_.avail_out != 0) {
      return fail(CompressionFault::truncated);
    }
    return written;
  }

  // zlib tells its checks apart only by their messages.
  [[nodiscard]] CompressionFault fault_of(int result) const {
    if (result == Z_MEM_ERROR) return CompressionFault::memory_exhausted;
    const std::string_view message = stream_.msg == nullptr ? "" : stream_.msg;
    if (message == "incorrect data check") return CompressionFault::checksum_mismatch;
    if (message == "incorrect length check") return CompressionFault::content_size_mismatch;
    if (message == "header crc mismatch") return CompressionFault::header_checksum_mismatch;
    if (message == "unknown compression method" || message == "unknown header flags set") {
      return CompressionFault::header_invalid;
    }
    return CompressionFault::data_invalid;
  }

  [[nodiscard]] CompressionFailure fail(CompressionFault fault) const {
    return compression_failure(fault, position_);
  }

  z_stream stream_;
  ByteView input_;
  Budget* budget_ = nullptr;
  std::size_t position_ = 0;
  bool between_members_ = true;
  bool finished_ = false;
};

}  // namespace

std::unique_ptr<Encoder> make_gzip_encoder(CodecMemory& memory) {
  std::unique_ptr<GzipEncoder> encoder(new (std::nothrow) GzipEncoder(memory));
  if (encoder == nullptr || !encoder->start()) return nullptr;
  return encoder;
}

std::unique_ptr<Decoder> make_gzip_decoder(CodecMemory& memory) {
  std::unique_ptr<GzipDecoder> decoder(new (std::nothrow) GzipDecoder(memory));
  if (decoder == nullptr || !decoder->start()) return nullptr;
  return decoder;
}

// Without a stream zlib names the worst of all its settings, for its own wrapper; gzip's is 12
// bytes more.
std::size_t gzip_bytes_max(std::size_t input_bytes) {
  constexpr std::size_t gzip_over_zlib_bytes = 12;
  return deflateBound(nullptr, input_bytes) + gzip_over_zlib_bytes;
}

}  // namespace millrace::protocol
