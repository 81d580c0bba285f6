module;
#include <algorithm>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <optional>
#include <string>
#include <utility>

module millrace.storage.segment;

namespace millrace::storage {

using protocol::BatchHeader;
using protocol::BatchView;

BatchScanner::BatchScanner(FileSystem& files, BufferPool& buffers, FileHandle file,
                           std::string path, std::uint64_t from, std::uint64_t to, ScanDepth depth)
    : files_(files),
      buffers_(buffers),
      file_(file),
      path_(std::move(path)),
      to_(to),
      depth_(depth),
      start_(from) {}

void BatchScanner::stop(ScanEnd end, std::string reason) {
  stopped_ = true;
  end_ = end;
  reason_ = std::move(reason);
}

// The rest of the buffer is a part of a batch; the next read must bring at least all of it.
std::size_t BatchScanner::wanted_bytes() const {
  const std::size_t rest = filled_ - consumed_;
  if (rest < record_batch_prefix_bytes) return scan_block_bytes;
  const std::byte* batch = buffer_.data() + consumed_;
  const auto length = load_big_endian<std::int32_t>(batch + protocol::batch_layout::batch_length);
  const std::size_t whole =
      static_cast<std::size_t>(std::max(length, 0)) + record_batch_prefix_bytes;
  return std::max(scan_block_bytes, whole);
}

Task<StorageResult<bool>> BatchScanner::fill() {
  if (stopped_) co_return false;
  const std::size_t rest = filled_ - consumed_;
  if (file_ended_) {
    if (rest > 0) stop(ScanEnd::cut_off, std::to_string(rest) + " bytes of a batch");
    stopped_ = true;
    co_return false;
  }
  const std::uint64_t left = to_ - std::min(to_, position());
  // A length that reaches past the end is found out by the end, not by reserving memory for it.
  const std::size_t wanted =
      static_cast<std::size_t>(std::min<std::uint64_t>(wanted_bytes(), left));
  if (wanted <= rest) {
    file_ended_ = true;
    co_return co_await fill();
  }
  Buffer larger = buffers_.acquire(wanted);
  if (rest > 0) std::memcpy(larger.data(), buffer_.data() + consumed_, rest);
  start_ += consumed_;
  consumed_ = 0;
  filled_ = rest;
  buffer_ = std::move(larger);
  const auto read = co_await files_.read(file_, start_ + rest, buffer_.bytes().subspan(rest));
  if (!read) co_return storage_failure(read.error(), path_);
  filled_ += static_cast<std::size_t>(*read);
  if (filled_ < wanted || start_ + filled_ == to_) file_ended_ = true;
  co_return true;
}

std::optional<ScannedBatch> BatchScanner::next() {
  if (stopped_) return std::nullopt;
  const ByteView rest = buffer_.bytes().first(filled_).subspan(consumed_);
  const auto parsed = BatchView::parse(rest);
  if (!parsed) {
    if (parsed.error().error != protocol::BatchError::truncated) {
      stop(ScanEnd::damaged, protocol::sentence(parsed.error()));
    }
    return std::nullopt;
  }
  const BatchHeader& header = parsed->header();
  const bool ascends = !next_offset_ || header.base_offset >= *next_offset_;
  // What follows the last offset must be an offset too.
  const bool ends = header.last_offset() >= header.base_offset &&
                    header.last_offset() < Offset(std::numeric_limits<std::int64_t>::max());
  const bool in_order = ascends && header.last_offset_delta >= 0 && ends;
  if (!in_order && depth_ != ScanDepth::bytes) {
    stop(ScanEnd::damaged,
         "offset " + std::to_string(header.base_offset.value()) + " where at least " +
             std::to_string(next_offset_.value_or(Offset(0)).value()) + " was expected");
    return std::nullopt;
  }
  if (depth_ != ScanDepth::headers && !parsed->crc_matches()) {
    stop(ScanEnd::damaged, "the CRC of the batch at offset " +
                               std::to_string(header.base_offset.value()) + " is wrong");
    return std::nullopt;
  }
  const ScannedBatch scanned{position(), *parsed};
  consumed_ += parsed->bytes().size();
  next_offset_ = header.last_offset().next();
  return scanned;
}

}  // namespace millrace::storage
