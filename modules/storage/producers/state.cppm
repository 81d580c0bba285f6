// What is known of one producer in one partition, and the rules that its next batch must keep.
module;
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

export module millrace.storage.producers:state;

import millrace.base;
import millrace.protocol.batch;

export namespace millrace::storage {

using protocol::CoordinatorEpoch;

inline constexpr CoordinatorEpoch no_coordinator_epoch{-1};
// A client has at most this many batches under way: an older one cannot come again.
inline constexpr std::size_t remembered_batches_max = 5;

// Who appends. Followers take what the leader has accepted.
enum class AppendOrigin : std::uint8_t { client, coordinator, replication };

// From this transaction.version on the epoch of a producer grows with each transaction, and the
// marker carries the new one.
inline constexpr std::int16_t transaction_version_with_epoch_bump = 2;

// A batch of an idempotent producer, with the offsets that it has or is to get.
struct ProducerBatch {
  ProducerId producer = no_producer_id;
  ProducerEpoch epoch = no_producer_epoch;
  Sequence first_sequence = no_sequence;
  Sequence last_sequence = no_sequence;
  Offset first_offset{};
  Offset last_offset{};
  Timestamp max_timestamp = no_timestamp;
  bool transactional = false;
};

// Of a batch that has a producer id and is no control batch.
[[nodiscard]] ProducerBatch producer_batch(const protocol::BatchHeader& header);

// The end of a transaction in this partition.
struct ProducerMarker {
  ProducerId producer = no_producer_id;
  ProducerEpoch epoch = no_producer_epoch;
  CoordinatorEpoch coordinator_epoch = no_coordinator_epoch;
  Offset offset{};
  Timestamp timestamp = no_timestamp;
  bool aborts = false;
};

// A batch that was appended before.
struct RememberedBatch {
  Sequence last_sequence = no_sequence;
  std::int32_t offset_delta = 0;
  Offset last_offset{};
  Timestamp timestamp = no_timestamp;

  [[nodiscard]] Sequence first_sequence() const;
  [[nodiscard]] Offset first_offset() const { return Offset(last_offset.value() - offset_delta); }
  friend bool operator==(const RememberedBatch&, const RememberedBatch&) = default;
};

enum class ProducerVerdict : std::uint8_t {
  accepted,
  duplicate,                       // not appended again; answered with the offsets it has
  out_of_order_sequence_number,    // OUT_OF_ORDER_SEQUENCE_NUMBER
  invalid_producer_epoch,          // INVALID_PRODUCER_EPOCH
  transaction_coordinator_fenced,  // TRANSACTION_COORDINATOR_FENCED
  invalid_transaction_state,       // INVALID_TXN_STATE
  too_many_producers,              // a limit of ours: see ProducerBudget
};
[[nodiscard]] std::string_view name_of(ProducerVerdict verdict);

struct ProducerCheck {
  ProducerVerdict verdict = ProducerVerdict::accepted;
  // Where the verdict is `duplicate`: what was appended then.
  RememberedBatch original{};

  [[nodiscard]] bool accepted() const { return verdict == ProducerVerdict::accepted; }
};

// One producer as a snapshot keeps it: of its batches only the last.
struct ProducerSnapshotEntry {
  ProducerId producer = no_producer_id;
  ProducerEpoch epoch = no_producer_epoch;
  // Of the last batch; -1, -1 and 0 where none is remembered.
  Sequence last_sequence = no_sequence;
  Offset last_offset = no_offset;
  std::int32_t offset_delta = 0;
  // Of the last batch or marker.
  Timestamp timestamp = no_timestamp;
  CoordinatorEpoch coordinator_epoch = no_coordinator_epoch;
  // -1 where no transaction is open.
  Offset transaction_start = no_offset;

  friend bool operator==(const ProducerSnapshotEntry&, const ProducerSnapshotEntry&) = default;
};

// The state of one producer: a value, without memory of its own.
class ProducerState {
 public:
  ProducerState() = default;
  explicit ProducerState(const ProducerSnapshotEntry& entry);

  // Whether the next batch or marker of this producer is right. Nothing changes.
  [[nodiscard]] ProducerCheck check(const ProducerBatch& batch, AppendOrigin origin) const;
  [[nodiscard]] ProducerCheck check(const ProducerMarker& marker, AppendOrigin origin,
                                    std::int16_t transaction_version) const;

  // What has been appended becomes part of the state, right or not.
  void update(const ProducerBatch& batch);
  void update(const ProducerMarker& marker);

  [[nodiscard]] ProducerEpoch epoch() const { return epoch_; }
  [[nodiscard]] CoordinatorEpoch coordinator_epoch() const { return coordinator_epoch_; }
  [[nodiscard]] Timestamp last_timestamp() const { return last_timestamp_; }
  // The first offset of the open transaction.
  [[nodiscard]] std::optional<Offset> transaction_start() const;
  // From the oldest to the newest, at most five.
  [[nodiscard]] std::size_t batch_count() const { return batch_count_; }
  [[nodiscard]] const RememberedBatch& batch(std::size_t index) const { return batches_[index]; }
  [[nodiscard]] std::optional<RememberedBatch> last_batch() const;
  [[nodiscard]] ProducerSnapshotEntry snapshot_entry(ProducerId producer) const;

 private:
  [[nodiscard]] const RememberedBatch* find(const ProducerBatch& batch) const;
  [[nodiscard]] bool is_next(const ProducerBatch& batch) const;
  void move_to(ProducerEpoch epoch);

  std::array<RememberedBatch, remembered_batches_max> batches_{};
  Timestamp last_timestamp_ = no_timestamp;
  Offset transaction_start_ = no_offset;
  CoordinatorEpoch coordinator_epoch_ = no_coordinator_epoch;
  ProducerEpoch epoch_ = no_producer_epoch;
  std::uint8_t batch_count_ = 0;
};

}  // namespace millrace::storage
