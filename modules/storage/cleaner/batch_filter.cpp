module;
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

#include "../segment/planted.hpp"

module millrace.storage.cleaner;

import millrace.base;
import millrace.protocol.batch;
import millrace.storage.producers;

namespace millrace::storage {

using protocol::BatchError;
using protocol::BatchHeader;
using protocol::BatchOptions;
using protocol::BatchResult;
using protocol::BatchView;
using protocol::CompressionOptions;
using protocol::is_null;
using protocol::RecordView;

namespace {

// The time after which tombstones and markers of the batch go; none until a cleaning has met it.
std::optional<Timestamp> horizon_of(const BatchHeader& header) {
  if (!header.attributes.has_delete_horizon()) return std::nullopt;
  return header.base_timestamp;
}

}  // namespace

BatchFilter::BatchFilter(const KeyOffsets& keys, CleanedTransactions& transactions,
                         const ProducerStates& producers, const CleaningRules& rules,
                         RecordWalk& walk, BufferPool& buffers, protocol::Compressor& compressor)
    : keys_(keys),
      transactions_(transactions),
      producers_(producers),
      rules_(rules),
      walk_(walk),
      records_(buffers),
      compressed_(buffers),
      builder_(records_, compressed_, compressor) {}

BatchResult<FilteredBatch> BatchFilter::filter(const BatchView& batch) {
  if (batch.header().record_count < 0) {
    return protocol::batch_failure(BatchError::record_count_invalid);
  }
  ++counts_.batches_read;
  auto filtered =
      batch.header().attributes.is_control() ? filter_control(batch) : filter_data(batch);
  if (filtered && filtered->fate != BatchFate::dropped) ++counts_.batches_kept;
  return filtered;
}

BatchResult<FilteredBatch> BatchFilter::filter_data(const BatchView& batch) {
  const BatchHeader& header = batch.header();
  const bool aborted = transactions_.is_aborted(header);
  const bool is_mapped = header.last_offset() < rules_.mapped_end;
  counts_.records_read += static_cast<std::uint64_t>(header.record_count);
  if (header.base_offset >= rules_.mapped_end) return copy(batch);
  if (is_mapped && (aborted || header.record_count == 0)) return without_records(batch);
  if (header.record_count == 0) return copy(batch);

  const auto choice = choose(batch);
  if (!choice) return failure(choice.error());
  if (choice->kept == 0) return without_records(batch);
  // A tombstone that is not in the table yet has not removed the older records of its key: its time
  // must not begin before.
  const bool stamps = choice->has_tombstones && is_mapped && !horizon_of(header);
  if (choice->dropped == 0 && !stamps) return copy(batch);
  counts_.records_kept += static_cast<std::uint64_t>(choice->kept);
  return rewrite(batch, stamps ? std::optional(new_horizon()) : horizon_of(header));
}

BatchResult<FilteredBatch> BatchFilter::filter_control(const BatchView& batch) {
  const BatchHeader& header = batch.header();
  const auto type = control_type_of(batch, walk_);
  if (!type) return failure(type.error());
  BatchResult<bool> spent = true;
  if (*type) spent = transactions_.is_spent(header, **type);
  if (!spent) return failure(spent.error());
  counts_.records_read += static_cast<std::uint64_t>(header.record_count);
  if (header.last_offset() >= rules_.mapped_end) return copy(batch);
  if (!*type) return without_records(batch);
  if (!*spent) return copy(batch);
  if (const auto horizon = horizon_of(header)) {
    return *horizon <= rules_.now ? without_records(batch) : copy(batch);
  }
  stays_.assign(static_cast<std::size_t>(header.record_count), true);
  counts_.records_kept += static_cast<std::uint64_t>(header.record_count);
  return rewrite(batch, new_horizon());
}

BatchResult<BatchFilter::Choice> BatchFilter::choose(const BatchView& batch) {
  Choice choice;
  stays_.clear();
  if (auto opened = walk_.open(batch); !opened) return failure(opened.error());
  for (RecordView record; walk_.next(record);) {
    const bool kept = stays(record, batch.header());
    stays_.push_back(kept);
    ++(kept ? choice.kept : choice.dropped);
    if (kept && is_null(record.value)) choice.has_tombstones = true;
  }
  if (auto finished = walk_.finish(); !finished) return failure(finished.error());
  return choice;
}

bool BatchFilter::stays(const RecordView& record, const BatchHeader& header) {
  if (record.offset >= rules_.mapped_end) return true;
  if (is_null(record.key)) {
    ++counts_.records_without_key;
    return false;
  }
  if (record.offset < keys_.find(record.key)) return false;
  if (!is_null(record.value)) return true;
  if (planted(Planted::tombstone_dropped_early)) return false;
  const auto horizon = horizon_of(header);
  return !horizon || rules_.now < *horizon;
}

FilteredBatch BatchFilter::copy(const BatchView& batch) {
  counts_.records_kept += static_cast<std::uint64_t>(batch.header().record_count);
  return {BatchFate::copied, batch.bytes(), batch.header()};
}

FilteredBatch BatchFilter::without_records(const BatchView& batch) {
  if (!header_is_needed(batch.header())) return {BatchFate::dropped, {}, batch.header()};
  if (batch.header().record_count == 0) return copy(batch);
  emptied_ = protocol::emptied_batch(batch.header());
  const auto header = protocol::read_batch_header(emptied_);
  check(header.has_value(), "an emptied batch is a batch");
  return {BatchFate::emptied, emptied_, *header};
}

BatchResult<FilteredBatch> BatchFilter::rewrite(const BatchView& batch,
                                                std::optional<Timestamp> horizon) {
  const BatchHeader& header = batch.header();
  BatchOptions options;
  // Which codec it has was seen when its records were read.
  options.compression = CompressionOptions(header.attributes.codec().value());
  options.base_offset = header.base_offset;
  options.leader_epoch = header.leader_epoch;
  options.producer = header.producer;
  options.transactional = header.attributes.is_transactional();
  options.control = header.attributes.is_control();
  options.timestamp_type = header.attributes.timestamp_type();
  options.log_append_time = header.max_timestamp;
  options.delete_horizon = horizon;
  options.batch_bytes_max = protocol::batch_bytes_format_max;
  builder_.start(options);
  if (auto opened = walk_.open(batch); !opened) return failure(opened.error());
  std::size_t index = 0;
  for (RecordView record; walk_.next(record);) {
    if (!stays_[index++]) continue;
    if (auto copied = builder_.append_copy(record); !copied) return failure(copied.error());
  }
  if (auto finished = walk_.finish(); !finished) return failure(finished.error());
  builder_.set_last_offset_delta(header.last_offset_delta);
  const auto built = builder_.finish();
  if (!built) return failure(built.error());
  const auto rewritten = protocol::read_batch_header(*built);
  check(rewritten.has_value(), "a batch that was built is one");
  return FilteredBatch{BatchFate::rewritten, *built, *rewritten};
}

// Without its last batch a producer that goes on sending would be taken for an unknown one after
// the next recovery.
bool BatchFilter::header_is_needed(const BatchHeader& header) const {
  if (header.last_offset().next() == rules_.cleanable_end) return true;
  if (!header.has_producer_id() || planted(Planted::last_of_producer_dropped)) return false;
  const ProducerState* const producer = producers_.find(header.producer.id);
  if (producer == nullptr) return false;
  if (const auto last = producer->last_batch()) return last->last_offset == header.last_offset();
  return header.attributes.is_control() && producer->epoch() == header.producer.epoch;
}

Timestamp BatchFilter::new_horizon() const {
  std::int64_t horizon = 0;
  if (__builtin_add_overflow(rules_.now.value(), rules_.delete_retention_ms, &horizon)) {
    horizon = std::numeric_limits<std::int64_t>::max();
  }
  return Timestamp(horizon);
}

}  // namespace millrace::storage
