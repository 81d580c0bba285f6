// The newest batches of a log, in memory.
module;
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

export module millrace.storage.log:tail;

import millrace.base;
import millrace.protocol.batch;

export namespace millrace::storage {

inline constexpr std::size_t tail_chunk_bytes = 64 * kibibyte;
// Larger batches are sent from the file: the system call counts for little then.
inline constexpr std::size_t tail_batch_bytes_max = 8 * kibibyte;
static_assert(tail_batch_bytes_max <= tail_chunk_bytes);
// Of all logs of a shard together.
inline constexpr std::size_t tail_memory_bytes_default = 16 * mebibyte;

class Tail;

// What the tails of all logs of a shard may take; past it the tail that was added to longest ago is
// given up. One for each shard; outlives the tails and lives on its thread.
class TailMemory {
 public:
  explicit TailMemory(std::size_t bytes_max = tail_memory_bytes_default)
      : chunks_max_(bytes_max / tail_chunk_bytes) {}
  TailMemory(const TailMemory&) = delete;
  TailMemory& operator=(const TailMemory&) = delete;
  ~TailMemory() { check(newest_ == nullptr, "tails go before the memory that they share"); }

  // Of chunks that tails hold; readers may hold others a little longer.
  [[nodiscard]] std::size_t bytes() const { return chunks_ * tail_chunk_bytes; }

 private:
  friend class Tail;
  // The tail was added to now, and holds so many chunks more.
  void used(Tail& tail, std::size_t chunks);
  void given_up(Tail& tail);
  void unlink(Tail& tail);

  std::size_t chunks_max_;
  std::size_t chunks_ = 0;
  Tail* newest_ = nullptr;
  Tail* oldest_ = nullptr;
};

// Part of its log, which adds what it has written. Holds a row of batches without a gap that ends
// at the end of the log, or nothing. Bytes that were given stay as they are.
class Tail {
 public:
  struct Bytes {
    Offset base_offset;
    ByteView bytes;
    std::shared_ptr<const void> owner;
  };

  // Without memory nothing is kept.
  explicit Tail(TailMemory* memory) : memory_(memory) {}
  Tail(const Tail&) = delete;
  Tail& operator=(const Tail&) = delete;
  ~Tail() { clear(); }

  void add(const protocol::BatchHeader& header, ByteView batch);
  // When anything but the end of the log changes.
  void clear();

  // Batches that begin with the one that holds the offset, of those that end below `up_to`; no more
  // bytes than the limit, unless the first one is larger. Nothing if the batch is not here.
  [[nodiscard]] std::optional<Bytes> find(Offset offset, Offset up_to,
                                          std::uint64_t bytes_max) const;

 private:
  friend class TailMemory;
  struct Entry {
    Offset base;
    Offset last;
    std::size_t end = 0;  // in the chunk
  };
  struct Chunk {
    std::vector<Entry> entries;
    std::array<std::byte, tail_chunk_bytes> bytes;

    [[nodiscard]] std::size_t used() const { return entries.empty() ? 0 : entries.back().end; }
  };

  TailMemory* memory_;
  // The one before stays, so that a reader who is a little behind finds it.
  std::shared_ptr<Chunk> before_;
  std::shared_ptr<Chunk> last_;
  Tail* newer_ = nullptr;
  Tail* older_ = nullptr;
  bool linked_ = false;
};

}  // namespace millrace::storage
