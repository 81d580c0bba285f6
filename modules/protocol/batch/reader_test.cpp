#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "test_support.h"

import millrace.base;
import millrace.protocol.batch;

using namespace millrace;
using namespace millrace::protocol;
using namespace batch_test;

namespace {

class RecordReaderTest : public testing::Test {
 protected:
  BatchResult<std::vector<CopiedRecord>> read(const Bytes& bytes, const RecordLimits& limits = {}) {
    const auto batch = BatchView::parse(bytes);
    if (!batch) return failure(batch.error());
    RecordReader reader(decompressor_, limits);
    if (const auto opened = reader.open(*batch); !opened) return failure(opened.error());
    std::vector<CopiedRecord> records;
    for (RecordView record; reader.next(record);) records.push_back(copied(record));
    if (const auto finished = reader.finish(); !finished) return failure(finished.error());
    record_bytes_ = reader.record_bytes();
    return records;
  }

  // The same batch with its records compressed.
  Bytes compressed(TestBatch batch, const CompressionOptions& options) {
    const Bytes plain = encode_records(batch.records);
    Bytes packed(compressed_bytes_max(options, plain.size()));
    const auto size = compressor_.compress(options, ByteView(plain), packed);
    EXPECT_TRUE(size);
    packed.resize(*size);
    batch.attributes =
        static_cast<std::int16_t>(batch.attributes | static_cast<int>(options.codec()));
    batch.payload = packed;
    return encode_batch(batch);
  }

  std::uint64_t record_bytes_ = 0;
  Compressor compressor_;
  Decompressor decompressor_;
};

std::vector<CompressionOptions> all_codecs() {
  return {CompressionOptions(Codec::gzip), CompressionOptions(Codec::snappy),
          CompressionOptions::raw_snappy(), CompressionOptions(Codec::lz4),
          CompressionOptions(Codec::zstd)};
}

// Records that no codec makes small and that are far larger than a chunk of decompressed bytes.
TestBatch large_batch(std::size_t value_bytes, int count) {
  std::mt19937_64 random(7);
  TestBatch batch = small_batch(count);
  for (TestRecord& record : batch.records) {
    record.value = std::string(value_bytes, 'x');
    for (char& character : *record.value) character = static_cast<char>(random());
  }
  return batch;
}

}  // namespace

TEST_F(RecordReaderTest, reads_what_compaction_left) {
  TestBatch batch = small_batch(5);
  batch.records.erase(batch.records.begin() + 1, batch.records.begin() + 3);
  batch.last_offset_delta = 9;
  const auto records = read(encode_batch(batch));
  ASSERT_TRUE(records) << sentence(records.error());
  ASSERT_EQ(records->size(), 3u);
  EXPECT_EQ(records->at(1).offset, 3);

  batch.records.clear();
  EXPECT_TRUE(read(encode_batch(batch))->empty());
}

TEST_F(RecordReaderTest, notices_missing_records_and_bytes_left_over) {
  TestBatch batch = small_batch(3);
  batch.record_count = 4;
  EXPECT_EQ(read(encode_batch(batch)).error(), (BatchFailure{BatchError::records_missing, 3, {}}));
  batch.record_count = 2;
  EXPECT_EQ(read(encode_batch(batch)).error(),
            (BatchFailure{BatchError::trailing_bytes, no_record_index, {}}));
  batch.record_count = 0;
  EXPECT_EQ(read(encode_batch(batch)).error().error, BatchError::trailing_bytes);
  batch.record_count = -1;
  EXPECT_EQ(read(encode_batch(batch)).error().error, BatchError::record_count_invalid);
}

TEST_F(RecordReaderTest, refuses_unknown_codecs) {
  TestBatch batch = small_batch(1);
  for (const int codec : {5, 6, 7}) {
    batch.attributes = static_cast<std::int16_t>(codec);
    EXPECT_EQ(read(encode_batch(batch)).error().error, BatchError::codec_unknown);
  }
}

TEST_F(RecordReaderTest, reads_every_codec_like_no_codec) {
  TestBatch batch = small_batch(200);
  batch.records[5].headers = {{"h", "v"}, {"n", std::nullopt}};
  batch.records[6].key = std::nullopt;
  const auto plain = read(encode_batch(batch));
  ASSERT_TRUE(plain);
  const std::uint64_t plain_bytes = record_bytes_;
  for (const auto& options : all_codecs()) {
    const auto records = read(compressed(batch, options));
    ASSERT_TRUE(records) << name_of(options.codec()) << ": " << sentence(records.error());
    EXPECT_EQ(*records, *plain) << name_of(options.codec());
    EXPECT_EQ(record_bytes_, plain_bytes) << name_of(options.codec());
  }
}

