// snappy, raw and in xerial's framing (the stream format of the Java library).
module;
#include <snappy.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <span>
#include <string_view>

// The library's own compressor of one fragment. Its public functions around it allocate their
// working memory for each call; here it is kept. The symbol is exported and its name carries the
// signature, so that another version of the library cannot be called wrongly: it would not link. A
// test compares the result with the public function's.
namespace snappy::internal {
char* CompressFragment(const char* input, size_t input_size, char* op, uint16_t* table,
                       const int table_size);
}

module millrace.protocol.compression;

import :engine;

namespace millrace::protocol {

namespace {

// 0x82 "SNAPPY" 0x00, then the version and the lowest version that can read it, both 1.
constexpr std::string_view xerial_magic("\x82SNAPPY\0", 8);
constexpr std::size_t xerial_header_bytes = 16;
constexpr std::int32_t xerial_version = 1;
constexpr std::size_t xerial_block_bytes = 32 * kibibyte;
constexpr std::size_t xerial_length_bytes = 4;

// How many bytes one compressed byte can become: a copy of 64 takes 3 bytes.
constexpr std::uint64_t snappy_expansion_max = 22;

char* chars(std::byte* bytes) {
  return reinterpret_cast<char*>(bytes);
}
const char* chars(const std::byte* bytes) {
  return reinterpret_cast<const char*>(bytes);
}

// Hands out the pieces of an input as fragments of a wanted size, in place where one piece has it
// all.
class FragmentReader {
 public:
  FragmentReader(std::span<const ByteView> pieces, MutableBytes scratch)
      : pieces_(pieces), scratch_(scratch) {}

  // `bytes` must be there, and fit into the scratch memory.
  ByteView take(std::size_t bytes) {
    skip_empty();
    if (pieces_.front().size() - used_ >= bytes) {
      const ByteView fragment = pieces_.front().subspan(used_, bytes);
      used_ += bytes;
      return fragment;
    }
    std::size_t gathered = 0;
    while (gathered < bytes) {
      skip_empty();
      const std::size_t count = std::min(bytes - gathered, pieces_.front().size() - used_);
      std::memcpy(scratch_.data() + gathered, pieces_.front().data() + used_, count);
      gathered += count;
      used_ += count;
    }
    return scratch_.first(bytes);
  }

 private:
  void skip_empty() {
    while (pieces_.front().size() == used_) {
      pieces_ = pieces_.subspan(1);
      used_ = 0;
    }
  }

  std::span<const ByteView> pieces_;
  MutableBytes scratch_;
  std::size_t used_ = 0;
};

class SnappyEncoder final : public Encoder {
 public:
  explicit SnappyEncoder(CodecMemory& memory)
      : memory_(memory), working_(static_cast<Working*>(memory.allocate(sizeof(Working)))) {}
  SnappyEncoder(const SnappyEncoder&) = delete;
  SnappyEncoder& operator=(const SnappyEncoder&) = delete;
  ~SnappyEncoder() override { memory_.release(working_); }

  [[nodiscard]] bool started() const { return working_ != nullptr; }

  CompressionResult<std::size_t> encode(const CompressionOptions& options,
                                        std::span<const ByteView> input, std::size_t input_bytes,
                                        MutableBytes output) override {
    FragmentReader reader(input, working_->gathered);
    const std::byte* end = options.snappy_framing() == SnappyFraming::raw
                               ? encode_raw(reader, input_bytes, output.data())
                               : encode_xerial(reader, input_bytes, output.data());
    return static_cast<std::size_t>(end - output.data());
  }

 private:
  struct Working {
    std::array<std::uint16_t, snappy::kMaxHashTableSize> table;
    std::array<std::byte, snappy::kBlockSize> gathered;
  };

  std::byte* encode_raw(FragmentReader& reader, std::size_t bytes, std::byte* to) {
    to = write_unsigned_varint(to, bytes);
    while (bytes != 0) {
      const std::size_t count = std::min(bytes, snappy::kBlockSize);
      to = encode_fragment(reader.take(count), to);
      bytes -= count;
    }
    return to;
  }

