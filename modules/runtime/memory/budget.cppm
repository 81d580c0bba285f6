// Memory budgets: what the requests of all shards may take together, who waits when it is used up,
// and why somebody always can go on.
module;
#include <atomic>
#include <compare>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

export module millrace.runtime.memory:budget;

import millrace.base;
import millrace.runtime;
import millrace.telemetry;

export namespace millrace {

using telemetry::ShardIndex;

// What a shard takes from a budget at a time, to have it at hand.
inline constexpr std::size_t budget_chunk_bytes_max = 256 * kibibyte;
// All shards together keep at most one part in so many of a budget at hand.
inline constexpr std::size_t budget_at_hand_part = 4;

struct BudgetOptions {
  std::string name;  // label of its metrics
  std::size_t limit_bytes = 0;
  // Part of the limit that is kept aside: the oldest claim that waits takes it, so that it can end.
  // No claim may then be larger. 0: there is none.
  std::size_t reserve_bytes = 0;
  std::uint32_t shard_count = 1;
};

class LocalBudget;
class MemoryClaim;

// Whoever came first is served first: by the time when a claim began; between shards that began at
// the same time, by their number.
struct ClaimAge {
  MonotonicTime began;
  ShardIndex shard;
  std::uint64_t number = 0;

  friend auto operator<=>(const ClaimAge&, const ClaimAge&) = default;
};

// One budget of the process, which all shards share. Owned by whoever starts the process; outlives
// the LocalBudgets through which shards use it. Of itself it can be asked from any thread.
class MemoryBudget {
 public:
  explicit MemoryBudget(BudgetOptions options);
  // All has been given back.
  ~MemoryBudget();
  MemoryBudget(const MemoryBudget&) = delete;
  MemoryBudget& operator=(const MemoryBudget&) = delete;

  [[nodiscard]] const std::string& name() const { return options_.name; }
  [[nodiscard]] std::size_t limit() const { return options_.limit_bytes; }
  // The largest claim that can be granted.
  [[nodiscard]] std::size_t claim_bytes_max() const {
    return options_.reserve_bytes > 0 ? options_.reserve_bytes : options_.limit_bytes;
  }
  // What claims have and shards keep at hand, the reserve not counted. Never more than the limit
  // less the reserve.
  [[nodiscard]] std::size_t taken() const { return shared_bytes_ - free_.load(); }
  [[nodiscard]] bool is_reserve_lent() const;
  // Claims that wait.
  [[nodiscard]] std::size_t waiting() const { return waiting_.load(); }

 private:
  friend class LocalBudget;
  friend class MemoryClaim;

  // A claim that waits, in the frame of the coroutine that awaits it. Called back on its shard.
  struct Waiter : Callback {
    explicit Waiter(Function function) : Callback(function) {}
    LocalBudget* local = nullptr;
    MemoryClaim* claim = nullptr;
    ClaimAge age;
    std::size_t bytes = 0;
    enum class End : std::uint8_t { none, granted, lent, cancelled } end = End::none;
  };

  // Takes `least`, and as much of `wanted` as there is; nothing if not even `least` is free or if
  // others wait.
  [[nodiscard]] std::size_t take(std::size_t least, std::size_t wanted);
  // Whoever waits may now have enough.
  void give_back(std::size_t bytes);
  void return_reserve();
  void wait(Waiter& waiter);
  void cancel(Waiter& waiter);
  void join(LocalBudget& local);
  void leave(LocalBudget& local);

  [[nodiscard]] bool take_free(std::size_t bytes);
  // With the lock: grants what can be granted, oldest first.
  void serve();
  void end(Waiter& waiter, Waiter::End how);

  const BudgetOptions options_;
  const std::size_t shared_bytes_;  // the limit less the reserve
  const std::size_t chunk_bytes_;   // what a shard keeps at hand

  alignas(128) std::atomic<std::size_t> free_;
  // How many wait. Written with the lock; while it is not 0, nobody takes anything past them.
  alignas(128) std::atomic<std::size_t> waiting_ = 0;

  alignas(128) mutable std::mutex mutex_;
  std::map<ClaimAge, Waiter*> waiters_;
  bool is_reserve_lent_ = false;
  std::vector<LocalBudget*> locals_;
};

// A budget as one shard uses it; lives and is used there. It keeps some memory at hand, so that a
// claim takes no lock and writes nothing that other shards read. Ends after its claims; clock,
// mailbox and budget outlive it.
class LocalBudget {
 public:
  // Clock and mailbox are those of the shard.
  LocalBudget(MemoryBudget& budget, const Clock& clock, Mailbox& mailbox, ShardIndex shard,
              telemetry::BudgetMeter meter);
  ~LocalBudget();
  LocalBudget(const LocalBudget&) = delete;
  LocalBudget& operator=(const LocalBudget&) = delete;

