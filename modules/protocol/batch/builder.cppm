// Builds batches record by record.
module;
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

export module millrace.protocol.batch:builder;

import :control;
import :failure;
import :header;
import :record;
import :storage;
import millrace.base;
import millrace.protocol.compression;

export namespace millrace::protocol {

// A record to append. Nothing is kept of it after the call.
struct RecordInput {
  ByteView key{};    // null where its data pointer is null; as_bytes("") is empty and not null
  ByteView value{};  // likewise
  Timestamp timestamp = no_timestamp;
  std::span<const RecordHeader> headers{};
};

struct BatchOptions {
  CompressionOptions compression{};
  Offset base_offset{0};
  LeaderEpoch leader_epoch = no_leader_epoch;
  ProducerState producer{};
  bool transactional = false;
  bool control = false;
  // Log append time: every record is read with `log_append_time`, whatever its own timestamp.
  TimestampType timestamp_type = TimestampType::create_time;
  Timestamp log_append_time = no_timestamp;
  // Set by compaction only; becomes the base timestamp.
  std::optional<Timestamp> delete_horizon{};
  // Header and records before compression; no append passes it.
  std::size_t batch_bytes_max = message_bytes_max_default;
  // How many bytes one byte of records is expected to take when compressed; for would_fit.
  double compression_ratio_expected = 1.0;
};

// Appends records to a batch in memory, compresses them in one pass and seals it with the CRC.
// Works in storage of the caller, which must outlive it, and allocates nothing but what that takes
// from its pool. Reused by start(). Lives on one thread. A record that does not fit is refused
// (batch_full) and leaves the batch as it was.
class BatchBuilder {
 public:
  // `records` holds the batch while it grows; `compressed` and `compressor` are used for codecs
  // other than none only, and `compressed` then holds the finished batch.
  BatchBuilder(BatchStorage& records, BatchStorage& compressed, Compressor& compressor);

  // Begins an empty batch; what was not finished is dropped.
  void start(const BatchOptions& options);

  BatchResult<void> append(const RecordInput& record);
  // The same at an offset of the caller's choice, above that of the record before: compaction keeps
  // offsets.
  BatchResult<void> append_at(std::int32_t offset_delta, const RecordInput& record);
  // A record of another batch, at its offset delta there, with its headers copied as they are
  // encoded.
  BatchResult<void> append_copy(const RecordView& record);
  // As append, for a control batch.
  BatchResult<void> append_end_transaction_marker(ControlRecordType type, CoordinatorEpoch epoch,
                                                  Timestamp timestamp);

  // Known only when the batch is sent; may be set until finish().
  inline void set_producer(const ProducerState& producer) { options_.producer = producer; }
  // For compaction: the end of the original batch's range, where its last records are gone.
  void set_last_offset_delta(std::int32_t delta);

  [[nodiscard]] inline std::int32_t record_count() const { return record_count_; }
  // Header and records so far, before compression.
  [[nodiscard]] inline std::size_t size_bytes() const { return size_bytes_; }
  // What the finished batch is expected to take.
  [[nodiscard]] std::size_t size_bytes_estimate() const;
  // Whether the batch stays within `batch_bytes` by estimate, and within its limit for sure, with
  // this record.
  [[nodiscard]] bool would_fit(const RecordInput& record, std::size_t batch_bytes) const;

  // Compresses, writes the header and gives the batch: valid until the next start() or use of the
  // storage. A batch without records is refused.
  [[nodiscard]] BatchResult<MutableBytes> finish();
  // After finish(), once: the batch together with its memory, where that is from a pool.
  [[nodiscard]] Buffer take_batch();

 private:
  // A record whose headers are encoded, or about to be.
  struct Fields {
    std::int32_t offset_delta = 0;
    Timestamp timestamp;
    ByteView key;
    ByteView value;
    std::int32_t header_count = 0;
    std::size_t header_bytes = 0;
  };

  [[nodiscard]] static Fields fields_of(const RecordInput& record, std::int32_t offset_delta);
  [[nodiscard]] std::size_t body_bytes_of(const Fields& record) const;
  // Appends all but the headers; they belong where it says.
  [[nodiscard]] BatchResult<std::byte*> append_without_headers(const Fields& record);
  [[nodiscard]] std::size_t estimate(std::size_t size_bytes) const;
  [[nodiscard]] BatchHeader header_of(std::size_t batch_bytes) const;
  // The batch with its records compressed and its header still to be written.
  [[nodiscard]] BatchResult<MutableBytes> compress();

  BatchStorage* records_;
  BatchStorage* compressed_;
  Compressor* compressor_;
  BatchOptions options_;
  bool open_ = false;
  // Of the finished batch; 0 while there is none.
  std::size_t finished_bytes_ = 0;
  std::size_t size_bytes_ = 0;
  std::int32_t record_count_ = 0;
  // Of the last record; -1 before the first.
  std::int32_t last_offset_delta_ = -1;
  Timestamp base_timestamp_;
  Timestamp max_timestamp_;
};

// The header of a batch that has lost all its records to compaction and stays for what it says:
// offsets, epochs, sequences, transactional and control bits, the max timestamp. It names no codec.
[[nodiscard]] std::array<std::byte, record_batch_header_bytes> emptied_batch(
    const BatchHeader& original);

}  // namespace millrace::protocol
