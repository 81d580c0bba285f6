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
using storage::StorageFault;
using storage::StorageResult;

Task<StorageResult<DurableLog::Found>> DurableLog::look(FileSystem& files, std::string directory) {
  const auto entries = co_await files.list(directory);
  if (!entries) co_return storage_failure(entries.error(), directory);
  Found found;
  for (const DirectoryEntry& entry : *entries) {
    if (const auto number = parse_segment_name(entry.name)) found.segments.push_back(*number);
    if (const auto last = parse_snapshot_name(entry.name)) found.snapshots.push_back(*last);
    if (entry.name.ends_with(storage::temporary_suffix)) found.leftovers.push_back(entry.name);
  }
  std::ranges::sort(found.segments);
  std::ranges::sort(found.snapshots, [](LogPosition left, LogPosition right) {
    return left.index != right.index ? left.index < right.index : left.term < right.term;
  });
  co_return found;
}

// The snapshot of a new group is made last: until it is there, nothing is.
Task<StorageResult<void>> DurableLog::format(FileSystem& files, std::string directory,
                                             Membership first) {
  DurableLog log(files, std::move(directory), {.reserve_bytes = 0});
  const auto lock = co_await storage::lock_directory(files, log.directory_);
  if (!lock) co_return failure(lock.error());
  log.lock_ = *lock;
  auto done = co_await log.begin_group(std::move(first));
  const auto closed = co_await log.close();
  if (!done) co_return done;
  co_return closed;
}

Task<StorageResult<void>> DurableLog::begin_group(Membership first) {
  const auto found = co_await look(files_, directory_);
  if (!found) co_return failure(found.error());
  if (!found->snapshots.empty() || found->segments.size() > 1) {
    co_return storage_failure(StorageFault::already_exists,
                              formatted("{}: a raft log is there already", directory_));
  }
  if (!found->segments.empty()) {
    const std::string path = path_of(found->segments.front());
    const auto status = co_await files_.status(path);
    if (!status) co_return storage_failure(status.error(), path);
    if (found->segments.front() != SegmentNumber(1) || status->size != segment_header_bytes) {
      co_return storage_failure(StorageFault::corrupt,
                                formatted("{}: a raft log without a snapshot", path));
    }
  }
  auto made = co_await make_segment(SegmentNumber(1));
  if (!made) co_return made;
  const SnapshotMeta meta{{}, std::move(first), 0};
  made = co_await outgoing_.write(meta, 0, {});
  if (!made) co_return made;
  const auto finished = co_await outgoing_.finish(meta);
  if (!finished) co_return failure(finished.error());
  co_return StorageResult<void>{};
}

Task<StorageResult<std::unique_ptr<DurableLog>>> DurableLog::open(FileSystem& files,
                                                                  std::string directory,
                                                                  StoreOptions options) {
  check(options.segment_bytes > 0 && options.segment_bytes <= segment_bytes_max,
        "the size of a segment is within its limits");
  std::unique_ptr<DurableLog> log(new DurableLog(files, std::move(directory), options));
  const auto recovered = co_await log->recover();
  if (recovered) co_return log;
  // What went wrong first is what counts.
  const auto closed = co_await log->close();
  static_cast<void>(closed);
  co_return failure(recovered.error());
}

Task<StorageResult<void>> DurableLog::recover() {
  const auto lock = co_await storage::lock_directory(files_, directory_);
  if (!lock) co_return failure(lock.error());
  lock_ = *lock;
  const auto found = co_await look(files_, directory_);
  if (!found) co_return failure(found.error());
  auto done = co_await choose_snapshot(*found);
  if (!done) co_return done;
  Replay replayed(latest_->meta.last.index);
  const auto newest = co_await replay(replayed, *found);
  if (!newest) co_return failure(newest.error());
  const auto begins_anew = join(replayed);
  if (!begins_anew) co_return failure(begins_anew.error());
  // All fits: from here on the directory is changed.
  done = co_await settle(*newest);
  if (!done) co_return done;
  hard_state_ = replayed.hard_state();
  recovered_.hard_state = hard_state_;
  recovered_.snapshot = latest_->meta;
  if (!*begins_anew) recovered_.entries = replayed.take_above(latest_->meta.last.index);
  done = co_await tidy_up(*found);
  if (done && *begins_anew) {
    done = co_await append_reset();
  }
  if (!done) co_return done;
  const auto made = co_await reserve_.make();
  if (!made && !storage::is_shortage(made.error().fault)) co_return failure(made.error());
  if (!made) notes_.push_back("there is no reserve for a full disk: " + made.error().message);
  co_return StorageResult<void>{};
}

