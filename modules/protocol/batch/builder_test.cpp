#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
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

ByteView view_of(const NullableText& text) {
  if (!text) return {};
  return as_bytes(text->empty() ? std::string_view("") : std::string_view(*text));
}

NullableText text_of(ByteView bytes) {
  if (is_null(bytes)) return std::nullopt;
  return std::string(as_text(bytes));
}

// A record to append, kept alive together with the headers that it points to.
class Input {
 public:
  Input(const TestRecord& record, std::int64_t base_timestamp) {
    for (const auto& [key, value] : record.headers) headers_.push_back({key, view_of(value)});
    input_ = {.key = view_of(record.key),
              .value = view_of(record.value),
              .timestamp = Timestamp(base_timestamp + record.timestamp_delta),
              .headers = headers_};
  }
  [[nodiscard]] const RecordInput& get() const { return input_; }

 private:
  std::vector<RecordHeader> headers_;
  RecordInput input_;
};

class BatchBuilderTest : public testing::Test {
 public:
  // What the builder makes of the records of `batch`.
  Bytes build(const BatchOptions& options, const TestBatch& batch) {
    builder_.start(options);
    for (const TestRecord& record : batch.records) {
      const Input input(record, batch.base_timestamp);
      const auto appended = builder_.append_at(record.offset_delta, input.get());
      EXPECT_TRUE(appended) << sentence(appended.error());
    }
    const auto built = builder_.finish();
    EXPECT_TRUE(built) << sentence(built.error());
    return Bytes(built->begin(), built->end());
  }

 protected:
  static RecordInput input(std::string_view value) {
    return {.key = {}, .value = as_bytes(value), .timestamp = Timestamp(1000)};
  }

  Compressor compressor_;
  BufferPool pool_;
  BatchStorage records_{pool_};
  BatchStorage compressed_{pool_};
  BatchBuilder builder_{records_, compressed_, compressor_};
};

const std::vector<CompressionOptions>& all_codecs() {
  static const std::vector<CompressionOptions> codecs = {CompressionOptions(),
                                                         CompressionOptions(Codec::gzip),
                                                         CompressionOptions(Codec::snappy),
                                                         CompressionOptions::raw_snappy(),
                                                         CompressionOptions(Codec::lz4),
                                                         CompressionOptions(Codec::zstd)};
  return codecs;
}

rc::Gen<NullableText> any_text() {
  return rc::gen::exec([]() -> NullableText {
    if (*rc::gen::inRange(0, 5) == 0) return std::nullopt;
    const auto size = *rc::gen::element<std::size_t>(0, 1, 20, 63, 64, 100, 8191, 8192, 70'000);
    std::string text(size, *rc::gen::arbitrary<char>());
    if (size != 0) text[size / 2] = *rc::gen::arbitrary<char>();
    return text;
  });
}

rc::Gen<TestRecord> any_record() {
  return rc::gen::exec([] {
    TestRecord record;
    record.key = *any_text();
    record.value = *any_text();
    record.timestamp_delta = *rc::gen::oneOf(rc::gen::inRange<std::int64_t>(-100, 100),
                                             rc::gen::arbitrary<std::int64_t>());
    const int headers = *rc::gen::element(0, 0, 0, 1, 3, 70);
    for (int number = 0; number < headers; ++number) {
      record.headers.emplace_back("h" + std::to_string(number), number % 3 == 0
                                                                    ? NullableText(std::nullopt)
                                                                    : NullableText("value"));
    }
    return record;
  });
}

// Records as they come, the first at the base timestamp; offsets with gaps where asked for.
rc::Gen<TestBatch> any_batch(bool gaps) {
  return rc::gen::exec([gaps] {
    TestBatch batch;
    batch.base_timestamp = *rc::gen::inRange<std::int64_t>(-1, 1'800'000'000'000);
    batch.records.resize(static_cast<std::size_t>(*rc::gen::inRange(1, 20)));
    std::int32_t offset_delta = gaps ? *rc::gen::inRange(0, 5) : 0;
    batch.max_timestamp = batch.base_timestamp;
    for (TestRecord& record : batch.records) {
      record = *any_record();
      if (&record == batch.records.data()) record.timestamp_delta = 0;
      record.timestamp_delta /= 2;  // so that the sum with the base does not overflow
      batch.max_timestamp =
          std::max(batch.max_timestamp, batch.base_timestamp + record.timestamp_delta);
      record.offset_delta = offset_delta;
      offset_delta += gaps ? *rc::gen::inRange(1, 1000) : 1;
    }
    batch.last_offset_delta = batch.records.back().offset_delta;
    return batch;
  });
}

void expect_same(const TestBatch& batch, const TestRecord& given, const RecordView& record) {
  RC_ASSERT(record.offset == Offset(batch.base_offset + given.offset_delta));
  RC_ASSERT(record.timestamp == Timestamp(batch.base_timestamp + given.timestamp_delta));
  RC_ASSERT(text_of(record.key) == given.key);
  RC_ASSERT(text_of(record.value) == given.value);
  RC_ASSERT(record.headers.count() == static_cast<std::int32_t>(given.headers.size()));
  std::size_t at = 0;
  for (const RecordHeader& header : record.headers) {
    RC_ASSERT(header.key == given.headers[at].first);
    RC_ASSERT(text_of(header.value) == given.headers[at].second);
    ++at;
  }
}

}  // namespace

