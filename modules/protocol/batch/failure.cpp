module;
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

module millrace.protocol.batch;

import millrace.base;
import millrace.protocol.compression;

namespace millrace::protocol {

namespace {

constexpr std::int16_t unknown_server_error = -1;
constexpr std::int16_t corrupt_message = 2;
constexpr std::int16_t message_too_large = 10;
constexpr std::int16_t invalid_timestamp = 32;
constexpr std::int16_t unsupported_compression_type = 76;
constexpr std::int16_t invalid_record = 87;

struct Description {
  BatchError error;
  std::string_view name;
  std::int16_t code;
  std::string_view text;
};

// In the order of the enum.
constexpr Description descriptions[] = {
    {BatchError::truncated, "truncated", invalid_record, "the batch is cut off"},
    {BatchError::message_format_v0, "message_format_v0", invalid_record,
     "message format v0 is not supported: only record batches v2 are"},
    {BatchError::message_format_v1, "message_format_v1", invalid_record,
     "message format v1 is not supported: only record batches v2 are"},
    {BatchError::magic_unknown, "magic_unknown", invalid_record,
     "the magic byte names no known message format"},
    {BatchError::batch_length_invalid, "batch_length_invalid", corrupt_message,
     "the batch length is smaller than a batch header"},
    {BatchError::batch_too_large, "batch_too_large", message_too_large,
     "the batch is larger than the topic allows (max.message.bytes)"},
    {BatchError::crc_mismatch, "crc_mismatch", corrupt_message, "the batch does not match its CRC"},
    {BatchError::no_batch, "no_batch", invalid_record, "there is no record batch"},
    {BatchError::several_batches, "several_batches", invalid_record,
     "there is more than one record batch"},
    {BatchError::base_offset_not_zero, "base_offset_not_zero", invalid_record,
     "the base offset of a produced batch must be 0"},
    {BatchError::attribute_bits_unknown, "attribute_bits_unknown", invalid_record,
     "the attributes have bits set that a producer must not set"},
    {BatchError::codec_unknown, "codec_unknown", unsupported_compression_type,
     "the attributes name an unknown compression codec"},
    {BatchError::codec_not_allowed, "codec_not_allowed", unsupported_compression_type,
     "the compression codec is not allowed in this version of the request"},
    {BatchError::offset_range_invalid, "offset_range_invalid", invalid_record,
     "the last offset delta is negative or overflows the offset"},
    {BatchError::record_count_invalid, "record_count_invalid", invalid_record,
     "the record count is not positive"},
    {BatchError::record_count_unlike_offset_range, "record_count_unlike_offset_range",
     invalid_record, "the record count does not match the offset range"},
    {BatchError::control_batch_refused, "control_batch_refused", invalid_record,
     "clients must not write control batches"},
    {BatchError::sequence_negative, "sequence_negative", invalid_record,
     "the base sequence is negative although there is a producer id"},
    {BatchError::producer_epoch_negative, "producer_epoch_negative", invalid_record,
     "the producer epoch is negative although there is a producer id"},
    {BatchError::transaction_without_producer_id, "transaction_without_producer_id", invalid_record,
     "a transactional batch needs a producer id"},
    {BatchError::compressed_data_invalid, "compressed_data_invalid", invalid_record,
     "the compressed records cannot be decompressed"},
    {BatchError::decompression_limit_exceeded, "decompression_limit_exceeded", message_too_large,
     "the records exceed the limits on decompression"},
    {BatchError::record_length_invalid, "record_length_invalid", invalid_record,
     "its length is negative or malformed"},
    {BatchError::record_too_large, "record_too_large", message_too_large,
     "it is larger than the limit on one record"},
    {BatchError::record_cut_off, "record_cut_off", invalid_record,
     "it reaches past the end of the batch"},
    {BatchError::record_field_invalid, "record_field_invalid", invalid_record,
     "a field is malformed or reaches past the end of the record"},
    {BatchError::record_trailing_bytes, "record_trailing_bytes", invalid_record,
     "its length does not match its fields: bytes are left over"},
    {BatchError::key_length_invalid, "key_length_invalid", invalid_record,
     "the key length is malformed or reaches past the end of the record"},
    {BatchError::value_length_invalid, "value_length_invalid", invalid_record,
     "the value length is malformed or reaches past the end of the record"},
    {BatchError::header_count_invalid, "header_count_invalid", invalid_record,
     "the header count is negative or beyond the bytes of the record"},
    {BatchError::header_key_length_invalid, "header_key_length_invalid", invalid_record,
     "a header's key length is negative or reaches past the end of the record"},
    {BatchError::header_value_length_invalid, "header_value_length_invalid", invalid_record,
     "a header's value length is malformed or reaches past the end of the record"},
    {BatchError::records_missing, "records_missing", invalid_record,
     "the batch holds fewer records than its header says"},
    {BatchError::trailing_bytes, "trailing_bytes", invalid_record,
     "bytes are left over after the last record of the batch"},
    {BatchError::offset_delta_not_consecutive, "offset_delta_not_consecutive", invalid_record,
     "its offset delta is not consecutive"},
    {BatchError::key_missing, "key_missing", invalid_record,
     "a record of a compacted topic needs a key"},
    {BatchError::timestamp_type_refused, "timestamp_type_refused", invalid_timestamp,
     "producers must not set the timestamp type to LogAppendTime"},
    {BatchError::timestamp_too_old, "timestamp_too_old", invalid_timestamp,
     "the timestamp is further in the past than message.timestamp.before.max.ms allows"},
    {BatchError::timestamp_too_new, "timestamp_too_new", invalid_timestamp,
     "the timestamp is further in the future than message.timestamp.after.max.ms allows"},
    {BatchError::timestamp_overflows, "timestamp_overflows", invalid_timestamp,
     "the timestamp delta overflows the timestamp"},
    {BatchError::control_record_invalid, "control_record_invalid", invalid_record,
     "the control record is malformed"},
    {BatchError::batch_full, "batch_full", message_too_large,
     "the record does not fit into the batch"},
    {BatchError::batch_empty, "batch_empty", invalid_record,
     "a batch without records cannot be built"},
    {BatchError::memory_exhausted, "memory_exhausted", unknown_server_error,
     "there is no memory for the records"},
    {BatchError::compression_failed, "compression_failed", unknown_server_error,
     "the records could not be compressed"},
};

constexpr bool in_order_of_enum() {
  std::size_t expected = 0;
  for (const Description& description : descriptions) {
    if (static_cast<std::size_t>(description.error) != expected++) return false;
  }
  return expected == static_cast<std::size_t>(BatchError::compression_failed) + 1;
}
static_assert(in_order_of_enum());

const Description& describe(BatchError error) {
  return descriptions[static_cast<std::size_t>(error)];
}

}  // namespace

std::string_view name_of(BatchError error) {
  return describe(error).name;
}

std::int16_t kafka_error_code(BatchError error) {
  return describe(error).code;
}

std::string sentence(BatchFailure failure) {
  std::string text(describe(failure.error).text);
  if (failure.compression) text += formatted(": {}", sentence(*failure.compression));
  if (failure.record_index == no_record_index) return text;
  return formatted("record {}: {}", failure.record_index, text);
}

}  // namespace millrace::protocol
