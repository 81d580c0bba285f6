#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

// This one imports the module: it comes after all that includes standard headers.
#include "test_store.hpp"

namespace millrace::raft {
namespace {

using storage::StorageFault;

// Segment 1 in the making.
class Segment {
 public:
  Segment() : bytes(encode(SegmentHeader{SegmentNumber(1), {}})) {}

  void write(std::initializer_list<RecordHeader> records) {
    const std::uint64_t from = bytes.size();
    for (RecordHeader header : records) {
      header.write_from = from;
      append_record(bytes, SegmentNumber(1), bytes.size(), header, as_bytes("data"));
    }
  }

  std::vector<std::byte> bytes;
};

RecordHeader state(std::int64_t term) {
  return {.kind = RecordKind::hard_state, .term = Term(term), .vote = NodeId(1)};
}
RecordHeader record(std::int64_t index, std::int64_t term) {
  return {.kind = RecordKind::entry, .term = Term(term), .index = LogIndex(index)};
}
RecordHeader reset(std::int64_t index, std::int64_t term) {
  return {.kind = RecordKind::reset, .term = Term(term), .index = LogIndex(index)};
}

auto replayed(Replay& replay, const Segment& segment, SegmentPlace place = SegmentPlace::newest) {
  return replay.add(SegmentNumber(1), segment.bytes, "/raft/segment", place);
}

TEST(RaftReplay, torn_write_is_cut_wherever_it_is_torn) {
  Segment segment;
  segment.write({state(1), record(1, 1)});
  const std::size_t durable = segment.bytes.size();
  segment.write({record(2, 1), record(3, 1)});
  const Segment whole = segment;
  for (std::size_t at = durable; at < durable + record_header_bytes + 4; ++at) {
    segment = whole;
    segment.bytes[at] ^= std::byte{1};
    Replay replay{LogIndex(0)};
    const auto info = replayed(replay, segment);
    ASSERT_TRUE(info) << info.error().message;
    EXPECT_EQ(info->size, durable);
    EXPECT_EQ(replay.entries().size(), 1u);
  }
  for (std::size_t size = durable; size < whole.bytes.size(); ++size) {
    segment = whole;
    segment.bytes.resize(size);
    Replay replay{LogIndex(0)};
    ASSERT_TRUE(replayed(replay, segment)) << size;
    Replay closed{LogIndex(0)};
    const bool boundary = size == durable || size == durable + record_header_bytes + 4;
    EXPECT_EQ(replayed(closed, segment, SegmentPlace::closed).has_value(), boundary) << size;
  }
}

TEST(RaftReplay, damage_below_a_later_write_is_corruption_and_named) {
  Segment segment;
  segment.write({state(1)});
  segment.write({record(1, 1)});
  segment.bytes[segment_header_bytes] ^= std::byte{1};
  Replay replay{LogIndex(0)};
  const auto info = replayed(replay, segment);
  ASSERT_FALSE(info);
  EXPECT_EQ(info.error().fault, StorageFault::corrupt);
  EXPECT_EQ(info.error().message,
            "/raft/segment, byte 40: a record is damaged, and what was written later is there");
}

TEST(RaftReplay, what_no_node_writes_is_corruption) {
  const std::vector<std::vector<RecordHeader>> wrong = {
      {record(1, 1)},                          // before the term is durable
      {state(1), record(1, 1), record(3, 1)},  // a gap
      {state(2), state(1)},                    // the term goes back
      {state(2), record(1, 2), record(2, 1)},  // so does that of entries
      {state(1), record(0, 1)},                // no index
      {state(1), reset(5, 1), record(5, 1)},   // below an installed snapshot
      {state(1), reset(5, 1), record(7, 1)},   // a gap above it
      {state(1), reset(0, 1)},                 // no index
  };
  for (std::size_t i = 0; i < wrong.size(); ++i) {
    Segment segment;
    for (const RecordHeader& header : wrong[i]) segment.write({header});
    Replay replay{LogIndex(0)};
    const auto info = replayed(replay, segment);
    ASSERT_FALSE(info) << i;
    EXPECT_EQ(info.error().fault, StorageFault::corrupt) << i;
  }
}

TEST(RaftReplay, segment_that_does_not_go_on_from_the_one_before_is_corruption) {
  Segment segment;
  segment.write({state(1)});
  Replay replay{LogIndex(0)};
  ASSERT_TRUE(replayed(replay, segment, SegmentPlace::closed));
  const auto second = encode(SegmentHeader{SegmentNumber(2), {}});
  const auto info = replay.add(SegmentNumber(2), second, "/raft/second", SegmentPlace::newest);
  ASSERT_FALSE(info);
  EXPECT_EQ(info.error().fault, StorageFault::corrupt);
}

TEST(RaftReplay, unknown_version_is_refused_as_such) {
  Segment segment;
  segment.bytes[11] = std::byte{2};
  const auto crc = crc32c(ByteView(segment.bytes).first(segment_header_bytes - 4));
  store_big_endian(segment.bytes.data() + segment_header_bytes - 4, crc);
  Replay replay{LogIndex(0)};
  EXPECT_EQ(replayed(replay, segment).error().fault, StorageFault::invalid);
}

TEST(RaftReplay, data_that_a_snapshot_covers_are_not_kept) {
  Segment segment;
  segment.write({state(1), record(1, 1), record(2, 1)});
  Replay replay{LogIndex(1)};
  ASSERT_TRUE(replayed(replay, segment));
  EXPECT_EQ(replay.entries()[0].data.size(), 0u);
  EXPECT_TRUE(replay.holds({LogIndex(1), Term(1)}));
  EXPECT_FALSE(replay.holds({LogIndex(1), Term(2)}));
  EXPECT_FALSE(replay.holds({LogIndex(3), Term(1)}));
  EXPECT_EQ(replay.take_above(LogIndex(1)).size(), 1u);
}

}  // namespace
}  // namespace millrace::raft
