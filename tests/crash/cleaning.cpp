#include "cleaning.hpp"

namespace millrace::storage::crash {

namespace {

struct Content {
  std::int32_t offset_delta = 0;
  Timestamp timestamp;
  std::optional<Bytes> key;
  std::optional<Bytes> value;

  friend bool operator==(const Content&, const Content&) = default;
};

[[nodiscard]] std::optional<Bytes> bytes_of(ByteView view) {
  if (protocol::is_null(view)) return std::nullopt;
  return Bytes(view.begin(), view.end());
}

[[nodiscard]] std::vector<Content> contents_of(const Batch& batch) {
  const protocol::BatchView view = batch.view();
  protocol::Decompressor decompressor;
  protocol::RecordReader reader(decompressor);
  std::vector<Content> contents;
  bool right = reader.open(view).has_value();
  for (protocol::RecordView record; right && reader.next(record);) {
    contents.push_back(
        {record.offset_delta, record.timestamp, bytes_of(record.key), bytes_of(record.value)});
  }
  right = right && reader.finish().has_value();
  if (!right) differ("the records of the batch at {} cannot be read", batch.base());
  return contents;
}

// All but the records and what is said of them.
[[nodiscard]] bool same_header(const protocol::BatchHeader& a, const protocol::BatchHeader& b) {
  return a.base_offset == b.base_offset && a.last_offset_delta == b.last_offset_delta &&
         a.leader_epoch == b.leader_epoch && a.producer == b.producer &&
         a.attributes.is_transactional() == b.attributes.is_transactional() &&
         a.attributes.is_control() == b.attributes.is_control();
}

[[nodiscard]] const RecordPlace* find_record(const Batch& batch, std::int32_t offset_delta) {
  for (const RecordPlace& record : batch.records) {
    if (record.offset_delta == offset_delta) return &record;
  }
  return nullptr;
}

}  // namespace

void Cleaning::add(const Batch& batch, bool aborted, bool last) {
  const ProducerId producer = batch.header.producer.id;
  const auto segment =
      std::lower_bound(bounds_.segments.begin(), bounds_.segments.end(), batch.base().next());
  check(segment != bounds_.segments.begin(), "the batch is in a file");
  if (before_ && *before_ < *std::prev(segment)) at_segment_ends_.insert(*before_);
  before_ = batch.base();
  if (last || batch.last().next() == bounds_.to) needed_.insert(batch.base());
  if (batch.header.attributes.is_control()) {
    if (with_records_.erase(producer) == 0) spent_.insert(batch.base());
    return;
  }
  if (batch.header.attributes.is_transactional()) with_records_.insert(producer);
  if (aborted) {
    aborted_.insert(batch.base());
    return;
  }
  for (const RecordPlace& record : batch.records) {
    const Offset offset = batch.base().plus(record.offset_delta);
    const bool noted = offset >= bounds_.from && offset < bounds_.to;
    if (noted && record.key >= 0) last_of_key_[record.key] = offset;
  }
}

Fate Cleaning::fate_by_time(const Batch& batch, Timestamp now) const {
  if (!batch.header.attributes.has_delete_horizon()) return Fate::stays;
  const Timestamp horizon = batch.header.base_timestamp;
  if (horizon <= bounds_.begun) return Fate::goes;
  return horizon <= now ? Fate::either : Fate::stays;
}

Fate Cleaning::fate_of(const Batch& batch, const RecordPlace& record, Timestamp now) const {
  if (batch.header.attributes.is_control()) {
    return spent_.contains(batch.base()) ? fate_by_time(batch, now) : Fate::stays;
  }
  if (aborted_.contains(batch.base()) || record.key < 0) return Fate::goes;
  const auto last = last_of_key_.find(record.key);
  const Offset offset = batch.base().plus(record.offset_delta);
  if (last != last_of_key_.end() && offset < last->second) return Fate::goes;
  return record.tombstone ? fate_by_time(batch, now) : Fate::stays;
}

Fate Cleaning::fate_of(const Batch& batch, Timestamp now) const {
  if (batch.last() >= bounds_.to) return Fate::stays;
  if (below_start(batch)) return Fate::either;
  if (needed_.contains(batch.base())) return Fate::stays;
  Fate fate = Fate::goes;
  for (const RecordPlace& record : batch.records) {
    const Fate of_record = fate_of(batch, record, now);
    if (of_record == Fate::stays) return Fate::stays;
    if (of_record == Fate::either) fate = Fate::either;
  }
  return fate;
}

// The time from which on tombstones and markers may go is set once, by the cleaning that first
// meets them.
bool Cleaning::horizon_is_right(const Batch& batch, const Batch& found, Timestamp now) const {
  const bool has = found.header.attributes.has_delete_horizon();
  const Timestamp horizon = found.header.base_timestamp;
  if (batch.header.attributes.has_delete_horizon()) {
    return has && horizon == batch.header.base_timestamp;
  }
  bool wanted = batch.header.attributes.is_control() && spent_.contains(batch.base());
  for (const Content& content : contents_of(found)) {
    const RecordPlace* record = find_record(batch, content.offset_delta);
    if (record != nullptr && record->tombstone) wanted = true;
  }
  if (!wanted) return !has;
  return has && horizon >= bounds_.begun.plus(bounds_.tombstones_kept_ms) &&
         horizon <= now.plus(bounds_.tombstones_kept_ms);
}

bool Cleaning::leaves(const Batch& batch, const Batch& found, Timestamp now) const {
  if (batch.last() >= bounds_.to) return batch.bytes == found.bytes;
  if (below_start(batch)) return same_header(batch.header, found.header);
  if (!same_header(batch.header, found.header)) return false;
  const std::vector<Content> before = contents_of(batch);
  const std::vector<Content> after = contents_of(found);
  std::size_t next = 0;
  for (std::size_t i = 0; i < before.size(); ++i) {
    const bool there = next < after.size() && after[next] == before[i];
    if (there) ++next;
    const Fate fate = fate_of(batch, batch.records[i], now);
    if (fate == (there ? Fate::goes : Fate::stays)) return false;
  }
  if (next != after.size()) return false;
  if (after.empty()) {
    return (needed_.contains(batch.base()) || at_segment_ends_.contains(batch.base())) &&
           found.header.max_timestamp == batch.header.max_timestamp;
  }
  Timestamp youngest = no_timestamp;
  for (const Content& content : after) youngest = std::max(youngest, content.timestamp);
  return found.header.max_timestamp == youngest && horizon_is_right(batch, found, now);
}

BatchPtr left_of(const Batch& batch, const Batch& found) {
  auto left = std::make_shared<Batch>(found);
  left->records.clear();
  for (const Content& content : contents_of(found)) {
    if (const RecordPlace* record = find_record(batch, content.offset_delta)) {
      left->records.push_back(*record);
    }
  }
  return left;
}

}  // namespace millrace::storage::crash