  std::byte* encode_xerial(FragmentReader& reader, std::size_t bytes, std::byte* to) {
    std::memcpy(to, xerial_magic.data(), xerial_magic.size());
    store_big_endian(to + 8, xerial_version);
    store_big_endian(to + 12, xerial_version);
    to += xerial_header_bytes;
    while (bytes != 0) {
      const std::size_t count = std::min(bytes, xerial_block_bytes);
      std::byte* block = to + xerial_length_bytes;
      std::byte* block_end =
          encode_fragment(reader.take(count), write_unsigned_varint(block, count));
      store_big_endian(to, static_cast<std::int32_t>(block_end - block));
      to = block_end;
      bytes -= count;
    }
    return to;
  }

  std::byte* encode_fragment(ByteView fragment, std::byte* to) {
    // As many slots as bytes, rounded up to a power of two: a short fragment clears little.
    std::size_t slots = snappy::kMinHashTableSize;
    while (slots < fragment.size() && slots < snappy::kMaxHashTableSize) slots *= 2;
    std::fill_n(working_->table.begin(), slots, std::uint16_t{0});
    char* end =
        snappy::internal::CompressFragment(chars(fragment.data()), fragment.size(), chars(to),
                                           working_->table.data(), static_cast<int>(slots));
    return to + (end - chars(to));
  }

  CodecMemory& memory_;
  Working* working_;
};

static_assert(xerial_block_bytes <= snappy::kBlockSize);

// Why the library refused a block: it only says that it did. `block` begins with its length.
CompressionError error_in_block(ByteView block, std::uint64_t length, std::uint64_t position) {
  std::size_t at = unsigned_varint_size(length);
  std::uint64_t produced = 0;
  while (at < block.size() && produced < length) {
    const auto tag = static_cast<std::uint8_t>(block[at]);
    std::size_t extra = 0;
    std::uint64_t count = std::uint64_t{tag} / 4 + 1;
    if (tag % 4 == 0) {
      if (count > 60) {
        extra = static_cast<std::size_t>(count - 60);
        if (block.size() - at <= extra) break;
        count = 1;
        for (std::size_t i = 0; i < extra; ++i) {
          count += static_cast<std::uint64_t>(block[at + 1 + i]) << (8 * i);
        }
      }
      extra += static_cast<std::size_t>(count);
    } else if (tag % 4 == 1) {
      count = (count - 1) % 8 + 4;
      extra = 1;
    } else {
      extra = tag % 4 == 2 ? 2 : 4;
    }
    if (block.size() - at - 1 < extra) break;
    at += 1 + extra;
    produced += count;
  }
  if (produced < length) {
    return {CompressionFault::truncated, position + block.size()};
  }
  const bool more = produced == length && at < block.size();
  return {more ? CompressionFault::trailing_bytes : CompressionFault::data_invalid, position + at};
}

class SnappyDecoder final : public Decoder {
 public:
  CompressionResult<void> begin(ByteView input, const DecompressionLimits& /*limits*/,
                                Budget& budget) override {
    input_ = input;
    budget_ = &budget;
    position_ = 0;
    block_ = {};
    block_known_ = false;
    finished_ = false;
    framed_ = as_text(input).starts_with(xerial_magic);
    if (framed_) return read_header();
    if (input.empty()) return fail(CompressionFault::truncated);
    return {};
  }

  CompressionResult<Room> room() override {
    if (const auto found = find_block(); !found) return failure(found.error());
    const std::size_t bytes = block_known_ ? std::max<std::size_t>(block_length_, 1) : 1;
    return Room{bytes, bytes};
  }

  CompressionResult<std::size_t> decode(MutableBytes output) override {
    std::size_t written = 0;
    while (true) {
      if (const auto found = find_block(); !found) return failure(found.error());
      if (finished_ || output.size() - written < block_length_) return written;
      if (!snappy::RawUncompress(chars(block_.data()), block_.size(),
                                 chars(output.data()) + written)) {
        return failure(error_in_block(block_, block_length_, position_));
      }
      if (!budget_->take_output(block_length_)) return fail(budget_->output_fault());
      if (!budget_->take_input(block_.size())) return fail(CompressionFault::step_limit);
      written += block_length_;
      position_ += block_.size();
      block_known_ = false;
    }
  }

