#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

// This one imports the module: it comes after all that includes standard headers.
#include "test_store.hpp"

namespace millrace::raft {
namespace {

std::string hex(ByteView bytes) {
  std::string text;
  for (const std::byte byte : bytes) text += formatted("{:02x}", static_cast<unsigned>(byte));
  return text;
}

std::vector<std::byte> sample_record() {
  std::vector<std::byte> bytes;
  append_record(bytes, SegmentNumber(3), 140,
                {.kind = RecordKind::entry,
                 .entry_kind = EntryKind::command,
                 .write_from = 100,
                 .term = Term(5),
                 .index = LogIndex(9)},
                as_bytes("hello"));
  return bytes;
}

// The three examples of docs/formats/raft-log.md.
TEST(RaftStoreFormat, segment_header_has_golden_bytes) {
  EXPECT_EQ(hex(encode(SegmentHeader{SegmentNumber(3), {Term(5), NodeId(1)}})),
            "4d494c4c524c4f47000000010000000000000003000000000000000500000001"
            "0000000092d866d6");
}

TEST(RaftStoreFormat, record_has_golden_bytes) {
  EXPECT_EQ(hex(sample_record()),
            "00000005010000000000002800000000000000050000000000000009ffffffff"
            "9a71bb4c7f44b0ad68656c6c6f");
}

TEST(RaftStoreFormat, snapshot_has_golden_bytes) {
  auto bytes = encode_snapshot_front(meta_of(9, 5, "hello"));
  const auto end = encode_snapshot_end(bytes, {crc32c(as_bytes("hello"))});
  bytes.insert(bytes.end(), as_bytes("hello").begin(), as_bytes("hello").end());
  bytes.insert(bytes.end(), end.begin(), end.end());
  EXPECT_EQ(hex(bytes),
            "4d494c4c52534e50000000010000000000000009000000000000000500000000"
            "000000050000000d0000000001000000010000000068656c6c6f9a71bb4cbb66"
            "afb5");
}

TEST(RaftStoreFormat, every_flipped_bit_of_a_segment_header_is_noticed) {
  const auto good = encode(SegmentHeader{SegmentNumber(3), {Term(5), NodeId(1)}});
  ASSERT_TRUE(decode_segment_header(good));
  for (std::size_t bit = 0; bit < good.size() * 8; ++bit) {
    auto bad = good;
    bad[bit / 8] ^= std::byte{1} << (bit % 8);
    EXPECT_FALSE(decode_segment_header(bad)) << bit;
  }
}

TEST(RaftStoreFormat, every_flipped_bit_of_a_record_header_is_noticed) {
  const auto good = sample_record();
  ASSERT_TRUE(decode_record_header(good, SegmentNumber(3), 140));
  for (std::size_t bit = 0; bit < record_header_bytes * 8; ++bit) {
    auto bad = good;
    bad[bit / 8] ^= std::byte{1} << (bit % 8);
    EXPECT_FALSE(decode_record_header(bad, SegmentNumber(3), 140)) << bit;
  }
}

TEST(RaftStoreFormat, record_elsewhere_is_none) {
  const auto bytes = sample_record();
  EXPECT_FALSE(decode_record_header(bytes, SegmentNumber(4), 140));
  EXPECT_FALSE(decode_record_header(bytes, SegmentNumber(3), 141));
}

TEST(RaftStoreFormat, names_are_parsed_as_they_are_made) {
  EXPECT_EQ(segment_name(SegmentNumber(7)), "0000000000000000007.raftlog");
  EXPECT_EQ(parse_segment_name(segment_name(SegmentNumber(7))), SegmentNumber(7));
  const LogPosition last{LogIndex(12), Term(3)};
  EXPECT_EQ(snapshot_name(last), "0000000000000000012-0000000000000000003.raftsnapshot");
  EXPECT_EQ(parse_snapshot_name(snapshot_name(last)), last);
  for (const char* name :
       {"7.raftlog", "0000000000000000000.raftlog", "000000000000000000x.raftlog",
        "-000000000000000007.raftlog", "0000000000000000007.raftlog.tmp", ""}) {
    EXPECT_FALSE(parse_segment_name(name)) << name;
  }
  EXPECT_FALSE(parse_snapshot_name("0000000000000000012_0000000000000000003.raftsnapshot"));
  EXPECT_FALSE(parse_snapshot_name("0000000000000000012.raftsnapshot"));
}

TEST(RaftStoreFormat, node_that_joins_has_a_snapshot_without_members) {
  const auto front = encode_snapshot_front(SnapshotMeta{});
  const auto header = decode_snapshot_header(front);
  ASSERT_TRUE(header);
  EXPECT_EQ(decode_snapshot_meta(*header, {}).value(), SnapshotMeta{});
}

}  // namespace
}  // namespace millrace::raft
