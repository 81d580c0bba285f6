// The memory of one message of one request.
module;
#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

module millrace.broker.partitions.data:arena_lease;

import millrace.base;
import millrace.protocol.wire;
import :data_requests;

namespace millrace::broker {

// What the arrays of a request and of its answer may take: hundreds of thousands of partitions.
inline constexpr std::size_t request_arena_bytes_max = 16 * mebibyte;

// An arena of the shard, given back at the end of the request.
class ArenaLease {
 public:
  explicit ArenaLease(DataRequests& owner) : owner_(owner) {
    if (owner.arenas_.empty()) {
      arena_ = std::make_unique<protocol::Arena>(request_arena_bytes_max);
    } else {
      arena_ = std::move(owner.arenas_.back());
      owner.arenas_.pop_back();
    }
  }
  ArenaLease(const ArenaLease&) = delete;
  ArenaLease& operator=(const ArenaLease&) = delete;
  ~ArenaLease() {
    if (owner_.arenas_.size() >= kept_arenas_max) return;
    arena_->reset();
    owner_.arenas_.push_back(std::move(arena_));
  }

  [[nodiscard]] protocol::Arena& operator*() const { return *arena_; }
  [[nodiscard]] protocol::Arena* operator->() const { return arena_.get(); }

 private:
  DataRequests& owner_;
  std::unique_ptr<protocol::Arena> arena_;
};

}  // namespace millrace::broker
