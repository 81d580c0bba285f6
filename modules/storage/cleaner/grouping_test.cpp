#include <gtest/gtest.h>

#include <cstdint>
#include <limits>

import millrace.storage.cleaner;

namespace millrace::storage {
namespace {

constexpr GroupLimits limits{.log_bytes_max = 100, .index_bytes_max = 50};

SegmentExtent extent(std::int64_t base, std::int64_t end, std::uint64_t log_bytes,
                     std::uint64_t offset_index_bytes = 8, std::uint64_t time_index_bytes = 12) {
  return {Offset(base), Offset(end), log_bytes, offset_index_bytes, time_index_bytes};
}

TEST(Grouping, segments_join_as_long_as_the_sum_keeps_the_limits) {
  EXPECT_TRUE(can_join(extent(0, 10, 40), extent(10, 20, 60), limits));
  EXPECT_FALSE(can_join(extent(0, 10, 40), extent(10, 20, 61), limits));
  EXPECT_TRUE(can_join(extent(0, 10, 0), extent(10, 20, 100), limits));
  EXPECT_TRUE(can_join(extent(0, 10, 1, 25, 12), extent(10, 20, 1, 25, 38), limits));
  EXPECT_FALSE(can_join(extent(0, 10, 1, 25, 12), extent(10, 20, 1, 26, 38), limits));
  EXPECT_FALSE(can_join(extent(0, 10, 1, 25, 12), extent(10, 20, 1, 25, 39), limits));
}

TEST(Grouping, offsets_can_be_counted_from_the_base) {
  constexpr std::int64_t span = std::numeric_limits<std::int32_t>::max();
  EXPECT_TRUE(can_join(extent(5, 10, 1), extent(10, 5 + span, 1), limits));
  EXPECT_FALSE(can_join(extent(5, 10, 1), extent(10, 6 + span, 1), limits));
}

}  // namespace
}  // namespace millrace::storage
