#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <utility>
#include <vector>

import millrace.telemetry;

namespace millrace::telemetry {
namespace {

Distribution of(const std::vector<std::uint64_t>& values,
                const HistogramScale& scale = duration_scale) {
  Distribution distribution(scale);
  for (const std::uint64_t value : values) distribution.record(value);
  return distribution;
}

// Numbers of `bits` bits at most, of every magnitude alike.
rc::Gen<std::vector<std::uint64_t>> values_of(unsigned bits) {
  return rc::gen::container<std::vector<std::uint64_t>>(rc::gen::map(
      rc::gen::pair(rc::gen::inRange<unsigned>(64 - bits, 65), rc::gen::arbitrary<int>()),
      [](std::pair<unsigned, int> drawn) {
        const std::uint64_t mixed = static_cast<std::uint64_t>(drawn.second) * 0x9e3779b97f4a7c15u;
        return drawn.first == 64 ? 0 : mixed >> drawn.first;
      }));
}

std::uint64_t exact_quantile(std::vector<std::uint64_t> values, double part) {
  std::ranges::sort(values);
  const double rank = std::ceil(part * static_cast<double>(values.size()));
  const auto at = static_cast<std::size_t>(std::max(rank, 1.0)) - 1;
  return values[std::min(at, values.size() - 1)];
}

TEST(Distribution, an_empty_one_is_all_zeros) {
  const Distribution empty(duration_scale);
  EXPECT_EQ(empty.count(), 0u);
  EXPECT_EQ(empty.sum(), 0u);
  EXPECT_EQ(empty.max(), 0u);
  EXPECT_EQ(empty.quantile(0.5), 0u);
  EXPECT_EQ(empty.counts_up_to_bounds(),
            std::vector<std::uint64_t>(duration_scale.bounds().size()));
}

TEST(Distribution, small_numbers_are_exact) {
  std::vector<std::uint64_t> values(64);
  std::iota(values.begin(), values.end(), 0);
  const Distribution all = of(values);
  for (std::size_t i = 0; i < values.size(); ++i) {
    EXPECT_EQ(all.quantile((static_cast<double>(i) + 0.5) / 64), i);
  }
}

TEST(Distribution, the_quantile_0_is_the_smallest_and_1_the_largest) {
  const Distribution three = of({1'000'000, 2'000'000, 3'000'000});
  EXPECT_NEAR(static_cast<double>(three.quantile(0)), 1e6, 1e6 * relative_error_max);
  EXPECT_LE(three.quantile(1), 3'000'000u);
  EXPECT_NEAR(static_cast<double>(three.quantile(1)), 3e6, 3e6 * relative_error_max);
}

TEST(Distribution, what_is_past_the_scale_is_given_as_the_maximum) {
  const std::uint64_t past = 5 * duration_scale.largest();
  const Distribution two = of({1, past});
  EXPECT_EQ(two.quantile(0.5), 1u);
  EXPECT_EQ(two.quantile(0.9), past);
  EXPECT_EQ(two.counts_up_to_bounds().back(), 1u);
  EXPECT_EQ(two.count(), 2u);
  const std::uint64_t largest = std::numeric_limits<std::uint64_t>::max();
  EXPECT_EQ(of({largest}).quantile(0.5), largest);
}

TEST(Distribution, a_value_on_a_bound_counts_below_it_and_one_above_does_not) {
  for (const HistogramScale* scale : {&duration_scale, &byte_scale, &count_scale}) {
    for (std::size_t i = 0; i < scale->bounds().size(); ++i) {
      const std::uint64_t bound = scale->bounds()[i];
      EXPECT_EQ(of({bound}, *scale).counts_up_to_bounds()[i], 1u);
      EXPECT_EQ(of({bound + 1}, *scale).counts_up_to_bounds()[i], 0u);
    }
  }
}

TEST(DistributionDeathTest, different_scales_are_not_merged) {
  Distribution durations(duration_scale);
  EXPECT_DEATH(durations.merge(Distribution(byte_scale)), "same scale");
  EXPECT_DEATH(static_cast<void>(durations.quantile(1.5)), "between 0 and 1");
}

RC_GTEST_PROP(Distribution, a_quantile_is_within_the_named_error_of_the_exact_one, ()) {
  const auto values = *rc::gen::nonEmpty(values_of(40));
  const auto part = *rc::gen::inRange(0, 1001) / 1000.0;
  const std::uint64_t exact = exact_quantile(values, part);
  const std::uint64_t read = of(values).quantile(part);
  const auto off = static_cast<double>(read > exact ? read - exact : exact - read);
  RC_ASSERT(off <= relative_error_max * static_cast<double>(exact));
}

RC_GTEST_PROP(Distribution, counts_up_to_bounds_are_exact, ()) {
  const auto values = *values_of(44);
  const HistogramScale& scale = **rc::gen::element(&duration_scale, &byte_scale, &count_scale);
  const auto counts = of(values, scale).counts_up_to_bounds();
  for (std::size_t i = 0; i < counts.size(); ++i) {
    const std::uint64_t bound = scale.bounds()[i];
    RC_ASSERT(counts[i] == static_cast<std::uint64_t>(std::ranges::count_if(
                               values, [bound](std::uint64_t value) { return value <= bound; })));
  }
}

RC_GTEST_PROP(Distribution, merged_ones_are_as_if_all_was_recorded_in_one, ()) {
  const auto shards = *rc::gen::container<std::vector<std::vector<std::uint64_t>>>(values_of(44));
  Distribution merged(duration_scale);
  Distribution one(duration_scale);
  std::uint64_t sum = 0;
  std::uint64_t max = 0;
  std::size_t count = 0;
  for (const auto& values : shards) {
    merged.merge(of(values));
    for (const std::uint64_t value : values) {
      one.record(value);
      sum += value;
      max = std::max(max, value);
      ++count;
    }
  }
  RC_ASSERT(merged == one);
  RC_ASSERT(merged.sum() == sum);
  RC_ASSERT(merged.max() == max);
  RC_ASSERT(merged.count() == count);
}

}  // namespace
}  // namespace millrace::telemetry
