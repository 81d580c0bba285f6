#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

import millrace.base;
import millrace.client.consumer;
import millrace.client.core;
import millrace.protocol.batch;
import millrace.runtime;

namespace millrace::client {
namespace {

using protocol::BatchOptions;
using protocol::Codec;
using Bytes = std::vector<std::byte>;

// Batches one after the other, as a broker has them.
class Log {
 public:
  Log& batch(std::size_t records, BatchOptions options = {}) {
    BufferPool pool;
    protocol::BatchStorage plain(pool);
    protocol::BatchStorage compressed(pool);
    protocol::Compressor compressor;
    protocol::BatchBuilder builder(plain, compressed, compressor);
    options.base_offset = next;
    builder.start(options);
    for (std::size_t i = 0; i < records; ++i) {
      const std::string value = "value " + std::to_string(next.value());
      const protocol::RecordHeader header{"h", as_bytes("x")};
      EXPECT_TRUE(builder
                      .append({.key = as_bytes("key"),
                               .value = as_bytes(std::string_view(value)),
                               .timestamp = Timestamp(next.value()),
                               .headers = {&header, 1}})
                      .has_value());
      next = next.next();
    }
    add(*builder.finish());
    return *this;
  }
  Log& transactional(std::int64_t producer, std::size_t records) {
    return batch(records, {.producer = {ProducerId(producer), ProducerEpoch(0), Sequence(0)},
                           .transactional = true});
  }
  Log& marker(std::int64_t producer, protocol::ControlRecordType type) {
    BufferPool pool;
    protocol::BatchStorage plain(pool);
    protocol::BatchStorage compressed(pool);
    protocol::Compressor compressor;
    protocol::BatchBuilder builder(plain, compressed, compressor);
    builder.start({.base_offset = next,
                   .producer = {ProducerId(producer), ProducerEpoch(0), no_sequence},
                   .transactional = true,
                   .control = true});
    EXPECT_TRUE(
        builder.append_end_transaction_marker(type, protocol::CoordinatorEpoch(0), Timestamp(1))
            .has_value());
    next = next.next();
    add(*builder.finish());
    return *this;
  }

  Bytes bytes;
  Offset next{0};

