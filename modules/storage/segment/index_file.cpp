module;
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

std::optional<ByteView> IndexFile::first_part() {
  const std::size_t bytes = entries_.first_in_memory() * entries_.entry_bytes();
  if (bytes == 0) return ByteView();
  const ByteView mapped = mapping_.bytes();
  if (mapped.size() < bytes) return std::nullopt;
  return mapped.first(bytes);
}

Task<StorageResult<void>> IndexFile::map(SegmentContext& context, std::string path) {
  const std::size_t bytes = entries_.first_in_memory() * entries_.entry_bytes();
  co_return co_await context.mapped_files.map(mapping_, std::move(path), bytes);
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
  context.mapped_files.unmap(mapping_);
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
  context.mapped_files.unmap(mapping_);
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
