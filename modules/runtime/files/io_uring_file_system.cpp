module;
#include <liburing.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <utility>

module millrace.runtime.files;

namespace millrace {
namespace {

// What is prepared in one turn; more is submitted in between.
constexpr unsigned submissions_max = 128;
// One operation of the ring has a 32-bit length; longer reads go in parts.
constexpr std::size_t read_bytes_max = std::size_t{1} << 30;
// Threads that the kernel may use for the syncs and the large reads of one shard.
constexpr unsigned kernel_threads_max = 16;
// How long to wait when the kernel takes nothing more.
constexpr Duration retry_after = std::chrono::milliseconds{1};
// Without these a completion could be lost, and what is submitted would have to stay in place.
constexpr unsigned features_needed = IORING_FEAT_NODROP | IORING_FEAT_SUBMIT_STABLE;

[[nodiscard]] auto refused(const char* call, int error_number) {
  return failure(ErrorKind::unsupported, formatted("{}: {} (errno {})", call,
                                                   ::strerrordesc_np(error_number), error_number));
}

}  // namespace

class IoUringFileSystem::Retry final : public Timer {
 public:
  explicit Retry(IoUringFileSystem*& o)
      : Timer([](Timer& self) {
          IoUringFileSystem& files = *static_cast<Retry&>(self).owner_;
          files.submit();
          files.turn();
        }),
        owner_(o) {}

 private:
  IoUringFileSystem*& owner_;
};

struct IoUringFileSystem::Ring {
  struct Rung : Watch {
    explicit Rung(Ring& r)
        : Watch([](Watch& self) { static_cast<Rung&>(self).answer(); }), ring(r) {}
    void answer() const {
      std::uint64_t rings = 0;
      const auto read = ::read(ring.eventfd, &rings, sizeof rings);
      check(read == sizeof rings || errno == EAGAIN, "an eventfd gives its number");
      ring.owner->turn();
    }
    Ring& ring;
  };

  Ring() = default;
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;
  ~Ring() {
    if (rung.active()) rung.loop_->unwatch(rung);
    if (made) ::io_uring_queue_exit(&ring);
    if (eventfd >= 0) ::close(eventfd);
  }
  [[nodiscard]] Result<void> open(unsigned operations_max);
  // Some filters let a ring be made and not be used.
  [[nodiscard]] Result<void> try_out();

