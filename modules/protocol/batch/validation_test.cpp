#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "test_support.h"

import millrace.base;
import millrace.protocol.batch;

using namespace millrace;
using namespace millrace::protocol;
using namespace batch_test;
using namespace std::chrono_literals;

namespace {

constexpr std::int64_t now = 1'000'000;

// A batch of three records and options under which it may be appended; a rule changes one thing.
struct Given {
  TestBatch batch = small_batch(3);
  ValidationOptions options{.now = Timestamp(now)};
  std::function<void(Bytes&)> damage;
};

BatchResult<ValidBatch> validate(const Bytes& bytes, const ValidationOptions& options) {
  Decompressor decompressor;
  RecordReader reader(decompressor);
  return validate_batch(bytes, options, reader);
}

BatchResult<ValidBatch> validate(const Given& given) {
  Bytes bytes = encode_batch(given.batch);
  if (given.damage) given.damage(bytes);
  return validate(bytes, given.options);
}

void use_codec(TestBatch& batch, Codec codec) {
  Compressor compressor;
  const CompressionOptions options(codec);
  const Bytes plain = encode_records(batch.records);
  Bytes packed(compressed_bytes_max(options, plain.size()));
  packed.resize(*compressor.compress(options, ByteView(plain), packed));
  batch.payload = packed;
  batch.attributes = static_cast<std::int16_t>(batch.attributes | static_cast<int>(codec));
}

}  // namespace

TEST(ValidateBatch, header_depth_checks_the_max_timestamp) {
  Given given;
  given.options.depth = CheckDepth::header;
  given.batch.max_timestamp = now + 3'600'001;
  EXPECT_EQ(validate(given).error().error, BatchError::timestamp_too_new);
  given.batch.max_timestamp = now + 3'600'000;
  EXPECT_TRUE(validate(given));
  given.options.timestamp_before_max = 10ms;
  given.batch.max_timestamp = now - 11;
  EXPECT_EQ(validate(given).error().error, BatchError::timestamp_too_old);
}

TEST(ValidateBatch, accepts_a_plain_batch_and_says_what_is_in_it) {
  Given given;
  given.batch.records[1].timestamp_delta = 40;
  given.batch.records[2].timestamp_delta = 40;
  given.batch.max_timestamp = 1040;
  const auto valid = validate(given);
  ASSERT_TRUE(valid) << sentence(valid.error());
  EXPECT_EQ(valid->record_count, 3);
  EXPECT_EQ(valid->max_timestamp, Timestamp(1040));
  EXPECT_EQ(valid->max_timestamp_offset_delta, 1);
  EXPECT_FALSE(valid->must_rewrite_timestamps);
  EXPECT_EQ(valid->record_bytes, encode_records(given.batch.records).size());
}

TEST(ValidateBatch, accepts_every_codec) {
  for (const Codec codec : {Codec::gzip, Codec::snappy, Codec::lz4, Codec::zstd}) {
    Given given;
    use_codec(given.batch, codec);
    const auto valid = validate(given);
    ASSERT_TRUE(valid) << name_of(codec) << ": " << sentence(valid.error());
    EXPECT_EQ(valid->record_bytes, encode_records(given.batch.records).size());
  }
}

// How many slices it takes, and whether they find what one pass finds.
int slices_of(const Given& given, std::uint64_t slice_bytes) {
  const Bytes bytes = encode_batch(given.batch);
  const auto whole = validate(bytes, given.options);
  Decompressor decompressor;
  RecordReader reader(decompressor);
  BatchValidation validation(bytes, given.options, reader);
  int slices = 1;
  while (!validation.advance(slice_bytes)) ++slices;
  const auto& sliced = validation.result();
  EXPECT_EQ(whole.has_value(), sliced.has_value());
  if (whole && sliced) {
    EXPECT_EQ(sliced->record_count, whole->record_count);
    EXPECT_EQ(sliced->record_bytes, whole->record_bytes);
    EXPECT_EQ(sliced->max_timestamp, whole->max_timestamp);
    EXPECT_EQ(sliced->max_timestamp_offset_delta, whole->max_timestamp_offset_delta);
    EXPECT_EQ(sliced->must_rewrite_timestamps, whole->must_rewrite_timestamps);
  }
  return slices;
}

TEST(ValidateBatch, in_slices_finds_the_same) {
  for (const Codec codec : {Codec::none, Codec::gzip, Codec::snappy, Codec::lz4, Codec::zstd}) {
    for (const std::uint64_t slice : {1UL, 30UL, 1000UL, 1'000'000UL}) {
      Given given;
      given.batch = small_batch(200);
      given.batch.records[150].timestamp_delta = 70;
      if (codec != Codec::none) use_codec(given.batch, codec);
      const int slices = slices_of(given, slice);
      if (slice == 1'000'000) EXPECT_EQ(slices, 1) << name_of(codec);
      if (slice == 1) EXPECT_GE(slices, 200) << name_of(codec);
    }
  }
}

