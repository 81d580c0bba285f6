module;
#include <cstdint>
#include <limits>
#include <optional>

module millrace.storage.cleaner;

import millrace.base;
import millrace.protocol.batch;

namespace millrace::storage {

using protocol::BatchError;
using protocol::BatchHeader;
using protocol::BatchResult;
using protocol::BatchView;
using protocol::ControlRecordType;
using protocol::RecordView;

BatchResult<void> RecordWalk::open(const BatchView& batch) {
  const BatchHeader& header = batch.header();
  const std::int64_t base = header.base_offset.value();
  const std::int32_t delta = header.last_offset_delta;
  // The offset after the last one must be a number too.
  if (base < 0 || delta < 0 || base >= std::numeric_limits<std::int64_t>::max() - delta) {
    return protocol::batch_failure(BatchError::offset_range_invalid);
  }
  last_delta_ = -1;
  delta_max_ = delta;
  unordered_ = false;
  return reader_.open(batch);
}

BatchResult<void> RecordWalk::finish() {
  walked_bytes_ += reader_.record_bytes();
  if (unordered_) return protocol::batch_failure(BatchError::offset_delta_not_consecutive);
  return reader_.finish();
}

BatchResult<std::optional<ControlRecordType>> control_type_of(const BatchView& batch,
                                                              RecordWalk& walk) {
  if (auto opened = walk.open(batch); !opened) return failure(opened.error());
  std::optional<ControlRecordType> type;
  for (RecordView record; walk.next(record);) {
    const auto key = protocol::read_control_record_key(record.key);
    if (!key) return failure(key.error());
    type = key->type;
  }
  if (auto finished = walk.finish(); !finished) return failure(finished.error());
  return type;
}

}  // namespace millrace::storage
