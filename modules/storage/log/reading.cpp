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

// Positions are remembered only as long as they are those of the files.
void Log::remember(std::uint64_t version, Offset offset, PositionCache::Place place) {
  if (version == version_) positions_.add(offset, place);
}

// Where reading from the offset begins, if that is in memory.
std::optional<BatchStart> Log::start_now(Segment& segment, Offset offset, std::uint64_t end) {
  const auto known = positions_.find(offset);
  if (!known || known->segment_base != segment.base()) return segment.find_now(offset, end);
  if (known->position >= end) return std::nullopt;
  return BatchStart{known->position, offset};
}

// Where it ends at the latest, likewise.
std::optional<std::uint64_t> Log::end_now(Segment& segment, Offset end_of_segment, Offset up_to) {
  if (up_to >= end_of_segment) return segment.bytes();
  const auto first_hidden = start_now(segment, up_to, segment.bytes());
  if (!first_hidden) return std::nullopt;
  return first_hidden->position;
}

// What is read of a segment, if nothing must be read to tell where it lies: a read of a header
// would take longer than all of this.
std::optional<LogSlice> Log::read_segment_now(const std::shared_ptr<Segment>& segment,
                                              Offset end_of_segment, const ReadRequest& request) {
  const auto end = end_now(*segment, end_of_segment, request.up_to);
  const auto start = start_now(*segment, request.offset, end.value_or(segment->bytes()));
  if (!start) return std::nullopt;
  const auto boundary =
      end ? segment->boundary_by_index(start->position, request.bytes_max, *end)
          : segment->boundary_below(start->position, request.bytes_max, request.up_to);
  if (!boundary || boundary->position <= start->position) return std::nullopt;
  auto lease = segment->open_log_now();
  if (!lease) return std::nullopt;
  LogSlice slice;
  slice.asked = request.offset;
  slice.base_offset = start->base_offset;
  slice.length = boundary->position - start->position;
  slice.version = version_;
  slice.position = start->position;
  slice.file = std::move(*lease);
  slice.segment = segment;
  return slice;
}

// Up to where a reader that may see records below `up_to`, which lies in this segment, may read.
Task<StorageResult<std::uint64_t>> Log::end_position(std::shared_ptr<Segment> segment,
                                                     Offset up_to) {
  using Found = StorageResult<std::uint64_t>;
  const std::uint64_t version = version_;
  const std::uint64_t bytes = segment->bytes();
  const auto place = co_await segment->find(up_to, bytes);
  if (!place) co_return failure(place.error());
  if (!*place) co_return Found(bytes);
  if ((*place)->header.base_offset == up_to) {
    remember(version, up_to, {segment->base(), (*place)->position});
  }
  co_return Found((*place)->position);
}

Task<ReadResult<LogSlice>> Log::read(ReadRequest request) {
  using Read = ReadResult<LogSlice>;
  for (;;) {
    if (const auto usable_now = usable(); !usable_now) co_return read_failure(usable_now.error());
    if (request.offset < start_ || request.offset > end_) {
      co_return out_of_range(request.offset, start_, end_);
    }
    ReadRequest now = request;
    now.up_to = std::min(request.up_to, end_);
    if (now.offset >= now.up_to) co_return Read(LogSlice());
    if (auto slice = read_tail(now)) co_return std::move(*slice);
    const std::uint64_t version = version_;
    bool overtaken = false;
    for (std::size_t index = segment_index(now.offset); !overtaken; ++index) {
      if (index >= segments_.size() || segments_[index]->base() >= now.up_to) {
        LogSlice nothing;
        nothing.asked = now.offset;
        nothing.version = version;
        co_return Read(std::move(nothing));
      }
      const Offset end_of_segment = segment_end(index);
      if (auto slice = read_segment_now(segments_[index], end_of_segment, now)) {
        co_return std::move(*slice);
      }
      const std::shared_ptr<Segment> segment = segments_[index];
      auto slice = co_await read_segment(segment, end_of_segment, now);
      // While other segments are replaced, reading goes on.
      const bool found = slice && *slice;
      if (!slice) static_cast<void>(noted(slice.error()));
      overtaken = version != version_ || segment->removed() || (cutting(version) && !found);
      if (overtaken) break;
      if (!slice) co_return read_failure(slice.error());
      // Behind the last batch of a segment may be nothing before the next one begins.
      if (*slice) co_return std::move(**slice);
    }
    // Something was cut, replaced or removed meanwhile: what was found may not be there any more.
    const auto guard = co_await changes_.lock();
  }
}

// What is asked for from memory, if it is there.
std::optional<LogSlice> Log::read_tail(const ReadRequest& request) {
  auto newest = tail_.find(request.offset, request.up_to, request.bytes_max);
  if (!newest) return std::nullopt;
  LogSlice slice;
  if (newest->bytes.size() > request.bytes_max && !request.at_least_one_batch) return slice;
  slice.base_offset = newest->base_offset;
  slice.length = newest->bytes.size();
  slice.memory = newest->bytes;
  slice.memory_owner = std::move(newest->owner);
  return slice;
}

