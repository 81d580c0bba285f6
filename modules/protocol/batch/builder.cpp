module;
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string_view>
#include <utility>

module millrace.protocol.batch;

import millrace.base;
import millrace.protocol.compression;

namespace millrace::protocol {

namespace {

std::size_t nullable_size(ByteView bytes) {
  if (is_null(bytes)) return 1;
  return varint_size(static_cast<std::int32_t>(bytes.size())) + bytes.size();
}

std::byte* write_bytes(std::byte* to, ByteView bytes) {
  if (!bytes.empty()) std::memcpy(to, bytes.data(), bytes.size());
  return to + bytes.size();
}

std::byte* write_nullable(std::byte* to, ByteView bytes) {
  if (is_null(bytes)) return write_varint(to, -1);
  to = write_varint(to, static_cast<std::int32_t>(bytes.size()));
  return write_bytes(to, bytes);
}

std::int64_t delta_between(Timestamp timestamp, Timestamp base) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(timestamp.value()) -
                                   static_cast<std::uint64_t>(base.value()));
}

}  // namespace

BatchBuilder::BatchBuilder(BatchStorage& records, BatchStorage& compressed, Compressor& compressor)
    : records_(&records), compressed_(&compressed), compressor_(&compressor) {}

void BatchBuilder::start(const BatchOptions& options) {
  options_ = options;
  options_.batch_bytes_max = std::min(options.batch_bytes_max, batch_bytes_format_max);
  open_ = true;
  finished_bytes_ = 0;
  size_bytes_ = record_batch_header_bytes;
  record_count_ = 0;
  last_offset_delta_ = -1;
  base_timestamp_ = options.delete_horizon.value_or(no_timestamp);
  max_timestamp_ = no_timestamp;
}

BatchBuilder::Fields BatchBuilder::fields_of(const RecordInput& record, std::int32_t offset_delta) {
  Fields fields{offset_delta,
                record.timestamp,
                record.key,
                record.value,
                static_cast<std::int32_t>(record.headers.size()),
                0};
  for (const RecordHeader& header : record.headers) {
    fields.header_bytes +=
        nullable_size(as_bytes(header.key.empty() ? std::string_view("") : header.key)) +
        nullable_size(header.value);
  }
  return fields;
}

std::size_t BatchBuilder::body_bytes_of(const Fields& record) const {
  const bool is_base = record_count_ == 0 && !options_.delete_horizon;
  const std::int64_t timestamp_delta =
      is_base ? 0 : delta_between(record.timestamp, base_timestamp_);
  return sizeof(std::int8_t) + varlong_size(timestamp_delta) + varint_size(record.offset_delta) +
         nullable_size(record.key) + nullable_size(record.value) +
         varint_size(record.header_count) + record.header_bytes;
}

BatchResult<void> BatchBuilder::append(const RecordInput& record) {
  check(last_offset_delta_ != std::numeric_limits<std::int32_t>::max(),
        "a batch has no offset left after its last possible one");
  return append_at(last_offset_delta_ + 1, record);
}

BatchResult<std::byte*> BatchBuilder::append_without_headers(const Fields& record) {
  check(open_, "records are appended between start() and finish()");
  check(record.offset_delta > last_offset_delta_, "offsets rise within a batch");

  const std::size_t body_bytes = body_bytes_of(record);
  // Larger bodies do not fit whatever their length field takes; so the cast below is safe.
  if (body_bytes > options_.batch_bytes_max) return batch_failure(BatchError::batch_full);
  const auto length = static_cast<std::int32_t>(body_bytes);
  const std::size_t size_after = size_bytes_ + varint_size(length) + body_bytes;
  if (size_after > options_.batch_bytes_max) return batch_failure(BatchError::batch_full);
  // The header is written at the end: before the first record there is nothing to keep.
  if (!records_->reserve(size_after, record_count_ == 0 ? 0 : size_bytes_)) {
    return batch_failure(BatchError::memory_exhausted);
  }

  if (record_count_ == 0) {
    if (!options_.delete_horizon) base_timestamp_ = record.timestamp;
    max_timestamp_ = record.timestamp;
  }
  max_timestamp_ = std::max(max_timestamp_, record.timestamp);
  std::byte* at = write_varint(records_->data() + size_bytes_, length);
  *at++ = std::byte{0};
  at = write_varlong(at, delta_between(record.timestamp, base_timestamp_));
  at = write_varint(at, record.offset_delta);
  at = write_nullable(at, record.key);
  at = write_nullable(at, record.value);
  at = write_varint(at, record.header_count);
  size_bytes_ = size_after;
  last_offset_delta_ = record.offset_delta;
  ++record_count_;
  return at;
}

BatchResult<void> BatchBuilder::append_at(std::int32_t offset_delta, const RecordInput& record) {
  const auto headers = append_without_headers(fields_of(record, offset_delta));
  if (!headers) return failure(headers.error());
  std::byte* at = *headers;
  for (const RecordHeader& header : record.headers) {
    at = write_varint(at, static_cast<std::int32_t>(header.key.size()));
    at = write_bytes(at, as_bytes(header.key));
    at = write_nullable(at, header.value);
  }
  return {};
}

BatchResult<void> BatchBuilder::append_copy(const RecordView& record) {
  const auto headers =
      append_without_headers({record.offset_delta, record.timestamp, record.key, record.value,
                              record.headers.count(), record.headers.bytes().size()});
  if (!headers) return failure(headers.error());
  write_bytes(*headers, record.headers.bytes());
  return {};
}