  io_uring ring{};
  bool made = false;
  int eventfd = -1;
  IoUringFileSystem* owner = nullptr;
  Rung rung{*this};
  Retry retry{owner};
};

Result<void> IoUringFileSystem::Ring::open(unsigned operations_max) {
  io_uring_params params{};
  params.flags = IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP;
  params.cq_entries = std::max(operations_max, 2 * submissions_max);
  if (const int error = ::io_uring_queue_init_params(submissions_max, &ring, &params); error < 0) {
    return refused("io_uring_setup", -error);
  }
  made = true;
  if ((params.features & features_needed) != features_needed) {
    return failure(ErrorKind::unsupported, "the io_uring of this kernel may lose completions");
  }
  // Otherwise completions could not be held back by holding back operations.
  if (params.cq_entries < operations_max) {
    return failure(ErrorKind::limit_exceeded,
                   formatted("a ring has room for {} operations, not for {}", params.cq_entries,
                             operations_max));
  }
  io_uring_probe* probe = ::io_uring_get_probe_ring(&ring);
  if (probe == nullptr) return failure(ErrorKind::unsupported, "io_uring tells no operations");
  const bool supported = ::io_uring_opcode_supported(probe, IORING_OP_READ) != 0 &&
                         ::io_uring_opcode_supported(probe, IORING_OP_FSYNC) != 0;
  ::io_uring_free_probe(probe);
  if (!supported) {
    return failure(ErrorKind::unsupported, "the io_uring of this kernel lacks read or fsync");
  }
  eventfd = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (eventfd < 0) return refused("eventfd", errno);
  if (const int error = ::io_uring_register_eventfd(&ring, eventfd); error < 0) {
    return refused("io_uring_register_eventfd", -error);
  }
  // Older kernels choose the number themselves.
  std::array<unsigned, 2> workers{kernel_threads_max, 0};
  static_cast<void>(::io_uring_register_iowq_max_workers(&ring, workers.data()));
  return {};
}

Result<void> IoUringFileSystem::Ring::try_out() {
  ::io_uring_prep_nop(::io_uring_get_sqe(&ring));
  if (const int submitted = ::io_uring_submit(&ring); submitted < 0) {
    return refused("io_uring_enter", -submitted);
  }
  io_uring_cqe* entry = nullptr;
  int error = -EINTR;
  while (error == -EINTR) error = ::io_uring_wait_cqe(&ring, &entry);
  if (error < 0) return refused("io_uring_enter", -error);
  ::io_uring_cqe_seen(&ring, entry);
  std::uint64_t rings = 0;
  if (::read(eventfd, &rings, sizeof rings) != sizeof rings) return refused("its eventfd", errno);
  return {};
}

Result<void> probe_io_uring() {
  IoUringFileSystem::Ring ring;
  if (auto opened = ring.open(1); !opened) return opened;
  return ring.try_out();
}

Result<std::unique_ptr<IoUringFileSystem>> IoUringFileSystem::make(
    EventLoop& loop, FilePool& pool, const FileSystemOptions& options) {
  auto ring = std::make_unique<Ring>();
  if (auto opened = ring->open(options.ring_operations_max); !opened) {
    return failure(opened.error());
  }
  if (auto watched = loop.watch(ring->rung, ring->eventfd); !watched) {
    return failure(watched.error());
  }
  return std::unique_ptr<IoUringFileSystem>(
      new IoUringFileSystem(loop, pool, options, std::move(ring)));
}

IoUringFileSystem::IoUringFileSystem(EventLoop& loop, FilePool& pool,
                                     const FileSystemOptions& options, std::unique_ptr<Ring> ring)
    : PosixFileSystem(loop, pool, options),
      ring_(std::move(ring)),
      in_ring_max_(options.ring_operations_max),
      submit_soon_(this, [](void* self) {
        auto& files = *static_cast<IoUringFileSystem*>(self);
        files.submit();
        files.turn();
      }) {
  ring_->owner = this;
}

IoUringFileSystem::~IoUringFileSystem() {
  check(in_ring_ == 0 && waiting_.empty(), "a file system outlives its operations");
}

void IoUringFileSystem::carry_out(IoOperation& operation, Reason reason) {
  if (operation.kind_ != IoKind::read && operation.kind_ != IoKind::sync_data) {
    carry_out_in_pool(operation);
    return;
  }
  // Who holds the operation: this thread, which copies at once what is in memory when it submits,
  // or else a thread of the kernel.
  operation.hold_.holder = reason == Reason::costs_too_much ? nullptr : this;
  count_to_ring();
  enqueue(operation);
}

void IoUringFileSystem::enqueue(IoOperation& operation) {
  const bool full = in_ring_ == in_ring_max_ || !waiting_.empty();
  if (full || !prepare(operation)) waiting_.add(operation);
}

bool IoUringFileSystem::prepare(IoOperation& operation) {
  io_uring_sqe* entry = ::io_uring_get_sqe(&ring_->ring);
  if (entry == nullptr) {
    submit();
    entry = ::io_uring_get_sqe(&ring_->ring);
    if (entry == nullptr) return false;
  }
  if (operation.kind_ == IoKind::read) {
    const MutableBytes rest = operation.buffer_.subspan(operation.hold_.done);
    ::io_uring_prep_read(entry, operation.hold_.descriptor, rest.data(),
                         static_cast<unsigned>(std::min(rest.size(), read_bytes_max)),
                         operation.position_ + operation.hold_.done);
    if (operation.hold_.holder == nullptr) ::io_uring_sqe_set_flags(entry, IOSQE_ASYNC);
  } else {
    ::io_uring_prep_fsync(entry, operation.hold_.descriptor, IORING_FSYNC_DATASYNC);
  }
  ::io_uring_sqe_set_data(entry, &operation);
  ++in_ring_;
  if (Callback* callback = submit_soon_.ask()) loop().post(*callback);
  return true;
}

void IoUringFileSystem::submit() {
  while (::io_uring_sq_ready(&ring_->ring) > 0) {
    const int submitted = ::io_uring_submit(&ring_->ring);
    if (submitted > 0 || submitted == -EINTR) continue;
    const bool later =
        submitted == 0 || submitted == -EAGAIN || submitted == -EBUSY || submitted == -ENOMEM;
    check(later, "the kernel takes what is prepared as it should be");
    loop().arm(ring_->retry, loop().clock().now() + retry_after);
    return;
  }
}

void IoUringFileSystem::turn() {
  files::OperationQueue have_result;
  std::array<io_uring_cqe*, 64> entries{};
  for (;;) {
    const unsigned count = ::io_uring_peek_batch_cqe(&ring_->ring, entries.data(),
                                                     static_cast<unsigned>(entries.size()));
    if (count == 0) break;
    in_ring_ -= count;
    for (unsigned i = 0; i < count; ++i) {
      auto& operation = *static_cast<IoOperation*>(::io_uring_cqe_get_data(entries[i]));
      if (completed(operation, entries[i]->res)) have_result.add(operation);
    }
    ::io_uring_cq_advance(&ring_->ring, count);
  }
  while (in_ring_ < in_ring_max_ && !waiting_.empty()) {
    IoOperation& next = *waiting_.take();
    if (prepare(next)) continue;
    waiting_.add(next);
    break;
  }
  // Nothing of this object is touched after the last: whoever awaited it may end the file system.
  while (IoOperation* operation = have_result.take()) ended(*operation);
}

bool IoUringFileSystem::completed(IoOperation& operation, int result) {
  const bool again = result == -EINTR || result == -EAGAIN;
  if (operation.kind_ == IoKind::sync_data) {
    if (result < 0) files::fail_sync(operation, -result);
    return true;
  }
  if (result < 0 && !again) {
    files::fail(operation, -result);
    return true;
  }
  if (!again) {
    operation.hold_.done += static_cast<std::size_t>(result);
    operation.value_ = operation.hold_.done;
    if (result == 0 || operation.hold_.done == operation.buffer_.size()) return true;
  }
  waiting_.add(operation);
  return false;
}

}  // namespace millrace
