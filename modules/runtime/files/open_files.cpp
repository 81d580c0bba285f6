module;
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <deque>

module millrace.runtime.files;

namespace millrace::files {
namespace {

// A place rests while fewer than these are free, so that a stale handle needs millions of closed
// files to mean something again.
constexpr std::size_t resting_places = 256;

[[nodiscard]] std::uint32_t place_of(FileHandle handle) {
  return static_cast<std::uint32_t>(handle.value()) % open_files_max;
}

[[nodiscard]] std::uint32_t generation_of(FileHandle handle) {
  return static_cast<std::uint32_t>(handle.value()) >> place_bits;
}

[[nodiscard]] FileHandle handle_of(std::uint32_t place, std::uint32_t generation) {
  return FileHandle(static_cast<std::int32_t>(generation << place_bits | place));
}

// Never zero: no handle is zero, which is what an integer is by default.
[[nodiscard]] std::uint32_t next_generation(std::uint32_t generation) {
  return generation + 1 == generations ? 1 : generation + 1;
}

}  // namespace

OpenFileTable::OpenFileTable(std::size_t files_max) : files_max_(files_max) {
  check(files_max <= open_files_max, "a handle has room for every open file");
}

OpenFileTable::~OpenFileTable() {
  for (const OpenFile& file : places_) {
    if (file.descriptor >= 0) ::close(file.descriptor);
  }
}

bool OpenFileTable::reserve() {
  if (open_ + reserved_ >= files_max_) return false;
  ++reserved_;
  return true;
}

FileHandle OpenFileTable::add(int descriptor) {
  check(reserved_ > 0, "a file is opened into a place that was kept for it");
  --reserved_;
  ++open_;
  std::uint32_t place = 0;
  const bool grows = free_.size() < resting_places && places_.size() < open_files_max;
  if (grows) {
    place = static_cast<std::uint32_t>(places_.size());
    places_.emplace_back().handle = handle_of(place, next_generation(0));
  } else {
    place = free_.front();
    free_.pop_front();
  }
  OpenFile& file = places_[place];
  const FileHandle handle = file.handle;
  file = OpenFile{};
  file.handle = handle;
  file.descriptor = descriptor;
  return handle;
}

const OpenFile* OpenFileTable::find(FileHandle handle) const {
  const std::uint32_t place = place_of(handle);
  if (handle.value() < 0 || place >= places_.size()) return nullptr;
  const OpenFile& file = places_[place];
  const bool usable = file.handle == handle && file.descriptor >= 0 && file.closing == nullptr;
  return usable ? &file : nullptr;
}

OpenFile* OpenFileTable::find(FileHandle handle) {
  return const_cast<OpenFile*>(static_cast<const OpenFileTable*>(this)->find(handle));
}

OpenFile& OpenFileTable::get(FileHandle handle) {
  OpenFile& file = places_[place_of(handle)];
  check(file.handle == handle, "a file stays while an operation holds it");
  return file;
}

void OpenFileTable::remove(FileHandle handle) {
  OpenFile& file = get(handle);
  check(file.in_flight == 0, "no operation holds a file that is removed");
  file.descriptor = -1;
  file.handle = handle_of(place_of(handle), next_generation(generation_of(handle)));
  free_.push_back(place_of(handle));
  --open_;
}

}  // namespace millrace::files
