module;
#include <algorithm>
#include <array>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
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

namespace {

// Exactly `length` bytes; where the file ends before, it is damaged.
Task<StorageResult<std::vector<std::byte>>> read_exactly(FileSystem& files, FileHandle file,
                                                         std::uint64_t position,
                                                         std::uint64_t length,
                                                         const std::string& path) {
  std::vector<std::byte> bytes(static_cast<std::size_t>(length));
  const auto read = co_await files.read(file, position, bytes);
  if (!read) co_return storage_failure(read.error(), path);
  if (*read != length) {
    co_return storage_failure(StorageFault::corrupt, formatted("{}: it is cut off", path));
  }
  co_return bytes;
}

auto corrupt(const std::string& path, std::string_view what) {
  return storage_failure(StorageFault::corrupt, formatted("{}: {}", path, what));
}

Task<StorageResult<SnapshotInfo>> check_front_and_end(FileSystem& files, FileHandle file,
                                                      LogPosition last, const std::string& path) {
  auto front = co_await read_exactly(files, file, 0, snapshot_header_bytes, path);
  if (!front) co_return failure(front.error());
  const auto header = decode_snapshot_header(*front);
  if (!header) {
    const bool newer = header.error().kind == ErrorKind::unsupported;
    co_return storage_failure(newer ? StorageFault::invalid : StorageFault::corrupt,
                              formatted("{}: {}", path, header.error().message));
  }
  const auto members =
      co_await read_exactly(files, file, front->size(), header->membership_bytes, path);
  if (!members) co_return failure(members.error());
  front->insert(front->end(), members->begin(), members->end());
  const std::uint64_t end_at = front->size() + header->state_bytes;
  const std::uint64_t blocks = snapshot_blocks(header->state_bytes);
  const std::uint64_t end_bytes = (blocks + 1) * sizeof(std::uint32_t);
  const auto size = co_await files.file_size(file);
  if (!size) co_return storage_failure(size.error(), path);
  if (*size != end_at + end_bytes) co_return corrupt(path, "it has not the size that it tells");
  const auto end = co_await read_exactly(files, file, end_at, end_bytes, path);
  if (!end) co_return failure(end.error());
  SnapshotInfo info;
  ByteReader reader(*end);
  for (std::uint64_t i = 0; i < blocks; ++i) info.blocks.push_back(reader.integer<std::uint32_t>());
  if (encode_snapshot_end(*front, info.blocks) != *end) {
    co_return corrupt(path, "the checksum of header and end is wrong");
  }
  auto meta = decode_snapshot_meta(*header, *members);
  if (!meta) co_return corrupt(path, meta.error().message);
  if (meta->last != last) co_return corrupt(path, "it is another snapshot than its name says");
  info.meta = std::move(*meta);
  info.front_bytes = front->size();
  co_return info;
}

// Reads blocks from `first` on, whole, and checks them.
Task<StorageResult<std::vector<std::byte>>> read_blocks(FileSystem& files, FileHandle file,
                                                        const SnapshotInfo& info,
                                                        std::uint64_t first, std::uint64_t last,
                                                        const std::string& path) {
  const std::uint64_t from = first * snapshot_block_bytes;
  const std::uint64_t to = std::min(info.meta.bytes, (last + 1) * snapshot_block_bytes);
  auto bytes = co_await read_exactly(files, file, info.front_bytes + from, to - from, path);
  if (!bytes) co_return bytes;
  for (std::uint64_t block = first; block <= last; ++block) {
    const std::size_t at = static_cast<std::size_t>(block - first) * snapshot_block_bytes;
    const ByteView rest = ByteView(*bytes).subspan(at);
    const ByteView part = rest.first(std::min(rest.size(), snapshot_block_bytes));
    if (crc32c(part) != info.blocks[static_cast<std::size_t>(block)]) {
      co_return corrupt(path, formatted("the state is damaged at byte {}", from + at));
    }
  }
  co_return bytes;
}

// Closes what was read and gives the first failure.
template <class T>
Task<StorageResult<T>> close_after(FileSystem& files, FileHandle file, StorageResult<T> result,
                                   const std::string& path) {
  const auto closed = co_await files.close(file);
  if (result && !closed) result = storage_failure(closed.error(), path);
  co_return result;
}

Task<StorageResult<SnapshotInfo>> check_all(FileSystem& files, FileHandle file, LogPosition last,
                                            const std::string& path) {
  auto info = co_await check_front_and_end(files, file, last, path);
  if (!info) co_return info;
  for (std::uint64_t block = 0; block < info->blocks.size(); ++block) {
    const auto bytes = co_await read_blocks(files, file, *info, block, block, path);
    if (!bytes) co_return failure(bytes.error());
  }
  co_return info;
}

}  // namespace

Task<StorageResult<SnapshotInfo>> open_snapshot(FileSystem& files, std::string directory,
                                                LogPosition last) {
  const std::string path = path_in(directory, snapshot_name(last));
  const auto file = co_await files.open(path, OpenMode::read);
  if (!file) co_return storage_failure(file.error(), path);
  auto info = co_await check_all(files, *file, last, path);
  co_return co_await close_after(files, *file, std::move(info), path);
}