// The newest that is whole. One above it that is not must be covered by the log: see join().
Task<StorageResult<void>> DurableLog::choose_snapshot(const Found& found) {
  if (found.snapshots.empty()) {
    co_return storage_failure(StorageFault::not_found,
                              formatted("{}: there is no raft log; format it first", directory_));
  }
  for (auto last = found.snapshots.rbegin(); last != found.snapshots.rend(); ++last) {
    auto info = co_await open_snapshot(files_, directory_, *last);
    if (info) {
      latest_ = std::make_shared<const SnapshotInfo>(std::move(*info));
      older_.assign(found.snapshots.begin(), std::prev(last.base()));
      co_return StorageResult<void>{};
    }
    if (info.error().fault != StorageFault::corrupt) co_return failure(info.error());
    if (!damaged_) {
      damaged_ = info.error();
      damaged_at_ = *last;
    }
  }
  co_return failure(*damaged_);
}

// Gives the bytes of the newest segment.
Task<StorageResult<std::vector<std::byte>>> DurableLog::replay(Replay& replay, const Found& found) {
  if (found.segments.empty()) {
    co_return storage_failure(StorageFault::corrupt,
                              formatted("{}: there are snapshots but no segment", directory_));
  }
  std::vector<std::byte> newest;
  for (std::size_t i = 0; i < found.segments.size(); ++i) {
    const SegmentNumber number = found.segments[i];
    const std::string path = path_of(number);
    if (i > 0 && number != found.segments[i - 1].next()) {
      co_return storage_failure(StorageFault::corrupt,
                                formatted("{}: the segment before it is missing", path));
    }
    auto bytes = co_await storage::read_file(files_, path, segment_file_bytes_max);
    if (!bytes) co_return failure(bytes.error());
    const bool last = i + 1 == found.segments.size();
    const auto info =
        replay.add(number, *bytes, path, last ? SegmentPlace::newest : SegmentPlace::closed);
    if (!info) co_return failure(info.error());
    segments_.push_back(*info);
    if (last) newest = std::move(*bytes);
  }
  co_return newest;
}

StorageResult<bool> DurableLog::join(const Replay& replay) const {
  const LogPosition last = latest_->meta.last;
  if (damaged_ && !replay.holds(*damaged_at_)) return failure(*damaged_);
  const auto gap = [&] {
    return storage_failure(
        StorageFault::corrupt,
        formatted("{}: between the snapshot at {} and the log entries are missing", directory_,
                  last.index.value()));
  };
  const auto& reset = replay.reset();
  if (reset && reset->index > last.index) return gap();
  if (replay.holds(last)) return false;
  const auto& entries = replay.entries();
  // After the reset comes nothing, or there never was an entry.
  if (entries.empty()) return reset.has_value();
  const LogIndex first = entries.front().index;
  if (first == last.index.next()) return false;
  if (first > last.index) return gap();
  // A snapshot was installed, and the log was not told before the end.
  return true;
}

// What was read becomes what is durable: a process that was killed may have written it and not
// synced it, or a sync may have failed. So the last write is written again.
Task<StorageResult<void>> DurableLog::settle(ByteView newest) {
  const SegmentInfo& info = segments_.back();
  const std::string path = path_of(info.number);
  const auto file = co_await files_.open(path, OpenMode::read_write);
  if (!file) co_return storage_failure(file.error(), path);
  file_ = *file;
  if (planted(StorePlanted::recovered_not_synced)) co_return StorageResult<void>{};
  if (newest.size() > info.size) {
    notes_.push_back(
        formatted("{}: a write that did not end was cut off at byte {}", path, info.size));
    auto cut = co_await cut_back();
    if (!cut) co_return cut;
  }
  if (info.size > info.write_from) {
    const auto from = static_cast<std::size_t>(info.write_from);
    const std::array pieces = {newest.first(static_cast<std::size_t>(info.size)).subspan(from)};
    const auto written = co_await files_.write(file_, info.write_from, pieces);
    if (!written) co_return storage_failure(written.error(), path);
  }
  auto synced = co_await sync(file_, path);
  if (!synced) co_return synced;
  co_return co_await sync_directory();
}

Task<StorageResult<void>> DurableLog::tidy_up(const Found& found) {
  for (const std::string& name : found.leftovers) {
    auto removed = co_await storage::remove_file_if_there(files_, path_in(directory_, name));
    if (!removed) co_return removed;
  }
  if (damaged_) {
    notes_.push_back("the log covers a damaged snapshot, which was removed: " + damaged_->message);
    for (const LogPosition last : found.snapshots) {
      if (last.index <= latest_->meta.last.index) continue;
      auto removed =
          co_await storage::remove_file_if_there(files_, path_in(directory_, snapshot_name(last)));
      if (!removed) co_return removed;
    }
  }
  co_return co_await reserve_.find();
}

}  // namespace millrace::raft
