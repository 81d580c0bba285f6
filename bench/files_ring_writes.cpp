#include <fcntl.h>
#include <liburing.h>
#include <unistd.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

// This one imports the module: it comes after all that includes standard headers.
#include "files_bench.hpp"

namespace millrace::bench {

void write_through_ring(const Case& what, const Settings& settings) {
  io_uring ring{};
  must(::io_uring_queue_init(static_cast<unsigned>(what.outstanding), &ring, 0) == 0, "io_uring");
  std::vector<int> files;
  for (std::size_t i = 0; i < what.files; ++i) {
    files.push_back(::open(settings.path(i).c_str(), O_RDWR | O_CLOEXEC));
  }
  const std::vector<std::byte> block(what.bytes, std::byte{1});
  std::size_t begun = 0;
  std::size_t ended = 0;
  while (ended < what.operations) {
    while (begun < what.operations && begun - ended < what.outstanding) {
      io_uring_sqe* entry = ::io_uring_get_sqe(&ring);
      if (entry == nullptr) break;
      ::io_uring_prep_write(entry, files[begun % what.files], block.data(),
                            static_cast<unsigned>(block.size()),
                            std::uint64_t{begun / what.files} * block.size());
      ++begun;
    }
    must(::io_uring_submit_and_wait(&ring, 1) >= 0, "io_uring_submit_and_wait");
    io_uring_cqe* entry = nullptr;
    while (::io_uring_peek_cqe(&ring, &entry) == 0) {
      must(entry->res == static_cast<int>(block.size()), "a write in a ring");
      ::io_uring_cqe_seen(&ring, entry);
      ++ended;
    }
  }
  for (const int file : files) ::close(file);
  ::io_uring_queue_exit(&ring);
}

}  // namespace millrace::bench
