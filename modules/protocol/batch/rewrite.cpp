module;
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

module millrace.protocol.batch;

import millrace.base;

namespace millrace::protocol {

namespace {

void check_is_batch(ByteView batch) {
  check(batch.size() >= record_batch_header_bytes &&
            load_big_endian<std::int8_t>(batch.data() + batch_layout::magic) == batch_magic,
        "only a whole batch is rewritten");
}

}  // namespace

void rewrite_base_offset_and_epoch(MutableBytes batch, Offset base_offset,
                                   LeaderEpoch leader_epoch) {
  check_is_batch(batch);
  store_big_endian(batch.data() + batch_layout::base_offset, base_offset.value());
  store_big_endian(batch.data() + batch_layout::leader_epoch, leader_epoch.value());
}

void rewrite_timestamps(MutableBytes batch, TimestampType type, Timestamp max_timestamp) {
  // The stretch of the CRC's bytes in which both fields lie, and what follows it.
  constexpr std::size_t begin = batch_layout::attributes;
  constexpr std::size_t end = batch_layout::producer_id;
  check_is_batch(batch);

  std::array<std::byte, end - begin> before;
  std::memcpy(before.data(), batch.data() + begin, before.size());
  const BatchAttributes attributes(
      load_big_endian<std::int16_t>(batch.data() + batch_layout::attributes));
  store_big_endian(batch.data() + batch_layout::attributes, attributes.with(type).bits());
  store_big_endian(batch.data() + batch_layout::max_timestamp, max_timestamp.value());

  // CRCs are linear: what the change does to the CRC of the stretch, carried over the bytes behind
  // it, is what it does to the CRC of the whole.
  const std::uint32_t change = crc32c(before) ^ crc32c(batch.subspan(begin, end - begin));
  const std::uint32_t correction = crc32c_combine(change, 0, batch.size() - end);
  std::byte* crc = batch.data() + batch_layout::crc;
  store_big_endian(crc, load_big_endian<std::uint32_t>(crc) ^ correction);
}

}  // namespace millrace::protocol
