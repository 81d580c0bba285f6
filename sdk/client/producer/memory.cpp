module;
#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>

module millrace.client.producer;

import millrace.base;

namespace millrace::client {

ChunkPool::ChunkPool(std::size_t bytes_max, Waker* waker)
    : chunks_max_(std::max<std::size_t>(1, bytes_max / chunk_bytes)), waker_(waker) {}

ChunkPool::~ChunkPool() {
  check(used_ == 0, "a producer's memory outlives its batches");
  check(first_waiter_ == nullptr, "nobody waits for memory of a producer that ends");
  while (Chunk* chunk = kept_.pop()) delete chunk;
}

void ChunkPool::take_locked(std::size_t count, ChunkList& to) {
  for (std::size_t i = 0; i < count; ++i) {
    Chunk* chunk = kept_.pop();
    to.push(chunk != nullptr ? chunk : new Chunk);
  }
  used_ += count;
  used_peak_ = std::max(used_peak_, used_);
}

bool ChunkPool::try_take(std::size_t count, ChunkList& to) {
  const std::scoped_lock lock(mutex_);
  if (first_waiter_ != nullptr || used_ + count > chunks_max_) return false;
  take_locked(count, to);
  return true;
}

MemoryWait ChunkPool::wait_and_take(std::size_t count, Duration timeout, ChunkList& to) {
  if (count > chunks_max_) return MemoryWait::never;
  std::unique_lock lock(mutex_);
  if (is_closed_) return MemoryWait::closed;
  if (first_waiter_ == nullptr && used_ + count <= chunks_max_) {
    take_locked(count, to);
    return MemoryWait::taken;
  }
  Waiter waiter;
  waiter.count = count;
  (last_waiter_ == nullptr ? first_waiter_ : last_waiter_->next) = &waiter;
  last_waiter_ = &waiter;
  const bool ended =
      waiter.changed.wait_for(lock, timeout, [&] { return waiter.is_served || is_closed_; });
  if (waiter.is_served) {
    while (Chunk* chunk = waiter.given.pop()) to.push(chunk);
    return MemoryWait::taken;
  }
  remove_locked(waiter);
  // The one behind may want less.
  serve_locked();
  lock.unlock();
  tell_of_room();
  return ended ? MemoryWait::closed : MemoryWait::timed_out;
}

void ChunkPool::take_for_split(std::size_t count, ChunkList& to) {
  const std::scoped_lock lock(mutex_);
  take_locked(count, to);
}

void ChunkPool::give_back(ChunkList& chunks) noexcept {
  if (chunks.empty()) return;
  {
    const std::scoped_lock lock(mutex_);
    used_ -= chunks.size();
    while (Chunk* chunk = chunks.pop()) kept_.push(chunk);
    // What a split took beyond the budget is not kept.
    while (used_ + kept_.size() > chunks_max_ && !kept_.empty()) delete kept_.pop();
    serve_locked();
  }
  tell_of_room();
}

// Whoever watches has set it before it looked under the lock: it has seen the room that was made
// before, or is seen here.
void ChunkPool::tell_of_room() noexcept {
  if (is_watched() && waker_ != nullptr) waker_->wake();
}

bool ChunkPool::has_room(std::size_t count) const {
  const std::scoped_lock lock(mutex_);
  return first_waiter_ == nullptr && used_ + count <= chunks_max_;
}

void ChunkPool::serve_locked() {
  while (first_waiter_ != nullptr && used_ + first_waiter_->count <= chunks_max_) {
    Waiter& waiter = *first_waiter_;
    take_locked(waiter.count, waiter.given);
    waiter.is_served = true;
    first_waiter_ = waiter.next;
    if (first_waiter_ == nullptr) last_waiter_ = nullptr;
    waiter.changed.notify_one();
  }
}

void ChunkPool::remove_locked(Waiter& waiter) {
  Waiter* before = nullptr;
  for (Waiter* at = first_waiter_; at != &waiter; at = at->next) before = at;
  (before == nullptr ? first_waiter_ : before->next) = waiter.next;
  if (last_waiter_ == &waiter) last_waiter_ = before;
}

void ChunkPool::close() {
  const std::scoped_lock lock(mutex_);
  is_closed_ = true;
  for (Waiter* at = first_waiter_; at != nullptr; at = at->next) at->changed.notify_one();
}

std::size_t ChunkPool::used_bytes() const {
  const std::scoped_lock lock(mutex_);
  return used_ * chunk_bytes;
}

std::size_t ChunkPool::used_bytes_peak() const {
  const std::scoped_lock lock(mutex_);
  return used_peak_ * chunk_bytes;
}

}  // namespace millrace::client
