#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
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

BatchResult<std::vector<CopiedRecord>> read(const Bytes& bytes) {
  const auto batch = BatchView::parse(bytes);
  if (!batch) return failure(batch.error());
  Decompressor decompressor;
  RecordReader reader(decompressor);
  if (const auto opened = reader.open(*batch); !opened) return failure(opened.error());
  std::vector<CopiedRecord> records;
  for (RecordView record; reader.next(record);) records.push_back(copied(record));
  if (const auto finished = reader.finish(); !finished) return failure(finished.error());
  return records;
}

// The failure of a batch of three records of which the middle one was spoilt.
BatchFailure failure_of_second(const std::function<void(TestRecord&)>& spoil) {
  TestBatch batch = small_batch(3);
  spoil(batch.records[1]);
  const auto records = read(encode_batch(batch));
  return records ? BatchFailure{} : records.error();
}

}  // namespace

TEST(RecordView, tells_null_from_empty) {
  TestBatch batch = small_batch(2);
  batch.records[0].key = std::nullopt;
  batch.records[0].value = "";
  batch.records[1].key = "";
  batch.records[1].value = std::nullopt;
  batch.records[1].headers = {{"", ""}, {"h", std::nullopt}, {"h", "again"}};

  const auto records = read(encode_batch(batch));

  ASSERT_TRUE(records) << sentence(records.error());
  EXPECT_EQ(*records, (std::vector{expected_of(batch, batch.records[0]),
                                   expected_of(batch, batch.records[1])}));
}

TEST(RecordView, reads_lengths_and_deltas_of_every_width) {
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
    EXPECT_TRUE((*records)[at] == expected_of(batch, batch.records[at])) << "record " << at;
  }
}

TEST(RecordView, log_append_time_gives_every_record_the_max_timestamp) {
  TestBatch batch = small_batch(3);
  batch.attributes = 0x08;
  batch.max_timestamp = 5555;
  batch.records[1].timestamp_delta = -3;
  const auto records = read(encode_batch(batch));
  ASSERT_TRUE(records);
  for (const CopiedRecord& record : *records) EXPECT_EQ(record.timestamp, 5555);
}

TEST(RecordView, offsets_and_timestamps_of_hostile_batches_wrap) {
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

TEST(RecordView, names_what_is_wrong_with_a_record) {
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
