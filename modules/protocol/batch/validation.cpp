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

// What a record says of itself, as it is one of this batch.
BatchResult<void> check_record(const RecordView& record, const ValidBatch& valid,
                               std::int32_t index, bool require_keys, const TimestampRange& range) {
  if (record.offset_delta != index) {
    return batch_failure(BatchError::offset_delta_not_consecutive, index);
  }
  if (require_keys && is_null(record.key)) return batch_failure(BatchError::key_missing, index);
  if (timestamp_overflows(valid.batch.header(), record.timestamp)) {
    return batch_failure(BatchError::timestamp_overflows, index);
  }
  return range.check(record.timestamp, index);
}

}  // namespace

BatchValidation::BatchValidation(ByteView bytes, const ValidationOptions& options,
                                 RecordReader& reader)
    : options_(options), reader_(&reader), result_(batch_failure(BatchError::no_batch)) {
  auto checked = check_batch(bytes);
  if (checked && options_.depth == CheckDepth::records) {
    checked = reader_->open(valid_.batch);
    if (checked) return;
  } else if (checked) {
    checked = TimestampRange(options_).check(valid_.max_timestamp, no_record_index);
  }
  end(checked);
}

BatchResult<void> BatchValidation::check_batch(ByteView bytes) {
  const auto batch = only_batch(bytes, options_);
  if (!batch) return failure(batch.error());
  const BatchHeader& header = batch->header();
  for (const auto& checked : {check_attributes(header.attributes, options_), check_counts(header),
                              check_producer(header, options_)}) {
    if (!checked) return checked;
  }
  valid_ = {.batch = *batch,
            .record_count = header.record_count,
            .max_timestamp = header.max_timestamp,
            .max_timestamp_offset_delta = 0,
            .must_rewrite_timestamps = false,
            .record_bytes = batch->record_bytes().size()};
  is_compressed_ = header.attributes.codec() != Codec::none;
  return {};
}

bool BatchValidation::advance(std::uint64_t bytes_max) {
  if (has_ended_) return true;
  const TimestampRange range(options_);
  reader_->pause_after(bytes_max);
  const std::uint64_t pause_at = reader_->read_bytes() + bytes_max;
  for (RecordView record; reader_->next(record);) {
    const std::int32_t index = next_index_++;
    if (auto checked = check_record(record, valid_, index, options_.require_keys, range);
        !checked) {
      end(checked);
      return true;
    }
    if (index == 0 || record.timestamp > valid_.max_timestamp) {
      valid_.max_timestamp = record.timestamp;
      valid_.max_timestamp_offset_delta = index;
    }
    if (reader_->read_bytes() >= pause_at) return false;
  }
  if (reader_->paused()) return false;
  valid_.record_bytes = reader_->record_bytes();
  end(reader_->finish());
  return true;
}

void BatchValidation::end(BatchResult<void> checked) {
  has_ended_ = true;
  if (!checked) {
    result_ = failure(checked.error());
    return;
  }
  if (options_.timestamp_type == TimestampType::log_append_time) {
    valid_.max_timestamp = options_.now;
    valid_.max_timestamp_offset_delta = 0;
    valid_.must_rewrite_timestamps = true;
  } else {
    valid_.must_rewrite_timestamps = valid_.max_timestamp != valid_.batch.header().max_timestamp;
  }
  result_ = valid_;
}

const BatchResult<ValidBatch>& BatchValidation::result() const {
  check(has_ended_, "a validation has a result when it has ended");
  return result_;
}

BatchResult<ValidBatch> validate_batch(ByteView bytes, const ValidationOptions& options,
                                       RecordReader& reader) {
  constexpr std::uint64_t all = std::numeric_limits<std::uint64_t>::max() / 2;
  BatchValidation validation(bytes, options, reader);
  check(validation.advance(all), "no batch has that many bytes");
  return validation.result();
}

}  // namespace millrace::protocol
