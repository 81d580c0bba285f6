// Compressing the records of a batch in one pass.
module;
#include <cstddef>
#include <memory>
#include <span>

export module millrace.protocol.compression:compressor;

import :codec;
import :failure;
import millrace.base;

export namespace millrace::protocol {

// What a codec's state may keep between two calls; a larger one (zstd above level 19, say) is given
// back to the system after the call.
inline constexpr std::size_t compressor_retained_bytes_max = 16 * mebibyte;

// The most that one call takes: a batch's length is a signed 32-bit number.
inline constexpr std::size_t compressor_input_bytes_max = 0x7fff'ffff;

// The most that compress() writes for `input_bytes` bytes, however they are scattered.
[[nodiscard]] std::size_t compressed_bytes_max(const CompressionOptions& options,
                                               std::size_t input_bytes);

// Compresses with any codec at any level. Meant to be one per shard, owned by it and used by its
// thread alone; takes memory for a codec at its first use and none later. Holds nothing of a call
// once it returned, whether it failed or not. Throws nothing.
class Compressor {
 public:
  explicit Compressor(std::size_t retained_bytes_max = compressor_retained_bytes_max);
  ~Compressor();
  Compressor(Compressor&&) noexcept;
  Compressor& operator=(Compressor&&) noexcept;

  // Compresses the pieces of `input`, one after the other as if they were one, to the start of
  // `output`, and gives the number of bytes written. Fails with output_too_small unless `output`
  // has compressed_bytes_max() bytes, with input_too_large, and with memory_exhausted. `output`
  // must not overlap the input. An empty input gives an empty frame.
  [[nodiscard]] CompressionResult<std::size_t> compress(const CompressionOptions& options,
                                                        std::span<const ByteView> input,
                                                        MutableBytes output);
  // The same for input in one piece.
  [[nodiscard]] CompressionResult<std::size_t> compress(const CompressionOptions& options,
                                                        ByteView input, MutableBytes output);

  // What it holds from the system now.
  [[nodiscard]] std::size_t memory_bytes() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace millrace::protocol
