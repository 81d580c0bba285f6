// The LZ4 frame format as Kafka's clients read it: independent blocks, no dictionary.
module;
#include <lz4.h>
#define LZ4F_STATIC_LINKING_ONLY  // for the contexts' own allocator; the shared library exports it
#include <lz4frame.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
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

// Kafka's default level means lz4's fast compressor, every other level its high-compression one.
// The library takes 0 for the first; it has no high compression below 3 and none above 12.
constexpr CompressionLevel fast_level{9};
constexpr int library_fast_level = 0;
constexpr int library_high_level_min = 3;
constexpr int library_high_level_max = 12;

constexpr std::size_t frame_begin_bytes_min = 7;
constexpr std::size_t content_size_bytes = 8;
constexpr std::size_t checksum_bytes = 4;
constexpr std::size_t block_header_bytes = 4;
constexpr std::uint32_t frame_magic = 0x184d2204;
constexpr std::uint32_t stored_block_bit = 0x8000'0000;

// How many bytes one byte of a block can become: a length byte of 255.
constexpr std::size_t lz4_expansion_max = 255;

// The bits of the FLG byte.
constexpr unsigned dictionary_bit = 0x01;
constexpr unsigned reserved_flag_bit = 0x02;
constexpr unsigned content_checksum_bit = 0x04;
constexpr unsigned content_size_bit = 0x08;
constexpr unsigned block_checksum_bit = 0x10;
constexpr unsigned independent_blocks_bit = 0x20;

const char* chars(const std::byte* bytes) {
  return reinterpret_cast<const char*>(bytes);
}
char* chars(std::byte* bytes) {
  return reinterpret_cast<char*>(bytes);
}

template <class Integer>
Integer load_little_endian(const std::byte* from) {
  return swap_bytes(load_big_endian<Integer>(from));
}

void* lz4_allocate(void* memory, std::size_t bytes) {
  return static_cast<CodecMemory*>(memory)->allocate(bytes);
}
void lz4_release(void* memory, void* block) {
  static_cast<CodecMemory*>(memory)->release(block);
}

LZ4F_preferences_t preferences_of(CompressionLevel level, bool flush) {
  LZ4F_preferences_t preferences{};
  preferences.frameInfo.blockSizeID = LZ4F_max64KB;
  preferences.frameInfo.blockMode = LZ4F_blockIndependent;
  preferences.compressionLevel =
      level == fast_level
          ? library_fast_level
          : std::clamp(level.value(), library_high_level_min, library_high_level_max);
  preferences.autoFlush = flush ? 1 : 0;
  return preferences;
}

class Lz4Encoder final : public Encoder {
 public:
  Lz4Encoder() = default;
  Lz4Encoder(const Lz4Encoder&) = delete;
  Lz4Encoder& operator=(const Lz4Encoder&) = delete;
  ~Lz4Encoder() override { LZ4F_freeCompressionContext(context_); }

  [[nodiscard]] bool start(CodecMemory& memory) {
    LZ4F_CustomMem functions{};
    functions.customAlloc = lz4_allocate;
    functions.customFree = lz4_release;
    functions.opaqueState = &memory;
    context_ = LZ4F_createCompressionContext_advanced(functions, LZ4F_VERSION);
    return context_ != nullptr;
  }

  CompressionResult<std::size_t> encode(const CompressionOptions& options,
                                        std::span<const ByteView> input, std::size_t /*bytes*/,
                                        MutableBytes output) override {
    // In one piece the blocks are cut from the input in place; several pieces are gathered into
    // blocks.
    const LZ4F_preferences_t preferences = preferences_of(options.level(), input.size() == 1);
    std::size_t written = 0;
    std::size_t result = LZ4F_compressBegin(context_, output.data(), output.size(), &preferences);
    for (const ByteView piece : input) {
      if (LZ4F_isError(result) != 0) break;
      written += result;
      result = LZ4F_compressUpdate(context_, output.data() + written, output.size() - written,
                                   piece.data(), piece.size(), nullptr);
    }
    if (LZ4F_isError(result) == 0) {
      written += result;
      result =
          LZ4F_compressEnd(context_, output.data() + written, output.size() - written, nullptr);
    }
    // The room is there, so that only memory can be missing.
    if (LZ4F_isError(result) != 0) return compression_failure(CompressionFault::memory_exhausted);
    return written + result;
  }

 private:
  LZ4F_cctx* context_ = nullptr;
};

