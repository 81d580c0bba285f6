// The memory that batches are built in and records reassembled in.
module;
#include <cstddef>
#include <memory>

export module millrace.protocol.batch:storage;

import millrace.base;

export namespace millrace::protocol {

// Contiguous bytes that keep their capacity from one use to the next, so that a reused object stops
// allocating. Either owns its memory and grows, or lies over memory given by the caller (from a
// pool), which must outlive it and is never exceeded. Belongs to one thread. The content is not
// initialised.
class BatchStorage {
 public:
  BatchStorage() = default;
  explicit BatchStorage(MutableBytes given) : data_(given.data()), capacity_(given.size()) {
    growable_ = false;
  }

  [[nodiscard]] inline std::byte* data() { return data_; }
  [[nodiscard]] inline const std::byte* data() const { return data_; }
  [[nodiscard]] inline std::size_t capacity() const { return capacity_; }

  // Makes room for `capacity` bytes and keeps the first `used` ones. False when given memory is too
  // small or there is no memory; the storage is then as before. Data may have moved.
  [[nodiscard]] inline bool reserve(std::size_t capacity, std::size_t used) {
    if (capacity <= capacity_) [[likely]]
      return true;
    return grow(capacity, used);
  }

 private:
  bool grow(std::size_t capacity, std::size_t used);

  std::unique_ptr<std::byte[]> owned_;
  std::byte* data_ = nullptr;
  std::size_t capacity_ = 0;
  bool growable_ = true;
};

}  // namespace millrace::protocol
