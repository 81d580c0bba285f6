// The records of fetched batches, as views.
module;
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

export module millrace.client.consumer:records;

import millrace.base;
import millrace.client.core;
import millrace.protocol.batch;

export namespace millrace::client {

// One record. Its views are valid as long as the FetchedRecords that it came in.
struct ConsumedRecord {
  std::string_view topic;
  PartitionIndex partition{0};
  Offset offset;
  LeaderEpoch leader_epoch = no_leader_epoch;
  Timestamp timestamp = no_timestamp;
  protocol::TimestampType timestamp_type = protocol::TimestampType::create_time;
  ByteView key;    // null where its data pointer is null
  ByteView value;  // likewise
  protocol::RecordHeaders headers;
};

// What one poll gave: the records, those of a partition one after the other in their order, and the
// memory that they lie in: frames of answers, and batches that were decompressed. Moves. Read on
// any thread, one at a time; ends on the thread of its consumer and before it.
class FetchedRecords {
 public:
  struct Range {
    std::shared_ptr<const TopicPartition> partition;
    std::size_t first = 0;
    std::size_t count = 0;
    Offset next_offset;  // what is read next after these: what is to be committed
    LeaderEpoch leader_epoch = no_leader_epoch;
  };

  // Room for so many, taken at once.
  void reserve(std::size_t records) { records_.reserve(records); }
  [[nodiscard]] bool empty() const { return records_.empty(); }
  [[nodiscard]] std::size_t size() const { return records_.size(); }
  [[nodiscard]] auto begin() const { return records_.begin(); }
  [[nodiscard]] auto end() const { return records_.end(); }
  [[nodiscard]] std::span<const ConsumedRecord> records() const { return records_; }
  // By partition, in the order of the records; one for each time that a partition was taken from.
  [[nodiscard]] std::span<const Range> ranges() const { return ranges_; }

 private:
  friend class ChunkReader;

  std::vector<ConsumedRecord> records_;
  std::vector<Range> ranges_;
  std::vector<std::shared_ptr<const void>> pins_;
};

// A transaction that was aborted: the records of this producer from there to its marker.
struct AbortedRange {
  ProducerId producer = no_producer_id;
  Offset first;

  friend bool operator==(const AbortedRange&, const AbortedRange&) = default;
};

// What one answer brought for one partition.
struct FetchedChunk {
  std::shared_ptr<const TopicPartition> partition;
  std::shared_ptr<const void> frame;  // that `batches` lies in
  ByteView batches;
  Offset from;                        // that was asked for
  std::vector<AbortedRange> aborted;  // for read_committed
};

struct ReadOptions {
  bool check_crcs = true;
  bool read_committed = false;
  protocol::RecordLimits limits{};
};

// Where the batches of a chunk end, by their headers; nothing is checked beyond them. The offset to
// fetch next, and how many bytes are whole batches. An error: no whole batch that begins or passes
// the offset that was asked for, or damage.
struct ChunkEnd {
  Offset next_offset;
  std::size_t bytes = 0;
};
[[nodiscard]] Result<ChunkEnd> end_of_chunk(ByteView batches, Offset from);

// Takes the records out of a chunk, piece by piece: leaves out those before the offset that was
// asked for, control records, and for read_committed those of aborted transactions. Records of
// batches without compression are views of the frame; others of memory that is pinned with them.
// Lives on one thread; the decompressor outlives it and is used within a call only.
class ChunkReader {
 public:
  ChunkReader(FetchedChunk chunk, const ReadOptions& options, protocol::Decompressor& decompressor);

  // Adds at most `records_max` records, and their range if there are any. An error, which comes
  // alone and again with each later call: the batch at next_offset() is damaged.
  [[nodiscard]] Result<std::size_t> take(std::size_t records_max, FetchedRecords& to);
  [[nodiscard]] bool finished() const { return finished_; }
  // The first offset that was not taken.
  [[nodiscard]] Offset next_offset() const { return next_offset_; }
  [[nodiscard]] LeaderEpoch leader_epoch() const { return leader_epoch_; }
  [[nodiscard]] const TopicPartition& partition() const { return *chunk_.partition; }

 private:
  [[nodiscard]] Result<bool> open_next();
  [[nodiscard]] Result<void> open(const protocol::BatchView& batch);
  [[nodiscard]] Result<protocol::BatchView> decompressed(const protocol::BatchView& batch);
  [[nodiscard]] Result<void> read_open_batch(std::size_t records_max, FetchedRecords& to);
  [[nodiscard]] Result<bool> is_left_out(const protocol::BatchView& batch);
  [[nodiscard]] Result<bool> is_abort_marker(const protocol::BatchView& batch);
  [[nodiscard]] Error damaged(std::string_view why) const;
  void pin(const std::shared_ptr<const void>& memory, FetchedRecords& to) const;

  FetchedChunk chunk_;
  ReadOptions options_;
  protocol::Decompressor* decompressor_;
  protocol::BatchSplitter splitter_;
  std::optional<protocol::RecordReader> reader_;
  protocol::BatchHeader header_;
  std::shared_ptr<const void> memory_;  // of the open batch
  std::size_t next_aborted_ = 0;
  std::vector<ProducerId> aborting_;  // producers inside an aborted transaction
  Offset next_offset_;
  LeaderEpoch leader_epoch_ = no_leader_epoch;
  std::optional<Error> failed_;
  bool finished_ = false;
};

}  // namespace millrace::client
