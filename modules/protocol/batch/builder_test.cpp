#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "test_support.h"

import millrace.base;
import millrace.protocol.batch;

using namespace millrace;
using namespace millrace::protocol;
using namespace batch_test;

namespace {

class BatchBuilderTest : public testing::Test {
 protected:
  // What the builder makes of records that have no headers.
  Bytes build(const BatchOptions& options, const TestBatch& batch) {
    builder_.start(options);
    for (const TestRecord& record : batch.records) {
      EXPECT_TRUE(
          builder_.append({.key = view_of(record.key),
                           .value = view_of(record.value),
                           .timestamp = Timestamp(batch.base_timestamp + record.timestamp_delta)}));
    }
    const auto built = builder_.finish();
    EXPECT_TRUE(built) << sentence(built.error());
    return Bytes(built->begin(), built->end());
  }

  static RecordInput input(std::string_view value) {
    return {.value = as_bytes(value), .timestamp = Timestamp(1000)};
  }

  Compressor compressor_;
  BufferPool pool_;
  BatchStorage records_{pool_};
  BatchStorage compressed_{pool_};
  BatchBuilder builder_{records_, compressed_, compressor_};
};

std::vector<CompressionOptions> all_codecs() {
  return {CompressionOptions(),
          CompressionOptions(Codec::gzip),
          CompressionOptions(Codec::snappy),
          CompressionOptions::raw_snappy(),
          CompressionOptions(Codec::lz4),
          CompressionOptions(Codec::zstd)};
}

}  // namespace

TEST_F(BatchBuilderTest, a_record_that_does_not_fit_leaves_the_batch_as_it_was) {
  BatchOptions options;
  options.batch_bytes_max = 200;
  builder_.start(options);
  ASSERT_TRUE(builder_.append(input("first")));
  const std::size_t size = builder_.size_bytes();
  const std::string large(200, 'x');
  const auto refused = builder_.append(input(large));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().error, BatchError::batch_full);
  EXPECT_EQ(builder_.size_bytes(), size);
  ASSERT_TRUE(builder_.append(input("second")));
  EXPECT_EQ(builder_.finish()->size(), builder_.size_bytes());
  EXPECT_EQ(builder_.record_count(), 2);
}

TEST_F(BatchBuilderTest, would_fit_says_what_append_does) {
  for (std::size_t limit = 61; limit < 400; ++limit) {
    BatchOptions options;
    options.batch_bytes_max = limit;
    builder_.start(options);
    std::string value;
    for (bool fits = true; fits; value += "0123456789") {
      fits = builder_.would_fit(input(value), 400);
      EXPECT_EQ(builder_.append(input(value)).has_value(), fits) << limit << ", " << value.size();
    }
  }
}

TEST_F(BatchBuilderTest, would_fit_counts_on_the_expected_ratio) {
  BatchOptions options;
  options.compression = CompressionOptions(Codec::lz4);
  options.compression_ratio_expected = 0.25;
  builder_.start(options);
  const std::string value(1000, 'x');
  ASSERT_TRUE(builder_.append(input(value)));
  EXPECT_NEAR(static_cast<double>(builder_.size_bytes_estimate()), 61 + 0.25 * 1008, 1);
  EXPECT_TRUE(builder_.would_fit(input(value), 61 + 505));
  EXPECT_FALSE(builder_.would_fit(input(value), 61 + 500));
}

TEST_F(BatchBuilderTest, memory_of_the_caller_is_never_exceeded) {
  std::array<std::byte, 256> memory{};
  BatchStorage given(memory);
  BatchBuilder builder(given, compressed_, compressor_);
  builder.start({});
  const std::string value(50, 'x');
  while (builder.size_bytes() + 60 <= memory.size()) ASSERT_TRUE(builder.append(input(value)));
  const auto refused = builder.append(input(value));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().error, BatchError::memory_exhausted);
  const auto built = builder.finish();
  ASSERT_TRUE(built);
  EXPECT_EQ(built->data(), memory.data());
  EXPECT_TRUE(BatchView::parse(*built)->crc_matches());
}

