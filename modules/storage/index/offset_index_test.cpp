// Also proves growing_index.cppm, search.cppm.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

import millrace.storage.index;

namespace millrace::storage {
namespace {

constexpr Offset base{1000};

GrowingIndex sample() {
  GrowingIndex index(offset_index_entry_bytes);
  EXPECT_TRUE(add_offset_entry(index, base, {Offset(1010), 4100}));
  EXPECT_TRUE(add_offset_entry(index, base, {Offset(1020), 8300}));
  EXPECT_TRUE(add_offset_entry(index, base, {Offset(1040), 12'500}));
  return index;
}

TEST(OffsetIndex, begins_at_the_start_of_the_segment) {
  const GrowingIndex index = sample();
  const OffsetIndexView view(index.bytes(), base);
  EXPECT_EQ(view.floor_of(Offset(1009)), (OffsetPosition{base, 0}));
  EXPECT_EQ(view.floor_of_position(4099), (OffsetPosition{base, 0}));
}

TEST(OffsetIndex, finds_the_last_entry_at_or_below) {
  const GrowingIndex index = sample();
  const OffsetIndexView view(index.bytes(), base);
  EXPECT_EQ(view.floor_of(Offset(1020)).position, 8300u);
  EXPECT_EQ(view.floor_of(Offset(1039)).position, 8300u);
  EXPECT_EQ(view.floor_of(Offset(5000)).position, 12'500u);
  EXPECT_EQ(view.floor_of_position(8300).offset, Offset(1020));
  EXPECT_EQ(view.floor_of_position(0xffff'ffff).offset, Offset(1040));
}

TEST(OffsetIndex, has_kafkas_bytes) {
  const GrowingIndex index = sample();
  ASSERT_EQ(index.bytes().size(), 24u);
  EXPECT_EQ(load_big_endian<std::int32_t>(index.bytes().data() + 8), 20);
  EXPECT_EQ(load_big_endian<std::int32_t>(index.bytes().data() + 12), 8300);
}

TEST(OffsetIndex, refuses_an_offset_too_far_from_the_base) {
  GrowingIndex index(offset_index_entry_bytes);
  EXPECT_TRUE(add_offset_entry(index, base, {base.plus(0x7fff'ffff), 1}));
  EXPECT_FALSE(add_offset_entry(index, base, {base.plus(0x8000'0000), 2}));
  EXPECT_FALSE(add_offset_entry(index, base, {Offset(999), 2}));
  EXPECT_EQ(index.entries(), 1u);
}

TEST(OffsetIndex, a_file_that_no_segment_wrote_is_found_out) {
  const GrowingIndex index = sample();
  EXPECT_TRUE(OffsetIndexView(index.bytes(), base).check_against(20'000).has_value());
  EXPECT_FALSE(OffsetIndexView(index.bytes(), base).check_against(12'500).has_value());
  EXPECT_FALSE(OffsetIndexView(index.bytes().first(23), base).check_against(20'000).has_value());
  std::vector<std::byte> zeros(80);
  EXPECT_FALSE(OffsetIndexView(zeros, base).check_against(20'000).has_value());
  std::vector<std::byte> swapped(index.bytes().begin(), index.bytes().end());
  std::swap_ranges(swapped.begin(), swapped.begin() + 8, swapped.begin() + 8);
  EXPECT_FALSE(OffsetIndexView(swapped, base).check_against(20'000).has_value());
}

TEST(OffsetIndex, what_is_cut_is_not_saved_any_more) {
  GrowingIndex index = sample();
  index.saved(index.unsaved().size());
  index.keep(OffsetIndexView(index.bytes(), base).entries_up_to(Offset(1039)));
  EXPECT_EQ(index.entries(), 2u);
  EXPECT_EQ(index.saved_bytes(), 16u);
  EXPECT_TRUE(add_offset_entry(index, base, {Offset(1030), 9000}));
  EXPECT_EQ(index.unsaved().size(), 8u);
}

RC_GTEST_PROP(OffsetIndex, lookups_agree_with_a_plain_search, (std::vector<std::uint16_t> steps)) {
  GrowingIndex index(offset_index_entry_bytes);
  std::vector<OffsetPosition> plain;
  OffsetPosition at{base, 0};
  for (const std::uint16_t step : steps) {
    at = {at.offset.plus(1 + step % 50), at.position + 1 + step};
    plain.push_back(at);
    RC_ASSERT(add_offset_entry(index, base, at));
  }
  const OffsetIndexView view(index.bytes(), base);
  RC_ASSERT(view.check_against(std::uint64_t{at.position} + 1).has_value());
  const auto offset = base.plus(*rc::gen::inRange<std::int64_t>(0, 200));
  const auto position = *rc::gen::inRange<std::uint32_t>(0, 200'000);
  OffsetPosition by_offset{base, 0};
  OffsetPosition by_position{base, 0};
  for (const OffsetPosition& entry : plain) {
    if (entry.offset <= offset) by_offset = entry;
    if (entry.position <= position) by_position = entry;
  }
  RC_ASSERT(view.floor_of(offset) == by_offset);
  RC_ASSERT(view.floor_of_position(position) == by_position);
}

// Far from evenly spread: small batches, then large ones, then small ones.
TEST(OffsetIndex, every_offset_and_position_is_found_however_the_entries_are_spread) {
  for (const std::size_t count : {1u, 2u, 3u, 7u, 64u, 300u}) {
    GrowingIndex index(offset_index_entry_bytes);
    std::vector<OffsetPosition> plain;
    OffsetPosition at{base, 0};
    for (std::size_t i = 0; i < count; ++i) {
      const bool middle = i > count / 3 && i < 2 * count / 3;
      at = {at.offset.plus(middle ? 40 : 1), at.position + (middle ? 1 : 60)};
      plain.push_back(at);
      ASSERT_TRUE(add_offset_entry(index, base, at));
    }
    const OffsetIndexView view(index.bytes(), base);
    for (Offset offset = base; offset <= at.offset.next(); offset = offset.next()) {
      OffsetPosition expected{base, 0};
      for (const OffsetPosition& entry : plain) {
        if (entry.offset <= offset) expected = entry;
      }
      ASSERT_EQ(view.floor_of(offset), expected) << offset.value() << " of " << count;
    }
    for (std::uint32_t position = 0; position <= at.position + 1; ++position) {
      OffsetPosition expected{base, 0};
      for (const OffsetPosition& entry : plain) {
        if (entry.position <= position) expected = entry;
      }
      ASSERT_EQ(view.floor_of_position(position), expected) << position << " of " << count;
    }
    constexpr std::uint32_t most = std::numeric_limits<std::uint32_t>::max();
    EXPECT_EQ(view.floor_of_position(most), at);
    EXPECT_EQ(view.floor_of(Offset(std::numeric_limits<std::int64_t>::max())), at);
    EXPECT_EQ(view.entries_up_to(Offset(-1)), 0u);
  }
}

}  // namespace
}  // namespace millrace::storage