 private:
  void add(MutableBytes batch) { bytes.insert(bytes.end(), batch.begin(), batch.end()); }
};

// Reads a chunk to its end, in pieces; the offsets, or why not.
struct Read {
  std::vector<std::int64_t> offsets;
  std::optional<std::string> error;
  Offset next;
};

ChunkReader reader_of(const Bytes& bytes, Offset from, const ReadOptions& options,
                      protocol::Decompressor& decompressor,
                      std::vector<AbortedRange> aborted = {}) {
  const auto memory = std::make_shared<const Bytes>(bytes);
  FetchedChunk chunk;
  chunk.partition = std::make_shared<const TopicPartition>(
      TopicPartition{"a topic with a long name", PartitionIndex(3)});
  chunk.frame = memory;
  chunk.batches = *memory;
  chunk.from = from;
  chunk.aborted = std::move(aborted);
  return ChunkReader(std::move(chunk), options, decompressor);
}

Read read_all(const Bytes& bytes, Offset from = Offset(0), const ReadOptions& options = {},
              std::vector<AbortedRange> aborted = {}, std::size_t at_once = 7) {
  protocol::Decompressor decompressor;
  ChunkReader reader = reader_of(bytes, from, options, decompressor, std::move(aborted));
  Read read;
  while (!reader.finished() && !read.error) {
    FetchedRecords records;
    const auto taken = reader.take(at_once, records);
    if (!taken) {
      read.error = taken.error().message;
      EXPECT_TRUE(records.empty());
      EXPECT_FALSE(reader.take(at_once, records).has_value()) << "an error comes again";
      break;
    }
    EXPECT_EQ(*taken, records.size());
    EXPECT_LE(*taken, at_once);
    std::size_t in_ranges = 0;
    for (const auto& range : records.ranges()) in_ranges += range.count;
    EXPECT_EQ(in_ranges, records.size());
    for (const ConsumedRecord& record : records) read.offsets.push_back(record.offset.value());
  }
  read.next = reader.next_offset();
  return read;
}

std::vector<std::int64_t> from_to(std::int64_t from, std::int64_t to) {
  std::vector<std::int64_t> offsets;
  for (; from < to; ++from) offsets.push_back(from);
  return offsets;
}

TEST(FetchedRecords, are_views_with_all_that_was_written) {
  for (const Codec codec : {Codec::none, Codec::gzip, Codec::snappy, Codec::lz4, Codec::zstd}) {
    SCOPED_TRACE(protocol::name_of(codec));
    Log log;
    const protocol::CompressionOptions compression(codec);
    log.batch(20, {.compression = compression}).batch(30, {.compression = compression});
    protocol::Decompressor decompressor;
    FetchedRecords records;
    {
      ChunkReader reader = reader_of(log.bytes, Offset(0), {}, decompressor);
      ASSERT_TRUE(reader.take(100, records).has_value());
      EXPECT_TRUE(reader.finished() || reader.next_offset() == Offset(50));
    }
    // The reader is gone; the records hold what they need.
    ASSERT_EQ(records.size(), 50u);
    for (std::size_t i = 0; i < records.size(); ++i) {
      const ConsumedRecord& record = records.records()[i];
      EXPECT_EQ(record.offset, Offset(static_cast<std::int64_t>(i)));
      EXPECT_EQ(record.timestamp, Timestamp(static_cast<std::int64_t>(i)));
      EXPECT_EQ(as_text(record.value), "value " + std::to_string(i));
      EXPECT_EQ(as_text(record.key), "key");
      EXPECT_EQ(record.headers.begin()->key, "h");
      EXPECT_EQ(record.topic, "a topic with a long name");
      EXPECT_EQ(record.partition, PartitionIndex(3));
    }
  }
}

TEST(FetchedRecords, begin_at_the_offset_that_was_asked_for) {
  Log log;
  log.batch(20).batch(20, {.compression = protocol::CompressionOptions(Codec::lz4)});
  EXPECT_EQ(read_all(log.bytes, Offset(0)).offsets, from_to(0, 40));
  EXPECT_EQ(read_all(log.bytes, Offset(13)).offsets, from_to(13, 40));
  EXPECT_EQ(read_all(log.bytes, Offset(20)).offsets, from_to(20, 40));
  EXPECT_EQ(read_all(log.bytes, Offset(31)).offsets, from_to(31, 40));
  EXPECT_EQ(read_all(log.bytes, Offset(39)).next, Offset(40));
}

TEST(FetchedRecords, end_before_a_batch_that_is_cut_off) {
  Log log;
  log.batch(5);
  const std::size_t whole = log.bytes.size();
  log.batch(5);
  for (std::size_t size = whole; size < log.bytes.size(); ++size) {
    const Bytes cut(log.bytes.begin(), log.bytes.begin() + static_cast<std::ptrdiff_t>(size));
    const auto end = end_of_chunk(cut, Offset(0));
    ASSERT_TRUE(end.has_value());
    EXPECT_EQ(end->next_offset, Offset(5));
    EXPECT_EQ(end->bytes, whole);
    EXPECT_EQ(read_all(cut).offsets, from_to(0, 5));
  }
}

TEST(FetchedRecords, without_a_whole_batch_are_an_error_of_their_own) {
  Log log;
  log.batch(5);
  for (std::size_t size = 1; size < log.bytes.size(); ++size) {
    EXPECT_FALSE(end_of_chunk(ByteView(log.bytes).first(size), Offset(0)).has_value());
  }
  EXPECT_FALSE(end_of_chunk(log.bytes, Offset(5)).has_value()) << "nothing at or after 5";
}

TEST(FetchedRecords, leave_control_records_out) {
  Log log;
  log.batch(3).transactional(7, 2).marker(7, protocol::ControlRecordType::commit).batch(2);
  const Read read = read_all(log.bytes);
  EXPECT_EQ(read.offsets, (std::vector<std::int64_t>{0, 1, 2, 3, 4, 6, 7}));
  EXPECT_EQ(read.next, Offset(8));
}

TEST(FetchedRecords, read_committed_leaves_aborted_transactions_out) {
  Log log;
  log.transactional(7, 3)                              // 0-2: aborted
      .batch(2)                                        // 3-4
      .transactional(8, 2)                             // 5-6: committed
      .transactional(7, 1)                             // 7: aborted
      .marker(7, protocol::ControlRecordType::abort)   // 8
      .transactional(7, 2)                             // 9-10: the next one, committed
      .marker(8, protocol::ControlRecordType::commit)  // 11
      .marker(7, protocol::ControlRecordType::commit)  // 12
      .transactional(8, 2)                             // 13-14: aborted
      .marker(8, protocol::ControlRecordType::abort);  // 15
  const std::vector<AbortedRange> aborted = {{ProducerId(8), Offset(13)},
                                             {ProducerId(7), Offset(0)}};
  const ReadOptions committed{.read_committed = true};
  for (const std::size_t at_once : {1u, 2u, 100u}) {
    const Read read = read_all(log.bytes, Offset(0), committed, aborted, at_once);
    EXPECT_EQ(read.offsets, (std::vector<std::int64_t>{3, 4, 5, 6, 9, 10}));
    EXPECT_EQ(read.next, Offset(16));
  }
  EXPECT_EQ(read_all(log.bytes).offsets.size(), 12u) << "uncommitted: all but markers";
  // From the middle of an aborted transaction, which then begins before the fetch.
  EXPECT_EQ(read_all(log.bytes, Offset(7), committed, aborted).offsets,
            (std::vector<std::int64_t>{9, 10}));
}

TEST(FetchedRecords, of_a_damaged_batch_are_not_given) {
  Log log;
  log.batch(4);
  const std::size_t second = log.bytes.size();
  log.batch(4);
  log.bytes[second + 70] ^= std::byte{1};
  const Read read = read_all(log.bytes);
  EXPECT_EQ(read.offsets, from_to(0, 4));
  ASSERT_TRUE(read.error.has_value());
  EXPECT_NE(read.error->find("checksum"), std::string::npos) << *read.error;
  EXPECT_NE(read.error->find("a topic with a long name-3"), std::string::npos) << *read.error;
  EXPECT_EQ(read.next, Offset(4));
}

TEST(FetchedRecords, of_a_batch_that_says_to_end_too_early_are_not_passed_over) {
  Log log;
  log.batch(100).batch(20);
  // The last byte of its last offset delta: 99 becomes 35.
  log.bytes[26] ^= std::byte{64};
  const Read read = read_all(log.bytes, Offset(70));
  EXPECT_TRUE(read.offsets.empty());
  ASSERT_TRUE(read.error.has_value());
  EXPECT_NE(read.error->find("checksum"), std::string::npos) << *read.error;
  EXPECT_EQ(read.next, Offset(70));
}

TEST(FetchedRecords, damaged_in_any_way_end_in_records_or_an_error) {
  std::size_t errors = 0;
  for (const Codec codec : {Codec::none, Codec::gzip, Codec::snappy, Codec::lz4, Codec::zstd}) {
    Log log;
    log.batch(6, {.compression = protocol::CompressionOptions(codec)}).transactional(1, 3);
    for (std::uint64_t seed = 0; seed < 1'500; ++seed) {
      Random random(seed);
      Bytes damaged = log.bytes;
      for (std::uint64_t i = 1 + random.below(4); i > 0; --i) {
        damaged[random.below(damaged.size())] = static_cast<std::byte>(random.below(256));
      }
      if (!end_of_chunk(damaged, Offset(0))) {
        ++errors;
        continue;
      }
      // The checksum would find all of it: here it does not look.
      const ReadOptions blind{.check_crcs = false, .read_committed = seed % 2 == 0};
      errors += read_all(damaged, Offset(0), blind, {{ProducerId(1), Offset(0)}}).error ? 1 : 0;
    }
  }
  EXPECT_GT(errors, 1'000u);
}

}  // namespace
}  // namespace millrace::client
