module;
#include <algorithm>
#include <array>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

module millrace.storage.segment;

namespace millrace::storage {

std::size_t IndexFile::parts() const {
  const std::size_t in_part = IndexCache::page_bytes(entries_.entry_bytes());
  const std::size_t bytes = entries_.first_in_memory() * entries_.entry_bytes();
  return (bytes + in_part - 1) / in_part;
}

std::optional<IndexPart> IndexFile::part_at(std::size_t number) {
  const std::size_t entry_bytes = entries_.entry_bytes();
  const std::size_t in_part = IndexCache::page_bytes(entry_bytes);
  const std::size_t begin = number * in_part;
  const std::size_t all = entries_.first_in_memory() * entry_bytes;
  const std::size_t size = std::min(in_part, all - begin);
  const ByteView firsts = place_.firsts();
  const ByteView page = place_.page(number);
  if (page.size() < size) {
    wanted_ = number;
    return std::nullopt;
  }
  IndexPart part{page.first(size), begin / entry_bytes, {}};
  const std::size_t next = (number + 1) * entry_bytes;
  if (number + 1 < parts() && firsts.size() >= next + entry_bytes) {
    part.next = firsts.subspan(next, entry_bytes);
  }
  return part;
}

Task<StorageResult<void>> IndexFile::load(SegmentContext& context, std::string path) {
  const std::size_t bytes = entries_.first_in_memory() * entries_.entry_bytes();
  if (!wanted_) {
    co_return co_await context.index_cache.load_firsts(place_, std::move(path),
                                                       entries_.entry_bytes(), bytes);
  }
  // It may have been cut since.
  if (*wanted_ >= parts()) co_return StorageResult<void>();
  co_return co_await context.index_cache.load_page(place_, std::move(path), entries_.entry_bytes(),
                                                   bytes, *wanted_);
}

Task<StorageResult<std::vector<std::byte>>> IndexFile::read_all(SegmentContext& context,
                                                                std::string path) {
  std::vector<std::byte> bytes(entries_.first_in_memory() * entries_.entry_bytes());
  if (bytes.empty()) co_return bytes;
  const auto lease = co_await context.open_files.acquire(path);
  if (!lease) co_return failure(lease.error());
  const auto read = co_await context.files.read(lease->handle(), 0, bytes);
  if (!read) co_return storage_failure(read.error(), path);
  if (*read != bytes.size()) {
    co_return storage_failure(StorageFault::corrupt,
                              path + " has " + std::to_string(*read) + " bytes where " +
                                  std::to_string(bytes.size()) + " were written");
  }
  // Another one may have cut it meanwhile.
  if (bytes.size() == entries_.first_in_memory() * entries_.entry_bytes()) {
    context.index_cache.take_firsts(place_, entries_.entry_bytes(), bytes);
  }
  co_return bytes;
}

void IndexFile::found(std::uint64_t file_bytes) {
  entries_.load({}, static_cast<std::size_t>(file_bytes) / entries_.entry_bytes());
  checked_ = false;
  torn_ = file_bytes % entries_.entry_bytes() != 0;
  file_made_ = true;
}

Task<StorageResult<void>> IndexFile::load_last(SegmentContext& context, std::string path) {
  if (entries_.empty() || !entries_.bytes().empty()) co_return StorageResult<void>();
  const std::size_t first = entries_.entries() - 1;
  const auto lease = co_await context.open_files.acquire(path);
  if (!lease) co_return failure(lease.error());
  std::vector<std::byte> last(entries_.entry_bytes());
  const auto read =
      co_await context.files.read(lease->handle(), first * entries_.entry_bytes(), last);
  if (!read) co_return storage_failure(read.error(), path);
  if (*read != last.size()) {
    co_return storage_failure(StorageFault::corrupt, path + " is shorter than it was");
  }
  // Another one may have been faster, and entries may have been added since.
  if (entries_.entries() == first + 1 && entries_.bytes().empty()) {
    entries_.load(std::move(last), first);
  }
  co_return StorageResult<void>();
}

Task<StorageResult<void>> IndexFile::save(SegmentContext& context, std::string path) {
  // Entries may be added while the file is written.
  const std::vector<std::byte> unsaved(entries_.unsaved().begin(), entries_.unsaved().end());
  if (unsaved.empty() && file_made_) co_return StorageResult<void>();
  const auto lease = co_await context.open_files.acquire(path, OpenMode::create);
  if (!lease) co_return failure(lease.error());
  file_made_ = true;
  dirty_ = true;
  if (!unsaved.empty()) {
    const std::array pieces{ByteView(unsaved)};
    const auto written =
        co_await context.files.write(lease->handle(), entries_.saved_bytes(), pieces);
    if (!written) co_return storage_failure(written.error(), path);
    entries_.saved(unsaved.size());
  }
  co_return StorageResult<void>();
}

Task<StorageResult<void>> IndexFile::keep(SegmentContext& context, std::string path,
                                          std::size_t count) {
  context.index_cache.forget(place_);
  torn_ = false;
  entries_.keep(count);
  if (!file_made_) co_return StorageResult<void>();
  const auto lease = co_await context.open_files.acquire(path, OpenMode::create);
  if (!lease) co_return failure(lease.error());
  dirty_ = true;
  const auto cut = co_await context.files.set_size(lease->handle(), entries_.saved_bytes());
  if (!cut) co_return storage_failure(cut.error(), path);
  co_return StorageResult<void>();
}

Task<StorageResult<void>> IndexFile::replace(SegmentContext& context, std::string path,
                                             GrowingIndex entries) {
  entries_ = std::move(entries);
  context.index_cache.forget(place_);
  torn_ = false;
  set_checked();
  if (entries_.empty() && !file_made_) co_return StorageResult<void>();
  if (auto saved = co_await save(context, path); !saved) co_return saved;
  {
    const auto lease = co_await context.open_files.acquire(path);
    if (!lease) co_return failure(lease.error());
    // Older entries may lie behind.
    const auto cut = co_await context.files.set_size(lease->handle(), entries_.saved_bytes());
    if (!cut) co_return storage_failure(cut.error(), path);
  }
  co_return co_await sync(context, path);
}

Task<StorageResult<void>> IndexFile::sync(SegmentContext& context, std::string path) {
  if (!dirty_) co_return StorageResult<void>();
  const auto lease = co_await context.open_files.acquire(path);
  if (!lease) co_return failure(lease.error());
  dirty_ = false;
  const auto synced = co_await context.files.sync_data(lease->handle());
  if (!synced) co_return storage_failure(synced.error(), path);
  co_return StorageResult<void>();
}

}  // namespace millrace::storage
