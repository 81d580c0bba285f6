module;
#include <algorithm>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

module millrace.storage.dump;

namespace millrace::storage {

using protocol::BatchHeader;

namespace {

// The first place at or after `from` where a whole header has the magic byte of a batch.
std::optional<std::size_t> find_magic(ByteView bytes, std::size_t from) {
  for (std::size_t at = from; at + record_batch_header_bytes <= bytes.size(); ++at) {
    if (bytes[at + protocol::batch_layout::magic] == std::byte{protocol::batch_magic}) return at;
  }
  return std::nullopt;
}

}  // namespace

bool are_zeros(ByteView bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](std::byte b) { return b == std::byte{0}; });
}

LogWalk::LogWalk(FileSystem& files, BufferPool& buffers, FileHandle file, std::string path,
                 std::uint64_t file_bytes)
    : files_(files),
      buffers_(buffers),
      file_(file),
      path_(std::move(path)),
      file_bytes_(file_bytes) {
  scan_from(0);
}

std::optional<ScannedBatch> LogWalk::next() {
  if (!scanner_) return std::nullopt;
  auto scanned = scanner_->next();
  if (!scanned) return scanned;
  const BatchHeader& header = scanned->batch.header();
  last_ = {scanned->position, header.size_bytes(), next_offset_};
  next_offset_ = std::max(next_offset_, header.last_offset().next());
  return scanned;
}

std::optional<LogGap> LogWalk::take_gap() {
  return std::exchange(gap_, std::nullopt);
}

Task<StorageResult<bool>> LogWalk::fill() {
  if (!scanner_) co_return false;
  auto more = co_await scanner_->fill();
  if (!more) co_return failure(more.error());
  if (*more) co_return true;
  if (scanner_->end() == ScanEnd::damaged) {
    const auto misled = co_await was_misled();
    if (!misled) co_return failure(misled.error());
    if (*misled) more = co_await scanner_->fill();
    if (!more) co_return failure(more.error());
    if (*more) co_return true;
  }
  // A file that became shorter ends the walk too: nothing more can be read of it.
  if (scanner_->end() == ScanEnd::complete) {
    scanner_.reset();
    co_return false;
  }
  LogGap gap;
  gap.position = scanner_->position();
  gap.cut_off = scanner_->end() == ScanEnd::cut_off;
  gap.reason = scanner_->reason();
  scanner_.reset();
  last_.reset();
  const auto found = co_await find_batch(gap);
  if (!found) co_return failure(found.error());
  gap.bytes = *found - gap.position;
  if (*found < file_bytes_) {
    gap.cut_off = false;
    scan_from(*found);
  }
  gap_ = std::move(gap);
  co_return true;
}

void LogWalk::scan_from(std::uint64_t position) {
  scanner_.emplace(files_, buffers_, file_, path_, position, file_bytes_, ScanDepth::headers);
}

// A batch with another CRC may say wrongly where its offsets end: those behind it are none the
// worse.
Task<StorageResult<bool>> LogWalk::was_misled() {
  using Misled = StorageResult<bool>;
  const auto last = std::exchange(last_, std::nullopt);
  if (!last) co_return Misled(false);
  Buffer whole = buffers_.acquire(last->bytes);
  const auto count = co_await read(last->position, whole.bytes());
  if (!count) co_return failure(count.error());
  const auto header = protocol::read_batch_header(ByteView(whole.bytes()).first(*count));
  if (!header || header->size_bytes() != *count ||
      protocol::compute_batch_crc(whole.bytes()) == header->crc) {
    co_return Misled(false);
  }
  next_offset_ = last->next_offset;
  scan_from(scanner_->position());
  co_return Misled(true);
}

Task<StorageResult<std::size_t>> LogWalk::read(std::uint64_t position, MutableBytes to) {
  const auto count = co_await files_.read(file_, position, to);
  if (!count) co_return storage_failure(count.error(), path_);
  co_return static_cast<std::size_t>(*count);
}

Task<StorageResult<std::uint64_t>> LogWalk::find_batch(LogGap& gap) {
  gap.all_zeros = true;
  Buffer block = buffers_.acquire(scan_block_bytes);
  std::uint64_t position = gap.position;
  for (;;) {
    const auto count = co_await read(position, block.bytes());
    if (!count) co_return failure(count.error());
    const ByteView bytes = ByteView(block.bytes()).first(*count);
    // Not where the damage begins: that was no batch.
    auto candidate = find_magic(bytes, position == gap.position ? 1 : 0);
    for (; candidate; candidate = find_magic(bytes, *candidate + 1)) {
      const ByteView header = bytes.subspan(*candidate, record_batch_header_bytes);
      const auto found = co_await is_batch(position + *candidate, header);
      if (!found) co_return failure(found.error());
      if (!*found) continue;
      gap.all_zeros = gap.all_zeros && are_zeros(bytes.first(*candidate));
      co_return position + *candidate;
    }
    gap.all_zeros = gap.all_zeros && are_zeros(bytes);
    if (bytes.size() < block.size() || position + bytes.size() >= file_bytes_) break;
    // The header of a batch may lie across the end of the block.
    position += bytes.size() - (record_batch_header_bytes - 1);
  }
  co_return file_bytes_;
}

Task<StorageResult<bool>> LogWalk::is_batch(std::uint64_t position, ByteView header) {
  using Answer = StorageResult<bool>;
  const auto parsed = protocol::read_batch_header(header);
  if (!parsed || parsed->size_bytes() > file_bytes_ - position ||
      parsed->base_offset < next_offset_ || parsed->last_offset_delta < 0 ||
      parsed->record_count < 0 || parsed->size_bytes() > crc_bytes_left_) {
    co_return Answer(false);
  }
  crc_bytes_left_ -= parsed->size_bytes();
  Buffer whole = buffers_.acquire(parsed->size_bytes());
  const auto count = co_await read(position, whole.bytes());
  if (!count) co_return failure(count.error());
  if (*count < whole.size()) co_return Answer(false);
  co_return Answer(protocol::compute_batch_crc(whole.bytes()) == parsed->crc);
}

}  // namespace millrace::storage
