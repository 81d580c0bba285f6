module;
#include <cstddef>
#include <cstdint>

module millrace.protocol.batch;

import millrace.base;

namespace millrace::protocol {

bool RecordParser::parse_headers(const std::byte* at, const std::byte* end, RecordView& record,
                                 BatchError& error) {
  // An empty key and a null value.
  constexpr std::ptrdiff_t header_bytes_min = 2;
  std::int32_t count = 0;
  at = read_varint(at, end, count);
  if (at == nullptr || count < 0 || count > (end - at) / header_bytes_min) {
    error = BatchError::header_count_invalid;
    return false;
  }
  const std::byte* first = at;
  for (std::int32_t index = 0; index < count; ++index) {
    ByteView key;
    ByteView value;
    const std::byte* after_key = read_nullable_bytes(at, end, key);
    if (after_key == nullptr || is_null(key)) {
      error = BatchError::header_key_length_invalid;
      return false;
    }
    at = read_nullable_bytes(after_key, end, value);
    if (at == nullptr) {
      error = BatchError::header_value_length_invalid;
      return false;
    }
  }
  if (at != end) {
    error = BatchError::record_trailing_bytes;
    return false;
  }
  record.headers = RecordHeaders(ByteView(first, end), count);
  return true;
}

}  // namespace millrace::protocol
