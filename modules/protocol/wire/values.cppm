// What the field of a message can hold. All of these are views: they own nothing, copy freely and
// are valid as long as the receive buffer and the arena (or whatever the sender built them from)
// live.
module;
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

export module millrace.protocol.wire:values;

import millrace.base;

export namespace millrace::protocol {

using std::int16_t;
using std::int32_t;
using std::int64_t;
using std::int8_t;
using std::size_t;
using std::uint16_t;
using std::uint32_t;
using std::uint64_t;
using std::uint8_t;

// Text and bytes are null where their data pointer is null; "" is empty and not null.
using String = std::string_view;
using Bytes = ByteView;

// Kafka writes and reads no longer text, in whatever way a version gives its length.
inline constexpr int64_t text_bytes_max = 32'767;

inline constexpr String null_string{};
inline constexpr Bytes null_bytes{};
// Empty values that are not null.
inline constexpr String empty_string{""};
inline constexpr std::byte empty_bytes_place{0};
inline constexpr Bytes empty_bytes{&empty_bytes_place, 0};

// The elements of an array field. Null is not empty: Kafka gives the two different meanings.
template <class T>
class Array {
 public:
  constexpr Array() = default;
  constexpr Array(const T* data, int32_t count) : data_(data), count_(count) {}
  constexpr Array(std::span<const T> items)
      : data_(items.data()), count_(static_cast<int32_t>(items.size())) {}

  [[nodiscard]] static constexpr Array null() { return Array(nullptr, -1); }

  [[nodiscard]] inline constexpr bool is_null() const { return count_ < 0; }
  [[nodiscard]] inline constexpr bool empty() const { return count_ <= 0; }
  [[nodiscard]] inline constexpr size_t size() const {
    return count_ < 0 ? 0 : static_cast<size_t>(count_);
  }
  [[nodiscard]] inline constexpr const T* begin() const { return data_; }
  [[nodiscard]] inline constexpr const T* end() const { return data_ + size(); }
  [[nodiscard]] inline constexpr const T& operator[](size_t index) const { return data_[index]; }

 private:
  const T* data_ = nullptr;
  int32_t count_ = 0;
};

// A run of record bytes that lies in memory or in a file (memory is null, then).
struct RecordChunk {
  const std::byte* memory = nullptr;
  int file = -1;
  int64_t file_position = 0;
  size_t size = 0;
};

// Record batches inside a message. They are never copied: reading gives a view into the receive
// buffer, writing leaves a gap that the sender fills from the chunks (iovec or sendfile).
class Records {
 public:
  constexpr Records() = default;
  constexpr Records(Bytes bytes) : memory_(bytes.data()), size_(bytes.size()) {}
  // The chunks are not copied; they must outlive the send. An empty list is empty, not null.
  constexpr Records(std::span<const RecordChunk> chunks)
      : chunks_(chunks.data()), chunk_count_(chunks.size()), null_(false) {
    for (const RecordChunk& chunk : chunks) size_ += chunk.size;
  }

  [[nodiscard]] inline constexpr bool is_null() const { return null_ && memory_ == nullptr; }
  [[nodiscard]] inline constexpr size_t size() const { return size_; }
  // The bytes, where they are one run in memory; else use chunks().
  [[nodiscard]] inline constexpr Bytes bytes() const { return {memory_, memory_ ? size_ : 0}; }
  [[nodiscard]] inline constexpr bool is_chunked() const { return chunk_count_ != 0; }
  [[nodiscard]] inline constexpr std::span<const RecordChunk> chunks() const {
    return {chunks_, chunk_count_};
  }

 private:
  const std::byte* memory_ = nullptr;
  const RecordChunk* chunks_ = nullptr;
  size_t chunk_count_ = 0;
  size_t size_ = 0;
  bool null_ = true;
};

// A tagged field that this version of the code does not know, kept as it came.
struct UnknownTag {
  uint32_t tag = 0;
  Bytes value;
};

}  // namespace millrace::protocol
