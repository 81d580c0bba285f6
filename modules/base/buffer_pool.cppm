// Byte buffers that are used again and again, for frames on their way in and out.
module;
#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>

export module millrace.base:buffer_pool;

import :bytes;
import :limits;
import :result;

export namespace millrace {

// Sizes of pooled buffers are powers of two between these two. Larger ones are not pooled.
inline constexpr std::size_t pooled_buffer_bytes_min = 512;
inline constexpr std::size_t pooled_buffer_bytes_max = 2 * mebibyte;

// What one pool keeps of the buffers that came back.
inline constexpr std::size_t pool_kept_bytes_max_default = 32 * mebibyte;

// A frame with one batch of the largest default size is served from the pool.
static_assert(pooled_buffer_bytes_max >= message_bytes_max_default + 64 * kibibyte);
static_assert(pool_kept_bytes_max_default >= pooled_buffer_bytes_max);

class BufferPool;

// Bytes lent by a pool, which takes them back when this ends. Moves, does not copy; one that was
// moved from is empty. The pool outlives it, and it ends on the pool's thread.
class Buffer {
 public:
  Buffer() = default;
  inline Buffer(Buffer&& other) noexcept { swap(other); }
  inline Buffer& operator=(Buffer&& other) noexcept {
    Buffer(std::move(other)).swap(*this);
    return *this;
  }
  inline ~Buffer() {
    if (data_ != nullptr) release();
  }

  // As asked for; whatever the last user left is in it.
  [[nodiscard]] inline MutableBytes bytes() { return {data_, size_}; }
  [[nodiscard]] inline ByteView bytes() const { return {data_, size_}; }
  [[nodiscard]] inline std::byte* data() { return data_; }
  [[nodiscard]] inline const std::byte* data() const { return data_; }
  [[nodiscard]] inline std::size_t size() const { return size_; }
  [[nodiscard]] inline std::size_t capacity() const { return capacity_; }
  [[nodiscard]] inline bool empty() const { return size_ == 0; }

  // Moves no byte. `size` is at most capacity().
  inline void resize(std::size_t size) {
    check(size <= capacity_, "a buffer does not grow past its capacity");
    size_ = size;
  }

  inline void swap(Buffer& other) noexcept {
    std::swap(pool_, other.pool_);
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    std::swap(capacity_, other.capacity_);
  }

 private:
  friend class BufferPool;
  Buffer(BufferPool& pool, std::byte* data, std::size_t size, std::size_t capacity)
      : pool_(&pool), data_(data), size_(size), capacity_(capacity) {}
  void release() noexcept;

  BufferPool* pool_ = nullptr;
  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

// Lends buffers to one thread, the first that asks; any other stops the process. Neither locks nor,
// when a buffer of the size is there, allocates. It bounds what it keeps, not what it lends: that
// is the memory budget of whoever asks. Ends after the last buffer that it lent.
class BufferPool {
 public:
  struct Counters {
    std::uint64_t reused = 0;     // lent from what was kept
    std::uint64_t allocated = 0;  // lent from the heap, to be kept
    std::uint64_t oversized = 0;  // lent from the heap, too large to be kept
    std::uint64_t dropped = 0;    // given back to the heap because enough was kept
    std::size_t lent_bytes = 0;
    std::size_t kept_bytes = 0;

    friend bool operator==(const Counters&, const Counters&) = default;
  };

  explicit BufferPool(std::size_t kept_bytes_max = pool_kept_bytes_max_default)
      : kept_bytes_max_(kept_bytes_max) {}
  ~BufferPool();
  BufferPool(const BufferPool&) = delete;
  BufferPool& operator=(const BufferPool&) = delete;

  // A buffer of `size` bytes, aligned to a cache line. Never fails: without memory the process
  // stops.
  [[nodiscard]] Buffer acquire(std::size_t size);

  // Gives all that is kept back to the heap, as when the thread has been idle.
  void trim();

  [[nodiscard]] const Counters& counters() const { return counters_; }

 private:
  friend class Buffer;
  // A kept buffer holds the link to the next of its size.
  struct Kept {
    Kept* next = nullptr;
  };
  static constexpr std::size_t class_count = [] {
    std::size_t count = 1;
    for (std::size_t bytes = pooled_buffer_bytes_min; bytes < pooled_buffer_bytes_max; bytes *= 2) {
      ++count;
    }
    return count;
  }();
  static_assert(pooled_buffer_bytes_min << (class_count - 1) == pooled_buffer_bytes_max);
  static_assert(sizeof(Kept) <= pooled_buffer_bytes_min);

  void take_back(std::byte* data, std::size_t capacity) noexcept;
  void check_thread();

  std::array<Kept*, class_count> kept_{};
  std::size_t kept_bytes_max_;
  const void* thread_ = nullptr;
  Counters counters_;
};

}  // namespace millrace