Task<StorageResult<std::optional<LogSlice>>> Log::read_segment(std::shared_ptr<Segment> segment,
                                                               Offset end_of_segment,
                                                               ReadRequest request) {
  using Found = StorageResult<std::optional<LogSlice>>;
  LogSlice slice;
  slice.asked = request.offset;
  slice.version = version_;
  auto end_known = end_now(*segment, end_of_segment, request.up_to);
  if (!end_known) {
    const auto found = co_await end_position(segment, request.up_to);
    if (!found) co_return failure(found.error());
    end_known = *found;
  }
  const std::uint64_t end = *end_known;
  std::optional<std::uint64_t> first_batch_bytes;
  if (const auto known = start_now(*segment, request.offset, end)) {
    slice.base_offset = known->base_offset;
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
    remember(slice.version, *boundary->next_offset, {segment->base(), boundary->position});
  }
  auto lease = segment->open_log_now();
  if (!lease) {
    if (!request.at_least_one_batch && context_.segments.open_files.crowded()) {
      co_return Found(LogSlice());
    }
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

// Asks the segments that `choose` gives, one after the other, until `ask` says that it is enough.
// When something was cut, replaced or removed meanwhile all begins again.
template <class Choose, class Ask>
Task<ReadResult<void>> Log::ask_segments(Choose choose, Ask ask) {
  for (;;) {
    if (const auto usable_now = usable(); !usable_now) co_return read_failure(usable_now.error());
    const std::uint64_t version = version_;
    const std::vector<std::shared_ptr<Segment>> segments = choose();
    bool overtaken = false;
    for (const auto& segment : segments) {
      const StorageResult<bool> enough = co_await ask(segment);
      if (!enough) static_cast<void>(noted(enough.error()));
      overtaken = version != version_ || cutting(version) || segment->removed();
      if (overtaken) break;
      if (!enough) co_return read_failure(enough.error());
      if (*enough) break;
    }
    if (!overtaken) co_return ReadResult<void>();
    const auto guard = co_await changes_.lock();
  }
}

Task<ReadResult<std::optional<TimestampOffset>>> Log::find_timestamp(Timestamp timestamp,
                                                                     Offset up_to) {
  std::optional<TimestampOffset> first;
  const auto all = [&] {
    first.reset();
    return segments_;
  };
  const auto ask = [&](std::shared_ptr<Segment> segment) -> Task<StorageResult<bool>> {
    if (segment->base() >= up_to) co_return StorageResult<bool>(true);
    const auto found = co_await segment->find_timestamp(timestamp, start_, up_to);
    if (!found) co_return failure(found.error());
    first = *found && (*found)->offset < up_to ? *found : std::nullopt;
    co_return StorageResult<bool>(first.has_value());
  };
  const auto asked = co_await ask_segments(all, ask);
  if (!asked) co_return failure(asked.error());
  co_return ReadResult<std::optional<TimestampOffset>>(first);
}

Task<ReadResult<std::optional<TimestampOffset>>> Log::find_max_timestamp() {
  TimestampOffset best{no_timestamp, no_offset};
  const auto all = [&] {
    best = {no_timestamp, no_offset};
    return segments_;
  };
  const auto ask = [&](std::shared_ptr<Segment> segment) -> Task<StorageResult<bool>> {
    auto largest = co_await segment->largest_timestamp();
    if (largest && largest->timestamp > best.timestamp && segment->base() < start_) {
      // It may be that of a record that was deleted.
      largest = co_await segment->largest_timestamp_from(start_);
    }
    if (!largest) co_return failure(largest.error());
    if (largest->timestamp > best.timestamp) best = *largest;
    co_return StorageResult<bool>(false);
  };
  const auto asked = co_await ask_segments(all, ask);
  if (!asked) co_return failure(asked.error());
  if (best.timestamp == no_timestamp) co_return std::optional<TimestampOffset>();
  auto found = co_await find_timestamp(best.timestamp, end_);
  if (!found || *found) co_return found;
  // A batch that compaction left without records still has its time in the index: now those that
  // have records are looked through.
  const auto ask_again = [&](std::shared_ptr<Segment> segment) -> Task<StorageResult<bool>> {
    const auto largest =
        co_await segment->largest_timestamp_from(std::max(start_, segment->base()));
    if (!largest) co_return failure(largest.error());
    if (largest->timestamp > best.timestamp) best = *largest;
    co_return StorageResult<bool>(false);
  };
  const auto asked_again = co_await ask_segments(all, ask_again);
  if (!asked_again) co_return failure(asked_again.error());
  if (best.timestamp == no_timestamp) co_return std::optional<TimestampOffset>();
  co_return co_await find_timestamp(best.timestamp, end_);
}

Task<ReadResult<std::vector<AbortedTransaction>>> Log::aborted(Offset from, Offset to) {
  std::vector<AbortedTransaction> found;
  const auto choose = [&] {
    found.clear();
    return std::vector<std::shared_ptr<Segment>>(
        segments_.begin() + static_cast<std::ptrdiff_t>(segment_index(from)), segments_.end());
  };
  const auto ask = [&](std::shared_ptr<Segment> segment) -> Task<StorageResult<bool>> {
    auto decided = co_await segment->collect_aborted(from, to, found);
    if (decided || decided.error().fault != StorageFault::corrupt) co_return decided;
    // Nobody appends to it meanwhile, or cuts it.
    const auto guard = co_await (segment == segments_.back() ? changes_.lock() : settling_.lock());
    if (const auto online_now = online(); !online_now) co_return failure(online_now.error());
    context_.segments.log.warning("{} is made again from the log", decided.error().message);
    if (const auto done = co_await rebuild_transactions(segment); !done) {
      co_return failure(done.error());
    }
    co_return co_await segment->collect_aborted(from, to, found);
  };
  const auto asked = co_await ask_segments(choose, ask);
  if (!asked) co_return failure(asked.error());
  co_return found;
}

}  // namespace millrace::storage
