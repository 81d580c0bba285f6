// The memory that batches are built in.
module;
#include <cstddef>

export module millrace.protocol.batch:storage;

import millrace.base;

export namespace millrace::protocol {

// Contiguous bytes that keep their capacity from one use to the next. Either borrows from a pool
// and grows, or lies over memory given by the caller and never exceeds it; pool or memory must
// outlive it. Lives on the pool's thread. The content is not initialised.
class BatchStorage {
 public:
  explicit BatchStorage(BufferPool& pool) : pool_(&pool) {}
  explicit BatchStorage(MutableBytes given) : data_(given.data()), capacity_(given.size()) {}

  [[nodiscard]] inline std::byte* data() { return data_; }
  [[nodiscard]] inline const std::byte* data() const { return data_; }
  [[nodiscard]] inline std::size_t capacity() const { return capacity_; }

  // Makes room for `capacity` bytes and keeps the first `used` ones; data may have moved then.
  // False when given memory is too small: the storage is as before.
  [[nodiscard]] inline bool reserve(std::size_t capacity, std::size_t used) {
    if (capacity <= capacity_) [[likely]]
      return true;
    return grow(capacity, used);
  }

  // Gives the first `size` bytes away with their memory and is empty then. For storage from a pool.
  [[nodiscard]] Buffer take(std::size_t size);

 private:
  bool grow(std::size_t capacity, std::size_t used);

  BufferPool* pool_ = nullptr;
  Buffer pooled_;
  std::byte* data_ = nullptr;
  std::size_t capacity_ = 0;
};

}  // namespace millrace::protocol
