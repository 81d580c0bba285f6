#include "checks.hpp"

namespace millrace::storage::crash {

namespace {

// A batch in a log file, with what the time index may say of it.
struct Placed {
  std::uint64_t position = 0;
  protocol::BatchHeader header;
  Timestamp youngest_so_far;
};

// What a log promises of the indexes of each segment, in memory and file together, whenever it is
// asked: after a start of any kind, and while it runs.
// - Offset index: each entry is that of a batch, at its place. No batch begins more than
//   index.interval.bytes behind the last entry, or the beginning, without having one.
// - Time index: each entry is the youngest time so far. At each entry of the offset index it knows
//   the youngest time up to there; in a segment that is not written to any more, that of all.
// - Transaction index: each entry is that of a marker. It has those that the model knows.
// What a crash took of them was made again by recovery, where the segment reaches beyond the
// recovery point; below it nothing is taken.
class SegmentCheck {
 public:
  SegmentCheck(Machine& machine, const Segment& segment) : machine_(machine), segment_(segment) {}

  void read_batches(std::vector<Batch>& batches);
  void check_indexes(bool finished) const;
  [[nodiscard]] std::vector<AbortedTransaction> aborted() const;

 private:
  void check_offset_index() const;
  void check_time_index(bool finished) const;
  void require_offset_entries(const OffsetIndexView& index) const;
  void require_time_entries(const TimeIndexView& index, bool finished) const;
  void check_transaction_index() const;
  [[nodiscard]] Bytes index_bytes(const IndexFile& index) const;

