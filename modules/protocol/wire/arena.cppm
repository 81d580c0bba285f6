// Memory for the arrays of one decoded message.
module;
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <type_traits>
#include <vector>

export module millrace.protocol.wire:arena;

import millrace.base;

export namespace millrace::protocol {

// The most that one element may take in the arena for each byte that it takes at least on the wire.
// With it, a message can make the arena grow to at most this multiple of its own size; generated
// code asserts it for every array.
inline constexpr std::size_t arena_bytes_per_wire_byte_max = 32;

inline constexpr std::size_t arena_first_chunk_bytes = 16 * 1024;
inline constexpr std::size_t arena_chunk_bytes_max = 256 * 1024;
// What an arena keeps for the next message after reset().
inline constexpr std::size_t arena_kept_bytes_max = 256 * 1024;

// Bump allocation with a cap. One arena serves one message at a time: decode, handle, reset(). It
// belongs to one thread. It runs no destructors, so it holds only types that need none. Over the
// cap it gives null, which the decoder reports as DecodeFault::arena_full.
class Arena {
 public:
  explicit Arena(std::size_t bytes_max) : bytes_max_(bytes_max) {}
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  // Room for `count` objects, not yet constructed; null when the cap would be passed.
  template <class T>
  [[nodiscard]] inline T* allocate(std::size_t count) {
    static_assert(std::is_trivially_destructible_v<T>);
    static_assert(alignof(T) <= alignment);
    if (count > bytes_max_ / sizeof(T)) [[unlikely]]
      return nullptr;
    const std::size_t bytes = (count * sizeof(T) + alignment - 1) & ~(alignment - 1);
    if (bytes > static_cast<std::size_t>(end_ - next_)) [[unlikely]] {
      if (!grow(bytes)) return nullptr;
    }
    T* taken = reinterpret_cast<T*>(next_);
    next_ += bytes;
    return taken;
  }

  // Room for `count` default-constructed objects, for building a message; null over the cap.
  template <class T>
  [[nodiscard]] inline T* make_array(std::size_t count) {
    T* items = allocate<T>(count);
    if (items != nullptr) {
      for (std::size_t i = 0; i < count; ++i) ::new (items + i) T();
    }
    return items;
  }

  // Forgets all that was handed out; keeps at most arena_kept_bytes_max for the next message.
  void reset();

  // Bytes taken from the heap for the current message, kept chunks included.
  [[nodiscard]] std::size_t allocated_bytes() const { return allocated_; }

 private:
  static constexpr std::size_t alignment = 8;
  struct Chunk {
    std::unique_ptr<std::byte[]> memory;
    std::size_t size = 0;
  };

  [[nodiscard]] bool grow(std::size_t bytes);

  std::byte* next_ = nullptr;
  std::byte* end_ = nullptr;
  std::vector<Chunk> chunks_;
  std::size_t allocated_ = 0;
  std::size_t bytes_max_;
};

}  // namespace millrace::protocol