Task<StorageResult<std::vector<std::byte>>> read_snapshot(FileSystem& files, std::string directory,
                                                          const SnapshotInfo& info,
                                                          std::uint64_t offset,
                                                          std::uint64_t length) {
  const std::string path = path_in(directory, snapshot_name(info.meta.last));
  if (offset > info.meta.bytes || length > info.meta.bytes - offset ||
      length > snapshot_read_bytes_max) {
    co_return storage_failure(StorageFault::invalid, formatted("{}: no such part", path));
  }
  if (length == 0) co_return std::vector<std::byte>();
  const auto file = co_await files.open(path, OpenMode::read);
  if (!file) co_return storage_failure(file.error(), path);
  const std::uint64_t first = offset / snapshot_block_bytes;
  const std::uint64_t last = (offset + length - 1) / snapshot_block_bytes;
  auto bytes = co_await read_blocks(files, *file, info, first, last, path);
  if (bytes) {
    const auto skipped = static_cast<std::ptrdiff_t>(offset - first * snapshot_block_bytes);
    bytes->erase(bytes->begin(), bytes->begin() + skipped);
    bytes->resize(static_cast<std::size_t>(length));
  }
  co_return co_await close_after(files, *file, std::move(bytes), path);
}

Task<StorageResult<void>> SnapshotWriter::write_at(std::uint64_t position, ByteView data) {
  const std::array pieces = {data};
  const auto written = co_await files_.write(file_, position, pieces);
  if (!written) co_return storage_failure(written.error(), temporary_);
  co_return StorageResult<void>{};
}

Task<StorageResult<void>> SnapshotWriter::begin(const SnapshotMeta& meta) {
  auto abandoned = co_await abandon();
  if (!abandoned) co_return abandoned;
  if (meta.bytes > snapshot_state_bytes_max) {
    co_return storage_failure(StorageFault::limit,
                              formatted("{}: a snapshot of {} bytes; {} are the most", temporary_,
                                        meta.bytes, snapshot_state_bytes_max));
  }
  const auto file = co_await files_.open(temporary_, OpenMode::create_truncated);
  if (!file) co_return storage_failure(file.error(), temporary_);
  file_ = *file;
  front_ = encode_snapshot_front(meta);
  auto written = co_await write_at(0, front_);
  if (written) meta_ = meta;
  co_return written;
}

void SnapshotWriter::count(ByteView data) {
  while (!data.empty()) {
    const auto used = static_cast<std::size_t>(received_ % snapshot_block_bytes);
    if (used == 0) blocks_.push_back(0);
    const ByteView part = data.first(std::min(data.size(), snapshot_block_bytes - used));
    blocks_.back() = crc32c_extend(blocks_.back(), part);
    received_ += part.size();
    data = data.subspan(part.size());
  }
}

Task<StorageResult<void>> SnapshotWriter::write(const SnapshotMeta& meta, std::uint64_t offset,
                                                ByteView data) {
  if (offset == 0) {
    auto begun = co_await begin(meta);
    if (!begun) co_return begun;
  }
  if (meta_ != meta || offset != received_ || data.size() > meta.bytes - offset) {
    co_return storage_failure(StorageFault::invalid,
                              formatted("{}: a part that does not fit", temporary_));
  }
  auto written = co_await write_at(front_.size() + offset, data);
  if (written) count(data);
  co_return written;
}

Task<StorageResult<void>> SnapshotWriter::sync() {
  const auto synced = co_await files_.sync_data(file_);
  if (synced) co_return StorageResult<void>{};
  StorageError error = storage::storage_error(synced.error(), temporary_);
  error.fault = StorageFault::offline;
  co_return failure(std::move(error));
}

Task<StorageResult<void>> SnapshotWriter::publish(const std::string& path) {
  if (!renamed_) {
    const auto renamed = co_await files_.rename(temporary_, path);
    if (!renamed) co_return storage_failure(renamed.error(), temporary_);
    renamed_ = true;
  }
  if (planted(StorePlanted::directory_not_synced)) co_return StorageResult<void>{};
  const auto synced = co_await files_.sync_directory(directory_);
  if (!synced) co_return failure(storage::directory_sync_error(synced.error(), directory_));
  co_return StorageResult<void>{};
}

Task<StorageResult<SnapshotInfo>> SnapshotWriter::finish(const SnapshotMeta& meta) {
  if (meta_ != meta || received_ != meta.bytes) {
    co_return storage_failure(StorageFault::invalid,
                              formatted("{}: the snapshot is not whole", temporary_));
  }
  if (!renamed_) {
    const auto end = encode_snapshot_end(front_, blocks_);
    auto ended = co_await write_at(front_.size() + received_, end);
    if (ended && !planted(StorePlanted::snapshot_renamed_before_sync)) ended = co_await sync();
    if (!ended) co_return failure(ended.error());
  }
  const auto published = co_await publish(path_in(directory_, snapshot_name(meta.last)));
  if (!published) co_return failure(published.error());
  SnapshotInfo info{meta, front_.size(), std::move(blocks_)};
  const auto left = co_await abandon();
  if (!left) co_return failure(left.error());
  co_return info;
}

Task<StorageResult<void>> SnapshotWriter::abandon() {
  const FileHandle file = std::exchange(file_, no_file);
  const bool renamed = std::exchange(renamed_, false);
  meta_.reset();
  received_ = 0;
  blocks_.clear();
  if (file == no_file) co_return StorageResult<void>{};
  const auto closed = co_await files_.close(file);
  if (!closed) {
    // Nothing that is written now can be a reason: no later attempt would go better.
    StorageError error = storage::storage_error(closed.error(), temporary_);
    error.fault = StorageFault::offline;
    co_return failure(std::move(error));
  }
  if (renamed) co_return StorageResult<void>{};
  co_return co_await storage::remove_file_if_there(files_, temporary_);
}

}  // namespace millrace::raft
