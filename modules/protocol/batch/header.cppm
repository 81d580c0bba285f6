// The 61 bytes before the records of a batch (format v2), views of whole batches, and the splitting
// of a run of batches. The layout is described in docs/formats/record-batch.md.
module;
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>

export module millrace.protocol.batch:header;

import :failure;
import millrace.base;
import millrace.protocol.compression;

export namespace millrace::protocol {

// Where each field of the header starts.
namespace batch_layout {
inline constexpr std::size_t base_offset = 0;
inline constexpr std::size_t batch_length = 8;
inline constexpr std::size_t leader_epoch = 12;
inline constexpr std::size_t magic = 16;
inline constexpr std::size_t crc = 17;
inline constexpr std::size_t attributes = 21;
inline constexpr std::size_t last_offset_delta = 23;
inline constexpr std::size_t base_timestamp = 27;
inline constexpr std::size_t max_timestamp = 35;
inline constexpr std::size_t producer_id = 43;
inline constexpr std::size_t producer_epoch = 51;
inline constexpr std::size_t base_sequence = 53;
inline constexpr std::size_t record_count = 57;
inline constexpr std::size_t records = 61;
}  // namespace batch_layout

static_assert(batch_layout::records == record_batch_header_bytes);
// The batch length does not count the base offset and itself.
static_assert(batch_layout::leader_epoch == record_batch_prefix_bytes);
inline constexpr std::int32_t batch_length_min =
    static_cast<std::int32_t>(record_batch_header_bytes - record_batch_prefix_bytes);
// What the format can express.
inline constexpr std::size_t batch_bytes_format_max =
    std::numeric_limits<std::int32_t>::max() + record_batch_prefix_bytes;
inline constexpr std::int8_t batch_magic = 2;

enum class TimestampType : std::uint8_t { create_time = 0, log_append_time = 1 };

// The attributes field, bit by bit.
class BatchAttributes {
 public:
  static constexpr std::int16_t codec_mask = codec_bits_mask;
  static constexpr std::int16_t log_append_time_bit = 0x08;
  static constexpr std::int16_t transactional_bit = 0x10;
  static constexpr std::int16_t control_bit = 0x20;
  static constexpr std::int16_t delete_horizon_bit = 0x40;
  static constexpr std::int16_t known_bits = 0x7f;

  constexpr BatchAttributes() = default;
  constexpr explicit BatchAttributes(std::int16_t bits) : bits_(bits) {}

  [[nodiscard]] inline constexpr std::int16_t bits() const { return bits_; }
  // Nothing for the numbers that name no codec.
  [[nodiscard]] inline constexpr std::optional<Codec> codec() const {
    return codec_from_bits(static_cast<std::uint8_t>(bits_ & codec_mask));
  }
  [[nodiscard]] inline constexpr TimestampType timestamp_type() const {
    return has(log_append_time_bit) ? TimestampType::log_append_time : TimestampType::create_time;
  }
  [[nodiscard]] inline constexpr bool is_transactional() const { return has(transactional_bit); }
  [[nodiscard]] inline constexpr bool is_control() const { return has(control_bit); }
  // The base timestamp is then the time after which tombstones and markers may be dropped.
  [[nodiscard]] inline constexpr bool has_delete_horizon() const { return has(delete_horizon_bit); }
  [[nodiscard]] inline constexpr bool has_unknown_bits() const {
    return (bits_ & ~known_bits) != 0;
  }

  [[nodiscard]] inline constexpr BatchAttributes with(std::int16_t mask, bool set) const {
    return BatchAttributes(static_cast<std::int16_t>(set ? bits_ | mask : bits_ & ~mask));
  }
  [[nodiscard]] inline constexpr BatchAttributes with(Codec codec) const {
    return BatchAttributes(
        static_cast<std::int16_t>((bits_ & ~codec_mask) | static_cast<std::int16_t>(codec)));
  }
  [[nodiscard]] inline constexpr BatchAttributes with(TimestampType type) const {
    return with(log_append_time_bit, type == TimestampType::log_append_time);
  }

  friend constexpr bool operator==(BatchAttributes, BatchAttributes) = default;

 private:
  [[nodiscard]] inline constexpr bool has(std::int16_t bit) const { return (bits_ & bit) != 0; }

  std::int16_t bits_ = 0;
};

// Who sent a batch and how it counts, so that a repeated batch is recognised; all -1 without
// idempotence.
struct ProducerState {
  ProducerId id = no_producer_id;
  ProducerEpoch epoch = no_producer_epoch;
  Sequence base_sequence = no_sequence;

