#include "checks.hpp"

namespace millrace::storage::crash {

namespace {

// A batch in a log file, with what the time index may say of it.
struct Placed {
  std::uint64_t position = 0;
  protocol::BatchHeader header;
  Timestamp youngest_so_far;
};

class SegmentCheck {
 public:
  SegmentCheck(Machine& machine, const Segment& segment) : machine_(machine), segment_(segment) {}

  void read_batches(std::vector<Batch>& batches);
  void check_indexes(bool finished) const;

 private:
  void check_offset_index() const;
  void check_time_index(bool finished) const;
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
  // A segment that is not written to any more ends its index with its youngest record.
  if (!finished || placed_.empty() || index.entries() == 0) return;
  if (index.last().timestamp != placed_.back().youngest_so_far) {
    differ("{} ends with time {}, the segment has {}", segment_.path(SegmentFileKind::time_index),
           index.last().timestamp, placed_.back().youngest_so_far);
  }
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

}  // namespace

Found found_in(Machine& machine) {
  Found found{machine.log->start(), machine.log->end(), {}};
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
    if (i + 1 < segments.size() && !found.batches.empty() &&
        found.batches.back().last() >= segments[i + 1]->base()) {
      differ("{} reaches into the next segment", segments[i]->log_path());
    }
  }
  return found;
}

}  // namespace millrace::storage::crash
