#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <limits>
#include <sstream>
#include <string>
#include <vector>

#include "test_support.h"

import millrace.base;
import millrace.protocol.batch;

using namespace millrace;
using namespace millrace::protocol;
using namespace batch_test;

namespace {

// The bytes of the example on the format page: the column of hex numbers at the start of its lines.
Bytes documented_example() {
  std::ifstream page(MILLRACE_SOURCE_DIR "/docs/formats/record-batch.md");
  Bytes bytes;
  bool in_example = false;
  for (std::string line; std::getline(page, line);) {
    if (line == "## Example") in_example = true;
    if (!in_example || !line.starts_with("    ")) continue;
    std::istringstream words(line.substr(0, line.find("   ", 4)));
    for (std::string word; words >> word;) {
      bytes.push_back(static_cast<std::byte>(std::stoi(word, nullptr, 16)));
    }
  }
  return bytes;
}

Bytes concatenation(std::initializer_list<Bytes> parts) {
  Bytes all;
  for (const Bytes& part : parts) put_bytes(all, part);
  return all;
}

std::vector<Offset> base_offsets_of(BatchSplitter& splitter) {
  std::vector<Offset> offsets;
  for (BatchView batch; splitter.next(batch);) offsets.push_back(batch.header().base_offset);
  return offsets;
}

}  // namespace

TEST(BatchHeader, reads_every_field) {
  TestBatch given = small_batch(3);
  given.base_offset = 0x0102030405060708;
  given.leader_epoch = 17;
  given.attributes = 0x7f;
  given.crc = 0xfedcba98;
  given.last_offset_delta = 0x11121314;
  given.base_timestamp = -5;
  given.max_timestamp = 0x2122232425262728;
  given.producer_id = 0x3132333435363738;
  given.producer_epoch = 0x4142;
  given.base_sequence = 0x51525354;
  given.record_count = 0x61626364;
  const Bytes bytes = encode_batch(given);

  const auto header = read_batch_header(bytes);

  ASSERT_TRUE(header) << sentence(header.error());
  EXPECT_EQ(header->base_offset, Offset(0x0102030405060708));
  EXPECT_EQ(header->size_bytes(), bytes.size());
  EXPECT_EQ(header->leader_epoch, LeaderEpoch(17));
  EXPECT_EQ(header->crc, 0xfedcba98u);
  EXPECT_EQ(header->attributes, BatchAttributes(0x7f));
  EXPECT_EQ(header->last_offset_delta, 0x11121314);
  EXPECT_EQ(header->base_timestamp, Timestamp(-5));
  EXPECT_EQ(header->max_timestamp, Timestamp(0x2122232425262728));
  EXPECT_EQ(header->producer.id, ProducerId(0x3132333435363738));
  EXPECT_EQ(header->producer.epoch, ProducerEpoch(0x4142));
  EXPECT_EQ(header->producer.base_sequence, Sequence(0x51525354));
  EXPECT_EQ(header->record_count, 0x61626364);
}

RC_GTEST_PROP(BatchHeader, writes_what_it_reads, ()) {
  auto bytes = *rc::gen::container<std::vector<std::byte>>(
      record_batch_header_bytes, rc::gen::cast<std::byte>(rc::gen::arbitrary<std::uint8_t>()));
  bytes[batch_layout::magic] = std::byte{2};
  store_big_endian(bytes.data() + batch_layout::batch_length,
                   *rc::gen::inRange(batch_length_min, std::numeric_limits<std::int32_t>::max()));

  const auto header = read_batch_header(bytes);
  RC_ASSERT(header.has_value());
  std::vector<std::byte> written(record_batch_header_bytes);
  write_batch_header(written.data(), *header);

  RC_ASSERT(written == bytes);
}

