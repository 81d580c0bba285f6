// min.compaction.lag.ms and max.compaction.lag.ms: what may not be cleaned yet, and what must be.
module;
#include <coroutine>

export module millrace.storage.cleaner:lag;

import millrace.base;
import millrace.runtime;
import millrace.storage.log;
import millrace.storage.segment;
import :pass;

export namespace millrace::storage {

struct CompactionLag {
  Offset cleanable_end;  // records from here on are too young
  bool is_overdue = false;
};

// Of the part of a log that is not clean, by the segment, as in Kafka: one is as young as its
// youngest record and as old as its first batch. What cannot be read is as old as its file. Log and
// context outlive it.
[[nodiscard]] Task<CompactionLag> compaction_lag(SegmentContext& context, const Log& log,
                                                 CleaningRange range);

}  // namespace millrace::storage
