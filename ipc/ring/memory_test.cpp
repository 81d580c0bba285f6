#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <utility>

import millrace.ipc.ring;

namespace millrace::ipc {
namespace {

constexpr std::size_t size = 8192;

TEST(SharedMemory, shows_to_one_mapping_what_another_wrote) {
  auto made = SharedMemory::make("test", size, MemoryAccess::read_write, true).value();
  const auto other =
      SharedMemory::map(made.descriptor.number(), size, MemoryAccess::read_only).value();
  made.memory.writable_bytes()[size - 1] = std::byte{42};
  EXPECT_EQ(other.bytes()[size - 1], std::byte{42});
}

TEST(SharedMemory, cannot_be_shrunk_or_grown_by_a_peer) {
  const auto made = SharedMemory::make("test", size, MemoryAccess::read_write, true).value();
  EXPECT_NE(::ftruncate(made.descriptor.number(), 0), 0);
  EXPECT_EQ(errno, EPERM);
  EXPECT_NE(::ftruncate(made.descriptor.number(), 2 * size), 0);
  EXPECT_EQ(errno, EPERM);
}

TEST(SharedMemory, is_written_by_nobody_else_where_peers_only_read) {
  auto made = SharedMemory::make("test", size, MemoryAccess::read_write, false).value();
  const int descriptor = made.descriptor.number();
  EXPECT_FALSE(SharedMemory::map(descriptor, size, MemoryAccess::read_write));
  EXPECT_LT(::write(descriptor, "x", 1), 0);
  const auto path = formatted("/proc/self/fd/{}", descriptor);
  const Descriptor reopened(::open(path.c_str(), O_RDWR | O_CLOEXEC));
  ASSERT_TRUE(reopened.is_open());
  EXPECT_FALSE(SharedMemory::map(reopened.number(), size, MemoryAccess::read_write));
  made.memory.writable_bytes()[0] = std::byte{1};  // its maker still does
  EXPECT_TRUE(SharedMemory::map(descriptor, size, MemoryAccess::read_only));
}

TEST(SharedMemory, is_refused_where_it_could_shrink_under_the_reader) {
  const Descriptor loose(::memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  ASSERT_EQ(::ftruncate(loose.number(), size), 0);
  const auto mapped = SharedMemory::map(loose.number(), size, MemoryAccess::read_only);
  ASSERT_FALSE(mapped);
  EXPECT_EQ(mapped.error().kind, ErrorKind::corrupt);
}

TEST(SharedMemory, is_refused_where_it_is_smaller_than_said) {
  const auto made = SharedMemory::make("test", size, MemoryAccess::read_write, true).value();
  EXPECT_FALSE(SharedMemory::map(made.descriptor.number(), size + 1, MemoryAccess::read_only));
}

TEST(SharedMemory, is_refused_where_the_descriptor_is_none) {
  EXPECT_FALSE(SharedMemory::map(-1, size, MemoryAccess::read_only));
  const Descriptor pipe(::open("/dev/null", O_RDWR | O_CLOEXEC));
  EXPECT_FALSE(SharedMemory::map(pipe.number(), size, MemoryAccess::read_only));
}

TEST(Descriptor, is_closed_with_its_owner) {
  int number = -1;
  {
    Descriptor owner(::open("/dev/null", O_RDWR | O_CLOEXEC));
    number = owner.number();
    const Descriptor heir(std::move(owner));
    EXPECT_GE(::fcntl(number, F_GETFD), 0);
  }
  EXPECT_LT(::fcntl(number, F_GETFD), 0);
}

}  // namespace
}  // namespace millrace::ipc
