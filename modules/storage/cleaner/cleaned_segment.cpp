module;
#include <array>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "../segment/planted.hpp"

module millrace.storage.cleaner;

namespace millrace::storage {

namespace {

constexpr SegmentFileKind segment_files[] = {SegmentFileKind::log, SegmentFileKind::offset_index,
                                             SegmentFileKind::time_index,
                                             SegmentFileKind::transaction_index};

constexpr std::uint64_t log_bytes_max = std::numeric_limits<std::int32_t>::max();

}  // namespace

std::string CleanedSegment::path(SegmentFileKind kind) const {
  return path_in(directory_, segment_file_name(base_, kind, FileStage::cleaned));
}

// Also what an attempt that failed has left: a file that is not written this time must not be
// taken along.
Task<StorageResult<void>> CleanedSegment::remove_files() {
  for (const SegmentFileKind kind : segment_files) {
    auto removed = co_await remove_file_if_there(context_.files, path(kind));
    if (!removed) co_return removed;
  }
  co_return StorageResult<void>();
}

Task<StorageResult<void>> CleanedSegment::create() {
  if (auto removed = co_await remove_files(); !removed) co_return removed;
  const std::string log_path = path(SegmentFileKind::log);
  const auto opened = co_await context_.files.open(log_path, OpenMode::create_truncated);
  if (!opened) co_return storage_failure(opened.error(), log_path);
  file_ = *opened;
  buffer_ = context_.buffers.acquire(cleaned_write_bytes);
  buffer_.resize(0);
  co_return StorageResult<void>();
}

Task<StorageResult<void>> CleanedSegment::add(ByteView batch, const protocol::BatchHeader& header) {
  if (header.max_timestamp > largest_.timestamp) {
    largest_ = {header.max_timestamp, header.last_offset()};
  }
  bool fits = bytes_ + batch.size() <= log_bytes_max;
  if (fits && bytes_since_entry_ > index_interval_bytes_) {
    const OffsetPosition entry{header.last_offset(), static_cast<std::uint32_t>(bytes_)};
    fits = add_offset_entry(offsets_, base_, entry) && add_time_entry(times_, base_, largest_);
    bytes_since_entry_ = 0;
  }
  if (!fits) {
    co_return storage_failure(StorageFault::limit,
                              path(SegmentFileKind::log) + " would become larger than a segment");
  }
  end_ = header.last_offset().next();
  last_position_ = bytes_;
  bytes_ += batch.size();
  bytes_since_entry_ += batch.size();
  if (buffer_.size() + batch.size() > buffer_.capacity()) co_return co_await write(batch);
  const std::size_t end = buffer_.size();
  buffer_.resize(end + batch.size());
  std::memcpy(buffer_.data() + end, batch.data(), batch.size());
  co_return StorageResult<void>();
}

void CleanedSegment::add_aborted(const AbortedTransaction& transaction) {
  add_transaction_entry(transactions_, transaction);
}

Task<StorageResult<void>> CleanedSegment::write(ByteView more) {
  const std::array pieces{ByteView(buffer_.bytes()), more};
  const auto written = co_await context_.files.write(file_, written_, pieces);
  if (!written) co_return storage_failure(written.error(), path(SegmentFileKind::log));
  written_ += buffer_.size() + more.size();
  buffer_.resize(0);
  if (written_ - synced_ >= cleaned_sync_bytes) co_return co_await sync();
  co_return StorageResult<void>();
}

Task<StorageResult<void>> CleanedSegment::set_time(Timestamp changed) {
  const auto set = co_await context_.files.set_time(file_, changed);
  if (set) co_return StorageResult<void>();
  const std::string log_path = path(SegmentFileKind::log);
  const IoFault fault = set.error().fault;
  if (fault != IoFault::denied && fault != IoFault::invalid) {
    co_return storage_failure(set.error(), log_path);
  }
  // Some file systems cannot. Then retention by time keeps the records longer.
  context_.log.warning("{}", describe(set.error(), log_path));
  co_return StorageResult<void>();
}

Task<StorageResult<void>> CleanedSegment::sync() {
  if (planted(Planted::cleaned_not_synced)) co_return StorageResult<void>();
  const std::uint64_t written = written_;
  const auto synced = co_await context_.files.sync_data(file_);
  if (!synced) {
    co_return storage_failure(StorageFault::offline,
                              describe(synced.error(), path(SegmentFileKind::log)));
  }
  synced_ = written;
  co_return StorageResult<void>();
}

Task<StorageResult<void>> CleanedSegment::close() {
  if (file_ == no_file) co_return StorageResult<void>();
  const auto closed = co_await context_.files.close(std::exchange(file_, no_file));
  if (!closed) co_return storage_failure(closed.error(), path(SegmentFileKind::log));
  co_return StorageResult<void>();
}

Task<StorageResult<void>> CleanedSegment::write_index(SegmentFileKind kind, ByteView bytes) {
  const std::string index_path = path(kind);
  const auto opened = co_await context_.files.open(index_path, OpenMode::create_truncated);
  if (!opened) co_return storage_failure(opened.error(), index_path);
  const std::array pieces{bytes};
  StorageResult<void> done;
  if (const auto written = co_await context_.files.write(*opened, 0, pieces); !written) {
    done = storage_failure(written.error(), index_path);
  } else if (const auto synced = co_await context_.files.sync_data(*opened); !synced) {
    done = storage_failure(StorageFault::offline, describe(synced.error(), index_path));
  }
  const auto closed = co_await context_.files.close(*opened);
  if (done && !closed) done = storage_failure(closed.error(), index_path);
  co_return done;
}

Task<StorageResult<void>> CleanedSegment::finish(std::optional<Timestamp> changed) {
  if (buffer_.size() > 0) {
    if (auto written = co_await write({}); !written) co_return written;
  }
  // Before the sync, which saves the time with the size.
  if (changed) {
    if (auto set = co_await set_time(*changed); !set) co_return set;
  }
  if (auto synced = co_await sync(); !synced) co_return synced;
  buffer_ = Buffer();
  if (auto closed = co_await close(); !closed) co_return closed;
  // A start that finishes what a crash interrupted removes old segments by the last offset, which
  // no CRC covers: the index says it once more.
  const OffsetIndexView entries(offsets_.bytes(), base_);
  const std::uint64_t indexed = entries.floor_of(end_).position;
  const OffsetPosition last{end_.plus(-1), static_cast<std::uint32_t>(last_position_)};
  const bool fits = (last_position_ <= indexed || add_offset_entry(offsets_, base_, last)) &&
                    add_time_entry(times_, base_, largest_);
  if (!fits) {
    co_return storage_failure(StorageFault::limit,
                              path(SegmentFileKind::log) + " ends too far from its base");
  }
  auto saved = co_await write_index(SegmentFileKind::offset_index, offsets_.bytes());
  if (saved) saved = co_await write_index(SegmentFileKind::time_index, times_.bytes());
  // Most segments have no transactions, and then no such file.
  if (saved && !transactions_.empty()) {
    saved = co_await write_index(SegmentFileKind::transaction_index, transactions_.bytes());
  }
  co_return saved;
}

Task<StorageResult<void>> CleanedSegment::discard() {
  buffer_ = Buffer();
  auto closed = co_await close();
  auto removed = co_await remove_files();
  co_return closed ? removed : closed;
}

}  // namespace millrace::storage
