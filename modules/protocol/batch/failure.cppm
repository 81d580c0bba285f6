// How reading, checking and building a record batch can fail: one enum, each value with its
// sentence and with the Kafka error code that a produce request is answered with. A failure takes
// no memory.
module;
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

export module millrace.protocol.batch:failure;

import millrace.base;
import millrace.protocol.compression;

export namespace millrace::protocol {

enum class BatchError : std::uint8_t {
  // The batch as a whole.
  truncated,
  message_format_v0,
  message_format_v1,
  magic_unknown,
  batch_length_invalid,
  batch_too_large,
  crc_mismatch,
  no_batch,
  several_batches,
  base_offset_not_zero,
  attribute_bits_unknown,
  codec_unknown,
  codec_not_allowed,
  offset_range_invalid,
  record_count_invalid,
  record_count_unlike_offset_range,
  control_batch_refused,
  sequence_negative,
  producer_epoch_negative,
  transaction_without_producer_id,
  // Compressed data.
  compressed_data_invalid,
  decompression_limit_exceeded,
  // One record.
  record_length_invalid,
  record_too_large,
  record_cut_off,
  record_field_invalid,
  record_trailing_bytes,
  key_length_invalid,
  value_length_invalid,
  header_count_invalid,
  header_key_length_invalid,
  header_value_length_invalid,
  records_missing,
  trailing_bytes,
  offset_delta_not_consecutive,
  key_missing,
  // Timestamps.
  timestamp_type_refused,
  timestamp_too_old,
  timestamp_too_new,
  timestamp_overflows,
  // Control records.
  control_record_invalid,
  // Building.
  batch_full,
  batch_empty,
  memory_exhausted,
  compression_failed,
};

inline constexpr std::int32_t no_record_index = -1;

struct BatchFailure {
  BatchError error = BatchError::truncated;
  // Counted from 0 within the batch, or no_record_index where the batch as a whole is at fault.
  std::int32_t record_index = no_record_index;
  // Why the codec failed, where it did.
  std::optional<CompressionFault> compression;

  friend bool operator==(const BatchFailure&, const BatchFailure&) = default;
};

template <class T>
using BatchResult = Result<T, BatchFailure>;

[[nodiscard]] constexpr auto batch_failure(BatchError error,
                                           std::int32_t record_index = no_record_index) {
  return failure(BatchFailure{error, record_index, {}});
}

// The name in snake case, for logs and tests.
[[nodiscard]] std::string_view name_of(BatchError error);

// What a producer is answered. Damaged compressed data under a right CRC is INVALID_RECORD, not
// CORRUPT_MESSAGE: the producer made it so, and sending it again cannot help.
[[nodiscard]] std::int16_t kafka_error_code(BatchError error);

// For people; starts with the record's index where there is one.
[[nodiscard]] std::string sentence(BatchFailure failure);

}  // namespace millrace::protocol
