module;
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "planted.hpp"

module millrace.storage.segment;

namespace millrace::storage {

using protocol::BatchHeader;

namespace {

// So many bytes behind its last entry an offset index should have another one, whatever the
// interval is, within reason.
constexpr std::uint64_t index_tail_bytes_max = 16 * std::uint64_t{index_interval_bytes_default};

// No limit from outside: what a time index says of offsets is then checked against the format only.
constexpr Offset any_end{std::numeric_limits<std::int64_t>::max()};

// Offset and time index as the batches say them.
struct MadeIndexes {
  MadeIndexes(Offset segment_base, std::uint32_t interval)
      : base(segment_base), interval_bytes(interval), largest{no_timestamp, segment_base} {}

  // From where it ended before, up to a position.
  [[nodiscard]] Task<StorageResult<void>> read_on(SegmentContext& context, FileHandle file,
                                                  const std::string& path, std::uint64_t to);
  [[nodiscard]] bool add(const ScannedBatch& scanned);

  Offset base;
  std::uint32_t interval_bytes;
  GrowingIndex offsets{offset_index_entry_bytes};
  GrowingIndex times{time_index_entry_bytes};
  TimestampOffset largest;
  std::uint64_t since_entry = 0;
  std::uint64_t end = 0;
};

bool MadeIndexes::add(const ScannedBatch& scanned) {
  const BatchHeader& header = scanned.batch.header();
  if (header.max_timestamp > largest.timestamp) {
    largest = {header.max_timestamp, header.last_offset()};
  }
  if (since_entry > interval_bytes) {
    const OffsetPosition entry{header.last_offset(), static_cast<std::uint32_t>(scanned.position)};
    if (!add_offset_entry(offsets, base, entry) || !add_time_entry(times, base, largest)) {
      return false;
    }
    since_entry = 0;
  }
  since_entry += header.size_bytes();
  return true;
}

Task<StorageResult<void>> MadeIndexes::read_on(SegmentContext& context, FileHandle file,
                                               const std::string& path, std::uint64_t to) {
  BatchScanner scanner(context.files, context.buffers, file, path, end, to, ScanDepth::headers);
  for (;;) {
    const auto more = co_await scanner.fill();
    if (!more) co_return failure(more.error());
    if (!*more) break;
    while (const auto scanned = scanner.next()) {
      if (add(*scanned)) continue;
      co_return storage_failure(StorageFault::corrupt, path + " has offsets too far from its base");
    }
    co_await yield(context.executor);
  }
  if (scanner.end() != ScanEnd::complete) {
    co_return failure(damage(path, scanner.position(), scanner.reason()));
  }
  end = to;
  co_return StorageResult<void>();
}

// The entries of a time index bear each other out, but for the first one, of which a crash may have
// left a part. Its batch does.
Task<StorageResult<bool>> begins_wrong(Segment& segment, ByteView times) {
  using Wrong = StorageResult<bool>;
  const TimeIndexView entries(times, segment.base());
  if (entries.entries() == 0) co_return Wrong(false);
  const TimestampOffset first = entries.entry(0);
  const auto place = co_await segment.find(first.offset, segment.bytes());
  // What is wrong with the log is told to who reads there.
  if (!place && place.error().fault == StorageFault::corrupt) co_return Wrong(false);
  if (!place) co_return failure(place.error());
  co_return Wrong(!*place || (*place)->header.max_timestamp != first.timestamp);
}

}  // namespace

// What lies in the file, as far as it alone tells.
Result<void> Segment::check_bytes(const IndexFile& index, ByteView bytes, Offset end) const {
  if (&index == &offsets_) return OffsetIndexView(bytes, base_).check_against(bytes_);
  if (&index == &times_) return TimeIndexView(bytes, base_).check_against(end);
  return TransactionIndexView(bytes).check_against(base_);
}

// The bytes of the file, if they can be right.
Task<StorageResult<Result<std::vector<std::byte>>>> Segment::check_found(IndexFile& index) {
  using Bytes = std::vector<std::byte>;
  using Sane = StorageResult<Result<Bytes>>;
  if (index.torn()) {
    co_return Sane(failure(ErrorKind::corrupt, "it ends inside an entry"));
  }
  if (index.missing() && &index == &transactions_) {
    co_return Sane(failure(ErrorKind::corrupt, "it is missing, and so is another index"));
  }
  // What was added since is in memory, and right.
  if (index.growing().first_in_memory() == 0) co_return Sane(Result<Bytes>());
  auto bytes = co_await index.read_all(context_, path(index.kind()));
  if (!bytes && bytes.error().fault != StorageFault::corrupt) co_return failure(bytes.error());
  if (!bytes) co_return Sane(failure(ErrorKind::corrupt, bytes.error().message));
  if (auto sane = check_bytes(index, *bytes, any_end); !sane) co_return Sane(failure(sane.error()));
  co_return Sane(Result<Bytes>(std::move(*bytes)));
}

// Whether entries are missing at the end: far behind the last one of the offset index are more
// batches, or one of the last batches is younger than all that the time index knows of.
Task<StorageResult<bool>> Segment::is_short(IndexFile& index, ByteView bytes) {
  using Short = StorageResult<bool>;
  const bool times = &index == &times_;
  if (bytes_ == 0 || index.growing().first_in_memory() != index.entries()) co_return Short(false);
  OffsetPosition last{base_, 0};
  Timestamp youngest = no_timestamp;
  if (times) {
    youngest = TimeIndexView(bytes, base_).last().timestamp;
    const auto floor = co_await floor_of_position(bytes_);
    if (!floor) co_return failure(floor.error());
    last = *floor;
  } else {
    const OffsetIndexView entries(bytes, base_);
    if (entries.entries() > 0) last = entries.entry(entries.entries() - 1);
  }
  const auto lease = co_await open_log();
  if (!lease) co_return failure(lease.error());
  BatchWalker walker(context_.files, context_.buffers, lease->handle(), log_path_, last.position,
                     bytes_);
  for (;;) {
    const auto place = co_await walker.next();
    // What is wrong with the log is told to who reads there.
    if (!place && place.error().fault == StorageFault::corrupt) co_return Short(false);
    if (!place) co_return failure(place.error());
    if (!*place) co_return Short(false);
    if (times && (*place)->header.max_timestamp > youngest) co_return Short(true);
    if (!times && (*place)->position - last.position > index_tail_bytes_max) co_return Short(true);
  }
}

// An index that cannot be that of the log is made again where that is possible from the segment
// alone.
Task<StorageResult<void>> Segment::check_index(IndexFile& index) {
  if (removed_) co_return storage_failure(StorageFault::not_found, log_path_ + " was removed");
  if (index.checked()) co_return StorageResult<void>();
  const auto looked_at = co_await check_found(index);
  if (!looked_at) co_return failure(looked_at.error());
  Result<void> sane;
  if (!*looked_at) sane = failure(looked_at->error());
  if (sane && &index != &transactions_) {
    const auto cut_short = co_await is_short(index, **looked_at);
    if (!cut_short) co_return failure(cut_short.error());
    if (*cut_short) sane = failure(ErrorKind::corrupt, "its last entries are missing");
  }
  if (sane && &index == &times_) {
    const auto wrong = co_await begins_wrong(*this, **looked_at);
    if (!wrong) co_return failure(wrong.error());
    if (*wrong) sane = failure(ErrorKind::corrupt, "its first entry is not what its batch says");
  }
  if (sane) {
    index.set_checked();
    co_return StorageResult<void>();
  }
  const std::string reason = sane.error().message;
  if (&index == &transactions_) {
    co_return storage_failure(StorageFault::corrupt, path(index.kind()) + ": " + reason);
  }
  context_.log.warning("{} is made again from the log: {}", path(index.kind()), reason);
  co_return co_await rebuild_indexes(index_interval_bytes_default);
}

Task<StorageResult<bool>> Segment::indexes_are_sane(Offset end) {
  using Sane = StorageResult<bool>;
  for (IndexFile* index : {&offsets_, &times_, &transactions_}) {
    if (index->torn()) co_return Sane(false);
    if (index->entries() == 0) continue;
    const auto bytes = co_await index->read_all(context_, path(index->kind()));
    if (!bytes && bytes.error().fault == StorageFault::corrupt) co_return Sane(false);
    if (!bytes) co_return failure(bytes.error());
    if (!check_bytes(*index, *bytes, end)) co_return Sane(false);
    if (index == &times_) {
      const auto wrong = co_await begins_wrong(*this, *bytes);
      if (!wrong) co_return failure(wrong.error());
      if (*wrong) co_return Sane(false);
    }
    index->set_checked();
  }
  co_return Sane(true);
}

Task<StorageResult<void>> Segment::rebuild_indexes(std::uint32_t index_interval_bytes) {
  const auto guard = co_await index_changes_.lock();
  // Another segment may have the names by now.
  if (removed_) co_return storage_failure(StorageFault::not_found, log_path_ + " was removed");
  // Another one that waited may have found them rebuilt.
  if (offsets_.checked() && times_.checked()) co_return StorageResult<void>();
  const auto lease = co_await open_log();
  if (!lease) co_return failure(lease.error());
  // What the files cannot be changed without comes first: one of them may be right, and stays as
  // long as it is not known that the log can be read.
  std::vector<OpenFiles::Lease> open;
  for (IndexFile* index : {&offsets_, &times_}) {
    if (!index->file_made()) continue;
    auto opened = co_await context_.open_files.acquire(path(index->kind()), OpenMode::create);
    if (!opened) co_return failure(opened.error());
    open.push_back(std::move(*opened));
  }
  MadeIndexes made(base_, index_interval_bytes);
  // Batches may be added meanwhile.
  while (made.end < bytes_) {
    auto read = co_await made.read_on(context_, lease->handle(), log_path_, bytes_);
    if (!read) co_return read;
  }
  if (!add_time_entry(made.times, base_, made.largest)) {
    co_return storage_failure(StorageFault::corrupt,
                              log_path_ + " has offsets too far from its base");
  }
  const TimestampOffset largest = made.largest;
  offsets_.growing() = std::move(made.offsets);
  times_.growing() = std::move(made.times);
  bytes_since_entry_ = made.since_entry;
  largest_ = largest;
  largest_known_ = true;
  offsets_.set_checked();
  times_.set_checked();
  for (IndexFile* index : {&offsets_, &times_}) {
    auto emptied = co_await index->keep(context_, path(index->kind()), index->entries());
    if (!emptied) co_return emptied;
  }
  for (IndexFile* index : {&offsets_, &times_}) {
    const auto saved = co_await index->save(context_, path(index->kind()));
    // Without space they stay in memory.
    if (!saved && saved.error().fault != StorageFault::no_space) co_return saved;
    index->growing().drop_saved();
  }
  co_return StorageResult<void>();
}

Task<StorageResult<void>> Segment::cut_indexes(Offset offset) {
  const auto guard = co_await index_changes_.lock();
  for (IndexFile* index : {&offsets_, &times_, &transactions_}) {
    const auto count = [&](ByteView bytes) {
      const Offset before = offset.plus(-1);
      if (index == &offsets_) return OffsetIndexView(bytes, base_).entries_up_to(before);
      if (index == &times_) return TimeIndexView(bytes, base_).entries_up_to(before);
      return TransactionIndexView(bytes).entries_below(offset);
    };
    std::size_t kept = count(index->last_part());
    if (kept > 0) {
      kept += index->growing().first_in_memory();
    } else {
      auto part = index->part(count);
      for (; !part; part = index->part(count)) {
        auto loaded = co_await index->load(context_, path(index->kind()));
        if (!loaded) co_return loaded;
      }
      kept = part->first + count(part->bytes);
    }
    // Without an entry of the offset index everything is looked at from the beginning, and nothing
    // of the time index is needed: it may be what a crash left of a longer one.
    if (index == &times_ && offsets_.entries() == 0) kept = 0;
    if (auto cut = co_await index->keep(context_, path(index->kind()), kept); !cut) co_return cut;
    if (auto last = co_await index->load_last(context_, path(index->kind())); !last) co_return last;
  }
  co_return StorageResult<void>();
}

Task<StorageResult<void>> Segment::forget_indexes() {
  const auto guard = co_await index_changes_.lock();
  for (IndexFile* index : {&offsets_, &times_, &transactions_}) {
    if (auto cut = co_await index->keep(context_, path(index->kind()), 0); !cut) co_return cut;
    index->set_checked();
  }
  co_return StorageResult<void>();
}

Task<StorageResult<void>> Segment::start_again_at(std::uint64_t position, Offset offset) {
  bytes_ = position;
  next_offset_ = offset;
  // The indexes have been cut: what a reader still finds out about batches that they had is lost.
  spans_owner_ = context_.index_cache.spans().new_owner();
  finished_ = false;
  prepared_ = false;
  largest_known_ = false;
  bytes_since_entry_ = 0;
  first_timestamp_ = no_timestamp;
  largest_ = {no_timestamp, base_};
  co_return co_await prepare();
}

Task<StorageResult<void>> Segment::set_aborted(
    const std::vector<AbortedTransaction>& transactions) {
  const auto guard = co_await index_changes_.lock();
  if (removed_) co_return storage_failure(StorageFault::not_found, log_path_ + " was removed");
  GrowingIndex entries(transaction_index_entry_bytes);
  for (const AbortedTransaction& transaction : transactions) {
    add_transaction_entry(entries, transaction);
  }
  co_return co_await transactions_.replace(context_, path(transactions_.kind()),
                                           std::move(entries));
}

Task<StorageResult<std::vector<OpenFiles::Lease>>> Segment::open_for_cut() {
  std::vector<OpenFiles::Lease> leases;
  for (IndexFile* index : {&offsets_, &times_, &transactions_}) {
    // Else a reader could find out meanwhile that they must be rebuilt.
    if (index != &transactions_) {
      if (auto checked = co_await check_index(*index); !checked) co_return failure(checked.error());
    }
    if (!index->file_made()) continue;
    auto lease = co_await context_.open_files.acquire(path(index->kind()), OpenMode::create);
    if (!lease) co_return failure(lease.error());
    leases.push_back(std::move(*lease));
  }
  auto lease = co_await open_log();
  if (!lease) co_return failure(lease.error());
  leases.push_back(std::move(*lease));
  co_return std::move(leases);
}

Task<StorageResult<void>> Segment::truncate(std::uint64_t position, Offset offset) {
  // Else a reader could find out meanwhile that they must be rebuilt.
  for (IndexFile* index : {&offsets_, &times_}) {
    if (auto checked = co_await check_index(*index); !checked) co_return checked;
  }
  if (auto cut = co_await cut_indexes(offset); !cut) co_return cut;
  {
    const auto lease = co_await open_log();
    if (!lease) co_return failure(lease.error());
    const auto cut = co_await context_.files.set_size(lease->handle(), position);
    if (!cut) co_return storage_failure(cut.error(), log_path_);
    // What was cut must not come back under what is written next.
    if (!planted(Planted::cut_not_synced)) {
      if (auto synced = co_await sync_file(lease->handle()); !synced) co_return synced;
    }
  }
  synced_bytes_ = position;
  has_rest_ = false;
  co_return co_await start_again_at(position, offset);
}

}  // namespace millrace::storage
