module;
#include <cstddef>
#include <cstdint>

module millrace.protocol.batch;

import millrace.base;
import millrace.protocol.compression;

namespace millrace::protocol {

namespace {

RecordParser::Origin origin_of(const BatchHeader& header) {
  const bool log_append_time = header.attributes.timestamp_type() == TimestampType::log_append_time;
  return {
      .base_offset = header.base_offset.value(),
      .base_timestamp =
          log_append_time ? header.max_timestamp.value() : header.base_timestamp.value(),
      .timestamp_delta_mask = log_append_time ? 0 : -1,
  };
}

BatchFailure failure_of(const CompressionError& error) {
  if (error.fault == CompressionFault::memory_exhausted) {
    return {BatchError::memory_exhausted, no_record_index, error.fault};
  }
  return {is_limit(error.fault) ? BatchError::decompression_limit_exceeded
                                : BatchError::compressed_data_invalid,
          no_record_index, error.fault};
}

}  // namespace

BatchResult<void> RecordReader::open(const BatchView& batch) {
  left_ = 0;
  state_ = State::closed;
  pause_at_ = never_pauses;
  paused_ = false;
  const BatchHeader& header = batch.header();
  const auto codec = header.attributes.codec();
  if (!codec) return batch_failure(BatchError::codec_unknown);
  if (header.record_count < 0) return batch_failure(BatchError::record_count_invalid);

  const ByteView bytes = batch.record_bytes();
  compressed_ = *codec != Codec::none;
  if (compressed_) {
    if (auto started = decompressor_->start(*codec, bytes, limits_.decompression); !started) {
      return failure(failure_of(started.error()));
    }
    at_ = end_ = nullptr;
    record_bytes_ = 0;
  } else {
    at_ = bytes.data();
    end_ = at_ + bytes.size();
    record_bytes_ = bytes.size();
  }
  parser_ = RecordParser(origin_of(header));
  record_count_ = left_ = header.record_count;
  state_ = State::reading;
  return {};
}

bool RecordReader::next_slowly(RecordParser::Step step, BatchError error, RecordView& record) {
  while (step == RecordParser::Step::incomplete) {
    if (compressed_ && incomplete_record_is_too_large()) {
      return fail({BatchError::record_too_large, record_index(), {}});
    }
    if (pauses()) return false;
    if (!refill()) {
      if (state_ == State::failed) return false;
      return fail({at_ == end_ ? BatchError::records_missing : BatchError::record_cut_off,
                   record_index(),
                   {}});
    }
    step = parser_.parse(at_, end_, record, error);
  }
  if (step == RecordParser::Step::failed) return fail({error, record_index(), {}});
  --left_;
  return true;
}

// Bytes that are here already are read without a pause: what comes at once is bounded by the codec.
bool RecordReader::pauses() {
  paused_ = compressed_ && record_bytes_ >= pause_at_;
  return paused_;
}

bool RecordReader::incomplete_record_is_too_large() const {
  return RecordParser::size_of_incomplete(at_, end_) > limits_.record_bytes_max;
}

bool RecordReader::refill() {
  if (!compressed_) return false;
  const auto keep = static_cast<std::size_t>(end_ - at_);
  const auto window = decompressor_->next(keep);
  if (!window) return fail(failure_of(window.error()));
  at_ = window->data();
  end_ = at_ + window->size();
  record_bytes_ += window->size() - keep;
  return window->size() != keep;
}

bool RecordReader::end_of_batch() {
  if (state_ != State::reading) return false;
  // The last refill of a compressed batch brings nothing but the word that all of it was right.
  if (at_ != end_ || refill()) return fail({BatchError::trailing_bytes, no_record_index, {}});
  if (state_ != State::failed) state_ = State::ended;
  return false;
}

bool RecordReader::fail(const BatchFailure& failure) {
  failure_ = failure;
  left_ = 0;
  state_ = State::failed;
  return false;
}

BatchResult<void> RecordReader::finish() const {
  check(state_ == State::ended || state_ == State::failed,
        "RecordReader::finish() comes after next() gave false");
  if (state_ == State::failed) return failure(failure_);
  return {};
}

}  // namespace millrace::protocol
