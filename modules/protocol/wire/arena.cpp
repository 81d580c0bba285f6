module;
#include <algorithm>
#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

module millrace.protocol.wire;

namespace millrace::protocol {

static_assert(arena_first_chunk_bytes <= arena_kept_bytes_max);
static_assert(arena_first_chunk_bytes <= arena_chunk_bytes_max);

bool Arena::grow(std::size_t bytes) {
  const std::size_t doubled = chunks_.empty()
                                  ? arena_first_chunk_bytes
                                  : std::min(chunks_.back().size * 2, arena_chunk_bytes_max);
  // Near the cap the last chunk is only as large as what is asked for.
  const std::size_t left = bytes_max_ - std::min(allocated_, bytes_max_);
  if (bytes > left) return false;
  const std::size_t size = std::max(bytes, std::min(doubled, left));
  auto memory = std::make_unique_for_overwrite<std::byte[]>(size);
  next_ = memory.get();
  end_ = next_ + size;
  allocated_ += size;
  chunks_.push_back(Chunk{std::move(memory), size});
  return true;
}

void Arena::reset() {
  if (chunks_.size() == 1 && chunks_.front().size <= arena_kept_bytes_max) [[likely]] {
    next_ = chunks_.front().memory.get();
    return;
  }
  if (chunks_.empty()) return;
  // One chunk is kept: the largest that fits the limit, so that the next message of this size needs
  // no heap.
  auto kept = chunks_.end();
  for (auto chunk = chunks_.begin(); chunk != chunks_.end(); ++chunk) {
    if (chunk->size > arena_kept_bytes_max) continue;
    if (kept == chunks_.end() || chunk->size > kept->size) kept = chunk;
  }
  if (kept == chunks_.end()) {
    chunks_.clear();
    next_ = end_ = nullptr;
    allocated_ = 0;
    return;
  }
  Chunk chunk = std::move(*kept);
  chunks_.clear();
  next_ = chunk.memory.get();
  end_ = next_ + chunk.size;
  allocated_ = chunk.size;
  chunks_.push_back(std::move(chunk));
}

}  // namespace millrace::protocol
