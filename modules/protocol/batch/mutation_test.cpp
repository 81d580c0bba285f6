// Whatever bytes come in, reading and validation end in a value or in an error. The sanitizers see
// the rest.
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

#include "test_support.h"

import millrace.base;
import millrace.protocol.batch;

using namespace millrace;
using namespace millrace::protocol;
using namespace batch_test;

namespace {

class BatchMutationTest : public testing::Test {
 protected:
  // Reads every batch and record of `bytes`, and touches each byte that a view shows.
  void read_all(ByteView bytes) {
    BatchSplitter splitter(bytes);
    for (BatchView batch; splitter.next(batch);) {
      if (!reader_.open(batch)) continue;
      for (RecordView record; reader_.next(record);) touch(record);
      static_cast<void>(reader_.finish());
    }
    static_cast<void>(splitter.finish());
  }

  BatchResult<ValidBatch> validate(ByteView bytes) {
    return validate_batch(bytes, ValidationOptions{.now = Timestamp(1000)}, reader_);
  }

  static Bytes resealed(Bytes bytes) {
    const std::uint32_t crc = crc_byte_by_byte(std::span(bytes).subspan(batch_layout::attributes));
    store_big_endian(bytes.data() + batch_layout::crc, crc);
    return bytes;
  }

  Bytes batch_with(Codec codec) {
    BatchBuilder builder(records_, compressed_, compressor_);
    builder.start({.compression = CompressionOptions(codec)});
    const std::vector<RecordHeader> headers = {{"h", as_bytes("v")}, {"n", ByteView{}}};
    for (int number = 0; number < 3; ++number) {
      const auto appended = builder.append({.key = as_bytes("key"),
                                            .value = as_bytes("some value, some value"),
                                            .timestamp = Timestamp(1000 + number),
                                            .headers = headers});
      EXPECT_TRUE(appended);
    }
    const auto built = builder.finish();
    return Bytes(built->begin(), built->end());
  }

  static std::vector<Codec> codecs() {
    return {Codec::none, Codec::gzip, Codec::snappy, Codec::lz4, Codec::zstd};
  }

  std::uint64_t touched_ = 0;

 private:
  void touch(const RecordView& record) {
    touch(record.key);
    touch(record.value);
    for (const RecordHeader& header : record.headers) {
      touch(as_bytes(header.key));
      touch(header.value);
    }
  }
  void touch(ByteView bytes) {
    for (const std::byte byte : bytes) touched_ += static_cast<std::uint64_t>(byte) + 1;
  }

  Compressor compressor_;
  BufferPool pool_;
  BatchStorage records_{pool_};
  BatchStorage compressed_{pool_};
  Decompressor decompressor_;
  RecordReader reader_{decompressor_};
};

}  // namespace

TEST_F(BatchMutationTest, every_truncation_is_refused) {
  for (const Codec codec : codecs()) {
    const Bytes good = batch_with(codec);
    ASSERT_TRUE(validate(good));
    for (std::size_t size = 0; size < good.size(); ++size) {
      const Bytes cut(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(size));
      read_all(cut);
      EXPECT_FALSE(validate(cut)) << name_of(codec) << " cut to " << size;
    }
  }
}

TEST_F(BatchMutationTest, every_truncation_of_the_records_is_refused_with_a_right_crc) {
  for (const Codec codec : codecs()) {
    const Bytes good = batch_with(codec);
    for (std::size_t size = record_batch_header_bytes; size < good.size(); ++size) {
      Bytes cut(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(size));
      store_big_endian(cut.data() + batch_layout::batch_length,
                       static_cast<std::int32_t>(size - record_batch_prefix_bytes));
      cut = resealed(cut);
      read_all(cut);
      EXPECT_FALSE(validate(cut)) << name_of(codec) << " cut to " << size;
    }
  }
}

TEST_F(BatchMutationTest, every_flipped_bit_under_the_crc_is_a_crc_mismatch) {
  for (const Codec codec : codecs()) {
    const Bytes good = batch_with(codec);
    for (std::size_t bit = 8 * batch_layout::crc; bit < 8 * good.size(); ++bit) {
      Bytes bad = good;
      bad[bit / 8] ^= static_cast<std::byte>(1u << (bit % 8));
      read_all(bad);
      const auto valid = validate(bad);
      ASSERT_FALSE(valid) << name_of(codec) << ", bit " << bit;
      EXPECT_EQ(valid.error().error, BatchError::crc_mismatch) << name_of(codec) << ", bit " << bit;
    }
  }
}

TEST_F(BatchMutationTest, every_flipped_bit_with_a_right_crc_ends_in_a_value_or_an_error) {
  int refused = 0;
  for (const Codec codec : codecs()) {
    const Bytes good = batch_with(codec);
    for (std::size_t bit = 0; bit < 8 * good.size(); ++bit) {
      Bytes bad = good;
      bad[bit / 8] ^= static_cast<std::byte>(1u << (bit % 8));
      bad = resealed(bad);
      read_all(bad);
      refused += validate(bad) ? 0 : 1;
    }
  }
  EXPECT_GT(refused, 1000);
  EXPECT_GT(touched_, 1000u);
}

TEST_F(BatchMutationTest, random_records_with_a_right_crc_end_in_a_value_or_an_error) {
  std::mt19937 random(11);
  for (int round = 0; round < 20'000; ++round) {
    TestBatch batch;
    batch.attributes = static_cast<std::int16_t>(round % 5);
    batch.record_count = static_cast<std::int32_t>(random() % 4);
    batch.last_offset_delta = *batch.record_count - 1;
    batch.payload = Bytes(random() % 60);
    for (std::byte& byte : *batch.payload) {
      // Small numbers make lengths that fit more often.
      byte = static_cast<std::byte>(random() % (round % 2 == 0 ? 16 : 256));
    }
    const Bytes bytes = encode_batch(batch);
    read_all(bytes);
    static_cast<void>(validate(bytes));
  }
}
