// Record batches from outside: splitting, reading, checking, rewriting. The first byte of the input
// chooses what the others are: bytes as they come; a batch whose length and CRC are put right, so
// that it gets past them; the records of a batch with a good header; records that are read once
// plain and once compressed.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

import millrace.base;
import millrace.protocol.batch;

namespace {

using namespace millrace;
using namespace millrace::protocol;

using Bytes = std::vector<std::byte>;

// Small enough that an input that decompresses well costs little.
RecordLimits limits() {
  RecordLimits limits;
  limits.decompression.output_bytes_max = 256 * kibibyte;
  limits.record_bytes_max = 128 * kibibyte;
  return limits;
}

class Fuzzer {
 public:
  void run(ByteView input) {
    if (input.size() < 3) return;
    const auto mode = static_cast<unsigned>(input[0]) % 4;
    const auto options = static_cast<unsigned>(input[1]);
    const ByteView data = input.subspan(2);
    if (mode == 0) return look_at(data, options);
    if (mode == 1) return look_at(put_right(Bytes(data.begin(), data.end())), options);
    if (mode == 2) return look_at(put_right(batch_of(data)), options);
    compare_plain_and_compressed(data, options);
  }

 private:
  static Bytes put_right(Bytes batch) {
    if (batch.size() < record_batch_header_bytes) return batch;
    store_big_endian(batch.data() + batch_layout::batch_length,
                     static_cast<std::int32_t>(batch.size() - record_batch_prefix_bytes));
    batch[batch_layout::magic] = static_cast<std::byte>(batch_magic);
    store_big_endian(batch.data() + batch_layout::crc, compute_batch_crc(batch));
    return batch;
  }

  // The first byte says how many records the others are, the second one the codec.
  static Bytes batch_of(ByteView data) {
    if (data.size() < 2) return {};
    const auto count = static_cast<std::int32_t>(data[0]) % 32;
    Bytes batch(record_batch_header_bytes);
    write_batch_header(batch.data(), {.attributes = BatchAttributes(static_cast<std::int16_t>(
                                          static_cast<int>(data[1]) & BatchAttributes::codec_mask)),
                                      .last_offset_delta = count - 1,
                                      .base_timestamp = Timestamp(1000),
                                      .max_timestamp = Timestamp(1000),
                                      .record_count = count});
    batch.insert(batch.end(), data.begin() + 2, data.end());
    return batch;
  }

  void look_at(ByteView bytes, unsigned options) {
    BatchSplitter splitter(bytes, 64 * kibibyte);
    std::size_t split = 0;
    for (BatchView batch; splitter.next(batch);) {
      split += batch.bytes().size();
      read(batch);
    }
    check(split + splitter.rest().size() == bytes.size(), "batches and rest are the whole buffer");
    static_cast<void>(splitter.finish());
    validate(Bytes(bytes.begin(), bytes.end()), options);
  }

  // Records that were read, -1 at a failure.
  std::int32_t read(const BatchView& batch) {
    BatchFailure failure;
    return read(batch, failure);
  }
  std::int32_t read(const BatchView& batch, BatchFailure& failure) {
    if (const auto opened = reader_.open(batch); !opened) {
      failure = opened.error();
      return -1;
    }
    std::int32_t count = 0;
    for (RecordView record; reader_.next(record); ++count) {
      touch(record.key);
      touch(record.value);
      std::int32_t headers = 0;
      for (const RecordHeader& header : record.headers) {
        touch(as_bytes(header.key));
        touch(header.value);
        ++headers;
      }
      check(headers == record.headers.count(), "a walk over the headers gives as many as counted");
      if (batch.header().attributes.is_control()) {
        static_cast<void>(read_control_record_key(record.key));
        static_cast<void>(read_end_transaction_marker(record.value));
      }
    }
    const auto finished = reader_.finish();
    if (!finished) failure = finished.error();
    return finished ? count : -1;
  }

