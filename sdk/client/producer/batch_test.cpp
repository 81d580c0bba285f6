// Also proves sealing.cpp, sealing.cppm.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

import millrace.base;
import millrace.client.producer;
import millrace.protocol.batch;
import millrace.protocol.compression;
import millrace.protocol.wire;
import millrace.runtime;

namespace millrace::client {
namespace {

using protocol::Codec;

struct Sample {
  std::optional<std::string> key;
  std::optional<std::string> value;
  std::vector<std::pair<std::string, std::optional<std::string>>> headers = {};
  std::int64_t timestamp = 1000;

  friend bool operator==(const Sample&, const Sample&) = default;
};

std::optional<ByteView> view(const std::optional<std::string>& text) {
  if (!text) return std::nullopt;
  return as_bytes(std::string_view(*text));
}

std::optional<std::string> text(ByteView bytes) {
  if (protocol::is_null(bytes)) return std::nullopt;
  return std::string(as_text(bytes));
}

class Sink final : public DeliverySink {
 public:
  void delivered(std::uint64_t, const DeliveryReport&) noexcept override {}
};

// A batch under construction with memory of its own.
class BatchMaker {
 public:
  ~BatchMaker() {
    ChunkList chunks;
    if (batch != nullptr) Batch::end(batch, chunks);
    pool.give_back(chunks);
    pool.give_back(spare);
  }

  Appended add(const Sample& sample, std::size_t bytes_max = 100 * mebibyte) {
    std::vector<HeaderView> headers;
    for (const auto& [name, value] : sample.headers) {
      headers.push_back({name, value ? as_bytes(std::string_view(*value)) : ByteView{}});
    }
    const RecordParts parts =
        parts_of(view(sample.key), view(sample.value), headers, Timestamp(sample.timestamp));
    pool.give_back(spare);
    if (batch == nullptr) {
      EXPECT_TRUE(pool.try_take(Batch::chunks_for_first(parts), spare));
      batch = Batch::make(spare, MonotonicTime{});
    }
    std::size_t needed = 0;
    Appended appended = batch->append(parts, &sink, token, bytes_max, spare, needed);
    if (appended == Appended::needs_chunks) {
      EXPECT_TRUE(pool.try_take(needed - spare.size(), spare));
      appended = batch->append(parts, &sink, token, bytes_max, spare, needed);
    }
    if (appended == Appended::done) ++token;
    EXPECT_LE(spare.size(), 1u);
    return appended;
  }

