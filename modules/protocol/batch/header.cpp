module;
#include <cstddef>
#include <cstdint>

module millrace.protocol.batch;

import millrace.base;

namespace millrace::protocol {

namespace {

template <class Integer>
Integer field(const std::byte* header, std::size_t at) {
  return load_big_endian<Integer>(header + at);
}

BatchResult<void> check_magic(ByteView bytes) {
  if (bytes.size() <= batch_layout::magic) return batch_failure(BatchError::truncated);
  switch (field<std::int8_t>(bytes.data(), batch_layout::magic)) {
    case batch_magic:
      return {};
    case 0:
      return batch_failure(BatchError::message_format_v0);
    case 1:
      return batch_failure(BatchError::message_format_v1);
    default:
      return batch_failure(BatchError::magic_unknown);
  }
}

}  // namespace

BatchResult<BatchHeader> read_batch_header(ByteView bytes) {
  if (const auto magic = check_magic(bytes); !magic) return failure(magic.error());
  const std::byte* at = bytes.data();
  const auto batch_length = field<std::int32_t>(at, batch_layout::batch_length);
  if (batch_length < batch_length_min) return batch_failure(BatchError::batch_length_invalid);
  if (bytes.size() < record_batch_header_bytes) return batch_failure(BatchError::truncated);
  return BatchHeader{
      .base_offset = Offset(field<std::int64_t>(at, batch_layout::base_offset)),
      .batch_length = batch_length,
      .leader_epoch = LeaderEpoch(field<std::int32_t>(at, batch_layout::leader_epoch)),
      .crc = field<std::uint32_t>(at, batch_layout::crc),
      .attributes = BatchAttributes(field<std::int16_t>(at, batch_layout::attributes)),
      .last_offset_delta = field<std::int32_t>(at, batch_layout::last_offset_delta),
      .base_timestamp = Timestamp(field<std::int64_t>(at, batch_layout::base_timestamp)),
      .max_timestamp = Timestamp(field<std::int64_t>(at, batch_layout::max_timestamp)),
      .producer = {.id = ProducerId(field<std::int64_t>(at, batch_layout::producer_id)),
                   .epoch = ProducerEpoch(field<std::int16_t>(at, batch_layout::producer_epoch)),
                   .base_sequence = Sequence(field<std::int32_t>(at, batch_layout::base_sequence))},
      .record_count = field<std::int32_t>(at, batch_layout::record_count),
  };
}

void write_batch_header(std::byte* to, const BatchHeader& header) {
  store_big_endian(to + batch_layout::base_offset, header.base_offset.value());
  store_big_endian(to + batch_layout::batch_length, header.batch_length);
  store_big_endian(to + batch_layout::leader_epoch, header.leader_epoch.value());
  store_big_endian(to + batch_layout::magic, batch_magic);
  store_big_endian(to + batch_layout::crc, header.crc);
  store_big_endian(to + batch_layout::attributes, header.attributes.bits());
  store_big_endian(to + batch_layout::last_offset_delta, header.last_offset_delta);
  store_big_endian(to + batch_layout::base_timestamp, header.base_timestamp.value());
  store_big_endian(to + batch_layout::max_timestamp, header.max_timestamp.value());
  store_big_endian(to + batch_layout::producer_id, header.producer.id.value());
  store_big_endian(to + batch_layout::producer_epoch, header.producer.epoch.value());
  store_big_endian(to + batch_layout::base_sequence, header.producer.base_sequence.value());
  store_big_endian(to + batch_layout::record_count, header.record_count);
}

BatchResult<BatchView> BatchView::parse(ByteView bytes) {
  const auto header = read_batch_header(bytes);
  if (!header) return failure(header.error());
  if (header->size_bytes() > bytes.size()) return batch_failure(BatchError::truncated);
  return BatchView(*header, bytes.first(header->size_bytes()));
}

std::uint32_t compute_batch_crc(ByteView batch) {
  return crc32c(batch.subspan(batch_layout::attributes));
}

bool BatchView::crc_matches() const {
  return compute_batch_crc(bytes_) == header_.crc;
}

std::size_t BatchSplitter::cut_batch_bytes() const {
  if (rest_.size() < record_batch_prefix_bytes) return 0;
  const auto batch_length = field<std::int32_t>(rest_.data(), batch_layout::batch_length);
  return batch_length < batch_length_min
             ? 0
             : static_cast<std::size_t>(batch_length) + record_batch_prefix_bytes;
}

bool BatchSplitter::next(BatchView& batch) {
  if (state_ != State::splitting) return false;
  if (rest_.empty()) {
    state_ = State::ended;
    return false;
  }
  // Before anything else: a batch that is too large must not be waited for as "cut".
  if (cut_batch_bytes() > batch_bytes_max_) {
    failure_ = BatchFailure{BatchError::batch_too_large, no_record_index, {}};
    state_ = State::failed;
    return false;
  }
  const auto parsed = BatchView::parse(rest_);
  if (!parsed) {
    failure_ = parsed.error();
    state_ = failure_.error == BatchError::truncated ? State::ended : State::failed;
    return false;
  }
  batch = *parsed;
  rest_ = rest_.subspan(batch.bytes().size());
  return true;
}

BatchResult<BatchSplitter::End> BatchSplitter::finish() const {
  check(state_ != State::splitting, "BatchSplitter::finish() comes after next() gave false");
  if (state_ == State::failed) return failure(failure_);
  return rest_.empty() ? End::complete : End::cut;
}

}  // namespace millrace::protocol
