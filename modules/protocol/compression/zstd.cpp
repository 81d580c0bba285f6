// zstd frames (RFC 8878), one or several.
module;
#define ZSTD_STATIC_LINKING_ONLY  // for the contexts' own allocator; the shared library exports it
#include <zstd.h>
#include <zstd_errors.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <span>

module millrace.protocol.compression;

import :engine;

namespace millrace::protocol {

namespace {

// A frame that names a content size up to this is decompressed in one go, without a copy from
// zstd's window.
constexpr std::uint64_t at_once_bytes_max = mebibyte;

// What one call is given otherwise: any block as a whole, as zstd copies the pieces of one that is
// cut.
constexpr std::size_t call_bytes_max = ZSTD_BLOCKSIZE_MAX + 3;

constexpr std::size_t window_byte_position = 5;
constexpr unsigned window_log_min = 10;
static_assert(ZSTD_WINDOWLOG_MIN == window_log_min);

void* zstd_allocate(void* memory, std::size_t bytes) {
  return static_cast<CodecMemory*>(memory)->allocate(bytes);
}
void zstd_release(void* memory, void* block) {
  static_cast<CodecMemory*>(memory)->release(block);
}

ZSTD_customMem functions_of(CodecMemory& memory) {
  return ZSTD_customMem{zstd_allocate, zstd_release, &memory};
}

class ZstdEncoder final : public Encoder {
 public:
  explicit ZstdEncoder(CodecMemory& memory)
      : context_(ZSTD_createCCtx_advanced(functions_of(memory))) {}
  ZstdEncoder(const ZstdEncoder&) = delete;
  ZstdEncoder& operator=(const ZstdEncoder&) = delete;
  ~ZstdEncoder() override { ZSTD_freeCCtx(context_); }

  [[nodiscard]] bool started() const { return context_ != nullptr; }

  CompressionResult<std::size_t> encode(const CompressionOptions& options,
                                        std::span<const ByteView> input, std::size_t input_bytes,
                                        MutableBytes output) override {
    ZSTD_CCtx_reset(context_, ZSTD_reset_session_only);
    const int level = options.level().value();
    if (level != level_) {
      level_ = level;
      check(ZSTD_isError(ZSTD_CCtx_setParameter(context_, ZSTD_c_compressionLevel, level)) == 0,
            "a checked level is valid");
    }
    if (input.size() == 1) {
      return written(
          ZSTD_compress2(context_, output.data(), output.size(), input[0].data(), input[0].size()));
    }
    // With the size known the frame names it, and zstd chooses its window after it.
    ZSTD_CCtx_setPledgedSrcSize(context_, input_bytes);
    ZSTD_outBuffer to{output.data(), output.size(), 0};
    for (const ByteView piece : input) {
      ZSTD_inBuffer from{piece.data(), piece.size(), 0};
      while (from.pos < from.size) {
        const std::size_t result = ZSTD_compressStream2(context_, &to, &from, ZSTD_e_continue);
        if (ZSTD_isError(result) != 0) return written(result);
      }
    }
    ZSTD_inBuffer nothing{nullptr, 0, 0};
    const std::size_t result = ZSTD_compressStream2(context_, &to, &nothing, ZSTD_e_end);
    if (ZSTD_isError(result) != 0) return written(result);
    check(result == 0, "zstd within its bound");
    return to.pos;
  }

 private:
  static CompressionResult<std::size_t> written(std::size_t result) {
    if (ZSTD_isError(result) == 0) return result;
    // The room is there, so that only memory can be missing.
    return compression_failure(CompressionFault::memory_exhausted);
  }

  ZSTD_CCtx* context_;
  int level_ = ZSTD_CLEVEL_DEFAULT;
};

// The smallest window that a frame header can name and that has `bytes`.
std::byte window_descriptor(std::uint64_t bytes) {
  for (unsigned descriptor = 0; descriptor < 256; ++descriptor) {
    const std::uint64_t base = std::uint64_t{1} << (window_log_min + descriptor / 8);
    if (base + base / 8 * (descriptor % 8) >= bytes) return static_cast<std::byte>(descriptor);
  }
  return std::byte{0xff};
}

class ZstdDecoder final : public Decoder {
 public:
  explicit ZstdDecoder(CodecMemory& memory)
      : context_(ZSTD_createDCtx_advanced(functions_of(memory))) {}
  ZstdDecoder(const ZstdDecoder&) = delete;
  ZstdDecoder& operator=(const ZstdDecoder&) = delete;
  ~ZstdDecoder() override { ZSTD_freeDCtx(context_); }