  ChunkPool pool{64 * mebibyte};
  ChunkList spare;
  Sink sink;
  Batch* batch = nullptr;
  std::uint64_t token = 0;
};

std::vector<Sample> read_back(const std::vector<std::byte>& bytes) {
  std::vector<Sample> samples;
  const auto parsed = protocol::BatchView::parse(bytes);
  EXPECT_TRUE(parsed.has_value());
  EXPECT_TRUE(parsed->crc_matches());
  protocol::Decompressor decompressor;
  protocol::RecordReader reader(decompressor);
  EXPECT_TRUE(reader.open(*parsed).has_value());
  for (protocol::RecordView record; reader.next(record);) {
    Sample sample{text(record.key), text(record.value), {}, record.timestamp.value()};
    for (const HeaderView& header : record.headers) {
      sample.headers.emplace_back(header.key, text(header.value));
    }
    samples.push_back(sample);
  }
  EXPECT_TRUE(reader.finish().has_value());
  return samples;
}

// What the pieces of a request would bring to the broker.
std::vector<std::byte> bytes_of(const Batch& batch) {
  std::vector<protocol::RecordChunk> pieces;
  batch.add_pieces(pieces);
  std::vector<std::byte> bytes;
  for (const auto& piece : pieces) {
    bytes.insert(bytes.end(), piece.memory, piece.memory + piece.size);
  }
  EXPECT_EQ(bytes.size(), batch.bytes());
  EXPECT_EQ(bytes, batch.contiguous());
  return bytes;
}

std::vector<std::uint64_t> tokens_of(const Batch& batch) {
  std::vector<std::uint64_t> tokens;
  std::int32_t last = -1;
  batch.for_each_receipt([&](const Receipt& receipt) {
    EXPECT_GT(receipt.record_index, last);
    last = receipt.record_index;
    tokens.push_back(receipt.token);
  });
  return tokens;
}

std::vector<Sample> varied(std::uint64_t seed, std::size_t count, std::size_t bytes_most) {
  Random random(seed);
  std::vector<Sample> samples;
  for (std::size_t i = 0; i < count; ++i) {
    Sample sample;
    const auto some = [&](std::size_t most) {
      return std::string(random.below(most), static_cast<char>('a' + random.below(26)));
    };
    if (random.chance(0.7)) sample.key = some(40);
    if (random.chance(0.9)) sample.value = some(bytes_most);
    for (std::uint64_t h = random.below(3); h > 0; --h) {
      sample.headers.emplace_back(some(20),
                                  random.chance(0.5) ? std::optional(some(300)) : std::nullopt);
    }
    sample.timestamp = 1000 + static_cast<std::int64_t>(random.below(100'000)) - 50'000;
    samples.push_back(sample);
  }
  return samples;
}

TEST(Batch, reads_back_as_it_was_written) {
  const std::vector<Sample> samples = {
      {std::nullopt, std::nullopt},
      {"", ""},
      {"key", "value", {{"h", "1"}, {"", std::nullopt}, {"empty", ""}}},
      {"later", "x", {}, 2'000'000},
      {"earlier", "x", {}, -5},
  };
  BatchMaker maker;
  for (const Sample& sample : samples) ASSERT_EQ(maker.add(sample), Appended::done);
  Sealer(protocol::CompressionOptions()).seal(*maker.batch, {});
  const auto bytes = bytes_of(*maker.batch);
  EXPECT_EQ(read_back(bytes), samples);
  const auto header = protocol::read_batch_header(bytes);
  EXPECT_EQ(header->max_timestamp, Timestamp(2'000'000));
  EXPECT_EQ(header->base_timestamp, Timestamp(1000));
  EXPECT_EQ(header->last_offset_delta, 4);
  EXPECT_EQ(tokens_of(*maker.batch), (std::vector<std::uint64_t>{0, 1, 2, 3, 4}));
}

TEST(Batch, records_of_every_size_cross_the_borders_of_chunks_whole) {
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    SCOPED_TRACE(seed);
    const auto samples = varied(seed, 60, seed % 3 == 0 ? 30'000 : 1'200);
    BatchMaker maker;
    for (const Sample& sample : samples) ASSERT_EQ(maker.add(sample), Appended::done);
    Sealer(protocol::CompressionOptions()).seal(*maker.batch, {});
    EXPECT_EQ(read_back(bytes_of(*maker.batch)), samples);
    EXPECT_EQ(tokens_of(*maker.batch).size(), samples.size());
  }
}

// Each length around the end of a chunk, so that the cut falls on every byte of a record.
TEST(Batch, a_cut_may_fall_anywhere_in_a_record) {
  for (std::size_t first = Chunk::data_bytes - 800; first < Chunk::data_bytes; first += 3) {
    SCOPED_TRACE(first);
    const std::vector<Sample> samples = {
        {std::nullopt, std::string(first, 'a')},
        {"key", "value", {{"header", "one"}, {"other", std::nullopt}}, 123'456},
        {"last", std::string(70, 'z')}};
    BatchMaker maker;
    for (const Sample& sample : samples) ASSERT_EQ(maker.add(sample), Appended::done);
    Sealer(protocol::CompressionOptions()).seal(*maker.batch, {});
    EXPECT_EQ(read_back(bytes_of(*maker.batch)), samples);
  }
}

TEST(Batch, takes_one_record_of_any_size_and_no_second_one_past_its_limit) {
  BatchMaker maker;
  EXPECT_EQ(maker.add({"k", std::string(500, 'x')}, 100), Appended::done);
  EXPECT_EQ(maker.add({"k", "x"}, 100), Appended::batch_full);
  EXPECT_EQ(maker.batch->record_count(), 1);
}

TEST(Batch, times_too_far_apart_do_not_share_a_batch) {
  BatchMaker maker;
  EXPECT_EQ(maker.add({"k", "x", {}, 0}), Appended::done);
  EXPECT_EQ(maker.add({"k", "x", {}, std::int64_t{1} << 31}), Appended::batch_full);
  EXPECT_EQ(maker.add({"k", "x", {}, std::numeric_limits<std::int64_t>::min()}),
            Appended::batch_full);
  EXPECT_EQ(maker.add({"k", "x", {}, (std::int64_t{1} << 31) - 1}), Appended::done);
}

TEST(Batch, is_sealed_again_under_other_numbers) {
  BatchMaker maker;
  ASSERT_EQ(maker.add({"k", "v"}), Appended::done);
  Sealer sealer{protocol::CompressionOptions(Codec::lz4)};
  sealer.seal(*maker.batch, {ProducerId(1), ProducerEpoch(0), Sequence(7)});
  sealer.seal(*maker.batch, {ProducerId(1), ProducerEpoch(1), Sequence(0)});
  const auto bytes = bytes_of(*maker.batch);
  EXPECT_EQ(read_back(bytes).size(), 1u);
  EXPECT_EQ(protocol::read_batch_header(bytes)->producer.epoch, ProducerEpoch(1));
}

TEST(Sealer, compresses_with_every_codec_in_the_place_of_the_records) {
  for (const Codec codec : {Codec::gzip, Codec::snappy, Codec::lz4, Codec::zstd}) {
    SCOPED_TRACE(name_of(codec));
    BatchMaker maker;
    const auto samples = varied(7, 200, 700);
    for (const Sample& sample : samples) ASSERT_EQ(maker.add(sample), Appended::done);
    const std::size_t before = maker.batch->bytes();
    Sealer(protocol::CompressionOptions(codec)).seal(*maker.batch, {});
    EXPECT_LT(maker.batch->bytes(), before);
    EXPECT_EQ(maker.batch->codec(), codec);
    EXPECT_EQ(read_back(bytes_of(*maker.batch)), samples);
    EXPECT_EQ(tokens_of(*maker.batch).size(), samples.size());
  }
}

TEST(Sealer, leaves_alone_what_does_not_become_smaller) {
  BatchMaker maker;
  ASSERT_EQ(maker.add({"k", "v"}), Appended::done);
  Sealer(protocol::CompressionOptions(Codec::zstd)).seal(*maker.batch, {});
  EXPECT_EQ(maker.batch->codec(), Codec::none);
  EXPECT_EQ(read_back(bytes_of(*maker.batch)).size(), 1u);
}

TEST(Sealer, splits_a_batch_into_parts_that_follow_one_another) {
  for (const Codec codec : {Codec::none, Codec::zstd}) {
    for (const std::size_t count : {2u, 3u, 101u}) {
      SCOPED_TRACE(testing::Message() << name_of(codec) << " " << count);
      BatchMaker maker;
      const auto samples = varied(count, count, 2'000);
      for (const Sample& sample : samples) ASSERT_EQ(maker.add(sample), Appended::done);
      Sealer sealer{protocol::CompressionOptions(codec)};
      maker.batch->has_sequence = true;
      maker.batch->assigned = {ProducerId(5), ProducerEpoch(2), Sequence(0x7fff'fffe)};
      maker.batch->attempts = 3;
      sealer.seal(*maker.batch, maker.batch->assigned);
      BatchList parts = sealer.split(std::exchange(maker.batch, nullptr), maker.pool);
      EXPECT_EQ(parts.size(), 2u);
      std::vector<Sample> read;
      std::vector<std::uint64_t> tokens;
      std::uint32_t sequence = 0x7fff'fffe;
      while (Batch* part = parts.pop()) {
        EXPECT_EQ(part->attempts, 3);
        EXPECT_EQ(part->assigned.base_sequence.value(), static_cast<std::int32_t>(sequence));
        sequence = (sequence + static_cast<std::uint32_t>(part->record_count())) & 0x7fff'ffff;
        sealer.seal(*part, part->assigned);
        for (const Sample& sample : read_back(bytes_of(*part))) read.push_back(sample);
        for (const std::uint64_t token : tokens_of(*part)) tokens.push_back(token);
        ChunkList chunks;
        Batch::end(part, chunks);
        maker.pool.give_back(chunks);
      }
      EXPECT_EQ(read, samples);
      EXPECT_EQ(tokens.size(), count);
      EXPECT_TRUE(std::ranges::is_sorted(tokens));
      EXPECT_EQ(maker.pool.used_bytes(), 0u);
    }
  }
}

TEST(BatchList, appends_in_order_and_leaves_the_other_empty) {
  BatchMaker a, b, c;
  for (BatchMaker* maker : {&a, &b, &c}) ASSERT_EQ(maker->add({"k", "v"}), Appended::done);
  BatchList list;
  list.push(a.batch);
  BatchList others;
  for (BatchMaker* maker : {&b, &c}) others.push(maker->batch);
  list.append(others);
  EXPECT_TRUE(others.empty());
  list.append(others);
  EXPECT_EQ(list.size(), 3u);
  for (BatchMaker* maker : {&a, &b, &c}) EXPECT_EQ(list.pop(), maker->batch);
  EXPECT_TRUE(list.empty());
}

}  // namespace
}  // namespace millrace::client
