// What the builder writes, reader and validation understand, with every codec; and without one it
// is what the format page says.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "test_support.h"

import millrace.base;
import millrace.protocol.batch;

using namespace millrace;
using namespace millrace::protocol;
using namespace batch_test;

namespace {

// Above any batch that is generated.
constexpr std::size_t batch_bytes_max = 16 * mebibyte;

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

class BatchRoundTrip : public testing::Test {
 public:
  // What the builder makes of the records of `batch`.
  Bytes build(BatchOptions options, const TestBatch& batch) {
    options.batch_bytes_max = batch_bytes_max;
    builder_.start(options);
    for (const TestRecord& record : batch.records) {
      const Input input(record, batch.base_timestamp);
      RC_ASSERT(builder_.append_at(record.offset_delta, input.get()).has_value());
    }
    const auto built = builder_.finish();
    RC_ASSERT(built.has_value());
    return Bytes(built->begin(), built->end());
  }

 private:
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

}  // namespace

RC_GTEST_FIXTURE_PROP(BatchRoundTrip, reader_gives_back_what_was_appended_with_every_codec, ()) {
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
    std::vector<CopiedRecord> records;
    for (RecordView record; reader.next(record);) records.push_back(copied(record));
    RC_ASSERT(reader.finish().has_value());
    RC_ASSERT(records == expected_of(given));
  }
}

RC_GTEST_FIXTURE_PROP(BatchRoundTrip, writes_the_bytes_of_the_format_page, ()) {
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

RC_GTEST_FIXTURE_PROP(BatchRoundTrip, validation_accepts_what_it_builds, ()) {
  const TestBatch given = *any_batch(false);
  Decompressor decompressor;
  RecordReader reader(decompressor);
  const ValidationOptions options{.batch_bytes_max = batch_bytes_max,
                                  .now = Timestamp(0),
                                  .timestamp_after_max = std::chrono::milliseconds::max()};
  for (const CompressionOptions& compression : all_codecs()) {
    const Bytes bytes = build({.compression = compression}, given);
    const auto valid = validate_batch(bytes, options, reader);
    RC_ASSERT(valid.has_value());
    RC_ASSERT(!valid->must_rewrite_timestamps);
    RC_ASSERT(valid->record_count == static_cast<std::int32_t>(given.records.size()));
  }
}
