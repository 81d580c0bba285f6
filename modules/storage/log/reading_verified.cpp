module;
#include <algorithm>
#include <array>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

module millrace.storage.log;

namespace millrace::storage {

using protocol::BatchHeader;
using protocol::BatchSplitter;
using protocol::BatchView;

std::optional<std::string> Log::wrong_epoch(const BatchHeader& header) const {
  // Of records that are deleted nothing is known any more.
  if (header.last_offset() < start_) return std::nullopt;
  auto known = epochs_.epoch_for_offset(std::max(header.base_offset, start_));
  if (!known) {
    // From before the first leader that is known: of one before it, or of none.
    const auto earliest = epochs_.earliest();
    const LeaderEpoch latest = earliest ? earliest->epoch : no_leader_epoch;
    if (header.leader_epoch >= no_leader_epoch && header.leader_epoch <= latest) {
      return std::nullopt;
    }
    known = latest;
  }
  if (header.leader_epoch == *known) return std::nullopt;
  return "leader epoch " + std::to_string(header.leader_epoch.value()) + " at offset " +
         std::to_string(header.base_offset.value()) + ", which is of epoch " +
         std::to_string(known->value());
}

Task<StorageResult<std::optional<Misplaced>>> Log::check_place(Segment& segment, BatchOrder& order,
                                                               const ScannedBatch& batch) const {
  using Checked = StorageResult<std::optional<Misplaced>>;
  const protocol::BatchHeader& header = batch.batch.header();
  auto misplaced = co_await segment.misplaced(order, batch.position, header);
  if (!misplaced || *misplaced) co_return misplaced;
  if (auto wrong = wrong_epoch(header)) {
    co_return Checked(Misplaced{batch.position, std::move(*wrong)});
  }
  co_return Checked(std::nullopt);
}

std::optional<Offset> Log::end_of(const Segment& segment) const {
  const std::size_t index = segment_index(segment.base());
  if (segments_[index].get() != &segment) return std::nullopt;
  return segment_end(index);
}

// What is read of a slice, held against what lies around it. A local of load_verified().
class Log::Verification {
 public:
  Verification(Log& log, const LogSlice& slice) : log_(log), slice_(slice) {}

  [[nodiscard]] Task<StorageResult<void>> check(ByteView bytes);

 private:
  [[nodiscard]] Task<StorageResult<void>> look_before();
  [[nodiscard]] Task<StorageResult<void>> walk(std::shared_ptr<Segment> segment, std::uint64_t from,
                                               std::uint64_t to);
  [[nodiscard]] Task<StorageResult<void>> check_before(Segment& segment, const BatchPlace& place);
  [[nodiscard]] Task<StorageResult<void>> check_inside(ByteView bytes);
  [[nodiscard]] Task<StorageResult<void>> check_order(std::uint64_t position,
                                                      const BatchHeader& header);
  [[nodiscard]] Task<StorageResult<void>> look_behind();

