// The records of a batch that comes from a disk, with their offsets checked.
module;
#include <cstdint>
#include <optional>

export module millrace.storage.cleaner:record_walk;

import millrace.base;
import millrace.protocol.batch;

export namespace millrace::storage {

// Walks the records of one batch after the other, as RecordReader does, and fails with
// offset_range_invalid or offset_delta_not_consecutive where offsets do not rise within the range
// of the batch: what is cleaned is found by offset, so a wrong one must not be followed. Lives on
// one thread; the decompressor outlives it and is free between finish() and open().
class RecordWalk {
 public:
  explicit RecordWalk(protocol::Decompressor& decompressor) : reader_(decompressor) {}

  protocol::BatchResult<void> open(const protocol::BatchView& batch);
  // False at the end of the batch and at a failure.
  [[nodiscard]] inline bool next(protocol::RecordView& record) {
    if (!reader_.next(record)) return false;
    if (record.offset_delta <= last_delta_ || record.offset_delta > delta_max_) [[unlikely]] {
      unordered_ = true;
      return false;
    }
    last_delta_ = record.offset_delta;
    return true;
  }
  // After next() gave false: whether the batch was what its header says.
  [[nodiscard]] protocol::BatchResult<void> finish();
  // How many bytes all records have that were walked over since the beginning, decompressed.
  [[nodiscard]] std::uint64_t walked_bytes() const { return walked_bytes_; }

 private:
  protocol::RecordReader reader_;
  std::int32_t last_delta_ = -1;
  std::int32_t delta_max_ = -1;
  bool unordered_ = false;
  std::uint64_t walked_bytes_ = 0;
};

// What a control batch says; nothing if it has lost its record. Types that are not known are given
// as they are.
[[nodiscard]] protocol::BatchResult<std::optional<protocol::ControlRecordType>> control_type_of(
    const protocol::BatchView& batch, RecordWalk& walk);

}  // namespace millrace::storage
