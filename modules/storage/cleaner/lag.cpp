module;
#include <algorithm>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

module millrace.storage.cleaner;

namespace millrace::storage {
namespace {

// Nothing: the file cannot be asked either.
Task<std::optional<Timestamp>> last_change(SegmentContext& context, const Segment& segment) {
  const auto status = co_await context.files.status(segment.log_path());
  if (!status) co_return std::nullopt;
  co_return status->modified;
}

Task<std::optional<Timestamp>> youngest_in(SegmentContext& context, Segment& segment) {
  const auto largest = co_await segment.largest_timestamp();
  if (largest && largest->timestamp >= Timestamp(0)) co_return largest->timestamp;
  co_return co_await last_change(context, segment);
}

Task<std::optional<Timestamp>> first_in(SegmentContext& context, Segment& segment) {
  const auto first = co_await segment.find(segment.base(), segment.bytes());
  if (first && *first && (*first)->header.max_timestamp >= Timestamp(0)) {
    co_return (*first)->header.max_timestamp;
  }
  co_return co_await last_change(context, segment);
}

}  // namespace

Task<CompactionLag> compaction_lag(SegmentContext& context, const Log& log, CleaningRange range) {
  const Milliseconds least = log.config().compaction_lag_min;
  const std::optional<Milliseconds> most = log.config().compaction_lag_max;
  CompactionLag lag{range.to};
  if (least.count() <= 0 && !most) co_return lag;
  const Timestamp now = context.executor.clock().wall_now();
  // Others may change the log meanwhile.
  const std::vector<std::shared_ptr<Segment>> segments(log.segments().begin(),
                                                       log.segments().end());
  for (std::size_t i = 0; i + 1 < segments.size(); ++i) {
    Segment& segment = *segments[i];
    if (segment.base() >= range.to) break;
    if (segments[i + 1]->base() <= range.from) continue;
    if (least.count() > 0) {
      const auto youngest = co_await youngest_in(context, segment);
      if (!youngest || now.since(*youngest) < least.count()) {
        lag.cleanable_end = std::max(segment.base(), range.from);
        break;
      }
    }
    if (most && !lag.is_overdue) {
      const auto first = co_await first_in(context, segment);
      lag.is_overdue = first && now.since(*first) > most->count();
    }
  }
  co_return lag;
}

}  // namespace millrace::storage