// Reads the frame itself and leaves the blocks to the library: the frame functions of the library
// would accept linked blocks and dictionaries, and allocate for the block size that a frame claims.
class Lz4Decoder final : public Decoder {
 public:
  CompressionResult<void> begin(ByteView input, const DecompressionLimits& /*limits*/,
                                Budget& budget) override {
    input_ = input;
    budget_ = &budget;
    position_ = 0;
    written_ = 0;
    block_known_ = false;
    finished_ = false;
    return read_frame_header();
  }

  CompressionResult<Room> room() override {
    if (const auto found = find_block(); !found) return failure(found.error());
    return Room{block_room(), block_room()};
  }

  CompressionResult<std::size_t> decode(MutableBytes output) override {
    std::size_t written = 0;
    while (true) {
      if (const auto found = find_block(); !found) return failure(found.error());
      if (finished_ || output.size() - written < block_room()) return written;
      const auto count = decode_block(output.subspan(written, block_room()));
      if (!count) return failure(count.error());
      written += *count;
    }
  }

  [[nodiscard]] bool finished() const override { return finished_; }

 private:
  CompressionResult<void> read_frame_header();
  CompressionResult<void> check_descriptor(unsigned flags, unsigned block_descriptor);
  CompressionResult<void> find_block();
  CompressionResult<std::size_t> decode_block(MutableBytes output);
  CompressionResult<void> read_frame_end();

  // What the block may become. Stands for nothing that the frame only claims.
  [[nodiscard]] std::size_t block_room() const {
    if (!block_known_) return 1;
    return stored_ ? block_.size() : std::min(block_bytes_max_, block_.size() * lz4_expansion_max);
  }
  [[nodiscard]] std::size_t left() const { return input_.size() - position_; }
  [[nodiscard]] bool has(unsigned flag) const { return (flags_ & flag) != 0; }
  [[nodiscard]] CompressionFailure fail(CompressionFault fault) const {
    return compression_failure(fault, position_);
  }

  ByteView input_;
  Budget* budget_ = nullptr;
  std::size_t position_ = 0;
  std::uint64_t written_ = 0;
  std::uint64_t content_size_ = 0;
  unsigned flags_ = 0;
  std::size_t block_bytes_max_ = 0;
  XXH32_state_t content_checksum_{};
  ByteView block_;
  bool stored_ = false;
  bool block_known_ = false;
  bool finished_ = false;
};

CompressionResult<void> Lz4Decoder::read_frame_header() {
  if (left() == 0) return fail(CompressionFault::truncated);
  const std::size_t magic_bytes = std::min(left(), sizeof frame_magic);
  const std::uint32_t magic = swap_bytes(big_endian(frame_magic));
  if (std::memcmp(input_.data(), &magic, magic_bytes) != 0) {
    return fail(CompressionFault::header_invalid);
  }
  if (left() < frame_begin_bytes_min) return fail(CompressionFault::truncated);
  const auto flags = static_cast<unsigned>(input_[4]);
  const auto block_descriptor = static_cast<unsigned>(input_[5]);
  position_ = sizeof frame_magic;
  if (const auto known = check_descriptor(flags, block_descriptor); !known) return known;
  flags_ = flags;
  block_bytes_max_ = std::size_t{1} << (8 + 2 * (block_descriptor >> 4));
  const std::size_t checked = 2 + (has(content_size_bit) ? content_size_bytes : 0);
  if (left() < checked + 1) return fail(CompressionFault::truncated);
  const std::uint32_t checksum = XXH32(input_.data() + position_, checked, 0);
  if (static_cast<std::uint8_t>(input_[position_ + checked]) !=
      static_cast<std::uint8_t>(checksum >> 8)) {
    return fail(CompressionFault::header_checksum_mismatch);
  }
  if (has(content_size_bit)) {
    content_size_ = load_little_endian<std::uint64_t>(input_.data() + position_ + 2);
    if (content_size_ > budget_->output_left()) return fail(budget_->output_fault());
  }
  position_ += checked + 1;
  XXH32_reset(&content_checksum_, 0);
  return {};
}

