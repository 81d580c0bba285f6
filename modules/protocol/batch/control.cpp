module;
#include <array>
#include <cstddef>
#include <cstdint>

module millrace.protocol.batch;

import millrace.base;

namespace millrace::protocol {

namespace {

constexpr std::int16_t written_version = 0;

}  // namespace

BatchResult<ControlRecordKey> read_control_record_key(ByteView key) {
  ByteReader reader(key);
  const auto version = reader.integer<std::int16_t>();
  const auto type = reader.integer<std::int16_t>();
  if (reader.failed() || version < 0) return batch_failure(BatchError::control_record_invalid);
  return ControlRecordKey{version, static_cast<ControlRecordType>(type)};
}

BatchResult<EndTransactionMarker> read_end_transaction_marker(ByteView value) {
  ByteReader reader(value);
  const auto version = reader.integer<std::int16_t>();
  const auto coordinator_epoch = reader.integer<std::int32_t>();
  if (reader.failed() || version < 0) return batch_failure(BatchError::control_record_invalid);
  return EndTransactionMarker{version, CoordinatorEpoch(coordinator_epoch)};
}

std::array<std::byte, control_record_key_bytes> encode_control_record_key(ControlRecordType type) {
  std::array<std::byte, control_record_key_bytes> key{};
  store_big_endian(key.data(), written_version);
  store_big_endian(key.data() + sizeof written_version, static_cast<std::int16_t>(type));
  return key;
}

std::array<std::byte, end_transaction_marker_bytes> encode_end_transaction_marker(
    CoordinatorEpoch coordinator_epoch) {
  std::array<std::byte, end_transaction_marker_bytes> value{};
  store_big_endian(value.data(), written_version);
  store_big_endian(value.data() + sizeof written_version, coordinator_epoch.value());
  return value;
}

}  // namespace millrace::protocol
