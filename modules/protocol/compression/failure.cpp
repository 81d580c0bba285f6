module;
#include <string_view>

module millrace.protocol.compression;

namespace millrace::protocol {

std::string_view name_of(CompressionFault fault) {
  switch (fault) {
    case CompressionFault::level_not_supported:
      return "level_not_supported";
    case CompressionFault::level_out_of_range:
      return "level_out_of_range";
    case CompressionFault::input_too_large:
      return "input_too_large";
    case CompressionFault::output_too_small:
      return "output_too_small";
    case CompressionFault::memory_exhausted:
      return "memory_exhausted";
    case CompressionFault::truncated:
      return "truncated";
    case CompressionFault::trailing_bytes:
      return "trailing_bytes";
    case CompressionFault::header_invalid:
      return "header_invalid";
    case CompressionFault::header_checksum_mismatch:
      return "header_checksum_mismatch";
    case CompressionFault::data_invalid:
      return "data_invalid";
    case CompressionFault::checksum_mismatch:
      return "checksum_mismatch";
    case CompressionFault::content_size_mismatch:
      return "content_size_mismatch";
    case CompressionFault::version_not_supported:
      return "version_not_supported";
    case CompressionFault::linked_blocks:
      return "linked_blocks";
    case CompressionFault::dictionary_needed:
      return "dictionary_needed";
    case CompressionFault::window_too_large:
      return "window_too_large";
    case CompressionFault::block_too_large:
      return "block_too_large";
    case CompressionFault::output_limit:
      return "output_limit";
    case CompressionFault::ratio_limit:
      return "ratio_limit";
    case CompressionFault::step_limit:
      return "step_limit";
  }
  return "unknown";
}

std::string_view sentence(CompressionFault fault) {
  switch (fault) {
    case CompressionFault::level_not_supported:
      return "This codec has no compression levels.";
    case CompressionFault::level_out_of_range:
      return "The compression level is outside the codec's range.";
    case CompressionFault::input_too_large:
      return "There are more bytes than a batch may have.";
    case CompressionFault::output_too_small:
      return "The output buffer is smaller than the largest possible result.";
    case CompressionFault::memory_exhausted:
      return "There is no memory for the codec.";
    case CompressionFault::truncated:
      return "The compressed data is cut off.";
    case CompressionFault::trailing_bytes:
      return "Bytes follow the end of the compressed data.";
    case CompressionFault::header_invalid:
      return "The data does not begin as this codec's data does.";
    case CompressionFault::header_checksum_mismatch:
      return "The checksum of the compression header is wrong.";
    case CompressionFault::data_invalid:
      return "The compressed data is damaged.";
    case CompressionFault::checksum_mismatch:
      return "The decompressed data does not have the checksum that was sent with it.";
    case CompressionFault::content_size_mismatch:
      return "The decompressed data does not have the size that was sent with it.";
    case CompressionFault::version_not_supported:
      return "The compressed data has an unknown version of its format.";
    case CompressionFault::linked_blocks:
      return "The lz4 blocks depend on each other; Kafka clients need independent blocks.";
    case CompressionFault::dictionary_needed:
      return "The data was compressed with a dictionary, which Kafka clients do not have.";
    case CompressionFault::window_too_large:
      return "The zstd window is larger than consumers can read; use a lower level or window log.";
    case CompressionFault::block_too_large:
      return "A compressed block is larger than its header allows.";
    case CompressionFault::output_limit:
      return "The decompressed data is larger than the limit allows.";
    case CompressionFault::ratio_limit:
      return "The data decompresses to more than the limit allows for its compressed size.";
    case CompressionFault::step_limit:
      return "The compressed data is in more pieces than the limit allows.";
  }
  return "Unknown.";
}

}  // namespace millrace::protocol