  void validate(Bytes bytes, unsigned choice) {
    ValidationOptions options;
    options.origin = (choice & 1) != 0 ? BatchOrigin::coordinator : BatchOrigin::client;
    options.depth = (choice & 2) != 0 ? CheckDepth::header : CheckDepth::records;
    options.require_base_offset_zero = (choice & 4) != 0;
    options.require_keys = (choice & 8) != 0;
    options.zstd_allowed = (choice & 16) == 0;
    options.timestamp_type =
        (choice & 32) != 0 ? TimestampType::log_append_time : TimestampType::create_time;
    options.now = Timestamp(1000);
    const auto valid = validate_batch(bytes, options, reader_);
    if (!valid) {
      check(!sentence(valid.error()).empty(), "a refusal has a sentence");
      check(kafka_error_code(valid.error().error) != 0, "a refusal has an error code of Kafka's");
      return;
    }
    if (options.depth == CheckDepth::records) {
      check(read(valid->batch) == valid->record_count, "the records of a valid batch are read");
      check(built_anew(*valid) == valid->record_count, "a valid batch can be built anew");
    }
    rewrite_base_offset_and_epoch(bytes, Offset(77), LeaderEpoch(5));
    if (valid->must_rewrite_timestamps) {
      rewrite_timestamps(bytes, options.timestamp_type, valid->max_timestamp);
    }
    const auto rewritten = BatchView::parse(bytes);
    check(rewritten && rewritten->crc_matches(), "a rewritten batch has the right CRC");
    check(rewritten->header().max_timestamp == valid->max_timestamp,
          "the max timestamp is the real one");
    check(rewritten->header().base_offset == Offset(77), "the base offset was set");
  }

  // Whatever the records are, compressing them changes nothing of what the reader says. A record
  // before them fills the first chunk of decompressed bytes almost, so that one of them straddles
  // its end.
  void compare_plain_and_compressed(ByteView data, unsigned choice) {
    if (data.size() < 2) return;
    constexpr Codec codecs[] = {Codec::gzip, Codec::snappy, Codec::lz4, Codec::zstd};
    const Codec codec = codecs[choice % 4];
    const auto count = static_cast<std::int32_t>(data[0]) % 32;
    const Bytes padding(decompressor_chunk_bytes - 16 - static_cast<std::size_t>(data[1]));
    BatchOptions options;
    builder_.start(options);
    check(builder_.append({.value = padding}).has_value(), "the padding fits");
    const auto built = builder_.finish();
    check(built.has_value(), "the padding is built");

    Bytes plain(built->begin(), built->end());
    plain.insert(plain.end(), data.begin() + 2, data.end());
    store_big_endian(plain.data() + batch_layout::record_count, 1 + count);
    const ByteView records = ByteView(plain).subspan(record_batch_header_bytes);
    const CompressionOptions compression(codec);
    Bytes packed(record_batch_header_bytes + compressed_bytes_max(compression, records.size()));
    const auto size = compressor_.compress(compression, records,
                                           MutableBytes(packed).subspan(record_batch_header_bytes));
    check(size.has_value(), "the records are compressed");
    packed.resize(record_batch_header_bytes + *size);
    std::copy_n(plain.begin(), record_batch_header_bytes, packed.begin());
    store_big_endian(packed.data() + batch_layout::attributes, static_cast<std::int16_t>(codec));

    BatchFailure plain_failure;
    BatchFailure packed_failure;
    check(read(*BatchView::parse(put_right(plain)), plain_failure) ==
              read(*BatchView::parse(put_right(packed)), packed_failure),
          "compressed records are read like plain ones");
    // Only the compressed ones are held against the limit on one record.
    if (packed_failure.error == BatchError::record_too_large) return;
    check(plain_failure == packed_failure, "compressed records fail like plain ones");
  }

  // What the builder makes of the records of a valid batch is valid and holds as many.
  std::int32_t built_anew(const ValidBatch& valid) {
    BatchOptions options;
    options.producer = valid.batch.header().producer;
    builder_.start(options);
    check(reader_.open(valid.batch).has_value(), "a valid batch is opened");
    for (RecordView record; reader_.next(record);) {
      headers_.assign(record.headers.begin(), record.headers.end());
      check(builder_
                .append({.key = record.key,
                         .value = record.value,
                         .timestamp = record.timestamp,
                         .headers = headers_})
                .has_value(),
            "the record fits");
    }
    check(reader_.finish().has_value(), "a valid batch is read to its end");
    const auto built = builder_.finish();
    check(built.has_value(), "the batch is built");
    const auto batch = BatchView::parse(*built);
    check(batch && batch->crc_matches(), "a built batch has the right CRC");
    return read(*batch);
  }

  void touch(ByteView bytes) {
    for (const std::byte byte : bytes) touched_ = touched_ + static_cast<unsigned>(byte);
  }

  volatile unsigned touched_ = 0;
  BufferPool pool_;
  BatchStorage records_{pool_};
  BatchStorage compressed_{pool_};
  Compressor compressor_;
  BatchBuilder builder_{records_, compressed_, compressor_};
  std::vector<RecordHeader> headers_;
  Decompressor decompressor_;
  RecordReader reader_{decompressor_, limits()};
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static Fuzzer fuzzer;
  fuzzer.run({reinterpret_cast<const std::byte*>(data), size});
  return 0;
}