  [[nodiscard]] bool started() const { return context_ != nullptr; }

  CompressionResult<void> begin(ByteView input, const DecompressionLimits& limits,
                                Budget& budget) override {
    input_ = input;
    budget_ = &budget;
    position_ = 0;
    between_frames_ = true;
    finished_ = false;
    ZSTD_DCtx_reset(context_, ZSTD_reset_session_only);
    window_log_max_ =
        std::clamp(limits.zstd_window_log_max, window_log_min, unsigned{ZSTD_WINDOWLOG_MAX});
    check(ZSTD_isError(ZSTD_DCtx_setParameter(context_, ZSTD_d_windowLogMax,
                                              static_cast<int>(window_log_max_))) == 0,
          "a clamped window is valid");
    return {};
  }

  CompressionResult<Room> room() override {
    while (between_frames_ && !finished_) {
      if (const auto started = start_frame(); !started) return failure(started.error());
    }
    if (content_left_ > at_once_bytes_max) return Room{};
    return Room{1, std::max<std::size_t>(static_cast<std::size_t>(content_left_), 1)};
  }

  CompressionResult<std::size_t> decode(MutableBytes output) override {
    std::size_t written = 0;
    while (written < output.size() && !finished_) {
      if (between_frames_) {
        if (const auto started = start_frame(); !started) return failure(started.error());
        continue;
      }
      const auto count = decode_some(output.subspan(written));
      if (!count) return failure(count.error());
      written += *count;
    }
    return written;
  }

  [[nodiscard]] bool finished() const override { return finished_; }

 private:
  CompressionResult<void> start_frame();
  CompressionResult<void> start_data_frame(const ZSTD_frameHeader& header);
  CompressionResult<void> narrow_window(const ZSTD_frameHeader& header);
  CompressionResult<std::size_t> decode_some(MutableBytes output);

  [[nodiscard]] CompressionFailure fail(CompressionFault fault) const {
    return compression_failure(fault, position_);
  }
  [[nodiscard]] CompressionFailure fail_as(std::size_t result) const {
    switch (ZSTD_getErrorCode(result)) {
      case ZSTD_error_memory_allocation:
        return fail(CompressionFault::memory_exhausted);
      case ZSTD_error_checksum_wrong:
        return fail(CompressionFault::checksum_mismatch);
      case ZSTD_error_frameParameter_unsupported:
        return fail(CompressionFault::version_not_supported);
      case ZSTD_error_frameParameter_windowTooLarge:
        return fail(CompressionFault::window_too_large);
      case ZSTD_error_dictionary_wrong:
        return fail(CompressionFault::dictionary_needed);
      default:
        return fail(CompressionFault::data_invalid);
    }
  }