TEST(BatchHeader, takes_the_attributes_apart) {
  EXPECT_EQ(BatchAttributes(0).codec(), Codec::none);
  EXPECT_EQ(BatchAttributes(4).codec(), Codec::zstd);
  EXPECT_EQ(BatchAttributes(5).codec(), std::nullopt);
  EXPECT_EQ(BatchAttributes(7).codec(), std::nullopt);
  EXPECT_EQ(BatchAttributes(0x07).timestamp_type(), TimestampType::create_time);
  EXPECT_EQ(BatchAttributes(0x08).timestamp_type(), TimestampType::log_append_time);
  EXPECT_TRUE(BatchAttributes(0x10).is_transactional());
  EXPECT_FALSE(BatchAttributes(0x6f).is_transactional());
  EXPECT_TRUE(BatchAttributes(0x20).is_control());
  EXPECT_FALSE(BatchAttributes(0x5f).is_control());
  EXPECT_TRUE(BatchAttributes(0x40).has_delete_horizon());
  EXPECT_FALSE(BatchAttributes(0x3f).has_delete_horizon());
  EXPECT_FALSE(BatchAttributes(0x7f).has_unknown_bits());
  EXPECT_TRUE(BatchAttributes(0x80).has_unknown_bits());
  EXPECT_TRUE(BatchAttributes(-0x8000).has_unknown_bits());
}

TEST(BatchHeader, last_sequence_wraps_to_zero) {
  BatchHeader header;
  header.last_offset_delta = 2;
  header.producer.base_sequence = Sequence(std::numeric_limits<std::int32_t>::max() - 1);
  EXPECT_EQ(header.last_sequence(), Sequence(0));
  header.producer.base_sequence = Sequence(7);
  EXPECT_EQ(header.last_sequence(), Sequence(9));
  header.producer.base_sequence = no_sequence;
  EXPECT_EQ(header.last_sequence(), no_sequence);
}

TEST(BatchHeader, last_offset_of_a_hostile_header_wraps) {
  BatchHeader header;
  header.base_offset = Offset(std::numeric_limits<std::int64_t>::max());
  header.last_offset_delta = 1;
  EXPECT_EQ(header.last_offset(), Offset(std::numeric_limits<std::int64_t>::min()));
}

TEST(BatchHeader, refuses_old_message_formats_by_name) {
  Bytes bytes = encode_batch(small_batch(1));
  bytes[batch_layout::magic] = std::byte{0};
  EXPECT_EQ(read_batch_header(bytes).error().error, BatchError::message_format_v0);
  EXPECT_NE(sentence(read_batch_header(bytes).error()).find("message format v0"),
            std::string::npos);
  bytes[batch_layout::magic] = std::byte{1};
  EXPECT_EQ(read_batch_header(bytes).error().error, BatchError::message_format_v1);
  EXPECT_NE(sentence(read_batch_header(bytes).error()).find("message format v1"),
            std::string::npos);
}

TEST(BatchHeader, recognises_an_old_format_in_a_message_shorter_than_a_header) {
  // Offset, size, CRC, magic 1, attributes, timestamp, null key, null value.
  Bytes message;
  put_integer(message, 5, 8);
  put_integer(message, 22, 4);
  put_integer(message, 0, 4);
  put_integer(message, 1, 1);
  put_integer(message, 0, 1);
  put_integer(message, 1000, 8);
  put_integer(message, -1, 4);
  put_integer(message, -1, 4);
  EXPECT_EQ(BatchView::parse(message).error().error, BatchError::message_format_v1);
}

TEST(BatchHeader, refuses_unknown_magic) {
  Bytes bytes = encode_batch(small_batch(1));
  for (const int magic : {3, 127, 128, 255}) {
    bytes[batch_layout::magic] = static_cast<std::byte>(magic);
    EXPECT_EQ(read_batch_header(bytes).error().error, BatchError::magic_unknown) << magic;
  }
}

TEST(BatchHeader, refuses_a_length_below_that_of_a_header) {
  TestBatch batch = small_batch(1);
  for (const std::int32_t length : {48, 0, -1, std::numeric_limits<std::int32_t>::min()}) {
    batch.batch_length = length;
    EXPECT_EQ(read_batch_header(encode_batch(batch)).error().error,
              BatchError::batch_length_invalid)
        << length;
  }
}

TEST(BatchHeader, cut_off_anywhere_is_truncated) {
  const Bytes bytes = encode_batch(small_batch(1));
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const auto parsed = BatchView::parse(ByteView(bytes).first(size));
    ASSERT_FALSE(parsed) << size;
    EXPECT_EQ(parsed.error().error, BatchError::truncated) << size;
  }
}