RC_GTEST_FIXTURE_PROP(BatchBuilderTest, reader_gives_back_what_was_appended_with_every_codec, ()) {
  const TestBatch given = *any_batch(true);
  Decompressor decompressor;
  RecordReader reader(decompressor);
  for (const CompressionOptions& compression : all_codecs()) {
    const Bytes bytes = build({.compression = compression}, given);
    const auto batch = BatchView::parse(bytes);
    RC_ASSERT(batch.has_value());
    RC_ASSERT(batch->crc_matches());
    RC_ASSERT(batch->header().attributes.codec() == compression.codec());
    RC_ASSERT(reader.open(*batch).has_value());
    for (const TestRecord& record : given.records) {
      RecordView view;
      RC_ASSERT(reader.next(view));
      expect_same(given, record, view);
    }
    RecordView view;
    RC_ASSERT(!reader.next(view));
    RC_ASSERT(reader.finish().has_value());
  }
}

RC_GTEST_FIXTURE_PROP(BatchBuilderTest, writes_the_bytes_of_the_format_page, ()) {
  TestBatch given = *any_batch(false);
  given.base_offset = *rc::gen::inRange<std::int64_t>(0, 1'000'000'000'000);
  given.leader_epoch = *rc::gen::inRange(-1, 1000);
  given.producer_id = *rc::gen::inRange(0, 1000);
  given.producer_epoch = 3;
  given.base_sequence = *rc::gen::inRange(0, 1000);
  given.attributes = 0x10;
  const Bytes bytes = build(
      {.base_offset = Offset(given.base_offset),
       .leader_epoch = LeaderEpoch(given.leader_epoch),
       .producer = {ProducerId(given.producer_id), ProducerEpoch(3), Sequence(given.base_sequence)},
       .transactional = true},
      given);
  RC_ASSERT(bytes == encode_batch(given));
}

RC_GTEST_FIXTURE_PROP(BatchBuilderTest, validation_accepts_what_it_builds, ()) {
  const TestBatch given = *any_batch(false);
  Decompressor decompressor;
  RecordReader reader(decompressor);
  const ValidationOptions options{.now = Timestamp(0),
                                  .timestamp_after_max = std::chrono::milliseconds::max()};
  for (const CompressionOptions& compression : all_codecs()) {
    const Bytes bytes = build({.compression = compression}, given);
    const auto valid = validate_batch(bytes, options, reader);
    RC_ASSERT(valid.has_value());
    RC_ASSERT(!valid->must_rewrite_timestamps);
    RC_ASSERT(valid->record_count == static_cast<std::int32_t>(given.records.size()));
  }
}

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
