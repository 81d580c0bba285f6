#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cstddef>
#include <cstdint>
#include <vector>

import millrace.storage.index;

namespace millrace::storage {
namespace {

constexpr Offset base{500};

TEST(TimeIndex, without_entries_nothing_is_known) {
  const TimeIndexView view({}, base);
  EXPECT_EQ(view.last(), (TimestampOffset{no_timestamp, base}));
  EXPECT_EQ(view.floor_of(Timestamp(5)), (TimestampOffset{no_timestamp, base}));
}

TEST(TimeIndex, takes_later_timestamps_only) {
  GrowingIndex index(time_index_entry_bytes);
  EXPECT_TRUE(add_time_entry(index, base, {Timestamp(100), Offset(510)}));
  EXPECT_TRUE(add_time_entry(index, base, {Timestamp(100), Offset(520)}));
  EXPECT_TRUE(add_time_entry(index, base, {Timestamp(90), Offset(530)}));
  EXPECT_TRUE(add_time_entry(index, base, {no_timestamp, Offset(530)}));
  EXPECT_EQ(index.entries(), 1u);
  EXPECT_TRUE(add_time_entry(index, base, {Timestamp(101), Offset(540)}));
  EXPECT_EQ(index.entries(), 2u);
}

TEST(TimeIndex, has_kafkas_bytes) {
  GrowingIndex index(time_index_entry_bytes);
  ASSERT_TRUE(add_time_entry(index, base, {Timestamp(0x1122334455), Offset(510)}));
  ASSERT_EQ(index.bytes().size(), 12u);
  EXPECT_EQ(load_big_endian<std::int64_t>(index.bytes().data()), 0x1122334455);
  EXPECT_EQ(load_big_endian<std::int32_t>(index.bytes().data() + 8), 10);
}

TEST(TimeIndex, a_file_that_no_segment_wrote_is_found_out) {
  GrowingIndex index(time_index_entry_bytes);
  ASSERT_TRUE(add_time_entry(index, base, {Timestamp(100), Offset(505)}));
  ASSERT_TRUE(add_time_entry(index, base, {Timestamp(200), Offset(510)}));
  EXPECT_TRUE(TimeIndexView(index.bytes(), base).check_against(Offset(511)).has_value());
  EXPECT_FALSE(TimeIndexView(index.bytes(), base).check_against(Offset(510)).has_value());
  EXPECT_FALSE(TimeIndexView(index.bytes().first(20), base).check_against(Offset(511)).has_value());
  const std::vector<std::byte> zeros(24);
  EXPECT_FALSE(TimeIndexView(zeros, base).check_against(Offset(511)).has_value());
}

// What a crash leaves of an entry may be its timestamp without its offset.
TEST(TimeIndex, an_entry_at_the_offset_of_the_one_before_is_found_out) {
  GrowingIndex index(time_index_entry_bytes);
  ASSERT_TRUE(add_time_entry(index, base, {Timestamp(1'000), base}));
  ASSERT_TRUE(add_time_entry(index, base, {Timestamp(2'000), base}));
  EXPECT_FALSE(TimeIndexView(index.bytes(), base).check_against(Offset(600)).has_value());
}

RC_GTEST_PROP(TimeIndex, lookups_agree_with_a_plain_search, (std::vector<std::uint8_t> steps)) {
  GrowingIndex index(time_index_entry_bytes);
  std::vector<TimestampOffset> plain;
  TimestampOffset at{Timestamp(0), base};
  for (const std::uint8_t step : steps) {
    at = {at.timestamp.plus(1 + step), at.offset.plus(1 + step % 3)};
    plain.push_back(at);
    RC_ASSERT(add_time_entry(index, base, at));
  }
  const TimeIndexView view(index.bytes(), base);
  RC_ASSERT(view.check_against(at.offset.next()).has_value());
  const Timestamp target(*rc::gen::inRange<std::int64_t>(-5, 5000));
  TimestampOffset expected{no_timestamp, base};
  for (const TimestampOffset& entry : plain) {
    if (entry.timestamp <= target) expected = entry;
  }
  RC_ASSERT(view.floor_of(target) == expected);
}

}  // namespace
}  // namespace millrace::storage
