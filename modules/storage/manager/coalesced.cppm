// Work that many ask for at a time is done once for all of them.
module;
#include <coroutine>
#include <cstdint>
#include <functional>
#include <utility>

export module millrace.storage.manager:coalesced;

import millrace.base;
import millrace.runtime;
import millrace.storage.files;

export namespace millrace::storage {

// For writes and syncs that cover everything that was changed before they begin. A member of
// whoever does the work; lives on one shard and outlives those who wait.
class Coalesced {
 public:
  using Work = std::function<Task<StorageResult<void>>()>;

  explicit Coalesced(Work work) : work_(std::move(work)) {}

  // Resumes when the work was done from beginning to end after this call, with its outcome. Who
  // asks while it is being done waits for the next time, together with all others who do.
  [[nodiscard]] Task<StorageResult<void>> run() {
    const std::uint64_t ticket = ++asked_;
    const auto guard = co_await turn_.lock();
    if (covered_ < ticket) {
      const std::uint64_t covered = asked_;
      outcome_ = co_await work_();
      covered_ = covered;
      ++done_;
    }
    co_return outcome_;
  }

  // How often the work was done.
  [[nodiscard]] std::uint64_t done() const { return done_; }

 private:
  Work work_;
  AsyncMutex turn_;
  std::uint64_t asked_ = 0;
  std::uint64_t covered_ = 0;  // the last ticket that the last outcome is for
  std::uint64_t done_ = 0;
  StorageResult<void> outcome_;
};

}  // namespace millrace::storage