TEST_F(BatchBuilderTest, memory_of_the_caller_for_compressed_bytes_is_never_exceeded) {
  std::array<std::byte, 100> memory{};
  BatchStorage given(memory);
  BatchBuilder builder(records_, given, compressor_);
  builder.start({.compression = CompressionOptions(Codec::zstd)});
  const std::string value(500, 'x');
  ASSERT_TRUE(builder.append(input(value)));
  EXPECT_EQ(builder.finish().error().error, BatchError::memory_exhausted);
}

TEST_F(BatchBuilderTest, a_finished_batch_is_taken_with_its_memory) {
  for (const CompressionOptions& compression : all_codecs()) {
    const TestBatch given = small_batch(100);
    const Bytes copied = build({.compression = compression}, given);
    const Buffer taken = builder_.take_batch();
    EXPECT_EQ(Bytes(taken.bytes().begin(), taken.bytes().end()), copied);

    // The next batch does not touch it.
    EXPECT_EQ(build({.compression = compression}, given), copied);
    EXPECT_EQ(Bytes(taken.bytes().begin(), taken.bytes().end()), copied);
  }
}

TEST_F(BatchBuilderTest, a_batch_is_taken_once) {
  builder_.start({});
  ASSERT_TRUE(builder_.append(input("v")));
  EXPECT_DEATH(static_cast<void>(builder_.take_batch()), "after finish");
  ASSERT_TRUE(builder_.finish());
  const Buffer taken = builder_.take_batch();
  EXPECT_DEATH(static_cast<void>(builder_.take_batch()), "once");
}

TEST_F(BatchBuilderTest, reuses_its_memory) {
  const TestBatch given = small_batch(1000);
  for (const CompressionOptions& compression : all_codecs()) {
    static_cast<void>(build({.compression = compression}, given));
  }
  const auto before = pool_.counters();
  for (const CompressionOptions& compression : all_codecs()) {
    static_cast<void>(build({.compression = compression}, given));
  }
  EXPECT_EQ(pool_.counters(), before);
}

TEST_F(BatchBuilderTest, producer_may_be_known_as_late_as_the_end) {
  builder_.start({});
  ASSERT_TRUE(builder_.append(input("v")));
  const ProducerState producer{ProducerId(7), ProducerEpoch(2), Sequence(30)};
  builder_.set_producer(producer);
  const auto built = builder_.finish();
  EXPECT_EQ(BatchView::parse(*built)->header().producer, producer);
}

TEST_F(BatchBuilderTest, a_batch_without_records_is_refused) {
  builder_.start({});
  const auto built = builder_.finish();
  ASSERT_FALSE(built);
  EXPECT_EQ(built.error().error, BatchError::batch_empty);
}

TEST_F(BatchBuilderTest, start_drops_what_was_not_finished) {
  builder_.start({});
  ASSERT_TRUE(builder_.append(input("dropped")));
  const TestBatch given = small_batch(2);
  EXPECT_EQ(build({}, given), encode_batch(given));
}

TEST_F(BatchBuilderTest, marker_is_a_control_batch_of_one_record) {
  builder_.start({.producer = {ProducerId(4), ProducerEpoch(1), no_sequence},
                  .transactional = true,
                  .control = true});
  ASSERT_TRUE(builder_.append_end_transaction_marker(ControlRecordType::commit, CoordinatorEpoch(9),
                                                     Timestamp(1000)));
  const auto built = builder_.finish();
  ASSERT_TRUE(built);

  TestBatch expected;
  expected.attributes = 0x30;
  expected.producer_id = 4;
  expected.producer_epoch = 1;
  expected.records.push_back({
      .key = std::string("\0\0\0\1", 4),
      .value = std::string("\0\0\0\0\0\x09", 6),
  });
  EXPECT_EQ(Bytes(built->begin(), built->end()), encode_batch(expected));
}

TEST_F(BatchBuilderTest, log_append_time_stands_in_the_max_timestamp) {
  builder_.start(
      {.timestamp_type = TimestampType::log_append_time, .log_append_time = Timestamp(5000)});
  ASSERT_TRUE(builder_.append(input("v")));
  TestBatch expected;
  expected.attributes = 0x08;
  expected.max_timestamp = 5000;
  expected.records.push_back({.value = "v"});
  const auto built = builder_.finish();
  EXPECT_EQ(Bytes(built->begin(), built->end()), encode_batch(expected));
}

