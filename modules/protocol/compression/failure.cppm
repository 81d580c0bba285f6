// How compression and decompression fail: one enum, each value with its sentence. A failure takes
// no memory.
module;
#include <cstdint>
#include <string_view>

export module millrace.protocol.compression:failure;

import millrace.base;

export namespace millrace::protocol {

enum class CompressionFault : std::uint8_t {
  // What was asked for.
  level_not_supported,
  level_out_of_range,
  input_too_large,
  output_too_small,
  memory_exhausted,
  // The input ends before the data does.
  truncated,
  // The data ends before the input does.
  trailing_bytes,
  // The data is damaged.
  header_invalid,
  header_checksum_mismatch,
  data_invalid,
  checksum_mismatch,
  content_size_mismatch,
  // The data is of a kind that Kafka clients do not write, and that not all of them read.
  version_not_supported,
  linked_blocks,
  dictionary_needed,
  window_too_large,
  block_too_large,
  // A limit was handed in and reached.
  output_limit,
  ratio_limit,
  step_limit,
};

struct CompressionError {
  CompressionFault fault = CompressionFault::data_invalid;
  // Decompressing: the byte of the input where the fault was found; a damaged piece may have begun
  // earlier. Compressing: 0.
  std::uint64_t position = 0;

  friend bool operator==(const CompressionError&, const CompressionError&) = default;
};

template <class T>
using CompressionResult = Result<T, CompressionError>;

[[nodiscard]] constexpr auto compression_failure(CompressionFault fault,
                                                 std::uint64_t position = 0) {
  return failure(CompressionError{fault, position});
}

// The name in snake case, for logs and tests.
[[nodiscard]] std::string_view name_of(CompressionFault fault);

// For people.
[[nodiscard]] std::string_view sentence(CompressionFault fault);

// Whether the data may be fine but more of it was there than the limits allow.
[[nodiscard]] constexpr bool is_limit(CompressionFault fault) {
  return fault == CompressionFault::output_limit || fault == CompressionFault::ratio_limit ||
         fault == CompressionFault::step_limit;
}

}  // namespace millrace::protocol
