module;
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

module millrace.storage.files;

import :error;
import :names;
import :small_file;

namespace millrace::storage {

namespace {

// The first failure counts, unless a later one says that the device is lost.
void keep_worst(StorageResult<void>& outcome, const IoResult<void>& step, std::string_view path) {
  if (step) return;
  StorageError error = storage_error(step.error(), path);
  if (outcome || error.fault == StorageFault::offline) outcome = failure(std::move(error));
}

Task<StorageResult<void>> write_whole(FileSystem& files, const std::string& path,
                                      ByteView contents) {
  const auto file = co_await files.open(path, OpenMode::create_truncated);
  if (!file) co_return storage_failure(file.error(), path);
  StorageResult<void> outcome;
  const std::array pieces = {contents};
  keep_worst(outcome, co_await files.write(*file, 0, pieces), path);
  if (outcome) keep_worst(outcome, co_await files.sync_data(*file), path);
  keep_worst(outcome, co_await files.close(*file), path);
  co_return outcome;
}

}  // namespace

std::string path_in(std::string_view directory, std::string_view name) {
  std::string path;
  path.reserve(directory.size() + 1 + name.size());
  path += directory;
  path += '/';
  path += name;
  return path;
}

Task<StorageResult<std::vector<std::byte>>> read_file(FileSystem& files, std::string path,
                                                      std::size_t bytes_max) {
  const auto file = co_await files.open(path, OpenMode::read);
  if (!file) co_return storage_failure(file.error(), path);
  StorageResult<std::vector<std::byte>> contents;
  const auto size = co_await files.file_size(*file);
  if (!size) {
    contents = storage_failure(size.error(), path);
  } else if (*size > bytes_max) {
    contents = storage_failure(
        StorageFault::limit,
        formatted("{} has {} bytes; such a file has at most {}", path, *size, bytes_max));
  } else {
    contents->resize(static_cast<std::size_t>(*size));
    const auto read = co_await files.read(*file, 0, *contents);
    if (!read) {
      contents = storage_failure(read.error(), path);
    } else {
      contents->resize(static_cast<std::size_t>(*read));
    }
  }
  const auto closed = co_await files.close(*file);
  if (contents && !closed) contents = storage_failure(closed.error(), path);
  co_return contents;
}

Task<StorageResult<void>> replace_file(FileSystem& files, std::string directory, std::string name,
                                       ByteView contents) {
  const std::string path = path_in(directory, name);
  const std::string temporary = path + std::string(temporary_suffix);
  StorageResult<void> outcome = co_await write_whole(files, temporary, contents);
  if (outcome) keep_worst(outcome, co_await files.rename(temporary, path), temporary);
  if (outcome) {
    keep_worst(outcome, co_await files.sync_directory(directory), directory);
    co_return outcome;
  }
  // A disk that is full gets back what the attempt took; on one that is lost nothing is tried.
  if (outcome.error().fault != StorageFault::offline) {
    const auto removed = co_await files.remove(temporary);
    if (!removed && removed.error().fault != IoFault::not_found) {
      keep_worst(outcome, removed, temporary);
    }
  }
  co_return outcome;
}

Task<StorageResult<void>> remove_file_if_there(FileSystem& files, std::string path) {
  const auto removed = co_await files.remove(path);
  if (!removed && removed.error().fault != IoFault::not_found) {
    co_return storage_failure(removed.error(), path);
  }
  co_return StorageResult<void>{};
}

}  // namespace millrace::storage