// However few bytes it came as, and though it is one record.
TEST(ValidateBatch, in_slices_pauses_within_a_record_that_is_large_once_decompressed) {
  constexpr std::uint64_t slice_bytes = 100'000;
  for (const Codec codec : {Codec::gzip, Codec::snappy, Codec::lz4, Codec::zstd}) {
    Given given;
    given.batch = small_batch(1);
    given.batch.records[0].value = std::string(3'000'000, 'v');
    use_codec(given.batch, codec);
    const int slices = slices_of(given, slice_bytes);
    // A slice ends with the chunk that passes it.
    EXPECT_GE(slices, 3'000'000 / (3 * static_cast<int>(slice_bytes))) << name_of(codec);
    EXPECT_LE(slices, 3'000'000 / static_cast<int>(slice_bytes) + 2) << name_of(codec);
  }
}

TEST(ValidateBatch, accepts_idempotent_and_transactional_batches) {
  Given given;
  given.batch.producer_id = 0;
  given.batch.producer_epoch = 0;
  given.batch.base_sequence = std::numeric_limits<std::int32_t>::max();
  EXPECT_TRUE(validate(given));
  given.batch.attributes = 0x10;
  EXPECT_TRUE(validate(given));
}

TEST(ValidateBatch, accepts_control_batches_of_coordinators) {
  Given given;
  given.batch = small_batch(1);
  given.batch.attributes = 0x30;
  given.batch.producer_id = 5;
  given.batch.producer_epoch = 0;
  given.options.origin = BatchOrigin::coordinator;
  EXPECT_TRUE(validate(given)) << sentence(validate(given).error());
}

TEST(ValidateBatch, accepts_timestamps_at_the_limits_and_none) {
  Given given;
  given.options.timestamp_before_max = 100ms;
  given.options.timestamp_after_max = 50ms;
  given.batch.base_timestamp = now;
  given.batch.records[0].timestamp_delta = -100;
  given.batch.records[1].timestamp_delta = 50;
  given.batch.records[2].timestamp_delta = -1 - now;
  EXPECT_TRUE(validate(given)) << sentence(validate(given).error());
}

TEST(ValidateBatch, limits_without_end_admit_every_timestamp) {
  Given given;
  given.options.timestamp_after_max = std::chrono::milliseconds::max();
  for (const std::int64_t timestamp : {std::numeric_limits<std::int64_t>::max(), std::int64_t{0}}) {
    given.batch.base_timestamp = timestamp;
    given.batch.max_timestamp = timestamp;
    EXPECT_TRUE(validate(given)) << timestamp;
  }
}

TEST(ValidateBatch, asks_for_a_rewrite_of_a_wrong_max_timestamp) {
  for (const std::int64_t wrong : {-1, 999, 1001}) {
    Given given;
    given.batch.max_timestamp = wrong;
    Bytes bytes = encode_batch(given.batch);
    const auto valid = validate(bytes, given.options);
    ASSERT_TRUE(valid);
    EXPECT_TRUE(valid->must_rewrite_timestamps);
    EXPECT_EQ(valid->max_timestamp, Timestamp(1000));

    rewrite_timestamps(bytes, given.options.timestamp_type, valid->max_timestamp);
    given.batch.max_timestamp = 1000;
    EXPECT_EQ(bytes, encode_batch(given.batch));
  }
}

TEST(ValidateBatch, finds_the_largest_timestamp_among_negative_ones) {
  Given given;
  given.batch.base_timestamp = -100;
  given.batch.max_timestamp = -90;
  given.batch.records[2].timestamp_delta = 10;
  const auto valid = validate(given);
  ASSERT_TRUE(valid) << sentence(valid.error());
  EXPECT_EQ(valid->max_timestamp, Timestamp(-90));
  EXPECT_FALSE(valid->must_rewrite_timestamps);
}

TEST(ValidateBatch, log_append_time_takes_the_brokers_clock) {
  Given given;
  given.options.timestamp_type = TimestampType::log_append_time;
  given.batch.base_timestamp = now * 1000;  // out of every limit, which do not apply
  for (const CheckDepth depth : {CheckDepth::records, CheckDepth::header}) {
    given.options.depth = depth;
    const auto valid = validate(given);
    ASSERT_TRUE(valid) << sentence(valid.error());
    EXPECT_EQ(valid->max_timestamp, Timestamp(now));
    EXPECT_EQ(valid->max_timestamp_offset_delta, 0);
    EXPECT_TRUE(valid->must_rewrite_timestamps);
  }
}

TEST(ValidateBatch, base_offset_may_be_set_where_offsets_were_assigned_before) {
  Given given;
  given.options.require_base_offset_zero = false;
  given.batch.base_offset = 500;
  EXPECT_TRUE(validate(given));
}

TEST(ValidateBatch, decompression_within_limits_only) {
  Given given;
  given.batch.records[0].value = std::string(1'000'000, 'a');
  use_codec(given.batch, Codec::zstd);
  Decompressor decompressor;
  RecordLimits limits;
  limits.decompression.output_bytes_max = 100'000;
  RecordReader reader(decompressor, limits);
  const auto valid = validate_batch(encode_batch(given.batch), given.options, reader);
  ASSERT_FALSE(valid);
  EXPECT_EQ(valid.error().error, BatchError::decompression_limit_exceeded);
  EXPECT_EQ(kafka_error_code(valid.error().error), 10);  // MESSAGE_TOO_LARGE
}
