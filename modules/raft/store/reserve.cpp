module;
#include <algorithm>
#include <array>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

module millrace.raft.store;

import millrace.base;
import millrace.runtime;
import millrace.storage.files;

namespace millrace::raft {

using storage::storage_failure;
using storage::StorageError;
using storage::StorageFault;
using storage::StorageResult;

namespace {

constexpr std::size_t fill_bytes_max = 256 * kibibyte;  // in one write

}  // namespace

Reserve::Reserve(FileSystem& files, std::string directory, std::uint64_t bytes)
    : files_(files),
      directory_(std::move(directory)),
      path_(storage::path_in(directory_, reserve_name)),
      temporary_(path_ + std::string(storage::temporary_suffix)),
      bytes_(bytes) {}

Task<StorageResult<void>> Reserve::find() {
  const auto status = co_await files_.status(path_);
  if (!status) {
    if (status.error().fault == IoFault::not_found) co_return StorageResult<void>{};
    co_return storage_failure(status.error(), path_);
  }
  held_ = bytes_ > 0 && status->size == bytes_;
  if (held_) co_return StorageResult<void>{};
  co_return co_await storage::remove_file_if_there(files_, path_);
}

Task<StorageResult<void>> Reserve::fill(FileHandle file) {
  const std::vector<std::byte> zeros(
      static_cast<std::size_t>(std::min<std::uint64_t>(bytes_, fill_bytes_max)));
  for (std::uint64_t done = 0; done < bytes_;) {
    const auto size =
        static_cast<std::size_t>(std::min<std::uint64_t>(bytes_ - done, zeros.size()));
    const std::array pieces = {ByteView(zeros).first(size)};
    const auto written = co_await files_.write(file, done, pieces);
    if (!written) co_return storage_failure(written.error(), temporary_);
    done += size;
  }
  const auto synced = co_await files_.sync_data(file);
  if (synced) co_return StorageResult<void>{};
  StorageError error = storage::storage_error(synced.error(), temporary_);
  error.fault = StorageFault::offline;
  co_return failure(std::move(error));
}

Task<StorageResult<void>> Reserve::make() {
  if (held_ || bytes_ == 0) co_return StorageResult<void>{};
  const auto free = co_await files_.free_bytes(directory_);
  if (!free) co_return storage_failure(free.error(), directory_);
  if (*free / 2 < bytes_) {
    co_return storage_failure(
        StorageFault::no_space,
        formatted("{}: {} bytes are free, too few for a reserve of {}", directory_, *free, bytes_));
  }
  const auto file = co_await files_.open(temporary_, OpenMode::create_truncated);
  if (!file) co_return storage_failure(file.error(), temporary_);
  auto made = co_await fill(*file);
  const auto closed = co_await files_.close(*file);
  if (made && !closed) made = storage_failure(closed.error(), temporary_);
  if (made) {
    // Its name need not be durable: a reserve that is lost is made again.
    const auto renamed = co_await files_.rename(temporary_, path_);
    if (!renamed) made = storage_failure(renamed.error(), temporary_);
  }
  held_ = made.has_value();
  if (made || made.error().fault == StorageFault::offline) co_return made;
  const auto removed = co_await storage::remove_file_if_there(files_, temporary_);
  if (!removed) co_return removed;
  co_return made;
}

Task<StorageResult<bool>> Reserve::release() {
  if (!held_) co_return false;
  const auto removed = co_await storage::remove_file_if_there(files_, path_);
  if (!removed) co_return failure(removed.error());
  held_ = false;
  co_return true;
}

}  // namespace millrace::raft
