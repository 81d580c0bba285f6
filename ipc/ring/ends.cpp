module;
#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>

module millrace.ipc.ring;

import millrace.base;

namespace millrace::ipc {
namespace {

// What has been published must be seen by a peer that goes to sleep, or its flag by us: the fence
// between the store of the one and the load of the other, on both sides, leaves no third way.
bool wakes(const std::atomic<std::uint64_t>& parked, std::uint64_t& woken) {
  std::atomic_thread_fence(std::memory_order_seq_cst);
  const std::uint64_t seen = parked.load(std::memory_order_relaxed);
  // Once for each time that it parks: until it runs again it needs no more.
  if (seen % 2 == 0 || seen == woken) return false;
  woken = seen;
  return true;
}

void park_in(std::atomic<std::uint64_t>& shared, std::uint64_t& parked) {
  check(parked % 2 == 0, "an end parks once at a time");
  shared.store(++parked, std::memory_order_relaxed);
  std::atomic_thread_fence(std::memory_order_seq_cst);
}

void unpark_in(std::atomic<std::uint64_t>& shared, std::uint64_t& parked) {
  if (parked % 2 == 0) return;
  shared.store(++parked, std::memory_order_relaxed);
}

// Between a position of the ring and its end there may be less than is wanted.
struct Parts {
  std::size_t at = 0;
  std::size_t first = 0;
  std::size_t second = 0;
};

Parts parts_of(std::uint64_t cursor, std::uint64_t capacity, std::size_t wanted) {
  const auto at = static_cast<std::size_t>(cursor & (capacity - 1));
  const std::size_t first = std::min(wanted, static_cast<std::size_t>(capacity) - at);
  return {.at = at, .first = first, .second = wanted - first};
}

void copy(std::byte* to, const std::byte* from, std::size_t bytes) {
  if (bytes > 0) std::memcpy(to, from, bytes);
}

}  // namespace

RingWriter::RingWriter(const RingMemories& memories)
    : memories_(memories), data_(reinterpret_cast<std::byte*>(memories.own) + ring_data_offset) {}

RingResult<std::uint64_t> RingWriter::room() {
  const std::uint64_t head = memories_.peer->head.value.load(std::memory_order_acquire);
  // Not back, and not past what was written: differences of unsigned numbers say both.
  if (head - head_seen_ > tail_ - head_seen_) return failure(RingFault::cursor);
  head_seen_ = head;
  return memories_.capacity - (tail_ - head_seen_);
}

RingResult<std::size_t> RingWriter::write(ByteView bytes) {
  std::uint64_t free = memories_.capacity - (tail_ - head_seen_);
  if (free < bytes.size()) {
    const auto looked = room();
    if (!looked) return failure(looked.error());
    free = *looked;
  }
  const std::size_t taken = std::min(bytes.size(), static_cast<std::size_t>(free));
  const Parts parts = parts_of(tail_, memories_.capacity, taken);
  copy(data_ + parts.at, bytes.data(), parts.first);
  copy(data_, bytes.data() + parts.first, parts.second);
  tail_ += taken;
  return taken;
}

bool RingWriter::publish() {
  memories_.own->tail.value.store(tail_, std::memory_order_release);
  return wakes(memories_.peer->reader_parked.value, woken_);
}

RingResult<bool> RingWriter::park() {
  park_in(memories_.own->writer_parked.value, parked_);
  const auto looked = room();
  if (looked && *looked == 0) return true;
  unpark();
  if (!looked) return failure(looked.error());
  return false;
}

void RingWriter::unpark() {
  unpark_in(memories_.own->writer_parked.value, parked_);
}

RingReader::RingReader(const RingMemories& memories)
    : memories_(memories),
      data_(reinterpret_cast<const std::byte*>(memories.peer) + ring_data_offset) {}

RingResult<std::size_t> RingReader::available() {
  const std::uint64_t tail = memories_.peer->tail.value.load(std::memory_order_acquire);
  // Not back, and not more than the ring holds.
  if (tail - head_ > memories_.capacity || tail - head_ < tail_seen_ - head_) {
    return failure(RingFault::cursor);
  }
  tail_seen_ = tail;
  return static_cast<std::size_t>(tail - head_);
}

RingResult<std::size_t> RingReader::read(MutableBytes to) {
  auto there = static_cast<std::size_t>(tail_seen_ - head_);
  if (there < to.size()) {
    const auto looked = available();
    if (!looked) return failure(looked.error());
    there = *looked;
  }
  const std::size_t taken = std::min(to.size(), there);
  const Parts parts = parts_of(head_, memories_.capacity, taken);
  copy(to.data(), data_ + parts.at, parts.first);
  copy(to.data() + parts.first, data_, parts.second);
  head_ += taken;
  return taken;
}

bool RingReader::release() {
  memories_.own->head.value.store(head_, std::memory_order_release);
  // The peer may have written more since we looked; then it does not sleep, or is woken later.
  const std::uint64_t left = tail_seen_ - head_;
  if (left > memories_.capacity / 2) return false;
  return wakes(memories_.peer->writer_parked.value, woken_);
}

RingResult<bool> RingReader::park() {
  park_in(memories_.own->reader_parked.value, parked_);
  const auto looked = available();
  if (looked && *looked == 0) return true;
  unpark();
  if (!looked) return failure(looked.error());
  return false;
}

void RingReader::unpark() {
  unpark_in(memories_.own->reader_parked.value, parked_);
}

}  // namespace millrace::ipc
