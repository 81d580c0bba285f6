module;
#include <algorithm>
#include <atomic>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <utility>
#include <vector>

module millrace.runtime.memory;

import millrace.base;
import millrace.runtime;
import millrace.telemetry;

namespace millrace {
namespace {

std::size_t chunk_bytes_for(const BudgetOptions& options) {
  const std::size_t shared = options.limit_bytes - options.reserve_bytes;
  // A shard gives back what is over two chunks.
  return std::min(budget_chunk_bytes_max, shared / (2 * budget_at_hand_part * options.shard_count));
}

}  // namespace

MemoryBudget::MemoryBudget(BudgetOptions options)
    : options_(std::move(options)),
      shared_bytes_(options_.limit_bytes - options_.reserve_bytes),
      chunk_bytes_(chunk_bytes_for(options_)),
      free_(shared_bytes_) {
  check(options_.limit_bytes >= options_.reserve_bytes, "a reserve is part of its budget");
}

MemoryBudget::~MemoryBudget() {
  check(locals_.empty(), "a budget outlives its use by shards");
  check(free_.load() == shared_bytes_ && !is_reserve_lent_, "a budget gets back all it gave");
}

bool MemoryBudget::is_reserve_lent() const {
  const std::lock_guard lock(mutex_);
  return is_reserve_lent_;
}

std::size_t MemoryBudget::take(std::size_t least, std::size_t wanted) {
  if (waiting_.load() != 0) return 0;
  std::size_t free = free_.load();
  std::size_t taken = 0;
  do {
    if (free < least) return 0;
    taken = std::min(free, std::max(least, wanted));
  } while (!free_.compare_exchange_weak(free, free - taken));
  return taken;
}

bool MemoryBudget::take_free(std::size_t bytes) {
  std::size_t free = free_.load();
  do {
    if (free < bytes) return false;
  } while (!free_.compare_exchange_weak(free, free - bytes));
  return true;
}

void MemoryBudget::give_back(std::size_t bytes) {
  free_.fetch_add(bytes);
  // Whoever begins to wait says so first and looks at what is free then: one of us sees the other.
  if (waiting_.load() == 0) return;
  const std::lock_guard lock(mutex_);
  serve();
}

void MemoryBudget::return_reserve() {
  const std::lock_guard lock(mutex_);
  is_reserve_lent_ = false;
  serve();
}

void MemoryBudget::wait(Waiter& waiter) {
  const std::lock_guard lock(mutex_);
  const bool is_new = waiters_.emplace(waiter.age, &waiter).second;
  check(is_new, "a claim waits once");
  waiting_.store(waiters_.size());
  serve();
  if (waiter.end != Waiter::End::none) return;
  for (LocalBudget* local : locals_) {
    if (Callback* recall = local->recall_.ask()) local->mailbox_.send(*recall);
  }
}

void MemoryBudget::cancel(Waiter& waiter) {
  const std::lock_guard lock(mutex_);
  if (waiter.end != Waiter::End::none) return;
  end(waiter, Waiter::End::cancelled);
  serve();  // the next in line may want less
}

void MemoryBudget::end(Waiter& waiter, Waiter::End how) {
  waiters_.erase(waiter.age);
  waiting_.store(waiters_.size());
  waiter.end = how;
  waiter.local->mailbox_.send(waiter);
}

void MemoryBudget::serve() {
  while (!waiters_.empty()) {
    Waiter& oldest = *waiters_.begin()->second;
    if (take_free(oldest.bytes)) {
      end(oldest, Waiter::End::granted);
    } else if (options_.reserve_bytes > 0 && !is_reserve_lent_) {
      is_reserve_lent_ = true;
      end(oldest, Waiter::End::lent);
    } else {
      return;
    }
  }
}

void MemoryBudget::join(LocalBudget& local) {
  const std::lock_guard lock(mutex_);
  locals_.push_back(&local);
}

void MemoryBudget::leave(LocalBudget& local) {
  const std::lock_guard lock(mutex_);
  std::erase(locals_, &local);
}

LocalBudget::LocalBudget(MemoryBudget& budget, const Clock& clock, Mailbox& mailbox,
                         ShardIndex shard, telemetry::BudgetMeter meter)
    : budget_(budget),
      clock_(clock),
      mailbox_(mailbox),
      shard_(shard),
      meter_(std::move(meter)),
      recall_(this, [](void* self) { static_cast<LocalBudget*>(self)->give_all_back(); }) {
  budget_.join(*this);
}

LocalBudget::~LocalBudget() {
  check(used_ == 0, "a budget outlives its claims");
  budget_.leave(*this);
  give_all_back();
}

bool LocalBudget::refill(std::size_t bytes) {
  if (budget_.waiting_.load() == 0 && bytes <= at_hand_) return true;
  const std::size_t missing = bytes - std::min(bytes, at_hand_);
  const std::size_t taken = budget_.take(missing, missing + budget_.chunk_bytes_);
  if (taken == 0) return false;
  at_hand_ += taken;
  meter_.taken_is(budget_.taken());
  return true;
}

void LocalBudget::put_back(std::size_t bytes) {
  at_hand_ += bytes;
  if (budget_.waiting_.load(std::memory_order_relaxed) != 0) {
    give_all_back();
  } else if (at_hand_ > 2 * budget_.chunk_bytes_) {
    budget_.give_back(at_hand_ - budget_.chunk_bytes_);
    at_hand_ = budget_.chunk_bytes_;
  }
}

void LocalBudget::give_all_back() {
  if (at_hand_ > 0) budget_.give_back(std::exchange(at_hand_, 0));
}

MemoryClaim::MemoryClaim(MemoryClaim&& other) noexcept
    : local_(other.local_),
      age_(other.age_),
      bytes_(std::exchange(other.bytes_, 0)),
      lent_bytes_(std::exchange(other.lent_bytes_, 0)),
      has_reserve_(std::exchange(other.has_reserve_, false)) {
  check(other.waiter_ == nullptr, "a claim that waits stays in place");
}

MemoryClaim& MemoryClaim::operator=(MemoryClaim&& other) noexcept {
  check(other.waiter_ == nullptr, "a claim that waits stays in place");
  if (this == &other) return *this;
  release();
  local_ = other.local_;
  age_ = other.age_;
  bytes_ = std::exchange(other.bytes_, 0);
  lent_bytes_ = std::exchange(other.lent_bytes_, 0);
  has_reserve_ = std::exchange(other.has_reserve_, false);
  return *this;
}

bool MemoryClaim::grow_from_reserve(std::size_t bytes) {
  if (!has_reserve_) return false;
  lent_bytes_ += bytes;
  local_->use(bytes);
  return true;
}

bool MemoryClaim::try_grow(std::size_t bytes) {
  check(waiter_ == nullptr, "a claim grows once at a time");
  if (bytes > local_->budget_.claim_bytes_max() - this->bytes()) return false;
  if (local_->take(bytes)) {
    bytes_ += bytes;
    local_->use(bytes);
    return true;
  }
  if (grow_from_reserve(bytes)) return true;
  local_->meter_.refused();
  return false;
}

void MemoryClaim::shrink(std::size_t bytes) {
  check(waiter_ == nullptr, "a claim that waits does not shrink");
  check(bytes <= this->bytes(), "a claim gives back what it has");
  local_->use_less(bytes);
  const std::size_t lent = std::min(bytes, lent_bytes_);
  lent_bytes_ -= lent;
  if (lent < bytes) {
    bytes_ -= bytes - lent;
    local_->put_back(bytes - lent);
  }
}

void MemoryClaim::release() {
  if (bytes() > 0) shrink(bytes());
  check(waiter_ == nullptr, "a claim that waits does not end");
  // The whole reserve belongs to one claim until that ends: it may have to grow again.
  if (std::exchange(has_reserve_, false)) local_->budget_.return_reserve();
}

void MemoryClaim::cancel() {
  if (waiter_ != nullptr) local_->budget_.cancel(*waiter_);
}

bool MemoryClaim::Growth::await_ready() {
  check(claim_.waiter_ == nullptr, "a claim grows once at a time");
  LocalBudget& own = *claim_.local_;
  if (bytes > own.budget_.claim_bytes_max() - claim_.bytes()) {
    result_ = Grown::too_large;
    return true;
  }
  if (!own.take(bytes)) return claim_.grow_from_reserve(bytes);
  claim_.bytes_ += bytes;
  own.use(bytes);
  return true;
}

void MemoryClaim::Growth::await_suspend(std::coroutine_handle<> awaiting) {
  awaiting_ = awaiting;
  local = claim_.local_;
  claim = &claim_;
  age = claim_.age_;
  claim_.waiter_ = this;
  local->meter_.refused();
  local->give_all_back();
  local->budget_.wait(*this);
}

void MemoryClaim::Growth::resume() {
  claim_.waiter_ = nullptr;
  switch (end) {
    case End::granted:
      claim_.bytes_ += bytes;
      break;
    case End::lent:
      claim_.has_reserve_ = true;
      claim_.lent_bytes_ += bytes;
      break;
    case End::cancelled:
    case End::none:
      result_ = Grown::cancelled;
      break;
  }
  if (result_ == Grown::granted) local->use(bytes);
  local->meter_.taken_is(local->budget_.taken());
  awaiting_.resume();
}

}  // namespace millrace