BatchResult<void> BatchBuilder::append_end_transaction_marker(ControlRecordType type,
                                                              CoordinatorEpoch epoch,
                                                              Timestamp timestamp) {
  check(options_.control, "markers stand in control batches");
  check(type == ControlRecordType::abort || type == ControlRecordType::commit,
        "a transaction ends by abort or commit");
  const auto key = encode_control_record_key(type);
  const auto value = encode_end_transaction_marker(epoch);
  return append({.key = key, .value = value, .timestamp = timestamp});
}

void BatchBuilder::set_last_offset_delta(std::int32_t delta) {
  check(delta >= last_offset_delta_, "the range of a batch covers all its records");
  last_offset_delta_ = delta;
}

std::size_t BatchBuilder::estimate(std::size_t size_bytes) const {
  if (options_.compression.codec() == Codec::none) return size_bytes;
  const auto record_bytes = static_cast<double>(size_bytes - record_batch_header_bytes);
  return record_batch_header_bytes +
         static_cast<std::size_t>(record_bytes * options_.compression_ratio_expected);
}

std::size_t BatchBuilder::size_bytes_estimate() const {
  return estimate(size_bytes_);
}

bool BatchBuilder::would_fit(const RecordInput& record, std::size_t batch_bytes) const {
  if (last_offset_delta_ == std::numeric_limits<std::int32_t>::max()) return false;
  const std::size_t body_bytes = body_bytes_of(fields_of(record, last_offset_delta_ + 1));
  const std::size_t size_after = size_bytes_ + unsigned_varint_size(2 * body_bytes) + body_bytes;
  return size_after <= options_.batch_bytes_max && estimate(size_after) <= batch_bytes;
}

BatchResult<MutableBytes> BatchBuilder::compress() {
  const CompressionOptions& compression = options_.compression;
  const ByteView records =
      ByteView(records_->data(), size_bytes_).subspan(record_batch_header_bytes);
  const std::size_t capacity =
      record_batch_header_bytes + compressed_bytes_max(compression, records.size());
  if (!compressed_->reserve(capacity, 0)) return batch_failure(BatchError::memory_exhausted);
  const MutableBytes target =
      MutableBytes(compressed_->data(), capacity).subspan(record_batch_header_bytes);
  const auto written = compressor_->compress(compression, records, target);
  if (!written) {
    const CompressionFault fault = written.error().fault;
    return failure(BatchFailure{fault == CompressionFault::memory_exhausted
                                    ? BatchError::memory_exhausted
                                    : BatchError::compression_failed,
                                no_record_index, fault});
  }
  if (record_batch_header_bytes + *written > batch_bytes_format_max) {
    return batch_failure(BatchError::batch_full);
  }
  return MutableBytes(compressed_->data(), record_batch_header_bytes + *written);
}

BatchHeader BatchBuilder::header_of(std::size_t batch_bytes) const {
  const bool log_append_time = options_.timestamp_type == TimestampType::log_append_time;
  return {
      .base_offset = options_.base_offset,
      .batch_length = static_cast<std::int32_t>(batch_bytes - record_batch_prefix_bytes),
      .leader_epoch = options_.leader_epoch,
      .attributes =
          BatchAttributes()
              .with(options_.compression.codec())
              .with(options_.timestamp_type)
              .with(BatchAttributes::transactional_bit, options_.transactional)
              .with(BatchAttributes::control_bit, options_.control)
              .with(BatchAttributes::delete_horizon_bit, options_.delete_horizon.has_value()),
      .last_offset_delta = last_offset_delta_,
      .base_timestamp = base_timestamp_,
      .max_timestamp = log_append_time ? options_.log_append_time : max_timestamp_,
      .producer = options_.producer,
      .record_count = record_count_,
  };
}

BatchResult<MutableBytes> BatchBuilder::finish() {
  check(open_, "finish() comes once after start()");
  if (record_count_ == 0) return batch_failure(BatchError::batch_empty);
  BatchResult<MutableBytes> batch = MutableBytes(records_->data(), size_bytes_);
  if (options_.compression.codec() != Codec::none) batch = compress();
  if (!batch) return batch;
  BatchHeader header = header_of(batch->size());
  write_batch_header(batch->data(), header);
  store_big_endian(batch->data() + batch_layout::crc, compute_batch_crc(*batch));
  open_ = false;
  finished_bytes_ = batch->size();
  return batch;
}

Buffer BatchBuilder::take_batch() {
  check(finished_bytes_ != 0, "a batch is taken after finish(), once");
  BatchStorage& storage = options_.compression.codec() == Codec::none ? *records_ : *compressed_;
  return storage.take(std::exchange(finished_bytes_, 0));
}

std::array<std::byte, record_batch_header_bytes> emptied_batch(const BatchHeader& original) {
  BatchHeader header = original;
  header.batch_length = batch_length_min;
  header.attributes =
      original.attributes.with(Codec::none).with(BatchAttributes::delete_horizon_bit, false);
  header.base_timestamp = no_timestamp;
  header.record_count = 0;
  std::array<std::byte, record_batch_header_bytes> batch{};
  write_batch_header(batch.data(), header);
  store_big_endian(batch.data() + batch_layout::crc, compute_batch_crc(batch));
  return batch;
}

}  // namespace millrace::protocol
