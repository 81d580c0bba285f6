module;
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>

module millrace.protocol.batch;

import millrace.base;
import millrace.protocol.compression;

namespace millrace::protocol {

namespace {

// Exactly one whole batch of format v2.
BatchResult<BatchView> only_batch(ByteView bytes, const ValidationOptions& options) {
  if (bytes.empty()) return batch_failure(BatchError::no_batch);
  const auto batch = BatchView::parse(bytes);
  if (!batch) return batch;
  if (batch->bytes().size() != bytes.size()) return batch_failure(BatchError::several_batches);
  if (options.require_base_offset_zero && batch->header().base_offset != Offset(0)) {
    return batch_failure(BatchError::base_offset_not_zero);
  }
  // Before the CRC: a batch that is refused for its size is not worth reading.
  if (bytes.size() > options.batch_bytes_max) return batch_failure(BatchError::batch_too_large);
  if (!batch->crc_matches()) return batch_failure(BatchError::crc_mismatch);
  return batch;
}

BatchResult<void> check_attributes(BatchAttributes attributes, const ValidationOptions& options) {
  // The delete horizon is compaction's to set.
  if (attributes.has_unknown_bits() || attributes.has_delete_horizon()) {
    return batch_failure(BatchError::attribute_bits_unknown);
  }
  const auto codec = attributes.codec();
  if (!codec) return batch_failure(BatchError::codec_unknown);
  if (*codec == Codec::zstd && !options.zstd_allowed) {
    return batch_failure(BatchError::codec_not_allowed);
  }
  if (attributes.is_control() && options.origin == BatchOrigin::client) {
    return batch_failure(BatchError::control_batch_refused);
  }
  if (attributes.timestamp_type() == TimestampType::log_append_time) {
    return batch_failure(BatchError::timestamp_type_refused);
  }
  return {};
}

BatchResult<void> check_counts(const BatchHeader& header) {
  std::int64_t last_offset = 0;
  if (header.last_offset_delta < 0 ||
      __builtin_add_overflow(header.base_offset.value(), std::int64_t{header.last_offset_delta},
                             &last_offset)) {
    return batch_failure(BatchError::offset_range_invalid);
  }
  if (header.record_count <= 0) return batch_failure(BatchError::record_count_invalid);
  if (header.record_count - 1 != header.last_offset_delta) {
    return batch_failure(BatchError::record_count_unlike_offset_range);
  }
  return {};
}

BatchResult<void> check_producer(const BatchHeader& header, const ValidationOptions& options) {
  if (!header.has_producer_id()) {
    if (header.attributes.is_transactional()) {
      return batch_failure(BatchError::transaction_without_producer_id);
    }
    return {};
  }
  if (header.producer.epoch < ProducerEpoch(0)) {
    return batch_failure(BatchError::producer_epoch_negative);
  }
  // Transaction markers carry the producer's id and no sequence.
  if (header.producer.base_sequence < Sequence(0) && options.origin == BatchOrigin::client) {
    return batch_failure(BatchError::sequence_negative);
  }
  return {};
}

// The timestamps that a record of a topic with create time may have.
class TimestampRange {
 public:
  explicit TimestampRange(const ValidationOptions& options) {
    if (options.timestamp_type == TimestampType::log_append_time) return;
    const std::int64_t now = options.now.value();
    if (__builtin_sub_overflow(now, options.timestamp_before_max.count(), &oldest_)) {
      oldest_ = std::numeric_limits<std::int64_t>::min();
    }
    if (__builtin_add_overflow(now, options.timestamp_after_max.count(), &newest_)) {
      newest_ = std::numeric_limits<std::int64_t>::max();
    }
  }

  [[nodiscard]] inline bool contains(Timestamp timestamp) const {
    return timestamp.value() >= oldest_ && timestamp.value() <= newest_;
  }
  [[nodiscard]] BatchResult<void> check(Timestamp timestamp, std::int32_t record_index) const {
    if (timestamp == no_timestamp || contains(timestamp)) return {};
    return batch_failure(
        timestamp.value() < oldest_ ? BatchError::timestamp_too_old : BatchError::timestamp_too_new,
        record_index);
  }

 private:
  std::int64_t oldest_ = std::numeric_limits<std::int64_t>::min();
  std::int64_t newest_ = std::numeric_limits<std::int64_t>::max();
};

bool timestamp_overflows(const BatchHeader& header, Timestamp timestamp) {
  // The reader's sum wraps; taking the base away again gives the delta as it was sent.
  const std::int64_t base = header.base_timestamp.value();
  const auto delta = static_cast<std::int64_t>(static_cast<std::uint64_t>(timestamp.value()) -
                                               static_cast<std::uint64_t>(base));
  std::int64_t sum = 0;
  return __builtin_add_overflow(base, delta, &sum);
}

// Reads all records and fills in what they say.
BatchResult<void> check_records(ValidBatch& valid, const ValidationOptions& options,
                                RecordReader& reader) {
  if (const auto opened = reader.open(valid.batch); !opened) return opened;
  const TimestampRange range(options);
  const BatchHeader& header = valid.batch.header();
  std::int32_t index = 0;
  for (RecordView record; reader.next(record); ++index) {
    if (record.offset_delta != index) {
      return batch_failure(BatchError::offset_delta_not_consecutive, index);
    }
    if (options.require_keys && is_null(record.key)) {
      return batch_failure(BatchError::key_missing, index);
    }
    if (timestamp_overflows(header, record.timestamp)) {
      return batch_failure(BatchError::timestamp_overflows, index);
    }
    if (const auto timestamp = range.check(record.timestamp, index); !timestamp) return timestamp;
    if (index == 0 || record.timestamp > valid.max_timestamp) {
      valid.max_timestamp = record.timestamp;
      valid.max_timestamp_offset_delta = index;
    }
  }
  valid.record_bytes = reader.record_bytes();
  return reader.finish();
}

}  // namespace

BatchResult<ValidBatch> validate_batch(ByteView bytes, const ValidationOptions& options,
                                       RecordReader& reader) {
  const auto batch = only_batch(bytes, options);
  if (!batch) return failure(batch.error());
  const BatchHeader& header = batch->header();
  for (const auto& checked : {check_attributes(header.attributes, options), check_counts(header),
                              check_producer(header, options)}) {
    if (!checked) return failure(checked.error());
  }

  ValidBatch valid{.batch = *batch,
                   .record_count = header.record_count,
                   .max_timestamp = header.max_timestamp,
                   .max_timestamp_offset_delta = 0,
                   .must_rewrite_timestamps = false,
                   .record_bytes = batch->record_bytes().size()};
  const auto checked = options.depth == CheckDepth::records
                           ? check_records(valid, options, reader)
                           : TimestampRange(options).check(header.max_timestamp, no_record_index);
  if (!checked) return failure(checked.error());
  if (options.timestamp_type == TimestampType::log_append_time) {
    valid.max_timestamp = options.now;
    valid.max_timestamp_offset_delta = 0;
    valid.must_rewrite_timestamps = true;
  } else {
    valid.must_rewrite_timestamps = valid.max_timestamp != header.max_timestamp;
  }
  return valid;
}

}  // namespace millrace::protocol
