#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

// This one imports a module: it comes after all that includes standard headers.
#include "test_support.hpp"

namespace millrace::storage {
namespace {

using namespace cleaner_test;

// Changes a field of the header and seals the batch again.
template <class Integer>
Bytes with_field(Bytes batch, std::size_t at, Integer value) {
  store_big_endian(batch.data() + at, value);
  store_big_endian(batch.data() + protocol::batch_layout::crc, protocol::compute_batch_crc(batch));
  return batch;
}

std::optional<BatchError> walked(const Bytes& batch) {
  protocol::Decompressor decompressor;
  RecordWalk walk(decompressor);
  if (auto opened = walk.open(parsed(batch)); !opened) return opened.error().error;
  for (protocol::RecordView record; walk.next(record);) {
  }
  if (auto finished = walk.finish(); !finished) return finished.error().error;
  return std::nullopt;
}

TEST(RecordWalk, offsets_beyond_the_range_of_the_batch_are_refused) {
  MemoryLog log;
  const Bytes batch = log.append({{.key = "a"}, {.key = "b"}, {.key = "c"}});
  EXPECT_EQ(walked(batch), std::nullopt);
  const Bytes shorter = with_field(batch, protocol::batch_layout::last_offset_delta, 1);
  EXPECT_EQ(walked(shorter), BatchError::offset_delta_not_consecutive);
}

TEST(RecordWalk, offsets_that_do_not_rise_are_refused) {
  MemoryLog log;
  Bytes batch = log.append({{.key = "a"}, {.key = "b"}});
  // The offset delta of the second record, which has the length of the first: length, attributes
  // and timestamp delta come before it.
  const std::size_t record_bytes = (batch.size() - record_batch_header_bytes) / 2;
  std::byte& delta = batch[record_batch_header_bytes + record_bytes + 3];
  ASSERT_EQ(delta, std::byte{2});
  delta = std::byte{0};
  batch = with_field(batch, protocol::batch_layout::leader_epoch, 0);
  EXPECT_EQ(walked(batch), BatchError::offset_delta_not_consecutive);
}

TEST(RecordWalk, ranges_that_are_no_offsets_are_refused) {
  MemoryLog log;
  const Bytes batch = log.append({{.key = "a"}});
  for (const std::int64_t base : {std::int64_t{-1}, std::numeric_limits<std::int64_t>::max(),
                                  std::numeric_limits<std::int64_t>::min()}) {
    const Bytes moved = with_field(batch, protocol::batch_layout::base_offset, base);
    EXPECT_EQ(walked(moved), BatchError::offset_range_invalid) << base;
  }
  const Bytes backwards = with_field(batch, protocol::batch_layout::last_offset_delta, -1);
  EXPECT_EQ(walked(backwards), BatchError::offset_range_invalid);
}

TEST(RecordWalk, a_walk_after_a_refused_one_begins_anew) {
  MemoryLog log;
  const Bytes batch = log.append({{.key = "a"}, {.key = "b"}});
  const Bytes shorter = with_field(batch, protocol::batch_layout::last_offset_delta, 0);
  protocol::Decompressor decompressor;
  RecordWalk walk(decompressor);
  protocol::RecordView record;
  ASSERT_TRUE(walk.open(parsed(shorter)));
  while (walk.next(record)) {
  }
  EXPECT_FALSE(walk.finish());
  ASSERT_TRUE(walk.open(parsed(batch)));
  EXPECT_TRUE(walk.next(record));
  EXPECT_TRUE(walk.next(record));
  EXPECT_FALSE(walk.next(record));
  EXPECT_TRUE(walk.finish());
}

TEST(RecordWalk, control_batches_tell_their_type) {
  MemoryLog log;
  protocol::Decompressor decompressor;
  RecordWalk walk(decompressor);
  for (const auto type : {ControlRecordType::abort, ControlRecordType::commit}) {
    const Bytes marker = log.end_transaction(ProducerId(1), ProducerEpoch(0), type, Timestamp(5));
    const auto read = control_type_of(parsed(marker), walk);
    ASSERT_TRUE(read);
    EXPECT_EQ(*read, type);
    const auto emptied = protocol::emptied_batch(parsed(marker).header());
    const auto none = control_type_of(parsed(Bytes(emptied.begin(), emptied.end())), walk);
    ASSERT_TRUE(none);
    EXPECT_EQ(*none, std::nullopt);
  }
}

TEST(RecordWalk, control_records_without_a_type_are_refused) {
  MemoryLog log;
  protocol::Decompressor decompressor;
  RecordWalk walk(decompressor);
  const Bytes batch = log.append({{.key = "x"}}, {.control = true});
  const auto read = control_type_of(parsed(batch), walk);
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().error, BatchError::control_record_invalid);
}

}  // namespace
}  // namespace millrace::storage
