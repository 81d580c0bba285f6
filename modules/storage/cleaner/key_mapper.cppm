// Fills the table of keys from the batches of a log.
module;
#include <cstdint>

export module millrace.storage.cleaner:key_mapper;

import millrace.base;
import millrace.protocol.batch;
import :key_offsets;
import :record_walk;
import :transactions;

export namespace millrace::storage {

// The first half of a cleaning: where the last record of each key is. Takes the batches of a log in
// order, with the CRC checked. Belongs to one pass; what it is given outlives it.
class KeyMapper {
 public:
  // Of the records in [from, to), to which an open transaction does not reach.
  KeyMapper(KeyOffsets& keys, CleanedTransactions& transactions, RecordWalk& walk, Offset from,
            Offset to)
      : keys_(keys), transactions_(transactions), walk_(walk), mapped_end_(from), to_(to) {}

  // Notes the keys of a batch. False if the table is full: the pass goes up to mapped_end() then.
  [[nodiscard]] protocol::BatchResult<bool> add(const protocol::BatchView& batch);
  // Nothing follows: what is mapped reaches to the end of the range.
  void finish() { mapped_end_ = to_; }

  // Every record from the beginning of the range to here is in the table.
  [[nodiscard]] Offset mapped_end() const { return mapped_end_; }
  [[nodiscard]] std::uint64_t records() const { return records_; }

 private:
  [[nodiscard]] protocol::BatchResult<bool> add_records(const protocol::BatchView& batch);

  KeyOffsets& keys_;
  CleanedTransactions& transactions_;
  RecordWalk& walk_;
  Offset mapped_end_;
  Offset to_;
  std::uint64_t records_ = 0;
};

}  // namespace millrace::storage
