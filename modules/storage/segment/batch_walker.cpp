module;
#include <algorithm>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

module millrace.storage.segment;

namespace millrace::storage {

namespace {

// What is read at once: more headers together where batches are small.
constexpr std::size_t near_bytes = 4 * kibibyte;
constexpr std::size_t far_bytes = 512;
static_assert(far_bytes >= record_batch_header_bytes);

}  // namespace

Task<StorageResult<void>> BatchWalker::read_on() {
  const std::size_t wanted =
      last_batch_bytes_ < near_bytes / 2 && last_batch_bytes_ > 0 ? near_bytes : far_bytes;
  const std::size_t count =
      static_cast<std::size_t>(std::min<std::uint64_t>(wanted, to_ - position_));
  if (buffer_.size() < count) buffer_ = buffers_.acquire(wanted);
  const auto read = co_await files_.read(file_, position_, buffer_.bytes().first(count));
  if (!read) co_return storage_failure(read.error(), path_);
  buffer_position_ = position_;
  filled_ = static_cast<std::size_t>(*read);
  co_return StorageResult<void>();
}

// Either what lies here is damaged, or the length of the batch before, which led here.
Task<StorageError> BatchWalker::damage(std::string reason) {
  std::uint64_t damaged = position_;
  if (last_batch_bytes_ > 0) {
    const std::uint64_t before = position_ - last_batch_bytes_;
    Buffer whole = buffers_.acquire(last_batch_bytes_);
    const auto read = co_await files_.read(file_, before, whole.bytes());
    if (!read) co_return storage_error(read.error(), path_);
    const auto batch = protocol::BatchView::parse(ByteView(whole.bytes()).first(*read));
    if (!batch || !batch->crc_matches()) {
      damaged = before;
      reason = "its length leads to " + std::to_string(position_) + ", where is " + reason;
    }
  }
  co_return StorageError{
      StorageFault::corrupt,
      std::string(path_) + " is damaged at position " + std::to_string(damaged) + ": " + reason,
      std::nullopt};
}

Task<StorageResult<std::optional<BatchPlace>>> BatchWalker::next() {
  using Found = StorageResult<std::optional<BatchPlace>>;
  if (position_ >= to_) co_return Found(std::nullopt);
  if (position_ + record_batch_header_bytes > buffer_position_ + filled_) {
    if (const auto done = co_await read_on(); !done) co_return failure(done.error());
  }
  const std::size_t at = static_cast<std::size_t>(position_ - buffer_position_);
  const auto header =
      protocol::read_batch_header(ByteView(buffer_.bytes()).first(filled_).subspan(at));
  if (!header || position_ + header->size_bytes() > to_ || header->last_offset_delta < 0) {
    co_return failure(co_await damage(header ? "the batch would reach past " + std::to_string(to_)
                                             : "no batch: " + protocol::sentence(header.error())));
  }
  const BatchPlace place{position_, *header};
  position_ = place.end();
  last_batch_bytes_ = header->size_bytes();
  co_return Found(place);
}

}  // namespace millrace::storage
