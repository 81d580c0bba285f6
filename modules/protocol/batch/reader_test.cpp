#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <functional>
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

// A record with its bytes copied out of the window.
struct Copy {
  std::int64_t offset = 0;
  std::int64_t timestamp = 0;
  NullableText key;
  NullableText value;
  std::vector<std::pair<std::string, NullableText>> headers;

  friend bool operator==(const Copy&, const Copy&) = default;
};

NullableText text_of(ByteView bytes) {
  if (is_null(bytes)) return std::nullopt;
  return std::string(as_text(bytes));
}

Copy copy_of(const RecordView& record) {
  Copy copy{record.offset.value(),
            record.timestamp.value(),
            text_of(record.key),
            text_of(record.value),
            {}};
  for (const RecordHeader& header : record.headers) {
    copy.headers.emplace_back(std::string(header.key), text_of(header.value));
  }
  return copy;
}

Copy copy_of(const TestBatch& batch, const TestRecord& record) {
  return {batch.base_offset + record.offset_delta, batch.base_timestamp + record.timestamp_delta,
          record.key, record.value, record.headers};
}

class RecordReaderTest : public testing::Test {
 protected:
  BatchResult<std::vector<Copy>> read(const Bytes& bytes, const RecordLimits& limits = {}) {
    const auto batch = BatchView::parse(bytes);
    if (!batch) return failure(batch.error());
    RecordReader reader(decompressor_, limits);
    if (const auto opened = reader.open(*batch); !opened) return failure(opened.error());
    std::vector<Copy> records;
    for (RecordView record; reader.next(record);) records.push_back(copy_of(record));
    if (const auto finished = reader.finish(); !finished) return failure(finished.error());
    record_bytes_ = reader.record_bytes();
    return records;
  }