  [[nodiscard]] bool finished() const override { return finished_; }

 private:
  // Makes the next block known, or finished() true.
  CompressionResult<void> find_block() {
    if (block_known_ || finished_) return {};
    if (position_ != 0 && position_ == input_.size()) {
      finished_ = true;
      return {};
    }
    if (!budget_->take_start()) return fail(CompressionFault::step_limit);
    if (!framed_) return take_block(input_.size());
    while (true) {
      const ByteView rest = input_.subspan(position_);
      if (rest.size() < xerial_length_bytes) return fail(CompressionFault::truncated);
      if (!as_text(rest).starts_with(xerial_magic.substr(0, xerial_length_bytes))) break;
      // Where framed streams were put one behind the other.
      if (const auto header = read_header(); !header) return failure(header.error());
      if (!budget_->take_start()) return fail(CompressionFault::step_limit);
      if (finished_) return {};
    }
    const auto length = load_big_endian<std::int32_t>(input_.data() + position_);
    if (length <= 0) return fail(CompressionFault::data_invalid);
    position_ += xerial_length_bytes;
    return take_block(static_cast<std::size_t>(length));
  }

  CompressionResult<void> take_block(std::size_t bytes) {
    if (input_.size() - position_ < bytes) return fail(CompressionFault::truncated);
    block_ = input_.subspan(position_, bytes);
    std::size_t length = 0;
    if (!snappy::GetUncompressedLength(chars(block_.data()), block_.size(), &length)) {
      return fail(CompressionFault::header_invalid);
    }
    // Nothing is allocated for a length that so few bytes cannot have.
    if (length > bytes * snappy_expansion_max) return fail(CompressionFault::data_invalid);
    if (length > budget_->output_left()) return fail(budget_->output_fault());
    block_length_ = length;
    block_known_ = true;
    return {};
  }

  CompressionResult<void> read_header() {
    const ByteView rest = input_.subspan(position_);
    if (rest.size() < xerial_header_bytes) return fail(CompressionFault::truncated);
    if (!as_text(rest).starts_with(xerial_magic)) return fail(CompressionFault::data_invalid);
    // Like the Java library, which reads every version from the first on.
    if (load_big_endian<std::int32_t>(rest.data() + xerial_magic.size()) < xerial_version) {
      return fail(CompressionFault::version_not_supported);
    }
    position_ += xerial_header_bytes;
    finished_ = position_ == input_.size();
    return {};
  }

  [[nodiscard]] CompressionFailure fail(CompressionFault fault) const {
    return compression_failure(fault, position_);
  }

  ByteView input_;
  Budget* budget_ = nullptr;
  std::size_t position_ = 0;
  ByteView block_;
  std::size_t block_length_ = 0;
  bool block_known_ = false;
  bool framed_ = false;
  bool finished_ = false;
};

}  // namespace

std::unique_ptr<Encoder> make_snappy_encoder(CodecMemory& memory) {
  std::unique_ptr<SnappyEncoder> encoder(new (std::nothrow) SnappyEncoder(memory));
  if (encoder == nullptr || !encoder->started()) return nullptr;
  return encoder;
}

std::unique_ptr<Decoder> make_snappy_decoder() {
  return std::unique_ptr<Decoder>(new (std::nothrow) SnappyDecoder);
}

std::size_t snappy_bytes_max(SnappyFraming framing, std::size_t input_bytes) {
  if (framing == SnappyFraming::raw) return snappy::MaxCompressedLength(input_bytes);
  const std::size_t blocks = input_bytes / xerial_block_bytes;
  return xerial_header_bytes +
         blocks * (xerial_length_bytes + snappy::MaxCompressedLength(xerial_block_bytes)) +
         xerial_length_bytes + snappy::MaxCompressedLength(input_bytes % xerial_block_bytes);
}

}  // namespace millrace::protocol