  friend bool operator==(const ProducerState&, const ProducerState&) = default;
};

// The header as a value. Only magic and length of it are checked when it is read: what a field may
// hold depends on who asks (see validate_batch).
struct BatchHeader {
  Offset base_offset{};
  std::int32_t batch_length = 0;
  LeaderEpoch leader_epoch = no_leader_epoch;
  std::uint32_t crc = 0;
  BatchAttributes attributes{};
  std::int32_t last_offset_delta = 0;
  Timestamp base_timestamp = no_timestamp;
  Timestamp max_timestamp = no_timestamp;
  ProducerState producer{};
  std::int32_t record_count = 0;

  // Header and records together.
  [[nodiscard]] inline std::size_t size_bytes() const {
    return static_cast<std::size_t>(batch_length) + record_batch_prefix_bytes;
  }
  [[nodiscard]] inline bool has_producer_id() const { return producer.id > no_producer_id; }
  // Wraps on hostile input instead of overflowing.
  [[nodiscard]] inline Offset last_offset() const {
    return Offset(static_cast<std::int64_t>(static_cast<std::uint64_t>(base_offset.value()) +
                                            static_cast<std::uint64_t>(last_offset_delta)));
  }
  // Sequences run from 0 to 2^31-1 and then from 0 again.
  [[nodiscard]] inline Sequence last_sequence() const {
    if (producer.base_sequence == no_sequence) return no_sequence;
    return Sequence(
        static_cast<std::int32_t>((static_cast<std::uint32_t>(producer.base_sequence.value()) +
                                   static_cast<std::uint32_t>(last_offset_delta)) &
                                  0x7fff'ffffu));
  }

  friend bool operator==(const BatchHeader&, const BatchHeader&) = default;
};

// Reads the header at the front of `bytes`; the records need not be there. Refuses magic 0 and 1 by
// name, other magic, a length below a header's. Fewer bytes than a header: BatchError::truncated,
// unless the magic byte is there and refused.
[[nodiscard]] BatchResult<BatchHeader> read_batch_header(ByteView bytes);

// Writes all 61 bytes as they are in `header`, crc included.
void write_batch_header(std::byte* to, const BatchHeader& header);

// One whole batch in memory of someone else, which must outlive the view. Not checked beyond what
// read_batch_header checks and that all bytes are there: the CRC is asked for by name.
class BatchView {
 public:
  BatchView() = default;

  // The batch at the front of `bytes`; what follows it is left alone.
  [[nodiscard]] static BatchResult<BatchView> parse(ByteView bytes);

  [[nodiscard]] inline const BatchHeader& header() const { return header_; }
  [[nodiscard]] inline ByteView bytes() const { return bytes_; }
  // As they lie in the batch: compressed where the codec says so.
  [[nodiscard]] inline ByteView record_bytes() const {
    return bytes_.subspan(record_batch_header_bytes);
  }
  [[nodiscard]] bool crc_matches() const;

 private:
  BatchView(const BatchHeader& header, ByteView bytes) : header_(header), bytes_(bytes) {}

  BatchHeader header_;
  ByteView bytes_;
};

// CRC32C from the attributes to the end of the batch: what the crc field must hold.
[[nodiscard]] std::uint32_t compute_batch_crc(ByteView batch);

// Takes batch after batch from a buffer, which must outlive it. A last batch that is cut off ends
// the walk without a failure, because a Fetch response may end so:
//   BatchSplitter splitter(bytes);
//   for (BatchView batch; splitter.next(batch);) use(batch);
//   const auto end = splitter.finish();   // failure, or whether the buffer ended in a partial
//   batch
class BatchSplitter {
 public:
  enum class End : std::uint8_t { complete, cut };

  explicit BatchSplitter(ByteView bytes, std::size_t batch_bytes_max = batch_bytes_format_max)
      : rest_(bytes), batch_bytes_max_(batch_bytes_max) {}

  // False at the end of the buffer, before a partial batch, or at a failure.
  [[nodiscard]] bool next(BatchView& batch);
  [[nodiscard]] BatchResult<End> finish() const;
  // What was not split: empty, a partial batch, or what failed.
  [[nodiscard]] inline ByteView rest() const { return rest_; }
  // The size that a partial batch announces, 0 while fewer than 12 bytes of it are known.
  [[nodiscard]] std::size_t cut_batch_bytes() const;

 private:
  enum class State : std::uint8_t { splitting, ended, failed };

  ByteView rest_;
  std::size_t batch_bytes_max_;
  State state_ = State::splitting;
  BatchFailure failure_;
};

}  // namespace millrace::protocol