TEST_F(BatchBuilderTest, delete_horizon_becomes_the_base_timestamp) {
  builder_.start({.delete_horizon = Timestamp(400)});
  ASSERT_TRUE(builder_.append_at(2, input("v")));
  builder_.set_last_offset_delta(8);
  TestBatch expected;
  expected.attributes = 0x40;
  expected.base_timestamp = 400;
  expected.max_timestamp = 1000;
  expected.last_offset_delta = 8;
  expected.records.push_back({.value = "v", .timestamp_delta = 600, .offset_delta = 2});
  const auto built = builder_.finish();
  EXPECT_EQ(Bytes(built->begin(), built->end()), encode_batch(expected));
}

TEST_F(BatchBuilderTest, offsets_must_rise) {
  builder_.start({});
  ASSERT_TRUE(builder_.append_at(3, input("v")));
  EXPECT_DEATH(static_cast<void>(builder_.append_at(3, input("v"))), "offsets rise");
}

// What compaction does to a batch that loses records: the others are copied where they are.
TEST_F(BatchBuilderTest, records_are_copied_at_their_offsets_with_their_headers) {
  TestBatch original = small_batch(4);
  original.records[1].headers = {{"trace", "7"}, {"", std::nullopt}, {"empty", ""}};
  original.records[1].timestamp_delta = 70;
  original.records[3].key = std::nullopt;
  original.records[3].value = std::nullopt;
  const Bytes bytes = encode_batch(original);
  Decompressor decompressor;
  RecordReader reader(decompressor);
  ASSERT_TRUE(reader.open(*BatchView::parse(bytes)));
  builder_.start({});
  for (RecordView record; reader.next(record);) {
    if (record.offset_delta % 2 == 1) {
      ASSERT_TRUE(builder_.append_copy(record));
    }
  }
  ASSERT_TRUE(reader.finish());
  builder_.set_last_offset_delta(5);

  TestBatch expected = original;
  expected.records = {original.records[1], original.records[3]};
  expected.base_timestamp = expected.max_timestamp = 1070;
  expected.records[0].timestamp_delta = 0;
  expected.records[1].timestamp_delta = -70;
  expected.last_offset_delta = 5;
  const auto built = builder_.finish();
  EXPECT_EQ(Bytes(built->begin(), built->end()), encode_batch(expected));
}

TEST_F(BatchBuilderTest, a_copy_that_does_not_fit_leaves_the_batch_as_it_was) {
  TestBatch original = small_batch(1);
  original.records[0].headers = {{std::string(300, 'h'), std::nullopt}};
  const Bytes bytes = encode_batch(original);
  Decompressor decompressor;
  RecordReader reader(decompressor);
  ASSERT_TRUE(reader.open(*BatchView::parse(bytes)));
  RecordView record;
  ASSERT_TRUE(reader.next(record));
  builder_.start({.batch_bytes_max = 300});
  const auto refused = builder_.append_copy(record);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().error, BatchError::batch_full);
  EXPECT_EQ(builder_.record_count(), 0);
  EXPECT_TRUE(builder_.append(input("small")));
}

TEST_F(BatchBuilderTest, emptied_batch_keeps_what_the_header_says_of_offsets_and_producer) {
  TestBatch original = small_batch(3);
  original.base_offset = 70;
  original.leader_epoch = 5;
  original.attributes = 0x40 | 0x10 | 0x08 | 0x04;
  original.max_timestamp = 2000;
  original.producer_id = 9;
  original.producer_epoch = 2;
  original.base_sequence = 40;
  original.payload = Bytes(10);
  const auto emptied = emptied_batch(BatchView::parse(encode_batch(original))->header());

  TestBatch expected = original;
  expected.attributes = 0x10 | 0x08;
  expected.base_timestamp = -1;
  expected.record_count = 0;
  expected.payload = Bytes();
  EXPECT_EQ(Bytes(emptied.begin(), emptied.end()), encode_batch(expected));

  Decompressor decompressor;
  RecordReader reader(decompressor);
  ASSERT_TRUE(reader.open(*BatchView::parse(emptied)));
  RecordView record;
  EXPECT_FALSE(reader.next(record));
  EXPECT_TRUE(reader.finish());
}