TEST(BatchView, leaves_what_follows_the_batch_alone) {
  const Bytes first = encode_batch(small_batch(1));
  const Bytes both = concatenation({first, Bytes(100, std::byte{0xff})});
  const auto batch = BatchView::parse(both);
  ASSERT_TRUE(batch);
  EXPECT_EQ(batch->bytes().size(), first.size());
  EXPECT_EQ(batch->record_bytes().size(), first.size() - record_batch_header_bytes);
}

TEST(BatchView, checks_the_crc_from_the_attributes_on) {
  const Bytes good = encode_batch(small_batch(2));
  EXPECT_TRUE(BatchView::parse(good)->crc_matches());
  for (std::size_t at = 0; at < good.size(); ++at) {
    if (at >= batch_layout::batch_length && at <= batch_layout::magic &&
        (at < batch_layout::leader_epoch || at == batch_layout::magic)) {
      continue;  // length and magic make it another batch or none
    }
    Bytes bad = good;
    bad[at] ^= std::byte{1};
    const bool covered = at >= batch_layout::crc;
    EXPECT_EQ(BatchView::parse(bad)->crc_matches(), !covered) << "byte " << at;
  }
}

TEST(BatchView, documented_example_is_a_batch_with_the_documented_record) {
  const Bytes example = documented_example();
  TestBatch same;
  same.records.push_back({.key = "k", .value = "v1", .headers = {{"h", std::nullopt}}});
  EXPECT_EQ(example, encode_batch(same));
  const auto batch = BatchView::parse(example);
  ASSERT_TRUE(batch) << sentence(batch.error());
  EXPECT_EQ(batch->bytes().size(), example.size());
  EXPECT_TRUE(batch->crc_matches());
}

TEST(BatchSplitter, gives_the_batches_in_order) {
  TestBatch second = small_batch(3);
  second.base_offset = 7;
  const Bytes bytes = concatenation({encode_batch(small_batch(1)), encode_batch(second)});
  BatchSplitter splitter(bytes);
  EXPECT_EQ(base_offsets_of(splitter), (std::vector{Offset(0), Offset(7)}));
  EXPECT_EQ(*splitter.finish(), BatchSplitter::End::complete);
}

TEST(BatchSplitter, has_no_batches_in_no_bytes) {
  BatchSplitter splitter(ByteView{});
  EXPECT_TRUE(base_offsets_of(splitter).empty());
  EXPECT_EQ(*splitter.finish(), BatchSplitter::End::complete);
}

TEST(BatchSplitter, reports_a_cut_last_batch_as_cut) {
  const Bytes whole = encode_batch(small_batch(2));
  const Bytes both = concatenation({whole, whole});
  for (std::size_t size = whole.size() + 1; size < both.size(); ++size) {
    BatchSplitter splitter(ByteView(both).first(size));
    EXPECT_EQ(base_offsets_of(splitter).size(), 1u) << size;
    EXPECT_EQ(*splitter.finish(), BatchSplitter::End::cut) << size;
    EXPECT_EQ(splitter.rest().size(), size - whole.size());
    const bool length_is_there = splitter.rest().size() >= record_batch_prefix_bytes;
    EXPECT_EQ(splitter.cut_batch_bytes(), length_is_there ? whole.size() : 0) << size;
  }
}

TEST(BatchSplitter, refuses_a_batch_above_its_limit_even_when_cut) {
  const Bytes small = encode_batch(small_batch(1));
  const Bytes large = encode_batch(small_batch(10));
  const Bytes both = concatenation({small, large});
  for (const std::size_t size : {both.size(), small.size() + record_batch_prefix_bytes}) {
    BatchSplitter splitter(ByteView(both).first(size), large.size() - 1);
    EXPECT_EQ(base_offsets_of(splitter).size(), 1u);
    EXPECT_EQ(splitter.finish().error().error, BatchError::batch_too_large);
  }
}

TEST(BatchSplitter, stops_at_an_old_message_format) {
  Bytes old = encode_batch(small_batch(1));
  old[batch_layout::magic] = std::byte{1};
  const Bytes both = concatenation({encode_batch(small_batch(1)), old});
  BatchSplitter splitter(both);
  EXPECT_EQ(base_offsets_of(splitter).size(), 1u);
  EXPECT_EQ(splitter.finish().error().error, BatchError::message_format_v1);
  EXPECT_EQ(splitter.rest().size(), old.size());
}
