// The memory of a producer: chunks of one size out of one hard budget, for which threads may wait.
module;
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>

export module millrace.client.producer:memory;

import millrace.base;

export namespace millrace::client {

class DeliverySink;

// A small batch wastes at most one chunk; a large one is sent in pieces of this size.
inline constexpr std::size_t chunk_bytes = 8 * kibibyte;

// Whom to tell about a record: written when the record is, from the end of its chunk backwards.
struct Receipt {
  DeliverySink* sink = nullptr;
  std::uint64_t token = 0;
  std::int32_t record_index = 0;  // within the batch
  std::int32_t timestamp_delta = 0;
};

// A piece of a batch: record bytes from `begin` to `filled`, receipts from the end downwards.
struct alignas(64) Chunk {
  static constexpr std::size_t head_bytes = 24;
  static constexpr std::size_t data_bytes = chunk_bytes - head_bytes;

  [[nodiscard]] inline std::size_t room() const {
    return data_bytes - filled - receipts * sizeof(Receipt);
  }
  [[nodiscard]] inline ByteView record_bytes() const { return {data + begin, filled - begin}; }
  // The place of receipt `index`, counted from the end.
  [[nodiscard]] inline std::byte* receipt_place(std::size_t index) {
    return data + data_bytes - (index + 1) * sizeof(Receipt);
  }

  Chunk* next = nullptr;
  std::uint32_t begin = 0;
  std::uint32_t filled = 0;
  std::uint32_t receipts = 0;
  alignas(8) std::byte data[data_bytes];  // not initialised
};
static_assert(sizeof(Chunk) == chunk_bytes);
static_assert(Chunk::data_bytes % alignof(Receipt) == 0);

// Chunks on their way from the pool into batches, or back. Owns nothing by itself: who holds a list
// gives it back to the pool.
class ChunkList {
 public:
  [[nodiscard]] inline std::size_t size() const { return size_; }
  [[nodiscard]] inline bool empty() const { return size_ == 0; }
  [[nodiscard]] inline Chunk* first() const { return first_; }
  inline void push(Chunk* chunk) {
    chunk->next = first_;
    first_ = chunk;
    ++size_;
  }
  // Null when there is none; empty as a batch wants it.
  [[nodiscard]] inline Chunk* pop() {
    Chunk* chunk = first_;
    if (chunk == nullptr) return nullptr;
    first_ = chunk->next;
    --size_;
    chunk->next = nullptr;
    chunk->begin = chunk->filled = chunk->receipts = 0;
    return chunk;
  }

 private:
  Chunk* first_ = nullptr;
  std::size_t size_ = 0;
};

// What `Waker::wake()` is called for is done on the client's thread, soon; from any thread.
class Waker {
 public:
  virtual void wake() = 0;

 protected:
  Waker() = default;
  Waker(const Waker&) = default;
  Waker& operator=(const Waker&) = default;
  ~Waker() = default;
};

enum class MemoryWait : std::uint8_t { taken, timed_out, closed, never };

// Lends chunks to any thread; never more than the budget has. What came back is kept for the next
// who asks, so that a producer at work takes nothing from the heap. Who waits is served in the
// order of asking. Owned by the producer; outlives all that it lent.
class ChunkPool {
 public:
  // A budget below one chunk is one chunk. The waker is told of room while this is watched.
  explicit ChunkPool(std::size_t bytes_max, Waker* waker = nullptr);
  ~ChunkPool();
  ChunkPool(const ChunkPool&) = delete;
  ChunkPool& operator=(const ChunkPool&) = delete;

  // All of `count` or none; none while others wait.
  [[nodiscard]] bool try_take(std::size_t count, ChunkList& to);
  // Blocks the calling thread for at most `timeout`. `never`: more than there are in all.
  [[nodiscard]] MemoryWait wait_and_take(std::size_t count, Duration timeout, ChunkList& to);
  // Also beyond the budget, for the splitting of a batch that a broker found too large: by at most
  // one batch.
  void take_for_split(std::size_t count, ChunkList& to);
  void give_back(ChunkList& chunks) noexcept;
  // Whether try_take() would take them now.
  [[nodiscard]] bool has_room(std::size_t count) const;
  // While it is watched, whatever may have made room wakes the waker: who sets this and then finds
  // no room is told when there is some.
  void set_watched(bool is_watched) { is_watched_.store(is_watched, std::memory_order_relaxed); }
  [[nodiscard]] bool is_watched() const { return is_watched_.load(std::memory_order_relaxed); }
  // Wakes all who wait; nobody waits after it.
  void close();

  [[nodiscard]] std::size_t chunks_max() const { return chunks_max_; }
  [[nodiscard]] std::size_t bytes_max() const { return chunks_max_ * chunk_bytes; }
  [[nodiscard]] std::size_t used_bytes() const;
  // The most that was lent at one time.
  [[nodiscard]] std::size_t used_bytes_peak() const;
  // Threads say so before they wait, and after: the sender then sends what it has.
  void add_waiting() { waiting_.fetch_add(1, std::memory_order_relaxed); }
  void remove_waiting() { waiting_.fetch_sub(1, std::memory_order_relaxed); }
  [[nodiscard]] std::size_t waiting() const { return waiting_.load(std::memory_order_relaxed); }

 private:
  struct Waiter {
    std::size_t count = 0;
    ChunkList given;
    bool is_served = false;
    Waiter* next = nullptr;
    std::condition_variable changed;
  };

  void take_locked(std::size_t count, ChunkList& to);
  void serve_locked();
  void remove_locked(Waiter& waiter);
  // Without the lock, after what may have made room.
  void tell_of_room() noexcept;

  mutable std::mutex mutex_;
  const std::size_t chunks_max_;
  Waker* const waker_;
  std::size_t used_ = 0;
  std::size_t used_peak_ = 0;
  ChunkList kept_;
  Waiter* first_waiter_ = nullptr;
  Waiter* last_waiter_ = nullptr;
  std::atomic<std::size_t> waiting_{0};
  std::atomic<bool> is_watched_{false};
  bool is_closed_ = false;
};

}  // namespace millrace::client