TEST_F(RecordReaderTest, puts_records_together_that_straddle_chunks) {
  for (const std::size_t value_bytes : {999u, 65'521u, 300'000u, 5'000'000u}) {
    const TestBatch batch = large_batch(value_bytes, 5'500'000 / static_cast<int>(value_bytes));
    for (const auto& options : all_codecs()) {
      const auto records = read(compressed(batch, options));
      ASSERT_TRUE(records) << name_of(options.codec()) << ": " << sentence(records.error());
      ASSERT_EQ(records->size(), batch.records.size());
      for (std::size_t at = 0; at < records->size(); ++at) {
        ASSERT_TRUE((*records)[at] == expected_of(batch, batch.records[at]))
            << name_of(options.codec()) << ", values of " << value_bytes << ", record " << at;
      }
    }
  }
}

TEST_F(RecordReaderTest, refuses_a_compressed_record_above_the_limit_before_it_is_there) {
  TestBatch batch = small_batch(3);
  batch.records[1].length = 0x7fff'ffff;
  for (const auto& options : all_codecs()) {
    const auto records = read(compressed(batch, options));
    ASSERT_FALSE(records);
    EXPECT_EQ(records.error(), (BatchFailure{BatchError::record_too_large, 1, {}}))
        << name_of(options.codec());
  }
}

TEST_F(RecordReaderTest, holds_the_limits_of_decompression) {
  TestBatch batch = small_batch(1);
  batch.records[0].value = std::string(1'000'000, 'a');
  RecordLimits limits;
  limits.decompression.output_bytes_max = 500'000;
  for (const auto& options : all_codecs()) {
    const auto records = read(compressed(batch, options), limits);
    ASSERT_FALSE(records) << name_of(options.codec());
    EXPECT_EQ(records.error().error, BatchError::decompression_limit_exceeded)
        << name_of(options.codec());
    EXPECT_TRUE(records.error().compression.has_value());
  }
}

TEST_F(RecordReaderTest, notices_missing_records_and_bytes_left_over_in_compressed_batches) {
  for (const auto& options : all_codecs()) {
    TestBatch batch = small_batch(3);
    batch.record_count = 4;
    EXPECT_EQ(read(compressed(batch, options)).error(),
              (BatchFailure{BatchError::records_missing, 3, {}}));
    batch.record_count = 2;
    EXPECT_EQ(read(compressed(batch, options)).error().error, BatchError::trailing_bytes);
    batch.record_count = 0;
    EXPECT_EQ(read(compressed(batch, options)).error().error, BatchError::trailing_bytes);
    batch.record_count = std::nullopt;
    batch.records[2].length = 500;
    EXPECT_EQ(read(compressed(batch, options)).error(),
              (BatchFailure{BatchError::record_cut_off, 2, {}}));
  }
}

TEST_F(RecordReaderTest, damage_behind_the_last_record_fails_the_batch) {
  for (const auto& options : all_codecs()) {
    Bytes bytes = compressed(small_batch(50), options);
    bytes.push_back(std::byte{0});
    const auto length = static_cast<std::int32_t>(bytes.size() - record_batch_prefix_bytes);
    store_big_endian(bytes.data() + batch_layout::batch_length, length);
    const auto records = read(bytes);
    ASSERT_FALSE(records) << name_of(options.codec());
    EXPECT_EQ(records.error().error, BatchError::compressed_data_invalid)
        << name_of(options.codec());
  }
}

TEST_F(RecordReaderTest, is_reused_after_a_failure) {
  const Bytes good = encode_batch(small_batch(2));
  RecordReader reader(decompressor_);
  TestBatch missing = small_batch(1);
  missing.record_count = 2;
  const Bytes bad_bytes = encode_batch(missing);

  RecordView record;
  ASSERT_TRUE(reader.open(*BatchView::parse(bad_bytes)));
  EXPECT_TRUE(reader.next(record));
  EXPECT_FALSE(reader.next(record));
  EXPECT_FALSE(reader.next(record));
  EXPECT_FALSE(reader.finish());

  ASSERT_TRUE(reader.open(*BatchView::parse(good)));
  EXPECT_TRUE(reader.next(record));
  EXPECT_TRUE(reader.next(record));
  EXPECT_FALSE(reader.next(record));
  EXPECT_FALSE(reader.next(record));
  EXPECT_TRUE(reader.finish());
}
