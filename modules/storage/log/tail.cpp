module;
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <utility>

module millrace.storage.log;

namespace millrace::storage {

void TailMemory::used(Tail& tail, std::size_t chunks) {
  chunks_ += chunks;
  if (newest_ != &tail) {
    if (tail.linked_) unlink(tail);
    tail.linked_ = true;
    tail.newer_ = nullptr;
    tail.older_ = newest_;
    (newest_ == nullptr ? oldest_ : newest_->newer_) = &tail;
    newest_ = &tail;
  }
  while (chunks_ > chunks_max_ && oldest_ != &tail) oldest_->clear();
}

void TailMemory::unlink(Tail& tail) {
  (tail.newer_ == nullptr ? newest_ : tail.newer_->older_) = tail.older_;
  (tail.older_ == nullptr ? oldest_ : tail.older_->newer_) = tail.newer_;
  tail.linked_ = false;
}

void TailMemory::given_up(Tail& tail) {
  unlink(tail);
  chunks_ -= (tail.before_ ? 1u : 0u) + (tail.last_ ? 1u : 0u);
}

void Tail::add(const protocol::BatchHeader& header, ByteView batch) {
  if (memory_ == nullptr) return;
  if (batch.size() > tail_batch_bytes_max) {
    clear();
    return;
  }
  std::size_t more = 0;
  if (!last_ || last_->used() + batch.size() > tail_chunk_bytes) {
    more = before_ ? 0 : 1;
    before_ = std::exchange(last_, std::make_shared_for_overwrite<Chunk>());
  }
  const std::size_t at = last_->used();
  std::memcpy(last_->bytes.data() + at, batch.data(), batch.size());
  last_->entries.push_back({header.base_offset, header.last_offset(), at + batch.size()});
  memory_->used(*this, more);
}

void Tail::clear() {
  if (!linked_) return;
  memory_->given_up(*this);
  before_.reset();
  last_.reset();
}

std::optional<Tail::Bytes> Tail::find(Offset offset, Offset up_to, std::uint64_t bytes_max) const {
  for (const auto& chunk : {before_, last_}) {
    if (!chunk || chunk->entries.back().last < offset) continue;
    const auto& entries = chunk->entries;
    const auto first =
        std::lower_bound(entries.begin(), entries.end(), offset,
                         [](const Entry& entry, Offset wanted) { return entry.last < wanted; });
    // Before the first batch here there may be another one that holds the offset.
    if (first == entries.begin() && first->base > offset && chunk == (before_ ? before_ : last_)) {
      return std::nullopt;
    }
    if (first->last >= up_to) return std::nullopt;
    const std::size_t begin = first == entries.begin() ? 0 : std::prev(first)->end;
    auto end = first + 1;
    while (end != entries.end() && end->last < up_to && end->end - begin <= bytes_max) ++end;
    const std::size_t length = std::prev(end)->end - begin;
    return Bytes{first->base, ByteView(chunk->bytes).subspan(begin, length), chunk};
  }
  return std::nullopt;
}

}  // namespace millrace::storage