  [[nodiscard]] MemoryBudget& budget() { return budget_; }
  // What claims of this shard have, their part of the reserve included.
  [[nodiscard]] std::size_t used() const { return used_; }

 private:
  friend class MemoryBudget;
  friend class MemoryClaim;

  [[nodiscard]] ClaimAge next_age() { return {clock_.now(), shard_, ++claims_}; }
  // From what is at hand, or else from what all share; false if others wait or there is not enough.
  [[nodiscard]] inline bool take(std::size_t bytes) {
    if (bytes == 0) return true;
    if (bytes > at_hand_ || budget_.waiting_.load(std::memory_order_relaxed) != 0) {
      if (!refill(bytes)) return false;
    }
    at_hand_ -= bytes;
    return true;
  }
  [[nodiscard]] bool refill(std::size_t bytes);
  void put_back(std::size_t bytes);
  void give_all_back();
  void use(std::size_t more) {
    used_ += more;
    meter_.used_is(used_);
  }
  void use_less(std::size_t less) {
    used_ -= less;
    meter_.used_is(used_);
  }

  MemoryBudget& budget_;
  const Clock& clock_;
  Mailbox& mailbox_;
  ShardIndex shard_;
  telemetry::BudgetMeter meter_;
  std::size_t at_hand_ = 0;
  std::size_t used_ = 0;
  std::uint64_t claims_ = 0;
  // Somebody waits: what is at hand goes back.
  RecurringCallback recall_;
};

// How growing a claim ended.
enum class Grown : std::uint8_t {
  granted,
  cancelled,
  too_large,  // never to be granted; claim_bytes_max() says what may be
};

// What one frame, request or answer has of a budget. It grows as bytes arrive, and gives everything
// back when it ends. Its age counts from when it was made: of those that wait, the oldest is served
// first, and if there is a reserve the oldest gets that, unless another still has it. Moves, but
// not while it waits; lives on the shard of its LocalBudget, which outlives it.
class MemoryClaim {
 public:
  explicit MemoryClaim(LocalBudget& local) : local_(&local), age_(local.next_age()) {}
  MemoryClaim(MemoryClaim&& other) noexcept;
  MemoryClaim& operator=(MemoryClaim&& other) noexcept;
  ~MemoryClaim() { release(); }

  // `co_await claim.grow(bytes)`. One grows at a time; what it has stays its own while it waits.
  [[nodiscard]] auto grow(std::size_t bytes) { return Growth(*this, bytes); }
  // Without waiting, and never before those who wait.
  [[nodiscard]] bool try_grow(std::size_t bytes);
  // Gives back so much of what it has, or all.
  void shrink(std::size_t bytes);
  void release();
  // Ends a wait with Grown::cancelled, unless it is granted already.
  void cancel();

  [[nodiscard]] std::size_t bytes() const { return bytes_ + lent_bytes_; }
  [[nodiscard]] bool is_waiting() const { return waiter_ != nullptr; }
  [[nodiscard]] bool has_reserve() const { return has_reserve_; }
  [[nodiscard]] const ClaimAge& age() const { return age_; }

 private:
  friend class MemoryBudget;

  class Growth : public MemoryBudget::Waiter {
   public:
    Growth(MemoryClaim& c, std::size_t b)
        : Waiter([](Callback& self) { static_cast<Growth&>(self).resume(); }), claim_(c) {
      bytes = b;
    }
    [[nodiscard]] bool await_ready();
    void await_suspend(std::coroutine_handle<> awaiting);
    [[nodiscard]] Grown await_resume() const { return result_; }

   private:
    void resume();

    MemoryClaim& claim_;
    Grown result_ = Grown::granted;
    std::coroutine_handle<> awaiting_;
  };

  [[nodiscard]] bool grow_from_reserve(std::size_t bytes);

  LocalBudget* local_;
  ClaimAge age_;
  std::size_t bytes_ = 0;       // of what all share
  std::size_t lent_bytes_ = 0;  // of the reserve
  bool has_reserve_ = false;
  MemoryBudget::Waiter* waiter_ = nullptr;
};

}  // namespace millrace
