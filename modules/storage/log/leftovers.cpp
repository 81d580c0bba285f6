module;
#include <algorithm>
#include <array>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

module millrace.storage.log;

import :loader;

namespace millrace::storage {

using protocol::BatchHeader;
using protocol::BatchView;

Task<StorageResult<void>> LogLoader::list() {
  const auto entries = co_await context().files.list(log_.directory_);
  if (!entries) co_return storage_failure(entries.error(), log_.directory_);
  names_.clear();
  for (const DirectoryEntry& entry : *entries) {
    if (entry.kind != EntryKind::file) continue;
    const auto parsed = parse_segment_file_name(entry.name);
    if (parsed && parsed->base_offset == Offset(std::numeric_limits<std::int64_t>::max())) {
      context().log.warning("{} is left alone: no record has such an offset",
                            path_in(log_.directory_, entry.name));
      continue;
    }
    names_.push_back(entry.name);
  }
  std::sort(names_.begin(), names_.end());
  co_return StorageResult<void>();
}

Task<StorageResult<void>> LogLoader::remove(const std::string& name) {
  changed_names_ = true;
  co_return co_await remove_file_if_there(context().files, path_in(log_.directory_, name));
}

// What was going on when the process ended, as the names of the files tell. A log file with the
// suffix `.swap` is complete, and so are its indexes: it takes its place. Without it, what was
// cleaned is thrown away.
Task<StorageResult<void>> LogLoader::remove_leftovers() {
  std::vector<Offset> swaps;
  for (const std::string& name : names_) {
    const auto parsed = parse_segment_file_name(name);
    if (parsed && parsed->stage == FileStage::swap && parsed->kind == SegmentFileKind::log) {
      swaps.push_back(parsed->base_offset);
    }
  }
  for (const std::string& name : std::vector<std::string>(names_)) {
    const auto parsed = parse_segment_file_name(name);
    const bool temporary = name.ends_with(temporary_suffix);
    if (!temporary && (!parsed || parsed->stage == FileStage::current)) continue;
    if (parsed && parsed->stage == FileStage::swap &&
        std::find(swaps.begin(), swaps.end(), parsed->base_offset) != swaps.end()) {
      continue;
    }
    if (auto removed = co_await remove(name); !removed) co_return removed;
  }
  for (const Offset base : swaps) {
    if (auto finished = co_await finish_swap(base); !finished) co_return finished;
  }
  if (!changed_names_) co_return StorageResult<void>();
  co_return co_await list();
}

bool LogLoader::has_file(const std::string& name) const {
  return std::binary_search(names_.begin(), names_.end(), name);
}

// The offset behind the last batch of a log file that takes the place of others, which are removed
// by it. No CRC covers it: where anything contradicts it nothing is removed.
Task<StorageResult<Offset>> LogLoader::end_of_swap(Offset base) {
  const std::string path =
      path_in(log_.directory_, segment_file_name(base, SegmentFileKind::log, FileStage::swap));
  const auto lease = co_await context().open_files.acquire(path);
  if (!lease) co_return failure(lease.error());
  const auto size = co_await context().files.file_size(lease->handle());
  if (!size) co_return storage_failure(size.error(), path);
  BatchWalker walker(context().files, context().buffers, lease->handle(), path, 0, *size);
  BatchOrder order(base);
  std::optional<BatchPlace> last;
  for (;;) {
    const auto place = co_await walker.next();
    if (!place) co_return failure(place.error());
    if (!*place) break;
    if (const auto misplaced = order.add((*place)->position, (*place)->header)) {
      co_return failure(damage(path, misplaced->position, misplaced->reason));
    }
    last = **place;
  }
  if (!last) co_return StorageResult<Offset>(base);
  Buffer bytes = context().buffers.acquire(last->header.size_bytes());
  const auto read = co_await context().files.read(lease->handle(), last->position, bytes.bytes());
  if (!read) co_return storage_failure(read.error(), path);
  const auto batch = BatchView::parse(ByteView(bytes.bytes()).first(*read));
  if (!batch || !batch->crc_matches()) {
    co_return failure(damage(path, last->position, "the CRC of the batch is wrong"));
  }
  if (auto agrees = co_await held_against_index(base, *last); !agrees) {
    co_return failure(agrees.error());
  }
  if (auto agrees = co_await held_against_replaced(base, *last); !agrees) {
    co_return failure(agrees.error());
  }
  co_return StorageResult<Offset>(last->header.last_offset().next());
}

// Our cleaner gives the last batch an entry.
Task<StorageResult<void>> LogLoader::held_against_index(Offset base, const BatchPlace& last) {
  const SegmentFileKind kind = SegmentFileKind::offset_index;
  std::string name = segment_file_name(base, kind, FileStage::swap);
  // The index has its name already if the old log file is gone.
  if (!has_file(name) && !has_file(segment_file_name(base, SegmentFileKind::log))) {
    name = segment_file_name(base, kind);
  }
  if (!has_file(name)) co_return StorageResult<void>();
  const std::string path = path_in(log_.directory_, name);
  std::array<std::byte, offset_index_entry_bytes> bytes;
  {
    const auto lease = co_await context().open_files.acquire(path);
    if (!lease) co_return failure(lease.error());
    const auto size = co_await context().files.file_size(lease->handle());
    if (!size) co_return storage_failure(size.error(), path);
    if (*size < bytes.size()) co_return StorageResult<void>();
    const std::uint64_t position = (*size / bytes.size() - 1) * bytes.size();
    const auto read = co_await context().files.read(lease->handle(), position, bytes);
    if (!read) co_return storage_failure(read.error(), path);
  }
  co_await context().open_files.forget(path);
  const OffsetPosition entry = OffsetIndexView(bytes, base).entry(0);
  const Offset last_offset = last.header.last_offset();
  if (entry.position != last.position || entry.offset == last_offset) {
    co_return StorageResult<void>();
  }
  const std::string log_name = segment_file_name(base, SegmentFileKind::log, FileStage::swap);
  co_return failure(damage(path_in(log_.directory_, log_name), last.position,
                           "its last offset is " + std::to_string(last_offset.value()) +
                               ", and in the index " + std::to_string(entry.offset.value())));
}

namespace {

// Cleaning leaves the range of a batch as it is, and bytes that it does not change.
[[nodiscard]] bool is_left_of(const BatchHeader& cleaned, const BatchHeader& original) {
  const bool same = cleaned.base_offset == original.base_offset &&
                    cleaned.last_offset_delta == original.last_offset_delta &&
                    cleaned.leader_epoch == original.leader_epoch &&
                    cleaned.producer == original.producer &&
                    cleaned.record_count <= original.record_count;
  const bool untouched =
      cleaned.record_count == original.record_count && cleaned.attributes == original.attributes;
  return same && (!untouched || cleaned.crc == original.crc);
}

}  // namespace

// Of the segments that would be removed, of which some may be gone, the last one must have had the
// batch; and the segment that was written to is not among them.
Task<StorageResult<void>> LogLoader::held_against_replaced(Offset base, const BatchPlace& last) {
  const Offset last_offset = last.header.last_offset();
  std::optional<Offset> replaced;
  bool others = false;
  for (const std::string& name : names_) {
    const auto parsed = parse_segment_file_name(name);
    if (!parsed || parsed->stage != FileStage::current || parsed->kind != SegmentFileKind::log) {
      continue;
    }
    if (parsed->base_offset > last_offset) others = true;
    const bool within = parsed->base_offset >= base && parsed->base_offset <= last_offset;
    if (within && (!replaced || *replaced < parsed->base_offset)) replaced = parsed->base_offset;
  }
  bool agrees = others;
  if (replaced && others) {
    const auto found = co_await may_be_left_of(*replaced, last.header);
    if (!found) co_return failure(found.error());
    agrees = *found;
  }
  if (agrees) co_return StorageResult<void>();
  const std::string name = segment_file_name(base, SegmentFileKind::log, FileStage::swap);
  co_return failure(damage(path_in(log_.directory_, name), last.position,
                           "no segment that it would take the place of had a batch that ends at " +
                               std::to_string(last_offset.value())));
}

Task<StorageResult<bool>> LogLoader::may_be_left_of(Offset base, const BatchHeader& cleaned) {
  using Answer = StorageResult<bool>;
  const std::string path = path_in(log_.directory_, segment_file_name(base, SegmentFileKind::log));
  Answer answer(true);
  {
    const auto lease = co_await context().open_files.acquire(path);
    if (!lease) co_return failure(lease.error());
    const auto size = co_await context().files.file_size(lease->handle());
    if (!size) co_return storage_failure(size.error(), path);
    BatchWalker walker(context().files, context().buffers, lease->handle(), path, 0, *size);
    for (;;) {
      const auto place = co_await walker.next();
      if (!place) co_return failure(place.error());
      // It ends before: what held the batch is gone.
      if (!*place) break;
      if ((*place)->header.last_offset() < cleaned.last_offset()) continue;
      answer = is_left_of(cleaned, (*place)->header);
      break;
    }
  }
  co_await context().open_files.forget(path);
  co_return answer;
}

Task<StorageResult<void>> LogLoader::finish_swap(Offset base) {
  const std::string log_name = segment_file_name(base, SegmentFileKind::log, FileStage::swap);
  const auto end = co_await end_of_swap(base);
  if (!end) co_return failure(end.error());
  co_await context().open_files.forget(path_in(log_.directory_, log_name));
  context().log.info("{}: the cleaned segment {} takes the place of what it was made from",
                     log_.directory_, base.value());
  // As long as the old log file is there, the indexes beside it are the old ones; without it they
  // are the new ones.
  const std::string old_log = segment_file_name(base, SegmentFileKind::log);
  const bool has_old_log = has_file(old_log);
  for (const std::string& name : names_) {
    const auto parsed = parse_segment_file_name(name);
    if (!parsed || parsed->stage != FileStage::current || name == old_log ||
        parsed->kind == SegmentFileKind::producer_snapshot || parsed->base_offset < base) {
      continue;
    }
    if (parsed->base_offset == base ? !has_old_log : parsed->base_offset >= *end) continue;
    if (auto removed = co_await remove(name); !removed) co_return removed;
  }
  if (has_old_log) {
    if (auto synced = co_await log_.sync_names(); !synced) co_return synced;
    if (auto removed = co_await remove(old_log); !removed) co_return removed;
    if (auto synced = co_await log_.sync_names(); !synced) co_return synced;
  }
  // The log file at last: as long as it has the suffix this is done again.
  for (const SegmentFileKind kind : {SegmentFileKind::offset_index, SegmentFileKind::time_index,
                                     SegmentFileKind::transaction_index, SegmentFileKind::log}) {
    if (kind == SegmentFileKind::log) {
      const auto synced = co_await context().files.sync_directory(log_.directory_);
      if (!synced) co_return storage_failure(synced.error(), log_.directory_);
    }
    const std::string from =
        path_in(log_.directory_, segment_file_name(base, kind, FileStage::swap));
    const std::string to = path_in(log_.directory_, segment_file_name(base, kind));
    const auto renamed = co_await context().files.rename(from, to);
    if (!renamed && renamed.error().fault != IoFault::not_found) {
      co_return storage_failure(renamed.error(), from);
    }
  }
  changed_names_ = true;
  co_return StorageResult<void>();
}

// Where the other indexes of a segment are missing, its transaction index may be missing too. They
// are made again when they are used, and then nothing would tell any more.
Task<StorageResult<void>> LogLoader::look_for_aborted() {
  const std::vector<std::shared_ptr<Segment>> segments(log_.segments_.begin(),
                                                       log_.segments_.end());
  for (const auto& segment : segments) {
    if (!segment->transaction_index().missing()) continue;
    context().log.warning("{}: indexes are missing; its aborted transactions are looked for",
                          segment->log_path());
    const auto rebuilt = co_await log_.rebuild_transactions(segment);
    // Who asks for them is told of the damage.
    if (!rebuilt && rebuilt.error().fault == StorageFault::corrupt) continue;
    if (!rebuilt) co_return rebuilt;
    changed_names_ = true;
  }
  co_return StorageResult<void>();
}

}  // namespace millrace::storage
