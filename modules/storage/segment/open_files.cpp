module;
#include <coroutine>
#include <cstddef>
#include <list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

module millrace.storage.segment;

namespace millrace::storage {

OpenFiles::~OpenFiles() {
  check(entries_.empty(), "files are closed before their cache goes");
}

Task<StorageResult<OpenFiles::Lease>> OpenFiles::acquire(std::string path, OpenMode mode) {
  // Two that want the same file must not both open it.
  const auto guard = co_await opening_.lock();
  if (const auto lost = lost_.find(path); lost != lost_.end()) {
    co_return storage_failure(lost->second, path);
  }
  if (auto lease = acquire_open(path)) co_return std::move(*lease);
  opening_path_ = path;
  opening_forgotten_ = false;
  auto opened = co_await files_.open(path, mode);
  if (!opened && opened.error().fault == IoFault::too_many_open) {
    co_await close_unused(0);
    opened = co_await files_.open(path, mode);
  }
  opening_path_ = {};
  if (!opened) co_return storage_failure(opened.error(), path);
  entries_.push_front(Entry{std::move(path), *opened, 1, opening_forgotten_});
  const Place place = entries_.begin();
  if (!opening_forgotten_) by_path_.emplace(place->path, place);
  Lease lease(*this, place);
  if (entries_.size() > open_max_) co_await close_unused(open_max_);
  co_return lease;
}

std::optional<OpenFiles::Lease> OpenFiles::acquire_open(std::string_view path) {
  const auto known = by_path_.find(path);
  if (known == by_path_.end() || (!lost_.empty() && lost_.contains(std::string(path)))) {
    return std::nullopt;
  }
  const Place place = known->second;
  entries_.splice(entries_.begin(), entries_, place);
  ++place->leases;
  return Lease(*this, place);
}

Task<void> OpenFiles::forget(std::string path) {
  // What is being opened may be the file from before.
  if (path == opening_path_) opening_forgotten_ = true;
  lost_.erase(path);
  const auto known = by_path_.find(path);
  if (known == by_path_.end()) co_return;
  const Place place = known->second;
  by_path_.erase(known);
  place->forgotten = true;
  if (place->leases == 0) co_await close(take_out(place));
}

Task<void> OpenFiles::close_all() {
  co_await close_unused(0);
  co_await closing_.wait();
  check(entries_.empty(), "no file is in use when all are closed");
}

void OpenFiles::give_back(Place place) {
  --place->leases;
  if (place->leases > 0) return;
  if (place->forgotten || entries_.size() > open_max_) closing_.start(close(take_out(place)));
}

OpenFiles::Entry OpenFiles::take_out(Place place) {
  if (!place->forgotten) by_path_.erase(place->path);
  Entry entry = std::move(*place);
  entries_.erase(place);
  return entry;
}

Task<void> OpenFiles::close_unused(std::size_t open_wanted) {
  auto place = entries_.end();
  while (place != entries_.begin() && entries_.size() > open_wanted) {
    --place;
    if (place->leases > 0) continue;
    const Place unused = place++;
    closing_.start(close(take_out(unused)));
  }
  co_await closing_.wait();
}

// The system may tell of lost bytes only once, and a sync through another descriptor would succeed:
// whoever uses the file next is told.
Task<void> OpenFiles::close(Entry entry) {
  const auto closed = co_await files_.close(entry.handle);
  if (closed) co_return;
  ++close_failures_;
  if (!entry.forgotten) lost_.emplace(std::move(entry.path), closed.error());
}

}  // namespace millrace::storage
