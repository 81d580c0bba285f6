module;
#include <algorithm>
#include <array>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

module millrace.storage.segment;

namespace millrace::storage {

using protocol::BatchView;
using protocol::RecordReader;
using protocol::RecordView;

namespace {

// What lies where an index entry points to. An entry that went bad must not lead past what is
// looked for. Older versions of Kafka gave what was written at once one entry, at its first batch
// and with the last offset of all: that is no contradiction.
[[nodiscard]] bool contradicts(const OffsetPosition& entry,
                               const StorageResult<std::optional<BatchPlace>>& place) {
  if (!place) return place.error().fault == StorageFault::corrupt;
  return !*place || (*place)->header.last_offset() > entry.offset;
}

}  // namespace

// Brings the entries that were asked for last, which are in the file only, into reach, checked.
Task<StorageResult<void>> Segment::load_index(IndexFile& index) {
  // Another segment may have the name by now.
  if (removed_) co_return storage_failure(StorageFault::not_found, log_path_ + " was removed");
  if (!index.checked()) co_return co_await check_index(index);
  auto loaded = co_await index.load(context_, path(index.kind()));
  // The file has become shorter since it was checked: it is looked at once more.
  if (!loaded && loaded.error().fault == StorageFault::corrupt) {
    index.set_unchecked();
    co_return co_await check_index(index);
  }
  co_return loaded;
}

std::optional<Segment::Around> Segment::around_now(Offset offset) {
  const OffsetIndexView last(offsets_.last_part(), base_);
  if (last.entries() > 0 && last.entry(0).offset <= offset) {
    const std::size_t count = last.entries_up_to(offset);
    Around around{last.entry(count - 1)};
    if (count < last.entries()) around.next = last.entry(count);
    return around;
  }
  const auto count_in = [&](ByteView bytes) {
    return OffsetIndexView(bytes, base_).entries_up_to(offset);
  };
  const auto part = offsets_.checked() ? offsets_.part(count_in) : std::nullopt;
  if (!part) return std::nullopt;
  const OffsetIndexView first(part->bytes, base_);
  const std::size_t count = first.entries_up_to(offset);
  Around around{count == 0 ? OffsetPosition{base_, 0} : first.entry(count - 1)};
  if (count < first.entries()) {
    around.next = first.entry(count);
  } else if (!part->next.empty()) {
    around.next = OffsetIndexView(part->next, base_).entry(0);
  } else if (last.entries() > 0) {
    around.next = last.entry(0);
  }
  return around;
}

std::optional<OffsetPosition> Segment::floor_of_position_now(std::uint64_t position) {
  const auto bounded = static_cast<std::uint32_t>(
      std::min<std::uint64_t>(position, std::numeric_limits<std::uint32_t>::max()));
  const OffsetIndexView last(offsets_.last_part(), base_);
  if (last.entries() > 0 && last.entry(0).position <= bounded) {
    return last.floor_of_position(bounded);
  }
  const auto count_in = [&](ByteView bytes) {
    return OffsetIndexView(bytes, base_).entries_below_position(std::uint64_t{bounded} + 1);
  };
  const auto part = offsets_.checked() ? offsets_.part(count_in) : std::nullopt;
  if (!part) return std::nullopt;
  return OffsetIndexView(part->bytes, base_).floor_of_position(bounded);
}

Task<StorageResult<OffsetPosition>> Segment::floor_of(Offset offset) {
  for (;;) {
    if (const auto around = around_now(offset)) co_return around->floor;
    if (const auto done = co_await load_index(offsets_); !done) co_return failure(done.error());
  }
}

Task<StorageResult<OffsetPosition>> Segment::floor_of_position(std::uint64_t position) {
  for (;;) {
    if (const auto floor = floor_of_position_now(position)) co_return *floor;
    if (const auto done = co_await load_index(offsets_); !done) co_return failure(done.error());
  }
}

Task<StorageResult<std::optional<BatchPlace>>> Segment::find(Offset offset,
                                                             std::uint64_t end_position) {
  using Found = StorageResult<std::optional<BatchPlace>>;
  if (end_position == 0) co_return Found(std::nullopt);
  auto around = around_now(offset);
  while (!around) {
    if (const auto done = co_await load_index(offsets_); !done) co_return failure(done.error());
    around = around_now(offset);
  }
  const std::uint32_t owner = spans_owner_;
  const std::uint64_t walked_to = std::max(end_position, bytes_);
  auto lease = open_log_now();
  if (!lease) {
    auto opened = co_await open_log();
    if (!opened) co_return failure(opened.error());
    lease = std::move(*opened);
  }
  // Mostly a batch that has an entry holds the offset.
  const auto likely = around->likely(offset);
  const auto first = likely ? first_offset(*likely) : std::nullopt;
  if (likely && first.value_or(offset) <= offset &&
      likely->position + record_batch_header_bytes <= end_position) {
    const std::uint64_t position = likely->position;
    std::array<std::byte, record_batch_header_bytes> bytes;
    const auto read = co_await context_.files.read(lease->handle(), position, bytes);
    if (!read) co_return storage_failure(read.error(), log_path_);
    const auto header = protocol::read_batch_header(ByteView(bytes).first(*read));
    if (header && header->last_offset_delta >= 0 && header->last_offset() == likely->offset &&
        position + header->size_bytes() <= end_position) {
      context_.index_cache.spans().add(span_key(owner, *likely), header->last_offset_delta);
      if (header->base_offset <= offset) co_return Found(BatchPlace{position, *header});
    }
  }
  OffsetPosition floor = around->floor;
  for (;;) {
    BatchWalker walker(context_.files, context_.buffers, lease->handle(), log_path_, floor.position,
                       walked_to);
    auto place = co_await walker.next();
    if (floor.position > 0 && contradicts(floor, place)) {
      tell_of(floor);
      const auto before = co_await floor_of(floor.offset.plus(-1));
      if (!before) co_return failure(before.error());
      floor = *before;
      continue;
    }
    while (place && *place && (*place)->end() < end_position &&
           (*place)->header.last_offset() < offset) {
      place = co_await walker.next();
    }
    const bool found = place && *place && (*place)->header.last_offset() >= offset;
    if (found && (*place)->position < end_position) co_return place;
    if (!place) co_return place;
    co_return Found(std::nullopt);
  }
}

void Segment::tell_of(const OffsetPosition& entry) {
  const auto around = around_now(entry.offset);
  // What was cut meanwhile is not there any more either.
  if (told_of_index_ || !around || around->floor != entry) return;
  told_of_index_ = true;
  context_.log.warning("{}: no batch that ends at offset {} begins at position {}, as it says",
                       path(SegmentFileKind::offset_index), entry.offset.value(), entry.position);
}

BatchSpans::Key Segment::span_key(std::uint32_t owner, const OffsetPosition& entry) const {
  return {owner, entry.position, static_cast<std::uint32_t>(entry.offset.since(base_))};
}

std::optional<Offset> Segment::first_offset(const OffsetPosition& entry) {
  const auto span = context_.index_cache.spans().find(span_key(spans_owner_, entry));
  if (!span) return std::nullopt;
  return entry.offset.plus(-std::int64_t{*span});
}

std::optional<BatchStart> Segment::find_now(Offset offset, std::uint64_t end_position) {
  const auto around = around_now(offset);
  const auto likely = around ? around->likely(offset) : std::nullopt;
  if (!likely || likely->position >= end_position) return std::nullopt;
  const auto first = first_offset(*likely);
  if (!first || *first > offset) return std::nullopt;
  return BatchStart{likely->position, *first};
}

Task<StorageResult<std::uint64_t>> Segment::well_before(Offset offset) {
  // The batch itself may have an entry. Of those before it, two tell whether the last one is right.
  constexpr int entries_back = 3;
  auto floor = co_await floor_of(offset);
  for (int i = 1; floor && floor->position > 0 && i < entries_back; ++i) {
    floor = co_await floor_of_position(floor->position - 1);
  }
  if (!floor) co_return failure(floor.error());
  co_return StorageResult<std::uint64_t>(floor->position);
}

Task<StorageResult<std::optional<Misplaced>>> Segment::misplaced(
    BatchOrder& order, std::uint64_t position, const protocol::BatchHeader& header) {
  auto found = order.add(position, header);
  if (!found && !order.behind_gap())
    co_return StorageResult<std::optional<Misplaced>>(std::nullopt);
  co_return co_await held_against_index(position, header, std::move(found));
}

// What the offset index has against the offsets of the batch at this position. Where it has no
// entry for it, or agrees, what is given is given back.
Task<StorageResult<std::optional<Misplaced>>> Segment::held_against_index(
    std::uint64_t position, const protocol::BatchHeader& header,
    std::optional<Misplaced> otherwise) {
  using Checked = StorageResult<std::optional<Misplaced>>;
  const auto floor = co_await floor_of_position(position);
  if (!floor) {
    if (floor.error().fault == StorageFault::offline) co_return failure(floor.error());
    co_return Checked(std::move(otherwise));
  }
  // The first batch has no entry.
  if (position == 0 || floor->position != position || floor->offset == header.last_offset()) {
    co_return Checked(std::move(otherwise));
  }
  if (header.last_offset() < floor->offset) {
    const auto of_several = co_await is_of_several(*floor);
    if (!of_several) co_return failure(of_several.error());
    if (*of_several) co_return Checked(std::move(otherwise));
  }
  co_return Checked(
      Misplaced{position, "its last offset is " + std::to_string(header.last_offset().value()) +
                              ", and in the index " + std::to_string(floor->offset.value())});
}

// Whether an entry is that of several batches, of which one ends where it says: contradicts() tells
// of them.
Task<StorageResult<bool>> Segment::is_of_several(OffsetPosition entry) {
  const auto lease = co_await open_log();
  if (!lease) co_return failure(lease.error());
  BatchWalker walker(context_.files, context_.buffers, lease->handle(), log_path_, entry.position,
                     bytes_);
  for (;;) {
    const auto place = co_await walker.next();
    if (!place && place.error().fault != StorageFault::corrupt) co_return failure(place.error());
    if (!place || !*place) co_return StorageResult<bool>(false);
    const Offset last = (*place)->header.last_offset();
    if (last >= entry.offset) co_return StorageResult<bool>(last == entry.offset);
  }
}

std::optional<BatchBoundary> Segment::boundary_by_index(std::uint64_t position,
                                                        std::uint64_t bytes_max,
                                                        std::uint64_t end_position) {
  if (bytes_max >= end_position - position) return BatchBoundary{end_position};
  const auto floor = floor_of_position_now(position + bytes_max);
  if (!floor || floor->position < position + bytes_max / 2) return std::nullopt;
  return BatchBoundary{floor->position};
}

std::optional<BatchBoundary> Segment::boundary_below(std::uint64_t position,
                                                     std::uint64_t bytes_max, Offset up_to) {
  if (bytes_max >= bytes_ - position) return std::nullopt;
  const auto floor = floor_of_position_now(position + bytes_max);
  if (!floor || floor->position < position + bytes_max / 2) return std::nullopt;
  // The batches before the one of the entry end below its last offset.
  if (floor->offset > up_to) return std::nullopt;
  return BatchBoundary{floor->position};
}

Task<StorageResult<BatchBoundary>> Segment::boundary(std::uint64_t position,
                                                     std::uint64_t bytes_max,
                                                     std::uint64_t end_position) {
  using Found = StorageResult<BatchBoundary>;
  if (bytes_max >= end_position - position) co_return Found(BatchBoundary{end_position});
  const std::uint64_t limit = position + bytes_max;
  const auto floor = co_await floor_of_position(limit);
  if (!floor) co_return failure(floor.error());
  BatchBoundary reached{std::max<std::uint64_t>(position, floor->position)};
  const auto lease = co_await open_log();
  if (!lease) co_return failure(lease.error());
  BatchWalker walker(context_.files, context_.buffers, lease->handle(), log_path_, reached.position,
                     end_position);
  for (;;) {
    const auto place = co_await walker.next();
    if (!place) co_return failure(place.error());
    if (!*place) co_return Found(reached);
    reached.next_offset = (*place)->header.base_offset;
    if ((*place)->end() > limit) co_return Found(reached);
    reached = {(*place)->end()};
  }
}

Task<StorageResult<TimestampOffset>> Segment::largest_timestamp() {
  if (largest_known_) co_return largest_;
  // Its last entry says it: the segment was finished when it was closed.
  if (times_.entries() == 0) {
    if (const auto done = co_await prepare(); !done) co_return failure(done.error());
    co_return largest_;
  }
  if (const auto done = co_await check_index(times_); !done) co_return failure(done.error());
  if (largest_known_) co_return largest_;
  if (const auto done = co_await times_.load_last(context_, path(times_.kind())); !done) {
    co_return failure(done.error());
  }
  // The writer may have been faster, and have appended since.
  if (largest_known_) co_return largest_;
  largest_ = TimeIndexView(times_.last_part(), base_).last();
  largest_known_ = true;
  co_return largest_;
}

Task<StorageResult<TimestampOffset>> Segment::largest_timestamp_from(Offset from) {
  TimestampOffset youngest{no_timestamp, from};
  const auto first = co_await find(from, bytes_);
  if (!first) co_return failure(first.error());
  if (!*first) co_return youngest;
  // Of the first batch only some records may count.
  const auto in_first = co_await youngest_record(**first, from);
  if (!in_first) co_return failure(in_first.error());
  youngest = *in_first;
  const auto lease = co_await open_log();
  if (!lease) co_return failure(lease.error());
  BatchWalker walker(context_.files, context_.buffers, lease->handle(), log_path_, (*first)->end(),
                     bytes_);
  for (;;) {
    const auto place = co_await walker.next();
    if (!place) co_return failure(place.error());
    if (!*place) co_return youngest;
    const auto& header = (*place)->header;
    if (header.max_timestamp > youngest.timestamp && header.record_count > 0) {
      youngest = {header.max_timestamp, header.last_offset()};
    }
  }
}

Task<StorageResult<std::optional<TimestampOffset>>> Segment::find_timestamp(Timestamp timestamp,
                                                                            Offset from,
                                                                            Offset to) {
  using Found = StorageResult<std::optional<TimestampOffset>>;
  const auto largest = co_await largest_timestamp();
  if (!largest) co_return failure(largest.error());
  if (largest->timestamp < timestamp) co_return Found(std::nullopt);
  Offset known_older = base_;
  for (;;) {
    const TimeIndexView last(times_.last_part(), base_);
    if (last.entries() > 0 && last.entry(0).timestamp <= timestamp) {
      known_older = last.floor_of(timestamp).offset;
      break;
    }
    const auto count_in = [&](ByteView bytes) {
      return TimeIndexView(bytes, base_).entries_up_to_time(timestamp);
    };
    const auto part = times_.checked() ? times_.part(count_in) : std::nullopt;
    if (part) {
      known_older = TimeIndexView(part->bytes, base_).floor_of(timestamp).offset;
      break;
    }
    if (const auto done = co_await load_index(times_); !done) co_return failure(done.error());
  }
  const auto first = co_await find(std::max(known_older, from), bytes_);
  if (!first) co_return failure(first.error());
  if (!*first) co_return Found(std::nullopt);
  const auto lease = co_await open_log();
  if (!lease) co_return failure(lease.error());
  BatchWalker walker(context_.files, context_.buffers, lease->handle(), log_path_,
                     (*first)->position, bytes_);
  for (;;) {
    const auto place = co_await walker.next();
    if (!place) co_return failure(place.error());
    if (!*place || (*place)->header.base_offset >= to) co_return Found(std::nullopt);
    if ((*place)->header.max_timestamp < timestamp || (*place)->header.last_offset() < from) {
      continue;
    }
    const auto record = co_await first_record_at(**place, timestamp, from);
    if (!record || *record) co_return record;
  }
}

// Passes the records of a batch to `use` until it says that it is enough.
template <class Use>
Task<StorageResult<void>> Segment::for_each_record(BatchPlace place, Use use) {
  const auto bytes = co_await read_batch(place);
  if (!bytes) co_return failure(bytes.error());
  const auto batch = BatchView::parse(bytes->bytes());
  if (!batch) {
    co_return storage_failure(StorageFault::corrupt,
                              log_path_ + ": " + protocol::sentence(batch.error()));
  }
  RecordReader reader(context_.decompressor);
  if (const auto opened = reader.open(*batch); !opened) {
    co_return storage_failure(StorageFault::corrupt,
                              log_path_ + ": " + protocol::sentence(opened.error()));
  }
  for (RecordView record; reader.next(record);) {
    if (use(record)) co_return StorageResult<void>();
  }
  if (const auto finished = reader.finish(); !finished) {
    co_return storage_failure(StorageFault::corrupt,
                              log_path_ + ": " + protocol::sentence(finished.error()));
  }
  co_return StorageResult<void>();
}

Task<StorageResult<std::optional<TimestampOffset>>> Segment::first_record_at(
    const BatchPlace& place, Timestamp timestamp, Offset from) {
  std::optional<TimestampOffset> found;
  const auto done = co_await for_each_record(place, [&](const RecordView& record) {
    if (record.timestamp < timestamp || record.offset < from) return false;
    found = TimestampOffset{record.timestamp, record.offset};
    return true;
  });
  if (!done) co_return failure(done.error());
  co_return StorageResult<std::optional<TimestampOffset>>(found);
}

Task<StorageResult<TimestampOffset>> Segment::youngest_record(const BatchPlace& place,
                                                              Offset from) {
  TimestampOffset youngest{no_timestamp, from};
  const auto done = co_await for_each_record(place, [&](const RecordView& record) {
    if (record.offset >= from && record.timestamp > youngest.timestamp) {
      youngest = {record.timestamp, record.offset};
    }
    return false;
  });
  if (!done) co_return failure(done.error());
  co_return StorageResult<TimestampOffset>(youngest);
}

Task<StorageResult<bool>> Segment::collect_aborted(Offset from, Offset to,
                                                   std::vector<AbortedTransaction>& found) {
  using Collected = StorageResult<bool>;
  if (transactions_.entries() == 0 && !transactions_.missing()) co_return Collected(false);
  for (std::size_t number = 0; !transactions_.checked() || number < transactions_.parts();) {
    const auto part = transactions_.checked() ? transactions_.part_at(number) : std::nullopt;
    if (part) {
      if (TransactionIndexView(part->bytes).collect(from, to, found)) co_return Collected(true);
      ++number;
      continue;
    }
    if (const auto done = co_await load_index(transactions_); !done) {
      co_return failure(done.error());
    }
  }
  co_return Collected(TransactionIndexView(transactions_.last_part()).collect(from, to, found));
}

Task<StorageResult<Buffer>> Segment::read_batch(const BatchPlace& place) {
  const auto lease = co_await open_log();
  if (!lease) co_return failure(lease.error());
  Buffer buffer = context_.buffers.acquire(place.header.size_bytes());
  const auto read = co_await context_.files.read(lease->handle(), place.position, buffer.bytes());
  if (!read) co_return storage_failure(read.error(), log_path_);
  if (*read != buffer.size()) {
    co_return storage_failure(
        StorageFault::corrupt,
        log_path_ + " ends inside the batch at position " + std::to_string(place.position));
  }
  co_return buffer;
}

Task<StorageResult<void>> Segment::check_batch(const BatchPlace& place) {
  const auto bytes = co_await read_batch(place);
  if (!bytes) co_return failure(bytes.error());
  const auto batch = BatchView::parse(bytes->bytes());
  if (batch && batch->crc_matches()) co_return StorageResult<void>();
  co_return failure(damage(*this, place.position, "the CRC of the batch is wrong"));
}

StorageError damage(std::string_view log_path, std::uint64_t position, std::string_view reason) {
  return {StorageFault::corrupt,
          std::string(log_path) + " is damaged at position " + std::to_string(position) + ": " +
              std::string(reason),
          std::nullopt};
}

StorageError damage(const Segment& segment, std::uint64_t position, std::string_view reason) {
  return damage(segment.log_path(), position, reason);
}

StorageError damage(const Segment& segment, const Misplaced& misplaced) {
  return damage(segment, misplaced.position, misplaced.reason);
}

}  // namespace millrace::storage