CompressionResult<void> Lz4Decoder::check_descriptor(unsigned flags, unsigned block_descriptor) {
  constexpr unsigned version = 1;
  constexpr unsigned block_size_min =
      4;  // 64 KiB; each one more is four times as much, up to 4 MiB
  constexpr unsigned reserved_descriptor_bits = 0x8f;
  if (flags >> 6 != version) return fail(CompressionFault::version_not_supported);
  if ((flags & reserved_flag_bit) != 0) return fail(CompressionFault::version_not_supported);
  if ((flags & dictionary_bit) != 0) return fail(CompressionFault::dictionary_needed);
  if ((flags & independent_blocks_bit) == 0) return fail(CompressionFault::linked_blocks);
  if ((block_descriptor & reserved_descriptor_bits) != 0 ||
      block_descriptor >> 4 < block_size_min) {
    return fail(CompressionFault::header_invalid);
  }
  return {};
}

// Makes the next block known, or finished() true.
CompressionResult<void> Lz4Decoder::find_block() {
  if (block_known_ || finished_) return {};
  if (left() < block_header_bytes) return fail(CompressionFault::truncated);
  const auto header = load_little_endian<std::uint32_t>(input_.data() + position_);
  if (header == 0) return read_frame_end();
  stored_ = (header & stored_block_bit) != 0;
  const std::size_t bytes = header & ~stored_block_bit;
  // Empty and stored: Java takes it for the end of the frame, the library for an empty block.
  if (bytes == 0) return fail(CompressionFault::data_invalid);
  if (bytes > block_bytes_max_) return fail(CompressionFault::block_too_large);
  if (!budget_->take_start()) return fail(CompressionFault::step_limit);
  const std::size_t checksum = has(block_checksum_bit) ? checksum_bytes : 0;
  if (left() - block_header_bytes < bytes + checksum) return fail(CompressionFault::truncated);
  position_ += block_header_bytes;
  block_ = input_.subspan(position_, bytes);
  if (has(block_checksum_bit) &&
      XXH32(block_.data(), bytes, 0) != load_little_endian<std::uint32_t>(block_.data() + bytes)) {
    return fail(CompressionFault::checksum_mismatch);
  }
  block_known_ = true;
  return {};
}

CompressionResult<std::size_t> Lz4Decoder::decode_block(MutableBytes output) {
  std::size_t count = block_.size();
  if (stored_) {
    std::memcpy(output.data(), block_.data(), count);
  } else {
    const int decoded =
        LZ4_decompress_safe(chars(block_.data()), chars(output.data()),
                            static_cast<int>(block_.size()), static_cast<int>(output.size()));
    if (decoded < 0) return fail(CompressionFault::data_invalid);
    count = static_cast<std::size_t>(decoded);
  }
  if (!budget_->take_output(count)) return fail(budget_->output_fault());
  if (!budget_->take_input(block_.size())) return fail(CompressionFault::step_limit);
  if (has(content_checksum_bit)) XXH32_update(&content_checksum_, output.data(), count);
  written_ += count;
  position_ += block_.size() + (has(block_checksum_bit) ? checksum_bytes : 0);
  block_known_ = false;
  return count;
}

CompressionResult<void> Lz4Decoder::read_frame_end() {
  std::size_t end = position_ + block_header_bytes;
  if (has(content_checksum_bit)) {
    if (input_.size() - end < checksum_bytes) return fail(CompressionFault::truncated);
    if (XXH32_digest(&content_checksum_) !=
        load_little_endian<std::uint32_t>(input_.data() + end)) {
      return fail(CompressionFault::checksum_mismatch);
    }
    end += checksum_bytes;
  }
  if (has(content_size_bit) && written_ != content_size_) {
    return fail(CompressionFault::content_size_mismatch);
  }
  position_ = end;
  // Java and librdkafka read one frame; Java would not see what follows it.
  if (left() != 0) return fail(CompressionFault::trailing_bytes);
  finished_ = true;
  return {};
}

}  // namespace

std::unique_ptr<Encoder> make_lz4_encoder(CodecMemory& memory) {
  std::unique_ptr<Lz4Encoder> encoder(new (std::nothrow) Lz4Encoder);
  if (encoder == nullptr || !encoder->start(memory)) return nullptr;
  return encoder;
}

std::unique_ptr<Decoder> make_lz4_decoder() {
  return std::unique_ptr<Decoder>(new (std::nothrow) Lz4Decoder);
}

// In one piece blocks go out at once, in several they are gathered first; the larger bound holds
// for both.
std::size_t lz4_bytes_max(std::size_t input_bytes) {
  const LZ4F_preferences_t preferences = preferences_of(fast_level, true);
  return LZ4F_HEADER_SIZE_MAX +
         LZ4F_compressBound(std::max<std::size_t>(input_bytes, 1), &preferences);
}

}  // namespace millrace::protocol
