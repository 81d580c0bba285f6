module;
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <utility>

module millrace.ipc.ring;

import millrace.base;

namespace millrace::ipc {
namespace {

constexpr int size_seals = F_SEAL_SHRINK | F_SEAL_GROW;

auto refused(const char* call) {
  return failure(ErrorKind::io, formatted("shared memory: {}: errno {}", call, errno));
}

Result<std::byte*> map_pages(int descriptor, std::size_t bytes, MemoryAccess access) {
  const int protection = access == MemoryAccess::read_write ? PROT_READ | PROT_WRITE : PROT_READ;
  void* data = ::mmap(nullptr, bytes, protection, MAP_SHARED, descriptor, 0);
  if (data == MAP_FAILED) return refused("mmap");
  return static_cast<std::byte*>(data);
}

}  // namespace

Descriptor& Descriptor::operator=(Descriptor&& other) noexcept {
  if (this == &other) return *this;
  close();
  number_ = other.release();
  return *this;
}

int Descriptor::release() {
  return std::exchange(number_, -1);
}

void Descriptor::close() {
  if (number_ >= 0) ::close(release());
}

SharedMemory::SharedMemory(SharedMemory&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

SharedMemory& SharedMemory::operator=(SharedMemory&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

SharedMemory::~SharedMemory() {
  if (data_ != nullptr) ::munmap(data_, size_);
}

Result<SharedMemory::Made> SharedMemory::make(const char* name, std::size_t bytes,
                                              MemoryAccess access, bool peers_write) {
  Descriptor descriptor(::memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!descriptor.is_open()) return refused("memfd_create");
  if (::ftruncate(descriptor.number(), static_cast<off_t>(bytes)) != 0) return refused("ftruncate");
  if (const int number = ::posix_fallocate(descriptor.number(), 0, static_cast<off_t>(bytes));
      number != 0) {
    errno = number;
    return refused("posix_fallocate");
  }
  auto data = map_pages(descriptor.number(), bytes, access);
  if (!data) return failure(data.error());
  SharedMemory memory(*data, bytes);
  // Our own mapping was made before, so it stays writable.
  const int seals = size_seals | F_SEAL_SEAL | (peers_write ? 0 : F_SEAL_FUTURE_WRITE);
  if (::fcntl(descriptor.number(), F_ADD_SEALS, seals) != 0) return refused("F_ADD_SEALS");
  return Made{.descriptor = std::move(descriptor), .memory = std::move(memory)};
}

Result<SharedMemory> SharedMemory::map(int descriptor, std::size_t bytes, MemoryAccess access) {
  const int seals = ::fcntl(descriptor, F_GET_SEALS);
  if (seals < 0) return refused("F_GET_SEALS");
  if ((seals & F_SEAL_SHRINK) == 0) {
    return failure(ErrorKind::corrupt, "shared memory could shrink under us");
  }
  struct stat status{};
  if (::fstat(descriptor, &status) != 0) return refused("fstat");
  if (std::cmp_less(status.st_size, bytes)) {
    return failure(ErrorKind::corrupt,
                   formatted("shared memory has {} bytes and not {}", status.st_size, bytes));
  }
  auto data = map_pages(descriptor, bytes, access);
  if (!data) return failure(data.error());
  return SharedMemory(*data, bytes);
}

}  // namespace millrace::ipc