  Machine& machine_;
  const Segment& segment_;
  std::vector<Placed> placed_;
};

void SegmentCheck::read_batches(std::vector<Batch>& batches) {
  const auto contents = machine_.disk.contents(segment_.log_path());
  if (!contents) differ("{} is not there", segment_.log_path());
  if (contents->size() != segment_.bytes()) {
    differ("{} has {} bytes and should have {}", segment_.log_path(), contents->size(),
           segment_.bytes());
  }
  Timestamp youngest = no_timestamp;
  protocol::BatchSplitter splitter(as_bytes(*contents));
  std::uint64_t position = 0;
  for (protocol::BatchView batch; splitter.next(batch);) {
    const auto& header = batch.header();
    if (!batch.crc_matches() || header.base_offset < segment_.base()) {
      differ("{} is damaged at {}", segment_.log_path(), position);
    }
    if (!batches.empty() && header.base_offset <= batches.back().last()) {
      differ("{} goes back to {} at {}", segment_.log_path(), header.base_offset, position);
    }
    youngest = std::max(youngest, header.max_timestamp);
    placed_.push_back({position, header, youngest});
    batches.push_back({Bytes(batch.bytes().begin(), batch.bytes().end()), {}, header});
    position += batch.bytes().size();
  }
  if (position != contents->size()) {
    differ("{} is damaged at {}", segment_.log_path(), position);
  }
}

Bytes SegmentCheck::index_bytes(const IndexFile& index) const {
  const std::size_t in_file = index.growing().first_in_memory() * index.growing().entry_bytes();
  Bytes all;
  if (in_file > 0) {
    const auto contents = machine_.disk.contents(segment_.path(index.kind()));
    if (!contents || contents->size() < in_file) {
      differ("{} lacks entries", segment_.path(index.kind()));
    }
    const ByteView first = as_bytes(*contents).first(in_file);
    all.assign(first.begin(), first.end());
  }
  all.insert(all.end(), index.last_part().begin(), index.last_part().end());
  return all;
}

void SegmentCheck::check_indexes(bool finished) const {
  check_offset_index();
  check_time_index(finished);
  check_transaction_index();
}

void SegmentCheck::check_offset_index() const {
  const Bytes bytes = index_bytes(segment_.offset_index());
  const OffsetIndexView index(bytes, segment_.base());
  std::size_t at = 0;
  for (std::size_t i = 0; i < index.entries(); ++i) {
    const OffsetPosition entry = index.entry(i);
    while (at < placed_.size() && placed_[at].position < entry.position) ++at;
    const bool right = at < placed_.size() && placed_[at].position == entry.position &&
                       placed_[at].header.last_offset() == entry.offset;
    if (!right) {
      differ("entry {} of {} is wrong: offset {} at {}", i,
             segment_.path(SegmentFileKind::offset_index), entry.offset, entry.position);
    }
  }
  require_offset_entries(index);
}

void SegmentCheck::require_offset_entries(const OffsetIndexView& index) const {
  const std::uint64_t interval = machine_.config.index_interval_bytes;
  std::uint64_t last = 0;
  std::size_t next = 0;
  for (const Placed& batch : placed_) {
    if (next < index.entries() && index.entry(next).position == batch.position) {
      last = batch.position;
      ++next;
    } else if (batch.position - last > interval) {
      differ("{} has no entry for the batch at position {}, {} bytes behind the last one of {}",
             segment_.path(SegmentFileKind::offset_index), batch.position, batch.position - last,
             index.entries());
    }
  }
}

void SegmentCheck::check_time_index(bool finished) const {
  const Bytes bytes = index_bytes(segment_.time_index());
  const TimeIndexView index(bytes, segment_.base());
  std::size_t at = 0;
  for (std::size_t i = 0; i < index.entries(); ++i) {
    const TimestampOffset entry = index.entry(i);
    while (at < placed_.size() && placed_[at].header.last_offset() < entry.offset) ++at;
    const bool right = at < placed_.size() && placed_[at].header.last_offset() == entry.offset &&
                       placed_[at].youngest_so_far == entry.timestamp;
    if (!right) {
      differ("entry {} of {} is wrong: time {} at offset {}", i,
             segment_.path(SegmentFileKind::time_index), entry.timestamp, entry.offset);
    }
  }
  require_time_entries(index, finished);
}

void SegmentCheck::require_time_entries(const TimeIndexView& index, bool finished) const {
  const Bytes bytes = index_bytes(segment_.offset_index());
  const OffsetIndexView offsets(bytes, segment_.base());
  const auto require = [&](const Placed& batch) {
    const std::size_t count = index.entries_up_to(batch.header.last_offset());
    const Timestamp known = count == 0 ? no_timestamp : index.entry(count - 1).timestamp;
    if (known == batch.youngest_so_far) return;
    differ("{} knows time {} up to offset {}, the segment has {}",
           segment_.path(SegmentFileKind::time_index), known, batch.header.last_offset(),
           batch.youngest_so_far);
  };
  std::size_t at = 0;
  for (std::size_t i = 0; i < offsets.entries(); ++i) {
    while (placed_[at].position < offsets.entry(i).position) ++at;
    require(placed_[at]);
  }
  // A segment that is not written to any more ends its index with its youngest record.
  if (finished && !placed_.empty()) require(placed_.back());
}

void SegmentCheck::check_transaction_index() const {
  const Bytes bytes = index_bytes(segment_.transaction_index());
  const TransactionIndexView index{ByteView(bytes)};
  for (std::size_t i = 0; i < index.entries(); ++i) {
    const AbortedTransaction entry = index.entry(i);
    const auto marker = std::find_if(placed_.begin(), placed_.end(), [&](const Placed& placed) {
      return placed.header.base_offset == entry.last_offset &&
             placed.header.attributes.is_control() && placed.header.producer.id == entry.producer;
    });
    if (marker == placed_.end()) {
      differ("entry {} of {} is wrong: there is no marker at {}", i,
             segment_.path(SegmentFileKind::transaction_index), entry.last_offset);
    }
  }
}

std::vector<AbortedTransaction> SegmentCheck::aborted() const {
  const Bytes bytes = index_bytes(segment_.transaction_index());
  const TransactionIndexView index{ByteView(bytes)};
  std::vector<AbortedTransaction> all;
  for (std::size_t i = 0; i < index.entries(); ++i) all.push_back(index.entry(i));
  return all;
}

}  // namespace

Found found_in(Machine& machine) {
  Found found{machine.log->start(), machine.log->end(), {}, {}};
  const auto segments = machine.log->segments();
  for (std::size_t i = 0; i < segments.size(); ++i) {
    SegmentCheck check(machine, *segments[i]);
    check.read_batches(found.batches);
    try {
      check.check_indexes(i + 1 < segments.size());
    } catch (const Difference&) {
      // What a start has not looked at is checked, and made again, when it is first used.
      const Segment& segment = *segments[i];
      if (segment.offset_index().checked() && segment.time_index().checked()) throw;
      const auto prepared = machine.wait(segments[i]->prepare());
      if (!prepared) differ("{}: {}", segment.log_path(), prepared.error().message);
      check.check_indexes(i + 1 < segments.size());
    }
    const std::vector<AbortedTransaction> aborted = check.aborted();
    found.aborted.insert(found.aborted.end(), aborted.begin(), aborted.end());
    if (i + 1 < segments.size() && !found.batches.empty() &&
        found.batches.back().last() >= segments[i + 1]->base()) {
      differ("{} reaches into the next segment", segments[i]->log_path());
    }
  }
  return found;
}

}  // namespace millrace::storage::crash
