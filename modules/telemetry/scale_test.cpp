#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cstddef>
#include <cstdint>
#include <limits>

import millrace.telemetry;

namespace millrace::telemetry {
namespace {

constexpr const HistogramScale* scales[] = {&duration_scale, &byte_scale, &count_scale};

// Numbers of every magnitude alike.
rc::Gen<std::uint64_t> any_magnitude() {
  return rc::gen::map(rc::gen::pair(rc::gen::inRange<unsigned>(0, 64), rc::gen::arbitrary<int>()),
                      [](std::pair<unsigned, int> drawn) {
                        const std::uint64_t mixed =
                            static_cast<std::uint64_t>(drawn.second) * 0x9e3779b97f4a7c15u;
                        return mixed >> drawn.first;
                      });
}

TEST(HistogramScale, buckets_cover_all_numbers_without_gap_or_overlap) {
  for (const HistogramScale* scale : scales) {
    std::uint64_t next = 0;
    for (std::size_t bucket = 0; bucket < scale->bucket_count(); ++bucket) {
      const BucketRange range = scale->range_of(bucket);
      ASSERT_EQ(range.lowest, next) << "bucket " << bucket;
      if (range.highest == range.lowest - 1) continue;  // no value
      ASSERT_EQ(scale->bucket_of(range.lowest), bucket);
      ASSERT_EQ(scale->bucket_of(range.highest), bucket);
      next = range.highest + 1;
    }
    EXPECT_EQ(next, 0u) << "the last bucket ends at the largest number";
  }
}

TEST(HistogramScale, no_bucket_is_wider_than_the_named_error_allows) {
  for (const HistogramScale* scale : scales) {
    for (std::size_t bucket = 0; bucket + 1 < scale->bucket_count(); ++bucket) {
      const BucketRange range = scale->range_of(bucket);
      if (range.highest == range.lowest - 1) continue;
      const auto half = static_cast<double>((range.highest - range.lowest + 1) / 2);
      EXPECT_LE(half, relative_error_max * static_cast<double>(range.lowest)) << bucket;
    }
  }
}

TEST(HistogramScale, a_bound_is_the_last_value_of_its_bucket) {
  for (const HistogramScale* scale : scales) {
    for (const std::uint64_t bound : scale->bounds()) {
      EXPECT_EQ(scale->range_of(scale->bucket_of(bound)).highest, bound);
      EXPECT_LT(scale->bucket_of(bound), scale->bucket_of(bound + 1));
    }
  }
}

TEST(HistogramScale, values_from_the_largest_on_share_the_last_bucket) {
  for (const HistogramScale* scale : scales) {
    const std::size_t last = scale->bucket_count() - 1;
    EXPECT_EQ(scale->bucket_of(scale->largest()), last);
    EXPECT_EQ(scale->bucket_of(std::numeric_limits<std::uint64_t>::max()), last);
    EXPECT_LT(scale->bucket_of(scale->largest() - 1), last);
  }
}

TEST(HistogramScale, bounds_are_the_round_numbers_that_people_alert_on) {
  EXPECT_EQ(duration_scale.bounds().front(), 1'000u);
  EXPECT_EQ(duration_scale.bounds().back(), 100'000'000'000u);
  EXPECT_EQ(byte_scale.bounds().front(), 64u);
  EXPECT_EQ(byte_scale.bounds().back(), std::uint64_t{1} << 30);
  EXPECT_EQ(count_scale.bounds().front(), 1u);
  EXPECT_EQ(count_scale.bounds().back(), 65'536u);
}

RC_GTEST_PROP(HistogramScale, a_value_lies_in_the_range_of_its_bucket, ()) {
  const std::uint64_t value = *any_magnitude();
  for (const HistogramScale* scale : scales) {
    const BucketRange range = scale->range_of(scale->bucket_of(value));
    RC_ASSERT(range.lowest <= value);
    RC_ASSERT(value <= range.highest);
  }
}

RC_GTEST_PROP(HistogramScale, a_larger_value_lies_in_no_lower_bucket, ()) {
  const std::uint64_t one = *any_magnitude();
  const std::uint64_t other = *any_magnitude();
  for (const HistogramScale* scale : scales) {
    RC_ASSERT((one <= other) ==
                  (one == other || scale->bucket_of(one) <= scale->bucket_of(other)) ||
              scale->bucket_of(one) == scale->bucket_of(other));
  }
}

}  // namespace
}  // namespace millrace::telemetry
