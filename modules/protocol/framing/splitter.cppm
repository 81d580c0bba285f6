// From a stream of bytes to frames: a signed 32-bit length, then that many bytes.
module;
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

export module millrace.protocol.framing:splitter;

import millrace.base;
import millrace.protocol.wire;

export namespace millrace::protocol {

// A connection starts with the smallest receive buffer; where reads fill it, the next one is
// larger.
inline constexpr std::size_t receive_buffer_bytes_min = 4 * kibibyte;
inline constexpr std::size_t receive_buffer_bytes_max = 64 * kibibyte;

enum class FrameFault : std::uint8_t { negative_length, too_large };

// A length that no honest peer sends. The stream cannot go on: close it.
struct FrameError {
  FrameFault fault = FrameFault::negative_length;
  std::int32_t claimed = 0;
  std::size_t allowed = 0;
};

[[nodiscard]] std::string to_string(const FrameError& error);

// One frame without its length. It keeps the receive buffer alive, which it may share with its
// neighbours; views of the frame are valid as long as it lives. Must die before the pool, on the
// pool's thread.
class Frame {
 public:
  Frame() = default;
  Frame(Bytes bytes, std::shared_ptr<const Buffer> owner)
      : bytes_(bytes), owner_(std::move(owner)) {}

  [[nodiscard]] Bytes bytes() const { return bytes_; }

 private:
  Bytes bytes_;
  std::shared_ptr<const Buffer> owner_;
};

// Splits what one connection receives. Use: read the socket into receive_space(), tell received(),
// take frames with next() until there is none. Memory grows with the bytes that have come, not with
// the length that a frame claims, and an idle connection holds none. Belongs to the thread of its
// connection and of the pool, which must outlive it and its frames.
class FrameSplitter {
 public:
  FrameSplitter(BufferPool& pool, std::size_t frame_bytes_max);

  // Where the next bytes go. Never empty.
  [[nodiscard]] MutableBytes receive_space();
  void received(std::size_t count);

  // The next whole frame, or none while its bytes have not all come.
  [[nodiscard]] Result<std::optional<Frame>, FrameError> next();

  // Raised once a connection is authenticated.
  void set_frame_bytes_max(std::size_t bytes) { frame_bytes_max_ = bytes; }

  // Whether a frame has begun to arrive: it has a deadline and counts towards the memory of started
  // frames.
  [[nodiscard]] bool frame_started() const { return begin_ != end_; }
  // What has come of it, its length first.
  [[nodiscard]] Bytes started() const {
    if (begin_ == end_) return {};
    return std::as_const(*buffer_).bytes().subspan(begin_, end_ - begin_);
  }
  [[nodiscard]] std::size_t held_bytes() const;

 private:
  [[nodiscard]] std::size_t size_of_next_buffer() const;
  void move_to_new_buffer();

  BufferPool& pool_;
  std::size_t frame_bytes_max_;
  std::size_t receive_bytes_ = receive_buffer_bytes_min;
  std::shared_ptr<Buffer> buffer_;
  std::size_t begin_ = 0;  // of what no frame has taken yet
  std::size_t end_ = 0;    // of what has come
  std::size_t last_frame_bytes_ = 0;
};

}  // namespace millrace::protocol
