// Building, reading and checking take nothing from the heap once they are warm.
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

#include "../compression/heap_calls.h"

import millrace.base;
import millrace.protocol.batch;

using namespace millrace;
using namespace millrace::protocol;

namespace {

class BatchAllocation : public testing::TestWithParam<Codec> {
 protected:
  MutableBytes build() {
    BatchOptions options;
    options.compression = CompressionOptions(GetParam());
    builder_.start(options);
    bool fits = true;
    for (int number = 0; number < 1000; ++number) {
      fits = builder_
                 .append({.key = as_bytes("some key"),
                          .value = as_bytes(value_),
                          .timestamp = Timestamp(number),
                          .headers = headers_})
                 .has_value() &&
             fits;
    }
    const auto batch = builder_.finish();
    return fits && batch ? *batch : MutableBytes{};
  }

  std::int32_t read(ByteView bytes) {
    const auto batch = BatchView::parse(bytes);
    if (!batch || !reader_.open(*batch)) return -1;
    std::int32_t count = 0;
    for (RecordView record; reader_.next(record);) count += record.headers.count();
    return reader_.finish() ? count : -1;
  }

  static std::uint64_t heap_calls_of(const std::function<void()>& work) {
    const std::uint64_t before = compression_test::heap_calls();
    work();
    return compression_test::heap_calls() - before;
  }

  std::string value_ = std::string(100, 'v');
  RecordHeader headers_[1] = {{"name", as_bytes("value")}};
  BufferPool pool_;
  BatchStorage records_{pool_};
  BatchStorage compressed_{pool_};
  Compressor compressor_;
  BatchBuilder builder_{records_, compressed_, compressor_};
  Decompressor decompressor_;
  RecordReader reader_{decompressor_};
};

}  // namespace

TEST_P(BatchAllocation, nothing_is_taken_from_the_heap_when_warm) {
  const auto build_read_and_validate = [this] {
    const MutableBytes batch = build();
    ASSERT_FALSE(batch.empty());
    ASSERT_EQ(read(batch), 1000);
    ASSERT_TRUE(validate_batch(batch, {.now = Timestamp(1000)}, reader_));
    rewrite_timestamps(batch, TimestampType::log_append_time, Timestamp(2000));
    ASSERT_EQ(read(batch), 1000);
  };
  EXPECT_GT(heap_calls_of(build_read_and_validate), 0u) << "the counter does not count";
  EXPECT_EQ(heap_calls_of(build_read_and_validate), 0u);
}

INSTANTIATE_TEST_SUITE_P(EveryCodec, BatchAllocation,
                         testing::Values(Codec::none, Codec::gzip, Codec::snappy, Codec::lz4,
                                         Codec::zstd),
                         [](const auto& info) { return std::string(name_of(info.param)); });
