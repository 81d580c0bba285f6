// What cleaning leaves of one batch.
module;
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

export module millrace.storage.cleaner:batch_filter;

import millrace.base;
import millrace.protocol.batch;
import millrace.storage.producers;
import :key_offsets;
import :record_walk;
import :transactions;

export namespace millrace::storage {

// Up to where and until when a pass cleans.
struct CleaningRules {
  // The table of keys knows all records between what was cleaned before and here. Records from here
  // on are kept.
  Offset mapped_end;
  // Where the part of the log ends that may be cleaned. The batch before it stays, if need be
  // without records: it tells followers how far the log goes.
  Offset cleanable_end;
  Timestamp now;
  // delete.retention.ms
  std::int64_t delete_retention_ms = 0;
};

enum class BatchFate : std::uint8_t {
  copied,     // byte for byte
  rewritten,  // without some records, or with the time of its tombstones' end
  emptied,    // only the header is left
  dropped
};

struct FilteredBatch {
  BatchFate fate = BatchFate::copied;
  // What is written; empty if the batch is dropped. Valid until the next batch, and as long as the
  // original.
  ByteView bytes;
  protocol::BatchHeader header;
};

struct CleaningCounts {
  std::uint64_t records_read = 0;
  std::uint64_t records_kept = 0;
  // Dropped: a compacted topic takes none, but they may be older than its policy.
  std::uint64_t records_without_key = 0;
  std::uint64_t batches_read = 0;
  std::uint64_t batches_kept = 0;
};

// The second half of a cleaning: takes the batches of a log in order, from its beginning, with the
// CRC checked. A record stays if no later one has its key; without a value it goes when its time
// has come, which begins to count when it is met for the first time. Aborted records go. Markers go
// when nothing of their transaction was left, after the same time. Offsets never change, nor does
// the range of a batch. docs/formats/compaction.md has the rules. Belongs to one pass; what it is
// given outlives it.
class BatchFilter {
 public:
  BatchFilter(const KeyOffsets& keys, CleanedTransactions& transactions,
              const ProducerStates& producers, const CleaningRules& rules, RecordWalk& walk,
              BufferPool& buffers, protocol::Compressor& compressor);

  [[nodiscard]] protocol::BatchResult<FilteredBatch> filter(const protocol::BatchView& batch);
  [[nodiscard]] const CleaningCounts& counts() const { return counts_; }

 private:
  // What became of the records of the batch.
  struct Choice {
    std::int32_t kept = 0;
    std::int32_t dropped = 0;
    bool has_tombstones = false;
  };

  [[nodiscard]] protocol::BatchResult<FilteredBatch> filter_data(const protocol::BatchView& batch);
  [[nodiscard]] protocol::BatchResult<FilteredBatch> filter_control(
      const protocol::BatchView& batch);
  [[nodiscard]] protocol::BatchResult<Choice> choose(const protocol::BatchView& batch);
  [[nodiscard]] bool stays(const protocol::RecordView& record, const protocol::BatchHeader& header);
  [[nodiscard]] FilteredBatch copy(const protocol::BatchView& batch);
  [[nodiscard]] FilteredBatch without_records(const protocol::BatchView& batch);
  [[nodiscard]] protocol::BatchResult<FilteredBatch> rewrite(const protocol::BatchView& batch,
                                                             std::optional<Timestamp> horizon);
  [[nodiscard]] bool header_is_needed(const protocol::BatchHeader& header) const;
  [[nodiscard]] Timestamp new_horizon() const;

  const KeyOffsets& keys_;
  CleanedTransactions& transactions_;
  const ProducerStates& producers_;
  CleaningRules rules_;
  RecordWalk& walk_;
  protocol::BatchStorage records_;
  protocol::BatchStorage compressed_;
  protocol::BatchBuilder builder_;
  // For each record of the batch whether it stays.
  std::vector<bool> stays_;
  std::array<std::byte, record_batch_header_bytes> emptied_{};
  CleaningCounts counts_;
};

}  // namespace millrace::storage
