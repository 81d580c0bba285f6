// An encoder of batches for the tests, written from docs/formats/record-batch.md alone: it shares
// no code with the module, writes what it is told (also nonsense), and seals with a CRC of its own.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace batch_test {

using Bytes = std::vector<std::byte>;
using NullableText = std::optional<std::string>;  // none is null

inline void put_integer(Bytes& to, std::int64_t value, int bytes) {
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) {
    to.push_back(static_cast<std::byte>(static_cast<std::uint64_t>(value) >> shift));
  }
}

inline void put_varint(Bytes& to, std::int64_t value) {
  auto raw = (static_cast<std::uint64_t>(value) << 1) ^ static_cast<std::uint64_t>(value >> 63);
  for (; raw >= 0x80; raw >>= 7) to.push_back(static_cast<std::byte>((raw & 0x7f) | 0x80));
  to.push_back(static_cast<std::byte>(raw));
}

inline void put_bytes(Bytes& to, std::span<const std::byte> bytes) {
  to.insert(to.end(), bytes.begin(), bytes.end());
}

inline void put_text(Bytes& to, std::string_view text) {
  put_bytes(to, std::as_bytes(std::span(text)));
}

inline void put_nullable(Bytes& to, const NullableText& text) {
  put_varint(to, text ? static_cast<std::int64_t>(text->size()) : -1);
  if (text) put_text(to, *text);
}

struct TestRecord {
  NullableText key{};
  NullableText value{};
  std::int64_t timestamp_delta = 0;
  std::int32_t offset_delta = 0;
  std::vector<std::pair<std::string, NullableText>> headers{};
  // Lies about the record; none tells the truth.
  std::optional<std::int64_t> length{};
  std::optional<std::int64_t> key_length{};
  std::optional<std::int64_t> value_length{};
  std::optional<std::int64_t> header_count{};
  std::string trailing{};
};

inline Bytes encode_record(const TestRecord& record) {
  Bytes body;
  put_integer(body, 0, 1);
  put_varint(body, record.timestamp_delta);
  put_varint(body, record.offset_delta);
  const auto put_field = [&](const NullableText& text, std::optional<std::int64_t> length) {
    if (!length) return put_nullable(body, text);
    put_varint(body, *length);
    if (text) put_text(body, *text);
  };
  put_field(record.key, record.key_length);
  put_field(record.value, record.value_length);
  put_varint(body, record.header_count.value_or(static_cast<std::int64_t>(record.headers.size())));
  for (const auto& [key, value] : record.headers) {
    put_nullable(body, key);
    put_nullable(body, value);
  }
  put_text(body, record.trailing);
  Bytes encoded;
  put_varint(encoded, record.length.value_or(static_cast<std::int64_t>(body.size())));
  put_bytes(encoded, body);
  return encoded;
}

// What each value of the lowest byte makes of the rest, bit by bit.
inline constexpr std::array<std::uint32_t, 256> crc_of_bytes = [] {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t byte = 0; byte < table.size(); ++byte) {
    std::uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0x82f63b78u : 0u);
    table[byte] = crc;
  }
  return table;
}();

inline std::uint32_t crc_byte_by_byte(std::span<const std::byte> bytes) {
  std::uint32_t crc = 0xffffffff;
  for (const std::byte byte : bytes) {
    crc = (crc >> 8) ^ crc_of_bytes[(crc ^ static_cast<std::uint32_t>(byte)) & 0xff];
  }
  return ~crc;
}

struct TestBatch {
  std::int64_t base_offset = 0;
  std::optional<std::int32_t> batch_length;  // none: the true one
  std::int32_t leader_epoch = -1;
  std::int8_t magic = 2;
  std::optional<std::uint32_t> crc;  // none: the right one
  std::int16_t attributes = 0;
  std::optional<std::int32_t> last_offset_delta;  // none: from the records
  std::int64_t base_timestamp = 1000;
  std::int64_t max_timestamp = 1000;
  std::int64_t producer_id = -1;
  std::int16_t producer_epoch = -1;
  std::int32_t base_sequence = -1;
  std::optional<std::int32_t> record_count;  // none: that of the records
  std::vector<TestRecord> records;
  // Stands in for the encoded records, for instance compressed.
  std::optional<Bytes> payload;
};

inline Bytes encode_records(const std::vector<TestRecord>& records) {
  Bytes encoded;
  for (const TestRecord& record : records) put_bytes(encoded, encode_record(record));
  return encoded;
}

inline Bytes encode_batch(const TestBatch& batch) {
  const auto count = static_cast<std::int32_t>(batch.records.size());
  Bytes sealed;  // what the CRC covers
  put_integer(sealed, batch.attributes, 2);
  put_integer(sealed, batch.last_offset_delta.value_or(count - 1), 4);
  put_integer(sealed, batch.base_timestamp, 8);
  put_integer(sealed, batch.max_timestamp, 8);
  put_integer(sealed, batch.producer_id, 8);
  put_integer(sealed, batch.producer_epoch, 2);
  put_integer(sealed, batch.base_sequence, 4);
  put_integer(sealed, batch.record_count.value_or(count), 4);
  put_bytes(sealed, batch.payload ? *batch.payload : encode_records(batch.records));

  Bytes encoded;
  put_integer(encoded, batch.base_offset, 8);
  put_integer(encoded, batch.batch_length.value_or(static_cast<std::int32_t>(sealed.size() + 9)),
              4);
  put_integer(encoded, batch.leader_epoch, 4);
  put_integer(encoded, batch.magic, 1);
  put_integer(encoded, batch.crc.value_or(crc_byte_by_byte(sealed)), 4);
  put_bytes(encoded, sealed);
  return encoded;
}

// A batch of `count` records with keys k0, k1, ... and values v0, v1, ...
inline TestBatch small_batch(int count) {
  TestBatch batch;
  for (int index = 0; index < count; ++index) {
    batch.records.push_back({.key = "k" + std::to_string(index),
                             .value = "v" + std::to_string(index),
                             .timestamp_delta = 0,
                             .offset_delta = index});
  }
  return batch;
}

inline NullableText text_of(std::span<const std::byte> bytes) {
  if (bytes.data() == nullptr) return std::nullopt;
  return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

// Null for none; empty but not null for "".
inline std::span<const std::byte> view_of(const NullableText& text) {
  if (!text) return {};
  return std::as_bytes(std::span(text->data(), text->size()));
}

// A record as it was read, with its bytes copied out of the reader's window.
struct CopiedRecord {
  std::int64_t offset = 0;
  std::int64_t timestamp = 0;
  NullableText key;
  NullableText value;
  std::vector<std::pair<std::string, NullableText>> headers;

  friend bool operator==(const CopiedRecord&, const CopiedRecord&) = default;
};

inline CopiedRecord copied(const auto& view) {
  CopiedRecord copy{
      view.offset.value(), view.timestamp.value(), text_of(view.key), text_of(view.value), {}};
  for (const auto& header : view.headers) {
    copy.headers.emplace_back(std::string(header.key), text_of(header.value));
  }
  return copy;
}

// What reading the record of the batch must give.
inline CopiedRecord expected_of(const TestBatch& batch, const TestRecord& record) {
  return {batch.base_offset + record.offset_delta, batch.base_timestamp + record.timestamp_delta,
          record.key, record.value, record.headers};
}

inline std::vector<CopiedRecord> expected_of(const TestBatch& batch) {
  std::vector<CopiedRecord> records;
  for (const TestRecord& record : batch.records) records.push_back(expected_of(batch, record));
  return records;
}

}  // namespace batch_test
