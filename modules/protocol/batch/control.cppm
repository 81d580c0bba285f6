// Control records: the markers that brokers write between clients' records. The key says which kind
// it is; the value of a transaction marker is read and written here, the values of the other kinds
// are messages of the records schema.
module;
#include <array>
#include <cstddef>
#include <cstdint>

export module millrace.protocol.batch:control;

import :failure;
import millrace.base;

export namespace millrace::protocol {

// Of the transaction coordinator that wrote a marker.
using CoordinatorEpoch = Strong<struct CoordinatorEpochTag, std::int32_t>;

enum class ControlRecordType : std::int16_t {
  abort = 0,
  commit = 1,
  leader_change = 2,
  snapshot_header = 3,
  snapshot_footer = 4,
  kraft_version = 5,
  kraft_voters = 6,
};

struct ControlRecordKey {
  std::int16_t version = 0;
  ControlRecordType type = ControlRecordType::abort;

  // Types above the last known one may come from a newer peer: readers pass over such records.
  [[nodiscard]] inline bool is_known() const {
    return type >= ControlRecordType::abort && type <= ControlRecordType::kraft_voters;
  }
  friend bool operator==(const ControlRecordKey&, const ControlRecordKey&) = default;
};

// The value of an abort or commit record.
struct EndTransactionMarker {
  std::int16_t version = 0;
  CoordinatorEpoch coordinator_epoch;

  friend bool operator==(const EndTransactionMarker&, const EndTransactionMarker&) = default;
};

inline constexpr std::size_t control_record_key_bytes = 4;
inline constexpr std::size_t end_transaction_marker_bytes = 6;

// Versions above 0 may bring more bytes after the known ones; these are ignored.
[[nodiscard]] BatchResult<ControlRecordKey> read_control_record_key(ByteView key);
[[nodiscard]] BatchResult<EndTransactionMarker> read_end_transaction_marker(ByteView value);

[[nodiscard]] std::array<std::byte, control_record_key_bytes> encode_control_record_key(
    ControlRecordType type);
[[nodiscard]] std::array<std::byte, end_transaction_marker_bytes> encode_end_transaction_marker(
    CoordinatorEpoch coordinator_epoch);

}  // namespace millrace::protocol
