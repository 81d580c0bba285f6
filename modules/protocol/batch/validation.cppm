// What a broker checks of a batch before it is appended.
module;
#include <chrono>
#include <cstddef>
#include <cstdint>

export module millrace.protocol.batch:validation;

import :failure;
import :header;
import :reader;
import millrace.base;

export namespace millrace::protocol {

// How deep a batch is looked into. `header` does not read the records: no decompression, and what
// only they can tell (keys, single timestamps, structure) is taken on trust.
enum class CheckDepth : std::uint8_t { records, header };

// Control batches come from coordinators only.
enum class BatchOrigin : std::uint8_t { client, coordinator };

struct ValidationOptions {
  BatchOrigin origin = BatchOrigin::client;
  CheckDepth depth = CheckDepth::records;
  // max.message.bytes of the topic.
  std::size_t batch_bytes_max = message_bytes_max_default;
  // Produced batches begin at offset 0. Off for batches whose offsets were assigned before.
  bool require_base_offset_zero = true;
  // The topic is compacted: every record needs a key.
  bool require_keys = false;
  // Clients know zstd from version 7 of Produce on.
  bool zstd_allowed = true;
  // message.timestamp.type of the topic. With log append time `now` becomes every record's
  // timestamp.
  TimestampType timestamp_type = TimestampType::create_time;
  Timestamp now{};
  // message.timestamp.before.max.ms and .after.max.ms of the topic; for create time.
  std::chrono::milliseconds timestamp_before_max = std::chrono::milliseconds::max();
  std::chrono::milliseconds timestamp_after_max = std::chrono::hours(1);
};

// A batch that may be appended, and what the log needs to know of it.
struct ValidBatch {
  BatchView batch;
  std::int32_t record_count = 0;
  // Of all records, as the log will hold them.
  Timestamp max_timestamp = no_timestamp;
  // The first record that has it, counted from the base offset.
  std::int32_t max_timestamp_offset_delta = 0;
  // The batch says otherwise: call rewrite_timestamps(bytes, timestamp_type, max_timestamp) before
  // appending.
  bool must_rewrite_timestamps = false;
  // Of the records, decompressed; as they lie in the batch when only the header was checked.
  std::size_t record_bytes = 0;
};

// Checks that `bytes` is exactly one batch that may be appended. One pass over the bytes, a
// compressed batch is decompressed as a stream by `reader`, whose limits hold. The order of the
// checks is Kafka's: one batch of the right format, its size, its CRC, its header, its records.
[[nodiscard]] BatchResult<ValidBatch> validate_batch(ByteView bytes,
                                                     const ValidationOptions& options,
                                                     RecordReader& reader);

// The same in slices, for who has others to serve meanwhile: a small batch may become very large.
//   BatchValidation validation(bytes, options, reader);
//   while (!validation.advance(slice_bytes)) ...others are served...
//   use(validation.result());
// Until it has ended `bytes` stay in place, and nobody else uses the reader or its decompressor.
class BatchValidation {
 public:
  // Checks all that needs no look at the records.
  BatchValidation(ByteView bytes, const ValidationOptions& options, RecordReader& reader);

  // Reads about so many bytes of records, decompressed; true when the result is there.
  [[nodiscard]] bool advance(std::uint64_t bytes_max);
  [[nodiscard]] const BatchResult<ValidBatch>& result() const;
  // Whether the records have to be decompressed, which takes longer.
  [[nodiscard]] bool is_compressed() const { return is_compressed_; }

 private:
  [[nodiscard]] BatchResult<void> check_batch(ByteView bytes);
  void end(BatchResult<void> checked);

  ValidationOptions options_;
  RecordReader* reader_;
  ValidBatch valid_;
  std::int32_t next_index_ = 0;  // of the record that is read next
  bool is_compressed_ = false;
  bool has_ended_ = false;
  BatchResult<ValidBatch> result_;
};

}  // namespace millrace::protocol
