module;
#include <algorithm>
#include <array>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "planted.hpp"

module millrace.storage.segment;

namespace millrace::storage {

using protocol::BatchHeader;

namespace {

// The numbers that a segment's indexes can hold.
constexpr std::int64_t offset_span_max = std::numeric_limits<std::int32_t>::max();
constexpr std::uint64_t position_max = std::numeric_limits<std::int32_t>::max();

}  // namespace

Segment::Segment(SegmentContext& context, const std::string& directory, Offset base, Timestamp now)
    : context_(context),
      directory_(directory),
      log_path_(path_in(directory, segment_file_name(base, SegmentFileKind::log))),
      base_(base),
      opened_at_(now),
      largest_{no_timestamp, base},
      next_offset_(base),
      spans_owner_(context.index_cache.spans().new_owner()),
      prepared_(true),
      largest_known_(true) {}

Segment::Segment(SegmentContext& context, const std::string& directory, Offset base, Timestamp now,
                 const SegmentSizes& sizes)
    : Segment(context, directory, base, now) {
  bytes_ = sizes.log;
  synced_bytes_ = sizes.log;
  prepared_ = sizes.log == 0;
  largest_known_ = sizes.log == 0;
  if (sizes.offset_index) offsets_.found(*sizes.offset_index);
  if (sizes.time_index) times_.found(*sizes.time_index);
  if (!sizes.offset_index && sizes.log > 0) offsets_.missed();
  if (!sizes.time_index && sizes.log > 0) times_.missed();
  if (sizes.transaction_index) transactions_.found(*sizes.transaction_index);
  // Most segments have none. Where others were lost, it may have been lost too.
  const bool others_missing = offsets_.missing() || times_.missing();
  if (!sizes.transaction_index && others_missing) transactions_.missed();
}

std::string Segment::path(SegmentFileKind kind, FileStage stage) const {
  return path_in(directory_, segment_file_name(base_, kind, stage));
}

std::optional<OpenFiles::Lease> Segment::open_log_now() {
  if (removed_) return std::nullopt;
  return context_.open_files.acquire_open(log_path_);
}

Task<StorageResult<OpenFiles::Lease>> Segment::open_log() {
  if (auto lease = open_log_now()) co_return std::move(*lease);
  // Another segment may have the name by now.
  if (removed_) co_return storage_failure(StorageFault::not_found, log_path_ + " was removed");
  co_return co_await context_.open_files.acquire(log_path_);
}

Task<StorageResult<void>> Segment::create() {
  const auto lease = co_await context_.open_files.acquire(log_path_, OpenMode::create);
  if (!lease) co_return failure(lease.error());
  // What an attempt that failed may have left.
  const auto emptied = co_await context_.files.set_size(lease->handle(), 0);
  if (emptied) co_return StorageResult<void>();
  const StorageError error = storage_error(emptied.error(), log_path_);
  if (error.fault == StorageFault::offline) co_return failure(error);
  // A start would take it for the last segment, whatever is appended to the one before.
  co_await context_.open_files.forget(log_path_);
  const auto removed = co_await remove_file_if_there(context_.files, log_path_);
  if (!removed) co_return storage_failure(StorageFault::offline, removed.error().message);
  co_return failure(error);
}

Task<StorageResult<void>> Segment::prepare() {
  const auto guard = co_await preparing_.lock();
  if (prepared_) co_return StorageResult<void>();
  for (IndexFile* index : {&offsets_, &times_}) {
    if (const auto done = co_await check_index(*index); !done) co_return failure(done.error());
    if (auto done = co_await index->load_last(context_, path(index->kind())); !done) co_return done;
  }
  const auto lease = co_await open_log();
  if (!lease) co_return failure(lease.error());
  BatchWalker first(context_.files, context_.buffers, lease->handle(), log_path_, 0, bytes_);
  const auto first_batch = co_await first.next();
  if (!first_batch) co_return failure(first_batch.error());
  if (*first_batch) first_timestamp_ = (*first_batch)->header.max_timestamp;
  largest_ = TimeIndexView(times_.last_part(), base_).last();
  const OffsetIndexView entries(offsets_.last_part(), base_);
  const std::uint64_t from =
      entries.entries() == 0 ? 0 : entries.entry(entries.entries() - 1).position;
  BatchWalker walker(context_.files, context_.buffers, lease->handle(), log_path_, from, bytes_);
  for (;;) {
    const auto place = co_await walker.next();
    if (!place) co_return failure(place.error());
    if (!*place) break;
    const BatchHeader& header = (*place)->header;
    // An index could not hold it.
    const Offset last = header.last_offset();
    if (last < base_ || last.since(base_) > offset_span_max) {
      co_return storage_failure(StorageFault::corrupt,
                                log_path_ + ": a batch at position " +
                                    std::to_string((*place)->position) + " with offset " +
                                    std::to_string(last.value()) + ", too far from its base");
    }
    note_timestamp(header);
    next_offset_ = std::max(next_offset_, last.next());
  }
  bytes_since_entry_ = bytes_ - from;
  largest_known_ = true;
  finished_ = false;
  prepared_ = true;
  co_return StorageResult<void>();
}

Task<StorageResult<void>> Segment::write(std::span<const ByteView> pieces) {
  auto lease = open_log_now();
  if (!lease) {
    auto opened = co_await open_log();
    if (!opened) co_return failure(opened.error());
    lease = std::move(*opened);
  }
  if (has_rest_) {
    if (auto cut = co_await cut_back(); !cut) co_return cut;
  }
  const auto written = co_await context_.files.write(lease->handle(), bytes_, pieces);
  if (written) co_return StorageResult<void>();
  const StorageError error = storage_error(written.error(), log_path_);
  if (error.fault == StorageFault::offline) co_return failure(error);
  if (planted(Planted::part_of_write_kept)) co_return failure(error);
  // A part may be in the file. It goes now, or before anything else is written there.
  has_rest_ = true;
  const auto cut = co_await cut_back();
  if (!cut && !is_shortage(cut.error().fault)) {
    co_return storage_failure(StorageFault::offline, cut.error().message);
  }
  co_return failure(error);
}

void Segment::note_timestamp(const BatchHeader& header) {
  if (bytes_ == 0) first_timestamp_ = header.max_timestamp;
  if (header.max_timestamp > largest_.timestamp) {
    largest_ = {header.max_timestamp, header.last_offset()};
  }
}

void Segment::added(const BatchHeader& header, std::uint32_t index_interval_bytes) {
  note_timestamp(header);
  if (bytes_since_entry_ > index_interval_bytes) {
    const OffsetPosition entry{header.last_offset(), static_cast<std::uint32_t>(bytes_)};
    const bool fits = add_offset_entry(offsets_.growing(), base_, entry) &&
                      (planted(Planted::time_index_left_empty) ||
                       add_time_entry(times_.growing(), base_, largest_));
    check(fits, "a batch was asked for by can_hold() before it is added");
    context_.index_cache.spans().add(span_key(spans_owner_, entry), header.last_offset_delta);
    bytes_since_entry_ = 0;
  }
  bytes_ += header.size_bytes();
  bytes_since_entry_ += header.size_bytes();
  next_offset_ = header.last_offset().next();
}

void Segment::add_aborted(const AbortedTransaction& transaction) {
  add_transaction_entry(transactions_.growing(), transaction);
}

Task<StorageResult<void>> Segment::cut_back() {
  const auto lease = co_await open_log();
  if (!lease) co_return failure(lease.error());
  const auto cut = co_await context_.files.set_size(lease->handle(), bytes_);
  if (!cut) co_return storage_failure(cut.error(), log_path_);
  // What was cut must not come back under what is written next.
  if (auto synced = co_await sync_file(lease->handle()); !synced) co_return synced;
  synced_bytes_ = bytes_;
  has_rest_ = false;
  co_return StorageResult<void>();
}

bool Segment::can_hold(const BatchHeader& batch, std::size_t bytes_before,
                       const SegmentLimits& limits) const {
  const std::uint64_t size = bytes_ + bytes_before + batch.size_bytes();
  if (batch.base_offset < base_ || size > position_max ||
      batch.last_offset().since(base_) > offset_span_max) {
    return false;
  }
  if (bytes_ + bytes_before == 0) return true;
  // At the most, of the batches before.
  const std::uint64_t new_entries =
      bytes_before == 0
          ? 0
          : (bytes_since_entry_ + bytes_before) / (std::uint64_t{limits.index_interval_bytes} + 1);
  return size <= limits.segment_bytes &&
         (offsets_.entries() + new_entries + 1) * offset_index_entry_bytes <= limits.index_bytes &&
         // The last entry of the time index comes when the segment is finished.
         (times_.entries() + new_entries + 2) * time_index_entry_bytes <= limits.index_bytes;
}

bool Segment::should_save_indexes() const {
  return offsets_.growing().unsaved().size() + times_.growing().unsaved().size() +
             transactions_.growing().unsaved().size() >
         unsaved_index_bytes_max;
}

Task<StorageResult<void>> Segment::save_indexes() {
  const auto guard = co_await index_changes_.lock();
  for (IndexFile* index : {&offsets_, &times_, &transactions_}) {
    // Most segments have no transactions, and then no such file.
    if (index == &transactions_ && index->entries() == 0) continue;
    if (auto done = co_await index->save(context_, path(index->kind())); !done) co_return done;
    if (finished_ && index->growing().unsaved().empty()) {
      index->growing().drop_all();
    } else {
      index->growing().drop_saved();
    }
  }
  co_return StorageResult<void>();
}

void Segment::finish() {
  if (finished_ || !prepared_) return;
  const bool fits =
      planted(Planted::time_index_left_empty) || add_time_entry(times_.growing(), base_, largest_);
  check(fits, "the last entry of a time index has its place kept");
  finished_ = true;
}

Task<StorageResult<void>> Segment::sync_log() {
  if (!log_dirty()) co_return StorageResult<void>();
  const auto lease = co_await open_log();
  if (!lease) co_return failure(lease.error());
  const std::uint64_t written = bytes_;
  if (auto synced = co_await sync_file(lease->handle()); !synced) co_return synced;
  synced_bytes_ = std::max(synced_bytes_, std::min(written, bytes_));
  co_return StorageResult<void>();
}

// A sync that fails says so once: of two at the same time the other one would seem to have saved
// what the system has given up.
Task<StorageResult<void>> Segment::sync_file(FileHandle file) {
  const auto guard = co_await syncing_.lock();
  if (sync_failed_) {
    co_return storage_failure(StorageFault::offline, log_path_ + " could not be synced before");
  }
  auto synced = co_await context_.files.sync_data(file);
  if (!synced && planted(Planted::sync_tried_again)) {
    synced = co_await context_.files.sync_data(file);
  }
  if (synced) co_return StorageResult<void>();
  sync_failed_ = true;
  co_return storage_failure(StorageFault::offline, describe(synced.error(), log_path_));
}

Task<StorageResult<void>> Segment::sync_indexes() {
  if (auto saved = co_await save_indexes(); !saved) co_return saved;
  if (planted(Planted::indexes_not_synced)) co_return StorageResult<void>();
  const auto guard = co_await index_changes_.lock();
  for (IndexFile* index : {&offsets_, &times_, &transactions_}) {
    if (auto synced = co_await index->sync(context_, path(index->kind())); !synced)
      co_return synced;
  }
  co_return StorageResult<void>();
}

Task<StorageResult<void>> Segment::rename_to_deleted() {
  if (auto renamed = co_await rename_indexes_to_deleted(); !renamed) co_return renamed;
  co_return co_await rename_log_to_deleted();
}

Task<StorageResult<void>> Segment::rename_indexes_to_deleted() {
  removed_ = true;
  for (const SegmentFileKind kind : {SegmentFileKind::offset_index, SegmentFileKind::time_index,
                                     SegmentFileKind::transaction_index}) {
    if (auto renamed = co_await rename_to_deleted(kind); !renamed) co_return renamed;
  }
  co_return StorageResult<void>();
}

Task<StorageResult<void>> Segment::rename_log_to_deleted() {
  removed_ = true;
  co_return co_await rename_to_deleted(SegmentFileKind::log);
}

Task<StorageResult<void>> Segment::rename_to_deleted(SegmentFileKind kind) {
  // Who makes an index again ends first: it has the name of the file.
  const auto guard = co_await index_changes_.lock();
  const std::string from = path(kind);
  auto renamed = co_await context_.files.rename(from, path(kind, FileStage::deleted));
  // A full disk may have no place for another name; removing takes none. In the middle of a segment
  // it also makes up for other things that are short.
  const bool begun = kind != SegmentFileKind::offset_index;
  if (!renamed && (renamed.error().fault == IoFault::no_space ||
                   (begun && renamed.error().fault == IoFault::too_many_open))) {
    renamed = co_await context_.files.remove(from);
  }
  // Not before: a reader might open it again meanwhile, and another file gets the name.
  co_await context_.open_files.forget(from);
  if (!renamed && renamed.error().fault != IoFault::not_found) {
    if (!begun && renamed.error().fault == IoFault::too_many_open) {
      removed_ = false;
      co_return storage_failure(renamed.error(), from);
    }
    // Half a segment is none: only a start can put the names in order.
    co_return storage_failure(StorageFault::offline, describe(renamed.error(), from));
  }
  co_return StorageResult<void>();
}

Task<void> Segment::leave() {
  removed_ = true;
  {
    const auto guard = co_await index_changes_.lock();
  }
  co_await forget_files();
}

Task<void> Segment::forget_files() {
  for (const SegmentFileKind kind :
       {SegmentFileKind::log, SegmentFileKind::offset_index, SegmentFileKind::time_index,
        SegmentFileKind::transaction_index}) {
    co_await context_.open_files.forget(path(kind));
  }
}

Task<StorageResult<void>> Segment::remove_deleted() {
  for (const SegmentFileKind kind :
       {SegmentFileKind::log, SegmentFileKind::offset_index, SegmentFileKind::time_index,
        SegmentFileKind::transaction_index}) {
    const auto removed =
        co_await remove_file_if_there(context_.files, path(kind, FileStage::deleted));
    if (!removed) co_return failure(removed.error());
  }
  co_return StorageResult<void>();
}

}  // namespace millrace::storage
