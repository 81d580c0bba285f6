module;
#include <algorithm>
#include <array>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "planted.hpp"

module millrace.raft.store;

import millrace.base;
import millrace.raft;
import millrace.runtime;
import millrace.storage.files;

namespace millrace::raft {

using storage::path_in;
using storage::storage_failure;
using storage::StorageError;
using storage::StorageFault;
using storage::StorageResult;

DurableLog::DurableLog(FileSystem& files, std::string directory, StoreOptions options)
    : files_(files),
      directory_(std::move(directory)),
      options_(options),
      incoming_(files, directory_, "received.raftsnapshot.tmp"),
      outgoing_(files, directory_, "saved.raftsnapshot.tmp"),
      reserve_(files, directory_, options.reserve_bytes) {}

std::string DurableLog::path_of(SegmentNumber number) const {
  return path_in(directory_, segment_name(number));
}

// A full disk is tried once more with the space of the reserve.
template <class Attempt>
Task<StorageResult<void>> DurableLog::attempt(Attempt attempt) {
  if (offline_) co_return failure(*offline_);
  StorageResult<void> done = co_await attempt();
  if (!done && done.error().fault == StorageFault::no_space) {
    const auto freed = co_await reserve_.release();
    if (!freed) {
      done = failure(freed.error());
    } else if (*freed) {
      done = co_await attempt();
    }
  }
  if (!done && done.error().fault == StorageFault::offline) offline_ = done.error();
  co_return done;
}

Task<StorageResult<Persisted>> DurableLog::persist(const Write& write) {
  const auto guard = co_await mutex_.lock();
  const auto done = co_await attempt([&] { return write_all(write); });
  if (!done) co_return failure(done.error());
  co_return Persisted{write.number};
}

Task<StorageResult<void>> DurableLog::write_all(const Write& write) {
  if (write.install) co_return co_await install(write);
  const std::optional<LogPosition> no_reset;
  co_return co_await append(write.hard_state, no_reset, write.entries);
}

// The snapshot is durable on its own, so the term before it is made durable alone.
Task<StorageResult<void>> DurableLog::install(const Write& write) {
  if (write.hard_state) {
    const std::vector<Entry> none;
    auto stated = co_await append(write.hard_state, std::nullopt, none);
    if (!stated) co_return stated;
  }
  auto finished = co_await finish(incoming_, *write.install);
  if (!finished) co_return finished;
  const std::optional<LogPosition> reset = write.install->last;
  co_return co_await append(std::nullopt, reset, write.entries);
}

Task<StorageResult<void>> DurableLog::append(const std::optional<HardState>& state,
                                             const std::optional<LogPosition>& reset,
                                             const std::vector<Entry>& entries) {
  std::size_t size = 2 * record_header_bytes;
  for (const Entry& entry : entries) size += record_header_bytes + entry.data.size();
  check(size <= write_bytes_max, "a write has a limit");
  if (segments_.back().size >= options_.segment_bytes) {
    auto rolled = co_await make_segment(segments_.back().number.next());
    if (!rolled) co_return rolled;
  }
  SegmentInfo& segment = segments_.back();
  std::vector<std::byte> bytes;
  bytes.reserve(size);
  LogIndex highest = segment.highest;
  const auto add = [&](RecordHeader header, ByteView data) {
    header.write_from = segment.size;
    highest = std::max(highest, header.index);
    append_record(bytes, segment.number, segment.size + bytes.size(), header, data);
  };
  if (state) {
    add({.kind = RecordKind::hard_state, .term = state->term, .vote = state->vote}, {});
  }
  if (reset) add({.kind = RecordKind::reset, .term = reset->term, .index = reset->index}, {});
  for (const Entry& entry : entries) {
    add({.kind = RecordKind::entry,
         .entry_kind = entry.kind,
         .term = entry.term,
         .index = entry.index},
        entry.data.bytes());
  }
  const std::array pieces = {ByteView(bytes)};
  const auto written = co_await files_.write(file_, segment.size, pieces);
  if (!written) {
    const StorageError error = storage::storage_error(written.error(), path_of(segment.number));
    if (error.fault == StorageFault::offline) co_return failure(error);
    auto cut = co_await cut_back();
    if (!cut) co_return cut;
    co_return failure(error);
  }
  if (!planted(StorePlanted::acknowledged_before_sync)) {
    auto synced = co_await sync(file_, path_of(segment.number));
    if (!synced) co_return synced;
  }
  segment.write_from = segment.size;
  segment.size += bytes.size();
  segment.highest = highest;
  if (state) hard_state_ = *state;
  co_return StorageResult<void>{};
}

Task<StorageResult<void>> DurableLog::append_reset() {
  const std::vector<Entry> none;
  const std::optional<LogPosition> reset = latest_->meta.last;
  const std::optional<HardState> state;
  co_return co_await attempt([&] { return append(state, reset, none); });
}

// After a write that is in the file in part. The file is as it was for whoever reads it next, also
// after a power cut: a later segment may follow it.
Task<StorageResult<void>> DurableLog::cut_back() {
  const std::string path = path_of(segments_.back().number);
  const auto cut = co_await files_.set_size(file_, segments_.back().size);
  if (!cut) {
    StorageError error = storage::storage_error(cut.error(), path);
    error.fault = StorageFault::offline;
    co_return failure(std::move(error));
  }
  co_return co_await sync(file_, path);
}

Task<StorageResult<void>> DurableLog::sync(FileHandle file, const std::string& path) {
  const auto synced = co_await files_.sync_data(file);
  if (synced) co_return StorageResult<void>{};
  // Whatever the reason: what the system still holds of it is unknown.
  StorageError error = storage::storage_error(synced.error(), path);
  error.fault = StorageFault::offline;
  co_return failure(std::move(error));
}

Task<StorageResult<void>> DurableLog::sync_directory() {
  const auto synced = co_await files_.sync_directory(directory_);
  if (!synced) co_return failure(storage::directory_sync_error(synced.error(), directory_));
  co_return StorageResult<void>{};
}

Task<StorageResult<void>> DurableLog::write_segment_header(SegmentNumber number, FileHandle file) {
  const std::string path = path_of(number);
  const std::string temporary = path + std::string(storage::temporary_suffix);
  const bool lost = planted(StorePlanted::state_lost_at_roll);
  const auto header = encode(SegmentHeader{number, lost ? HardState{} : hard_state_});
  const std::array pieces = {ByteView(header)};
  const auto written = co_await files_.write(file, 0, pieces);
  if (!written) co_return storage_failure(written.error(), temporary);
  auto synced = co_await sync(file, temporary);
  if (!synced) co_return synced;
  const auto renamed = co_await files_.rename(temporary, path);
  if (!renamed) co_return storage_failure(renamed.error(), temporary);
  if (planted(StorePlanted::directory_not_synced)) co_return StorageResult<void>{};
  co_return co_await sync_directory();
}

// A segment has its name only when its header is durable, so a damaged header is never an
// interrupted start.
Task<StorageResult<void>> DurableLog::make_segment(SegmentNumber number) {
  const std::string temporary = path_of(number) + std::string(storage::temporary_suffix);
  const auto file = co_await files_.open(temporary, OpenMode::create_truncated);
  if (!file) co_return storage_failure(file.error(), temporary);
  auto made = co_await write_segment_header(number, *file);
  const FileHandle done_with = made ? std::exchange(file_, *file) : *file;
  if (made) segments_.push_back({number, LogIndex{}, segment_header_bytes, segment_header_bytes});
  if (done_with != no_file) {
    const auto closed = co_await files_.close(done_with);
    if (made && !closed) {
      StorageError error = storage::storage_error(closed.error(), temporary);
      error.fault = StorageFault::offline;
      made = failure(std::move(error));
    }
  }
  if (made || made.error().fault == StorageFault::offline) co_return made;
  const auto removed = co_await storage::remove_file_if_there(files_, temporary);
  if (!removed) co_return removed;
  co_return made;
}

Task<StorageResult<void>> DurableLog::receive(const SnapshotPart& part) {
  const auto guard = co_await mutex_.lock();
  co_return co_await attempt(
      [&] { return incoming_.write(part.meta, part.offset, part.data.bytes()); });
}

Task<StorageResult<void>> DurableLog::save(const SnapshotPart& part) {
  const auto guard = co_await mutex_.lock();
  co_return co_await attempt(
      [&] { return outgoing_.write(part.meta, part.offset, part.data.bytes()); });
}

Task<StorageResult<void>> DurableLog::finish(SnapshotWriter& writer, const SnapshotMeta& meta) {
  // It is there already when only what follows failed before.
  if (latest_->meta != meta) {
    auto info = co_await writer.finish(meta);
    if (!info) co_return failure(info.error());
    older_.push_back(latest_->meta.last);
    latest_ = std::make_shared<const SnapshotInfo>(std::move(*info));
  }
  co_return co_await remove_old_snapshots(LogIndex{});
}

Task<StorageResult<SnapshotSaved>> DurableLog::finish_save(SnapshotMeta meta) {
  const auto guard = co_await mutex_.lock();
  // A newer one was installed meanwhile: the node knows.
  if (meta.last.index <= latest_->meta.last.index) {
    const auto left = co_await attempt([&] { return outgoing_.abandon(); });
    if (!left) co_return failure(left.error());
    co_return SnapshotSaved{std::move(meta)};
  }
  if (planted(StorePlanted::segments_deleted_first)) {
    const auto removed = co_await attempt([&] { return remove_segments(meta.last.index); });
    if (!removed) co_return failure(removed.error());
  }
  const auto done = co_await attempt([&] { return finish(outgoing_, meta); });
  if (!done) co_return failure(done.error());
  co_return SnapshotSaved{std::move(meta)};
}

Task<StorageResult<std::vector<std::byte>>> DurableLog::read_snapshot(SnapshotMeta meta,
                                                                      std::uint64_t offset,
                                                                      std::uint64_t length) {
  const auto guard = co_await mutex_.lock();
  if (offline_) co_return failure(*offline_);
  if (latest_->meta != meta) {
    co_return storage_failure(
        StorageFault::not_found,
        formatted("{}: the snapshot at {} is not the latest", directory_, meta.last.index.value()));
  }
  const auto info = latest_;
  auto bytes = co_await raft::read_snapshot(files_, directory_, *info, offset, length);
  if (!bytes && bytes.error().fault == StorageFault::offline) offline_ = bytes.error();
  co_return bytes;
}

Task<StorageResult<void>> DurableLog::compact_through(LogIndex index) {
  const auto guard = co_await mutex_.lock();
  check(index <= latest_->meta.last.index, "a durable snapshot holds what is compacted away");
  auto removed = co_await attempt([&] { return remove_segments(index); });
  if (!removed) co_return removed;
  co_return co_await attempt([&] { return remove_old_snapshots(index); });
}

// From the oldest on, each durably before the next: a power cut leaves no gap.
Task<StorageResult<void>> DurableLog::remove_segments(LogIndex through) {
  while (segments_.size() > 1 && segments_.front().highest <= through) {
    auto removed =
        co_await storage::remove_file_if_there(files_, path_of(segments_.front().number));
    if (removed) removed = co_await sync_directory();
    if (!removed) co_return removed;
    segments_.erase(segments_.begin());
  }
  co_return StorageResult<void>{};
}

Task<StorageResult<void>> DurableLog::remove_old_snapshots(LogIndex through) {
  while (!older_.empty() &&
         (older_.front().index < through || older_.size() >= snapshots_kept_max)) {
    auto removed = co_await storage::remove_file_if_there(
        files_, path_in(directory_, snapshot_name(older_.front())));
    if (!removed) co_return removed;
    older_.erase(older_.begin());
  }
  co_return StorageResult<void>{};
}

Task<StorageResult<void>> DurableLog::restore_reserve() {
  const auto guard = co_await mutex_.lock();
  if (offline_) co_return failure(*offline_);
  auto made = co_await reserve_.make();
  if (!made && made.error().fault == StorageFault::offline) offline_ = made.error();
  co_return made;
}

Task<StorageResult<void>> DurableLog::close() {
  const auto guard = co_await mutex_.lock();
  StorageResult<void> outcome = co_await incoming_.abandon();
  const auto left = co_await outgoing_.abandon();
  if (outcome && !left) outcome = left;
  for (FileHandle* file : {&file_, &lock_}) {
    if (*file == no_file) continue;
    const auto closed = co_await files_.close(std::exchange(*file, no_file));
    if (outcome && !closed) outcome = storage_failure(closed.error(), directory_);
  }
  co_return outcome;
}

}  // namespace millrace::raft
