// Decompressing data from outside as a stream, within limits.
module;
#include <cstddef>
#include <cstdint>
#include <memory>

export module millrace.protocol.compression:decompressor;

import :codec;
import :failure;
import millrace.base;

export namespace millrace::protocol {

// What a Decompressor's state may keep between two inputs; what is larger is given back to the
// system when the next input starts.
inline constexpr std::size_t decompressor_retained_bytes_max = 16 * mebibyte;

// Output comes in chunks of at least this size where there is that much. A codec that works in
// blocks (lz4: up to 4 MiB, raw snappy: the whole) may give more at once.
inline constexpr std::size_t decompressor_chunk_bytes = 64 * kibibyte;

// A step is what the step limit counts: the start of a member, frame or block, each 16 KiB of input
// and each 64 KiB of output. So the limit bounds the time, and by the data alone: the same batch
// passes or fails on every machine.
inline constexpr std::size_t step_input_bytes = 16 * kibibyte;
inline constexpr std::size_t step_output_bytes = 64 * kibibyte;

// The window that Java's and librdkafka's zstd accept, 128 MiB. A limit, not what is allocated:
// memory follows what the other limits let out.
inline constexpr unsigned zstd_window_log_max_default = 27;

// Where the limits of one input start; whoever reads batches from outside may move them. What a
// frame may hold uncompressed may come out of one that is compressed.
inline constexpr std::uint64_t decompression_output_bytes_max_default = 128 * mebibyte;
inline constexpr std::uint32_t decompression_ratio_max_default = 1024;
inline constexpr std::uint64_t decompression_ratio_free_bytes_default = 4 * mebibyte;
inline constexpr std::uint32_t decompression_steps_max_default = 16'384;

static_assert(decompression_output_bytes_max_default >= socket_request_bytes_max_default);
static_assert(decompression_ratio_free_bytes_default >= message_bytes_max_default);
// The largest request, turned into the most output, in blocks of 32 KiB as xerial's.
static_assert(decompression_output_bytes_max_default / (32 * kibibyte) +
                  decompression_output_bytes_max_default / step_output_bytes +
                  socket_request_bytes_max_default / step_input_bytes <
              decompression_steps_max_default);

// What decompression of one input may cost.
struct DecompressionLimits {
  // Of output, in all.
  std::uint64_t output_bytes_max = decompression_output_bytes_max_default;
  // Output may be this many times the input...
  std::uint32_t ratio_max = decompression_ratio_max_default;
  // ...and output up to here is fine at any ratio.
  std::uint64_t ratio_free_bytes = decompression_ratio_free_bytes_default;
  std::uint32_t steps_max = decompression_steps_max_default;
  unsigned zstd_window_log_max = zstd_window_log_max_default;
};

// The largest output that the limits allow for an input of this size.
[[nodiscard]] constexpr std::uint64_t output_bytes_allowed(const DecompressionLimits& limits,
                                                           std::uint64_t input_bytes) {
  std::uint64_t by_ratio = 0;
  if (__builtin_mul_overflow(input_bytes, limits.ratio_max, &by_ratio)) {
    by_ratio = ~std::uint64_t{0};
  }
  if (by_ratio < limits.ratio_free_bytes) by_ratio = limits.ratio_free_bytes;
  return by_ratio < limits.output_bytes_max ? by_ratio : limits.output_bytes_max;
}

// Decompresses one input after the other. Meant to be one per shard (or one per open reader), owned
// by it and used by its thread alone. Takes memory for a codec at its first use and none later,
// unless an input needs a larger window; never in proportion to a size that the input only claims.
// Throws nothing.
//
//   start(codec, input, limits);
//   loop: view = next(keep); consume; until no new bytes come
//
// Bytes that were handed out are verified (checksums, end of data, nothing after it) only once
// finished() is true. After a failure every call gives the same failure until the next start().
class Decompressor {
 public:
  explicit Decompressor(std::size_t retained_bytes_max = decompressor_retained_bytes_max);
  ~Decompressor();
  Decompressor(Decompressor&&) noexcept;
  Decompressor& operator=(Decompressor&&) noexcept;

  // Begins with the whole compressed input, which must stay in place until the last call for it.
  // What was not finished is dropped. Whether snappy is raw or in xerial's framing is seen from the
  // input.
  CompressionResult<void> start(Codec codec, ByteView input, const DecompressionLimits& limits);

  // The last `keep` bytes of the view before, followed by new ones: so a record that a chunk cut
  // off comes together. No new bytes, only at the end: the view is then `keep` long and finished()
  // is true. Valid until the next call. `keep` must not pass the size of the view before. For
  // Codec::none the first call gives the input itself.
  [[nodiscard]] CompressionResult<ByteView> next(std::size_t keep = 0);

  // Decompresses into the caller's memory instead: fills `output` unless the end comes before, and
  // gives the number of bytes. Fewer than output.size(): finished() is true. Of one input take
  // either this or next().
  [[nodiscard]] CompressionResult<std::size_t> read(MutableBytes output);

  // Whether all of the input was decompressed and found right.
  [[nodiscard]] bool finished() const;
  // How much was handed out of this input.
  [[nodiscard]] std::uint64_t output_bytes() const;
  // What it holds from the system now.
  [[nodiscard]] std::size_t memory_bytes() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace millrace::protocol
