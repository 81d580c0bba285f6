module;
#include <algorithm>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

module millrace.storage.segment;

namespace millrace::storage {

namespace {

// What is read at once of an index of which all first entries are wanted.
constexpr std::size_t pages_at_once = 16;

[[nodiscard]] StorageResult<void> unless_corrupt(StorageResult<void> done) {
  if (!done && done.error().fault == StorageFault::corrupt) return {};
  return done;
}

}  // namespace

IndexCache::~IndexCache() {
  check(newest_ == nullptr, "places go before the cache that holds them");
}

Task<StorageResult<void>> IndexCache::read(std::string path, std::size_t position,
                                           MutableBytes bytes) {
  const auto lease = co_await open_files_.acquire(path);
  if (!lease) co_return failure(lease.error());
  const auto count = co_await files_.read(lease->handle(), position, bytes);
  if (!count) co_return storage_failure(count.error(), path);
  if (*count == bytes.size()) co_return StorageResult<void>();
  co_return storage_failure(StorageFault::corrupt,
                            path + " has " + std::to_string(position + *count) + " bytes where " +
                                std::to_string(position + bytes.size()) + " were written");
}

Task<StorageResult<void>> IndexCache::load_page(Place& place, std::string path,
                                                std::size_t entry_bytes, std::size_t file_bytes,
                                                std::size_t number) {
  const std::uint64_t forgotten = place.forgotten_;
  const std::size_t position = number * page_bytes(entry_bytes);
  Page page;
  page.size = std::min(page_bytes(entry_bytes), file_bytes - position);
  page.bytes = std::make_unique<std::byte[]>(page.size);
  auto done = co_await read(std::move(path), position, {page.bytes.get(), page.size});
  // That the file has become shorter since is no damage.
  if (forgotten != place.forgotten_) co_return unless_corrupt(std::move(done));
  if (!done) co_return done;
  Held& known = held(place);
  if (known.pages.size() <= number) known.pages.resize(number + 1);
  if (known.firsts.size() == number * entry_bytes) {
    known.firsts.insert(known.firsts.end(), page.bytes.get(), page.bytes.get() + entry_bytes);
  }
  // Another one may have read more of it meanwhile.
  if (known.pages[number].size < page.size) known.pages[number] = std::move(page);
  count(known);
  co_return StorageResult<void>();
}

Task<StorageResult<void>> IndexCache::load_firsts(Place& place, std::string path,
                                                  std::size_t entry_bytes, std::size_t file_bytes) {
  const std::uint64_t forgotten = place.forgotten_;
  const std::size_t step = page_bytes(entry_bytes);
  const std::size_t known_before = place.firsts().size();
  std::vector<std::byte> firsts;
  std::vector<std::byte> chunk;
  std::size_t position = known_before / entry_bytes * step;
  while (position < file_bytes) {
    chunk.resize(std::min(pages_at_once * step, file_bytes - position));
    auto done = co_await read(path, position, chunk);
    if (forgotten != place.forgotten_) co_return unless_corrupt(std::move(done));
    if (!done) co_return done;
    for (std::size_t at = 0; at < chunk.size(); at += step) {
      const auto first = chunk.begin() + static_cast<std::ptrdiff_t>(at);
      firsts.insert(firsts.end(), first, first + static_cast<std::ptrdiff_t>(entry_bytes));
    }
    position += chunk.size();
  }
  Held& known = held(place);
  // Of an index that left the cache meanwhile the first ones are not known any more.
  if (known.firsts.size() == known_before) {
    known.firsts.insert(known.firsts.end(), firsts.begin(), firsts.end());
  }
  count(known);
  co_return StorageResult<void>();
}

void IndexCache::take_firsts(Place& place, std::size_t entry_bytes, ByteView file) {
  if (file.size() < entry_bytes) return;
  Held& known = held(place);
  known.firsts.clear();
  for (std::size_t at = 0; at < file.size(); at += page_bytes(entry_bytes)) {
    const ByteView first = file.subspan(at, entry_bytes);
    known.firsts.insert(known.firsts.end(), first.begin(), first.end());
  }
  count(known);
}

void IndexCache::forget(Place& place) {
  ++place.forgotten_;
  if (place.held_ == nullptr) return;
  unlink(*place.held_);
  bytes_ -= place.held_->bytes;
  place.held_.reset();
}

IndexCache::Held& IndexCache::held(Place& place) {
  if (place.held_ == nullptr) {
    place.owner_ = this;
    place.held_ = std::make_unique<Held>();
    place.held_->place = &place;
    link(*place.held_);
  }
  used(*place.held_);
  return *place.held_;
}

// The one that was just used stays: whoever asked for it looks at it next.
void IndexCache::count(Held& held) {
  bytes_ -= held.bytes;
  held.bytes = sizeof(Held) + held.firsts.capacity() + held.pages.capacity() * sizeof(Page);
  for (const Page& page : held.pages) held.bytes += page.size;
  bytes_ += held.bytes;
  while (bytes_ > bytes_max_ && oldest_ != newest_) forget(*oldest_->place);
}

void IndexCache::used(Held& held) {
  if (newest_ == &held) return;
  unlink(held);
  link(held);
}

void IndexCache::link(Held& held) {
  held.newer = nullptr;
  held.older = newest_;
  (newest_ == nullptr ? oldest_ : newest_->newer) = &held;
  newest_ = &held;
}

void IndexCache::unlink(Held& held) {
  (held.newer == nullptr ? newest_ : held.newer->older) = held.older;
  (held.older == nullptr ? oldest_ : held.older->newer) = held.newer;
}

}  // namespace millrace::storage
