#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cstddef>
#include <cstdint>

#include "test_support.h"

import millrace.base;
import millrace.protocol.batch;

using namespace millrace;
using namespace millrace::protocol;
using namespace batch_test;

TEST(BatchRewrite, base_offset_and_epoch_keep_the_crc) {
  TestBatch given = small_batch(5);
  given.producer_id = 9;
  given.producer_epoch = 1;
  given.base_sequence = 100;
  Bytes bytes = encode_batch(given);

  rewrite_base_offset_and_epoch(bytes, Offset(123'456'789'012), LeaderEpoch(42));

  TestBatch expected = given;
  expected.base_offset = 123'456'789'012;
  expected.leader_epoch = 42;
  EXPECT_EQ(bytes, encode_batch(expected));
  EXPECT_TRUE(BatchView::parse(bytes)->crc_matches());
}

RC_GTEST_PROP(BatchRewrite, timestamps_renew_the_crc_as_if_written_anew, ()) {
  TestBatch given = small_batch(*rc::gen::inRange(1, 40));
  given.attributes = static_cast<std::int16_t>(*rc::gen::inRange(0, 128));
  given.max_timestamp = *rc::gen::arbitrary<std::int64_t>();
  const bool log_append_time = *rc::gen::arbitrary<bool>();
  const auto max_timestamp = *rc::gen::arbitrary<std::int64_t>();
  Bytes bytes = encode_batch(given);

  rewrite_timestamps(bytes,
                     log_append_time ? TimestampType::log_append_time : TimestampType::create_time,
                     Timestamp(max_timestamp));

  TestBatch expected = given;
  expected.attributes =
      static_cast<std::int16_t>((given.attributes & ~0x08) | (log_append_time ? 0x08 : 0));
  expected.max_timestamp = max_timestamp;
  RC_ASSERT(bytes == encode_batch(expected));
}

TEST(BatchRewrite, timestamps_of_a_batch_without_records_renew_the_crc) {
  TestBatch given;
  given.last_offset_delta = 4;
  Bytes bytes = encode_batch(given);
  rewrite_timestamps(bytes, TimestampType::log_append_time, Timestamp(77));
  EXPECT_TRUE(BatchView::parse(bytes)->crc_matches());
}

TEST(BatchRewrite, a_wrong_crc_stays_wrong) {
  Bytes bytes = encode_batch(small_batch(5));
  bytes.back() ^= std::byte{0x10};
  rewrite_timestamps(bytes, TimestampType::log_append_time, Timestamp(77));
  EXPECT_FALSE(BatchView::parse(bytes)->crc_matches());
}

TEST(BatchRewriteDeathTest, refuses_what_is_no_batch) {
  Bytes bytes(record_batch_header_bytes - 1);
  EXPECT_DEATH(rewrite_base_offset_and_epoch(bytes, Offset(1), LeaderEpoch(1)),
               "only a whole batch is rewritten");
}
