module;
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

module millrace.storage.segment;

namespace millrace::storage {

MappedFiles::~MappedFiles() {
  check(mapped_ == 0, "mappings go before the cache that holds them");
}

Task<StorageResult<void>> MappedFiles::map(Mapping& mapping, std::string path, std::size_t length) {
  const auto lease = co_await open_files_.acquire(path);
  if (!lease) co_return failure(lease.error());
  const auto size = co_await files_.file_size(lease->handle());
  if (!size) co_return storage_failure(size.error(), path);
  if (*size < length) {
    co_return storage_failure(StorageFault::corrupt, path + " has " + std::to_string(*size) +
                                                         " bytes where " + std::to_string(length) +
                                                         " were written");
  }
  unmap(mapping);
  const auto mapped = files_.map(lease->handle(), length);
  if (!mapped) co_return storage_failure(mapped.error(), path);
  mapping.bytes_ = *mapped;
  link(mapping);
  if (mapped_ > mapped_max_) unmap(*oldest_);
  co_return StorageResult<void>();
}

void MappedFiles::unmap(Mapping& mapping) {
  if (mapping.owner_ == nullptr) return;
  unlink(mapping);
  files_.unmap(std::exchange(mapping.bytes_, {}));
}

void MappedFiles::used(Mapping& mapping) {
  if (newest_ == &mapping) return;
  unlink(mapping);
  link(mapping);
}

void MappedFiles::link(Mapping& mapping) {
  mapping.owner_ = this;
  mapping.newer_ = nullptr;
  mapping.older_ = newest_;
  (newest_ == nullptr ? oldest_ : newest_->newer_) = &mapping;
  newest_ = &mapping;
  ++mapped_;
}

void MappedFiles::unlink(Mapping& mapping) {
  (mapping.newer_ == nullptr ? newest_ : mapping.newer_->older_) = mapping.older_;
  (mapping.older_ == nullptr ? oldest_ : mapping.older_->newer_) = mapping.newer_;
  mapping.owner_ = nullptr;
  --mapped_;
}

}  // namespace millrace::storage