  Log& log_;
  const LogSlice& slice_;
  BatchOrder order_;
  // Nothing was found where reading was to begin: what lies before must bear that out.
  bool gap_ = false;
  // The first batch and the one before it contradict each other. The first one is right if the next
  // one begins here.
  std::optional<Offset> must_follow_;
  std::string contradiction_;
};

Task<StorageResult<void>> Log::Verification::check(ByteView bytes) {
  if (auto before = co_await look_before(); !before) co_return before;
  if (slice_.empty()) co_return StorageResult<void>();
  if (auto inside = co_await check_inside(bytes); !inside) co_return inside;
  co_return co_await look_behind();
}

// From a little before the offset that was asked for up to the slice.
Task<StorageResult<void>> Log::Verification::look_before() {
  gap_ = slice_.empty() || slice_.base_offset > slice_.asked;
  const Segment* last = slice_.segment.get();
  const std::vector<std::shared_ptr<Segment>> segments = log_.segments_;
  for (std::size_t i = log_.segment_index(slice_.asked); i < segments.size(); ++i) {
    const std::shared_ptr<Segment> segment = segments[i];
    // All before it was removed since.
    const bool holds = segment->base() <= slice_.asked;
    if (!holds && (last == nullptr || segment->base() > last->base())) break;
    const std::uint64_t to = segment.get() == last ? slice_.position : segment->bytes();
    std::uint64_t from = 0;
    if (holds && to > 0) {
      const auto before = co_await segment->well_before(slice_.asked);
      if (!before && before.error().fault == StorageFault::offline) {
        co_return failure(before.error());
      }
      // The index is gone with its segment: nothing is known of what lies before.
      from = before ? std::min(*before, to) : to;
    }
    if (auto walked = co_await walk(segment, from, to); !walked) co_return walked;
    if (segment.get() == last || last == nullptr) break;
  }
  co_return StorageResult<void>();
}

Task<StorageResult<void>> Log::Verification::walk(std::shared_ptr<Segment> segment,
                                                  std::uint64_t from, std::uint64_t to) {
  order_ = from == 0 ? BatchOrder(segment->base()) : BatchOrder();
  if (from >= to) co_return StorageResult<void>();
  const auto lease = co_await segment->open_log();
  if (!lease) {
    order_ = BatchOrder();
    if (lease.error().fault == StorageFault::offline) co_return failure(lease.error());
    co_return StorageResult<void>();
  }
  SegmentContext& context = log_.context_.segments;
  BatchWalker walker(context.files, context.buffers, lease->handle(), segment->log_path(), from,
                     to);
  for (int behind = 0; behind < 2;) {
    const auto place = co_await walker.next();
    if (!place) {
      // Damage before the slice is not damage in it, unless it may hide what was asked for.
      order_ = BatchOrder();
      if (gap_ || place.error().fault == StorageFault::offline) co_return failure(place.error());
      co_return StorageResult<void>();
    }
    if (!*place) {
      const auto end = segment != slice_.segment ? log_.end_of(*segment) : std::nullopt;
      const auto misplaced = end ? order_.end(*end) : std::nullopt;
      if (misplaced) co_return failure(damage(*segment, *misplaced));
      break;
    }
    const BatchHeader& header = (*place)->header;
    if (gap_) {
      if (auto good = co_await check_before(*segment, **place); !good) co_return good;
    } else if (order_.add((*place)->position, header)) {
      order_ = BatchOrder();
    }
    // With no slice to stop at, the batch behind the gap and the next one say enough.
    if (slice_.empty() && header.base_offset > slice_.asked) ++behind;
  }
  co_return StorageResult<void>();
}

// The batch may be the one that was asked for, with another offset.
Task<StorageResult<void>> Log::Verification::check_before(Segment& segment,
                                                          const BatchPlace& place) {
  if (auto whole = co_await segment.check_batch(place); !whole) co_return whole;
  const auto misplaced = co_await segment.misplaced(order_, place.position, place.header);
  if (!misplaced) co_return failure(misplaced.error());
  if (*misplaced) co_return failure(damage(segment, **misplaced));
  co_return StorageResult<void>();
}

Task<StorageResult<void>> Log::Verification::check_inside(ByteView bytes) {
  Segment& segment = *slice_.segment;
  BatchSplitter splitter(bytes);
  std::uint64_t position = slice_.position;
  const std::uint64_t end = slice_.position + slice_.length;
  for (BatchView batch; splitter.next(batch);) {
    const BatchHeader& header = batch.header();
    if (!batch.crc_matches()) {
      co_return failure(damage(segment, position, "the CRC of the batch is wrong"));
    }
    if (auto good = co_await check_order(position, header); !good) co_return good;
    if (const auto wrong = log_.wrong_epoch(header))
      co_return failure(damage(segment, position, *wrong));
    position += batch.bytes().size();
  }
  if (const auto split = splitter.finish(); !split) {
    co_return failure(damage(segment, position, protocol::sentence(split.error())));
  }
  if (position != end) co_return failure(damage(segment, position, "it ends inside a batch"));
  co_return StorageResult<void>();
}

Task<StorageResult<void>> Log::Verification::check_order(std::uint64_t position,
                                                         const BatchHeader& header) {
  Segment& segment = *slice_.segment;
  const bool first = position == slice_.position;
  if (first && header.base_offset != slice_.base_offset) {
    co_return failure(damage(segment, position,
                             "offset " + std::to_string(header.base_offset.value()) + " where " +
                                 std::to_string(slice_.base_offset.value()) + " was expected"));
  }
  if (must_follow_ && header.base_offset != *must_follow_) {
    co_return failure(damage(segment, slice_.position, contradiction_));
  }
  must_follow_.reset();
  auto checked = co_await segment.misplaced(order_, position, header);
  if (!checked) co_return failure(checked.error());
  std::optional<Misplaced> misplaced = std::move(*checked);
  if (misplaced && first && misplaced->position < position) {
    contradiction_ = std::move(misplaced->reason);
    must_follow_ = header.last_offset().next();
    order_ = BatchOrder();
    misplaced = order_.add(position, header);
  }
  if (misplaced) co_return failure(damage(segment, *misplaced));
  co_return StorageResult<void>();
}

// The last batch must end before the next one begins, or before the next segment, or the log ends.
Task<StorageResult<void>> Log::Verification::look_behind() {
  Segment& segment = *slice_.segment;
  const std::uint64_t position = slice_.position + slice_.length;
  std::optional<Misplaced> misplaced;
  std::optional<Offset> follows;
  if (position >= segment.bytes()) {
    follows = log_.end_of(segment);
    if (follows) misplaced = order_.end(*follows);
  } else {
    std::array<std::byte, record_batch_header_bytes> bytes;
    const auto read =
        co_await log_.context_.segments.files.read(slice_.file.handle(), position, bytes);
    if (!read) co_return storage_failure(read.error(), segment.log_path());
    const auto header = protocol::read_batch_header(ByteView(bytes).first(*read));
    // Damage behind the slice is not damage in it.
    if (!header) co_return StorageResult<void>();
    follows = header->base_offset;
    misplaced = order_.add(position, *header);
    if (misplaced && misplaced->position == position) misplaced.reset();
  }
  if (misplaced) co_return failure(damage(segment, *misplaced));
  if (must_follow_ && follows && *follows != *must_follow_) {
    co_return failure(damage(segment, slice_.position, contradiction_));
  }
  co_return StorageResult<void>();
}

Task<ReadResult<Buffer>> Log::load_verified(const LogSlice& slice) {
  auto buffer = co_await load(slice);
  // What is in memory does not come from a disk; and where nothing was looked for, nothing is
  // missing.
  if (!buffer || slice.in_memory() || slice.asked == no_offset) co_return buffer;
  const auto good = co_await Verification(*this, slice).check(buffer->bytes());
  if (good) co_return buffer;
  // What was written in the place of records that were cut is no damage.
  if (good.error().fault == StorageFault::corrupt &&
      (slice.version != version_ || cutting(version_))) {
    co_return failure(
        ReadError{ReadFault::out_of_range,
                  StorageError{StorageFault::invalid,
                               "what was read from offset " + std::to_string(slice.asked.value()) +
                                   " on was cut or replaced meanwhile",
                               std::nullopt}});
  }
  co_return failure(ReadError{ReadFault::storage, noted(good.error())});
}

}  // namespace millrace::storage
