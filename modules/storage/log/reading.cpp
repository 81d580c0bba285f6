module;
#include <algorithm>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

module millrace.storage.log;

namespace millrace::storage {

using protocol::BatchSplitter;
using protocol::BatchView;

namespace {

[[nodiscard]] auto read_failure(StorageError error) {
  return failure(ReadError{ReadFault::storage, std::move(error)});
}
[[nodiscard]] auto out_of_range(Offset offset, Offset start, Offset end) {
  return failure(ReadError{
      ReadFault::out_of_range,
      StorageError{StorageFault::invalid,
                   "offset " + std::to_string(offset.value()) + " is not in " +
                       std::to_string(start.value()) + " to " + std::to_string(end.value()),
                   std::nullopt}});
}

}  // namespace

// Up to where a reader that may see records below `up_to`, which lies in this segment, may read.
Task<StorageResult<std::uint64_t>> Log::end_position(std::shared_ptr<Segment> segment,
                                                     Offset up_to) {
  using Found = StorageResult<std::uint64_t>;
  const std::uint64_t bytes = segment->bytes();
  const auto known = positions_.find(up_to);
  if (known && known->segment_base == segment->base()) co_return Found(known->position);
  const auto place = co_await segment->find(up_to, bytes);
  if (!place) co_return failure(place.error());
  const std::uint64_t position = *place ? (*place)->position : bytes;
  positions_.add(up_to, {segment->base(), position});
  co_return Found(position);
}

Task<ReadResult<LogSlice>> Log::read(ReadRequest request) {
  using Read = ReadResult<LogSlice>;
  if (const auto usable_now = usable(); !usable_now) co_return read_failure(usable_now.error());
  if (request.offset < start_ || request.offset > end_) {
    co_return out_of_range(request.offset, start_, end_);
  }
  request.up_to = std::min(request.up_to, end_);
  if (request.offset >= request.up_to) co_return Read(LogSlice());
  if (auto newest = tail_.find(request.offset, request.up_to, request.bytes_max)) {
    if (newest->bytes.size() > request.bytes_max && !request.at_least_one_batch) {
      co_return Read(LogSlice());
    }
    LogSlice slice;
    slice.base_offset = newest->base_offset;
    slice.length = newest->bytes.size();
    slice.memory = newest->bytes;
    slice.memory_owner = std::move(newest->owner);
    co_return slice;
  }
  const std::uint64_t version = version_;
  std::size_t index = segment_index(request.offset);
  for (;;) {
    const std::shared_ptr<Segment> segment = segments_[index];
    const Offset end_of_segment = segment_end(index);
    auto slice = co_await read_segment(segment, end_of_segment, request);
    if (version != version_) {
      // Something was cut meanwhile: what was found may not be there any more.
      if (request.offset < start_ || request.offset > end_) {
        co_return out_of_range(request.offset, start_, end_);
      }
      co_return Read(LogSlice());
    }
    if (!slice) co_return read_failure(slice.error());
    // Behind the last batch of a segment may be nothing before the next one begins.
    if (*slice) co_return std::move(**slice);
    if (++index >= segments_.size() || segments_[index]->base() >= request.up_to) {
      co_return Read(LogSlice());
    }
  }
}

Task<StorageResult<std::optional<LogSlice>>> Log::read_segment(std::shared_ptr<Segment> segment,
                                                               Offset end_of_segment,
                                                               ReadRequest request) {
  using Found = StorageResult<std::optional<LogSlice>>;
  std::uint64_t end = segment->bytes();
  if (request.up_to < end_of_segment) {
    const auto found = co_await end_position(segment, request.up_to);
    if (!found) co_return failure(found.error());
    end = *found;
  }
  LogSlice slice;
  std::optional<std::uint64_t> first_batch_bytes;
  const auto known = positions_.find(request.offset);
  if (known && known->segment_base == segment->base() && known->position < end) {
    slice.base_offset = request.offset;
    slice.position = known->position;
  } else {
    const auto place = co_await segment->find(request.offset, end);
    if (!place) co_return failure(place.error());
    if (!*place) co_return Found(std::nullopt);
    slice.base_offset = (*place)->header.base_offset;
    slice.position = (*place)->position;
    first_batch_bytes = (*place)->header.size_bytes();
  }
  auto boundary = segment->boundary_by_index(slice.position, request.bytes_max, end);
  if (!boundary) {
    const auto found = co_await segment->boundary(slice.position, request.bytes_max, end);
    if (!found) co_return failure(found.error());
    boundary = *found;
  }
  slice.length = boundary->position - slice.position;
  if (slice.length == 0 && request.at_least_one_batch) {
    if (!first_batch_bytes) {
      const auto place = co_await segment->find(request.offset, end);
      if (!place) co_return failure(place.error());
      if (!*place) co_return Found(std::nullopt);
      first_batch_bytes = (*place)->header.size_bytes();
    }
    slice.length = *first_batch_bytes;
  } else if (boundary->next_offset) {
    positions_.add(*boundary->next_offset, {segment->base(), boundary->position});
  }
  auto lease = segment->open_log_now();
  if (!lease) {
    auto opened = co_await segment->open_log();
    if (!opened) co_return failure(opened.error());
    lease = std::move(*opened);
  }
  slice.file = std::move(*lease);
  slice.segment = std::move(segment);
  co_return Found(std::move(slice));
}

Task<ReadResult<Buffer>> Log::load(const LogSlice& slice) {
  if (slice.empty()) co_return Buffer();
  Buffer buffer = context_.segments.buffers.acquire(static_cast<std::size_t>(slice.length));
  if (slice.in_memory()) {
    std::memcpy(buffer.data(), slice.memory.data(), slice.memory.size());
    co_return buffer;
  }
  const auto read =
      co_await context_.segments.files.read(slice.file.handle(), slice.position, buffer.bytes());
  if (!read) {
    co_return read_failure(noted(storage_error(read.error(), slice.segment->log_path())));
  }
  // The end of the file comes early when the log was cut.
  buffer.resize(static_cast<std::size_t>(*read));
  co_return buffer;
}

Task<ReadResult<Buffer>> Log::load_verified(const LogSlice& slice) {
  auto buffer = co_await load(slice);
  if (!buffer) co_return buffer;
  const auto damaged = [&](std::uint64_t position, std::string reason) {
    return read_failure(StorageError{StorageFault::corrupt,
                                     slice.segment->log_path() + " is damaged at position " +
                                         std::to_string(slice.position + position) + ": " +
                                         std::move(reason),
                                     std::nullopt});
  };
  BatchSplitter splitter(buffer->bytes());
  std::uint64_t position = 0;
  for (BatchView batch; splitter.next(batch);) {
    if (!batch.crc_matches()) co_return damaged(position, "the CRC of the batch is wrong");
    position += batch.bytes().size();
  }
  if (const auto end = splitter.finish(); !end) {
    co_return damaged(position, protocol::sentence(end.error()));
  }
  if (position != slice.length) co_return damaged(position, "it ends inside a batch");
  co_return buffer;
}

Task<ReadResult<std::optional<TimestampOffset>>> Log::find_timestamp(Timestamp timestamp,
                                                                     Offset up_to) {
  using Found = ReadResult<std::optional<TimestampOffset>>;
  if (const auto usable_now = usable(); !usable_now) co_return read_failure(usable_now.error());
  // They stay what they are while the log changes.
  const std::vector<std::shared_ptr<Segment>> segments = segments_;
  const Offset from = start_;
  for (const auto& segment : segments) {
    if (segment->base() >= up_to) break;
    auto found = co_await segment->find_timestamp(timestamp, from, up_to);
    if (!found) co_return read_failure(noted(found.error()));
    if (*found && (*found)->offset < up_to) co_return Found(*found);
  }
  co_return Found(std::nullopt);
}

Task<ReadResult<std::optional<TimestampOffset>>> Log::find_max_timestamp() {
  using Found = ReadResult<std::optional<TimestampOffset>>;
  if (const auto usable_now = usable(); !usable_now) co_return read_failure(usable_now.error());
  const std::vector<std::shared_ptr<Segment>> segments = segments_;
  TimestampOffset best{no_timestamp, no_offset};
  for (const auto& segment : segments) {
    const auto largest = co_await segment->largest_timestamp();
    if (!largest) co_return read_failure(noted(largest.error()));
    if (largest->timestamp > best.timestamp) best = *largest;
  }
  if (best.timestamp == no_timestamp) co_return Found(std::nullopt);
  co_return co_await find_timestamp(best.timestamp, end_);
}

Task<ReadResult<std::vector<AbortedTransaction>>> Log::aborted(Offset from, Offset to) {
  using Found = ReadResult<std::vector<AbortedTransaction>>;
  if (const auto usable_now = usable(); !usable_now) co_return read_failure(usable_now.error());
  std::vector<AbortedTransaction> found;
  const std::vector<std::shared_ptr<Segment>> segments(
      segments_.begin() + static_cast<std::ptrdiff_t>(segment_index(from)), segments_.end());
  for (const auto& segment : segments) {
    auto decided = co_await segment->collect_aborted(from, to, found);
    if (!decided && decided.error().fault == StorageFault::corrupt) {
      context_.segments.log.warning("{} is made again from the log", decided.error().message);
      if (const auto done = co_await rebuild_transactions(segment); !done) {
        co_return read_failure(noted(done.error()));
      }
      decided = co_await segment->collect_aborted(from, to, found);
    }
    if (!decided) co_return read_failure(noted(decided.error()));
    if (*decided) break;
  }
  co_return Found(std::move(found));
}

}  // namespace millrace::storage
