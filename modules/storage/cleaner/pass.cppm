// One cleaning of one log.
module;
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

export module millrace.storage.cleaner:pass;

import millrace.base;
import millrace.protocol.batch;
import millrace.runtime;
import millrace.storage.files;
import millrace.storage.log;
import millrace.storage.segment;
import :batch_filter;
import :cleaned_segment;
import :key_mapper;
import :key_offsets;
import :record_walk;
import :throttle;
import :transactions;

export namespace millrace::storage {

// Others may run after so many bytes of batches and of their records.
inline constexpr std::uint64_t cleaning_slice_bytes = 256 * kibibyte;

// What the passes of a shard share; outlives them.
struct CleaningContext {
  SegmentContext& segments;
  protocol::Compressor& compressor;
  IoThrottle& throttle;
};

// Which part of a log is cleaned, and how much of it was not cleaned before.
struct CleaningRange {
  Offset from;  // what lies below was cleaned before
  Offset to;    // what lies above cannot be cleaned yet
  std::uint64_t clean_bytes = 0;
  std::uint64_t dirty_bytes = 0;

  [[nodiscard]] double dirty_ratio() const {
    const std::uint64_t all = clean_bytes + dirty_bytes;
    return all == 0 ? 0 : static_cast<double>(dirty_bytes) / static_cast<double>(all);
  }
};

// `cleaned_end` is where the last pass ended. What is open, replicated too little or not durable is
// not cleaned, nor is the segment that is written to, nor what `limit` excludes.
[[nodiscard]] CleaningRange cleaning_range(const Log& log, Offset cleaned_end,
                                           std::optional<Offset> limit = std::nullopt);

struct PassReport {
  Offset cleaned_end;  // less than the end of the range if the table of keys was full
  bool cancelled = false;
  std::size_t segments = 0;  // that were read
  std::size_t replaced = 0;  // of these
  std::uint64_t bytes_before = 0;
  std::uint64_t bytes_after = 0;
  std::uint64_t bytes_read = 0;
  std::uint64_t bytes_written = 0;
  std::uint64_t keys = 0;
  CleaningCounts counts;
};

// Reads the part of a log that is not clean and notes its keys; then writes all closed segments
// anew, group by group, up to where the keys are known, and puts each group in its place. Works in
// slices and at the speed of the throttle; memory: the table of keys, a block of 1 MiB that is read
// and one that is written, and the largest batch twice. Made for one run; the log is not
// destroyed before that has ended. A failure leaves the log as it is between two groups: what was
// done counts.
class CleaningPass {
 public:
  CleaningPass(const CleaningContext& context, Log& log, const CleaningRange& range,
               KeyOffsets& keys);

  // Damage that is found in a segment is StorageFault::corrupt and names it; nothing of its group
  // has changed then.
  [[nodiscard]] Task<StorageResult<PassReport>> run();
  // The run ends soon, in order.
  void cancel() { cancelled_ = true; }
  // Whether the log has lost segments or records that this pass works on: then a failure says
  // nothing about what is on the disk.
  [[nodiscard]] bool log_changed() const;

 private:
  [[nodiscard]] Task<StorageResult<void>> map_keys();
  template <class Use>
  [[nodiscard]] Task<StorageResult<bool>> walk(Segment& segment, std::uint64_t position,
                                               BatchOrder order, Offset end, Use& use);
  [[nodiscard]] Task<StorageResult<bool>> map_segment(Segment& segment, Offset end,
                                                      KeyMapper& mapper);
  [[nodiscard]] Task<StorageResult<void>> clean_segments();
  // Cleans one segment and those behind it that fit into what it becomes, and takes them as done.
  [[nodiscard]] Task<StorageResult<void>> clean_group();
  struct Group {
    std::size_t count = 0;  // of segments
    bool changed = false;   // whether anything was left out or written anew
  };
  [[nodiscard]] Task<StorageResult<Group>> clean_into(CleanedSegment& cleaned);
  [[nodiscard]] Task<StorageResult<void>> reach(CleanedSegment& cleaned, Offset last_base);
  [[nodiscard]] Task<StorageResult<std::optional<Timestamp>>> last_change(std::size_t count);
  [[nodiscard]] Task<StorageResult<void>> put_in_place(std::size_t count);
  [[nodiscard]] Task<StorageResult<bool>> clean_segment(CleanedSegment& cleaned, Segment& segment,
                                                        Offset end);
  [[nodiscard]] Task<void> pause(std::uint64_t bytes);
  [[nodiscard]] Offset end_of(std::size_t index) const;
  [[nodiscard]] bool joins(const CleanedSegment& cleaned, std::size_t index) const;

  CleaningContext context_;
  Log& log_;
  CleaningRange range_;
  KeyOffsets& keys_;
  RecordWalk walk_;
  std::vector<std::shared_ptr<Segment>> segments_;  // as they were at the beginning
  std::size_t next_ = 0;                            // of these, the first that is not cleaned yet
  std::size_t last_ = 0;                            // behind those that are to be cleaned
  std::uint64_t version_;                           // of the log, with our own changes
  CleanedTransactions transactions_;
  std::optional<BatchFilter> filter_;
  std::optional<protocol::BatchHeader> last_read_;  // of the segments that are being cleaned
  std::uint64_t slice_ = 0;
  std::uint64_t slice_io_ = 0;
  std::uint64_t walked_ = 0;
  bool cancelled_ = false;
  PassReport report_;
};

}  // namespace millrace::storage