  ZSTD_DCtx* context_;
  ByteView input_;
  Budget* budget_ = nullptr;
  std::size_t position_ = 0;
  // Of the frame's content, where it is known.
  std::uint64_t content_left_ = 0;
  unsigned window_log_max_ = 0;
  bool between_frames_ = true;
  bool finished_ = false;
};

// Whether `bytes` begin as a frame does, as far as they go. Frames of zstd's versions before 1.0
// are not taken: the library may read them, but outside all limits.
bool begins_like_frame(ByteView bytes) {
  const std::array<std::byte, 4> frame = {std::byte{0x28}, std::byte{0xb5}, std::byte{0x2f},
                                          std::byte{0xfd}};
  const std::array<std::byte, 3> skippable = {std::byte{0x2a}, std::byte{0x4d}, std::byte{0x18}};
  const ByteView begin = bytes.first(std::min(bytes.size(), frame.size()));
  if (std::equal(begin.begin(), begin.end(), frame.begin())) return true;
  if ((begin[0] & std::byte{0xf0}) != std::byte{0x50}) return false;
  return std::equal(begin.begin() + 1, begin.end(), skippable.begin());
}

// Begins the frame at position_, passes over a skippable one, or makes finished() true.
CompressionResult<void> ZstdDecoder::start_frame() {
  const ByteView rest = input_.subspan(position_);
  const bool first = position_ == 0;
  if (rest.empty()) {
    if (first) return fail(CompressionFault::truncated);
    finished_ = true;
    return {};
  }
  if (!begins_like_frame(rest)) {
    return fail(first ? CompressionFault::header_invalid : CompressionFault::trailing_bytes);
  }
  if (!budget_->take_start()) return fail(CompressionFault::step_limit);
  ZSTD_frameHeader header{};
  const std::size_t missing = ZSTD_getFrameHeader(&header, rest.data(), rest.size());
  if (ZSTD_isError(missing) != 0) return fail_as(missing);
  if (missing != 0) return fail(CompressionFault::truncated);
  if (header.frameType == ZSTD_skippableFrame) {
    if (header.frameContentSize > rest.size() - ZSTD_SKIPPABLEHEADERSIZE) {
      return fail(CompressionFault::truncated);
    }
    position_ += ZSTD_SKIPPABLEHEADERSIZE + static_cast<std::size_t>(header.frameContentSize);
    return {};
  }
  return start_data_frame(header);
}

CompressionResult<void> ZstdDecoder::start_data_frame(const ZSTD_frameHeader& header) {
  if (header.dictID != 0) return fail(CompressionFault::dictionary_needed);
  if (header.windowSize > std::uint64_t{1} << window_log_max_) {
    return fail(CompressionFault::window_too_large);
  }
  between_frames_ = false;
  content_left_ = header.frameContentSize;
  if (header.frameContentSize == ZSTD_CONTENTSIZE_UNKNOWN) return narrow_window(header);
  if (header.frameContentSize > budget_->output_left()) return fail(budget_->output_fault());
  return {};
}

// zstd allocates the window that the frame names. Where the limits let out less than that, a
// smaller window serves the same: nothing can point further back than to the first byte of output.
// So the header is given to zstd with a window of what may come out, and one block for the output
// that passes the limit.
CompressionResult<void> ZstdDecoder::narrow_window(const ZSTD_frameHeader& header) {
  const std::uint64_t useful = budget_->output_left() + ZSTD_BLOCKSIZE_MAX;
  if (header.windowSize <= useful) return {};
  std::array<std::byte, ZSTD_FRAMEHEADERSIZE_MAX> narrowed;
  std::memcpy(narrowed.data(), input_.data() + position_, header.headerSize);
  narrowed[window_byte_position] = window_descriptor(useful);
  std::byte unused{};
  ZSTD_inBuffer from{narrowed.data(), header.headerSize, 0};
  ZSTD_outBuffer to{&unused, 0, 0};
  const std::size_t result = ZSTD_decompressStream(context_, &to, &from);
  if (ZSTD_isError(result) != 0) return fail_as(result);
  check(from.pos == header.headerSize, "zstd takes a whole header at once");
  position_ += header.headerSize;
  return {};
}

CompressionResult<std::size_t> ZstdDecoder::decode_some(MutableBytes output) {
  // One byte more than allowed, so that too much is seen and exactly enough is not refused.
  const auto room =
      static_cast<std::size_t>(std::min<std::uint64_t>(output.size(), budget_->output_left() + 1));
  // Content of a known size that fits is decompressed at once, and needs its whole frame for that.
  const std::size_t left = input_.size() - position_;
  const bool at_once = content_left_ <= room;
  ZSTD_inBuffer from{input_.data() + position_, at_once ? left : std::min(left, call_bytes_max), 0};
  ZSTD_outBuffer to{output.data(), room, 0};
  const std::size_t result = ZSTD_decompressStream(context_, &to, &from);
  if (ZSTD_isError(result) != 0) return fail_as(result);
  position_ += from.pos;
  if (!budget_->take_output(to.pos)) return fail(budget_->output_fault());
  if (!budget_->take_input(from.pos)) return fail(CompressionFault::step_limit);
  if (content_left_ != ZSTD_CONTENTSIZE_UNKNOWN) {
    // zstd does not always look: not after an empty last block, nor where its window is larger.
    const bool mismatch = to.pos > content_left_ || (result == 0 && to.pos != content_left_);
    if (mismatch) return fail(CompressionFault::content_size_mismatch);
    content_left_ -= to.pos;
  }
  if (result == 0) {
    between_frames_ = true;
  } else if (position_ == input_.size() && to.pos < to.size) {
    return fail(CompressionFault::truncated);
  }
  return to.pos;
}

}  // namespace

std::unique_ptr<Encoder> make_zstd_encoder(CodecMemory& memory) {
  std::unique_ptr<ZstdEncoder> encoder(new (std::nothrow) ZstdEncoder(memory));
  if (encoder == nullptr || !encoder->started()) return nullptr;
  return encoder;
}

std::unique_ptr<Decoder> make_zstd_decoder(CodecMemory& memory) {
  std::unique_ptr<ZstdDecoder> decoder(new (std::nothrow) ZstdDecoder(memory));
  if (decoder == nullptr || !decoder->started()) return nullptr;
  return decoder;
}

std::size_t zstd_bytes_max(std::size_t input_bytes) {
  return ZSTD_compressBound(input_bytes);
}

}  // namespace millrace::protocol
