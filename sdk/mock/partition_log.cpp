module;
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <utility>
#include <vector>

module millrace.mock;

import millrace.base;
import millrace.protocol.batch;
import millrace.protocol.compression;
import millrace.protocol.wire;
import :partition_log;

namespace millrace::mock {

Offset PartitionLog::append(std::vector<std::byte> batch, const protocol::BatchHeader& header,
                            LeaderEpoch epoch) {
  const Offset first = end_;
  protocol::rewrite_base_offset_and_epoch(batch, first, epoch);
  end_ = first.plus(std::int64_t{header.last_offset_delta} + 1);
  bytes_ += batch.size();
  batches_.push_back({first, end_.plus(-1), header.max_timestamp, epoch, std::move(batch)});
  return first;
}

std::vector<protocol::RecordChunk> PartitionLog::read(Offset offset, std::size_t bytes_max,
                                                      bool first_always, Offset end) const {
  std::vector<protocol::RecordChunk> pieces;
  auto batch = std::ranges::lower_bound(batches_, offset, {}, &Batch::last);
  std::size_t taken = 0;
  for (; batch != batches_.end() && batch->first < end; ++batch) {
    const bool fits = taken + batch->bytes.size() <= bytes_max;
    if (!fits && !(first_always && pieces.empty())) break;
    taken += batch->bytes.size();
    pieces.push_back({batch->bytes.data(), -1, 0, batch->bytes.size()});
  }
  return pieces;
}

std::optional<PartitionLog::Found> PartitionLog::find_in(const Batch& batch,
                                                         Timestamp timestamp) const {
  const auto view = protocol::BatchView::parse(batch.bytes);
  check(view.has_value(), "a batch of the mock was checked when it came");
  protocol::Decompressor decompressor;
  protocol::RecordReader reader(decompressor);
  if (!reader.open(*view)) return std::nullopt;
  for (protocol::RecordView record; reader.next(record);) {
    if (record.offset >= start_ && record.timestamp >= timestamp) {
      return Found{record.timestamp, record.offset, batch.epoch};
    }
  }
  return std::nullopt;
}

std::optional<PartitionLog::Found> PartitionLog::find(Timestamp timestamp) const {
  for (const Batch& batch : batches_) {
    if (batch.timestamp_max < timestamp) continue;
    if (const auto found = find_in(batch, timestamp)) return found;
  }
  return std::nullopt;
}

std::optional<PartitionLog::Found> PartitionLog::newest() const {
  if (batches_.empty()) return std::nullopt;
  const auto batch = std::ranges::max_element(batches_, {}, &Batch::timestamp_max);
  return find_in(*batch, batch->timestamp_max);
}

LeaderEpoch PartitionLog::epoch_of(Offset offset) const {
  const auto batch = std::ranges::lower_bound(batches_, offset, {}, &Batch::last);
  return batch == batches_.end() ? no_leader_epoch : batch->epoch;
}

PartitionLog::EpochEnd PartitionLog::end_of(LeaderEpoch epoch) const {
  const auto above = std::ranges::upper_bound(batches_, epoch, {}, &Batch::epoch);
  if (above == batches_.begin()) return {};
  return {std::prev(above)->epoch, above == batches_.end() ? end_ : above->first};
}

void PartitionLog::delete_before(Offset offset) {
  start_ = std::max(start_, offset);
  while (!batches_.empty() && batches_.front().last < start_) {
    bytes_ -= batches_.front().bytes.size();
    batches_.pop_front();
  }
}

void PartitionLog::truncate(Offset offset) {
  while (!batches_.empty() && batches_.back().last >= offset) {
    bytes_ -= batches_.back().bytes.size();
    end_ = batches_.back().first;
    batches_.pop_back();
  }
  end_ = std::min(end_, std::max(offset, start_));
}

}  // namespace millrace::mock
