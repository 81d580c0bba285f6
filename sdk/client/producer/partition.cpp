module;
#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

module millrace.client.producer;

import millrace.base;
import millrace.client.core;

namespace millrace::client {

namespace {

// The time of a batch runs from its first record: one that grows for long, because its broker is
// away, would take young records with it when it is given up.
constexpr Duration growth_time_max = std::chrono::seconds{1};

}  // namespace

Put Partition::put(const RecordParts& parts, DeliverySink* sink, std::uint64_t token,
                   const PutLimits& limits, ChunkList& spare) {
  const std::scoped_lock lock(mutex_);
  if (is_closed_) return {.end = Put::End::closed};
  const std::size_t grown_bytes = std::max(limits.batch_bytes, limits.batch_bytes_most);
  Put result;
  bool is_news = false;
  for (;;) {
    std::size_t needed = 0;
    if (open_ == nullptr) {
      needed = Batch::chunks_for_first(parts);
      if (spare.size() >= needed) {
        open_ = Batch::make(spare, limits.clock->now());
        open_has_size_ = false;
        is_news = true;
        continue;
      }
    } else {
      const std::size_t before = open_->bytes();
      Appended appended = open_->append(
          parts, sink, token, open_has_size_ ? grown_bytes : limits.batch_bytes, spare, needed);
      if (appended == Appended::done) {
        ++accepted_;
        // One more of this size would not fit: waiting for a smaller one is not worth it.
        const std::size_t with_another = 2 * open_->bytes() - before;
        if (with_another <= limits.batch_bytes) break;
        result.batch_is_complete = true;
        if (!std::exchange(open_has_size_, true)) is_news = true;
        if (with_another <= grown_bytes) break;
      }
      // Looked at as seldom as chunks are taken: the clock costs as much as a small record.
      if (appended == Appended::needs_chunks && open_has_size_ &&
          limits.clock->now() - open_->created() > growth_time_max) {
        appended = Appended::batch_full;
      }
      if (appended != Appended::needs_chunks) {
        complete_.push(open_);
        open_ = nullptr;
        is_news = true;
        if (appended == Appended::done) break;
        continue;
      }
    }
    if (!limits.pool->try_take(needed - spare.size(), spare)) {
      result.end = Put::End::needs_memory;
      result.chunks_needed = needed;
      break;
    }
  }
  if (is_news && !is_marked_) result.asks_sender = is_marked_ = true;
  return result;
}

void Partition::take(BatchList& to, bool with_open) {
  const std::scoped_lock lock(mutex_);
  to.append(complete_);
  if (!with_open || open_ == nullptr) return;
  to.push(open_);
  open_ = nullptr;
}

Partition::Seen Partition::look() {
  const std::scoped_lock lock(mutex_);
  is_marked_ = false;
  Seen seen;
  if (open_ != nullptr) seen.open_since = open_->created();
  seen.has_complete = !complete_.empty();
  seen.open_has_size = open_ != nullptr && open_has_size_;
  return seen;
}

void Partition::close() {
  const std::scoped_lock lock(mutex_);
  is_closed_ = true;
}

std::uint64_t Partition::accepted() {
  const std::scoped_lock lock(mutex_);
  return accepted_;
}

std::size_t Partition::waiting_bytes() {
  const std::scoped_lock lock(mutex_);
  std::size_t bytes = open_ == nullptr ? 0 : open_->bytes();
  for (const Batch* batch = complete_.first(); batch != nullptr; batch = batch->next) {
    bytes += batch->bytes();
  }
  return bytes;
}

}  // namespace millrace::client
