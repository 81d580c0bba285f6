module;
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <utility>

module millrace.protocol.framing;

namespace millrace::protocol {

static_assert(receive_buffer_bytes_min > frame_length_bytes);
static_assert(receive_buffer_bytes_min <= receive_buffer_bytes_max);

std::string to_string(const FrameError& error) {
  if (error.fault == FrameFault::negative_length) {
    return "a frame claims the length " + std::to_string(error.claimed);
  }
  return "a frame claims " + std::to_string(error.claimed) + " bytes, " +
         std::to_string(error.allowed) + " are allowed";
}

FrameSplitter::FrameSplitter(BufferPool& pool, std::size_t frame_bytes_max)
    : pool_(pool), frame_bytes_max_(frame_bytes_max) {}

MutableBytes FrameSplitter::receive_space() {
  if (buffer_ == nullptr || end_ == buffer_->bytes().size()) move_to_new_buffer();
  return buffer_->bytes().subspan(end_);
}

void FrameSplitter::received(std::size_t count) {
  check(buffer_ != nullptr && count <= buffer_->bytes().size() - end_,
        "no more was received than there was space for");
  end_ += count;
  const std::size_t size = buffer_->bytes().size();
  if (end_ == size) {
    receive_bytes_ = std::min(receive_bytes_ * 2, receive_buffer_bytes_max);
  } else if (count < size / 4) {
    receive_bytes_ = std::max(receive_bytes_ / 2, receive_buffer_bytes_min);
  }
}

Result<std::optional<Frame>, FrameError> FrameSplitter::next() {
  const std::size_t here = end_ - begin_;
  if (here < frame_length_bytes) return std::optional<Frame>();
  const Bytes bytes = std::as_const(*buffer_).bytes();
  const auto length = load_big_endian<std::int32_t>(bytes.data() + begin_);
  if (length < 0) {
    return failure(FrameError{FrameFault::negative_length, length, frame_bytes_max_});
  }
  const auto size = static_cast<std::size_t>(length);
  if (size > frame_bytes_max_) {
    return failure(FrameError{FrameFault::too_large, length, frame_bytes_max_});
  }
  if (here - frame_length_bytes < size) return std::optional<Frame>();
  Frame frame(bytes.subspan(begin_ + frame_length_bytes, size), buffer_);
  begin_ += frame_length_bytes + size;
  last_frame_bytes_ = size;
  if (begin_ == end_) {
    // Nothing is left over: the buffer goes back to the pool with its last frame.
    buffer_.reset();
    begin_ = end_ = 0;
  }
  return std::optional<Frame>(std::move(frame));
}

std::size_t FrameSplitter::held_bytes() const {
  return buffer_ == nullptr ? 0 : buffer_->bytes().size();
}

// What has come of a started frame doubles at most, unless the frame before it, which came whole,
// was larger still: then nothing is copied on the way. A small rest of a frame is not given more
// than it needs.
std::size_t FrameSplitter::size_of_next_buffer() const {
  const std::size_t here = end_ - begin_;
  if (here < frame_length_bytes) return receive_bytes_;
  const auto length =
      load_big_endian<std::int32_t>(std::as_const(*buffer_).bytes().data() + begin_);
  const std::size_t whole = frame_length_bytes + static_cast<std::size_t>(std::max(length, 0));
  const std::size_t usual =
      std::min(frame_length_bytes + last_frame_bytes_, pooled_buffer_bytes_max);
  const std::size_t grown = std::max({receive_bytes_, here * 2, usual});
  return std::max(std::min(whole, grown), here + 1);
}

void FrameSplitter::move_to_new_buffer() {
  const std::size_t here = end_ - begin_;
  auto larger = std::make_shared<Buffer>(pool_.acquire(size_of_next_buffer()));
  if (here != 0) {
    std::memcpy(larger->bytes().data(), std::as_const(*buffer_).bytes().data() + begin_, here);
  }
  buffer_ = std::move(larger);
  begin_ = 0;
  end_ = here;
}

}  // namespace millrace::protocol