  // The failure of a batch of three records of which the middle one was spoilt.
  BatchFailure failure_of_second(const std::function<void(TestRecord&)>& spoil) {
    TestBatch batch = small_batch(3);
    spoil(batch.records[1]);
    const auto records = read(encode_batch(batch));
    return records ? BatchFailure{} : records.error();
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

TEST_F(RecordReaderTest, tells_null_from_empty) {
  TestBatch batch = small_batch(2);
  batch.records[0].key = std::nullopt;
  batch.records[0].value = "";
  batch.records[1].key = "";
  batch.records[1].value = std::nullopt;
  batch.records[1].headers = {{"", ""}, {"h", std::nullopt}, {"h", "again"}};

  const auto records = read(encode_batch(batch));

  ASSERT_TRUE(records) << sentence(records.error());
  EXPECT_EQ(*records,
            (std::vector{copy_of(batch, batch.records[0]), copy_of(batch, batch.records[1])}));
}

TEST_F(RecordReaderTest, reads_lengths_and_deltas_of_every_width) {
  TestBatch batch;
  batch.base_timestamp = 1'700'000'000'000;
  batch.base_offset = 1'000'000;
  for (const std::size_t size : {0u, 63u, 64u, 127u, 8191u, 8192u, 1'048'575u, 1'048'576u}) {
    batch.records.push_back({.key = std::string(size, 'k'),
                             .value = std::string(size, 'v'),
                             .headers = {{std::string(size, 'h'), std::string(size, 'w')}}});
  }
  std::int32_t offset_delta = 0;
  for (const std::int64_t delta :
       {std::int64_t{63}, std::int64_t{-64}, std::int64_t{-65}, std::int64_t{8191},
        std::int64_t{1} << 40, -batch.base_timestamp}) {
    batch.records.push_back({.timestamp_delta = delta, .offset_delta = offset_delta});
    offset_delta = offset_delta * 3 + 50;
  }
  batch.records.back().offset_delta = std::numeric_limits<std::int32_t>::max();

  const auto records = read(encode_batch(batch));

  ASSERT_TRUE(records) << sentence(records.error());
  ASSERT_EQ(records->size(), batch.records.size());
  for (std::size_t at = 0; at < records->size(); ++at) {
    EXPECT_TRUE((*records)[at] == copy_of(batch, batch.records[at])) << "record " << at;
  }
}

TEST_F(RecordReaderTest, log_append_time_gives_every_record_the_max_timestamp) {
  TestBatch batch = small_batch(3);
  batch.attributes = 0x08;
  batch.max_timestamp = 5555;
  batch.records[1].timestamp_delta = -3;
  const auto records = read(encode_batch(batch));
  ASSERT_TRUE(records);
  for (const Copy& record : *records) EXPECT_EQ(record.timestamp, 5555);
}

TEST_F(RecordReaderTest, offsets_and_timestamps_of_hostile_batches_wrap) {
  TestBatch batch = small_batch(1);
  batch.base_offset = std::numeric_limits<std::int64_t>::max();
  batch.base_timestamp = std::numeric_limits<std::int64_t>::max();
  batch.records[0].offset_delta = 1;
  batch.records[0].timestamp_delta = 1;
  const auto records = read(encode_batch(batch));
  ASSERT_TRUE(records);
  EXPECT_EQ(records->at(0).offset, std::numeric_limits<std::int64_t>::min());
  EXPECT_EQ(records->at(0).timestamp, std::numeric_limits<std::int64_t>::min());
}

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

TEST_F(RecordReaderTest, names_what_is_wrong_with_a_record) {
  using Spoil = std::function<void(TestRecord&)>;
  const std::vector<std::pair<BatchError, Spoil>> cases = {
      {BatchError::record_length_invalid, [](auto& r) { r.length = -1; }},
      {BatchError::record_length_invalid, [](auto& r) { r.length = std::int64_t{1} << 33; }},
      {BatchError::record_cut_off, [](auto& r) { r.length = 1000; }},
      {BatchError::record_field_invalid, [](auto& r) { r.length = 0; }},
      {BatchError::record_field_invalid, [](auto& r) { r.length = 2; }},
      {BatchError::key_length_invalid, [](auto& r) { r.key_length = -2; }},
      {BatchError::key_length_invalid, [](auto& r) { r.key_length = 100; }},
      {BatchError::key_length_invalid, [](auto& r) { r.key_length = std::int64_t{1} << 33; }},
      {BatchError::value_length_invalid, [](auto& r) { r.value_length = -2; }},
      {BatchError::value_length_invalid, [](auto& r) { r.value_length = 4; }},
      {BatchError::header_count_invalid, [](auto& r) { r.header_count = -1; }},
      {BatchError::header_count_invalid, [](auto& r) { r.header_count = 1; }},
      {BatchError::header_count_invalid, [](auto& r) { r.header_count = 0x7fff'ffff; }},
      {BatchError::record_trailing_bytes, [](auto& r) { r.trailing = "x"; }},
      {BatchError::record_trailing_bytes,
       [](auto& r) {
         r.headers = {{"h", "v"}, {"h", "v"}};
         r.header_count = 1;
       }},
      // An encoded header of which the key is null, in place of the true ones.
      {BatchError::header_key_length_invalid,
       [](auto& r) {
         r.header_count = 1;
         r.trailing = "\x01\x01";
       }},
      {BatchError::header_key_length_invalid,
       [](auto& r) {
         r.header_count = 1;
         r.trailing = "\x10\x01";
       }},
      {BatchError::header_value_length_invalid,
       [](auto& r) {
         r.header_count = 1;
         r.trailing = "\x02h\x03";
       }},
      {BatchError::header_value_length_invalid,
       [](auto& r) {
         r.header_count = 1;
         r.trailing = "\x02h\x04w";
       }},
  };
  int number = 0;
  for (const auto& [error, spoil] : cases) {
    const BatchFailure found = failure_of_second(spoil);
    EXPECT_EQ(name_of(found.error), name_of(error)) << "case " << number;
    EXPECT_EQ(found.record_index, 1) << "case " << number;
    ++number;
  }
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
        ASSERT_TRUE((*records)[at] == copy_of(batch, batch.records[at]))
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
