module;
#include <algorithm>
#include <cstdint>
#include <optional>

module millrace.storage.cleaner;

import millrace.base;
import millrace.protocol.batch;

namespace millrace::storage {

using protocol::BatchHeader;
using protocol::BatchResult;
using protocol::BatchView;
using protocol::is_null;
using protocol::RecordView;

BatchResult<bool> KeyMapper::add(const BatchView& batch) {
  const BatchHeader& header = batch.header();
  if (header.attributes.is_control()) {
    const auto type = control_type_of(batch, walk_);
    if (!type) return failure(type.error());
    if (*type) {
      const auto spent = transactions_.is_spent(header, **type);
      if (!spent) return failure(spent.error());
    }
  } else if (!transactions_.is_aborted(header) && header.record_count != 0) {
    const auto all = add_records(batch);
    if (!all || !*all) return all;
  }
  mapped_end_ = std::max(mapped_end_, std::min(header.last_offset().next(), to_));
  return true;
}

BatchResult<bool> KeyMapper::add_records(const BatchView& batch) {
  const Offset from = mapped_end_;
  if (auto opened = walk_.open(batch); !opened) return failure(opened.error());
  for (RecordView record; walk_.next(record);) {
    if (record.offset < from || record.offset >= to_) continue;
    ++records_;
    if (is_null(record.key) || keys_.put(record.key, record.offset)) continue;
    mapped_end_ = record.offset;
    return false;
  }
  if (auto finished = walk_.finish(); !finished) return failure(finished.error());
  return true;
}

}  // namespace millrace::storage
